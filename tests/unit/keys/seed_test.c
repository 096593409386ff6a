#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "keys/seed.h"

#define AB8 "abababababababab"
#define HASH AB8 AB8 AB8 AB8

static void repositories_normalise_as_outlayer(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"https://github.com/alice/project",   "github.com/alice/project" }, /* spec: OutLayer 4.2 */
        {"ssh://git@github.com/alice/project", "github.com/alice/project" },
        {"git@github.com:alice/project",       "github.com/alice/project" },
        {"github.com/alice/project.git",       "github.com/alice/project" },
        {"gitlab.com/alice/project",           "gitlab.com/alice/project" },
        {"http://github.com/alice/project",    "github.com/alice/project" },
        {" \t github.com/alice/project \r\n",  "github.com/alice/project" },
        {"https://git@github.com:a:b.git",     "github.com/a/b"           },
        {"GitHub.com/Alice/Project",           "GitHub.com/Alice/Project" }, /* no case folding */
        {"github.com/alice/project/",          "github.com/alice/project/"}, /* no slash removed */
        {"https://http://a/b",                 "http://a/b"               }, /* only one scheme */
        {"a/b.git.git",                        "a/b.git"                  }, /* only one suffix */
        {"HTTPS://a/b",                        "HTTPS://a/b"              },
    };
    char out[SEED_MAX_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(repo_normalise(span_string(cases[i].in), out, sizeof out), ERR_NONE);
        assert_string_equal(out, cases[i].out);
    }
}

static void repositories_without_a_clean_name_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "   ",
        "https://",
        "ssh://git@",
        ".git",
        "git@.git",
        "a b/c",
        "a/b\nc",
        "a/\x7f",
        "a/\x01",
        "a/\xff",
        "a/\xc0\xaf",
        "a/\xed\xa0\x80",
        "a/\xc2\x85",
        "a/\xe2\x82",
        "a/\xf4\x90\x80\x80",
        "a/\x80",
        "a/\xc2\xc0",
        "a/\xe0\x9f\xbf",
        "a/\xe2\x82\x7f",
        "a/\xf0\x8f\xbf\xbf",
    };
    static uint8_t longest[SEED_MAX_SIZE + 1];
    char out[SEED_MAX_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(repo_normalise(span_string(bad[i]), out, sizeof out), ERR_MALFORMED);
    assert_int_equal(repo_normalise(span_of("a\0b", 3), out, sizeof out), ERR_MALFORMED);
    memset(longest, 'a', sizeof longest);
    assert_int_equal(repo_normalise(SPAN_OF(longest), out, sizeof out), ERR_TOO_LARGE);
    assert_int_equal(repo_normalise(SPAN_LITERAL("abcd"), out, 4), ERR_TOO_LARGE);
    assert_int_equal(repo_normalise(SPAN_LITERAL("abc"), out, 4), ERR_NONE);
}

/* The first and the last of each size, and next to the surrogates: Unicode table 3-7. */
static void every_size_of_utf8_is_text(void **state)
{
    static const char *const texts[] = {
        "a/\xc2\xa0",         "a/\xdf\xbf",         "a/\xe0\xa0\x80", "a/\xec\xbf\xbf",
        "a/\xed\x9f\xbf",     "a/\xee\x80\x80",     "a/\xef\xbf\xbd", "a/\xf0\x90\x80\x80",
        "a/\xf3\xbf\xbf\xbf", "a/\xf4\x8f\xbf\xbf",
    };
    static uint8_t longest[SEED_MAX_SIZE];
    char out[SEED_MAX_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(repo_normalise(span_string(texts[i]), out, sizeof out), ERR_NONE);
        assert_string_equal(out, texts[i]);
    }
    memset(longest, 'a', sizeof longest);
    assert_int_equal(repo_normalise(SPAN_OF(longest), out, sizeof out), ERR_NONE);
    assert_int_equal(strlen(out), SEED_MAX_SIZE);
}

struct seed_case {
    enum accessor_kind kind;
    const char *name, *branch, *owner, *profile, *seed;
};

MUST_CHECK static enum err build(const struct seed_case *c, char out[SEED_MAX_SIZE + 1])
{
    const struct accessor a = {
        .kind = c->kind,
        .name = span_string(c->name),
        .branch = span_string(c->branch),
        .owner = span_string(c->owner),
        .profile = span_string(c->profile),
    };

    return seed_build(&a, out, SEED_MAX_SIZE + 1);
}

#define REPO ACCESSOR_REPO
#define WASM ACCESSOR_WASM_HASH
#define PROJ ACCESSOR_PROJECT
#define SYST ACCESSOR_SYSTEM

