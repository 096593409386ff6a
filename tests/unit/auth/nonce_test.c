#include "auth/nonce.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"

static const int64_t begin = 1700000000000000;
static const uint8_t alice[32] = {1};
static const uint8_t bob[32] = {2};

static int start(void **state)
{
    (void)state;
    return crypto_start() != ERR_NONE;
}

static int table_make(void **state)
{
    struct nonce_table *t = NULL;

    if (nonce_table_new(&t) != ERR_NONE)
        return -1;
    *state = t;
    return 0;
}

static int table_drop(void **state)
{
    struct nonce_table *t = *state;

    nonce_table_free(&t);
    return t != NULL;
}

static int64_t after(int64_t ms)
{
    return begin + 1000 * ms;
}

static void a_nonce_is_good_once(void **state)
{
    uint8_t nonce[NONCE_SIZE];

    assert_int_equal(nonce_issue(*state, alice, begin, nonce), ERR_NONE);
    assert_int_equal(nonce_use(*state, alice, nonce, begin), ERR_NONE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(nonce_use(*state, alice, nonce, begin), ERR_REPLAYED);
}

static void what_was_never_issued_is_refused(void **state)
{
    uint8_t nonce[NONCE_SIZE];
    uint8_t changed[NONCE_SIZE];

    memset(changed, 0, sizeof changed);
    assert_int_equal(nonce_use(*state, alice, changed, begin), ERR_REPLAYED);
    assert_int_equal(nonce_issue(*state, alice, begin, nonce), ERR_NONE);
    for (size_t bit = 0; bit < 8 * (size_t)NONCE_SIZE; bit++) {
        memcpy(changed, nonce, sizeof changed);
        changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(nonce_use(*state, alice, changed, begin), ERR_REPLAYED);
    }
    assert_int_equal(nonce_use(*state, alice, nonce, begin), ERR_NONE);
}

static void another_owner_can_neither_use_it_nor_use_it_up(void **state)
{
    uint8_t nonce[NONCE_SIZE];

    assert_int_equal(nonce_issue(*state, alice, begin, nonce), ERR_NONE);
    assert_int_equal(nonce_use(*state, bob, nonce, begin), ERR_REPLAYED);
    assert_int_equal(nonce_use(*state, alice, nonce, begin), ERR_NONE);
}

static void it_expires_at_exactly_sixty_seconds(void **state)
{
    static const struct {
        int64_t age_ms;
        enum err expected;
    } cases[] = {
        {0,        ERR_NONE   },
        {59999,    ERR_NONE   },
        {60000,    ERR_EXPIRED},
        {60001,    ERR_EXPIRED},
        {86400000, ERR_EXPIRED},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t nonce[NONCE_SIZE];

        assert_int_equal(nonce_issue(*state, alice, begin, nonce), ERR_NONE);
        assert_int_equal(nonce_use(*state, alice, nonce, after(cases[i].age_ms)),
                         cases[i].expected);
        assert_int_equal(nonce_use(*state, alice, nonce, begin), ERR_REPLAYED);
    }
}

static void one_owner_cannot_use_up_the_table(void **state)
{
    uint8_t nonce[NONCE_SIZE];

    for (int i = 0; i < NONCES_PER_OWNER; i++)
        assert_int_equal(nonce_issue(*state, alice, begin, nonce), ERR_NONE);
    assert_int_equal(nonce_issue(*state, alice, after(59999), nonce), ERR_OVERLOADED);
    assert_int_equal(nonce_issue(*state, bob, begin, nonce), ERR_NONE);
    assert_int_equal(nonce_issue(*state, alice, after(60000), nonce), ERR_NONE);
}

static void a_used_nonce_makes_room_at_once(void **state)
{
    uint8_t nonce[NONCE_SIZE];

    for (int i = 0; i < 3 * NONCES_PER_OWNER; i++) {
        assert_int_equal(nonce_issue(*state, alice, begin, nonce), ERR_NONE);
        assert_int_equal(nonce_use(*state, alice, nonce, begin), ERR_NONE);
    }
}

static void owner_of(size_t i, uint8_t out[32])
{
    memset(out, 0, 32);
    memcpy(out, &i, sizeof i);
}

/* Issues as many as possible; returns the number. */
static size_t issue_all(struct nonce_table *t, size_t owner, size_t most, int64_t now)
{
    uint8_t nonce[NONCE_SIZE];
    uint8_t id[32];
    size_t count = 0;

    owner_of(owner, id);
    while (count < most && nonce_issue(t, id, now, nonce) == ERR_NONE)
        count++;
    return count;
}

/* If many callers take as much as they can, the next caller still gets as much as each of them. */
static void greedy_owners_leave_room_for_the_next(void **state)
{
    enum { GREEDY = 200 };
    size_t total = 0;
    size_t least = NONCES_MAX;

    for (size_t turn = 0; turn < NONCES_PER_OWNER; turn++)
        for (size_t i = 0; i < GREEDY; i++)
            total += issue_all(*state, i, 1, begin);
    assert_true(total < NONCES_MAX);
    for (size_t i = GREEDY; i < GREEDY + 10; i++) {
        const size_t got = issue_all(*state, i, 10, begin);

        least = got < least ? got : least;
    }
    assert_int_equal(least, 10);
    assert_true(NONCES_MAX - total >= NONCES_MAX / (GREEDY + 1));
    /* all of them expire */
    assert_int_equal(issue_all(*state, 0, SIZE_MAX, after(60000)), NONCES_PER_OWNER);
}

static void too_many_owners_are_refused_and_recover(void **state)
{
    size_t issued = 0;

    for (size_t i = 0; i < 5000; i++)
        issued += issue_all(*state, i, 1, begin);
    assert_int_equal(issued, 4096);
    assert_int_equal(issue_all(*state, 5000, 1, after(60000)), 1);
}

/* Any order of issue and use, checked against a plain list. */
static void agrees_with_a_plain_list(void **state)
{
    enum { STEPS = 20000, LIVE = 512 };
    struct {
        uint8_t nonce[NONCE_SIZE];
        int64_t expires;
        uint8_t owner;
    } list[LIVE];
    size_t count = 0;
    int64_t now = 0;
    unsigned random = 7;

    for (int step = 0; step < STEPS; step++) {
        random = random * 1103515245u + 12345u;
        now += (random >> 16) % 300;
        if ((random >> 8) % 2 && count < LIVE) {
            list[count].owner = (uint8_t)(random >> 20 & 3);
            list[count].expires = now + NONCE_LIFETIME_MS;
            assert_int_equal(nonce_issue(*state, (uint8_t[32]){list[count].owner}, after(now),
                                         list[count].nonce),
                             ERR_NONE);
            count++;
        } else if (count > 0) {
            size_t i = (random >> 10) % count;
            enum err e = nonce_use(*state, (uint8_t[32]){list[i].owner}, list[i].nonce, after(now));

            if (now < list[i].expires)
                assert_int_equal(e, ERR_NONE);
            else /* a later issue may have removed it already */
                assert_true(e == ERR_EXPIRED || e == ERR_REPLAYED);
            list[i] = list[--count];
        }
    }
}

struct race {
    struct nonce_table *table;
    uint8_t nonces[256][NONCE_SIZE];
    unsigned wins;
};

static void *race_run(void *argument)
{
    struct race *r = argument;
    unsigned wins = 0;
    uint8_t mine[NONCE_SIZE];

    for (size_t i = 0; i < COUNT_OF(r->nonces); i++) {
        wins += nonce_use(r->table, alice, r->nonces[i], begin) == ERR_NONE;
        if (nonce_issue(r->table, bob, begin, mine) != ERR_NONE ||
            nonce_use(r->table, bob, mine, begin) != ERR_NONE)
            return NULL; /* the sum below is then short */
    }
    (void)__atomic_add_fetch(&r->wins, wins, __ATOMIC_RELAXED);
    return NULL;
}

static void many_threads_use_each_nonce_once(void **state)
{
    struct race *r = calloc(1, sizeof *r);
    pthread_t threads[4];

    assert_non_null(r);
    r->table = *state;
    for (size_t i = 0; i < COUNT_OF(r->nonces); i++)
        assert_int_equal(nonce_issue(r->table, alice, begin, r->nonces[i]), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race_run, r), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(r->wins, COUNT_OF(r->nonces));
    free(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, table_make, table_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_nonce_is_good_once),
        TEST(what_was_never_issued_is_refused),
        TEST(another_owner_can_neither_use_it_nor_use_it_up),
        TEST(it_expires_at_exactly_sixty_seconds),
        TEST(one_owner_cannot_use_up_the_table),
        TEST(a_used_nonce_makes_room_at_once),
        TEST(greedy_owners_leave_room_for_the_next),
        TEST(too_many_owners_are_refused_and_recover),
        TEST(agrees_with_a_plain_list),
        TEST(many_threads_use_each_nonce_once),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
