#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/appraisal.h"

static struct attest_result good_evidence(void)
{
    struct attest_result r = {
        .reason = ATTEST_OK,
        .tee = "sgx",
        .version = 3,
        .status = TCB_UP_TO_DATE,
        .intel.tcb_evaluation_number = 17,
        .sgx = {.isv_prod_id = 7, .isv_svn = 5},
    };

    memset(r.sgx.mr_enclave, 0xaa, sizeof r.sgx.mr_enclave);
    memset(r.sgx.mr_signer, 0xbb, sizeof r.sgx.mr_signer);
    return r;
}

static struct appraisal_rule rule_by_enclave(void)
{
    struct appraisal_rule rule = {
        .name = "executors",
        .tee = "sgx",
        .mr_enclave_count = 2,
        .accepted_statuses = 1u << TCB_UP_TO_DATE,
        .min_tcb_evaluation_number = 17,
        .token_count = 1,
    };

    memset(rule.mr_enclave[0], 0x11, 32);
    memset(rule.mr_enclave[1], 0xaa, 32);
    (void)snprintf(rule.tokens[0], sizeof rule.tokens[0], "worker-1");
    return rule;
}

static struct appraisal_rule rule_by_signer(void)
{
    struct appraisal_rule rule = rule_by_enclave();

    (void)snprintf(rule.name, sizeof rule.name, "signed");
    rule.mr_enclave_count = 0;
    rule.by_signer = true;
    memset(rule.mr_signer, 0xbb, 32);
    rule.isv_prod_id = 7;
    rule.min_isv_svn = 5;
    return rule;
}

static enum err appraise_one(const struct appraisal_rule *rule,
                             const struct attest_result *evidence, const char *token,
                             struct appraisal_denial *denial)
{
    const struct appraisal_policy policy = {.count = 1, .rules = rule};
    const struct appraisal_rule *accepted = NULL;
    enum err e = appraise(&policy, evidence, token, &accepted, denial);

    assert_true((e == ERR_NONE) == (accepted == rule));
    return e;
}

static void matching_evidence_is_accepted(void **state)
{
    struct attest_result evidence = good_evidence();
    struct appraisal_rule rules[] = {rule_by_enclave(), rule_by_signer()};
    struct appraisal_denial denial = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        const char *why = NULL;

        assert_int_equal(appraisal_rule_check(&rules[i], &why), ERR_NONE);
        assert_int_equal(appraise_one(&rules[i], &evidence, "worker-1", &denial), ERR_NONE);
    }
    rules[0].token_count = 0; /* for all tokens, and for none */
    assert_int_equal(appraise_one(&rules[0], &evidence, NULL, &denial), ERR_NONE);
    evidence.sgx.isv_svn = 6;
    assert_int_equal(appraise_one(&rules[1], &evidence, "worker-1", &denial), ERR_NONE);
}

/* Each case spoils one thing of evidence or rule that otherwise fit. */
struct spoiled {
    const char *code;
    bool by_signer;
    void (*spoil)(struct attest_result *evidence, struct appraisal_rule *rule);
    const char *token;
    const char *expected, *presented; /* contained in the denial's texts */
};

