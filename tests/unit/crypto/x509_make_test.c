#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "crypto/random.h"
#include "crypto/x509.h"
#include "crypto/x509_make.h"

#define NOW_S 1800000000
#define DAY_S 86400

static struct p256_private *root_key;
static struct p256_private *ca_key;
static struct p256_private *leaf_key;

static const uint8_t contents[] = {0x30, 0x03, 0x02, 0x01, 0x05};

/* Root, CA below it, leaf below that; as a simulated platform has them. */
static struct x509_template template_of(int level)
{
    struct x509_template t = {.common_name = "Test Root",
                              .key = root_key,
                              .serial = 1,
                              .not_before = timestamp_of_seconds(NOW_S - DAY_S),
                              .not_after = timestamp_of_seconds(NOW_S + DAY_S),
                              .is_ca = true,
                              .crl_url = "https://example.org/root.crl"};

    if (level >= 1) {
        t.common_name = "Test CA";
        t.issuer_name = "Test Root";
        t.key = ca_key;
        t.signer = root_key;
        t.serial = 2;
    }
    if (level == 2) {
        t.common_name = "Test Leaf";
        t.issuer_name = "Test CA";
        t.key = leaf_key;
        t.signer = ca_key;
        t.serial = 0x8000000000000001;
        t.is_ca = false;
        t.extension_oid = "1.2.840.113741.1.13.1";
        t.extension = SPAN_OF(contents);
    }
    return t;
}

static void make(int level, struct buffer *der)
{
    const struct x509_template t = template_of(level);

    assert_int_equal(x509_make(&t, der), ERR_NONE);
}

static struct x509_cert *made(int level)
{
    struct buffer der = {0};
    struct x509_cert *cert = NULL;

    make(level, &der);
    assert_int_equal(x509_cert_parse(buffer_span(&der), &cert), ERR_NONE);
    buffer_clear(&der);
    return cert;
}

static X509 *openssl_made(const struct x509_template *t)
{
    struct buffer der = {0};
    const unsigned char *at;
    X509 *cert;

    assert_int_equal(x509_make(t, &der), ERR_NONE);
    at = der.data;
    cert = d2i_X509(NULL, &at, (long)der.size);
    assert_non_null(cert);
    assert_ptr_equal(at, der.data + der.size);
    buffer_clear(&der);
    return cert;
}

static struct x509_crl_template crl_template(const uint64_t *revoked, size_t count)
{
    return (struct x509_crl_template){.issuer_name = "Test CA",
                                      .signer = ca_key,
                                      .this_update = timestamp_of_seconds(NOW_S - 60),
                                      .next_update = timestamp_of_seconds(NOW_S + 60),
                                      .revoked = revoked,
                                      .revoked_count = count,
                                      .number = 7};
}

static void links_verify_in_their_order_and_no_other(void **state)
{
    struct x509_cert *chain[] = {made(0), made(1), made(2)};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(chain); i++)
        for (size_t j = 0; j < COUNT_OF(chain); j++) {
            bool issued =
                x509_cert_issued_by(chain[i], chain[j], X509_ECDSA_P256_SHA256) == ERR_NONE;

            assert_int_equal(issued, i == j + 1 || (i == 0 && j == 0));
        }
    for (size_t i = 0; i < COUNT_OF(chain); i++)
        x509_cert_free(&chain[i]);
}

static void contents_are_those_of_the_template(void **state)
{
    static const char *const bad[] = {"",
                                      "1",
                                      "1.2.840.113741.1.13.1x",
                                      "1.2.840.113741.1.13.1.",
                                      "1.2.840.113741.1.13.1 ",
                                      "1.2.840.113741.1.13..1",
                                      "1.2.840.113741.1.13.99999999999999999999"};
    struct x509_cert *root = made(0);
    struct x509_cert *leaf = made(2);
    struct span found = {0};

    (void)state;
    assert_true(x509_cert_is_ca(root));
    assert_false(x509_cert_is_ca(leaf));
    assert_true(x509_cert_common_name_contains(leaf, "Test Leaf"));
    assert_int_equal(timestamp_seconds(x509_cert_not_before(leaf)), NOW_S - DAY_S);
    assert_int_equal(timestamp_seconds(x509_cert_not_after(leaf)), NOW_S + DAY_S);
    assert_true(x509_cert_valid_at(leaf, timestamp_of_seconds(NOW_S)));
    assert_false(x509_cert_valid_at(leaf, timestamp_of_seconds(NOW_S + DAY_S + 1)));
    assert_false(x509_cert_valid_at(leaf, timestamp_of_seconds(NOW_S - DAY_S - 1)));
    assert_int_equal(x509_cert_extension(leaf, "1.2.840.113741.1.13.1", &found), ERR_NONE);
    assert_true(span_equal(found, SPAN_OF(contents)));
    assert_int_equal(x509_cert_extension(root, "1.2.840.113741.1.13.1", &found), ERR_NOT_FOUND);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(x509_cert_extension(leaf, bad[i], &found), ERR_NOT_FOUND);
    x509_cert_free(&root);
    x509_cert_free(&leaf);
}

