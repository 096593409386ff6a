/* The reference values in the log, and the snapshots made from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "service/policies.h"

#define X8(x) x x x x x x x x
#define B32(x) X8(x x) X8(x x)
#define ENTRY(decision, detail)                                                                    \
    "{\"v\":1,\"time\":\"2026-11-22T04:00:00.000Z\","                                              \
    "\"request_id\":\"01935555-0000-7000-8000-000000000000\",\"op\":\"policy\","                   \
    "\"decision\":\"" decision "\",\"code\":\"ok\",\"rule\":\"administration\","                   \
    "\"principal\":\"op\",\"auth\":\"bearer\",\"detail\":" detail "}"
#define CHANGE(value, action)                                                                      \
    "{\"policy\":\"worker\",\"field\":\"mrenclave\",\"value\":\"" value "\",\"action\":\"" action  \
    "\"}"

static const struct timestamp now = {1000};

MUST_CHECK static enum err replay(struct reference_values *v, uint64_t index, const char *entry)
{
    return reference_values_replay(v, index, span_string(entry));
}

static void test_replay(void **state)
{
    struct reference_values v = {0};

    (void)state;
    assert_int_equal(replay(&v, 3, ENTRY("allow", CHANGE(B32("aa"), "add"))), ERR_NONE);
    assert_int_equal(replay(&v, 4, ENTRY("allow", CHANGE(B32("bb"), "add"))), ERR_NONE);
    assert_int_equal(replay(&v, 5, ENTRY("deny", CHANGE(B32("cc"), "add"))), ERR_NONE);
    assert_int_equal(replay(&v, 6, "{\"op\":\"open\"}"), ERR_NONE);
    assert_int_equal(replay(&v, 7, "{\"op\":\"open\",\"x\":{\"op\":\"policy\"}}"), ERR_NONE);
    assert_int_equal(replay(&v, 8, "no JSON \"op\":\"policy\""), ERR_NONE);
    assert_int_equal(v.count, 2);
    assert_int_equal(v.changes, 4);
    assert_string_equal(v.items[0].principal, "op");
    assert_int_equal(v.items[0].index, 3);
    assert_int_equal(v.items[0].size, 32);
    assert_int_equal(v.items[0].bytes[31], 0xaa);
    assert_int_equal(replay(&v, 9, ENTRY("allow", CHANGE(B32("aa"), "remove"))), ERR_NONE);
    assert_int_equal(v.count, 1);
    assert_int_equal(v.items[0].bytes[0], 0xbb);
    assert_int_equal(v.changes, 9);
    reference_values_clear(&v);
}

static void test_an_unknown_entry_is_not_skipped(void **state)
{
    static const char *const entries[] = {
        ENTRY("allow", "{}"),
        ENTRY("allow", "1"),
        ENTRY("allow", CHANGE("abc", "add")),
        ENTRY("allow", CHANGE(B32("zz"), "add")),
        ENTRY("allow", CHANGE(B32("aa") B32("aa") B32("aa"), "add")),
        ENTRY("allow", CHANGE(B32("aa"), "replace")),
        ENTRY("allow", CHANGE(B32("aa"), "add\",\"more\":\"x")),
        "{\"op\":\"policy\",\"decision\":\"allow\"}",
    };
    struct reference_values v = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        assert_int_equal(replay(&v, i, entries[i]), ERR_UNSUPPORTED);
    assert_int_equal(v.count, 0);
}

struct fixture {
    struct policy policy;
    struct policy_set configured;
    struct attest_trust trust;
    struct policy_store *store;
};

static int set_up(void **state)
{
    static char measurement[] = B32("11");
    char *texts[] = {measurement};
    struct fixture *f = calloc(1, sizeof *f);
    struct policy_fault fault;

    assert_non_null(f);
    assert_int_equal(appraisal_rule_start(&f->policy.rule, "worker", "simulated", &fault),
                     ERR_NONE);
    assert_int_equal(appraisal_rule_set(&f->policy.rule, "mrenclave", texts, 1, &fault), ERR_NONE);
    assert_int_equal(appraisal_rule_finish(&f->policy.rule, &fault), ERR_NONE);
    f->configured = (struct policy_set){.count = 1, .policies = &f->policy};
    assert_int_equal(policy_store_new(&f->configured, &f->trust, &f->store), ERR_NONE);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    policy_store_free(&f->store);
    policy_clear(&f->policy);
    free(f);
    return 0;
}

static struct policy_change change_of(uint8_t byte, bool removes)
{
    struct policy_change change = {
        .removes = removes, .policy = "worker", .field = "mrenclave", .size = 32};

    memset(change.bytes, byte, change.size);
    return change;
}

static void make(struct fixture *f, uint8_t byte, bool removes, uint64_t index)
{
    const struct policy_change change = change_of(byte, removes);
    struct policy_snapshot *next = NULL;
    struct refusal o = {0};

    assert_int_equal(policy_store_prepare(f->store, &change, "op", now, &next, &o), ERR_NONE);
    policy_store_swap(f->store, &next, index, index << TRANSACTION_NODE_BITS | 1);
    assert_null(next);
}

static void refuse(struct fixture *f, uint8_t byte, bool removes, const char *code)
{
    const struct policy_change change = change_of(byte, removes);
    struct policy_snapshot *next = NULL;
    struct refusal o = {0};

    assert_int_not_equal(policy_store_prepare(f->store, &change, "op", now, &next, &o), ERR_NONE);
    assert_string_equal(o.code, code);
    assert_null(next);
}

static bool lists(const struct policy_snapshot *s, uint8_t byte)
{
    uint8_t bytes[32];

    memset(bytes, byte, sizeof bytes);
    return appraisal_rule_lists(&s->policies.policies[0].rule, "mrenclave", SPAN_OF(bytes));
}

static void test_views_keep_their_snapshot(void **state)
{
    struct fixture *f = *state;
    struct snapshot_view one = {0};
    struct snapshot_view two = {0};
    const struct policy_snapshot *before = policy_store_view(f->store, &one);
    const struct policy_snapshot *after;

    make(f, 0x22, false, 7);
    after = policy_store_view(f->store, &two);
    assert_false(lists(before, 0x22));
    assert_true(lists(after, 0x22));
    assert_true(lists(after, 0x11));
    assert_memory_not_equal(before->policies.version, after->policies.version, 8);
    assert_int_equal(after->added.items[0].index, 7);
    assert_ptr_equal(policy_store_view(f->store, &one), after);
    snapshot_view_clear(&one);
    snapshot_view_clear(&two);
}

static void test_an_abandoned_change_has_no_effect(void **state)
{
    struct fixture *f = *state;
    const struct policy_change change = change_of(0x22, false);
    struct policy_snapshot *next = NULL;
    struct policy_snapshot *held = policy_store_hold(f->store);
    struct refusal o = {0};

    assert_int_equal(policy_store_prepare(f->store, &change, "op", now, &next, &o), ERR_NONE);
    policy_snapshot_release(&next);
    policy_snapshot_release(&held);
    held = policy_store_hold(f->store);
    assert_false(lists(held, 0x22));
    policy_snapshot_release(&held);
}

static void test_refusals(void **state)
{
    struct fixture *f = *state;

    refuse(f, 0x11, false, "value_exists");
    refuse(f, 0x11, true, "value_is_configured");
    refuse(f, 0x22, true, "value_not_found");
    refuse(f, 0x00, false, "bad_value");
    make(f, 0x22, false, 1);
    refuse(f, 0x22, false, "value_exists");
    make(f, 0x22, true, 2);
    refuse(f, 0x22, true, "value_not_found");
}

/* Added, removed and added again: three versions, so that no session becomes valid again. A
 * start computes the last version. */
