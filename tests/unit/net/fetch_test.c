#include "net/fetch.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"

#define NOW 1790000000000
#define MIDDLE 32768 /* the dice that changes nothing */
#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)

static const struct fetch_backoff backoff = {.first_ms = 1000, .max_ms = 60000};

static void waits_double_up_to_their_limit(void **state)
{
    static const struct {
        int64_t first_ms, max_ms;
        unsigned failures;
        uint16_t dice;
        int64_t expected;
    } cases[] = {
        {1000,      60000,     0,        MIDDLE, 1000                        },
        {1000,      60000,     1,        MIDDLE, 2000                        },
        {1000,      60000,     5,        MIDDLE, 32000                       },
        {1000,      60000,     6,        MIDDLE, 60000                       }, /* not 64 s */
        {1000,      60000,     UINT_MAX, MIDDLE, 60000                       },
        {1,         INT64_MAX, 16,       MIDDLE, 65536                       },
        {1,         INT64_MAX, 17,       MIDDLE, 65536                       },
        {1000,      60000,     0,        0,      750                         },
        {1000,      60000,     0,        65535,  1249                        },
        {1000,      60000,     9,        0,      45000                       },
        {1000,      60000,     9,        65535,  74999                       }, /* the limit is of the middle */
        {0,         60000,     9,        65535,  0                           },
        {90000,     60000,     0,        MIDDLE, 60000                       },
        {INT64_MAX, INT64_MAX, 3,        MIDDLE, FETCH_BACKOFF_MAX_MS        },
        {INT64_MAX, INT64_MAX, 16,       65535,
         FETCH_BACKOFF_MAX_MS / 4 * 5 - FETCH_BACKOFF_MAX_MS / 131072 - 1    },
        {INT64_MAX, INT64_MAX, UINT_MAX, 0,      FETCH_BACKOFF_MAX_MS / 4 * 3},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fetch_backoff b = {cases[i].first_ms, cases[i].max_ms};

        assert_int_equal(fetch_backoff_ms(&b, cases[i].failures, cases[i].dice), cases[i].expected);
    }
}

static void nobody_asks_during_a_wait(void **state)
{
    static const struct {
        int64_t since, until, now;
        bool over;
    } cases[] = {
        {0,   0,          NOW,        true }, /* never failed */
        {NOW, NOW + 1000, NOW,        false},
        {NOW, NOW + 1000, NOW + 1,    false},
        {NOW, NOW + 1000, NOW + 999,  false},
        {NOW, NOW + 1000, NOW + 1000, true },
        {NOW, NOW + 1000, NOW - 1,    true }, /* the clock was set back */
        {NOW, INT64_MAX,  NOW + DAY,  false},
        {NOW, INT64_MAX,  0,          true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fetch_wait w = {{cases[i].since}, {cases[i].until}, 1};

        assert_int_equal(fetch_wait_is_over(&w, (struct timestamp){cases[i].now}), cases[i].over);
    }
}

static void each_failure_in_a_row_waits_longer(void **state)
{
    static const struct {
        unsigned retry_after_s;
        int64_t wait_ms;
    } turns[] = {
        {0,        1000   },
        {0,        2000   },
        {0,        4000   },
        {7,        8000   }, /* the source asks for less than
  * backoff has
  */
        {17,       17000  },
        {0,        32000  },
        {0,        60000  },
        {0,        60000  },
        {3599,     3599000},
        {3600,     HOUR   },
        {3601,     HOUR   }, /* a source does not delay a revocation for longer */
        {86400,    HOUR   },
        {UINT_MAX, HOUR   },
    };
    struct fetch_wait w = {.failures = 0};
    struct timestamp now = {NOW};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(turns); i++) {
        fetch_wait_extend(&w, &backoff, turns[i].retry_after_s, MIDDLE, now);
        assert_int_equal(w.since.ms, now.ms);
        assert_int_equal(w.until.ms - now.ms, turns[i].wait_ms);
        assert_false(fetch_wait_is_over(&w, now));
        now.ms += turns[i].wait_ms;
        assert_true(fetch_wait_is_over(&w, now));
    }
    fetch_wait_clear(&w);
    assert_true(fetch_wait_is_over(&w, (struct timestamp){NOW}));
    fetch_wait_extend(&w, &backoff, 0, MIDDLE, now);
    assert_int_equal(w.until.ms - now.ms, 1000);
    fetch_wait_clear(&w);
    for (unsigned i = 0; i < 1000; i++) /* the count of failures does not run over */
        fetch_wait_extend(&w, &backoff, 0, MIDDLE, (struct timestamp){INT64_MAX - 5});
    assert_int_equal(w.until.ms, INT64_MAX);
}

static void a_source_may_ask_for_the_longest_wait(void **state)
{
    static const struct {
        int64_t max_ms;
        unsigned retry_after_s;
        int64_t wait_ms;
    } cases[] = {
        {HOUR - 1,  86400,    HOUR    },
        {HOUR + 1,  86400,    HOUR + 1},
        {2 * HOUR,  7201,     2 * HOUR},
        {2 * HOUR,  7199,     7199000 },
        {DAY,       UINT_MAX, DAY     },
        {INT64_MAX, 86400,    DAY     },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fetch_backoff b = {.first_ms = 1000, .max_ms = cases[i].max_ms};
        struct fetch_wait w = {.failures = 0};

        fetch_wait_extend(&w, &b, cases[i].retry_after_s, MIDDLE, (struct timestamp){NOW});
        assert_int_equal(w.until.ms - NOW, cases[i].wait_ms);
    }
}

