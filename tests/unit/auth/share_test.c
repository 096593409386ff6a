#include "auth/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void id_fill(uint8_t id[PRINCIPAL_ID_SIZE], uint32_t number)
{
    memset(id, 0xa5, PRINCIPAL_ID_SIZE);
    memcpy(id, &number, sizeof number);
}

static uint32_t take(struct share_table *t, uint32_t number, uint32_t most)
{
    uint8_t id[PRINCIPAL_ID_SIZE];

    id_fill(id, number);
    return share_take(t, id, most);
}

static void a_principal_holds_at_most_its_share(void **state)
{
    struct share_table *t = NULL;
    uint32_t row = SHARE_NONE;

    (void)state;
    assert_int_equal(share_table_new(4, &t), ERR_NONE);
    assert_int_equal(take(t, 1, 0), SHARE_NONE);
    for (uint32_t i = 1; i <= 3; i++) {
        row = take(t, 1, 3);
        assert_int_not_equal(row, SHARE_NONE);
        assert_int_equal(share_held(t, row), i);
    }
    assert_int_equal(take(t, 1, 3), SHARE_NONE);
    assert_int_equal(share_held(t, row), 3); /* a refusal counts nothing */
    assert_int_not_equal(take(t, 2, 3), SHARE_NONE);
    share_give(t, row);
    assert_int_equal(take(t, 1, 3), row);
    share_table_free(&t);
    assert_null(t);
}

static void rows_belong_to_callers_that_hold_something(void **state)
{
    struct share_table *t = NULL;
    uint32_t rows[4];

    (void)state;
    assert_int_equal(share_table_new(4, &t), ERR_NONE);
    for (uint32_t i = 0; i < 4; i++) {
        rows[i] = take(t, 4 * i, 9); /* all in one bucket */
        assert_int_not_equal(rows[i], SHARE_NONE);
    }
    assert_int_equal(take(t, 99, 9), SHARE_NONE);
    assert_int_equal(take(t, 8, 9), rows[2]);
    share_give(t, rows[2]);
    assert_int_equal(take(t, 99, 9), SHARE_NONE); /* it holds one still */
    share_give(t, rows[2]);
    assert_int_equal(take(t, 99, 9), rows[2]);
    assert_int_equal(share_held(t, rows[2]), 1);
    assert_int_equal(take(t, 8, 9), SHARE_NONE);
    assert_int_equal(take(t, 12, 9), rows[3]); /* the chain holds */
    assert_int_equal(take(t, 0, 9), rows[0]);
    share_table_free(&t);
}

static void a_row_knows_whose_it_is(void **state)
{
    struct share_table *t = NULL;
    uint8_t id[PRINCIPAL_ID_SIZE];
    uint32_t row;

    (void)state;
    assert_int_equal(share_table_new(1, &t), ERR_NONE);
    row = take(t, 7, 1);
    id_fill(id, 7);
    assert_true(share_is_of(t, row, id));
    for (size_t i = 0; i < sizeof id; i++) {
        id[i] ^= 1;
        assert_false(share_is_of(t, row, id));
        id[i] ^= 1;
    }
    share_table_free(&t);
}

static void rows_are_numbered_from_zero(void **state)
{
    struct share_table *t = NULL;
    uint32_t row;

    (void)state;
    assert_int_equal(share_table_new(8, &t), ERR_NONE);
    assert_int_equal(share_rows(t), 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(take(t, i, 9), i);
    row = take(t, 1, 9);
    assert_int_equal(share_rows(t), 3);
    share_give(t, row);
    share_give(t, row);
    assert_int_equal(share_held(t, row), 0);
    assert_int_equal(take(t, 77, 9), row); /* rows of callers that hold nothing are reused */
    assert_int_equal(share_rows(t), 3);
    share_table_free(&t);
}

/* Against plain counters, over random calls. */
static void it_counts_like_counters(void **state)
{
    enum { PRINCIPALS = 37, ROWS = 16, MOST = 5, CALLS = 20000 };
    struct share_table *t = NULL;
    uint32_t held[PRINCIPALS] = {0};
    uint32_t rows[PRINCIPALS];
    uint32_t holders = 0;
    uint32_t seed = 1;

    (void)state;
    assert_int_equal(share_table_new(ROWS, &t), ERR_NONE);
    for (int n = 0; n < CALLS; n++) {
        seed = seed * 1664525u + 1013904223u;
        const uint32_t who = (seed >> 16) % PRINCIPALS;

        if (seed >> 31 && held[who] > 0) {
            share_give(t, rows[who]);
            holders -= --held[who] == 0;
            continue;
        }
        const bool fits = held[who] > 0 ? held[who] < MOST : holders < ROWS;
        const uint32_t row = take(t, who, MOST);

        assert_int_equal(row != SHARE_NONE, fits);
        if (!fits)
            continue;
        holders += held[who]++ == 0;
        rows[who] = row;
        assert_int_equal(share_held(t, row), held[who]);
    }
    share_table_free(&t);
}

static void sizes_have_limits(void **state)
{
    struct share_table *t = NULL;

    (void)state;
    assert_int_equal(share_table_new(0, &t), ERR_TOO_LARGE);
    assert_int_equal(share_table_new(SHARES_MAX + 1, &t), ERR_TOO_LARGE);
    assert_null(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_principal_holds_at_most_its_share),
        cmocka_unit_test(rows_belong_to_callers_that_hold_something),
        cmocka_unit_test(a_row_knows_whose_it_is),
        cmocka_unit_test(rows_are_numbered_from_zero),
        cmocka_unit_test(it_counts_like_counters),
        cmocka_unit_test(sizes_have_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
