/* Lists that grow: which lists, by which values, and that all other parts of the rule stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/extend.h"
#include "policy/policy.h"
#include "rules.h"

static const char *const tees[] = {"sgx", "tdx", "snp", "nitro", "simulated"};

static bool is_list_of_bytes(const struct policy_field *field)
{
    return field->kind == FIELD_IDENTITY || field->kind == FIELD_BYTES ||
           field->kind == FIELD_BYTES_OR_ANY;
}

static void make(struct appraisal_rule *rule, const char *tee)
{
    struct policy_fault fault;

    assert_int_equal(rule_of(rule, tee, least_rule(tee), &fault), ERR_NONE);
}

/* Every field but `except` lists and says what it did. */
static void assert_same(const struct appraisal_rule *a, const struct appraisal_rule *b,
                        size_t except)
{
    for (size_t id = 0; id < POLICY_FIELD_COUNT; id++) {
        const struct policy_value *x = &a->fields[id];
        const struct policy_value *y = &b->fields[id];

        if (id == except)
            continue;
        assert_int_equal(x->given, y->given);
        assert_int_equal(x->stated, y->stated);
        assert_int_equal(x->any, y->any);
        assert_int_equal(x->count, y->count);
        assert_int_equal(x->size, y->size);
        assert_int_equal(x->number, y->number);
        if (x->size > 0)
            assert_memory_equal(a->values.data + x->at, b->values.data + y->at, x->size);
    }
}

static void assert_unchanged(const struct appraisal_rule *a, const struct appraisal_rule *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->values.size, b->values.size);
    assert_same(a, b, POLICY_FIELD_COUNT);
}

static void copy(const struct appraisal_rule *from, struct appraisal_rule *to)
{
    assert_int_equal(appraisal_rule_copy(from, to), ERR_NONE);
}

static void test_every_field_of_every_kind(void **state)
{
    size_t grown = 0;

    (void)state;
    for (size_t t = 0; t < COUNT_OF(tees); t++) {
        for (size_t id = 0; id < POLICY_FIELD_COUNT; id++) {
            const struct policy_field *field = &policy_fields[id];
            struct appraisal_rule before, rule;
            uint8_t bytes[POLICY_BYTES_MAX + 1];
            struct policy_fault fault;
            bool may;

            make(&rule, tees[t]);
            copy(&rule, &before);
            memset(bytes, 0xe7, sizeof bytes);
            may = is_list_of_bytes(field) && (field->tees >> rule.kind & 1) != 0 &&
                  rule.fields[id].given && !rule.fields[id].any;
            if (!may) {
                assert_int_equal(
                    appraisal_rule_extend(&rule, field->key, span_of(bytes, field->size)),
                    EXTENSION_FIELD);
                assert_unchanged(&rule, &before);
                appraisal_rule_clear(&before);
                appraisal_rule_clear(&rule);
                continue;
            }
            for (size_t size = 0; size <= sizeof bytes; size++)
                if (size != field->size)
                    assert_int_equal(appraisal_rule_extend(&rule, field->key, span_of(bytes, size)),
                                     EXTENSION_VALUE);
            assert_unchanged(&rule, &before);
            assert_false(appraisal_rule_lists(&rule, field->key, span_of(bytes, field->size)));
            assert_int_equal(appraisal_rule_extend(&rule, field->key, span_of(bytes, field->size)),
                             EXTENSION_DONE);
            assert_true(appraisal_rule_lists(&rule, field->key, span_of(bytes, field->size)));
            assert_int_equal(rule.fields[id].count, before.fields[id].count + 1);
            assert_same(&rule, &before, id);
            assert_int_equal(appraisal_rule_check(&rule, &fault), ERR_NONE);
            assert_int_equal(appraisal_rule_extend(&rule, field->key, span_of(bytes, field->size)),
                             EXTENSION_EXISTS);
            grown++;
            appraisal_rule_clear(&before);
            appraisal_rule_clear(&rule);
        }
    }
    assert_true(grown > 10); /* what the least rules have */
}

static void test_zero_is_for_the_configuration(void **state)
{
    struct appraisal_rule rule;
    const uint8_t zero[POLICY_BYTES_MAX] = {0};

    (void)state;
    make(&rule, "sgx");
    assert_int_equal(appraisal_rule_extend(&rule, "mrenclave", span_of(zero, 32)), EXTENSION_VALUE);
    assert_int_equal(appraisal_rule_extend(&rule, "configid", span_of(zero, 64)), EXTENSION_VALUE);
    appraisal_rule_clear(&rule);
}

static void test_a_list_ends_at_its_most(void **state)
{
    struct appraisal_rule rule, full;
    uint8_t bytes[32] = {0};

    (void)state;
    make(&rule, "sgx");
    for (uint8_t i = 1; rule.fields[FIELD_ID_MRENCLAVE].count < POLICY_LIST_MAX; i++) {
        bytes[31] = i;
        assert_int_equal(appraisal_rule_extend(&rule, "mrenclave", SPAN_OF(bytes)), EXTENSION_DONE);
    }
    copy(&rule, &full);
    bytes[0] = 1;
    assert_int_equal(appraisal_rule_extend(&rule, "mrenclave", SPAN_OF(bytes)), EXTENSION_FULL);
    assert_unchanged(&rule, &full);
    for (uint8_t i = 1; i < 20; i++) {
        bytes[0] = 0;
        bytes[31] = i;
        assert_true(appraisal_rule_lists(&rule, "mrenclave", SPAN_OF(bytes)));
    }
    appraisal_rule_clear(&rule);
    appraisal_rule_clear(&full);
}

/* All lists at their maximum: the rule still has a version, and a further value is refused. */
static void test_all_lists_full(void **state)
{
    (void)state;
    for (size_t t = 0; t < COUNT_OF(tees); t++) {
        struct policy policy = {0};
        struct policy_set set = {.count = 1, .policies = &policy};
        struct appraisal_rule *rule = &policy.rule;
        uint8_t first[8];

        make(rule, tees[t]);
        policy_set_version(&set);
        memcpy(first, set.version, sizeof first);
        for (size_t id = 0; id < POLICY_FIELD_COUNT; id++)
            for (unsigned i = 1; i <= POLICY_LIST_MAX; i++) {
                uint8_t bytes[POLICY_BYTES_MAX] = {(uint8_t)i, 0x5a};

                assert_int_not_equal(appraisal_rule_extend(rule, policy_fields[id].key,
                                                           span_of(bytes, policy_fields[id].size)),
                                     EXTENSION_MEMORY);
            }
        assert_true(rule->values.size <= POLICY_VALUES_MAX);
        policy_set_version(&set);
        assert_memory_not_equal(first, set.version, sizeof first);
        policy_clear(&policy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_of_every_kind),
        cmocka_unit_test(test_zero_is_for_the_configuration),
        cmocka_unit_test(test_a_list_ends_at_its_most),
        cmocka_unit_test(test_all_lists_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
