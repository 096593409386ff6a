#include "auth/replay_cache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LIFETIME_MS = 331000 };

static const int64_t begin = 1700000000000000;
static const uint8_t alice[32] = {1};

static int64_t after(int64_t ms)
{
    return begin + 1000 * ms;
}

/* Distinct ids; with `crowd` all are in one bucket, as an enclave that chooses its hashes could
 * do. */
static const uint8_t *id_of(uint32_t number, bool crowd, uint8_t out[REPLAY_ID_SIZE])
{
    memset(out, 0, REPLAY_ID_SIZE);
    memcpy(out + (crowd ? 8 : 0), &number, sizeof number);
    return out;
}

static int table_make(void **state)
{
    struct replay_cache *t = NULL;

    if (replay_cache_new(LIFETIME_MS, &t) != ERR_NONE)
        return -1;
    *state = t;
    return 0;
}

static int table_drop(void **state)
{
    struct replay_cache *t = *state;

    replay_cache_free(&t);
    assert_null(t);
    replay_cache_free(&t);
    return 0;
}

static void an_id_is_accepted_once(void **state)
{
    uint8_t id[REPLAY_ID_SIZE];

    for (unsigned crowd = 0; crowd < 2; crowd++)
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(replay_cache_add(*state, alice, id_of(i + 1, crowd, id), begin),
                             ERR_NONE);
    for (unsigned crowd = 0; crowd < 2; crowd++)
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(replay_cache_add(*state, alice, id_of(i + 1, crowd, id), begin),
                             ERR_REPLAYED);
}

static void ids_that_differ_in_one_bit_are_different(void **state)
{
    uint8_t id[REPLAY_ID_SIZE] = {0};

    assert_int_equal(replay_cache_add(*state, alice, id, begin), ERR_NONE);
    for (size_t bit = 0; bit < 8 * sizeof id; bit++) {
        id[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(replay_cache_add(*state, alice, id, begin), ERR_NONE);
        assert_int_equal(replay_cache_add(*state, alice, id, begin), ERR_REPLAYED);
        id[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void an_id_is_remembered_for_its_lifetime(void **state)
{
    uint8_t id[REPLAY_ID_SIZE];

    assert_int_equal(replay_cache_add(*state, alice, id_of(1, false, id), begin), ERR_NONE);
    assert_int_equal(replay_cache_add(*state, alice, id, after(LIFETIME_MS - 1)), ERR_REPLAYED);
    /* a refusal does not prolong it */
    assert_int_equal(replay_cache_add(*state, alice, id, after(LIFETIME_MS)), ERR_NONE);
    assert_int_equal(replay_cache_add(*state, alice, id, after(LIFETIME_MS)), ERR_REPLAYED);
}

static void the_same_id_from_another_owner_is_a_replay(void **state)
{
    static const uint8_t bob[32] = {2};
    uint8_t id[REPLAY_ID_SIZE];

    assert_int_equal(replay_cache_add(*state, alice, id_of(1, false, id), begin), ERR_NONE);
    assert_int_equal(replay_cache_add(*state, bob, id, begin), ERR_REPLAYED);
}

/* Adds `count` new ids; returns the number of accepted ones. */
static uint32_t add_new(struct replay_cache *c, uint8_t owner, uint32_t count, int64_t now,
                        uint32_t *next)
{
    const uint8_t who[32] = {owner};
    uint8_t id[REPLAY_ID_SIZE];
    uint32_t added = 0;

    for (uint32_t i = 0; i < count; i++)
        added += replay_cache_add(c, who, id_of(++*next, false, id), now) == ERR_NONE;
    return added;
}

static void one_owner_gets_half_and_the_next_half_of_the_rest(void **state)
{
    uint32_t next = 0;

    assert_int_equal(add_new(*state, 1, REPLAY_IDS_MAX, begin, &next), REPLAY_IDS_MAX / 2);
    assert_int_equal(add_new(*state, 2, REPLAY_IDS_MAX, begin, &next), REPLAY_IDS_MAX / 4);
    assert_int_equal(add_new(*state, 3, REPLAY_IDS_MAX, begin, &next), REPLAY_IDS_MAX / 8);
    assert_int_equal(add_new(*state, 1, 10, after(LIFETIME_MS - 1), &next), 0);
    /* expired ids make room at once */
    assert_int_equal(add_new(*state, 1, REPLAY_IDS_MAX, after(LIFETIME_MS), &next),
                     REPLAY_IDS_MAX / 2);
}

static void what_is_refused_for_room_is_not_remembered_and_what_is_known_stays(void **state)
{
    uint8_t id[REPLAY_ID_SIZE];
    uint32_t next = 0;

    assert_int_equal(add_new(*state, 1, REPLAY_IDS_MAX, begin, &next), REPLAY_IDS_MAX / 2);
    assert_int_equal(replay_cache_add(*state, alice, id_of(++next, false, id), begin),
                     ERR_OVERLOADED);
    assert_int_equal(replay_cache_add(*state, (uint8_t[32]){9}, id, begin), ERR_NONE);
    for (uint32_t i = 1; i <= REPLAY_IDS_MAX / 2; i += 97)
        assert_int_equal(replay_cache_add(*state, alice, id_of(i, false, id), begin), ERR_REPLAYED);
}

static void the_ring_goes_round_many_times(void **state)
{
    uint8_t id[REPLAY_ID_SIZE];

    for (uint32_t i = 0; i < 3 * REPLAY_IDS_MAX + 7; i++) {
        const int64_t now = after((int64_t)i * 20);

        assert_int_equal(replay_cache_add(*state, alice, id_of(i, false, id), now), ERR_NONE);
        if (i >= LIFETIME_MS / 20 - 1)
            assert_int_equal(
                replay_cache_add(*state, alice, id_of(i - LIFETIME_MS / 20 + 1, false, id), now),
                ERR_REPLAYED);
    }
}

struct race {
    struct replay_cache *table;
    unsigned wins, odd;
};

enum { RACE_IDS = 4096 };

static void *race_run(void *argument)
{
    struct race *r = argument;
    unsigned wins = 0;
    unsigned odd = 0;
    uint8_t id[REPLAY_ID_SIZE];

    for (uint32_t i = 0; i < RACE_IDS; i++) {
        enum err e = replay_cache_add(r->table, alice, id_of(i, i % 3 == 0, id), begin);

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
        TEST(the_same_id_from_another_owner_is_a_replay),
        TEST(one_owner_gets_half_and_the_next_half_of_the_rest),
        TEST(what_is_refused_for_room_is_not_remembered_and_what_is_known_stays),
        TEST(the_ring_goes_round_many_times),
        TEST(among_many_threads_one_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
