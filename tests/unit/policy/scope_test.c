#include "policy/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
        {"a",                     "",                       false},
    };
    const struct policy_scope all = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct policy_scope scope = {0};
        struct policy_fault fault;

        assert_int_equal(policy_scope_add_seed(&scope, cases[i].pattern, &fault), ERR_NONE);
        assert_int_equal(policy_scope_covers(&scope, span_string(cases[i].seed)), cases[i].covered);
        policy_scope_clear(&scope);
    }
    assert_true(policy_scope_covers(&all, SPAN_LITERAL("anything")));
    assert_true(policy_scope_covers(&all, (struct span){0}));
}

static void any_of_several_patterns_is_enough(void **state)
{
    struct policy_scope scope = {0};
    struct policy_fault fault;

    (void)state;
    assert_int_equal(policy_scope_add_seed(&scope, "a:*", &fault), ERR_NONE);
    assert_int_equal(policy_scope_add_seed(&scope, "b", &fault), ERR_NONE);
    assert_true(policy_scope_covers(&scope, SPAN_LITERAL("a:1")));
    assert_true(policy_scope_covers(&scope, SPAN_LITERAL("b")));
    assert_false(policy_scope_covers(&scope, SPAN_LITERAL("c")));
    policy_scope_clear(&scope);
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
        {"",                 false},
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
        struct policy_scope scope = {0};
        struct policy_fault fault = {0};

        assert_int_equal(policy_scope_add_seed(&scope, cases[i].pattern, &fault),
                         cases[i].allowed ? ERR_NONE : ERR_CONFIG);
        assert_int_equal(scope.seeds.count, cases[i].allowed);
        assert_true(cases[i].allowed || strcmp(fault.key, "seeds") == 0);
        policy_scope_clear(&scope);
    }
}

static void it_is_for_the_tokens_it_names(void **state)
{
    static const char *const others[] = {"worker-2", "worker-11", "worker-", "Worker-1", ""};
    const struct policy_scope all = {0};
    struct policy_scope scope = {0};
    struct policy_fault fault;
    struct principal p = principal_named(PRINCIPAL_TOKEN, "worker-1");

    (void)state;
    assert_int_equal(policy_scope_add_token(&scope, "first", &fault), ERR_NONE);
    assert_int_equal(policy_scope_add_token(&scope, "worker-1", &fault), ERR_NONE);
    assert_true(policy_scope_is_for(&scope, &p));
    assert_true(policy_scope_is_for(&all, &p));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        p = principal_named(PRINCIPAL_TOKEN, others[i]);
        assert_false(policy_scope_is_for(&scope, &p));
        assert_true(policy_scope_is_for(&all, &p));
    }
    policy_scope_clear(&scope);
}

static void names_of_tokens_are_plain(void **state)
{
    static const char *const wrong[] = {"", "a b", "a/b", "a\n", "caf\xc3\xa9", "*"};
    char name[PRINCIPAL_NAME_MAX + 2];
    struct policy_scope scope = {0};
    struct policy_fault fault = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(policy_scope_add_token(&scope, wrong[i], &fault), ERR_CONFIG);
    memset(name, 'n', sizeof name);
    name[PRINCIPAL_NAME_MAX + 1] = '\0';
    assert_int_equal(policy_scope_add_token(&scope, name, &fault), ERR_CONFIG);
    assert_string_equal(fault.key, "tokens");
    assert_int_equal(scope.tokens.count, 0);
    assert_int_equal(policy_scope_add_token(&scope, name + 1, &fault), ERR_NONE);
    assert_int_equal(policy_scope_add_token(&scope, "aZ09._:-", &fault), ERR_NONE);
    policy_scope_clear(&scope);
}

static void lists_and_patterns_have_a_limit(void **state)
{
    char pattern[POLICY_SEED_PATTERN_MAX + 2];
    struct policy_scope scope = {0};
    struct policy_fault fault = {0};

    (void)state;
    memset(pattern, 's', sizeof pattern);
    pattern[POLICY_SEED_PATTERN_MAX + 1] = '\0';
    assert_int_equal(policy_scope_add_seed(&scope, pattern, &fault), ERR_CONFIG);
    for (int i = 0; i < POLICY_SCOPE_MAX; i++) {
        assert_int_equal(policy_scope_add_seed(&scope, pattern + 1, &fault), ERR_NONE);
        assert_int_equal(policy_scope_add_token(&scope, "t", &fault), ERR_NONE);
    }
    assert_int_equal(policy_scope_add_seed(&scope, "s", &fault), ERR_CONFIG);
    assert_string_equal(fault.key, "seeds");
    assert_int_equal(policy_scope_add_token(&scope, "t", &fault), ERR_CONFIG);
    assert_string_equal(fault.key, "tokens");
    policy_scope_clear(&scope);
}

static void a_copy_stands_by_itself(void **state)
{
    struct policy_scope scope = {.allow_plain = true};
    struct policy_scope copy = {0};
    struct policy_fault fault;

    (void)state;
    assert_int_equal(policy_scope_add_seed(&scope, "a", &fault), ERR_NONE);
    assert_int_equal(policy_scope_add_token(&scope, "t", &fault), ERR_NONE);
    assert_int_equal(policy_scope_copy(&scope, &copy), ERR_NONE);
    policy_scope_clear(&scope);
    assert_int_equal(scope.seeds.count + scope.tokens.count, 0);
    assert_false(scope.allow_plain);
    assert_true(copy.allow_plain);
    assert_string_equal(copy.seeds.items[0], "a");
    assert_string_equal(copy.tokens.items[0], "t");
    policy_scope_clear(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_are_covered_exactly_or_by_prefix),
        cmocka_unit_test(any_of_several_patterns_is_enough),
        cmocka_unit_test(a_pattern_ends_between_two_parts),
        cmocka_unit_test(it_is_for_the_tokens_it_names),
        cmocka_unit_test(names_of_tokens_are_plain),
        cmocka_unit_test(lists_and_patterns_have_a_limit),
        cmocka_unit_test(a_copy_stands_by_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
