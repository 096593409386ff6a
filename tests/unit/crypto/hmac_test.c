#include "unit/crypto/cases.h"

#include "crypto/hmac.h"
#include "crypto/random.h"

static enum digest digest_in_use;

static void check_hmac(const json_t *group, const json_t *c)
{
    struct buffer key = case_bytes(c, "key");
    struct buffer message = case_bytes(c, "msg");
    struct buffer tag = case_bytes(c, "tag");
    const struct span half[] = {
        span_slice(buffer_span(&message), 0, message.size / 2),
        span_slice(buffer_span(&message), message.size / 2, message.size),
    };
    uint8_t out[DIGEST_MAX_SIZE];

    (void)group;
    hmac(digest_in_use, buffer_span(&key), half, COUNT_OF(half), out);
    assert_int_equal(bytes_equal_ct(out, tag.data, tag.size), case_is(c, "result", "valid"));
    buffer_clear(&key);
    buffer_clear(&message);
    buffer_clear(&tag);
}

static void hmac_agrees_with_wycheproof(void **state)
{
    (void)state;
    digest_in_use = DIGEST_SHA256;
    wycheproof("hmac/hmac_sha256_test.json", check_hmac);
    digest_in_use = DIGEST_SHA512;
    wycheproof("hmac/hmac_sha512_test.json", check_hmac);
}

/* RFC 4231 sections 4.2 and 4.7: a short key, and one longer than a block. */
static void hmac_with_sha384_agrees_with_rfc_4231(void **state)
{
    uint8_t key[131];
    uint8_t tag[48];
    uint8_t expected[48];
    struct span text = SPAN_LITERAL("Hi There");

    (void)state;
    memset(key, 0x0b, 20);
    hmac(DIGEST_SHA384, span_of(key, 20), &text, 1, tag);
    hex_bytes("afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
              "faea9ea9076ede7f4af152e8b2fa9cb6",
              expected, sizeof expected);
    assert_memory_equal(tag, expected, sizeof tag);
    memset(key, 0xaa, sizeof key);
    text = SPAN_LITERAL("Test Using Larger Than Block-Size Key - Hash Key First");
    hmac(DIGEST_SHA384, SPAN_OF(key), &text, 1, tag);
    hex_bytes("4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
              "0c2ef6ab4030fe8296248df163f44952",
              expected, sizeof expected);
    assert_memory_equal(tag, expected, sizeof tag);
}

static void check_pbkdf2(const json_t *group, const json_t *c)
{
    struct buffer password = case_bytes(c, "password");
    struct buffer salt = case_bytes(c, "salt");
    struct buffer expected = case_bytes(c, "dk");
    uint8_t out[PBKDF2_SIZE_MAX];

    (void)group;
    assert_int_equal(json_integer_value(json_object_get(c, "dkLen")), expected.size);
    assert_int_equal(pbkdf2(digest_in_use, buffer_span(&password), buffer_span(&salt),
                            (uint32_t)json_integer_value(json_object_get(c, "iterationCount")), out,
                            expected.size),
                     ERR_NONE);
    assert_memory_equal(out, expected.data, expected.size);
    buffer_clear(&password);
    buffer_clear(&salt);
    buffer_clear(&expected);
}

static void pbkdf2_agrees_with_wycheproof(void **state)
{
    (void)state;
    digest_in_use = DIGEST_SHA256;
    wycheproof("pbkdf2/pbkdf2_hmacsha256_test.json", check_pbkdf2);
    digest_in_use = DIGEST_SHA512;
    wycheproof("pbkdf2/pbkdf2_hmacsha512_test.json", check_pbkdf2);
}

static void pbkdf2_refuses_numbers_outside_its_limits(void **state)
{
    static uint8_t out[PBKDF2_SIZE_MAX + 1];
    static const struct {
        uint32_t iterations;
        size_t size;
        enum err e;
    } cases[] = {
        {1,                         1,                   ERR_NONE     },
        {1,                         PBKDF2_SIZE_MAX,     ERR_NONE     },
        {0,                         1,                   ERR_TOO_LARGE},
        {PBKDF2_ITERATIONS_MAX + 1, 1,                   ERR_TOO_LARGE},
        {UINT32_MAX,                1,                   ERR_TOO_LARGE},
        {1,                         0,                   ERR_TOO_LARGE},
        {1,                         PBKDF2_SIZE_MAX + 1, ERR_TOO_LARGE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(pbkdf2(DIGEST_SHA256, SPAN_LITERAL("p"), SPAN_LITERAL("s"),
                                cases[i].iterations, out, cases[i].size),
                         cases[i].e);
}

/* FIPS 180-4 examples: "abc". */
#define SHA1_ABC "a9993e364706816aba3e25717850c26c9cd0d89d"
#define SHA256_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA384_ABC                                                                                 \
    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"                                             \
    "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
#define SHA512_ABC                                                                                 \
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                             \
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void digests_have_their_names_and_sizes(void **state)
{
    static const struct {
        enum digest digest;
        const char *name;
        const char *abc;
    } cases[] = {
        {DIGEST_SHA1,   "SHA-1",   SHA1_ABC  },
        {DIGEST_SHA256, "SHA-256", SHA256_ABC},
        {DIGEST_SHA384, "SHA-384", SHA384_ABC},
        {DIGEST_SHA512, "SHA-512", SHA512_ABC},
    };

    (void)state;
    assert_int_equal(digest_size(DIGEST_NONE), 0);
    assert_string_equal(digest_name(DIGEST_NONE), "none");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t out[DIGEST_MAX_SIZE];
        uint8_t expected[DIGEST_MAX_SIZE];
        size_t size = digest_size(cases[i].digest);

        assert_int_equal(2 * size, strlen(cases[i].abc));
        hex_bytes(cases[i].abc, expected, size);
        digest_of(cases[i].digest, SPAN_LITERAL("abc"), out);
        assert_memory_equal(out, expected, size);
        assert_string_equal(digest_name(cases[i].digest), cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_agrees_with_wycheproof),
        cmocka_unit_test(hmac_with_sha384_agrees_with_rfc_4231),
        cmocka_unit_test(pbkdf2_agrees_with_wycheproof),
        cmocka_unit_test(pbkdf2_refuses_numbers_outside_its_limits),
        cmocka_unit_test(digests_have_their_names_and_sizes),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
