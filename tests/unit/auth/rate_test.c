#include "auth/rate.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "support/failing.h"

#define KEY SPAN_LITERAL("192.0.2.1")

static int start(void **state)
{
    (void)state;
    return crypto_start() != ERR_NONE;
}

static struct rate_table *table_of(uint32_t per_second, uint32_t burst, size_t capacity)
{
    struct rate_table *t = NULL;

    assert_int_equal(rate_table_new((struct rate_limit){per_second, burst}, capacity, &t),
                     ERR_NONE);
    return t;
}

static void a_burst_and_no_more(void **state)
{
    static const struct rate_limit limits[] = {
        {1,    1   },
        {10,   1   },
        {1,    5   },
        {2000, 4000},
        {3,    7   }
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct rate_table *t = table_of(limits[i].per_second, limits[i].burst, 64);
        int64_t wait;

        for (uint32_t n = 0; n < limits[i].burst; n++)
            assert_int_equal(rate_take(t, KEY, 1000000), 0);
        wait = rate_take(t, KEY, 1000000);
        assert_true(wait > 0 && wait <= 1000 / limits[i].per_second + 1);
        assert_true(rate_take(t, KEY, 1000000) > 0);
        assert_int_equal(rate_take(t, KEY, 1000000 + wait * 1000), 0);
        rate_table_free(&t);
        assert_null(t);
    }
}

static void a_refusal_costs_nothing(void **state)
{
    struct rate_table *t = table_of(1, 1, 8);

    (void)state;
    assert_int_equal(rate_take(t, KEY, 0), 0);
    for (int i = 0; i < 1000; i++)
        assert_true(rate_take(t, KEY, 999998) > 0);
    assert_int_equal(rate_take(t, KEY, 1000000), 0);
    rate_table_free(&t);
}

static void a_cost_counts_as_many_requests(void **state)
{
    struct rate_table *t = NULL;

    (void)state;
    assert_int_equal(rate_table_new((struct rate_limit){10, 30}, 64, &t), ERR_NONE);
    assert_int_equal(rate_take_cost(t, SPAN_LITERAL("a"), 20, 1000000), 0);
    assert_true(rate_take_cost(t, SPAN_LITERAL("a"), 20, 1000000) > 0); /* takes nothing */
    for (int i = 0; i < 10; i++)
        assert_int_equal(rate_take(t, SPAN_LITERAL("a"), 1000000), 0);
    assert_true(rate_take(t, SPAN_LITERAL("a"), 1000000) > 0);
    /* a cost above the burst counts as the whole burst: only an idle caller can pay it */
    assert_int_equal(rate_take_cost(t, SPAN_LITERAL("b"), UINT32_MAX, 1000000), 0);
    assert_true(rate_take(t, SPAN_LITERAL("b"), 1000000) > 0);
    assert_true(rate_take_cost(t, SPAN_LITERAL("b"), 1000, 3900000) > 0);
    assert_int_equal(rate_take_cost(t, SPAN_LITERAL("b"), 1000, 4000000), 0);
    rate_table_free(&t);
}

static void asking_is_answered_like_taking_and_costs_nothing(void **state)
{
    struct rate_table *t = table_of(10, 3, 8);
    int64_t now = 5000000;

    (void)state;
    for (int i = 0; i < 3; i++) {
        for (int n = 0; n < 10; n++)
            assert_int_equal(rate_wait(t, KEY, now), 0);
        assert_int_equal(rate_take(t, KEY, now), 0);
    }
    assert_true(rate_wait(t, KEY, now) > 0);
    assert_int_equal(rate_wait(t, KEY, now), rate_take(t, KEY, now));
    assert_int_equal(rate_wait(t, SPAN_LITERAL("another"), now), 0);
    now += rate_wait(t, KEY, now) * 1000;
    assert_int_equal(rate_wait(t, KEY, now), 0);
    assert_int_equal(rate_take(t, KEY, now), 0);
    rate_table_free(&t);
}

static void keys_do_not_share(void **state)
{
    struct rate_table *t = table_of(1, 1, 64);

    (void)state;
    assert_int_equal(rate_take(t, KEY, 0), 0);
    assert_int_equal(rate_take(t, SPAN_LITERAL("192.0.2.2"), 0), 0);
    assert_int_equal(rate_take(t, SPAN_LITERAL(""), 0), 0);
    assert_true(rate_take(t, KEY, 0) > 0);
    assert_true(rate_take(t, SPAN_LITERAL(""), 0) > 0);
    rate_table_free(&t);
}