static void other_tee(struct attest_result *e, struct appraisal_rule *r)
{
    (void)r;
    e->tee = "simulated";
    e->simulated = true;
}
static void other_enclave(struct attest_result *e, struct appraisal_rule *r)
{
    (void)r;
    e->sgx.mr_enclave[31] ^= 1;
}
static void other_signer(struct attest_result *e, struct appraisal_rule *r)
{
    (void)r;
    e->sgx.mr_signer[0] ^= 1;
}
static void other_product(struct attest_result *e, struct appraisal_rule *r)
{
    (void)r;
    e->sgx.isv_prod_id = 8;
}
static void lower_svn(struct attest_result *e, struct appraisal_rule *r)
{
    (void)r;
    e->sgx.isv_svn = 4;
}
static void debug_enclave(struct attest_result *e, struct appraisal_rule *r)
{
    (void)r;
    e->debug = true;
}
static void out_of_date(struct attest_result *e, struct appraisal_rule *r)
{
    (void)r;
    e->status = TCB_OUT_OF_DATE;
}
static void revoked_though_listed(struct attest_result *e, struct appraisal_rule *r)
{
    e->status = TCB_REVOKED;
    r->accepted_statuses = ~0u;
}
static void status_unknown(struct attest_result *e, struct appraisal_rule *r)
{
    e->status = TCB_STATUS_COUNT;
    r->accepted_statuses = ~0u;
}
static void new_advisory(struct attest_result *e, struct appraisal_rule *r)
{
    e->status = TCB_SW_HARDENING_NEEDED;
    r->accepted_statuses |= 1u << TCB_SW_HARDENING_NEEDED;
    r->advisory_count = 1;
    (void)snprintf(r->advisories[0], sizeof r->advisories[0], "INTEL-SA-00334");
    e->advisory_count = 2;
    (void)snprintf(e->advisories[0], sizeof e->advisories[0], "INTEL-SA-00334");
    (void)snprintf(e->advisories[1], sizeof e->advisories[1], "INTEL-SA-00615");
}
static void old_evaluation(struct attest_result *e, struct appraisal_rule *r)
{
    (void)r;
    e->intel.tcb_evaluation_number = 16;
}
static void nothing(struct attest_result *e, struct appraisal_rule *r)
{
    (void)e;
    (void)r;
}