static void test_versions(void **state)
{
    struct fixture *f = *state;
    struct snapshot_view view = {0};
    struct reference_values v = {0};
    uint8_t versions[4][8];

    for (uint64_t i = 0; i < 4; i++) {
        memcpy(versions[i], policy_store_view(f->store, &view)->policies.version, 8);
        for (uint64_t k = 0; k < i; k++)
            assert_memory_not_equal(versions[i], versions[k], 8);
        if (i < 3)
            make(f, 0x22, i == 1, 10 + i);
    }
    assert_int_equal(replay(&v, 10, ENTRY("allow", CHANGE(B32("22"), "add"))), ERR_NONE);
    assert_int_equal(replay(&v, 11, ENTRY("allow", CHANGE(B32("22"), "remove"))), ERR_NONE);
    assert_int_equal(replay(&v, 12, ENTRY("allow", CHANGE(B32("22"), "add"))), ERR_NONE);
    assert_int_equal(policy_store_restore(f->store, &v), ERR_NONE);
    assert_memory_equal(policy_store_view(f->store, &view)->policies.version, versions[3], 8);
    snapshot_view_clear(&view);
}

/* Added values stay. An unchanged configuration keeps the version, and so the sessions. */
static void test_another_configuration_is_adopted_whole(void **state)
{
    static char other[] = B32("33");
    char *texts[] = {other};
    struct fixture *f = *state;
    struct snapshot_view view = {0};
    struct policy policy = {0};
    const struct policy_set fresh = {.count = 1, .policies = &policy};
    struct policy_stage stage = {0};
    struct policy_fault fault;
    uint8_t version[8];

    make(f, 0x22, false, 1);
    memcpy(version, policy_store_view(f->store, &view)->policies.version, 8);
    assert_int_equal(policy_store_stage(f->store, &f->configured, &stage), ERR_NONE);
    assert_memory_equal(stage.next->policies.version, version, 8); /* before it is in use */
    policy_store_adopt(f->store, &stage);
    assert_memory_equal(policy_store_view(f->store, &view)->policies.version, version, 8);

    assert_int_equal(appraisal_rule_start(&policy.rule, "worker", "simulated", &fault), ERR_NONE);
    assert_int_equal(appraisal_rule_set(&policy.rule, "mrenclave", texts, 1, &fault), ERR_NONE);
    assert_int_equal(appraisal_rule_finish(&policy.rule, &fault), ERR_NONE);
    assert_int_equal(policy_store_stage(f->store, &fresh, &stage), ERR_NONE);
    assert_memory_not_equal(stage.next->policies.version, version, 8);
    assert_memory_equal(policy_store_view(f->store, &view)->policies.version, version, 8);
    policy_stage_clear(&stage); /* not adopted: nothing changes */
    refuse(f, 0x33, true, "value_not_found");
    assert_int_equal(policy_store_stage(f->store, &fresh, &stage), ERR_NONE);
    policy_store_adopt(f->store, &stage);
    assert_memory_not_equal(policy_store_view(f->store, &view)->policies.version, version, 8);
    assert_int_equal(policy_store_view(f->store, &view)
                         ->policies.policies[0]
                         .rule.fields[FIELD_ID_MRENCLAVE]
                         .count,
                     2);
    refuse(f, 0x33, true, "value_is_configured");
    refuse(f, 0x22, false, "value_exists");
    make(f, 0x22, true, 2);
    refuse(f, 0x11, true, "value_not_found");
    snapshot_view_clear(&view);
    policy_clear(&policy);
}

