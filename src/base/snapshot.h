/*
 * Data that many threads read and one thread replaces as a whole, such as policies, collateral and
 * tokens. A published snapshot is immutable. Each thread reads through its own view, which costs
 * one atomic load while nothing changes. The last holder frees a replaced snapshot.
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

/* The first member of the shared struct. */
struct snapshot {
    _Atomic unsigned holders;
    uint64_t generation; /* the cell's generation at publication: 1, 2, ... */
    void (*free)(struct snapshot *s);
};

/* The caller becomes the only holder. `free` frees the whole shared struct. */
void snapshot_init(struct snapshot *s, void (*free)(struct snapshot *s));

/* Ends one hold and sets `*s` to NULL. Accepts NULL. */
void snapshot_release(struct snapshot **s);

/* Holds the current snapshot. */
struct snapshot_cell {
    pthread_mutex_t lock; /* protects `current` */
    _Atomic uint64_t generation;
    struct snapshot *current; /* NULL before the first publication */
};

void snapshot_cell_init(struct snapshot_cell *cell);
/* Releases the current snapshot. No view may be in use. Views may be cleared afterwards. */
void snapshot_cell_clear(struct snapshot_cell *cell);

/* Takes ownership of `*next` and sets it to NULL. A lock orders concurrent publishers. */
void snapshot_publish(struct snapshot_cell *cell, struct snapshot **next);

/* Holds and returns the current snapshot. The caller calls snapshot_release(). A snapshot must have
 * been published. */
struct snapshot *snapshot_hold(struct snapshot_cell *cell);

/*
 * The view of one thread. Zero-initialise it and call snapshot_view_clear() at the end. The
 * returned snapshot is valid until the next call with the same view. A decision that needs one
 * consistent state calls snapshot_view_of() once. An idle thread keeps its last snapshot in memory,
 * even after a replacement.
 */
struct snapshot_view {
    struct snapshot *held;
};
struct snapshot *snapshot_view_of(struct snapshot_cell *cell, struct snapshot_view *view);
void snapshot_view_clear(struct snapshot_view *view);

#endif
