#include "auth/seen.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LIFETIME_MS = 331000 };

static const struct timestamp begin = {1700000000000};

static struct timestamp after(int64_t ms)
{
    return (struct timestamp){begin.ms + ms};
}

/* Distinct ids; with `crowd` all in one bucket, as an enclave that chooses its hashes could do. */
static const uint8_t *id_of(uint32_t number, bool crowd, uint8_t out[SEEN_ID_SIZE])
{
    memset(out, 0, SEEN_ID_SIZE);
    memcpy(out + (crowd ? 8 : 0), &number, sizeof number);
    return out;
}

static int table_make(void **state)
{
    struct seen_table *t = NULL;

    if (seen_table_new(LIFETIME_MS, &t) != ERR_NONE)
        return -1;
    *state = t;
    return 0;
}

static int table_drop(void **state)
{
    struct seen_table *t = *state;

    seen_table_free(&t);
    assert_null(t);
    seen_table_free(&t);
    return 0;
}

static void an_id_is_accepted_once(void **state)
{
    uint8_t id[SEEN_ID_SIZE];

    for (unsigned crowd = 0; crowd < 2; crowd++)
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(seen_add(*state, id_of(i + 1, crowd, id), begin), ERR_NONE);
    for (unsigned crowd = 0; crowd < 2; crowd++)
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(seen_add(*state, id_of(i + 1, crowd, id), begin), ERR_REPLAYED);
}

static void ids_that_differ_in_one_bit_are_different(void **state)
{
    uint8_t id[SEEN_ID_SIZE] = {0};

    assert_int_equal(seen_add(*state, id, begin), ERR_NONE);
    for (size_t bit = 0; bit < 8 * sizeof id; bit++) {
        id[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(seen_add(*state, id, begin), ERR_NONE);
        assert_int_equal(seen_add(*state, id, begin), ERR_REPLAYED);
        id[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void an_id_is_remembered_for_its_lifetime(void **state)
{
    uint8_t id[SEEN_ID_SIZE];

    assert_int_equal(seen_add(*state, id_of(1, false, id), begin), ERR_NONE);
    assert_int_equal(seen_add(*state, id, after(LIFETIME_MS - 1)), ERR_REPLAYED);
    /* being refused does not prolong it */
    assert_int_equal(seen_add(*state, id, after(LIFETIME_MS)), ERR_NONE);
    assert_int_equal(seen_add(*state, id, after(LIFETIME_MS)), ERR_REPLAYED);
}

static void the_clock_may_go_back(void **state)
{
    uint8_t id[SEEN_ID_SIZE];

    assert_int_equal(seen_add(*state, id_of(1, false, id), begin), ERR_NONE);
    assert_int_equal(seen_add(*state, id, after(-3600000)), ERR_REPLAYED);
    assert_int_equal(seen_add(*state, id_of(2, false, id), after(-3600000)), ERR_NONE);
    assert_int_equal(seen_add(*state, id_of(1, false, id), after(-1)), ERR_REPLAYED);
}

static void a_full_table_refuses_what_is_new_and_keeps_what_it_knows(void **state)
{
    uint8_t id[SEEN_ID_SIZE];

    for (uint32_t i = 0; i < SEEN_MAX; i++)
        assert_int_equal(seen_add(*state, id_of(i, false, id), after(i % 2)), ERR_NONE);
    assert_int_equal(seen_add(*state, id_of(SEEN_MAX, false, id), after(1)), ERR_OVERLOADED);
    for (uint32_t i = 0; i < SEEN_MAX; i += 97)
        assert_int_equal(seen_add(*state, id_of(i, false, id), after(1)), ERR_REPLAYED);
    /* all that has expired makes room at once */
    for (uint32_t i = 0; i < SEEN_MAX; i++)
        assert_int_equal(seen_add(*state, id_of(SEEN_MAX + i, false, id), after(LIFETIME_MS + 1)),
                         ERR_NONE);
    assert_int_equal(seen_add(*state, id_of(0, false, id), after(LIFETIME_MS + 1)), ERR_OVERLOADED);
}

static void the_ring_goes_round_many_times(void **state)
{
    uint8_t id[SEEN_ID_SIZE];

    for (uint32_t i = 0; i < 3 * SEEN_MAX + 7; i++) {
        struct timestamp now = after((int64_t)i * 10);

        assert_int_equal(seen_add(*state, id_of(i, false, id), now), ERR_NONE);
        if (i >= LIFETIME_MS / 10 - 1)
            assert_int_equal(seen_add(*state, id_of(i - LIFETIME_MS / 10 + 1, false, id), now),
                             ERR_REPLAYED);
    }
}

struct race {
    struct seen_table *table;
    unsigned wins, odd;
};

enum { RACE_IDS = 4096 };

static void *race_run(void *argument)
{
    struct race *r = argument;
    unsigned wins = 0;
    unsigned odd = 0;
    uint8_t id[SEEN_ID_SIZE];

    for (uint32_t i = 0; i < RACE_IDS; i++) {
        enum err e = seen_add(r->table, id_of(i, i % 3 == 0, id), begin);

        wins += e == ERR_NONE;
        odd += e != ERR_NONE && e != ERR_REPLAYED;
    }
    (void)__atomic_add_fetch(&r->wins, wins, __ATOMIC_RELAXED);
    (void)__atomic_add_fetch(&r->odd, odd, __ATOMIC_RELAXED);
    return NULL;
}

static void among_many_threads_one_wins(void **state)
{
    struct race r = {.table = *state};
    pthread_t threads[4];

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race_run, &r), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(r.wins, RACE_IDS);
    assert_int_equal(r.odd, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, table_make, table_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_accepted_once),
        TEST(ids_that_differ_in_one_bit_are_different),
        TEST(an_id_is_remembered_for_its_lifetime),
        TEST(the_clock_may_go_back),
        TEST(a_full_table_refuses_what_is_new_and_keeps_what_it_knows),
        TEST(the_ring_goes_round_many_times),
        TEST(among_many_threads_one_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
