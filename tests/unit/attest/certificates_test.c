/* Chains whose CAs are in the cache: the cache changes no verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attest/certificates.h"
#include "crypto/x509_make.h"

#define NOW_S 1800000000
#define DAY_S 86400
#define ROOT "Intel SGX Root CA"
#define PLATFORM "Intel SGX PCK Platform CA"
#define PCK "Intel SGX PCK Certificate"

static const struct certificates_rule rule = {
    .step = "pck_chain",
    .count = 3,
    .first_name = PCK,
    .missing = ATTEST_PCK_CHAIN_MISSING,
    .invalid = ATTEST_PCK_CHAIN_INVALID,
    .too_long = ATTEST_PCK_CHAIN_TOO_LONG,
};

enum { ROOT_KEY, CA_KEY, LEAF_KEY, OTHER_KEY, KEYS };

static struct {
    struct p256_private *keys[KEYS];
    struct buffer root, ca, leaf, second_leaf; /* DER */
    struct attest_trust trust;
} f;

static struct buffer made(const char *name, size_t key, const char *issuer, size_t signer,
                          uint64_t serial)
{
    const struct x509_template t = {
        .common_name = name,
        .issuer_name = issuer,
        .key = f.keys[key],
        .signer = issuer ? f.keys[signer] : NULL,
        .serial = serial,
        .not_before = timestamp_of_seconds(NOW_S - DAY_S),
        .not_after = timestamp_of_seconds(NOW_S + DAY_S),
        .is_ca = key != LEAF_KEY,
    };
    struct buffer der = {0};

    assert_int_equal(x509_make(&t, &der), ERR_NONE);
    return der;
}

static int setup(void **state)
{
    struct x509_cert *root = NULL;

    (void)state;
    for (size_t i = 0; i < KEYS; i++)
        assert_int_equal(p256_generate(&f.keys[i]), ERR_NONE);
    f.root = made(ROOT, ROOT_KEY, NULL, 0, 1);
    f.ca = made(PLATFORM, CA_KEY, ROOT, ROOT_KEY, 2);
    f.leaf = made(PCK, LEAF_KEY, PLATFORM, CA_KEY, 3);
    f.second_leaf = made(PCK, LEAF_KEY, PLATFORM, CA_KEY, 4);
    assert_int_equal(x509_cert_parse(buffer_span(&f.root), &root), ERR_NONE);
    f.trust.count = 1;
    f.trust.roots[0] = (struct attest_root){.vendor = ATTEST_INTEL, .simulated = true};
    x509_cert_spki_sha256(root, f.trust.roots[0].spki_sha256);
    x509_cert_free(&root);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++)
        p256_private_free(&f.keys[i]);
    buffer_clear(&f.root);
    buffer_clear(&f.ca);
    buffer_clear(&f.leaf);
    buffer_clear(&f.second_leaf);
    return 0;
}

static enum attest_reason judge(const struct attest_trust *trust, struct attest_cache *cache,
                                const struct buffer *leaf, const struct buffer *ca,
                                const struct buffer *root)
{
    const struct buffer *const parts[] = {leaf, ca, root};
    struct certificates c = {0};
    struct refusal r = {0};
    struct buffer pem = {0};
    enum err e;

    for (size_t i = 0; i < COUNT_OF(parts); i++)
        assert_int_equal(pem_write("CERTIFICATE", buffer_span(parts[i]), &pem), ERR_NONE);
    e = certificates_read_cached(trust, cache, buffer_span(&pem), &rule, &c, &r);
    assert_int_equal(e, e == ERR_NONE ? ERR_NONE : ERR_DENIED);
    assert_int_equal(c.count, e == ERR_NONE ? COUNT_OF(parts) : 0);
    if (e == ERR_NONE)
        assert_int_equal(timestamp_seconds(c.valid_until), NOW_S + DAY_S);
    certificates_clear(&c);
    buffer_clear(&pem);
    return e == ERR_NONE ? ATTEST_OK : r.reason;
}

/* A cache that knows the CAs of the fixture. */
static struct attest_cache *knowing(void)
{
    struct attest_cache *cache = NULL;

    assert_int_equal(attest_cache_new(4, &cache), ERR_NONE);
    assert_int_equal(judge(&f.trust, cache, &f.leaf, &f.ca, &f.root), ATTEST_OK);
    return cache;
}

