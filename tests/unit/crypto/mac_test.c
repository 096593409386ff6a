#include "unit/crypto/cases.h"

#include "crypto/hash.h"
#include "crypto/mac.h"
#include "crypto/random.h"

static int start(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE ? 0 : -1;
}

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY_SHA384                                                                               \
    "38b060a751ac96384cd9327eb1b1e36a21fdb71114be0743"                                             \
    "4c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b"
#define EMPTY_SHA512                                                                               \
    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"                             \
    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
#define ABC_SHA384                                                                                 \
    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"                                             \
    "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
#define ABC_SHA512                                                                                 \
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                             \
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

/* FIPS 180-2 appendices B.1, C.1, D.1 ("abc"), and the empty message. */
static void hashes_are_those_of_fips_180(void **state)
{
    static const struct {
        const char *message, *sha256, *sha384, *sha512;
    } cases[] = {
        {"",    EMPTY_SHA256, EMPTY_SHA384, EMPTY_SHA512},
        {"abc", ABC_SHA256,   ABC_SHA384,   ABC_SHA512  },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span message = span_string(cases[i].message);
        uint8_t digest[SHA512_SIZE];
        char text[2 * SHA512_SIZE + 1];

        sha256(message, digest);
        hex_write(span_of(digest, SHA256_SIZE), text);
        assert_string_equal(text, cases[i].sha256);
        sha384(message, digest);
        hex_write(span_of(digest, SHA384_SIZE), text);
        assert_string_equal(text, cases[i].sha384);
        sha512(message, digest);
        hex_write(span_of(digest, SHA512_SIZE), text);
        assert_string_equal(text, cases[i].sha512);
    }
}

/* FIPS 180-2 appendix B.3: a million times "a"; also, any division into parts is the same. */
static void parts_hash_as_their_concatenation(void **state)
{
    static uint8_t many[1000000];
    uint8_t whole[SHA512_SIZE];
    uint8_t split[SHA512_SIZE];
    char text[2 * SHA256_SIZE + 1];

    (void)state;
    memset(many, 'a', sizeof many);
    sha256(SPAN_OF(many), whole);
    hex_write(span_of(whole, SHA256_SIZE), text);
    assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    for (size_t cut = 0; cut <= 200; cut++) {
        struct span parts[] = {
            {many,       cut      },
            {NULL,       0        },
            {many + cut, 200 - cut}
        };

        sha256(span_of(many, 200), whole);
        sha256_parts(parts, COUNT_OF(parts), split);
        assert_memory_equal(whole, split, SHA256_SIZE);
        sha512(span_of(many, 200), whole);
        sha512_parts(parts, COUNT_OF(parts), split);
        assert_memory_equal(whole, split, SHA512_SIZE);
    }
}

static void check_hmac(const json_t *group, const json_t *c)
{
    struct buffer key = case_bytes(c, "key");
    struct buffer message = case_bytes(c, "msg");
    struct buffer tag = case_bytes(c, "tag");
    struct span whole = buffer_span(&message);
    uint8_t out[HMAC_SHA256_SIZE];

    (void)group;
    assert_true(tag.size > 0 && tag.size <= sizeof out);
    hmac_sha256(buffer_span(&key), &whole, 1, out);
    assert_int_equal(bytes_equal_ct(out, tag.data, tag.size), case_is(c, "result", "valid"));
    buffer_clear(&key);
    buffer_clear(&message);
    buffer_clear(&tag);
}

static void hmac_agrees_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("hmac/hmac_sha256_test.json", check_hmac);
}