static void the_key_is_the_subjects(void **state)
{
    struct x509_cert *leaf = made(2);
    struct p256_public *key = NULL;
    uint8_t signature[P256_SIGNATURE_SIZE];

    (void)state;
    assert_int_equal(x509_cert_p256(leaf, &key), ERR_NONE);
    assert_int_equal(p256_sign(leaf_key, SPAN_OF(contents), signature), ERR_NONE);
    assert_int_equal(p256_verify(key, SPAN_OF(contents), signature), ERR_NONE);
    assert_int_equal(p256_sign(ca_key, SPAN_OF(contents), signature), ERR_NONE);
    assert_int_equal(p256_verify(key, SPAN_OF(contents), signature), ERR_CRYPTO);
    p256_public_free(&key);
    x509_cert_free(&leaf);
}

/* The requirements of Intel's verification library for every certificate (its X509Constants.h). */
static void extensions_are_those_of_intels_certificates(void **state)
{
    static const int required[] = {NID_authority_key_identifier, NID_subject_key_identifier,
                                   NID_crl_distribution_points, NID_key_usage,
                                   NID_basic_constraints};
    static const uint32_t usages[] = {KU_KEY_CERT_SIGN | KU_CRL_SIGN,
                                      KU_KEY_CERT_SIGN | KU_CRL_SIGN,
                                      KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION};
    static const long path_lengths[] = {1, 0, -1};

    (void)state;
    for (int level = 0; level < 3; level++) {
        const struct x509_template t = template_of(level);
        X509 *cert = openssl_made(&t);

        for (size_t i = 0; i < COUNT_OF(required); i++)
            assert_true(X509_get_ext_by_NID(cert, required[i], -1) >= 0);
        assert_int_equal(X509_get_key_usage(cert), usages[level]);
        assert_int_equal(X509_get_pathlen(cert), path_lengths[level]);
        assert_int_equal(X509_get_version(cert), X509_VERSION_3);
        X509_free(cert);
    }
}

/* An independent check: OpenSSL's path validation, strict, with revocation. */
static int judge(const uint64_t *revoked, size_t count, int64_t at_s)
{
    const struct x509_template t[] = {template_of(0), template_of(1), template_of(2)};
    const struct x509_crl_template c[] = {
        {.issuer_name = "Test Root",
         .signer = root_key,
         .this_update = timestamp_of_seconds(NOW_S - 60),
         .next_update = timestamp_of_seconds(NOW_S + 60),
         .number = 1},
        crl_template(revoked, count)
    };
    X509 *certs[] = {openssl_made(&t[0]), openssl_made(&t[1]), openssl_made(&t[2])};
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *untrusted = sk_X509_new_null();
    int verdict;

    for (size_t i = 0; i < COUNT_OF(c); i++) {
        struct buffer der = {0};
        const unsigned char *at;
        X509_CRL *crl;

        assert_int_equal(x509_make_crl(&c[i], &der), ERR_NONE);
        at = der.data;
        crl = d2i_X509_CRL(NULL, &at, (long)der.size);
        assert_non_null(crl);
        assert_int_equal(X509_STORE_add_crl(store, crl), 1);
        X509_CRL_free(crl);
        buffer_clear(&der);
    }
    assert_int_equal(X509_STORE_add_cert(store, certs[0]), 1);
    assert_true(sk_X509_push(untrusted, certs[1]) > 0);
    assert_int_equal(X509_STORE_CTX_init(context, store, certs[2], untrusted), 1);
    X509_STORE_CTX_set_time(context, 0, (time_t)at_s);
    X509_STORE_CTX_set_flags(context, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CRL_CHECK |
                                          X509_V_FLAG_CRL_CHECK_ALL);
    (void)X509_verify_cert(context);
    verdict = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    sk_X509_free(untrusted);
    X509_STORE_free(store);
    for (size_t i = 0; i < COUNT_OF(certs); i++)
        X509_free(certs[i]);
    return verdict;
}

