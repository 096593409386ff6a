#include "policy/authorize.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORKER ROLE_WORKER
#define OPERATOR ROLE_OPERATOR
#define AUDITOR ROLE_AUDITOR

static struct policy_scope for_all, for_all_plain, for_me, for_me_plain, for_another;

static int start(void **state)
{
    struct policy_fault fault;

    (void)state;
    for_all_plain.allow_plain = for_me_plain.allow_plain = true;
    return policy_scope_add_token(&for_me, "me", &fault) != ERR_NONE ||
           policy_scope_add_seed(&for_me, "mine:*", &fault) != ERR_NONE ||
           policy_scope_add_token(&for_me_plain, "me", &fault) != ERR_NONE ||
           policy_scope_add_seed(&for_me_plain, "mine:*", &fault) != ERR_NONE ||
           policy_scope_add_token(&for_another, "another", &fault) != ERR_NONE;
}

static int finish(void **state)
{
    (void)state;
    policy_scope_clear(&for_me);
    policy_scope_clear(&for_me_plain);
    policy_scope_clear(&for_another);
    return 0;
}

static void each_operation_is_for_its_roles(void **state)
{
    static const struct {
        enum action action;
        bool worker, operator, auditor;
    } cases[] = {
        {ACTION_NONE,             false, false, false},
        {ACTION_READ_PUBLIC,      true,  true,  true },
        {ACTION_READ_TILES,       true,  true,  true },
        {ACTION_OPEN,             true,  true,  false},
        {ACTION_ATTEST,           true,  true,  false},
        {ACTION_EXPLAIN_EVIDENCE, true,  true,  false},
        {ACTION_EXPLAIN_REQUEST,  false, true,  true },
        {ACTION_READ_LOG,         false, true,  true },
        {ACTION_READ_RECEIPT,     true,  true,  true },
        {ACTION_READ_COLLATERAL,  true,  true,  true },
        {ACTION_READ_POLICIES,    false, true,  false},
        {ACTION_CHANGE_POLICY,    false, true,  false},
        {ACTION_RESEAL,           false, true,  false},
        {ACTION_WITNESS,          true,  true,  true },
        {ACTION_READ_STATUS,      false, true,  false},
        {ACTION_ARCHIVE,          false, true,  false},
        {ACTION_COUNT,            false, false, false},
    };
    struct principal p = principal_named(PRINCIPAL_TOKEN, "me");
    const struct principal nobody = {.roles = WORKER | OPERATOR | AUDITOR};
    struct decision d;

    (void)state;
    assert_int_equal(COUNT_OF(cases), ACTION_COUNT + 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct authorize_question q = {.principal = &p, .action = cases[i].action};

        const bool is_public = cases[i].action == ACTION_READ_PUBLIC ||
                               cases[i].action == ACTION_READ_TILES ||
                               cases[i].action == ACTION_WITNESS;
        const bool administers = cases[i].action == ACTION_CHANGE_POLICY ||
                                 cases[i].action == ACTION_RESEAL ||
                                 cases[i].action == ACTION_ARCHIVE;

        p.roles = ROLE_NONE;
        assert_int_equal(authorize_admits(&p, cases[i].action), is_public);
        assert_int_equal(authorize_admits(&nobody, cases[i].action), is_public);
        assert_int_equal(authorize_is_public(cases[i].action), is_public);
        assert_int_equal(authorize_is_administrative(cases[i].action),
                         cases[i].operator&& !cases[i].worker && !cases[i].auditor);
        p.roles = WORKER;
        assert_int_equal(authorize_admits(&p, cases[i].action), cases[i].worker);
        p.roles = OPERATOR;
        assert_int_equal(authorize_admits(&p, cases[i].action), cases[i].operator);
        p.roles = AUDITOR;
        assert_int_equal(authorize_admits(&p, cases[i].action), cases[i].auditor);
        if (cases[i].auditor)
            continue;
        assert_int_equal(authorize(&q, &d), ERR_DENIED);
        assert_string_equal(d.code, administers ? "may_not_administer" : "role_not_allowed");
        assert_string_equal(d.rule, "roles");
    }
}

