#include "unit/crypto/cases.h"

#include "base/writer.h"
#include "codec/der.h"
#include "crypto/random.h"
#include "crypto/rsa.h"
#include "unit/crypto/failing_aws_lc.h"

enum { NUMBERS = 8 }; /* n, e, d, p, q, dp, dq, qi */

/* RSAPrivateKey inside the PKCS#8 of a Wycheproof file: its header has 26 bytes. */
static struct buffer vector_key(const json_t *group)
{
    struct buffer key = case_bytes(group, "privateKeyPkcs8");

    buffer_drop(&key, 26);
    return key;
}

static struct buffer some_key(void)
{
    json_t *json = cases_load("rsa_oaep/rsa_oaep_2048_sha256_mgf1sha256_test.json");
    struct buffer key = vector_key(json_array_get(json_object_get(json, "testGroups"), 0));

    json_decref(json);
    return key;
}

static enum digest digest_of_name(const char *name)
{
    for (int d = DIGEST_SHA1; d < DIGEST_COUNT; d++)
        if (strcmp(digest_name((enum digest)d), name) == 0)
            return (enum digest)d;
    fail();
    return DIGEST_NONE;
}

static void check_oaep(const json_t *group, const json_t *c)
{
    struct buffer key = vector_key(group);
    struct buffer ciphertext = case_bytes(c, "ct");
    struct buffer label = case_bytes(c, "label");
    struct buffer message = case_bytes(c, "msg");
    const struct rsa_oaep oaep = {
        .digest = digest_of_name(case_text(group, "sha")),
        .mgf = digest_of_name(case_text(group, "mgfSha")),
        .label = buffer_span(&label),
    };
    struct secret *plain = NULL;
    enum err e = rsa_oaep_decrypt(buffer_span(&key), &oaep, buffer_span(&ciphertext), &plain);

    assert_int_equal(e, case_is(c, "result", "valid") ? ERR_NONE : ERR_CRYPTO);
    if (e == ERR_NONE)
        assert_true(span_equal(secret_span(plain), buffer_span(&message)));
    else
        assert_null(plain);
    secret_free(&plain);
    buffer_clear(&key);
    buffer_clear(&ciphertext);
    buffer_clear(&label);
    buffer_clear(&message);
}

static void oaep_agrees_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("rsa_oaep/rsa_oaep_2048_sha256_mgf1sha1_test.json", check_oaep);
    wycheproof("rsa_oaep/rsa_oaep_2048_sha256_mgf1sha256_test.json", check_oaep);
    wycheproof("rsa_oaep/rsa_oaep_4096_sha256_mgf1sha256_test.json", check_oaep);
}

static void check_signature(const json_t *group, const json_t *c, enum rsa_signature form,
                            size_t salt_size)
{
    struct buffer key = case_bytes(group, "publicKeyAsn");
    struct buffer message = case_bytes(c, "msg");
    struct buffer signature = case_bytes(c, "sig");
    enum digest d = digest_of_name(case_text(group, "sha"));
    uint8_t digest[DIGEST_MAX_SIZE];
    enum err e;

    digest_of(d, buffer_span(&message), digest);
    e = rsa_verify(buffer_span(&key), form, d, salt_size, digest, buffer_span(&signature));
    /* acceptable: PKCS#1 v1.5 without the NULL of the AlgorithmIdentifier, refused */
    assert_int_equal(e, case_is(c, "result", "valid") ? ERR_NONE : ERR_CRYPTO);
    buffer_clear(&key);
    buffer_clear(&message);
    buffer_clear(&signature);
}

static void check_pss(const json_t *group, const json_t *c)
{
    check_signature(group, c, RSA_PSS, (size_t)json_integer_value(json_object_get(group, "sLen")));
}

static void check_pkcs1(const json_t *group, const json_t *c)
{
    check_signature(group, c, RSA_PKCS1, 0);
}