/* RFC 4231 sections 4.2, 4.3 and 4.7 (a key longer than a block). */
static void hmac_agrees_with_rfc_4231(void **state)
{
    static uint8_t long_key[131];
    static const uint8_t short_key[20] = {0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b,
                                          0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b,
                                          0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b};
    const struct {
        struct span key;
        const char *message, *tag;
    } cases[] = {
        {SPAN_OF(short_key),   "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {SPAN_LITERAL("Jefe"), "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {SPAN_OF(long_key),    "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };

    (void)state;
    memset(long_key, 0xaa, sizeof long_key);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span message = span_string(cases[i].message);
        uint8_t tag[HMAC_SHA256_SIZE];
        char text[2 * HMAC_SHA256_SIZE + 1];

        hmac_sha256(cases[i].key, &message, 1, tag);
        hex_write(SPAN_OF(tag), text);
        assert_string_equal(text, cases[i].tag);
    }
}

/* RFC 5869 appendix A.1, whose PRK is published too, and A.3 (no salt, no info). */
static void hkdf_agrees_with_rfc_5869(void **state)
{
    uint8_t ikm[22];
    uint8_t salt[13];
    uint8_t info[10];
    uint8_t prk[HMAC_SHA256_SIZE];
    uint8_t okm[42];
    char text[2 * 42 + 1];

    (void)state;
    memset(ikm, 0x0b, sizeof ikm);
    hex_bytes("000102030405060708090a0b0c", salt, sizeof salt);
    hex_bytes("f0f1f2f3f4f5f6f7f8f9", info, sizeof info);
    hkdf_sha256_extract(SPAN_OF(salt), SPAN_OF(ikm), prk);
    hex_write(SPAN_OF(prk), text);
    assert_string_equal(text, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    assert_int_equal(hkdf_sha256_expand(prk, SPAN_OF(info), okm, sizeof okm), ERR_NONE);
    hex_write(SPAN_OF(okm), text);
    assert_string_equal(text, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf3400"
                              "7208d5b887185865");
    assert_int_equal(hkdf_sha256((struct span){0}, SPAN_OF(ikm), (struct span){0}, okm, sizeof okm),
                     ERR_NONE);
    hex_write(SPAN_OF(okm), text);
    assert_string_equal(text, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d20"
                              "1395faa4b61a96c8");
}

static void check_hkdf(const json_t *group, const json_t *c)
{
    struct buffer ikm = case_bytes(c, "ikm");
    struct buffer salt = case_bytes(c, "salt");
    struct buffer info = case_bytes(c, "info");
    struct buffer okm = case_bytes(c, "okm");
    size_t size = (size_t)json_integer_value(json_object_get(c, "size"));
    struct buffer out = {0};
    enum err e;

    (void)group;
    assert_int_equal(buffer_reserve(&out, size), ERR_NONE);
    e = hkdf_sha256(buffer_span(&salt), buffer_span(&ikm), buffer_span(&info), out.data, size);
    if (case_is(c, "result", "valid")) {
        assert_int_equal(e, ERR_NONE);
        assert_int_equal(okm.size, size);
        assert_memory_equal(out.data, okm.data, size);
    } else {
        assert_int_equal(e, ERR_TOO_LARGE);
    }
    buffer_clear(&ikm);
    buffer_clear(&salt);
    buffer_clear(&info);
    buffer_clear(&okm);
    buffer_clear(&out);
}

static void hkdf_agrees_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("hkdf/hkdf_sha256_test.json", check_hkdf);
}

static void hkdf_refuses_more_than_it_can_give(void **state)
{
    static uint8_t out[HKDF_MAX_SIZE + 1];

    (void)state;
    assert_int_equal(
        hkdf_sha256((struct span){0}, (struct span){0}, (struct span){0}, out, HKDF_MAX_SIZE),
        ERR_NONE);
    assert_int_equal(
        hkdf_sha256((struct span){0}, (struct span){0}, (struct span){0}, out, HKDF_MAX_SIZE + 1),
        ERR_TOO_LARGE);
    assert_int_equal(out[HKDF_MAX_SIZE], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_fips_180),
        cmocka_unit_test(parts_hash_as_their_concatenation),
        cmocka_unit_test(hmac_agrees_with_rfc_4231),
        cmocka_unit_test(hmac_agrees_with_wycheproof),
        cmocka_unit_test(hkdf_agrees_with_rfc_5869),
        cmocka_unit_test(hkdf_agrees_with_wycheproof),
        cmocka_unit_test(hkdf_refuses_more_than_it_can_give),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
