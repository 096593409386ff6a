#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/watch.h"

#define HOUR_MS ((int64_t)3600 * 1000)

static struct timestamp at(int64_t ms)
{
    return (struct timestamp){ms};
}

static void a_clock_that_was_set_is_noticed(void **state)
{
    /* the progress of the two clocks since the last check, and the expected result */
    static const struct {
        int64_t wall_ms, monotonic_ms, jump_ms;
    } cases[] = {
        {1000,     1000,  0       },
        {61000,    61000, 0       }, /* the loop was late, and so were both clocks */
        {1999,     1000,  0       },
        {3000,     1000,  2000    },
        {-999,     1000,  0       },
        {-1000,    1000,  -2000   },
        {1000,     3001,  -2001   }, /* the wall clock stood still */
        {86400000, 1000,  86399000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct watch_clock w = {0};

        assert_int_equal(watch_clock_jump(&w, at(5000000), 777000), 0); /* the first look */
        assert_int_equal(watch_clock_jump(&w, at(5000000 + cases[i].wall_ms),
                                          777000 + cases[i].monotonic_ms * 1000),
                         cases[i].jump_ms);
        /* reported once */
        assert_int_equal(watch_clock_jump(&w, at(5001000 + cases[i].wall_ms),
                                          1777000 + cases[i].monotonic_ms * 1000),
                         0);
    }
}

static void slow_corrections_are_no_jump(void **state)
{
    struct watch_clock w = {0};

    (void)state;
    for (int64_t i = 0; i < 10000; i++)
        assert_int_equal(watch_clock_jump(&w, at(i * 1001), i * 1000 * 1000), 0);
}

static void a_clock_behind_the_log_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(watch_clock_behind(at(10000), at(9000)), 0);
    assert_int_equal(watch_clock_behind(at(10000), at(10999)), 0);
    assert_int_equal(watch_clock_behind(at(10000), at(11000)), 1000);
    assert_int_equal(watch_clock_behind(at(0), at(HOUR_MS)), HOUR_MS);
}

static void certificates_get_urgent(void **state)
{
    static const struct {
        int64_t left_ms;
        enum watch_expiry expected;
    } cases[] = {
        {15 * 24 * HOUR_MS,     WATCH_EXPIRY_FAR   },
        {14 * 24 * HOUR_MS + 1, WATCH_EXPIRY_FAR   },
        {14 * 24 * HOUR_MS,     WATCH_EXPIRY_SOON  },
        {24 * HOUR_MS + 1,      WATCH_EXPIRY_SOON  },
        {24 * HOUR_MS,          WATCH_EXPIRY_URGENT},
        {1,                     WATCH_EXPIRY_URGENT},
        {0,                     WATCH_EXPIRED      },
        {-HOUR_MS,              WATCH_EXPIRED      },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(watch_expiry_of(at(1000000 + cases[i].left_ms), at(1000000)),
                         cases[i].expected);
}

static void warnings_come_once_a_day_and_when_it_gets_worse(void **state)
{
    const struct timestamp end = at(100 * 24 * HOUR_MS);
    struct watch_certificate w = {0};
    unsigned warnings = 0;

    (void)state;
    for (int64_t hour = 0; hour < 101 * 24; hour++)
        warnings += watch_certificate_warn(&w, end, at(hour * HOUR_MS));
    assert_int_equal(warnings, 14 + 1); /* each of the last 14 days, and after the end */
    assert_int_equal(w.said, WATCH_EXPIRED);
    /* a new certificate ends it, and the next one is warned of again */
    assert_false(watch_certificate_warn(&w, at(200 * 24 * HOUR_MS), at(101 * 24 * HOUR_MS)));
    assert_true(watch_certificate_warn(&w, at(102 * 24 * HOUR_MS), at(101 * 24 * HOUR_MS)));
    /* a clock that was set back does not suppress it */
    assert_false(watch_certificate_warn(&w, at(102 * 24 * HOUR_MS), at(101 * 24 * HOUR_MS + 1)));
    assert_true(watch_certificate_warn(&w, at(102 * 24 * HOUR_MS), at(101 * 24 * HOUR_MS - 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_was_set_is_noticed),
        cmocka_unit_test(slow_corrections_are_no_jump),
        cmocka_unit_test(a_clock_behind_the_log_is_noticed),
        cmocka_unit_test(certificates_get_urgent),
        cmocka_unit_test(warnings_come_once_a_day_and_when_it_gets_worse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
