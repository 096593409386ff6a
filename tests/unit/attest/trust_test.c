/* The published roots, whose own signatures are not checked again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attest/trust.h"
#include "crypto/x509.h"
#include "support/vectors.h"
#include "unit/attest/evidence.h"

static const struct {
    const char *file;
    enum x509_signature algorithm;
    enum attest_vendor vendor;
} roots[] = {
    {"collateral/intel/intel_sgx_root_ca.der", X509_ECDSA_P256_SHA256,  ATTEST_INTEL    },
    {"collateral/amd/milan/ark.der",           X509_RSA4096_PSS_SHA384, ATTEST_AMD_MILAN},
    {"collateral/amd/genoa/ark.der",           X509_RSA4096_PSS_SHA384, ATTEST_AMD_GENOA},
    {"collateral/amd/turin/ark.der",           X509_RSA4096_PSS_SHA384, ATTEST_AMD_TURIN},
    {"collateral/aws/aws_nitro_root_g1.der",   X509_ECDSA_P384_SHA384,  ATTEST_AWS      },
};

/* The skipped check would pass: each is signed by its own key, and that key is pinned. */
static void check_genuine(const struct x509_cert *c, enum x509_signature algorithm,
                          enum attest_vendor vendor)
{
    struct attest_trust trust;
    uint8_t spki[SHA256_SIZE];

    attest_trust_vendors(&trust);
    x509_cert_spki_sha256(c, spki);
    assert_true(attest_trust_is_published_root(c));
    assert_int_equal(x509_cert_issued_by(c, c, algorithm), ERR_NONE);
    assert_non_null(attest_trust_find(&trust, vendor, spki));
}

static void read_root(size_t i, struct buffer *der)
{
    char path[256];

    (void)snprintf(path, sizeof path, EVIDENCE_FOLDER "/%s", roots[i].file);
    if (!vectors_have(path, path))
        skip();
    vectors_read(path, der);
}

static void published_roots_are_signed_by_themselves(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(roots); i++) {
        struct buffer der = {0};
        struct x509_cert *c = NULL;

        read_root(i, &der);
        assert_int_equal(x509_cert_parse(buffer_span(&der), &c), ERR_NONE);
        check_genuine(c, roots[i].algorithm, roots[i].vendor);
        x509_cert_free(&c);
        buffer_clear(&der);
    }
}

/* Intel's older certificate, valid to 2033, occurs only in old quotes. */
static void so_is_the_older_root_of_intel(void **state)
{
    static const char path[] = EVIDENCE_FOLDER "/sgx/sgx-v3-openenclave-2a49ce/quote.bin";
    struct buffer quote = {0};
    struct x509_cert *chain[3] = {NULL};
    const uint8_t *pem;
    size_t count = 0;

    (void)state;
    if (!vectors_have(path, path))
        skip();
    vectors_read(path, &quote);
    pem = memmem(quote.data, quote.size, "-----BEGIN", 10);
    assert_non_null(pem);
    assert_int_equal(x509_chain_parse(span_of(pem, quote.size - (size_t)(pem - quote.data)), chain,
                                      COUNT_OF(chain), &count),
                     ERR_NONE);
    assert_int_equal(count, 3);
    check_genuine(chain[2], X509_ECDSA_P256_SHA256, ATTEST_INTEL);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(attest_trust_is_published_root(chain[i]), i == 2);
        x509_cert_free(&chain[i]);
    }
    buffer_clear(&quote);
}

/* Also for the pinned key: a flipped bit anywhere else, including the signature. */
static void a_root_with_another_bit_is_not_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(roots); i++) {
        struct buffer der = {0};
        size_t parsed = 0;

        read_root(i, &der);
        for (size_t bit = 0; bit < 8 * der.size; bit++) {
            struct x509_cert *c = NULL;

            der.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (x509_cert_parse(buffer_span(&der), &c) == ERR_NONE) {
                assert_false(attest_trust_is_published_root(c));
                parsed++;
            }
            x509_cert_free(&c);
            der.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_true(parsed > 100);
        buffer_clear(&der);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_roots_are_signed_by_themselves),
        cmocka_unit_test(so_is_the_older_root_of_intel),
        cmocka_unit_test(a_root_with_another_bit_is_not_published),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
