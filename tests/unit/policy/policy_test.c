#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rules.h"

#define X8(x) x x x x x x x x
#define B32(x) X8(x x) X8(x x)

static const struct timestamp now = {1750000000000};
static const struct rule_text other_code[] = {
    {"mrenclave", B32("22")},
    {NULL,        NULL     }
};
static const struct rule_text newer[] = {
    {"mrenclave",                 B32("aa")},
    {"min_tcb_evaluation_number", "18"     },
    {NULL,                        NULL     }
};

enum { COUNT = 3 };
struct fixture {
    struct policy policies[COUNT];
    struct policy_set set;
    struct attest_result evidence;
    struct appraisal_question question;
    struct principal me;
};

static void make(struct policy *p, const char *name, const char *tee, const struct rule_text *texts)
{
    struct policy_fault fault = {0};

    policy_clear(p);
    assert_int_equal(rule_of(&p->rule, tee, texts ? texts : least_rule(tee), &fault), ERR_NONE);
    (void)snprintf(p->rule.name, sizeof p->rule.name, "%s", name);
}

/* For evidence of kind sgx: other code, the same code but newer, and the same code. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    make(&f->policies[0], "other", "sgx", other_code);
    make(&f->policies[1], "newer", "sgx", newer);
    make(&f->policies[2], "last", "sgx", NULL);
    f->set = (struct policy_set){.count = COUNT, .policies = f->policies};
    evidence_of("sgx", &f->evidence);
    f->question =
        (struct appraisal_question){.evidence = &f->evidence, .binding = &good_binding, .now = now};
    f->me = principal_named(PRINCIPAL_TOKEN, "me");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT; i++)
        policy_clear(&f->policies[i]);
    free(f);
    return 0;
}

MUST_CHECK static enum err judge(const struct fixture *f, const struct policy **policy,
                                 struct appraisal_denial *denial)
{
    *policy = NULL;
    return policy_judge(&f->set, &f->me, &f->question, policy, denial);
}

static void give_to(struct policy *p, const char *token)
{
    struct policy_fault fault;

    assert_int_equal(policy_scope_add_token(&p->scope, token, &fault), ERR_NONE);
}

static void the_first_that_accepts_decides_and_the_nearest_explains(void **state)
{
    struct fixture *f = *state;
    struct appraisal_denial denial = {0};
    const struct policy *policy = NULL;

    assert_int_equal(judge(f, &policy, &denial), ERR_NONE);
    assert_ptr_equal(policy, &f->policies[2]);
    f->evidence.intel.tcb_evaluation_number = 18;
    assert_int_equal(judge(f, &policy, &denial), ERR_NONE);
    assert_ptr_equal(policy, &f->policies[1]);

    f->evidence.intel.tcb_evaluation_number = 17;
    f->set.count = 2; /* `newer` gets past the measurement */
    assert_int_equal(judge(f, &policy, &denial), ERR_DENIED);
    assert_string_equal(denial.rule, "newer");
    assert_string_equal(denial.code, "tcb_evaluation_too_old");
    assert_null(policy);
    make(&f->policies[1], "equal", "sgx", other_code); /* of equals the first is named */
    assert_int_equal(judge(f, &policy, &denial), ERR_DENIED);
    assert_string_equal(denial.rule, "other");
}

static void without_policies_everything_is_denied(void **state)
{
    struct fixture *f = *state;
    struct appraisal_denial denial = {0};
    const struct policy *policy = NULL;

    f->set.count = 0;
    assert_int_equal(judge(f, &policy, &denial), ERR_DENIED);
    assert_string_equal(denial.rule, "default-deny");
    assert_string_equal(denial.code, "no_policy");
    assert_string_equal(denial.expected, "");
    assert_null(policy);
}

/* A principal learns neither the name nor the contents of a policy that is not meant for it. */
static void policies_of_others_are_not_told(void **state)
{
    struct fixture *f = *state;
    struct appraisal_denial denial;
    const struct policy *policy = NULL;

    for (size_t i = 0; i < COUNT; i++)
        give_to(&f->policies[i], "another");
    memset(&denial, 'x', sizeof denial);
    assert_int_equal(judge(f, &policy, &denial), ERR_DENIED);
    assert_string_equal(denial.rule, "default-deny");
    assert_string_equal(denial.code, "no_policy");
    assert_string_equal(denial.expected, "");
    assert_string_equal(denial.presented, "");

    /* the nearest of the principal's own policies, even if another one is nearer */
    give_to(&f->policies[0], "me");
    assert_int_equal(judge(f, &policy, &denial), ERR_DENIED);
    assert_string_equal(denial.rule, "other");
    assert_string_equal(denial.code, "measurement_mismatch");
    f->me = principal_named(PRINCIPAL_TOKEN, "another");
    assert_int_equal(judge(f, &policy, &denial), ERR_NONE);
    assert_ptr_equal(policy, &f->policies[2]);
}

