#include "collateral/expiry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

#define DAY INT64_C(86400)

static struct timestamp at(int64_t seconds)
{
    return timestamp_of_seconds(1800000000 + seconds);
}

static char told[256];

static void tell(void *context, const struct collateral_item *item, bool expired)
{
    size_t used = strlen(told);

    assert_ptr_equal(context, told);
    (void)snprintf(told + used, sizeof told - used, "%s%s ", item->name, expired ? "!" : "");
}

static void assert_told(struct collateral_expiry *e, const struct collateral_snapshot *held,
                        int64_t now, const char *expected)
{
    told[0] = '\0';
    assert_int_equal(collateral_expiry_look(e, held, at(now), tell, told), ERR_NONE);
    assert_string_equal(told, expected);
}

static void each_item_is_told_once_a_day(void **state)
{
    struct collateral_item a = {.name = "a", .expires = at(8 * DAY)};
    struct collateral_item b = {.name = "b", .expires = at(9 * DAY)};
    struct collateral_item early = {.name = "c-early", .early = true, .expires = at(0)};
    struct collateral_item forever = {.name = "d", .expires = {INT64_MAX}};
    struct collateral_item *items[] = {&a, &b, &early, &forever};
    struct collateral_snapshot held = {.count = COUNT_OF(items), .items = items};
    struct collateral_expiry e = {0};

    (void)state;
    assert_told(&e, &held, 0, "");
    assert_told(&e, &held, DAY - 1, "");
    assert_told(&e, &held, DAY, "a ");
    assert_told(&e, &held, DAY + 1, "");
    assert_told(&e, &held, 2 * DAY - 1, "");
    assert_told(&e, &held, 2 * DAY, "a b ");
    assert_told(&e, &held, 2 * DAY + 1, "");
    assert_told(&e, &held, 3 * DAY, "a b ");
    /* expired is news: it is told at once, and then once a day */
    assert_told(&e, &held, 7 * DAY + 3600, "a b ");
    assert_told(&e, &held, 8 * DAY, "");
    assert_told(&e, &held, 8 * DAY + 1, "a! ");
    assert_told(&e, &held, 8 * DAY + 2, "");
    assert_told(&e, &held, 8 * DAY + 3600, "b ");
    assert_told(&e, &held, 9 * DAY + 1, "a! b! ");
    /* after a renewal, the next expiry is told again */
    a.expires = at(30 * DAY);
    assert_told(&e, &held, 9 * DAY + 2, "");
    a.expires = at(10 * DAY);
    assert_told(&e, &held, 9 * DAY + 3, "a ");
    collateral_expiry_clear(&e);
    assert_int_equal(e.count, 0);
}

static void a_clock_that_was_set_back_does_not_silence_it(void **state)
{
    struct collateral_item a = {.name = "a", .expires = at(5 * DAY)};
    struct collateral_item *items[] = {&a};
    struct collateral_snapshot held = {.count = 1, .items = items};
    struct collateral_expiry e = {0};

    (void)state;
    assert_told(&e, &held, 4 * DAY, "a ");
    assert_told(&e, &held, DAY, "a ");
    assert_told(&e, &held, DAY + 1, "");
    collateral_expiry_clear(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_item_is_told_once_a_day),
        cmocka_unit_test(a_clock_that_was_set_back_does_not_silence_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