static void signatures_agree_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("rsa_pss/rsa_pss_2048_sha256_mgf1_0_test.json", check_pss);
    wycheproof("rsa_pss/rsa_pss_2048_sha256_mgf1_32_test.json", check_pss);
    wycheproof("rsa_pss/rsa_pss_4096_sha256_mgf1_32_test.json", check_pss);
    wycheproof("rsa_pkcs1_verify/rsa_signature_2048_sha256_test.json", check_pkcs1);
    wycheproof("rsa_pkcs1_verify/rsa_signature_4096_sha512_test.json", check_pkcs1);
}

static void made_keys_sign_and_encrypt(void **state)
{
    static const enum digest digests[] = {DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};
    static const enum rsa_signature forms[] = {RSA_PSS, RSA_PKCS1};
    struct secret *key = NULL;
    uint8_t public_der[RSA_PUBLIC_DER_MAX];
    size_t public_size = 0;
    unsigned bits = 0;
    uint8_t out[RSA_SIZE_MAX];
    uint8_t digest[DIGEST_MAX_SIZE] = {1};

    (void)state;
    assert_int_equal(rsa_generate(2048, &key), ERR_NONE);
    assert_int_equal(rsa_private_check(secret_span(key), 2048, public_der, &public_size), ERR_NONE);
    assert_int_equal(rsa_public_check(span_of(public_der, public_size), &bits), ERR_NONE);
    assert_int_equal(bits, 2048);
    for (size_t f = 0; f < COUNT_OF(forms); f++)
        for (size_t d = 0; d < COUNT_OF(digests); d++) {
            const struct span public_key = span_of(public_der, public_size);
            size_t salt = digest_size(digests[d]);

            assert_int_equal(rsa_sign(secret_span(key), forms[f], digests[d], digest, out),
                             ERR_NONE);
            assert_int_equal(
                rsa_verify(public_key, forms[f], digests[d], salt, digest, span_of(out, 256)),
                ERR_NONE);
            assert_int_equal(
                rsa_verify(public_key, forms[1 - f], digests[d], salt, digest, span_of(out, 256)),
                ERR_CRYPTO);
            assert_int_equal(
                rsa_verify(public_key, forms[f], digests[d], salt, digest, span_of(out, 255)),
                ERR_CRYPTO);
            if (forms[f] == RSA_PSS)
                assert_int_equal(
                    rsa_verify(public_key, RSA_PSS, digests[d], 8, digest, span_of(out, 256)),
                    ERR_CRYPTO);
        }
    for (size_t size = 0; size <= 190; size += 95) {
        const struct rsa_oaep oaep = {DIGEST_SHA256, DIGEST_SHA256, SPAN_LITERAL("label")};
        const struct rsa_oaep other = {DIGEST_SHA256, DIGEST_SHA256, SPAN_LITERAL("labels")};
        struct secret *plain = NULL;

        assert_int_equal(rsa_oaep_plain_max(2048, DIGEST_SHA256), 190);
        assert_int_equal(rsa_oaep_encrypt(span_of(public_der, public_size), &oaep,
                                          span_of(public_der, size), out),
                         ERR_NONE);
        assert_int_equal(rsa_oaep_decrypt(secret_span(key), &other, span_of(out, 256), &plain),
                         ERR_CRYPTO);
        assert_int_equal(rsa_oaep_decrypt(secret_span(key), &oaep, span_of(out, 256), &plain),
                         ERR_NONE);
        assert_true(span_equal(secret_span(plain), span_of(public_der, size)));
        secret_free(&plain);
        assert_int_equal(rsa_oaep_encrypt(span_of(public_der, public_size), &oaep,
                                          span_of(public_der, 191), out),
                         ERR_TOO_LARGE);
    }
    secret_free(&key);
}

/* The numbers of a key, in memory of their own. */
struct numbers {
    uint8_t bytes[NUMBERS][RSA_SIZE_MAX];
    size_t size[NUMBERS];
};

static void numbers_read(struct span der, struct numbers *out)
{
    struct reader outer = reader_over(der);
    struct reader inner = reader_over(der_take(&outer, DER_SEQUENCE));

    (void)der_take_uint(&inner, DER_INTEGER, 0);
    for (size_t i = 0; i < NUMBERS; i++) {
        struct span number = der_take_unsigned(&inner);

        memcpy(out->bytes[i], number.data, number.size);
        out->size[i] = number.size;
    }
    assert_int_equal(reader_finish(&inner), ERR_NONE);
}

