#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

static void test_known_times(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1970-01-01T00:00:00.000Z", 0              },
        {"2000-02-29T12:00:00.000Z", 951825600000   },
        {"2026-11-21T22:58:00.123Z", 1795301880123  },
        {"2100-02-28T23:59:59.999Z", 4107542399999  },
        {"9999-12-31T23:59:59.999Z", 253402300799999},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[TIMESTAMP_TEXT_SIZE];
        struct timestamp t = {-1};

        assert_int_equal(timestamp_parse(span_string(cases[i].text), &t), ERR_NONE);
        assert_true(t.ms == cases[i].ms);
        timestamp_write(t, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_fractions_of_one_to_nine_digits(void **state)
{
    static const struct {
        const char *fraction;
        int64_t ms;
    } cases[] = {
        {"",           0  },
        {".5",         500},
        {".05",        50 },
        {".123",       123},
        {".1239",      123}, /* cut, not rounded */
        {".000999999", 0  },
        {".999999999", 999},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[40];
        struct timestamp t;

        (void)snprintf(text, sizeof text, "1970-01-01T00:00:01%sZ", cases[i].fraction);
        assert_int_equal(timestamp_parse(span_string(text), &t), ERR_NONE);
        assert_true(t.ms == 1000 + cases[i].ms);
    }
}

static void test_refuses_other_spellings_and_impossible_dates(void **state)
{
    static const char *const bad[] = {
        "2026-11-21",
        "2026-11-21 22:58:00Z",
        "2026-11-21t22:58:00Z",
        "2026-11-21T22:58:00z",
        "2026-11-21T22:58:00",
        "2026-11-21T22:58:00+00:00",
        "2026-11-21T22:58:00-00:00",
        "2026-11-21T22:58Z",
        "2026-11-21T22:58:00.Z",
        "2026-11-21T22:58:00,5Z",
        "2026-11-21T22:58:00.1234567890Z",
        "2026-11-21T22:58:00.12x4Z",
        "2026-11-21T22:58:00.-12Z",
        "2026-11-21T22:58:00ZZ",
        "2026-11-21T22:58:00Z ",
        " 2026-11-21T22:58:00Z",
        "2026-1-21T22:58:00Z",
        "02026-11-21T22:58:00Z",
        "+026-11-21T22:58:00Z",
        "-026-11-21T22:58:00Z",
        "2026/11/21T22:58:00Z",
        "2026-11-21T22.58.00Z",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "2026-00-21T22:58:00Z",
        "2026-13-21T22:58:00Z",
        "2026-11-00T22:58:00Z",
        "2026-11-31T22:58:00Z",
        "2026-02-29T22:58:00Z",
        "2100-02-29T22:58:00Z",
        "2024-02-30T22:58:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T22:60:00Z",
        "2016-12-31T23:59:60Z", /* a leap second that was */
        "2026-11-21T22:58:0 Z",
    };
    struct timestamp t = {42};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (timestamp_parse(span_string(bad[i]), &t) != ERR_MALFORMED)
            fail_msg("%s", bad[i]);
    assert_int_equal(timestamp_parse((struct span){0}, &t), ERR_MALFORMED);
    assert_true(t.ms == 42);
}

static void test_refuses_every_prefix_and_every_foreign_byte(void **state)
{
    static const char text[] = "2024-02-29T22:58:00.123Z";
    struct timestamp t;

    (void)state;
    for (size_t size = 0; size < sizeof text - 1; size++) {
        uint8_t *exact = malloc(size ? size : 1);

        memcpy(exact, text, size);
        assert_int_equal(timestamp_parse(span_of(exact, size), &t), ERR_MALFORMED);
        free(exact);
    }
    for (size_t at = 0; at < sizeof text - 1; at++) {
        for (unsigned c = 0; c < 256; c++) {
            char changed[sizeof text];

            memcpy(changed, text, sizeof text);
            changed[at] = (char)c;
            if ((c < '0' || c > '9') && c != (uint8_t)text[at])
                assert_int_equal(timestamp_parse(span_of(changed, sizeof text - 1), &t),
                                 ERR_MALFORMED);
        }
    }
}

/* parse(write(t)) == t, and the C library's calendar agrees. */
static void test_random_times_read_back(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        char text[TIMESTAMP_TEXT_SIZE];
        char expected[48];
        struct timestamp t;
        struct timestamp back;
        struct tm tm;
        time_t seconds;

        random = random * 6364136223846793005u + 1442695040888963407u;
        t.ms = (int64_t)((random >> 11) % 253402300800000u);
        seconds = (time_t)timestamp_seconds(t);
        timestamp_write(t, text);
        assert_non_null(gmtime_r(&seconds, &tm));
        assert_true(strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &tm) == 19);
        assert_memory_equal(text, expected, 19);
        assert_int_equal(timestamp_parse(span_string(text), &back), ERR_NONE);
        assert_true(back.ms == t.ms);
    }
}