static void openssl_judges_the_chain_as_meant(void **state)
{
    static const uint64_t other[] = {77, 1};
    static const uint64_t leaf[] = {77, 0x8000000000000001};

    (void)state;
    assert_int_equal(judge(NULL, 0, NOW_S), X509_V_OK);
    assert_int_equal(judge(other, COUNT_OF(other), NOW_S), X509_V_OK);
    assert_int_equal(judge(leaf, COUNT_OF(leaf), NOW_S), X509_V_ERR_CERT_REVOKED);
    assert_int_equal(judge(NULL, 0, NOW_S + 61), X509_V_ERR_CRL_HAS_EXPIRED);
    assert_int_equal(judge(NULL, 0, NOW_S - 61), X509_V_ERR_CRL_NOT_YET_VALID);
}

static void a_crl_lists_revoked_certificates(void **state)
{
    static const uint64_t revoked[] = {5, 0x8000000000000001};
    const struct x509_crl_template with = crl_template(revoked, COUNT_OF(revoked));
    const struct x509_crl_template without = crl_template(revoked, 1);
    struct x509_cert *root = made(0);
    struct x509_cert *ca = made(1);
    struct x509_cert *leaf = made(2);
    struct buffer der = {0};
    struct x509_crl *crl = NULL;

    (void)state;
    assert_int_equal(x509_make_crl(&with, &der), ERR_NONE);
    assert_int_equal(x509_crl_parse(buffer_span(&der), &crl), ERR_NONE);
    assert_int_equal(x509_crl_signed_by(crl, ca, X509_ECDSA_P256_SHA256), ERR_NONE);
    assert_int_not_equal(x509_crl_signed_by(crl, root, X509_ECDSA_P256_SHA256), ERR_NONE);
    assert_true(x509_crl_issuer_is(crl, ca));
    assert_true(x509_crl_lists(crl, leaf));
    assert_true(x509_crl_valid_at(crl, timestamp_of_seconds(NOW_S)));
    assert_false(x509_crl_valid_at(crl, timestamp_of_seconds(NOW_S + 61)));
    x509_crl_free(&crl);
    buffer_clear(&der);
    assert_int_equal(x509_make_crl(&without, &der), ERR_NONE);
    assert_int_equal(x509_crl_parse(buffer_span(&der), &crl), ERR_NONE);
    assert_false(x509_crl_lists(crl, leaf));
    x509_crl_free(&crl);
    buffer_clear(&der);
    x509_cert_free(&root);
    x509_cert_free(&ca);
    x509_cert_free(&leaf);
}

static void a_server_certificate_holds_only_for_its_name(void **state)
{
    static const struct {
        const char *name;
        const char *other;
        bool is_address;
    } cases[] = {
        {"keystore.example.org",       "example.org",       false},
        {"localhost",                  "127.0.0.1.example", false},
        {"127.0.0.1",                  "127.0.0.2",         true },
        {"::1",                        "::2",               true },
        {"a.example,DNS:evil.example", "evil.example",      false}, /* no second name */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct x509_template t = {.common_name = "vouchsafe",
                                        .key = leaf_key,
                                        .serial = 9,
                                        .not_before = timestamp_of_seconds(NOW_S),
                                        .not_after = timestamp_of_seconds(NOW_S + DAY_S),
                                        .is_tls_server = true,
                                        .dns_name = cases[i].name};
        X509 *cert = openssl_made(&t);
        GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

        assert_non_null(names);
        assert_int_equal(sk_GENERAL_NAME_num(names), 1);
        assert_int_equal(X509_get_extended_key_usage(cert), XKU_SSL_SERVER);
        assert_int_equal(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE);
        if (cases[i].is_address) {
            assert_int_equal(X509_check_ip_asc(cert, cases[i].name, 0), 1);
            assert_int_equal(X509_check_ip_asc(cert, cases[i].other, 0), 0);
        } else {
            assert_int_not_equal(X509_check_host(cert, cases[i].other, 0, 0, NULL), 1);
        }
        GENERAL_NAMES_free(names);
        X509_free(cert);
    }
}

