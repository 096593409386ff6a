#include "auth/principal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void a_new_principal_has_no_rights(void **state)
{
    const uint8_t zeros[PRINCIPAL_ID_SIZE] = {0};
    const struct principal p = principal_named(PRINCIPAL_TOKEN, "worker-1");

    (void)state;
    assert_int_equal(p.kind, PRINCIPAL_TOKEN);
    assert_string_equal(p.tenant, "default");
    assert_string_equal(p.name, "worker-1");
    assert_memory_equal(p.id, zeros, sizeof zeros);
    assert_int_equal(p.roles, ROLE_NONE);
    assert_false(p.may_explain || p.may_administer);
}

static void a_long_name_is_cut(void **state)
{
    char name[PRINCIPAL_NAME_MAX + 20];

    (void)state;
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(strlen(principal_named(PRINCIPAL_JWT, name).name), PRINCIPAL_NAME_MAX);
}

static void a_plain_name_has_letters_digits_and_four_signs(void **state)
{
    static const struct {
        const char *name;
        bool plain;
    } cases[] = {
        {"a",              true },
        {"Worker-1.b_c:9", true },
        {"",               false},
        {"a b",            false},
        {"a/",             false},
        {"\xc3\xa9",       false},
        {"a\n",            false},
    };
    char name[PRINCIPAL_NAME_MAX + 2];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(principal_name_is_plain(cases[i].name), cases[i].plain);
    memset(name, 'n', sizeof name);
    name[PRINCIPAL_NAME_MAX] = '\0';
    assert_true(principal_name_is_plain(name));
    name[PRINCIPAL_NAME_MAX] = 'n';
    name[PRINCIPAL_NAME_MAX + 1] = '\0';
    assert_false(principal_name_is_plain(name));
}

static void any_of_the_roles_is_enough(void **state)
{
    static const struct {
        enum principal_kind kind;
        unsigned has, asked;
        bool yes;
    } cases[] = {
        {PRINCIPAL_TOKEN,   ROLE_WORKER,                 ROLE_WORKER,                 true },
        {PRINCIPAL_TOKEN,   ROLE_WORKER,                 ROLE_WORKER | ROLE_OPERATOR, true },
        {PRINCIPAL_API_KEY, ROLE_AUDITOR | ROLE_WORKER,  ROLE_AUDITOR,                true },
        {PRINCIPAL_TOKEN,   ROLE_WORKER,                 ROLE_OPERATOR,               false},
        {PRINCIPAL_TOKEN,   ROLE_WORKER | ROLE_OPERATOR, ROLE_AUDITOR,                false},
        {PRINCIPAL_TOKEN,   ROLE_NONE,                   ROLE_WORKER,                 false},
        {PRINCIPAL_TOKEN,   ROLE_WORKER,                 ROLE_NONE,                   false},
        {PRINCIPAL_NONE,    ROLE_WORKER,                 ROLE_WORKER,                 false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct principal p = {.kind = cases[i].kind, .roles = cases[i].has};

        assert_int_equal(principal_has_role(&p, cases[i].asked), cases[i].yes);
    }
}

static void kinds_and_roles_have_names(void **state)
{
    static const char *const kinds[] = {"none", "token",   "api_key",  "jwt",     "neo",
                                        "near", "session", "function", "operator"};

    (void)state;
    assert_int_equal(COUNT_OF(kinds), PRINCIPAL_KINDS);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        assert_string_equal(principal_kind_name((enum principal_kind)i), kinds[i]);
    assert_string_equal(principal_kind_name(PRINCIPAL_KINDS), "none");
    assert_string_equal(role_name(ROLE_WORKER), "worker");
    assert_string_equal(role_name(ROLE_OPERATOR), "operator");
    assert_string_equal(role_name(ROLE_AUDITOR), "auditor");
    assert_string_equal(role_name(ROLE_NONE), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_principal_has_no_rights),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(a_plain_name_has_letters_digits_and_four_signs),
        cmocka_unit_test(any_of_the_roles_is_enough),
        cmocka_unit_test(kinds_and_roles_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
