#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <vouchsafe/vouchsafe.h>

#include "crypto/envelope.h"
#include "crypto/hash.h"

static const uint8_t private_key[X25519_SIZE] = {7, 8, 9};
static const char plain_text[] = "{\"API_KEY\":\"sk-1\"}";
static const struct vs_bytes plain = {plain_text, sizeof plain_text - 1};

static struct vs_public_key recipient(const char *seed, uint32_t version)
{
    struct vs_public_key key = {.version = version};

    x25519_public(private_key, key.key);
    assert_true(strlen(seed) < sizeof key.seed);
    memcpy(key.seed, seed, strlen(seed));
    return key;
}

MUST_CHECK static enum err open_as(struct span key_id, uint32_t version, struct span envelope)
{
    const struct envelope_context context = {.key_id = key_id, .key_version = version};
    struct secret *opened = NULL;
    enum err e = envelope_open(private_key, NULL, &context, envelope, &opened);

    if (e == ERR_NONE)
        assert_true(span_equal(secret_span(opened), span_string(plain_text)));
    secret_free(&opened);
    return e;
}

static void what_is_encrypted_opens_in_both_formats(void **state)
{
    static const enum vs_format formats[] = {VS_FORMAT_HPKE, VS_FORMAT_ECIES};
    const struct vs_public_key key = recipient("github.com/a/b:alice.near", 3);
    uint8_t envelope[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        size_t size = 0;

        assert_int_equal(vs_encrypt(&key, formats[i], plain, envelope, sizeof envelope, &size),
                         VS_OK);
        assert_int_equal(envelope[0], formats[i]);
        assert_int_equal(open_as(span_string(key.seed), 3, span_of(envelope, size)), ERR_NONE);
    }
}

static void hpke_binds_seed_and_version(void **state)
{
    const struct vs_public_key key = recipient("github.com/a/b:alice.near", 3);
    uint8_t envelope[256];
    size_t size = 0;

    (void)state;
    assert_int_equal(vs_encrypt(&key, VS_FORMAT_HPKE, plain, envelope, sizeof envelope, &size),
                     VS_OK);
    assert_int_equal(open_as(SPAN_LITERAL("github.com/a/b:bob.near"), 3, span_of(envelope, size)),
                     ERR_CRYPTO);
    assert_int_equal(open_as(span_string(key.seed), 4, span_of(envelope, size)), ERR_CRYPTO);
}

static void a_long_seed_is_bound_by_its_hash(void **state)
{
    char seed[300];
    uint8_t hash[SHA256_SIZE];
    uint8_t envelope[256];
    size_t size = 0;

    (void)state;
    memset(seed, 's', sizeof seed);
    seed[sizeof seed - 1] = '\0';
    const struct vs_public_key key = recipient(seed, 1);
    sha256(span_string(seed), hash);
    assert_int_equal(vs_encrypt(&key, VS_FORMAT_HPKE, plain, envelope, sizeof envelope, &size),
                     VS_OK);
    assert_int_equal(open_as(SPAN_OF(hash), 1, span_of(envelope, size)), ERR_NONE);
}

static void an_envelope_may_have_the_largest_size_and_no_more(void **state)
{
    struct vs_public_key key = recipient("a", 1);
    uint8_t *memory = calloc(2, VS_ENVELOPE_MAX);
    uint8_t *envelope = memory + VS_ENVELOPE_MAX;
    struct vs_bytes most = {memory, VS_ENVELOPE_MAX - ENVELOPE_ECIES_OVERHEAD};
    size_t size = 0;

    (void)state;
    assert_non_null(memory);
    assert_int_equal(vs_encrypt(&key, VS_FORMAT_ECIES, most, envelope, VS_ENVELOPE_MAX, &size),
                     VS_OK);
    assert_int_equal(size, VS_ENVELOPE_MAX);
    most.size++;
    assert_int_equal(vs_encrypt(&key, VS_FORMAT_ECIES, most, envelope, VS_ENVELOPE_MAX, &size),
                     VS_ERR_TOO_LARGE);
    free(memory);
}