static void zero_is_no_limit(void **state)
{
    struct rate_table *t = table_of(0, 1, 8);

    (void)state;
    for (int i = 0; i < 10000; i++)
        assert_int_equal(rate_take(t, KEY, 0), 0);
    rate_table_free(&t);
}

/* A clock that stands still or goes back adds nothing. */
static void a_clock_that_goes_back_gives_nothing(void **state)
{
    struct rate_table *t = table_of(1, 2, 8);

    (void)state;
    assert_int_equal(rate_take(t, KEY, 10000000), 0);
    assert_int_equal(rate_take(t, KEY, 10000000), 0);
    for (int64_t now = 10000000; now > 0; now -= 100000)
        assert_true(rate_take(t, KEY, now) > 0);
    rate_table_free(&t);
}

/* The law, over random arrivals: in every window at most burst + rate * length are allowed. */
static void never_more_than_burst_and_rate_in_any_window(void **state)
{
    enum { STEPS = 4000 };
    static int64_t allowed[STEPS];
    unsigned random = 1;

    (void)state;
    for (uint32_t rate = 1; rate <= 1000; rate = rate * 3 + 1) {
        uint32_t burst = 1 + rate / 2;
        struct rate_table *t = table_of(rate, burst, 8);
        size_t count = 0;
        int64_t now = 0;

        for (int i = 0; i < STEPS; i++) {
            random = random * 1103515245u + 12345u;
            now += (random >> 8) % (2000000 / rate);
            if (rate_take(t, KEY, now) == 0)
                allowed[count++] = now;
        }
        assert_true(count > burst);
        for (size_t i = 0; i < count; i++)
            for (size_t j = i; j < count; j++)
                assert_true((int64_t)(j - i + 1 - burst) * 1000000 <=
                                (allowed[j] - allowed[i]) * (int64_t)rate ||
                            j - i + 1 <= burst);
        rate_table_free(&t);
    }
}

/* More keys than places: the table never refuses a first request, and stays bounded. */
static void more_keys_than_places_are_served(void **state)
{
    struct rate_table *t = table_of(1, 1, 8);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%d", i);
        assert_int_equal(rate_take(t, span_string(key), 0), 0);
    }
    rate_table_free(&t);
}

/* The table forgets the bucket that has most of its burst left. */
static void the_most_indebted_is_not_forgotten(void **state)
{
    struct rate_table *t = table_of(1, 100, 8);

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(rate_take(t, KEY, 0), 0);
    for (int i = 0; i < 1000; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%d", i);
        (void)rate_take(t, span_string(key), 0);
    }
    assert_true(rate_take(t, KEY, 0) > 0);
    rate_table_free(&t);
}

struct race {
    struct rate_table *table;
    unsigned allowed;
};

static void *race_run(void *argument)
{
    struct race *r = argument;
    unsigned allowed = 0;

    for (int i = 0; i < 20000; i++)
        allowed += rate_take(r->table, KEY, 5000000 + i * 10) == 0; /* 0.2 s in all */
    (void)__atomic_add_fetch(&r->allowed, allowed, __ATOMIC_RELAXED);
    return NULL;
}

static void many_threads_get_no_more_than_one(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct race r = {.table = table_of(1000, 100, 64)};
        pthread_t threads[4];

        for (size_t i = 0; i < COUNT_OF(threads); i++)
            assert_int_equal(pthread_create(&threads[i], NULL, race_run, &r), 0);
        for (size_t i = 0; i < COUNT_OF(threads); i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(r.allowed >= 100 && r.allowed <= 100 + 200);
        rate_table_free(&r.table);
    }
}

static void a_table_without_memory_is_refused(void **state)
{
    struct rate_table *t = NULL;

    (void)state;
    for (long n = 0; n < 2; n++) { /* of the table, and of its sets */
        failing_begin(n);
        assert_int_equal(rate_table_new((struct rate_limit){10, 30}, 100, &t), ERR_MEMORY);
        assert_true(failing_end());
        assert_null(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_without_memory_is_refused),
        cmocka_unit_test(a_burst_and_no_more),
        cmocka_unit_test(a_refusal_costs_nothing),
        cmocka_unit_test(a_cost_counts_as_many_requests),
        cmocka_unit_test(asking_is_answered_like_taking_and_costs_nothing),
        cmocka_unit_test(keys_do_not_share),
        cmocka_unit_test(zero_is_no_limit),
        cmocka_unit_test(a_clock_that_goes_back_gives_nothing),
        cmocka_unit_test(never_more_than_burst_and_rate_in_any_window),
        cmocka_unit_test(more_keys_than_places_are_served),
        cmocka_unit_test(the_most_indebted_is_not_forgotten),
        cmocka_unit_test(many_threads_get_no_more_than_one),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
