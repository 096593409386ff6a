/*
 * Certificates as AMD and AWS issue them: genuine ones, and imitations that differ in one point.
 * Intel's are in tests/unit/attest/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/reader.h"
#include "crypto/x509.h"
#include "support/vectors.h"

#define FOLDER "attestation/"
#define NITRO_CERTIFICATES_MAX 8

static const enum x509_signature algorithms[] = {X509_ECDSA_P256_SHA256, X509_ECDSA_P384_SHA384,
                                                 X509_RSA4096_PSS_SHA384};

static int64_t seconds(const ASN1_TIME *time)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, rest = 0;

    assert_int_equal(ASN1_TIME_diff(&days, &rest, epoch, time), 1);
    ASN1_TIME_free(epoch);
    return (int64_t)days * 86400 + rest;
}

/* Parses, and compares our values with OpenSSL's. */
static struct x509_cert *parsed(struct span der)
{
    const unsigned char *next = der.data;
    X509 *x509 = d2i_X509(NULL, &next, (long)der.size);
    struct x509_cert *c = NULL;
    char name[128] = "";
    uint32_t usage;
    long path_length;

    assert_int_equal(x509_cert_parse(der, &c), ERR_NONE);
    assert_non_null(x509);
    usage = X509_get_extension_flags(x509) & EXFLAG_KUSAGE ? X509_get_key_usage(x509) : 0;
    path_length = X509_get_pathlen(x509);
    assert_int_equal(timestamp_seconds(x509_cert_not_before(c)),
                     seconds(X509_get0_notBefore(x509)));
    assert_int_equal(timestamp_seconds(x509_cert_not_after(c)), seconds(X509_get0_notAfter(x509)));
    assert_int_equal(x509_cert_is_ca(c), X509_check_ca(x509) == 1);
    assert_int_equal(x509_cert_has_digital_signature(c), (usage & KU_DIGITAL_SIGNATURE) != 0);
    assert_true(x509_cert_path_length(c) == (path_length < 0 ? SIZE_MAX : (size_t)path_length));
    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, name,
                                          sizeof name) > 0);
    assert_true(x509_cert_common_name_contains(c, name));
    X509_free(x509);
    return c;
}

static struct x509_cert *stored(const char *folder, const char *name, const char *file)
{
    char path[256];
    struct buffer der = {0};
    struct x509_cert *c;

    (void)snprintf(path, sizeof path, FOLDER "%s%s%s", folder, name, file);
    vectors_read(path, &der);
    c = parsed(buffer_span(&der));
    buffer_clear(&der);
    return c;
}

/* Issued with this algorithm, and with no other. */
static bool issued_only(const struct x509_cert *c, const struct x509_cert *issuer,
                        enum x509_signature algorithm)
{
    bool issued = false;

    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        enum err e = x509_cert_issued_by(c, issuer, algorithms[i]);

        if (algorithms[i] == algorithm)
            issued = e == ERR_NONE;
        else
            assert_int_equal(e, ERR_CRYPTO);
    }
    return issued;
}

/* ---- AMD ---- */

enum { ARK, ASK, ASVK, AMD_CAS };
static const char *const products[] = {"milan", "genoa", "turin"};
static const char *const veks[] = {
    "milan-vcek-automata-network-597d1f",
    "milan-vcek-confidential-containers-7c6146",
    "milan-vcek-google-377e62",
    "milan-vcek-veehaitch-120d77",
    "genoa-vcek-confidential-containers-227a64",
    "milan-vcek-confidential-containers-05b743",
    "milan-vcek-confidential-containers-2cf09f",
    "milan-vcek-dstack-tee-a20e02",
    "milan-vcek-veehaitch-40a277",
    "milan-vlek-confidential-containers-decdab",
    "genoa-vcek-lunal-dev-7ea4da",
    "genoa-vcek-veehaitch-643565",
    "milan-vcek-canvasxyz-9afca7",
    "milan-vcek-canvasxyz-bcc3fb",
    "turin-vcek-veehaitch-3f44a0",
};
static const char *const vek_versions[COUNT_OF(veks)] = {
    "v2", "v2", "v2", "v2", "v3", "v3", "v3", "v3", "v3", "v3", "v5", "v5", "v5", "v5", "v5"};

static struct x509_cert *amd[COUNT_OF(products)][AMD_CAS];