static void a_known_ca_vouches_for_its_own_certificates(void **state)
{
    struct attest_cache *cache = knowing();

    (void)state;
    assert_int_equal(judge(&f.trust, cache, &f.leaf, &f.ca, &f.root), ATTEST_OK);
    assert_int_equal(judge(&f.trust, cache, &f.second_leaf, &f.ca, &f.root), ATTEST_OK);
    attest_cache_free(&cache);
}

static void a_known_ca_does_not_vouch_for_certificates_of_others(void **state)
{
    struct attest_cache *cache = knowing();
    struct buffer forged = made(PCK, LEAF_KEY, PLATFORM, OTHER_KEY, 3);
    struct buffer of_root = made(PCK, LEAF_KEY, ROOT, ROOT_KEY, 3);

    (void)state;
    for (int i = 0; i < 2; i++) { /* a refusal adds nothing to the cache */
        assert_int_equal(judge(&f.trust, cache, &forged, &f.ca, &f.root), ATTEST_PCK_CHAIN_INVALID);
        assert_int_equal(judge(&f.trust, cache, &of_root, &f.ca, &f.root),
                         ATTEST_PCK_CHAIN_INVALID);
    }
    for (size_t bit = 0; bit < 8 * f.leaf.size; bit++) {
        f.leaf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(judge(&f.trust, cache, &f.leaf, &f.ca, &f.root), ATTEST_PCK_CHAIN_INVALID);
        f.leaf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buffer_clear(&forged);
    buffer_clear(&of_root);
    attest_cache_free(&cache);
}

static void look_alikes_of_a_known_ca_are_unknown(void **state)
{
    struct attest_cache *cache = knowing();
    struct buffer self_made = made(PLATFORM, OTHER_KEY, ROOT, OTHER_KEY, 2);
    struct buffer its_leaf = made(PCK, LEAF_KEY, PLATFORM, OTHER_KEY, 3);
    struct buffer its_root = made(ROOT, OTHER_KEY, NULL, 0, 1);

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(judge(&f.trust, cache, &its_leaf, &self_made, &f.root),
                         ATTEST_PCK_CHAIN_INVALID);
        assert_int_equal(judge(&f.trust, cache, &its_leaf, &self_made, &its_root),
                         ATTEST_ROOT_NOT_PINNED);
        assert_int_equal(judge(&f.trust, cache, &f.leaf, &f.ca, &its_root),
                         ATTEST_PCK_CHAIN_INVALID);
        assert_int_equal(judge(&f.trust, cache, &f.leaf, &f.root, &f.ca), ATTEST_PCK_CHAIN_INVALID);
    }
    for (size_t bit = 0; bit < 8 * f.ca.size; bit++) {
        f.ca.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(judge(&f.trust, cache, &f.leaf, &f.ca, &f.root), ATTEST_PCK_CHAIN_INVALID);
        f.ca.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * f.root.size; bit++) {
        f.root.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(judge(&f.trust, cache, &f.leaf, &f.ca, &f.root), ATTEST_OK);
        f.root.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buffer_clear(&self_made);
    buffer_clear(&its_leaf);
    buffer_clear(&its_root);
    attest_cache_free(&cache);
}

/* A caller that pins another root, or uses this key for another vendor, does not accept cached
 * results of others. */
static void known_cas_are_judged_by_the_pins_of_the_moment(void **state)
{
    struct attest_cache *cache = knowing();
    const struct attest_trust nobody = {0};
    struct attest_trust another = f.trust;
    struct attest_trust amds = f.trust;

    (void)state;
    another.roots[0].spki_sha256[0] ^= 1;
    amds.roots[0].vendor = ATTEST_AMD_MILAN;
    assert_int_equal(judge(&nobody, cache, &f.leaf, &f.ca, &f.root), ATTEST_ROOT_NOT_PINNED);
    assert_int_equal(judge(&another, cache, &f.leaf, &f.ca, &f.root), ATTEST_ROOT_NOT_PINNED);
    assert_int_equal(judge(&amds, cache, &f.leaf, &f.ca, &f.root), ATTEST_ROOT_NOT_PINNED);
    assert_int_equal(judge(&f.trust, cache, &f.leaf, &f.ca, &f.root), ATTEST_OK);
    attest_cache_free(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_ca_vouches_for_its_own_certificates),
        cmocka_unit_test(a_known_ca_does_not_vouch_for_certificates_of_others),
        cmocka_unit_test(look_alikes_of_a_known_ca_are_unknown),
        cmocka_unit_test(known_cas_are_judged_by_the_pins_of_the_moment),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
