#include "unit/crypto/cases.h"

#include "crypto/aes_gcm.h"
#include "crypto/random.h"

static size_t opened;

/* Keys of 24 bytes and nonces of other sizes than 12 are valid AES-GCM. This interface has none. */
static bool has_our_sizes(struct span key, struct span nonce)
{
    return (key.size == 16 || key.size == 32) && nonce.size == AES_GCM_NONCE_SIZE;
}

static void check(const json_t *group, const json_t *c)
{
    struct buffer key = case_bytes(c, "key");
    struct buffer nonce = case_bytes(c, "iv");
    struct buffer aad = case_bytes(c, "aad");
    struct buffer message = case_bytes(c, "msg");
    struct buffer sealed = case_bytes(c, "ct");
    uint8_t out[1024];
    bool valid = case_is(c, "result", "valid");

    (void)group;
    vectors_hex(c, "tag", &sealed);
    assert_true(sealed.size <= sizeof out);
    if (has_our_sizes(buffer_span(&key), buffer_span(&nonce))) {
        assert_int_equal(aes_gcm_open(buffer_span(&key), nonce.data, buffer_span(&aad),
                                      buffer_span(&sealed), out),
                         valid ? ERR_NONE : ERR_CRYPTO);
        if (valid)
            assert_true(span_equal(span_of(out, message.size), buffer_span(&message)));
        else
            assert_true(span_is_zero(span_of(out, sealed.size - AES_GCM_TAG_SIZE)));
        assert_int_equal(aes_gcm_seal(buffer_span(&key), nonce.data, buffer_span(&aad),
                                      buffer_span(&message), out),
                         ERR_NONE);
        assert_int_equal(span_equal(span_of(out, sealed.size), buffer_span(&sealed)), valid);
        opened += valid;
    }
    buffer_clear(&key);
    buffer_clear(&nonce);
    buffer_clear(&aad);
    buffer_clear(&message);
    buffer_clear(&sealed);
}

static void agrees_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("aes_gcm/aes_gcm_test.json", check);
    assert_true(opened > 50);
}

static void nothing_near_a_sealed_text_opens(void **state)
{
    const struct span key = SPAN_LITERAL("0123456789abcdef0123456789abcdef");
    const uint8_t nonce[AES_GCM_NONCE_SIZE] = {1};
    uint8_t sealed[20 + AES_GCM_TAG_SIZE];
    uint8_t out[sizeof sealed];

    (void)state;
    assert_int_equal(
        aes_gcm_seal(key, nonce, SPAN_LITERAL("aad"), SPAN_LITERAL("twenty bytes of text"), sealed),
        ERR_NONE);
    for (size_t size = 0; size < sizeof sealed; size++)
        assert_int_equal(aes_gcm_open(key, nonce, SPAN_LITERAL("aad"), span_of(sealed, size), out),
                         ERR_CRYPTO);
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(aes_gcm_open(key, nonce, SPAN_LITERAL("aad"), SPAN_OF(sealed), out),
                         ERR_CRYPTO);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(aes_gcm_open(key, nonce, SPAN_LITERAL("aae"), SPAN_OF(sealed), out),
                     ERR_CRYPTO);
    assert_int_equal(
        aes_gcm_open(span_slice(key, 0, 16), nonce, SPAN_LITERAL("aad"), SPAN_OF(sealed), out),
        ERR_CRYPTO);
    assert_int_equal(aes_gcm_open(key, nonce, SPAN_LITERAL("aad"), SPAN_OF(sealed), out), ERR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_wycheproof),
        cmocka_unit_test(nothing_near_a_sealed_text_opens),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
