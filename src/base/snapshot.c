#include "base/snapshot.h"

#include <assert.h>
#include <stddef.h>

void snapshot_init(struct snapshot *s, void (*free)(struct snapshot *s))
{
    atomic_init(&s->holders, 1);
    s->generation = 0;
    s->free = free;
}

void snapshot_release(struct snapshot **snapshot)
{
    struct snapshot *s = *snapshot;

    *snapshot = NULL;
    if (s && atomic_fetch_sub_explicit(&s->holders, 1, memory_order_acq_rel) == 1)
        s->free(s);
}

void snapshot_cell_init(struct snapshot_cell *cell)
{
    (void)pthread_mutex_init(&cell->lock, NULL);
    atomic_init(&cell->generation, 0);
    cell->current = NULL;
}

void snapshot_cell_clear(struct snapshot_cell *cell)
{
    snapshot_release(&cell->current);
    (void)pthread_mutex_destroy(&cell->lock);
}

void snapshot_publish(struct snapshot_cell *cell, struct snapshot **next)
{
    struct snapshot *s = *next;
    struct snapshot *old;

    *next = NULL;
    (void)pthread_mutex_lock(&cell->lock);
    old = cell->current;
    s->generation = old ? old->generation + 1 : 1;
    cell->current = s;
    atomic_store_explicit(&cell->generation, s->generation, memory_order_release);
    (void)pthread_mutex_unlock(&cell->lock);
    snapshot_release(&old);
}

struct snapshot *snapshot_hold(struct snapshot_cell *cell)
{
    struct snapshot *held;

    (void)pthread_mutex_lock(&cell->lock);
    held = cell->current;
    assert(held);
    (void)atomic_fetch_add_explicit(&held->holders, 1, memory_order_relaxed);
    (void)pthread_mutex_unlock(&cell->lock);
    return held;
}

struct snapshot *snapshot_view_of(struct snapshot_cell *cell, struct snapshot_view *view)
{
    if (view->held &&
        view->held->generation == atomic_load_explicit(&cell->generation, memory_order_acquire))
        return view->held;
    snapshot_release(&view->held);
    view->held = snapshot_hold(cell);
    return view->held;
}

void snapshot_view_clear(struct snapshot_view *view)
{
    snapshot_release(&view->held);
}
