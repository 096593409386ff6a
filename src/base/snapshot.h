/*
 * What many threads read and one replaces whole: policies, collateral, tokens. A snapshot is
 * immutable once it is published. A reader looks through a view of its own thread's, which costs
 * one atomic load while nothing changes; the last holder frees a snapshot that was replaced.
 *
 *   struct policies {
 *       struct snapshot snapshot; // the first member
 *       ...
 *   };
 */
#ifndef BASE_SNAPSHOT_H
#define BASE_SNAPSHOT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* The first member of what is shared. */
struct snapshot {
    _Atomic unsigned holders;
    uint64_t generation; /* of the cell, when it was published: 1, 2, ... */
    void (*free)(struct snapshot *s);
};

/* The caller is its one holder. `free` frees the whole. */
void snapshot_init(struct snapshot *s, void (*free)(struct snapshot *s));

/* Gives it up and sets it to NULL. Accepts NULL. */
void snapshot_release(struct snapshot **s);

/* Where the current one is found. */
struct snapshot_cell {
    pthread_mutex_t lock; /* of `current` */
    _Atomic uint64_t generation;
    struct snapshot *current; /* NULL before the first is published */
};

void snapshot_cell_init(struct snapshot_cell *cell);
/* Gives up the current one. No view may be in use any more, but they may be cleared afterwards. */
void snapshot_cell_clear(struct snapshot_cell *cell);

/* Takes `*next` over and sets it to NULL. Publishers take turns by themselves. */
void snapshot_publish(struct snapshot_cell *cell, struct snapshot **next);

/* The current one, held: snapshot_release() it. One must have been published. */
struct snapshot *snapshot_hold(struct snapshot_cell *cell);

/*
 * What one thread holds. Zero-initialise; snapshot_view_clear() at the end. The snapshot is good
 * until the next call with the same view: look once for what must be judged by one state. An idle
 * thread keeps its last snapshot, and so the memory of what was replaced since.
 */
struct snapshot_view {
    struct snapshot *held;
};
struct snapshot *snapshot_view_of(struct snapshot_cell *cell, struct snapshot_view *view);
void snapshot_view_clear(struct snapshot_view *view);

#endif
