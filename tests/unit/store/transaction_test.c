#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/entry.h"
#include "store/transaction.h"

static const uint8_t bytes[ROW_VALUE_MAX + 1];

static const struct effect put = {
    .kind = EFFECT_PUT,
    .table = TABLE_KEY,
    .id = {bytes, ROW_ID_MAX    },
    .lookup = {bytes, ROW_LOOKUP_MAX},
    .value = {bytes, ROW_VALUE_MAX }
};
static const struct effect count = {
    .kind = EFFECT_COUNT,
    .table = TABLE_COUNTER,
    .id = {bytes, 1},
    .uses = UINT64_MAX,
    .limit = 1,
    .window_ms = 1
};
static const struct transaction good = {
    .effects = &put, .count = 1, .entry = {bytes, AUDIT_ENTRY_MAX}
};

MUST_CHECK static enum err effect_tried(struct effect effect)
{
    struct transaction t = good;

    t.effects = &effect;
    return transaction_check(&t);
}

static void a_transaction_at_every_limit_is_taken(void **state)
{
    struct effect many[TRANSACTION_EFFECTS_MAX];
    struct transaction t = good;

    (void)state;
    assert_int_equal(transaction_check(&t), ERR_NONE);
    t.entry_limit = t.entry_conflict = t.entry;
    for (size_t i = 0; i < TRANSACTION_EFFECTS_MAX; i++)
        many[i] = i % 2 == 0 ? put : count;
    t.effects = many;
    t.count = TRANSACTION_EFFECTS_MAX;
    assert_int_equal(transaction_check(&t), ERR_NONE);
    assert_int_equal(transaction_check(&(struct transaction){
                         .entry = {bytes, 1}
    }),
                     ERR_NONE);
}

static void an_effect_of_another_form_is_refused(void **state)
{
#define ID .id = { bytes, 1 }
    static const struct {
        struct effect effect;
        enum err expected;
    } cases[] = {
        {{EFFECT_DELETE, TABLE_COUNTER, ID},                                 ERR_NONE     },
        {{EFFECT_REQUIRE, TABLE_COUNTER, ID},                                ERR_NONE     },
        {{EFFECT_PUT, TABLE_KEY, .id = {bytes, 0}},                          ERR_MALFORMED},
        {{EFFECT_PUT, TABLE_KEY, .id = {bytes, ROW_ID_MAX + 1}},             ERR_MALFORMED},
        {{EFFECT_PUT, TABLE_KEY, ID, .lookup = {bytes, ROW_LOOKUP_MAX + 1}}, ERR_TOO_LARGE},
        {{EFFECT_PUT, TABLE_KEY, ID, .value = {bytes, ROW_VALUE_MAX + 1}},   ERR_TOO_LARGE},
        {{EFFECT_PUT, TABLE_END, ID},                                        ERR_MALFORMED},
        {{EFFECT_PUT, (enum store_table)0, ID},                              ERR_MALFORMED},
        {{EFFECT_PUT, TABLE_COUNTER, ID},                                    ERR_MALFORMED},
        {{(enum effect_kind)9, TABLE_KEY, ID},                               ERR_MALFORMED},
        {{EFFECT_COUNT, TABLE_COUNTER, ID, .uses = 1},                       ERR_NONE     },
        {{EFFECT_COUNT, TABLE_COUNTER, ID, .uses = 0},                       ERR_MALFORMED},
        {{EFFECT_COUNT, TABLE_COUNTER, ID, .uses = 1, .window_ms = -1},      ERR_MALFORMED},
        {{EFFECT_COUNT, TABLE_KEY, ID, .uses = 1},                           ERR_MALFORMED},
    };
#undef ID

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (effect_tried(cases[i].effect) != cases[i].expected)
            fail_msg("case %zu", i);
}

static void a_transaction_of_another_form_is_refused(void **state)
{
    const struct span large = {bytes, AUDIT_ENTRY_MAX + 1};
    struct transaction t = good;

    (void)state;
    t.entry.size = 0;
    assert_int_equal(transaction_check(&t), ERR_MALFORMED);
    t = good;
    t.time.ms = -1;
    assert_int_equal(transaction_check(&t), ERR_MALFORMED);
    t = good;
    t.count = TRANSACTION_EFFECTS_MAX + 1;
    assert_int_equal(transaction_check(&t), ERR_TOO_LARGE);
    t = good;
    t.entry = large;
    assert_int_equal(transaction_check(&t), ERR_TOO_LARGE);
    t = good;
    t.entry_limit = large;
    assert_int_equal(transaction_check(&t), ERR_TOO_LARGE);
    t = good;
    t.entry_conflict = large;
    assert_int_equal(transaction_check(&t), ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_at_every_limit_is_taken),
        cmocka_unit_test(an_effect_of_another_form_is_refused),
        cmocka_unit_test(a_transaction_of_another_form_is_refused),
    };

    return cmocka_run_group_tests_name("store/transaction", tests, NULL, NULL);
}