static bool amd_load(void)
{
    if (!vectors_have(FOLDER "collateral/amd/milan/ark.der", "certificates of AMD"))
        return false;
    for (size_t p = 0; p < COUNT_OF(products); p++) {
        amd[p][ARK] = stored("collateral/amd/", products[p], "/ark.der");
        amd[p][ASK] = stored("collateral/amd/", products[p], "/ask.der");
        amd[p][ASVK] = stored("collateral/amd/", products[p], "/asvk.der");
    }
    return true;
}

static void amd_free(void)
{
    for (size_t p = 0; p < COUNT_OF(products); p++)
        for (size_t i = 0; i < AMD_CAS; i++)
            x509_cert_free(&amd[p][i]);
}

static struct x509_cert *vek(size_t i)
{
    char name[128];

    (void)snprintf(name, sizeof name, "%s-%s", vek_versions[i], veks[i]);
    return stored("snp/snp-", name, "/vek.der");
}

static void amd_authorities_are_linked_within_their_product(void **state)
{
    (void)state;
    if (!amd_load())
        skip();
    for (size_t p = 0; p < COUNT_OF(products); p++) {
        for (size_t i = 0; i < AMD_CAS; i++) {
            assert_true(x509_cert_is_ca(amd[p][i]));
            assert_false(x509_cert_has_digital_signature(amd[p][i]));
            assert_true(x509_cert_path_length(amd[p][i]) == (i == ARK ? SIZE_MAX : 0));
        }
        for (size_t q = 0; q < COUNT_OF(products); q++)
            for (size_t i = 0; i < AMD_CAS; i++)
                for (size_t j = 0; j < AMD_CAS; j++)
                    assert_int_equal(issued_only(amd[p][i], amd[q][j], X509_RSA4096_PSS_SHA384),
                                     p == q && j == ARK);
    }
    amd_free();
}

static void amd_leaves_are_issued_by_the_one_authority_of_their_kind(void **state)
{
    (void)state;
    if (!amd_load())
        skip();
    for (size_t v = 0; v < COUNT_OF(veks); v++) {
        struct x509_cert *leaf = vek(v);
        struct p384_public *key = NULL;
        struct p256_public *wrong = NULL;
        size_t issuer = strstr(veks[v], "vlek") ? ASVK : ASK;

        print_message("%s\n", veks[v]);
        assert_false(x509_cert_is_ca(leaf));
        for (size_t p = 0; p < COUNT_OF(products); p++)
            for (size_t i = 0; i < AMD_CAS; i++)
                assert_int_equal(issued_only(leaf, amd[p][i], X509_RSA4096_PSS_SHA384),
                                 i == issuer && strncmp(veks[v], products[p], 5) == 0);
        assert_int_equal(x509_cert_p256(leaf, &wrong), ERR_UNSUPPORTED);
        assert_int_equal(x509_cert_p384(leaf, &key), ERR_NONE);
        p384_public_free(&key);
        assert_int_equal(x509_cert_p384(amd[0][ASK], &key), ERR_UNSUPPORTED);
        x509_cert_free(&leaf);
    }
    amd_free();
}

/* Every bit of the signature's neighbourhood, every fifth of the rest: an RSA check takes its time.
 */
static void no_bit_of_a_leaf_of_amd_may_be_another(void **state)
{
    struct buffer der = {0};

    (void)state;
    if (!amd_load())
        skip();
    vectors_read(FOLDER "snp/snp-v2-milan-vcek-google-377e62/vek.der", &der);
    for (size_t bit = 0; bit < der.size * 8; bit += 5) {
        struct x509_cert *c = NULL;

        der.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (x509_cert_parse(buffer_span(&der), &c) == ERR_NONE)
            assert_int_equal(x509_cert_issued_by(c, amd[0][ASK], X509_RSA4096_PSS_SHA384),
                             ERR_CRYPTO);
        x509_cert_free(&c);
        der.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    buffer_clear(&der);
    amd_free();
}

/* ---- look-alikes of AMD's, made here ---- */

static struct {
    EVP_PKEY *key;   /* RSA 4096, exponent 65537, as AMD's */
    EVP_PKEY *other; /* the same kind */
} rsa;

static int rsa_setup(void **state)
{
    (void)state;
    rsa.key = EVP_RSA_gen(4096);
    rsa.other = EVP_RSA_gen(4096);
    return rsa.key && rsa.other ? 0 : -1;
}

static int rsa_teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa.key);
    EVP_PKEY_free(rsa.other);
    return 0;
}

