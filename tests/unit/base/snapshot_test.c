/* Snapshots: readers see complete states, and each state is freed once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/snapshot.h"

enum { READERS = 4, CHANGES = 5000 };

struct state {
    struct snapshot snapshot;
    uint64_t number, same; /* equal, unless the state is torn or freed */
};

static _Atomic long alive;

static void state_free(struct snapshot *s)
{
    struct state *state = (struct state *)s;

    state->same = state->number + 1;
    free(state);
    atomic_fetch_sub(&alive, 1);
}

static struct snapshot *state_new(uint64_t number)
{
    struct state *s = calloc(1, sizeof *s);

    assert_non_null(s);
    snapshot_init(&s->snapshot, state_free);
    s->number = s->same = number;
    atomic_fetch_add(&alive, 1);
    return &s->snapshot;
}

static uint64_t number_of(const struct snapshot *s)
{
    return ((const struct state *)s)->number;
}

static void publish(struct snapshot_cell *cell, uint64_t number)
{
    struct snapshot *next = state_new(number);

    snapshot_publish(cell, &next);
    assert_null(next);
}

static void test_a_view_follows_and_keeps(void **state)
{
    struct snapshot_cell cell;
    struct snapshot_view view = {0}, idle = {0};
    struct snapshot *first;

    (void)state;
    snapshot_cell_init(&cell);
    publish(&cell, 1);
    first = snapshot_view_of(&cell, &view);
    assert_int_equal(number_of(first), 1);
    assert_ptr_equal(snapshot_view_of(&cell, &idle), first);
    assert_ptr_equal(snapshot_view_of(&cell, &view), first); /* nothing changed */

    publish(&cell, 2);
    assert_int_equal(number_of(first), 1); /* still held */
    assert_int_equal(number_of(snapshot_view_of(&cell, &view)), 2);
    assert_int_equal(atomic_load(&alive), 2); /* `idle` keeps the first */
    snapshot_view_clear(&idle);
    assert_int_equal(atomic_load(&alive), 1);

    snapshot_cell_clear(&cell);
    assert_int_equal(atomic_load(&alive), 1); /* a view may be cleared after the cell */
    snapshot_view_clear(&view);
    snapshot_view_clear(&view);
    assert_int_equal(atomic_load(&alive), 0);
}

static void test_a_held_one_outlives_its_successor(void **state)
{
    struct snapshot_cell cell;
    struct snapshot *held;

    (void)state;
    snapshot_cell_init(&cell);
    publish(&cell, 1);
    held = snapshot_hold(&cell);
    publish(&cell, 2);
    assert_int_equal(number_of(held), 1);
    snapshot_release(&held);
    assert_null(held);
    snapshot_release(&held); /* accepts NULL */
    assert_int_equal(atomic_load(&alive), 1);
    snapshot_cell_clear(&cell);
    assert_int_equal(atomic_load(&alive), 0);
}

static struct snapshot_cell shared;
static _Atomic bool finished;

static void *read_on(void *argument)
{
    struct snapshot_view view = {0};
    uint64_t last = 0;
    bool good = true;

    (void)argument;
    while (!atomic_load(&finished)) {
        const struct state *s = (const struct state *)snapshot_view_of(&shared, &view);

        good = good && s->number == s->same && s->number >= last;
        last = s->number;
    }
    snapshot_view_clear(&view);
    return good ? &finished : NULL;
}

static void test_readers_see_whole_states_in_order(void **state)
{
    pthread_t readers[READERS];

    (void)state;
    snapshot_cell_init(&shared);
    publish(&shared, 1);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, NULL), 0);
    for (uint64_t i = 2; i < CHANGES; i++)
        publish(&shared, i);
    atomic_store(&finished, true);
    for (int i = 0; i < READERS; i++) {
        void *good = NULL;

        assert_int_equal(pthread_join(readers[i], &good), 0);
        assert_non_null(good);
    }
    snapshot_cell_clear(&shared);
    assert_int_equal(atomic_load(&alive), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_view_follows_and_keeps),
        cmocka_unit_test(test_a_held_one_outlives_its_successor),
        cmocka_unit_test(test_readers_see_whole_states_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