static void no_flipped_bit_is_accepted(void **state)
{
    struct x509_cert *ca = made(1);
    struct buffer der = {0};

    (void)state;
    make(2, &der);
    for (size_t i = 0; i < der.size * 8; i += 3) {
        struct x509_cert *changed = NULL;

        der.data[i / 8] ^= (uint8_t)(1u << i % 8);
        if (x509_cert_parse(buffer_span(&der), &changed) == ERR_NONE)
            assert_int_not_equal(x509_cert_issued_by(changed, ca, X509_ECDSA_P256_SHA256),
                                 ERR_NONE);
        x509_cert_free(&changed);
        der.data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    buffer_clear(&der);
    x509_cert_free(&ca);
}

static void bad_templates_are_errors_that_write_nothing(void **state)
{
    struct x509_template t = template_of(2);
    struct buffer out = {0};

    (void)state;
    t.extension_oid = "not an oid";
    assert_int_equal(x509_make(&t, &out), ERR_CRYPTO);
    t = template_of(2);
    t.common_name = "a common name of more than sixty-four characters, X.520's upper bound";
    assert_int_equal(x509_make(&t, &out), ERR_CRYPTO);
    t.common_name = "\xff\xfe";
    assert_int_equal(x509_make(&t, &out), ERR_CRYPTO);
    assert_int_equal(out.size, 0);
}

static void pem_comes_back_as_the_same_chain(void **state)
{
    struct buffer der = {0};
    struct buffer pem = {0};
    struct x509_cert *chain[2] = {NULL};
    size_t count = 0;
    size_t line = 0;

    (void)state;
    for (int level = 2; level >= 1; level--) {
        make(level, &der);
        assert_int_equal(pem_write("CERTIFICATE", buffer_span(&der), &pem), ERR_NONE);
        buffer_clear(&der);
    }
    for (size_t i = 0; i < pem.size; i++) {
        line = pem.data[i] == '\n' ? 0 : line + 1;
        assert_true(line <= 64);
    }
    assert_int_equal(x509_chain_parse(buffer_span(&pem), chain, 2, &count), ERR_NONE);
    assert_int_equal(count, 2);
    assert_int_equal(x509_cert_issued_by(chain[0], chain[1], X509_ECDSA_P256_SHA256), ERR_NONE);
    x509_cert_free(&chain[0]);
    x509_cert_free(&chain[1]);
    buffer_clear(&pem);
}

static void pem_lines_end_as_rfc_7468_has_them(void **state)
{
    static const struct {
        const char *bytes;
        const char *pem;
    } cases[] = {
        {"",     "-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"          },
        {"abc",  "-----BEGIN X509 CRL-----\nYWJj\n-----END X509 CRL-----\n"    },
        {"abcd", "-----BEGIN X509 CRL-----\nYWJjZA==\n-----END X509 CRL-----\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer pem = {0};

        assert_int_equal(pem_write("X509 CRL", span_string(cases[i].bytes), &pem), ERR_NONE);
        assert_true(span_equal_string(buffer_span(&pem), cases[i].pem));
        buffer_clear(&pem);
    }
}

static int start(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE && p256_generate(&root_key) == ERR_NONE &&
                   p256_generate(&ca_key) == ERR_NONE && p256_generate(&leaf_key) == ERR_NONE
               ? 0
               : -1;
}

static int finish(void **state)
{
    (void)state;
    p256_private_free(&root_key);
    p256_private_free(&ca_key);
    p256_private_free(&leaf_key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_verify_in_their_order_and_no_other),
        cmocka_unit_test(contents_are_those_of_the_template),
        cmocka_unit_test(the_key_is_the_subjects),
        cmocka_unit_test(extensions_are_those_of_intels_certificates),
        cmocka_unit_test(openssl_judges_the_chain_as_meant),
        cmocka_unit_test(a_crl_lists_revoked_certificates),
        cmocka_unit_test(a_server_certificate_holds_only_for_its_name),
        cmocka_unit_test(no_flipped_bit_is_accepted),
        cmocka_unit_test(bad_templates_are_errors_that_write_nothing),
        cmocka_unit_test(pem_comes_back_as_the_same_chain),
        cmocka_unit_test(pem_lines_end_as_rfc_7468_has_them),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