struct style { /* how to sign */
    int padding;
    const EVP_MD *hash, *mask_hash;
    int salt;
};

static EVP_MD_CTX *signer(EVP_PKEY *key, const struct style *style)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL;

    assert_int_equal(EVP_DigestSignInit(c, &options, style->hash, NULL, key), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(options, style->padding), 1);
    if (style->padding == RSA_PKCS1_PSS_PADDING) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(options, style->mask_hash), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, style->salt), 1);
    }
    return c;
}

static X509_NAME *name_made(const char *text)
{
    X509_NAME *name = X509_NAME_new();

    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)text, -1, -1, 0),
                     1);
    return name;
}

/* The ARK signs CRLs, ASK and ASVK do not. */
static void add_usage(X509 *x509, bool signs_crls)
{
    enum { CERT_SIGN = 5, CRL_SIGN = 6 };
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();

    assert_int_equal(ASN1_BIT_STRING_set_bit(bits, CERT_SIGN, 1), 1);
    assert_int_equal(ASN1_BIT_STRING_set_bit(bits, CRL_SIGN, signs_crls), 1);
    assert_int_equal(X509_add1_ext_i2d(x509, NID_key_usage, bits, 1, X509V3_ADD_REPLACE), 1);
    ASN1_BIT_STRING_free(bits);
}

/* A certificate of `key` for itself. */
static X509 *certificate_made(EVP_PKEY *key)
{
    X509 *x509 = X509_new();
    X509_NAME *name = name_made("ARK-Test");

    assert_int_equal(X509_set_version(x509, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), 1), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x509), 1700000000));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x509), 1900000000));
    assert_int_equal(X509_set_subject_name(x509, name), 1);
    assert_int_equal(X509_set_issuer_name(x509, name), 1);
    assert_int_equal(X509_set_pubkey(x509, key), 1);
    add_usage(x509, true);
    X509_NAME_free(name);
    return x509;
}

static struct x509_cert *reparsed(X509 *x509)
{
    unsigned char *der = NULL;
    int size = i2d_X509(x509, &der);
    struct x509_cert *c = NULL;

    assert_true(size > 0);
    assert_int_equal(x509_cert_parse(span_of(der, (size_t)size), &c), ERR_NONE);
    OPENSSL_free(der);
    X509_free(x509);
    return c;
}

static struct x509_cert *signed_certificate(EVP_PKEY *subject, EVP_PKEY *by,
                                            const struct style *style)
{
    X509 *x509 = certificate_made(subject);
    EVP_MD_CTX *c = signer(by, style);

    assert_true(X509_sign_ctx(x509, c) > 0);
    EVP_MD_CTX_free(c);
    return reparsed(x509);
}

static struct x509_cert *without_crl_sign(EVP_PKEY *key, const struct style *style)
{
    X509 *x509 = certificate_made(key);
    EVP_MD_CTX *c = signer(key, style);

    add_usage(x509, false);
    assert_true(X509_sign_ctx(x509, c) > 0);
    EVP_MD_CTX_free(c);
    return reparsed(x509);
}

static struct style amds_style(void)
{
    return (struct style){RSA_PKCS1_PSS_PADDING, EVP_sha384(), EVP_sha384(), 48};
}

