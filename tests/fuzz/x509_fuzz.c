/* Certificates, chains, CRLs and encoded keys, through every function that reads the parsed
 * form. */
#include <assert.h>

#include "crypto/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* At most one kind of key, and signatures only of that kind. */
static void use_key(const struct x509_cert *c)
{
    struct p256_public *p256 = NULL;
    struct p384_public *p384 = NULL;
    bool is_p256 = x509_cert_p256(c, &p256) == ERR_NONE;
    bool is_p384 = x509_cert_p384(c, &p384) == ERR_NONE;

    assert(!(is_p256 && is_p384));
    assert(x509_cert_issued_by(c, c, X509_ECDSA_P256_SHA256) != ERR_NONE || is_p256);
    assert(x509_cert_issued_by(c, c, X509_ECDSA_P384_SHA384) != ERR_NONE || is_p384);
    assert(x509_cert_issued_by(c, c, X509_RSA4096_PSS_SHA384) != ERR_NONE ||
           (!is_p256 && !is_p384));
    p256_public_free(&p256);
    p384_public_free(&p384);
}

static void use_certificate(const struct x509_cert *c)
{
    uint8_t spki[SHA256_SIZE];
    struct span extension;

    assert(x509_cert_same_subject(c, c));
    (void)x509_cert_is_ca(c);
    (void)x509_cert_has_digital_signature(c);
    (void)x509_cert_path_length(c);
    (void)x509_cert_common_name_contains(c, "Intel SGX");
    (void)x509_cert_valid_at(c, timestamp_of_seconds(1756530546));
    x509_cert_spki_sha256(c, spki);
    if (x509_cert_extension(c, "1.2.840.113741.1.13.1", &extension) == ERR_NONE)
        assert(extension.size == 0 || extension.data);
    use_key(c);
}

static void try_chain(struct span bytes)
{
    struct x509_cert *chain[4] = {0};
    size_t count = 0;

    if (x509_chain_parse(bytes, chain, 4, &count) != ERR_NONE) {
        for (size_t i = 0; i < 4; i++)
            assert(!chain[i]);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        use_certificate(chain[i]);
        x509_cert_free(&chain[i]);
    }
}

/* A key has one curve in every encoding. */
static void try_key(struct span bytes)
{
    struct p256_public *p256 = NULL;
    struct p384_public *p384 = NULL;
    bool is_p256 = p256_public_from_spki(bytes, &p256) == ERR_NONE;
    bool is_p384 = p384_public_from_spki(bytes, &p384) == ERR_NONE;

    assert(!(is_p256 && is_p384));
    p256_public_free(&p256);
    p384_public_free(&p384);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = span_of(data, size);
    struct x509_cert *c = NULL;
    struct x509_crl *crl = NULL;

    if (x509_cert_parse(bytes, &c) == ERR_NONE)
        use_certificate(c);
    if (x509_crl_parse(bytes, &crl) == ERR_NONE) /* valid for as long as it says, not longer */
        assert(!x509_crl_valid_at(crl, (struct timestamp){x509_crl_next_update(crl).ms + 1}));
    x509_cert_free(&c);
    x509_crl_free(&crl);
    try_chain(bytes);
    try_key(bytes);
    return 0;
}