static void what_binds_nothing_is_accepted_by_none(void **state)
{
    struct fixture *f = *state;
    struct appraisal_denial denial = {0};
    const struct policy *policy = NULL;

    f->question.binding = NULL;
    assert_int_equal(judge(f, &policy, &denial), ERR_DENIED);
    assert_string_equal(denial.code, "report_data_mismatch");
    assert_null(policy);
}

static void names_are_found_exactly(void **state)
{
    struct fixture *f = *state;

    assert_ptr_equal(policy_find(&f->set, "last"), &f->policies[2]);
    assert_null(policy_find(&f->set, "las"));
    assert_null(policy_find(&f->set, "lastly"));
    assert_null(policy_find(&f->set, ""));
}

/* Any change of any policy is another version: it revokes sessions. */
static void every_change_changes_the_version(void **state)
{
    struct fixture *f = *state;
    struct policy *p = &f->policies[0];
    struct policy_fault fault;
    uint8_t version[8];

    for (int change = -1; change < 7; change++) {
        make(p, "p", "sgx", NULL);
        f->set.count = change == 6 ? 2 : 3;
        if (change == 0)
            p->rule.name[0] = 'q';
        else if (change == 1)
            (void)snprintf(p->rule.tee, sizeof p->rule.tee, "simulated");
        else if (change == 2)
            make(p, "p", "sgx", other_code);
        else if (change == 3)
            assert_int_equal(policy_scope_add_seed(&p->scope, "s", &fault), ERR_NONE);
        else if (change == 4)
            give_to(p, "s");
        else if (change == 5)
            p->scope.allow_plain = true;
        policy_set_version(&f->set);
        if (change < 0)
            memcpy(version, f->set.version, sizeof version);
        else
            assert_memory_not_equal(version, f->set.version, sizeof version);
    }
    make(p, "p", "sgx", NULL);
    f->set.count = 3;
    policy_set_version(&f->set);
    assert_memory_equal(version, f->set.version, sizeof version); /* and back */
}

static void every_field_and_the_order_change_the_version(void **state)
{
    struct fixture *f = *state;
    struct policy swap = {0};
    uint8_t version[8];

    policy_set_version(&f->set);
    memcpy(version, f->set.version, sizeof version);
    for (size_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        f->policies[0].rule.fields[i].number ^= 1;
        policy_set_version(&f->set);
        assert_int_equal(memcmp(version, f->set.version, sizeof version) != 0,
                         f->policies[0].rule.fields[i].given);
        f->policies[0].rule.fields[i].number ^= 1;
    }
    swap = f->policies[0];
    f->policies[0] = f->policies[1];
    f->policies[1] = swap;
    policy_set_version(&f->set);
    assert_memory_not_equal(version, f->set.version, sizeof version);
}

static void a_copy_stands_by_itself(void **state)
{
    struct fixture *f = *state;
    struct policy_set copy = {0};
    uint8_t version[8];

    give_to(&f->policies[1], "me");
    policy_set_version(&f->set);
    memcpy(version, f->set.version, sizeof version);
    assert_int_equal(policy_set_copy(&f->set, &copy), ERR_NONE);
    assert_memory_equal(copy.version, version, sizeof version);
    for (size_t i = 0; i < COUNT; i++)
        policy_clear(&f->policies[i]);
    policy_set_version(&copy);
    assert_memory_equal(copy.version, version, sizeof version);
    assert_string_equal(copy.policies[1].scope.tokens.items[0], "me");
    policy_set_clear(&copy);
    assert_int_equal(copy.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_that_accepts_decides_and_the_nearest_explains),
        TEST(without_policies_everything_is_denied),
        TEST(policies_of_others_are_not_told),
        TEST(what_binds_nothing_is_accepted_by_none),
        TEST(names_are_found_exactly),
        TEST(every_change_changes_the_version),
        TEST(every_field_and_the_order_change_the_version),
        TEST(a_copy_stands_by_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