static struct span numbers_write(const struct numbers *numbers, uint8_t *out, size_t capacity)
{
    struct writer body = writer_over(out + 4, capacity - 4);
    struct writer head = writer_over(out, 4);

    der_put_unsigned(&body, (struct span){0});
    for (size_t i = 0; i < NUMBERS; i++)
        der_put_unsigned(&body, span_of(numbers->bytes[i], numbers->size[i]));
    der_put_head(&head, DER_SEQUENCE, body.size);
    assert_int_equal(head.size, 4);
    return span_of(out, 4 + body.size);
}

static void wrong_numbers_are_refused(void **state)
{
    struct buffer key = some_key();
    struct numbers good = {0};
    uint8_t der[RSA_PRIVATE_DER_MAX];
    uint8_t public_der[RSA_PUBLIC_DER_MAX];
    size_t size;

    (void)state;
    numbers_read(buffer_span(&key), &good);
    assert_int_equal(
        rsa_private_check(numbers_write(&good, der, sizeof der), 2048, public_der, &size),
        ERR_NONE);
    assert_int_equal(
        rsa_private_check(numbers_write(&good, der, sizeof der), 3072, public_der, &size),
        ERR_UNSUPPORTED);
    for (size_t i = 0; i < NUMBERS; i++) {
        struct numbers bad = good;
        enum err e;

        bad.bytes[i][bad.size[i] - 1] ^= 2;
        e = rsa_private_check(numbers_write(&bad, der, sizeof der), 2048, public_der, &size);
        assert_true(e == ERR_CRYPTO || (i == 1 && e == ERR_UNSUPPORTED));
    }
    buffer_clear(&key);
}

static void every_prefix_and_every_longer_text_is_refused(void **state)
{
    struct buffer key = some_key();
    uint8_t public_der[RSA_PUBLIC_DER_MAX];
    size_t public_size = 0;
    size_t size;
    unsigned bits;

    (void)state;
    assert_int_equal(rsa_private_check(buffer_span(&key), 2048, public_der, &public_size),
                     ERR_NONE);
    for (size_t cut = 0; cut < key.size; cut++)
        assert_int_equal(rsa_private_check(span_of(key.data, cut), 2048, public_der, &size),
                         ERR_MALFORMED);
    for (size_t cut = 0; cut < public_size; cut++)
        assert_int_equal(rsa_public_check(span_of(public_der, cut), &bits), ERR_MALFORMED);
    assert_int_equal(buffer_append(&key, SPAN_LITERAL("\0")), ERR_NONE);
    assert_int_equal(rsa_private_check(buffer_span(&key), 2048, public_der, &size), ERR_MALFORMED);
    buffer_clear(&key);
}