static void every_denial_has_its_code(void **state)
{
    static const struct spoiled cases[] = {
        {"tee_not_accepted",        false, other_tee,             "worker-1",  "sgx",            "simulated"},
        {"measurement_mismatch",    false, other_enclave,         "worker-1",  "1111",           "aaaaab"   },
        {"signer_mismatch",         true,  other_signer,          "worker-1",  "bbbb",           "babb"     },
        {"product_mismatch",        true,  other_product,         "worker-1",  "7",              "8"        },
        {"svn_too_low",             true,  lower_svn,             "worker-1",  "5",              "4"        },
        {"debug",                   false, debug_enclave,         "worker-1",  "production",     "debug"    },
        {"debug",                   true,  debug_enclave,         "worker-1",  "production",     "debug"    },
        {"tcb_status_not_accepted", false, out_of_date,           "worker-1",  "UpToDate",       "OutOfDate"},
        {"tcb_status_not_accepted", true,  revoked_though_listed, "worker-1",  "UpToDate",       "Revoked"  },
        {"tcb_status_not_accepted", false, status_unknown,        "worker-1",  "UpToDate",       "unknown"  },
        {"advisory_not_accepted",   false, new_advisory,          "worker-1",  "INTEL-SA-00334",
         "INTEL-SA-00615"                                                                                   },
        {"tcb_evaluation_too_old",  false, old_evaluation,        "worker-1",  "17",             "16"       },
        {"token_not_accepted",      false, nothing,               "worker-2",  "",               "worker-2" },
        {"token_not_accepted",      false, nothing,               NULL,        "",               ""         },
        {"token_not_accepted",      true,  nothing,               "worker-11", "",               "worker-11"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct attest_result evidence = good_evidence();
        struct appraisal_rule rule = cases[i].by_signer ? rule_by_signer() : rule_by_enclave();
        struct appraisal_denial denial = {0};

        cases[i].spoil(&evidence, &rule);
        assert_int_equal(appraise_one(&rule, &evidence, cases[i].token, &denial), ERR_DENIED);
        assert_string_equal(denial.code, cases[i].code);
        assert_string_equal(denial.rule, rule.name);
        assert_non_null(strstr(denial.expected, cases[i].expected));
        assert_non_null(strstr(denial.presented, cases[i].presented));
    }
}

static void without_rules_everything_is_denied(void **state)
{
    const struct attest_result evidence = good_evidence();
    const struct appraisal_policy empty = {0};
    const struct appraisal_rule *rule = NULL;
    struct appraisal_denial denial = {0};

    (void)state;
    assert_int_equal(appraise(&empty, &evidence, "worker-1", &rule, &denial), ERR_DENIED);
    assert_string_equal(denial.rule, "default-deny");
    assert_string_equal(denial.code, "no_policy");
    assert_null(rule);
}

/* A rule that nobody checked and that names no identity accepts nobody. */
static void a_rule_without_identity_accepts_nobody(void **state)
{
    const struct attest_result evidence = good_evidence();
    struct appraisal_rule rule = rule_by_enclave();
    struct appraisal_denial denial = {0};

    (void)state;
    rule.mr_enclave_count = 0;
    assert_int_equal(appraise_one(&rule, &evidence, "worker-1", &denial), ERR_DENIED);
    assert_string_equal(denial.code, "measurement_mismatch");
}

static void known_advisories_are_accepted_with_their_status(void **state)
{
    struct attest_result evidence = good_evidence();
    struct appraisal_rule rule = rule_by_enclave();
    struct appraisal_denial denial = {0};

    (void)state;
    new_advisory(&evidence, &rule);
    rule.advisory_count = 2;
    (void)snprintf(rule.advisories[1], sizeof rule.advisories[1], "INTEL-SA-00615");
    assert_int_equal(appraise_one(&rule, &evidence, "worker-1", &denial), ERR_NONE);
    rule.accepted_statuses = 1u << TCB_UP_TO_DATE;
    assert_int_equal(appraise_one(&rule, &evidence, "worker-1", &denial), ERR_DENIED);
}

static void the_first_rule_that_accepts_decides_and_the_nearest_explains(void **state)
{
    struct attest_result evidence = good_evidence();
    struct appraisal_rule rules[3] = {rule_by_enclave(), rule_by_signer(), rule_by_enclave()};
    const struct appraisal_policy policy = {.count = 3, .rules = rules};
    const struct appraisal_rule *rule = NULL;
    struct appraisal_denial denial = {0};

    (void)state;
    memset(rules[0].mr_enclave, 0x22, sizeof rules[0].mr_enclave);
    (void)snprintf(rules[2].name, sizeof rules[2].name, "later");
    assert_int_equal(appraise(&policy, &evidence, "worker-1", &rule, &denial), ERR_NONE);
    assert_ptr_equal(rule, &rules[1]);
    assert_ptr_equal(appraisal_find(&policy, "later"), &rules[2]);
    assert_null(appraisal_find(&policy, "late"));

    memset(rules[2].mr_enclave, 0x22, sizeof rules[2].mr_enclave);
    evidence.sgx.isv_svn = 1; /* rule 1 gets past signer and product, the others not that far */
    assert_int_equal(appraise(&policy, &evidence, "worker-1", &rule, &denial), ERR_DENIED);
    assert_string_equal(denial.rule, "signed");
    assert_string_equal(denial.code, "svn_too_low");
}

static void rules_that_cannot_be_right_are_refused(void **state)
{
    struct appraisal_rule bad[14];
    const char *why;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        bad[i] = i < 7 ? rule_by_enclave() : rule_by_signer();
    bad[0].mr_enclave_count = 0;
    bad[1].by_signer = true;
    memset(bad[2].mr_enclave[1], 0, 32);
    bad[3].accepted_statuses = 0;
    bad[4].accepted_statuses |= 1u << TCB_REVOKED;
    bad[5].accepted_statuses |= 1u << TCB_STATUS_COUNT;
    bad[6].name[0] = '\0';
    memset(bad[7].mr_signer, 0, 32);
    (void)snprintf(bad[8].tee, sizeof bad[8].tee, "tdx");
    bad[9].tee[0] = '\0';
    bad[10].seed_count = 1;
    (void)snprintf(bad[10].seeds[0], sizeof bad[10].seeds[0], "github.com/*/repo");
    bad[11].tokens[0][0] = '\0';
    bad[12].mr_enclave_count = POLICY_LIST_MAX + 1;
    bad[13].advisory_count = 1; /* an empty one */
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        why = NULL;
        assert_int_equal(appraisal_rule_check(&bad[i], &why), ERR_CONFIG);
        assert_non_null(why);
    }
}