static void test_extreme_times_are_clamped(void **state)
{
    char text[TIMESTAMP_TEXT_SIZE];

    (void)state;
    timestamp_write((struct timestamp){INT64_MIN}, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    timestamp_write((struct timestamp){INT64_MAX}, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    assert_true(timestamp_of_seconds(INT64_MAX).ms == INT64_MAX);
    assert_true(timestamp_of_seconds(INT64_MIN).ms == INT64_MIN);
    assert_true(timestamp_of_seconds(INT64_MAX / 1000 + 1).ms == INT64_MAX);
    assert_true(timestamp_of_seconds(-5).ms == -5000);
}

static void test_seconds_round_down(void **state)
{
    static const struct {
        int64_t ms;
        int64_t seconds;
    } cases[] = {
        {0,         0                   },
        {999,       0                   },
        {1000,      1                   },
        {-1,        -1                  },
        {-999,      -1                  },
        {-1000,     -1                  },
        {-1001,     -2                  },
        {INT64_MAX, INT64_MAX / 1000    },
        {INT64_MIN, INT64_MIN / 1000 - 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_true(timestamp_seconds((struct timestamp){cases[i].ms}) == cases[i].seconds);
}

static void deadlines_are_normal_and_not_early(void **state)
{
    static const int64_t waits_us[] = {0, 1, 999999, 1000000, 1999999, 3600000000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(waits_us); i++) {
        const int64_t from_us = clock_monotonic_us();
        const struct timespec t = clock_deadline(waits_us[i]);
        const int64_t at_us = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;

        assert_in_range(t.tv_nsec, 0, 999999999);
        assert_true(at_us >= from_us + waits_us[i]);
        assert_true(at_us <= clock_monotonic_us() + waits_us[i]);
    }
}

struct meeting {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool come;
};

static void *come(void *argument)
{
    struct meeting *m = argument;

    (void)pthread_mutex_lock(&m->mutex);
    m->come = true;
    (void)pthread_cond_signal(&m->cond);
    (void)pthread_mutex_unlock(&m->mutex);
    return NULL;
}

/* By the wall clock such a deadline passed decades ago. */
static void conditions_wait_by_the_monotonic_clock(void **state)
{
    const struct timespec deadline = clock_deadline(3600000000);
    struct meeting m = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    int result = 0;

    (void)state;
    clock_cond_init(&m.cond);
    (void)pthread_mutex_lock(&m.mutex);
    assert_int_equal(pthread_create(&thread, NULL, come, &m), 0);
    while (!m.come && result == 0)
        result = pthread_cond_timedwait(&m.cond, &m.mutex, &deadline);
    assert_int_equal(result, 0);
    (void)pthread_mutex_unlock(&m.mutex);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)pthread_cond_destroy(&m.cond);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_times),
        cmocka_unit_test(test_fractions_of_one_to_nine_digits),
        cmocka_unit_test(test_refuses_other_spellings_and_impossible_dates),
        cmocka_unit_test(test_refuses_every_prefix_and_every_foreign_byte),
        cmocka_unit_test(test_random_times_read_back),
        cmocka_unit_test(test_extreme_times_are_clamped),
        cmocka_unit_test(test_seconds_round_down),
        cmocka_unit_test(deadlines_are_normal_and_not_early),
        cmocka_unit_test(conditions_wait_by_the_monotonic_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