static void only_amds_own_form_of_pss_is_accepted(void **state)
{
    const struct {
        const char *what;
        struct style style;
        bool good;
    } cases[] = {
        {"as AMD",              amds_style(),                                             true },
        {"salt of 32",          {RSA_PKCS1_PSS_PADDING, EVP_sha384(), EVP_sha384(), 32},  false},
        {"no salt",             {RSA_PKCS1_PSS_PADDING, EVP_sha384(), EVP_sha384(), 0},   false},
        {"the longest salt",    {RSA_PKCS1_PSS_PADDING, EVP_sha384(), EVP_sha384(), 462}, false},
        {"SHA-256",             {RSA_PKCS1_PSS_PADDING, EVP_sha256(), EVP_sha256(), 32},  false},
        {"SHA-256, salt of 48", {RSA_PKCS1_PSS_PADDING, EVP_sha256(), EVP_sha256(), 48},  false},
        {"SHA-512",             {RSA_PKCS1_PSS_PADDING, EVP_sha512(), EVP_sha512(), 48},  false},
        {"MGF1 of SHA-256",     {RSA_PKCS1_PSS_PADDING, EVP_sha384(), EVP_sha256(), 48},  false},
        {"PKCS #1 version 1.5", {RSA_PKCS1_PADDING, EVP_sha384(), NULL, 0},               false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct x509_cert *c = signed_certificate(rsa.key, rsa.key, &cases[i].style);

        print_message("%s\n", cases[i].what);
        assert_int_equal(issued_only(c, c, X509_RSA4096_PSS_SHA384), cases[i].good);
        x509_cert_free(&c);
    }
}

/* A salt of 32 under an identifier that says 48: the signature itself is checked, too. */
static void what_the_identifier_says_has_to_be_true(void **state)
{
    const struct style wrong[] = {
        {RSA_PKCS1_PSS_PADDING, EVP_sha384(), EVP_sha384(), 32},
        {RSA_PKCS1_PSS_PADDING, EVP_sha384(), EVP_sha256(), 48},
        {RSA_PKCS1_PADDING,     EVP_sha384(), NULL,         0 },
        {RSA_PKCS1_PSS_PADDING, EVP_sha384(), EVP_sha384(), 48}, /* this one is right */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const struct style good = amds_style();
        X509 *x509 = certificate_made(rsa.key);
        EVP_MD_CTX *c = signer(rsa.key, &good);
        unsigned char *tbs = NULL;
        unsigned char signature[512];
        size_t size = sizeof signature;
        const ASN1_BIT_STRING *bits = NULL;
        struct x509_cert *made = NULL;
        int tbs_size;

        assert_true(X509_sign_ctx(x509, c) > 0); /* sets the identifiers */
        EVP_MD_CTX_free(c);
        tbs_size = i2d_re_X509_tbs(x509, &tbs);
        assert_true(tbs_size > 0);
        c = signer(rsa.key, &wrong[i]);
        assert_int_equal(EVP_DigestSign(c, signature, &size, tbs, (size_t)tbs_size), 1);
        EVP_MD_CTX_free(c);
        OPENSSL_free(tbs);
        X509_get0_signature(&bits, NULL, x509);
        assert_int_equal(size, ASN1_STRING_length(bits));
        /* OpenSSL cannot set a signature, so this overwrites the existing one */
        memcpy((void *)(uintptr_t)ASN1_STRING_get0_data(bits), signature, size);
        made = reparsed(x509);
        assert_int_equal(x509_cert_issued_by(made, made, X509_RSA4096_PSS_SHA384),
                         i + 1 == COUNT_OF(wrong) ? ERR_NONE : ERR_CRYPTO);
        x509_cert_free(&made);
    }
}

static void keys_other_than_amds_kind_are_refused(void **state)
{
    const struct style style = amds_style();
    EVP_PKEY *small = EVP_RSA_gen(3072);
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *pss = NULL, *cube = NULL;
    BIGNUM *three = BN_new();

    (void)state;
    assert_true(maker && EVP_PKEY_keygen_init(maker) == 1 &&
                EVP_PKEY_CTX_set_rsa_keygen_bits(maker, 4096) == 1 &&
                EVP_PKEY_generate(maker, &pss) == 1);
    EVP_PKEY_CTX_free(maker);
    maker = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    assert_true(BN_set_word(three, 3) == 1 && EVP_PKEY_keygen_init(maker) == 1 &&
                EVP_PKEY_CTX_set_rsa_keygen_bits(maker, 4096) == 1 &&
                EVP_PKEY_CTX_set1_rsa_keygen_pubexp(maker, three) == 1 &&
                EVP_PKEY_generate(maker, &cube) == 1);
    EVP_PKEY *const keys[] = {small, pss, cube};

    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct x509_cert *c = signed_certificate(keys[i], keys[i], &style);

        assert_false(issued_only(c, c, X509_RSA4096_PSS_SHA384));
        x509_cert_free(&c);
    }
    BN_free(three);
    EVP_PKEY_CTX_free(maker);
    EVP_PKEY_free(cube);
    EVP_PKEY_free(pss);
    EVP_PKEY_free(small);
}

/* The name of the issuer and a key of the same kind, but not its key. */
static void a_namesake_of_the_issuer_is_not_the_issuer(void **state)
{
    const struct style style = amds_style();
    struct x509_cert *issuer = signed_certificate(rsa.key, rsa.key, &style);
    struct x509_cert *namesake = signed_certificate(rsa.other, rsa.other, &style);
    struct x509_cert *child = signed_certificate(rsa.other, rsa.key, &style);

    (void)state;
    assert_true(issued_only(child, issuer, X509_RSA4096_PSS_SHA384));
    assert_false(issued_only(child, namesake, X509_RSA4096_PSS_SHA384));
    assert_false(issued_only(issuer, namesake, X509_RSA4096_PSS_SHA384));
    x509_cert_free(&child);
    x509_cert_free(&namesake);
    x509_cert_free(&issuer);
}