static void seeds_are_covered_exactly_or_by_prefix(void **state)
{
    static const struct {
        const char *pattern, *seed;
        bool covered;
    } cases[] = {
        {"github.com/a/b:a:main", "github.com/a/b:a:main",  true },
        {"github.com/a/b:a:main", "github.com/a/b:a:mai",   false},
        {"github.com/a/b:a:main", "github.com/a/b:a:main2", false},
        {"github.com/a/*",        "github.com/a/b:a",       true },
        {"github.com/a/*",        "github.com/a/",          true },
        {"github.com/a/*",        "github.com/a",           false},
        {"github.com/a/*",        "github.com/ab/c",        false},
        {"github.com/a/*",        "",                       false}, /* the global key */
        {"*",                     "",                       true },
        {"*",                     "anything",               true },
        {"",                      "",                       true },
        {"",                      "a",                      false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct appraisal_rule rule = {.seed_count = 1};

        (void)snprintf(rule.seeds[0], sizeof rule.seeds[0], "%s", cases[i].pattern);
        assert_int_equal(appraisal_covers_seed(&rule, span_string(cases[i].seed)),
                         cases[i].covered);
    }
    struct appraisal_rule all = {0};

    assert_true(appraisal_covers_seed(&all, SPAN_LITERAL("anything")));
}

/* "app:alice.near*" would also cover alice.near2. */
static void a_pattern_ends_between_two_parts(void **state)
{
    static const struct {
        const char *pattern;
        bool allowed;
    } cases[] = {
        {"*",                true },
        {"github.com/a/*",   true },
        {"app:alice.near:*", true },
        {":*",               true },
        {"/*",               true },
        {"app:alice.near",   true },
        {"app:alice.near*",  false},
        {"github.com/a*",    false},
        {"a*",               false},
        {" *",               false},
        {"**",               false},
        {"/**",              false},
        {"*/",               false},
        {"*:a",              false},
        {"a/*/b",            false},
        {"a/*/*",            false},
        {"a-*",              false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct appraisal_rule rule = rule_by_enclave();
        const char *why = NULL;

        rule.seed_count = 1;
        (void)snprintf(rule.seeds[0], sizeof rule.seeds[0], "%s", cases[i].pattern);
        assert_int_equal(appraisal_rule_check(&rule, &why),
                         cases[i].allowed ? ERR_NONE : ERR_CONFIG);
        assert_int_equal(why == NULL, cases[i].allowed);
    }
}

/* Any change of any rule is another version: it revokes sessions. */
static void every_change_changes_the_version(void **state)
{
    struct appraisal_rule base[2] = {rule_by_enclave(), rule_by_signer()};
    struct appraisal_rule changed[12];
    struct appraisal_policy policy = {.count = 2, .rules = base};
    uint8_t version[8];

    (void)state;
    appraisal_policy_version(&policy);
    memcpy(version, policy.version, sizeof version);
    appraisal_policy_version(&policy);
    assert_memory_equal(version, policy.version, sizeof version);

    for (size_t i = 0; i < COUNT_OF(changed); i++)
        changed[i] = base[0];
    changed[0].name[0] = 'E';
    (void)snprintf(changed[1].tee, sizeof changed[1].tee, "simulated");
    changed[2].mr_enclave_count = 1;
    changed[3].mr_enclave[1][31] ^= 1;
    changed[4].isv_prod_id = 1;
    changed[5].min_isv_svn = 1;
    changed[6].accepted_statuses |= 1u << TCB_OUT_OF_DATE;
    changed[7].advisory_count = 1;
    changed[8].min_tcb_evaluation_number = 18;
    changed[9].seed_count = 1;
    changed[10].token_count = 0;
    changed[11].allow_plain = true;
    for (size_t i = 0; i < COUNT_OF(changed); i++) {
        struct appraisal_rule rules[2] = {changed[i], base[1]};
        struct appraisal_policy other = {.count = 2, .rules = rules};

        appraisal_policy_version(&other);
        assert_memory_not_equal(version, other.version, sizeof version);
    }
    struct appraisal_rule swapped[2] = {base[1], base[0]};
    struct appraisal_policy other = {.count = 2, .rules = swapped};

    appraisal_policy_version(&other);
    assert_memory_not_equal(version, other.version, sizeof version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matching_evidence_is_accepted),
        cmocka_unit_test(every_denial_has_its_code),
        cmocka_unit_test(without_rules_everything_is_denied),
        cmocka_unit_test(a_rule_without_identity_accepts_nobody),
        cmocka_unit_test(known_advisories_are_accepted_with_their_status),
        cmocka_unit_test(the_first_rule_that_accepts_decides_and_the_nearest_explains),
        cmocka_unit_test(rules_that_cannot_be_right_are_refused),
        cmocka_unit_test(seeds_are_covered_exactly_or_by_prefix),
        cmocka_unit_test(a_pattern_ends_between_two_parts),
        cmocka_unit_test(every_change_changes_the_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