/* A modulus whose form is good and that is no product of two large primes, and exponents. */
static void public_keys_have_limits(void **state)
{
    static const struct {
        const char *exponent;
        enum err e;
    } exponents[] = {
        {"010001",             ERR_NONE       },
        {"ffffffff",           ERR_NONE       },
        {"010003",             ERR_NONE       },
        {"03",                 ERR_UNSUPPORTED},
        {"11",                 ERR_UNSUPPORTED},
        {"ffff",               ERR_UNSUPPORTED},
        {"010000",             ERR_UNSUPPORTED},
        {"010002",             ERR_UNSUPPORTED},
        {"0100000001",         ERR_UNSUPPORTED},
        {"ffffffffffffffffff", ERR_UNSUPPORTED},
    };
    static const struct {
        size_t size;
        uint8_t first, last;
        enum err e;
    } moduli[] = {
        {128, 0,    0,    ERR_UNSUPPORTED}, /* 1024 bits */
        {255, 0,    0,    ERR_UNSUPPORTED},
        {256, 0x7f, 0,    ERR_UNSUPPORTED}, /* 2047 bits */
        {256, 0,    0x02, ERR_CRYPTO     }, /* even */
        {256, 0,    0x05, ERR_CRYPTO     }, /* has small factors */
    };
    struct buffer key = some_key();
    struct numbers good = {0};
    uint8_t out[RSA_PUBLIC_DER_MAX];
    size_t size = 0;
    unsigned bits;

    (void)state;
    numbers_read(buffer_span(&key), &good);
    for (size_t i = 0; i < COUNT_OF(exponents); i++) {
        uint8_t exponent[16];
        size_t exponent_size = strlen(exponents[i].exponent) / 2;

        hex_bytes(exponents[i].exponent, exponent, exponent_size);
        assert_int_equal(rsa_public_write(span_of(good.bytes[0], 256),
                                          span_of(exponent, exponent_size), out, &size),
                         ERR_NONE);
        assert_int_equal(rsa_public_check(span_of(out, size), &bits), exponents[i].e);
    }
    for (size_t i = 0; i < COUNT_OF(moduli); i++) {
        uint8_t modulus[256];

        memcpy(modulus, good.bytes[0], sizeof modulus);
        if (moduli[i].last == 0x05)
            memset(modulus, 0xff, sizeof modulus); /* divisible by 3 and 5 */
        if (moduli[i].last == 0x02)
            modulus[255] &= 0xfe;
        if (moduli[i].first)
            modulus[0] = moduli[i].first;
        assert_int_equal(rsa_public_write(span_of(modulus, moduli[i].size),
                                          SPAN_LITERAL("\x01\x00\x01"), out, &size),
                         ERR_NONE);
        assert_int_equal(rsa_public_check(span_of(out, size), &bits), moduli[i].e);
    }
    buffer_clear(&key);
}

static bool all_works(struct span key, struct span public_der)
{
    const struct rsa_oaep oaep = {DIGEST_SHA256, DIGEST_SHA256, SPAN_LITERAL("label")};
    uint8_t digest[DIGEST_MAX_SIZE] = {1};
    uint8_t out[RSA_SIZE_MAX];
    struct secret *plain = NULL;
    bool worked =
        rsa_sign(key, RSA_PSS, DIGEST_SHA256, digest, out) == ERR_NONE &&
        rsa_verify(public_der, RSA_PSS, DIGEST_SHA256, 32, digest, span_of(out, 256)) == ERR_NONE &&
        rsa_sign(key, RSA_PKCS1, DIGEST_SHA256, digest, out) == ERR_NONE &&
        rsa_oaep_encrypt(public_der, &oaep, SPAN_OF(digest), out) == ERR_NONE &&
        rsa_oaep_decrypt(key, &oaep, span_of(out, 256), &plain) == ERR_NONE;

    assert_int_equal(plain != NULL, worked);
    secret_free(&plain);
    return worked;
}

static void failing_allocations_are_errors(void **state)
{
    struct buffer key = some_key();
    uint8_t public_der[RSA_PUBLIC_DER_MAX];
    size_t size = 0;
    bool all_worked = false;
    long n = 0;

    (void)state;
    assert_int_equal(rsa_private_check(buffer_span(&key), 2048, public_der, &size), ERR_NONE);
    for (; !all_worked; n++) {
        assert_true(n < 10000);
        aws_lc_allocations_left = n;
        all_worked =
            all_works(buffer_span(&key), span_of(public_der, size)) && aws_lc_allocations_left > 0;
        aws_lc_allocations_left = -1;
    }
    assert_true(n > 10);
    buffer_clear(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oaep_agrees_with_wycheproof),
        cmocka_unit_test(signatures_agree_with_wycheproof),
        cmocka_unit_test(made_keys_sign_and_encrypt),
        cmocka_unit_test(wrong_numbers_are_refused),
        cmocka_unit_test(every_prefix_and_every_longer_text_is_refused),
        cmocka_unit_test(public_keys_have_limits),
        cmocka_unit_test(failing_allocations_are_errors),
    };

    if (!failing_aws_lc_install() || crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