static struct x509_crl *crl_made(EVP_PKEY *by, const struct style *style)
{
    X509_CRL *made = X509_CRL_new();
    X509_NAME *name = name_made("ARK-Test");
    ASN1_TIME *from = ASN1_TIME_set(NULL, 1700000000);
    ASN1_TIME *until = ASN1_TIME_set(NULL, 1900000000);
    EVP_MD_CTX *c = signer(by, style);
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    unsigned char *der = NULL;
    struct x509_crl *crl = NULL;
    int size;

    assert_true(X509_CRL_set_version(made, 1) == 1 && X509_CRL_set_issuer_name(made, name) == 1 &&
                X509_CRL_set1_lastUpdate(made, from) == 1 &&
                X509_CRL_set1_nextUpdate(made, until) == 1 && ASN1_INTEGER_set(serial, 1) == 1 &&
                X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
                X509_REVOKED_set_revocationDate(entry, from) == 1 &&
                X509_CRL_add0_revoked(made, entry) == 1);
    assert_true(X509_CRL_sign_ctx(made, c) > 0);
    size = i2d_X509_CRL(made, &der);
    assert_true(size > 0);
    assert_int_equal(x509_crl_parse(span_of(der, (size_t)size), &crl), ERR_NONE);
    OPENSSL_free(der);
    ASN1_INTEGER_free(serial);
    EVP_MD_CTX_free(c);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    X509_NAME_free(name);
    X509_CRL_free(made);
    return crl;
}

static void crls_are_signed_as_certificates_are(void **state)
{
    const struct style style = amds_style();
    const struct style short_salt = {RSA_PKCS1_PSS_PADDING, EVP_sha384(), EVP_sha384(), 32};
    struct x509_cert *issuer = signed_certificate(rsa.key, rsa.key, &style);
    struct x509_crl *good = crl_made(rsa.key, &style);
    struct x509_crl *forged = crl_made(rsa.other, &style);
    struct x509_crl *odd = crl_made(rsa.key, &short_salt);
    struct x509_cert *not_meant = without_crl_sign(rsa.key, &style);

    (void)state;
    assert_int_equal(x509_crl_signed_by(good, issuer, X509_RSA4096_PSS_SHA384), ERR_NONE);
    assert_int_equal(x509_crl_signed_by(good, issuer, X509_ECDSA_P256_SHA256), ERR_CRYPTO);
    assert_int_equal(x509_crl_signed_by(good, issuer, X509_ECDSA_P384_SHA384), ERR_CRYPTO);
    assert_int_equal(x509_crl_signed_by(forged, issuer, X509_RSA4096_PSS_SHA384), ERR_CRYPTO);
    assert_int_equal(x509_crl_signed_by(odd, issuer, X509_RSA4096_PSS_SHA384), ERR_CRYPTO);
    assert_int_equal(x509_crl_signed_by(good, not_meant, X509_RSA4096_PSS_SHA384), ERR_CRYPTO);
    assert_true(x509_crl_issuer_is(good, issuer));
    assert_true(x509_crl_lists(good, issuer)); /* both have the serial number 1 */
    x509_cert_free(&not_meant);
    x509_crl_free(&odd);
    x509_crl_free(&forged);
    x509_crl_free(&good);
    x509_cert_free(&issuer);
}

/* ---- AWS ---- */

static const char *const nitro_documents[] = {
    "base-org-69d51f",  "blocky-72ffd8",       "dstack-tee-1c921b",       "dstack-tee-54ae0f",
    "eternisai-5f42eb", "eternisai-8056ee",    "evervault-061b9b",        "evervault-46591b",
    "evervault-6f80ac", "sparsity-xyz-063767", "veracruz-project-8ff485",
};

/*
 * The certificates in a document, leaf first, root second: byte strings of CBOR with two bytes of
 * length (0x59) that hold a SEQUENCE with as many (0x30 0x82). Other bytes of that form are not
 * certificates.
 */