/* spec: OutLayer 5.6, with the seeds of 5.2. */
static void seeds_are_those_of_outlayer(void **state)
{
    static const struct seed_case cases[] = {
        {REPO, "https://github.com/alice/project", NULL,   "alice.near", "any",
         "github.com/alice/project:alice.near"                                                                       },
        {REPO, "git@github.com:alice/project.git", "main", "alice.near", NULL,
         "github.com/alice/project:alice.near:main"                                                                  },
        {REPO, "host:8443/a/b",                    "v1/x", "a_b-c.d",    NULL,      "host:8443/a/b:a_b-c.d:v1/x"     },
        {WASM, HASH,                               NULL,   "alice.near", NULL,      "wasm_hash:" HASH ":alice.near"  },
        {PROJ, "alice.near/my-app",                NULL,   "alice.near", "default",
         "project:alice.near/my-app:alice.near"                                                                      },
        {SYST, "payment_key",                      NULL,   "alice.near", "1",       "system:payment_key:alice.near:1"},
    };
    char out[SEED_MAX_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(build(&cases[i], out), ERR_NONE);
        assert_string_equal(out, cases[i].seed);
    }
}

/* Each would give a seed that another accessor has, or could be read in two ways. */
static void seeds_that_could_meet_are_refused(void **state)
{
    static const struct seed_case cases[] = {
        {REPO,                  "a:b",                 NULL,         "cc",            NULL,                    NULL}, /* "a" of owner "b", branch "cc" */
        {REPO,                  "aa",                  "b:c",        "owner",         NULL,                    NULL},
        {REPO,                  "aa",                  NULL,         "bb:cc",         NULL,                    NULL},
        {REPO,                  "host:12x/a",          NULL,         "bb",            NULL,                    NULL}, /* not a port */
        {REPO,                  "host:/a",             NULL,         "bb",            NULL,                    NULL},
        {REPO,                  "host:1234",           NULL,         "bb",            NULL,                    NULL}, /* a port and no path: an owner "1234" */
        {REPO,                  "host/x:1234/a",       NULL,         "bb",            NULL,                    NULL}, /* not after the host */
        {REPO,                  "host:1/a:2/b",        NULL,         "bb",            NULL,                    NULL},
        {REPO,                  ":1/a",                NULL,         "bb",            NULL,                    NULL},
        {REPO,                  "wasm_hash",           "alice.near", HASH,            NULL,                    NULL}, /* WasmHash of alice.near */
        {REPO,                  "project",             "bob.near",   "alice.near",    NULL,                    NULL},
        {REPO,                  "project:1234/x",      NULL,         "alice.near",    NULL,                    NULL},
        {REPO,                  "https://project.git", NULL,         "alice.near",    NULL,                    NULL},
        {REPO,                  "system",              "1",          "payment_key",   NULL,                    NULL},
        {REPO,                  "storage",             "alice.near", "proj_a1b2c3d4", NULL,                    NULL},
        {REPO,                  "wallet",              "near",       "w1",            NULL,                    NULL},
        {REPO,                  "keystore-ckd",        NULL,         "alice.near",    NULL,                    NULL}, /* the prefix, without a prefix */
        {PROJ,                  "alice.near",          NULL,         "bob.near",      NULL,                    NULL},
        {PROJ,                  "alice.near/",         NULL,         "bob.near",      NULL,                    NULL},
        {PROJ,                  "alice.near/a:b",      NULL,         "bob.near",      NULL,                    NULL},
        {PROJ,                  "Alice/app",           NULL,         "bob.near",      NULL,                    NULL},
        {PROJ,                  "/app",                NULL,         "bob.near",      NULL,                    NULL},
        {PROJ,                  "alice.near/app",      "main",       "bob.near",      NULL,                    NULL},
        {WASM,                  "ab",                  NULL,         "bob.near",      NULL,                    NULL},
        {WASM,                  HASH "ab",             NULL,         "bob.near",      NULL,                    NULL},
        {WASM,
         "AB"
         "ababababababab" AB8 AB8 AB8,
         NULL,                                                       "bob.near",      NULL,                    NULL},
        {WASM,                  HASH,                  "main",       "bob.near",      NULL,                    NULL},
        {SYST,                  "payment_key",         NULL,         "bob.near",      "0",                     NULL},
        {SYST,                  "payment_key",         NULL,         "bob.near",      "01",                    NULL},
        {SYST,                  "payment_key",         NULL,         "bob.near",      "",                      NULL},
        {SYST,                  "payment_key",         NULL,         "bob.near",      "1:2",                   NULL},
        {SYST,                  "payment_key",         NULL,         "bob.near",      "+1",                    NULL},
        {SYST,                  "payment_key",         NULL,         "bob.near",      "123456789012345678901", NULL},
        {SYST,                  "PaymentKey",          NULL,         "bob.near",      "1",                     NULL},
        {SYST,                  "payment_key",         "main",       "bob.near",      "1",                     NULL},
        {(enum accessor_kind)4, "a/b",                 NULL,         "bob.near",      NULL,                    NULL},
    };
    char out[SEED_MAX_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(build(&cases[i], out), ERR_MALFORMED);
}

static void owners_that_are_no_account_are_refused(void **state)
{
    static const char *const bad[] = {
        "",     "a",  "A.near", "alice near", "alice.near ", ".near",        "near.",  "a..b",
        "a._b", "a-", "-a",     "a/b",        "@worker",     "alic\xc3\xa9", HASH "a",
    };
    char out[SEED_MAX_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const struct seed_case c = {REPO, "a/b", NULL, bad[i], NULL, NULL};

        assert_int_equal(build(&c, out), ERR_MALFORMED);
    }
    assert_int_equal(build(&(struct seed_case){REPO, "a/b", NULL, HASH, NULL, NULL}, out),
                     ERR_NONE);
}

static void branches_with_spaces_or_control_bytes_are_refused(void **state)
{
    static const char *const bad[] = {" ", "a b", "a\tb", "\n", "\x7f", "\xff"};
    char out[SEED_MAX_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const struct seed_case c = {REPO, "a/b", bad[i], "alice.near", NULL, NULL};

        assert_int_equal(build(&c, out), ERR_MALFORMED);
    }
}

static void seeds_beyond_the_limit_are_refused(void **state)
{
    static char repo[SEED_MAX_SIZE + 1];
    const struct seed_case c = {REPO, repo, NULL, "alice.near", NULL, NULL};
    struct accessor a = {.kind = REPO, .name = SPAN_LITERAL("a/b"), .owner = SPAN_LITERAL("cc")};
    char out[SEED_MAX_SIZE + 1];

    (void)state;
    memset(repo, 'r', SEED_MAX_SIZE - sizeof ":alice.near" + 1);
    assert_int_equal(build(&c, out), ERR_NONE);
    assert_int_equal(strlen(out), SEED_MAX_SIZE);
    repo[strlen(repo)] = 'r';
    assert_int_equal(build(&c, out), ERR_TOO_LARGE);
    memset(repo, 'r', SEED_MAX_SIZE);
    assert_int_equal(build(&c, out), ERR_TOO_LARGE);
    assert_int_equal(seed_build(&a, out, sizeof "a/b:cc"), ERR_NONE);
    assert_int_equal(seed_build(&a, out, sizeof "a/b:cc" - 1), ERR_TOO_LARGE);
}

static void opaque_seeds_are_short_clean_text(void **state)
{
    static uint8_t longest[SEED_MAX_SIZE + 1];
    static const char *const bad[] = {"", "a\nb", "\x7f", "\xff", "\xc2\x80", "a\xe2\x82"};

    (void)state;
    memset(longest, 'a', sizeof longest);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(seed_check(span_string(bad[i])), ERR_MALFORMED);
    assert_int_equal(seed_check(span_of("a\0", 2)), ERR_MALFORMED);
    assert_int_equal(seed_check(SPAN_OF(longest)), ERR_TOO_LARGE);
    assert_int_equal(seed_check(span_of(longest, SEED_MAX_SIZE)), ERR_NONE);
    assert_int_equal(seed_check(SPAN_LITERAL("any words: here \xe2\x82\xac")), ERR_NONE);
}

static void reserved_names_match_exactly(void **state)
{
    static const struct {
        const char *name;
        bool reserved, protected;
    } cases[] = {
        {"NEAR_SENDER_ID",           true,  false},
        {"NEAR_REQUEST_ID",          true,  false},
        {"NEAR_RPC_PROXY_AVAILABLE", true,  false},
        {"WALLET_ID",                true,  false},
        {"near_sender_id",           false, false},
        {"NEAR_SENDER_ID ",          false, false},
        {"NEAR_SENDER_I",            false, false},
        {"",                         false, false},
        {"PROTECTED_",               false, true },
        {"PROTECTED_KEY",            false, true },
        {"PROTECTED",                false, false},
        {"protected_KEY",            false, false},
        {"MY_PROTECTED_KEY",         false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(secret_name_is_reserved(span_string(cases[i].name)), cases[i].reserved);
        assert_int_equal(secret_name_is_protected(span_string(cases[i].name)), cases[i].protected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repositories_normalise_as_outlayer),
        cmocka_unit_test(repositories_without_a_clean_name_are_refused),
        cmocka_unit_test(every_size_of_utf8_is_text),
        cmocka_unit_test(seeds_are_those_of_outlayer),
        cmocka_unit_test(seeds_that_could_meet_are_refused),
        cmocka_unit_test(owners_that_are_no_account_are_refused),
        cmocka_unit_test(branches_with_spaces_or_control_bytes_are_refused),
        cmocka_unit_test(seeds_beyond_the_limit_are_refused),
        cmocka_unit_test(opaque_seeds_are_short_clean_text),
        cmocka_unit_test(reserved_names_match_exactly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