static void a_decision_names_the_rule_that_decided(void **state)
{
    static const struct {
        const struct policy_scope *scope; /* NULL: no claims */
        const char *key;
        bool has_key, wants_seal;
        enum err e;
        const char *code, *rule;
        bool plain;
    } cases[] = {
        {NULL,           "mine:1", false, false, ERR_UNAUTHENTICATED, "attestation_required",     "default-deny",
         false                                                                                                         },
        {&for_another,   "mine:1", true,  false, ERR_DENIED,          "policy_not_for_principal",
         "default-deny",                                                                                          false},
        {&for_me,        "other",  true,  true,  ERR_DENIED,          "seed_not_allowed",         "p",            false},
        {&for_me,        "",       true,  true,  ERR_DENIED,          "seed_not_allowed",         "p",            false},
        {&for_me,        "mine:1", false, true,  ERR_MALFORMED,       "no_attested_key",          "p",            false},
        {&for_me_plain,  "mine:1", false, true,  ERR_MALFORMED,       "no_attested_key",          "p",            false},
        {&for_me,        "mine:1", false, false, ERR_DENIED,          "seal_required",            "p",            false},
        {&for_me,        "mine:1", true,  false, ERR_NONE,            "ok",                       "p",            false},
        {&for_me,        "mine:1", true,  true,  ERR_NONE,            "ok",                       "p",            false},
        {&for_me_plain,  "mine:1", true,  true,  ERR_NONE,            "ok",                       "p",            false},
        {&for_me_plain,  "mine:1", true,  false, ERR_NONE,            "ok",                       "p",            true },
        {&for_me_plain,  "mine:1", false, false, ERR_NONE,            "ok",                       "p",            true },
        {&for_all,       "",       true,  false, ERR_NONE,            "ok",                       "p",            false},
        {&for_all_plain, "x",      false, false, ERR_NONE,            "ok",                       "p",            true },
    };
    struct principal p = principal_named(PRINCIPAL_TOKEN, "me");

    (void)state;
    p.roles = WORKER;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct caller_claims claims = {"p", cases[i].scope, cases[i].has_key};
        const struct authorize_question q = {.principal = &p,
                                             .action = ACTION_OPEN,
                                             .claims = cases[i].scope ? &claims : NULL,
                                             .key = span_string(cases[i].key),
                                             .wants_seal = cases[i].wants_seal};
        struct decision d = {.allowed = cases[i].e != ERR_NONE, .sees_all = true};

        assert_int_equal(authorize(&q, &d), cases[i].e);
        assert_int_equal(d.allowed, cases[i].e == ERR_NONE);
        assert_string_equal(d.code, cases[i].code);
        assert_string_equal(d.rule, cases[i].rule);
        assert_int_equal(d.plain_reply, cases[i].plain);
        assert_false(d.sees_all);
    }
}

/*
 * The rule again, in another form: as sets. Every combination of all inputs is compared with it.
 */
struct cell {
    struct principal p;
    struct caller_claims claims;
    struct authorize_question q;
};

static bool is_in(unsigned set, unsigned bit)
{
    return (set >> bit & 1) != 0;
}

static bool should_allow(const struct cell *c)
{
    const unsigned workers =
        1u << ACTION_OPEN | 1u << ACTION_ATTEST | 1u << ACTION_EXPLAIN_EVIDENCE;
    const unsigned everybody = 1u << ACTION_READ_RECEIPT | 1u << ACTION_READ_COLLATERAL;
    const unsigned operators = (1u << ACTION_COUNT) - 2; /* all but ACTION_NONE */
    const unsigned auditors = everybody | 1u << ACTION_READ_LOG | 1u << ACTION_EXPLAIN_REQUEST;
    const unsigned may = (is_in(c->p.roles, 0) ? workers | everybody : 0) |
                         (is_in(c->p.roles, 1) ? operators : 0) |
                         (is_in(c->p.roles, 2) ? auditors : 0);
    const struct policy_scope *s = c->q.claims ? c->claims.scope : NULL;
    const bool mine = s == &for_me || s == &for_me_plain;
    const bool plain = s == &for_all_plain || s == &for_me_plain;

    if (s == &for_another)
        return false;
    if (c->q.action == ACTION_READ_PUBLIC || c->q.action == ACTION_READ_TILES ||
        c->q.action == ACTION_WITNESS)
        return true;
    if (c->p.kind == PRINCIPAL_NONE || !is_in(may, c->q.action))
        return false;
    if (c->q.action == ACTION_CHANGE_POLICY || c->q.action == ACTION_RESEAL ||
        c->q.action == ACTION_ARCHIVE)
        return c->p.may_administer;
    if (c->q.action != ACTION_OPEN)
        return true;
    return s && (!mine || (c->q.key.size > 4 && memcmp(c->q.key.data, "mine:", 5) == 0)) &&
           (c->claims.has_key || (plain && !c->q.wants_seal));
}