static size_t nitro_certificates(struct span document, struct x509_cert **out)
{
    size_t count = 0;

    for (size_t at = 0; at + 7 < document.size; at++) {
        struct reader r = reader_over(span_slice(document, at, document.size));
        struct span der;

        if (reader_u8(&r) != 0x59)
            continue;
        der = reader_take(&r, reader_u16be(&r));
        if (r.failed || !span_starts_with(der, SPAN_LITERAL("\x30\x82")))
            continue;
        assert_true(count < NITRO_CERTIFICATES_MAX);
        out[count++] = parsed(der);
        at += der.size;
    }
    return count;
}

static void nitro_chains_link_from_root_to_leaf(void **state)
{
    struct x509_cert *root;

    (void)state;
    if (!vectors_have(FOLDER "collateral/aws/aws_nitro_root_g1.der", "certificates of AWS"))
        skip();
    root = stored("collateral/aws/", "aws_nitro_root_g1", ".der");
    assert_true(issued_only(root, root, X509_ECDSA_P384_SHA384));
    assert_true(x509_cert_is_ca(root));
    assert_true(x509_cert_path_length(root) == SIZE_MAX);
    for (size_t d = 0; d < COUNT_OF(nitro_documents); d++) {
        struct x509_cert *c[NITRO_CERTIFICATES_MAX] = {NULL};
        struct buffer document = {0};
        struct p384_public *key = NULL;
        char path[256];
        size_t count;

        print_message("%s\n", nitro_documents[d]);
        (void)snprintf(path, sizeof path, FOLDER "nitro/nitro-%s/doc.cbor", nitro_documents[d]);
        vectors_read(path, &document);
        count = nitro_certificates(buffer_span(&document), c);
        assert_in_range(count, 4, NITRO_CERTIFICATES_MAX);
        assert_true(x509_cert_same_subject(c[1], root));
        for (size_t i = 1; i < count; i++) {
            size_t child = i + 1 < count ? i + 1 : 0; /* the leaf comes last */

            assert_true(issued_only(c[child], c[i], X509_ECDSA_P384_SHA384));
            assert_false(issued_only(c[i], c[child], X509_ECDSA_P384_SHA384));
            assert_true(x509_cert_is_ca(c[i]));
            assert_true(x509_cert_path_length(c[i]) >= count - 1 - i);
        }
        assert_false(x509_cert_is_ca(c[0]));
        assert_true(x509_cert_has_digital_signature(c[0]));
        assert_int_equal(x509_cert_p384(c[0], &key), ERR_NONE);
        p384_public_free(&key);
        for (size_t i = 0; i < count; i++)
            x509_cert_free(&c[i]);
        buffer_clear(&document);
    }
    x509_cert_free(&root);
}

static void no_bit_of_the_root_of_aws_may_be_another(void **state)
{
    struct x509_cert *root;
    struct buffer der = {0};

    (void)state;
    if (!vectors_have(FOLDER "collateral/aws/aws_nitro_root_g1.der", "certificates of AWS"))
        skip();
    root = stored("collateral/aws/", "aws_nitro_root_g1", ".der");
    vectors_read(FOLDER "collateral/aws/aws_nitro_root_g1.der", &der);
    for (size_t bit = 0; bit < der.size * 8; bit++) {
        struct x509_cert *c = NULL;

        der.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (x509_cert_parse(buffer_span(&der), &c) == ERR_NONE)
            assert_int_equal(x509_cert_issued_by(c, root, X509_ECDSA_P384_SHA384), ERR_CRYPTO);
        x509_cert_free(&c);
        der.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    buffer_clear(&der);
    x509_cert_free(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amd_authorities_are_linked_within_their_product),
        cmocka_unit_test(amd_leaves_are_issued_by_the_one_authority_of_their_kind),
        cmocka_unit_test(no_bit_of_a_leaf_of_amd_may_be_another),
        cmocka_unit_test(only_amds_own_form_of_pss_is_accepted),
        cmocka_unit_test(what_the_identifier_says_has_to_be_true),
        cmocka_unit_test(keys_other_than_amds_kind_are_refused),
        cmocka_unit_test(a_namesake_of_the_issuer_is_not_the_issuer),
        cmocka_unit_test(crls_are_signed_as_certificates_are),
        cmocka_unit_test(nitro_chains_link_from_root_to_leaf),
        cmocka_unit_test(no_bit_of_the_root_of_aws_may_be_another),
    };

    return cmocka_run_group_tests(tests, rsa_setup, rsa_teardown);
}
