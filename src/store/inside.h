/* What the files of store.h share. Nothing else of src/ includes this. */
#ifndef STORE_INSIDE_H
#define STORE_INSIDE_H

#include <pthread.h>

#include "store/anchor.h"
#include "store/executor.h"
#include "store/log.h"
#include "store/store.h"

/* See store/scrub.h. */
struct scrub {
    struct log_progress progress;
    bool new_was_last; /* the last step was of new entries */
    bool suspected;    /* a reader found a change; `suspect` is where it began to read */
    bool tampered;     /* and it is certain; `bad` is the block's first entry */
    uint64_t suspect, bad;
    uint64_t entries, passes; /* since the start */
};

/* More than a reader asks for at once (service/log_read.h). */
enum { SCRUB_SUSPECT_ENTRIES = 4096 };

struct store {
    const struct store_ops *ops;
    struct store_engine *engine;
    uint32_t node;
    uint8_t holder[16]; /* of the lease on the node's log */
    uint64_t token;
    int64_t renewed_us;        /* monotonic; the writer's only, as the next */
    bool fenced;               /* another process took the lease, which was logged */
    struct executor *executor; /* the writer's only */
    struct anchors *anchors;   /* NULL: none */
    bool running;              /* so it is recorded in the state */
    bool tampering_stored;     /* the state says where the scrub found a change */
    const struct rows_keys *keys;
    const uint8_t *log_seed;
    uint8_t public_key[ED25519_PUBLIC_SIZE];
    char origin[CHECKPOINT_ORIGIN_MAX + 1];

    struct archive *archive;   /* NULL: none is configured */
    _Atomic uint64_t archived; /* as committed: entries before it are in the archive */
    _Atomic uint64_t dropped;  /* entries before it are gone from the database */
    bool dropped_known;        /* the writer's only, as the next */
    int64_t drop_failed_us;    /* monotonic; 0: the last drop succeeded */

    pthread_mutex_t mutex; /* guards what follows */
    struct checkpoint committed;
    uint64_t noted; /* the size that `note` is of */
    char note[CHECKPOINT_TEXT_MAX];
    struct scrub scrub;
    struct checkpoint cosigned_checkpoint;
    char cosigned[CHECKPOINT_TEXT_MAX]; /* that checkpoint with cosignatures; "" for none */
};

/* The log as of the last commit. */
struct log_reader store_log_reader(struct store *s);

/* A reader that began at this entry found a change: the scrub looks there next. Any thread. */
void store_suspect(struct store *s, uint64_t index);

/* (writer) The next commit stores how far the scrub has come. */
void store_progress_take(struct store *s);
/* (writer) ERR_TAMPERED once the scrub has found a change. The first time it stores the place. */
MUST_CHECK enum err store_tampering_check(struct store *s);

#endif
