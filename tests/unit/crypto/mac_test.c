#include "unit/crypto/cases.h"

#include "crypto/mac.h"
#include "crypto/random.h"

static int start(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE ? 0 : -1;
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
        cmocka_unit_test(hmac_agrees_with_rfc_4231),
        cmocka_unit_test(hmac_agrees_with_wycheproof),
        cmocka_unit_test(hkdf_agrees_with_rfc_5869),
        cmocka_unit_test(hkdf_agrees_with_wycheproof),
        cmocka_unit_test(hkdf_refuses_more_than_it_can_give),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
