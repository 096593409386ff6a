/* ECDSA over P-384, and the functions of crypto/ecdsa.h for both curves: DER signatures, encoded
 * keys. */
#include "unit/crypto/cases.h"

#include <stdlib.h>

#include "crypto/ecdsa.h"
#include "crypto/p256.h"
#include "crypto/p384.h"
#include "crypto/x509_make.h"

/* The prime and the order of P-384: SEC 2 section 2.5.1. */
#define PRIME                                                                                      \
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000"     \
    "ffffffff"
#define ORDER                                                                                      \
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196a"     \
    "ccc52973"

/* RFC 6979 appendix A.2.6: the key, and its signature of "sample" with SHA-384. */
#define POINT                                                                                      \
    "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a25451"     \
    "5480bc138015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe"     \
    "7344fd2533264720"
#define SIGNATURE                                                                                  \
    "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e"     \
    "80fabe4699ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e"     \
    "7b82c71a38628ac8"

static struct p384_public *sample_key(void)
{
    uint8_t point[P384_POINT_SIZE];
    struct p384_public *key = NULL;

    hex_bytes(POINT, point, sizeof point);
    assert_int_equal(p384_public_from_point(point, &key), ERR_NONE);
    return key;
}

static void points_off_the_curve_are_refused(void **state)
{
    uint8_t good[P384_POINT_SIZE];
    uint8_t point[P384_POINT_SIZE];
    struct p384_public *key = NULL;

    (void)state;
    hex_bytes(POINT, good, sizeof good);
    for (size_t bit = 0; bit < 8 * sizeof good; bit++) {
        memcpy(point, good, sizeof point);
        point[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(p384_public_from_point(point, &key), ERR_CRYPTO);
    }
    memset(point, 0, sizeof point);
    assert_int_equal(p384_public_from_point(point, &key), ERR_CRYPTO);
    memcpy(point, good, sizeof point);
    hex_bytes(PRIME, point, P384_SCALAR_SIZE); /* a coordinate that is not reduced */
    assert_int_equal(p384_public_from_point(point, &key), ERR_CRYPTO);
    assert_null(key);
}

static void the_signature_of_rfc_6979_verifies_and_no_other(void **state)
{
    struct p384_public *key = sample_key();
    uint8_t signature[P384_SIGNATURE_SIZE];

    (void)state;
    hex_bytes(SIGNATURE, signature, sizeof signature);
    assert_int_equal(p384_verify(key, SPAN_LITERAL("sample"), signature), ERR_NONE);
    assert_int_equal(p384_verify(key, SPAN_LITERAL("test"), signature), ERR_CRYPTO);
    for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(p384_verify(key, SPAN_LITERAL("sample"), signature), ERR_CRYPTO);
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    p384_public_free(&key);
    p384_public_free(&key);
}

static void r_and_s_out_of_range_are_refused(void **state)
{
    static const char *const bad[] = {
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000000000",
        ORDER,
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffffffffff",
    };
    struct p384_public *key = sample_key();
    uint8_t signature[P384_SIGNATURE_SIZE];

    (void)state;
    for (size_t half = 0; half < 2; half++)
        for (size_t i = 0; i < COUNT_OF(bad); i++) {
            hex_bytes(SIGNATURE, signature, sizeof signature);
            hex_bytes(bad[i], signature + half * P384_SCALAR_SIZE, P384_SCALAR_SIZE);
            assert_int_equal(p384_verify(key, SPAN_LITERAL("sample"), signature), ERR_CRYPTO);
        }
    p384_public_free(&key);
}

static struct buffer group_point(const json_t *group)
{
    struct buffer sec1 = case_bytes(json_object_get(group, "publicKey"), "uncompressed");

    assert_true(sec1.size > 1);
    buffer_drop(&sec1, 1); /* the 0x04 */
    return sec1;
}

static void check_raw(const json_t *group, const json_t *c)
{
    struct buffer point = group_point(group);
    struct buffer message = case_bytes(c, "msg");
    struct buffer signature = case_bytes(c, "sig");
    struct p384_public *key = NULL;
    bool valid = case_is(c, "result", "valid");

    assert_true(case_is(group, "sha", "SHA-384"));
    assert_int_equal(point.size, P384_POINT_SIZE);
    assert_int_equal(p384_public_from_point(point.data, &key), ERR_NONE);
    if (signature.size != P384_SIGNATURE_SIZE)
        assert_false(valid); /* our interface takes no other size */
    else
        assert_int_equal(p384_verify(key, buffer_span(&message), signature.data),
                         valid ? ERR_NONE : ERR_CRYPTO);
    p384_public_free(&key);
    buffer_clear(&point);
    buffer_clear(&message);
    buffer_clear(&signature);
}

static void raw_signatures_agree_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("ecdsa_p384/ecdsa_secp384r1_sha384_p1363_test.json", check_raw);
}

static void check_der(enum ecdsa_curve curve, const json_t *group, const json_t *c)
{
    struct buffer point = group_point(group);
    struct buffer message = case_bytes(c, "msg");
    struct buffer signature = case_bytes(c, "sig");
    struct ecdsa_public *key = NULL;

    assert_int_equal(point.size, curve == ECDSA_P256 ? P256_POINT_SIZE : P384_POINT_SIZE);
    assert_int_equal(ecdsa_public_new(curve, point.data, &key), ERR_NONE);
    assert_int_equal(ecdsa_verify_der(key, buffer_span(&message), buffer_span(&signature)),
                     case_is(c, "result", "valid") ? ERR_NONE : ERR_CRYPTO);
    ecdsa_public_free(&key);
    buffer_clear(&point);
    buffer_clear(&message);
    buffer_clear(&signature);
}

