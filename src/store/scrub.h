/*
 * The scrub: reads the whole log back, block by block, and compares it with the tree, while the
 * store is in use. So a change of an old entry is found without anyone reading that entry. It goes
 * first to entries that were never read back, which a start would have to read; then it makes
 * passes over the whole log, with a pause after each.
 *
 * It reads 256 entries at a time over a reader's connection, holds no lock meanwhile, and delays no
 * commit. The writer stores its place with the next commit.
 *
 * When a block differs, and differs again at a second look, there is one alarm in the operational
 * log, and the store is used no more: store_run() and store_check() return ERR_TAMPERED from then
 * on. The state remembers the place, so every later start reads that block first and refuses.
 */
#ifndef STORE_SCRUB_H
#define STORE_SCRUB_H

#include "store/store.h"

struct scrub_limits {
    uint64_t entries;         /* at most so many, rounded up to a block, in this call */
    int64_t pause_ms;         /* between the end of a pass and the begin of the next */
    bool (*stop)(void *stop); /* asked before each block; true ends the call */
    void *context;            /* of `stop` */
};

/*
 * A part of the work. One thread at a time, beside the writer. ERR_NONE also when there is nothing
 * to do. ERR_TAMPERED the log was changed. ERR_IO, ERR_UNAVAILABLE, ERR_MEMORY: a later call goes
 * on at the same place
 */
MUST_CHECK enum err store_scrub(struct store *store, const struct scrub_limits *limits,
                                struct timestamp now);

struct scrub_figures {
    uint64_t size;         /* of the log */
    uint64_t verified;     /* entries before this one were read back at least once */
    uint64_t position;     /* of the present pass: entries before this one are done */
    struct timestamp pass; /* the end of the last whole pass; 0 before the first */
    uint64_t entries;      /* read since the start of the process */
    uint64_t passes;       /* completed since then */
    bool tampered;         /* the log was changed: the store is used no more */
    uint64_t index;        /* the first entry of the block that differs */
};
void store_scrub_figures(struct store *store, struct scrub_figures *out);

#endif