static bool check(const struct cell *c)
{
    struct decision d = {0};
    const bool allowed = authorize(&c->q, &d) == ERR_NONE;
    const bool sees_all =
        allowed && ((c->q.action == ACTION_EXPLAIN_EVIDENCE && c->p.may_explain) ||
                    (c->q.action == ACTION_READ_RECEIPT && (c->p.roles & (OPERATOR | AUDITOR))));
    const bool plain = allowed && c->q.action == ACTION_OPEN && !c->q.wants_seal &&
                       (c->claims.scope == &for_all_plain || c->claims.scope == &for_me_plain);

    assert_int_equal(allowed, should_allow(c));
    assert_int_equal(d.allowed, allowed);
    assert_int_equal(strcmp(d.code, "ok") == 0, allowed);
    assert_non_null(d.rule);
    assert_int_equal(d.sees_all, sees_all);
    assert_int_equal(d.plain_reply, plain);
    return allowed;
}

static void every_combination_is_as_the_rule_says(void **state)
{
    static const struct policy_scope *const scopes[] = {NULL,    &for_all,      &for_all_plain,
                                                        &for_me, &for_me_plain, &for_another};
    static const char *const keys[] = {"", "mine:1", "mine", "other"};
    size_t count = 0;
    size_t allowed = 0;

    (void)state;
    for (unsigned n = 0; n < 2u * 8 * 2 * 2 * ACTION_COUNT * 6 * 4 * 2 * 2; n++) {
        struct cell c = {.p = principal_named(PRINCIPAL_TOKEN, "me")};
        unsigned rest = n;

        c.p.kind = rest % 2 ? PRINCIPAL_TOKEN : PRINCIPAL_NONE;
        c.p.roles = (rest /= 2) % 8;
        c.p.may_explain = (rest /= 8) % 2;
        c.p.may_administer = (rest /= 2) % 2;
        c.q.action = (enum action)((rest /= 2) % ACTION_COUNT);
        c.claims.scope = scopes[(rest /= ACTION_COUNT) % 6];
        c.q.key = span_string(keys[(rest /= 6) % 4]);
        c.claims.has_key = (rest /= 4) % 2;
        c.q.wants_seal = (rest / 2) % 2;
        c.claims.policy = "p";
        c.q.principal = &c.p;
        c.q.claims = c.claims.scope ? &c.claims : NULL;
        allowed += check(&c);
        count++;
    }
    print_message("# %zu combinations, %zu allowed\n", count, allowed);
    assert_true(allowed > 0 && allowed < count / 2);
}

static void what_is_for_others_is_not_known(void **state)
{
    struct principal p = principal_named(PRINCIPAL_TOKEN, "me");

    (void)state;
    assert_true(authorize_knows(&p, &for_all));
    assert_true(authorize_knows(&p, &for_me));
    assert_false(authorize_knows(&p, &for_another));
    p.may_explain = true;
    assert_true(authorize_knows(&p, &for_another));
}

static void actions_have_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ACTION_COUNT; i++)
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(action_name((enum action)i), action_name((enum action)j));
    assert_string_equal(action_name(ACTION_OPEN), "open");
    assert_string_equal(action_name(ACTION_COUNT), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_is_for_its_roles),
        cmocka_unit_test(a_decision_names_the_rule_that_decided),
        cmocka_unit_test(every_combination_is_as_the_rule_says),
        cmocka_unit_test(what_is_for_others_is_not_known),
        cmocka_unit_test(actions_have_names),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