static void check_der_p256(const json_t *group, const json_t *c)
{
    check_der(ECDSA_P256, group, c);
}

static void check_der_p384(const json_t *group, const json_t *c)
{
    check_der(ECDSA_P384, group, c);
}

static void der_signatures_agree_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("ecdsa_p256/ecdsa_secp256r1_sha256_test.json", check_der_p256);
    wycheproof("ecdsa_p384/ecdsa_secp384r1_sha384_test.json", check_der_p384);
}

/* RFC 5480: SubjectPublicKeyInfo of the two curves up to the point. */
#define P256_HEAD "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
#define P384_HEAD "3076301006072a8648ce3d020106052b8104002203620004"
#define P256_POINT                                                                                 \
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"                             \
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"

static struct buffer hex_buffer(const char *text)
{
    struct buffer b = {0};

    assert_int_equal(buffer_reserve(&b, strlen(text) / 2), ERR_NONE);
    b.size = strlen(text) / 2;
    hex_bytes(text, b.data, b.size);
    return b;
}

MUST_CHECK static enum err p256_of(struct span spki)
{
    struct p256_public *key = NULL;
    enum err e = p256_public_from_spki(spki, &key);

    assert_int_equal(key != NULL, e == ERR_NONE);
    p256_public_free(&key);
    return e;
}

MUST_CHECK static enum err p384_of(struct span spki)
{
    struct p384_public *key = NULL;
    enum err e = p384_public_from_spki(spki, &key);

    assert_int_equal(key != NULL, e == ERR_NONE);
    p384_public_free(&key);
    return e;
}

static void encoded_keys_are_of_their_curve_and_have_one_spelling(void **state)
{
    static const struct {
        const char *what, *spki;
        enum err p256, p384;
    } cases[] = {
        {"P-256",                 P256_HEAD P256_POINT,                                                ERR_NONE,      ERR_MALFORMED},
        {"P-384",                 P384_HEAD POINT,                                                     ERR_MALFORMED, ERR_NONE     },
        {"trailing byte",         P256_HEAD P256_POINT "00",                                           ERR_MALFORMED, ERR_MALFORMED},
        {"P-384, trailing byte",  P384_HEAD POINT "00",                                                ERR_MALFORMED, ERR_MALFORMED},
        {"compressed",
         "3039301306072a8648ce3d020106082a8648ce3d030107032200"
         "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",                         ERR_MALFORMED, ERR_MALFORMED},
        {"hybrid",                "3059301306072a8648ce3d020106082a8648ce3d03010703420007" P256_POINT,
         ERR_MALFORMED,                                                                                               ERR_MALFORMED},
        {"secp256k1 by name",     "3056301006072a8648ce3d020106052b8104000a03420004" P256_POINT,
         ERR_MALFORMED,                                                                                               ERR_MALFORMED},
        {"unused bits",           "3059301306072a8648ce3d020106082a8648ce3d03010703420104" P256_POINT,
         ERR_MALFORMED,                                                                                               ERR_MALFORMED},
        {"long form of a length",
         "308159301306072a8648ce3d020106082a8648ce3d03010703420004" P256_POINT,                        ERR_MALFORMED,
         ERR_MALFORMED                                                                                                             },
        {"Ed25519",
         "302a300506032b6570032100"
         "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",                           ERR_MALFORMED, ERR_MALFORMED},
        {"off the curve",
         P256_HEAD "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                   "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f4",                 ERR_CRYPTO,    ERR_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer der = hex_buffer(cases[i].spki);
        struct buffer pem = {0};

        print_message("%s\n", cases[i].what);
        assert_int_equal(pem_write("PUBLIC KEY", buffer_span(&der), &pem), ERR_NONE);
        assert_int_equal(p256_of(buffer_span(&der)), cases[i].p256);
        assert_int_equal(p384_of(buffer_span(&der)), cases[i].p384);
        assert_int_equal(p256_of(buffer_span(&pem)), cases[i].p256);
        assert_int_equal(p384_of(buffer_span(&pem)), cases[i].p384);
        buffer_clear(&pem);
        buffer_clear(&der);
    }
}

static void encoded_keys_have_no_trailing_bytes(void **state)
{
    struct buffer der = hex_buffer(P384_HEAD POINT);
    struct buffer pem = {0};
    struct buffer other = {0};

    (void)state;
    for (size_t size = 0; size < der.size; size++)
        assert_int_equal(p384_of(span_of(der.data, size)), ERR_MALFORMED);
    assert_int_equal(pem_write("PUBLIC KEY", buffer_span(&der), &pem), ERR_NONE);
    for (size_t size = 0; size + 1 < pem.size; size++) /* the last is the end of the line */
        assert_int_equal(p384_of(span_of(pem.data, size)), ERR_MALFORMED);
    assert_int_equal(pem_write("PUBLIC KEY", buffer_span(&der), &pem), ERR_NONE);
    assert_int_equal(p384_of(buffer_span(&pem)), ERR_MALFORMED); /* two keys are refused */
    assert_int_equal(pem_write("EC PUBLIC KEY", buffer_span(&der), &other), ERR_NONE);
    assert_int_equal(p384_of(buffer_span(&other)), ERR_MALFORMED);
    buffer_clear(&other);
    buffer_clear(&pem);
    buffer_clear(&der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_off_the_curve_are_refused),
        cmocka_unit_test(the_signature_of_rfc_6979_verifies_and_no_other),
        cmocka_unit_test(r_and_s_out_of_range_are_refused),
        cmocka_unit_test(raw_signatures_agree_with_wycheproof),
        cmocka_unit_test(der_signatures_agree_with_wycheproof),
        cmocka_unit_test(encoded_keys_are_of_their_curve_and_have_one_spelling),
        cmocka_unit_test(encoded_keys_have_no_trailing_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
