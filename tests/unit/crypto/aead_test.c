#include "unit/crypto/cases.h"

#include "crypto/aead.h"
#include "crypto/random.h"

static int start(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE ? 0 : -1;
}

static void check_aead(enum aead a, size_t nonce_size, const json_t *c)
{
    struct buffer key = case_bytes(c, "key");
    struct buffer nonce = case_bytes(c, "iv");
    struct buffer aad = case_bytes(c, "aad");
    struct buffer message = case_bytes(c, "msg");
    struct buffer sealed = case_bytes(c, "ct");
    struct buffer out = {0};
    bool valid = case_is(c, "result", "valid");

    vectors_hex(c, "tag", &sealed);
    assert_int_equal(buffer_reserve(&out, sealed.size + AEAD_TAG_SIZE), ERR_NONE);
    if (nonce.size != nonce_size) {
        assert_false(valid); /* our interface has no room for it */
    } else {
        enum err e =
            aead_open(a, key.data, nonce.data, buffer_span(&aad), buffer_span(&sealed), out.data);

        assert_int_equal(e, valid ? ERR_NONE : ERR_CRYPTO);
        if (valid && message.size > 0)
            assert_memory_equal(out.data, message.data, message.size);
        if (!valid)
            assert_true(span_is_zero(span_of(out.data, sealed.size - AEAD_TAG_SIZE)));
        aead_seal(a, key.data, nonce.data, buffer_span(&aad), buffer_span(&message), out.data);
        assert_int_equal(span_equal(span_of(out.data, sealed.size), buffer_span(&sealed)), valid);
    }
    buffer_clear(&key);
    buffer_clear(&nonce);
    buffer_clear(&aad);
    buffer_clear(&message);
    buffer_clear(&sealed);
    buffer_clear(&out);
}

static void check_chacha(const json_t *group, const json_t *c)
{
    (void)group;
    check_aead(AEAD_CHACHA20_POLY1305, AEAD_NONCE_SIZE, c);
}

static void check_xchacha(const json_t *group, const json_t *c)
{
    (void)group;
    check_aead(AEAD_XCHACHA20_POLY1305, AEAD_XNONCE_SIZE, c);
}

static void chacha20_poly1305_agrees_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("chacha20_poly1305/chacha20_poly1305_test.json", check_chacha);
}

static void xchacha20_poly1305_agrees_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("xchacha20_poly1305/xchacha20_poly1305_test.json", check_xchacha);
}

/* RFC 8439 section 2.8.2, and draft-irtf-cfrg-xchacha-03 appendix A.3.1: the tags of the published
 * examples. */
static void the_published_examples_seal_as_published(void **state)
{
    static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                               "only one tip for the future, sunscreen would be it.";
    uint8_t key[AEAD_KEY_SIZE];
    uint8_t nonce[AEAD_XNONCE_SIZE];
    uint8_t aad[12];
    uint8_t out[sizeof text - 1 + AEAD_TAG_SIZE];
    char tag[2 * AEAD_TAG_SIZE + 1];

    (void)state;
    hex_bytes("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", key, sizeof key);
    hex_bytes("070000004041424344454647", nonce, AEAD_NONCE_SIZE);
    hex_bytes("50515253c0c1c2c3c4c5c6c7", aad, sizeof aad);
    aead_seal(AEAD_CHACHA20_POLY1305, key, nonce, SPAN_OF(aad), span_of(text, sizeof text - 1),
              out);
    hex_write(span_of(out + sizeof text - 1, AEAD_TAG_SIZE), tag);
    assert_string_equal(tag, "1ae10b594f09e26a7e902ecbd0600691");
    hex_bytes("404142434445464748494a4b4c4d4e4f5051525354555657", nonce, sizeof nonce);
    aead_seal(AEAD_XCHACHA20_POLY1305, key, nonce, SPAN_OF(aad), span_of(text, sizeof text - 1),
              out);
    hex_write(span_of(out + sizeof text - 1, AEAD_TAG_SIZE), tag);
    assert_string_equal(tag, "c0875924c1c7987947deafd8780acf49");
}

static void every_change_and_every_prefix_is_refused(void **state)
{
    static const enum aead both[] = {AEAD_CHACHA20_POLY1305, AEAD_XCHACHA20_POLY1305};
    uint8_t key[AEAD_KEY_SIZE] = {1};
    uint8_t nonce[AEAD_XNONCE_SIZE] = {2};
    uint8_t sealed[40 + AEAD_TAG_SIZE];
    uint8_t out[40];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        memset(out, 0x5a, sizeof out);
        aead_seal(both[i], key, nonce, SPAN_LITERAL("aad"), SPAN_OF(out), sealed);
        for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
            sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(
                aead_open(both[i], key, nonce, SPAN_LITERAL("aad"), SPAN_OF(sealed), out),
                ERR_CRYPTO);
            sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t size = 0; size < sizeof sealed; size++)
            assert_int_equal(
                aead_open(both[i], key, nonce, SPAN_LITERAL("aad"), span_of(sealed, size), out),
                ERR_CRYPTO);
        assert_int_equal(aead_open(both[i], key, nonce, SPAN_LITERAL("aae"), SPAN_OF(sealed), out),
                         ERR_CRYPTO);
        assert_int_equal(aead_open(both[i], key, nonce, SPAN_LITERAL("aad"), SPAN_OF(sealed), out),
                         ERR_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_examples_seal_as_published),
        cmocka_unit_test(chacha20_poly1305_agrees_with_wycheproof),
        cmocka_unit_test(xchacha20_poly1305_agrees_with_wycheproof),
        cmocka_unit_test(every_change_and_every_prefix_is_refused),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
