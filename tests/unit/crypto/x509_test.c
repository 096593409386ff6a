/* Certificates and CRLs that are refused. x509_make_test.c reads good ones. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/p256_openssl.h"
#include "crypto/x509.h"
#include "crypto/x509_make.h"

#define NOW_S 1800000000
#define DAY_S 86400

struct fixture {
    struct p256_private *root_key, *leaf_key;
    struct buffer root, leaf, crl; /* DER */
};

static struct fixture f;

static void make_certificate(const char *name, const struct p256_private *key, bool is_ca,
                             struct buffer *out)
{
    const struct x509_template t = {
        .common_name = name,
        .issuer_name = is_ca ? NULL : "Root",
        .key = key,
        .signer = is_ca ? NULL : f.root_key,
        .serial = is_ca ? 1 : 2,
        .not_before = timestamp_of_seconds(NOW_S - DAY_S),
        .not_after = timestamp_of_seconds(NOW_S + DAY_S),
        .is_ca = is_ca,
        .extension_oid = is_ca ? NULL : "1.2.840.113741.1.13.1",
        .extension = SPAN_LITERAL("\x04\x01\x07"),
    };

    assert_int_equal(x509_make(&t, out), ERR_NONE);
}

static int setup(void **state)
{
    static const uint64_t revoked[] = {2, 77};
    struct x509_crl_template t = {
        .issuer_name = "Root",
        .this_update = timestamp_of_seconds(NOW_S - DAY_S),
        .next_update = timestamp_of_seconds(NOW_S + DAY_S),
        .revoked = revoked,
        .revoked_count = 2,
        .number = 1,
    };

    (void)state;
    assert_int_equal(p256_generate(&f.root_key), ERR_NONE);
    assert_int_equal(p256_generate(&f.leaf_key), ERR_NONE);
    make_certificate("Root", f.root_key, true, &f.root);
    make_certificate("Leaf", f.leaf_key, false, &f.leaf);
    t.signer = f.root_key;
    assert_int_equal(x509_make_crl(&t, &f.crl), ERR_NONE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buffer_clear(&f.root);
    buffer_clear(&f.leaf);
    buffer_clear(&f.crl);
    p256_private_free(&f.root_key);
    p256_private_free(&f.leaf_key);
    return 0;
}

static struct x509_cert *parsed(const struct buffer *der)
{
    struct x509_cert *c = NULL;

    assert_int_equal(x509_cert_parse(buffer_span(der), &c), ERR_NONE);
    return c;
}

struct lookup {
    const struct x509_crl *crl;
    const struct x509_cert *certificate;
    bool listed;
};

static void *look_up(void *argument)
{
    struct lookup *l = argument;

    l->listed = true;
    for (int i = 0; i < 1000; i++)
        l->listed = x509_crl_lists(l->crl, l->certificate) && l->listed;
    return NULL;
}

/* For the race detector: the first lookup once sorted the list while others read it. */
static void several_threads_look_up_in_a_list_that_is_not_in_order(void **state)
{
    static const uint64_t revoked[] = {99, 77, 2, 50, 1000, 3};
    const struct x509_crl_template t = {
        .issuer_name = "Root",
        .signer = f.root_key,
        .this_update = timestamp_of_seconds(NOW_S - DAY_S),
        .next_update = timestamp_of_seconds(NOW_S + DAY_S),
        .revoked = revoked,
        .revoked_count = COUNT_OF(revoked),
        .number = 1,
    };
    struct x509_cert *leaf = parsed(&f.leaf), *root = parsed(&f.root);
    struct x509_crl *crl = NULL;
    struct buffer der = {0};
    struct lookup lookups[4];
    pthread_t threads[COUNT_OF(lookups)];

    (void)state;
    assert_int_equal(x509_make_crl(&t, &der), ERR_NONE);
    assert_int_equal(x509_crl_parse(buffer_span(&der), &crl), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(lookups); i++) {
        lookups[i] = (struct lookup){crl, leaf, false};
        assert_int_equal(pthread_create(&threads[i], NULL, look_up, &lookups[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(lookups); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(lookups[i].listed);
    }
    assert_false(x509_crl_lists(crl, root));
    x509_crl_free(&crl);
    x509_cert_free(&leaf);
    x509_cert_free(&root);
    buffer_clear(&der);
}

/* Copies of the exact size, so that a sanitizer sees a read behind their end. */
static void every_prefix_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < f.leaf.size || size < f.crl.size; size++) {
        uint8_t *copy = malloc(size > 0 ? size : 1);
        struct x509_cert *c = NULL;
        struct x509_crl *crl = NULL;

        assert_non_null(copy);
        if (size < f.leaf.size) {
            memcpy(copy, f.leaf.data, size);
            assert_int_equal(x509_cert_parse(span_of(copy, size), &c), ERR_MALFORMED);
        }
        if (size < f.crl.size) {
            memcpy(copy, f.crl.data, size);
            assert_int_equal(x509_crl_parse(span_of(copy, size), &crl), ERR_MALFORMED);
        }
        free(copy);
    }
}

static void what_follows_is_refused(void **state)
{
    struct buffer longer = {0};
    struct x509_cert *c = NULL;
    struct x509_crl *crl = NULL;

    (void)state;
    assert_int_equal(buffer_append(&longer, buffer_span(&f.leaf)), ERR_NONE);
    assert_int_equal(buffer_append(&longer, SPAN_LITERAL("\0")), ERR_NONE);
    assert_int_equal(x509_cert_parse(buffer_span(&longer), &c), ERR_MALFORMED);
    longer.size = 0;
    assert_int_equal(buffer_append(&longer, buffer_span(&f.leaf)), ERR_NONE);
    assert_int_equal(buffer_append(&longer, buffer_span(&f.root)), ERR_NONE);
    assert_int_equal(x509_cert_parse(buffer_span(&longer), &c), ERR_MALFORMED);
    longer.size = 0;
    assert_int_equal(buffer_append(&longer, buffer_span(&f.crl)), ERR_NONE);
    assert_int_equal(buffer_append(&longer, SPAN_LITERAL("\0")), ERR_NONE);
    assert_int_equal(x509_crl_parse(buffer_span(&longer), &crl), ERR_MALFORMED);
    longer.size = 0;
    assert_int_equal(buffer_reserve(&longer, X509_MAX_SIZE + 1), ERR_NONE);
    memset(longer.data, 0x30, X509_MAX_SIZE + 1);
    longer.size = X509_MAX_SIZE + 1;
    assert_int_equal(x509_cert_parse(buffer_span(&longer), &c), ERR_TOO_LARGE);
    longer.size = 0;
    assert_int_equal(x509_crl_parse(buffer_span(&longer), &crl), ERR_MALFORMED);
    assert_int_equal(buffer_reserve(&longer, 2 * X509_CRL_MAX_SIZE + 1), ERR_NONE);
    memset(longer.data, 0x30, X509_CRL_MAX_SIZE + 1);
    longer.size = X509_CRL_MAX_SIZE + 1;
    assert_int_equal(x509_crl_parse(buffer_span(&longer), &crl), ERR_TOO_LARGE);
    memset(longer.data, '\n', 2 * X509_CRL_MAX_SIZE + 1);
    memcpy(longer.data, "-----BEGIN X509 CRL-----", 24);
    longer.size = 2 * X509_CRL_MAX_SIZE + 1;
    assert_int_equal(x509_crl_parse(buffer_span(&longer), &crl), ERR_TOO_LARGE);
    buffer_clear(&longer);
}

static void no_bit_may_be_another(void **state)
{
    struct x509_cert *root = parsed(&f.root);

    (void)state;
    for (size_t bit = 0; bit < f.leaf.size * 8; bit++) {
        struct x509_cert *c = NULL;

        f.leaf.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (x509_cert_parse(buffer_span(&f.leaf), &c) == ERR_NONE)
            assert_int_equal(x509_cert_issued_by(c, root, X509_ECDSA_P256_SHA256), ERR_CRYPTO);
        x509_cert_free(&c);
        f.leaf.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t bit = 0; bit < f.crl.size * 8; bit++) {
        struct x509_crl *crl = NULL;

        f.crl.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (x509_crl_parse(buffer_span(&f.crl), &crl) == ERR_NONE)
            assert_int_equal(x509_crl_signed_by(crl, root, X509_ECDSA_P256_SHA256), ERR_CRYPTO);
        x509_crl_free(&crl);
        f.crl.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    x509_cert_free(&root);
}

static void links_need_name_and_key_of_the_issuer(void **state)
{
    struct x509_cert *root = parsed(&f.root);
    struct x509_cert *leaf = parsed(&f.leaf);
    struct buffer namesake_der = {0}, other_der = {0};

    (void)state;
    make_certificate("Root", f.leaf_key, true, &namesake_der); /* right name, wrong key */
    make_certificate("Other", f.root_key, true, &other_der);   /* right key, wrong name */
    struct x509_cert *namesake = parsed(&namesake_der);
    struct x509_cert *other = parsed(&other_der);

    assert_int_equal(x509_cert_issued_by(leaf, root, X509_ECDSA_P256_SHA256), ERR_NONE);
    assert_int_equal(x509_cert_issued_by(root, root, X509_ECDSA_P256_SHA256), ERR_NONE);
    assert_int_equal(x509_cert_issued_by(leaf, namesake, X509_ECDSA_P256_SHA256), ERR_CRYPTO);
    assert_int_equal(x509_cert_issued_by(leaf, other, X509_ECDSA_P256_SHA256), ERR_CRYPTO);
    assert_int_equal(x509_cert_issued_by(leaf, leaf, X509_ECDSA_P256_SHA256), ERR_CRYPTO);
    assert_int_equal(x509_cert_issued_by(root, leaf, X509_ECDSA_P256_SHA256), ERR_CRYPTO);
    assert_true(x509_cert_is_ca(root));
    assert_false(x509_cert_is_ca(leaf));
    assert_true(x509_cert_valid_at(leaf, timestamp_of_seconds(NOW_S + DAY_S)));
    assert_false(x509_cert_valid_at(leaf, timestamp_of_seconds(NOW_S + DAY_S + 1)));
    assert_false(x509_cert_valid_at(leaf, timestamp_of_seconds(NOW_S - DAY_S - 1)));
    x509_cert_free(&namesake);
    x509_cert_free(&other);
    x509_cert_free(&leaf);
    x509_cert_free(&root);
    buffer_clear(&namesake_der);
    buffer_clear(&other_der);
}

static EVP_PKEY *root_key(void)
{
    EVP_PKEY *key = NULL;

    assert_int_equal(p256_openssl_key(f.root_key, &key), ERR_NONE);
    return key;
}

static void sign_certificate(X509 *x509, const EVP_MD *hash)
{
    EVP_PKEY *key = root_key();

    assert_true(X509_sign(x509, key, hash) > 0);
    EVP_PKEY_free(key);
}

static void sign_crl(X509_CRL *crl)
{
    EVP_PKEY *key = root_key();

    assert_true(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
    EVP_PKEY_free(key);
}

/* The leaf again, changed by `change` and signed again by the root. */
MUST_CHECK static enum err parse_changed(void (*change)(X509 *x509))
{
    const unsigned char *next = f.leaf.data;
    X509 *x509 = d2i_X509(NULL, &next, (long)f.leaf.size);
    unsigned char *der = NULL;
    struct x509_cert *c = NULL;
    struct span contents;
    enum err e;
    int size;

    assert_non_null(x509);
    change(x509);
    sign_certificate(x509, EVP_sha256());
    size = i2d_X509(x509, &der);
    assert_true(size > 0);
    e = x509_cert_parse(span_of(der, (size_t)size), &c);
    if (e == ERR_NONE)
        e = x509_cert_extension(c, "1.2.840.113741.1.13.1", &contents);
    x509_cert_free(&c);
    OPENSSL_free(der);
    X509_free(x509);
    return e;
}

static void add_extension(X509 *x509, const char *oid, int critical)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    static const unsigned char bytes[] = {0x30, 0x00};

    assert_int_equal(ASN1_OCTET_STRING_set(value, bytes, sizeof bytes), 1);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, critical, value);

    assert_int_equal(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
}

static void add_nothing(X509 *x509)
{
    (void)x509;
}
static void add_harmless(X509 *x509)
{
    add_extension(x509, "1.2.3.4", 0);
}
static void add_unknown_critical(X509 *x509)
{
    add_extension(x509, "1.2.3.4", 1);
}
static void add_critical_name_constraints(X509 *x509)
{
    add_extension(x509, "2.5.29.30", 1); /* OpenSSL knows it, this verifier does not apply it */
}
static void add_second_pck_extension(X509 *x509)
{
    add_extension(x509, "1.2.840.113741.1.13.1", 0);
}

static void critical_extensions_that_are_not_applied_are_refused(void **state)
{
    (void)state;
    assert_int_equal(parse_changed(add_nothing), ERR_NONE);
    assert_int_equal(parse_changed(add_harmless), ERR_NONE);
    assert_int_equal(parse_changed(add_unknown_critical), ERR_MALFORMED);
    assert_int_equal(parse_changed(add_critical_name_constraints), ERR_MALFORMED);
    assert_int_equal(parse_changed(add_second_pck_extension), ERR_MALFORMED);
}

static void chains_are_certificates_and_nothing_else(void **state)
{
    static const char *const wrong[] = {
        "no certificate",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END X509 CRL-----\n",
        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
    };
    struct x509_cert *chain[3] = {0};
    struct buffer pem = {0};
    size_t count = 9;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(x509_chain_parse(span_string(wrong[i]), chain, 3, &count), ERR_MALFORMED);
    assert_int_equal(x509_chain_parse(SPAN_LITERAL(" \n\0"), chain, 3, &count), ERR_NONE);
    assert_int_equal(count, 0);

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pem_write("CERTIFICATE", buffer_span(&f.leaf), &pem), ERR_NONE);
    assert_int_equal(buffer_append(&pem, SPAN_LITERAL("\n\0")), ERR_NONE);
    assert_int_equal(x509_chain_parse(buffer_span(&pem), chain, 2, &count), ERR_TOO_LARGE);
    assert_null(chain[0]);
    assert_null(chain[1]);
    assert_int_equal(x509_chain_parse(buffer_span(&pem), chain, 3, &count), ERR_NONE);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++)
        x509_cert_free(&chain[i]);
    assert_int_equal(buffer_append(&pem, SPAN_LITERAL("x")), ERR_NONE);
    assert_int_equal(x509_chain_parse(buffer_span(&pem), chain, 3, &count), ERR_MALFORMED);
    for (size_t i = 0; i < 3; i++)
        assert_null(chain[i]);
    buffer_clear(&pem);
}

static void crls_list_and_lapse(void **state)
{
    struct x509_cert *root = parsed(&f.root);
    struct x509_cert *leaf = parsed(&f.leaf);
    struct x509_crl *crl = NULL;
    struct buffer pem = {0};

    (void)state;
    assert_int_equal(pem_write("X509 CRL", buffer_span(&f.crl), &pem), ERR_NONE);
    assert_int_equal(x509_crl_parse(buffer_span(&pem), &crl), ERR_NONE);
    assert_int_equal(x509_crl_signed_by(crl, root, X509_ECDSA_P256_SHA256), ERR_NONE);
    assert_int_equal(x509_crl_signed_by(crl, leaf, X509_ECDSA_P256_SHA256), ERR_CRYPTO);
    assert_true(x509_crl_issuer_is(crl, root));
    assert_false(x509_crl_issuer_is(crl, leaf));
    assert_true(x509_crl_lists(crl, leaf));
    assert_false(x509_crl_lists(crl, root));
    assert_true(x509_crl_valid_at(crl, timestamp_of_seconds(NOW_S)));
    assert_false(x509_crl_valid_at(crl, timestamp_of_seconds(NOW_S + DAY_S + 1)));
    assert_false(x509_crl_valid_at(crl, timestamp_of_seconds(NOW_S - DAY_S - 1)));
    x509_crl_free(&crl);
    /* two are refused */
    assert_int_equal(pem_write("X509 CRL", buffer_span(&f.crl), &pem), ERR_NONE);
    assert_int_equal(x509_crl_parse(buffer_span(&pem), &crl), ERR_MALFORMED);
    buffer_clear(&pem);
    x509_cert_free(&leaf);
    x509_cert_free(&root);
}

/* The CRL again, changed and signed again. */
MUST_CHECK static enum err parse_changed_crl(bool without_end, bool critical)
{
    const unsigned char *next = f.crl.data;
    X509_CRL *changed = d2i_X509_CRL(NULL, &next, (long)f.crl.size);
    X509_CRL *bare = X509_CRL_new();
    unsigned char *der = NULL;
    struct x509_crl *crl = NULL;
    ASN1_INTEGER *base = ASN1_INTEGER_new();
    enum err e;
    int size;

    assert_true(changed && bare && base && ASN1_INTEGER_set(base, 1) == 1);
    assert_int_equal(X509_CRL_set_version(bare, 1), 1);
    assert_int_equal(X509_CRL_set_issuer_name(bare, X509_CRL_get_issuer(changed)), 1);
    assert_int_equal(X509_CRL_set1_lastUpdate(bare, X509_CRL_get0_lastUpdate(changed)), 1);
    if (!without_end)
        assert_int_equal(X509_CRL_set1_nextUpdate(bare, X509_CRL_get0_nextUpdate(changed)), 1);
    if (critical) /* a delta CRL lists changes only */
        assert_int_equal(X509_CRL_add1_ext_i2d(bare, NID_delta_crl, base, 1, 0), 1);
    sign_crl(bare);
    size = i2d_X509_CRL(bare, &der);
    assert_true(size > 0);
    e = x509_crl_parse(span_of(der, (size_t)size), &crl);
    x509_crl_free(&crl);
    OPENSSL_free(der);
    ASN1_INTEGER_free(base);
    X509_CRL_free(bare);
    X509_CRL_free(changed);
    return e;
}

static void crls_without_end_or_with_unknown_meaning_are_refused(void **state)
{
    (void)state;
    assert_int_equal(parse_changed_crl(false, false), ERR_NONE);
    assert_int_equal(parse_changed_crl(true, false), ERR_MALFORMED);
    assert_int_equal(parse_changed_crl(false, true), ERR_MALFORMED);
}

/* Only ECDSA on P-256 with SHA-256: a correct P-384 chain is refused here. */
static void other_algorithms_are_refused(void **state)
{
    EVP_PKEY *p384 = EVP_EC_gen("P-384");
    const unsigned char *next = f.root.data;
    X509 *x509 = d2i_X509(NULL, &next, (long)f.root.size);
    unsigned char *der = NULL;
    struct x509_cert *c = NULL;
    struct p256_public *key = NULL;
    int size;

    (void)state;
    assert_true(p384 && x509);
    assert_int_equal(X509_set_pubkey(x509, p384), 1);
    assert_true(X509_sign(x509, p384, EVP_sha256()) > 0);
    size = i2d_X509(x509, &der);
    assert_true(size > 0);
    assert_int_equal(x509_cert_parse(span_of(der, (size_t)size), &c), ERR_NONE);
    assert_int_equal(x509_cert_issued_by(c, c, X509_ECDSA_P256_SHA256), ERR_CRYPTO);
    assert_int_equal(x509_cert_p256(c, &key), ERR_UNSUPPORTED);
    x509_cert_free(&c);
    OPENSSL_free(der);
    der = NULL;
    X509_free(x509);

    next = f.root.data;
    x509 = d2i_X509(NULL, &next, (long)f.root.size);
    sign_certificate(x509, EVP_sha384());
    size = i2d_X509(x509, &der);
    assert_true(size > 0);
    assert_int_equal(x509_cert_parse(span_of(der, (size_t)size), &c), ERR_NONE);
    assert_int_equal(x509_cert_issued_by(c, c, X509_ECDSA_P256_SHA256), ERR_CRYPTO);
    x509_cert_free(&c);
    OPENSSL_free(der);
    X509_free(x509);
    EVP_PKEY_free(p384);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_threads_look_up_in_a_list_that_is_not_in_order),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(what_follows_is_refused),
        cmocka_unit_test(no_bit_may_be_another),
        cmocka_unit_test(links_need_name_and_key_of_the_issuer),
        cmocka_unit_test(critical_extensions_that_are_not_applied_are_refused),
        cmocka_unit_test(chains_are_certificates_and_nothing_else),
        cmocka_unit_test(crls_list_and_lapse),
        cmocka_unit_test(crls_without_end_or_with_unknown_meaning_are_refused),
        cmocka_unit_test(other_algorithms_are_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
