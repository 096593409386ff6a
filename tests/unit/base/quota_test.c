#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/quota.h"

static struct quota_owner owner_of(unsigned number)
{
    struct quota_owner o = {{0}};

    memcpy(o.key, &number, sizeof number);
    return o;
}

static void one_owner_gets_half(void **state)
{
    struct quota *q = NULL;
    struct quota_owner a = owner_of(1);

    (void)state;
    assert_int_equal(quota_new(1000, &q), ERR_NONE);
    assert_false(quota_take(q, &a, 501));
    assert_true(quota_take(q, &a, 500));
    assert_false(quota_take(q, &a, 1));
    assert_int_equal(quota_held(q), 500);
    quota_give(q, &a, 100);
    assert_true(quota_take(q, &a, 100));
    quota_give(q, &a, 500);
    assert_int_equal(quota_held(q), 0);
    quota_free(&q);
    assert_null(q);
}

/* If many owners take all that they can, a later owner still gets as much as each of them. */
static void a_later_owner_finds_room(void **state)
{
    static const unsigned counts[] = {1, 2, 3, 10, 100, 3000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        const size_t max = 1000000;
        struct quota *q = NULL;
        struct quota_owner late = owner_of(counts[i]);
        size_t *held = calloc(counts[i], sizeof *held);
        bool more = true;
        size_t room = 0;

        assert_non_null(held);
        assert_int_equal(quota_new(max, &q), ERR_NONE);
        while (more) {
            more = false;
            for (unsigned j = 0; j < counts[i]; j++) {
                struct quota_owner o = owner_of(j);

                if (!quota_take(q, &o, 10))
                    continue;
                held[j] += 10;
                more = true;
            }
        }
        while (quota_take(q, &late, 10))
            room += 10;
        assert_true(room >= max / (counts[i] + 1) / 2 - 10);
        assert_true(quota_held(q) < max);
        for (unsigned j = 0; j < counts[i]; j++) {
            struct quota_owner o = owner_of(j);

            quota_give(q, &o, held[j]);
        }
        quota_give(q, &late, room);
        assert_int_equal(quota_held(q), 0);
        quota_free(&q);
        free(held);
    }
}

static void sizes_that_overflow_are_refused(void **state)
{
    struct quota *q = NULL;
    struct quota_owner a = owner_of(1);

    (void)state;
    assert_int_equal(quota_new(1000, &q), ERR_NONE);
    assert_true(quota_take(q, &a, 10));
    assert_false(quota_take(q, &a, SIZE_MAX));
    assert_false(quota_take(q, &a, SIZE_MAX - 9));
    assert_false(quota_take(q, &a, 991));
    assert_true(quota_take(q, &a, 0));
    quota_give(q, &a, 10);
    quota_give(q, &a, 0);
    quota_free(&q);
    assert_int_equal(quota_new(0, &q), ERR_NONE);
    assert_false(quota_take(q, &a, 1));
    quota_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_owner_gets_half),
        cmocka_unit_test(a_later_owner_finds_room),
        cmocka_unit_test(sizes_that_overflow_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
