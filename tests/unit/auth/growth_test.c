#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/growth.h"

#define HOUR_US (INT64_C(3600) * 1000000)

static const struct span one = {(const uint8_t *)"one", 3};
static const struct span other = {(const uint8_t *)"other", 5};

/* Counts until the first refusal. */
static unsigned use_up(struct growth *g, struct span principal, size_t size, int64_t now_us)
{
    unsigned count = 0;

    while (count < 100000 && growth_wait(g, principal, now_us) == 0) {
        growth_count(g, principal, size, now_us);
        count++;
    }
    return count;
}

static void entries_of_an_hour_are_limited(void **state)
{
    struct growth *g = NULL;
    int64_t now = 1000 * HOUR_US;

    (void)state;
    assert_int_equal(growth_new((struct growth_limit){100, 0}, 64, &g), ERR_NONE);
    assert_int_equal(use_up(g, one, 500, now), 100);
    assert_in_range(growth_wait(g, one, now), 1, 2 * 36000);
    assert_int_equal(growth_wait(g, other, now), 0); /* other tokens are not affected */
    assert_in_range(use_up(g, one, 500, now + HOUR_US / 2), 49, 51);
    assert_int_equal(use_up(g, one, 500, now + 2 * HOUR_US), 100); /* never more than an hour's */
    growth_free(&g);
}

static void bytes_of_an_hour_are_limited(void **state)
{
    struct growth *g = NULL;
    int64_t now = 1000 * HOUR_US;

    (void)state;
    assert_int_equal(growth_new((struct growth_limit){0, 1}, 64, &g), ERR_NONE);
    assert_in_range(use_up(g, one, 8192, now), 128, 129);
    assert_true(growth_wait(g, one, now) > 0);
    assert_in_range(use_up(g, other, 1, now), 1024, 1025); /* each begun KiB counts */
    growth_free(&g);
}

static void no_limit_is_no_limit(void **state)
{
    struct growth *g = NULL;

    (void)state;
    assert_int_equal(growth_new((struct growth_limit){0, 0}, 64, &g), ERR_NONE);
    assert_int_equal(use_up(g, one, 8192, HOUR_US), 100000);
    growth_free(&g);
    growth_free(&g);
    assert_int_equal(growth_new((struct growth_limit){1, GROWTH_MIB_MAX}, 64, &g), ERR_NONE);
    assert_int_equal(use_up(g, one, 8192, HOUR_US), 1);
    assert_in_range(growth_wait(g, one, HOUR_US), 3590000, 3610000);
    growth_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_of_an_hour_are_limited),
        cmocka_unit_test(bytes_of_an_hour_are_limited),
        cmocka_unit_test(no_limit_is_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
