/* What the files of store.h share. Nothing else of src/ includes this. */
#ifndef STORE_INSIDE_H
#define STORE_INSIDE_H

#include <pthread.h>

#include "store/executor.h"
#include "store/log.h"
#include "store/store.h"

struct store {
    const struct store_ops *ops;
    struct store_engine *engine;
    uint32_t node;
    uint8_t holder[16]; /* of the lease on the node's log */
    uint64_t token;
    int64_t renewed_us;        /* monotonic; the writer's only, as the next */
    bool fenced;               /* another process took the lease, which was logged */
    struct executor *executor; /* the writer's only */
    bool running;              /* so it is recorded in the state */
    const struct rows_keys *keys;
    const uint8_t *log_seed;
    uint8_t public_key[ED25519_PUBLIC_SIZE];
    char origin[CHECKPOINT_ORIGIN_MAX + 1];

    pthread_mutex_t mutex; /* guards what follows */
    struct checkpoint committed;
    uint64_t noted; /* the size that `note` is of */
    char note[CHECKPOINT_TEXT_MAX];
};

/* The log as of the last commit. */
struct log_reader store_log_reader(struct store *s);

#endif