static void a_source_is_counted_and_left_alone(void **state)
{
    const struct timestamp now = {NOW};
    struct fetch_source s = {.wait = {.failures = 0}};
    struct fetch_figures f = fetch_source_figures(&s, now);

    (void)state;
    assert_false(f.left_alone);
    assert_int_equal(f.fetched + f.failed + f.refused, 0);
    fetch_source_failed(&s, &backoff, 17, MIDDLE, now);
    fetch_source_failed(&s, &backoff, 17, MIDDLE, now);
    f = fetch_source_figures(&s, now);
    assert_true(f.left_alone);
    assert_int_equal(f.failed, 2);
    assert_true(fetch_source_figures(&s, (struct timestamp){NOW + 16999}).left_alone);
    assert_false(fetch_source_figures(&s, (struct timestamp){NOW + 17000}).left_alone);
    assert_false(fetch_source_figures(&s, (struct timestamp){NOW - 1}).left_alone);
    fetch_source_hurry(&s);
    assert_false(fetch_source_figures(&s, now).left_alone);
    assert_int_equal(s.wait.failures, 0);
    assert_int_equal(fetch_source_figures(&s, now).failed, 2); /* counts stay */

    fetch_source_failed(&s, &backoff, 0, MIDDLE, now);
    fetch_source_answered(&s, FETCH_TAKEN);
    assert_int_equal(s.wait.failures, 0);
    assert_true(fetch_wait_is_over(&s.wait, now));
    fetch_source_answered(&s, FETCH_REFUSED);
    fetch_source_answered(&s, FETCH_REFUSED);
    fetch_source_answered(&s, FETCH_ABSENT);
    f = fetch_source_figures(&s, now);
    assert_false(f.left_alone);
    assert_int_equal(f.fetched, 1);
    assert_int_equal(f.refused, 2);
    assert_int_equal(f.failed, 4);
}

static void an_item_is_due_by_its_validity_or_its_age(void **state)
{
    static const struct {
        unsigned percent;
        int64_t max_age_ms, issued, expires, fetched, expected;
    } cases[] = {
        {50, 0,         NOW, NOW + 10 * DAY, NOW,     NOW + 5 * DAY           },
        {1,  0,         NOW, NOW + 100,      NOW,     NOW + 1                 },
        {99, 0,         NOW, NOW + 100,      NOW,     NOW + 99                },
        {50, HOUR,      NOW, NOW + 10 * DAY, NOW,     NOW + HOUR              },
        {50, HOUR,      NOW, NOW + 10 * DAY, NOW + 7, NOW + 7 + HOUR          }, /* its age here */
        {50, 6 * DAY,   NOW, NOW + 10 * DAY, NOW,     NOW + 5 * DAY           },
        {50, 1,         NOW, NOW + 10 * DAY, NOW,     NOW + 1                 },
        {50, 0,         NOW, NOW,            NOW,     NOW                     },
        {50, 0,         NOW, NOW - 2 * DAY,  NOW,     NOW - DAY               }, /* never valid */
        {99, 0,         0,   INT64_MAX,      NOW,     INT64_MAX / 100 * 99    },
        {99, HOUR,      0,   INT64_MAX,      NOW,     NOW + HOUR              },
        {99, INT64_MAX, 0,   INT64_MAX,      NOW,     INT64_MAX / 100 * 99    },
        {99, 0,         -1,  INT64_MAX,      NOW,     INT64_MAX / 100 * 99 - 1}, /* no overflow */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fetch_schedule s = {.percent = cases[i].percent,
                                         .max_age_ms = cases[i].max_age_ms};
        const struct fetch_times t = {{cases[i].issued}, {cases[i].expires}, {cases[i].fetched}};

        assert_int_equal(fetch_due_at(&s, &t).ms, cases[i].expected);
    }
}

static void an_answer_is_not_asked_for_again_at_once(void **state)
{
    static const struct {
        int64_t max_age_ms, expires, wait_ms;
    } cases[] = {
        {0,        NOW + 50 * HOUR, 5 * HOUR},
        {0,        NOW + 1000,      60000   }, /* look_min_ms */
        {0,        NOW,             60000   },
        {0,        NOW - 99 * DAY,  60000   }, /* the source has nothing newer */
        {0,        INT64_MIN,       60000   },
        {0,        NOW + 99 * DAY,  DAY     }, /* look_max_ms */
        {0,        INT64_MAX,       DAY     },
        {HOUR,     NOW + 50 * HOUR, HOUR    }, /* max_age_ms */
        {HOUR,     NOW + 5 * HOUR,  HOUR / 2},
        {1000,     NOW + 50 * HOUR, 1000    },
        {90 * DAY, NOW + 99 * DAY,  DAY     },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fetch_schedule s = {
            .max_age_ms = cases[i].max_age_ms, .look_min_ms = 60000, .look_max_ms = DAY};
        const struct timestamp now = {NOW};

        assert_int_equal(fetch_look_at(&s, (struct timestamp){cases[i].expires}, now).ms,
                         NOW + cases[i].wait_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double_up_to_their_limit),
        cmocka_unit_test(nobody_asks_during_a_wait),
        cmocka_unit_test(each_failure_in_a_row_waits_longer),
        cmocka_unit_test(a_source_may_ask_for_the_longest_wait),
        cmocka_unit_test(a_source_is_counted_and_left_alone),
        cmocka_unit_test(an_item_is_due_by_its_validity_or_its_age),
        cmocka_unit_test(an_answer_is_not_asked_for_again_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