static void test_no_store_is_freed_without_harm(void **state)
{
    struct policy_store *none = NULL;

    (void)state;
    policy_store_free(&none);
    assert_null(none);
}

/* The version of the policies that a start finds with these values, added in this order. */
static void version_after(struct fixture *f, const char *first, const char *second, uint64_t stored,
                          uint8_t version[8])
{
    struct reference_values v = {0};
    struct policy_snapshot *s;

    assert_int_equal(replay(&v, 3, first), ERR_NONE);
    assert_int_equal(replay(&v, 4, second), ERR_NONE);
    v.stored = stored;
    assert_int_equal(policy_store_restore(f->store, &v), ERR_NONE);
    s = policy_store_hold(f->store);
    assert_int_equal(s->added.count, 2);
    assert_true(s->added.items[0].used && s->added.items[1].used);
    memcpy(version, s->policies.version, 8);
    policy_snapshot_release(&s);
}

/* Nodes of one database learn of values in different orders. */
static void test_the_version_does_not_depend_on_the_order_of_additions(void **state)
{
    static const char aa[] = ENTRY("allow", CHANGE(B32("aa"), "add"));
    static const char bb[] = ENTRY("allow", CHANGE(B32("bb"), "add"));
    uint8_t one[8], two[8], of_another_node[8];

    version_after(*state, aa, bb, 4 << TRANSACTION_NODE_BITS | 1, one);
    version_after(*state, bb, aa, 4 << TRANSACTION_NODE_BITS | 1, two);
    assert_memory_equal(one, two, sizeof one);
    /* but on which change was the last: to undo one does not restore sessions */
    version_after(*state, aa, bb, 4 << TRANSACTION_NODE_BITS | 2, of_another_node);
    assert_memory_not_equal(one, of_another_node, sizeof one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_store_is_freed_without_harm),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_an_unknown_entry_is_not_skipped),
        cmocka_unit_test_setup_teardown(test_views_keep_their_snapshot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_abandoned_change_has_no_effect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_versions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_configuration_is_adopted_whole, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_version_does_not_depend_on_the_order_of_additions,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