static void what_cannot_be_encrypted_is_refused(void **state)
{
    struct vs_public_key key = recipient("a", 1);
    uint8_t envelope[256];
    size_t size = 77;

    (void)state;
    assert_int_equal(vs_encrypt(&key, VS_FORMAT_HPKE, plain, envelope, plain.size + 48, &size),
                     VS_ERR_TOO_LARGE);
    assert_int_equal(vs_encrypt(&key, (enum vs_format)3, plain, envelope, sizeof envelope, &size),
                     VS_ERR_UNSUPPORTED);
    assert_int_equal(vs_encrypt(&key, VS_FORMAT_HPKE, (struct vs_bytes){NULL, 1}, envelope,
                                sizeof envelope, &size),
                     VS_ERR_ARGUMENT);
    memset(key.seed, 'x', sizeof key.seed); /* no terminator */
    assert_int_equal(vs_encrypt(&key, VS_FORMAT_HPKE, plain, envelope, sizeof envelope, &size),
                     VS_ERR_ARGUMENT);
    key = recipient("a", 1);
    memset(key.key, 0, sizeof key.key); /* a point of low order */
    assert_int_equal(vs_encrypt(&key, VS_FORMAT_HPKE, plain, envelope, sizeof envelope, &size),
                     VS_ERR_CRYPTO);
    assert_int_equal(vs_encrypt(&key, VS_FORMAT_ECIES, plain, envelope, sizeof envelope, &size),
                     VS_ERR_CRYPTO);
    assert_int_equal(size, 77);
}

static void secrets_are_checked_without_being_repeated(void **state)
{
    static const struct {
        const char *json;
        enum vs_error expected;
    } cases[] = {
        {"{\"A\":\"1\",\"B\":\"\"}",              VS_OK           },
        {"{}",                                    VS_OK           },
        {"{\"A\":hidden}",                        VS_ERR_MALFORMED},
        {"{\"A\":1}",                             VS_ERR_MALFORMED},
        {"{\"A\":{\"B\":\"hidden\"}}",            VS_ERR_MALFORMED},
        {"{\"A\":\"hidden\",\"A\":\"hidden\"}",   VS_ERR_MALFORMED},
        {"[\"hidden\"]",                          VS_ERR_MALFORMED},
        {"{\"\":\"hidden\"}",                     VS_ERR_MALFORMED},
        {"{\"A\\u0000B\":\"hidden\"}",            VS_ERR_MALFORMED},
        {"",                                      VS_ERR_MALFORMED},
        {"{\"A\":\"hidden\"",                     VS_ERR_MALFORMED},
        {"{\"A\":\"hidden\"} x",                  VS_ERR_MALFORMED},
        {"{\"NEAR_SENDER_ID\":\"hidden\"}",       VS_ERR_RESERVED },
        {"{\"NEAR_\\u0053ENDER_ID\":\"hidden\"}", VS_ERR_RESERVED },
        {"{\"PROTECTED_X\":\"hidden\"}",          VS_ERR_RESERVED },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vs_why why = {0};
        const struct vs_bytes json = {cases[i].json, strlen(cases[i].json)};

        assert_int_equal(vs_secrets_check(json, &why), cases[i].expected);
        assert_int_equal(why.text[0] == '\0', cases[i].expected == VS_OK);
        assert_null(strstr(why.text, "hidden"));
    }
}

static void seeds_are_built_as_the_keystore_builds_them(void **state)
{
    char seed[VS_SEED_MAX + 1];

    (void)state;
    const struct vs_key_name repo = {
        .repo = "https://github.com/alice/project.git", .owner = "alice.near", .branch = "main"};
    assert_int_equal(vs_seed_build(&repo, seed, sizeof seed), VS_OK);
    assert_string_equal(seed, "github.com/alice/project:alice.near:main");
    const struct vs_key_name none = {0};
    assert_int_equal(vs_seed_build(&none, seed, sizeof seed), VS_OK);
    assert_string_equal(seed, "");
    const struct vs_key_name both = {.seed = "a", .repo = "b", .owner = "c"};
    assert_int_equal(vs_seed_build(&both, seed, sizeof seed), VS_ERR_ARGUMENT);
    const struct vs_key_name half = {.repo = "b"};
    assert_int_equal(vs_seed_build(&half, seed, sizeof seed), VS_ERR_ARGUMENT);
    const struct vs_key_name control = {.seed = "a\nb"};
    assert_int_equal(vs_seed_build(&control, seed, sizeof seed), VS_ERR_MALFORMED);
    const struct vs_key_name colon = {.repo = "github.com/a/b", .owner = "c:d"};
    assert_int_equal(vs_seed_build(&colon, seed, sizeof seed), VS_ERR_MALFORMED);
}

static int start(void **state)
{
    (void)state;
    return vs_start() == VS_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encrypted_opens_in_both_formats),
        cmocka_unit_test(hpke_binds_seed_and_version),
        cmocka_unit_test(a_long_seed_is_bound_by_its_hash),
        cmocka_unit_test(an_envelope_may_have_the_largest_size_and_no_more),
        cmocka_unit_test(what_cannot_be_encrypted_is_refused),
        cmocka_unit_test(secrets_are_checked_without_being_repeated),
        cmocka_unit_test(seeds_are_built_as_the_keystore_builds_them),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
