/* Makes certificates and CRLs (ECDSA P-256 with SHA-256) for the simulated TEE and for
 * self-signed TLS. */
#ifndef CRYPTO_X509_MAKE_H
#define CRYPTO_X509_MAKE_H

#include "base/clock.h"
#include "crypto/p256.h"

struct x509_template {
    const char *common_name;
    const char *issuer_name;           /* common name of the issuer; NULL: self-signed */
    const struct p256_private *key;    /* the subject's (its public half is used) */
    const struct p256_private *signer; /* the issuer's; NULL: self-signed */
    uint64_t serial;
    struct timestamp not_before, not_after;
    bool is_ca;
    bool is_tls_server; /* extendedKeyUsage serverAuth, and `dns_name` as subjectAltName (DNS or IP)
                         */
    const char *dns_name;
    /* NULL, or a cRLDistributionPoints entry, which Intel's verifier requires */
    const char *crl_url;
    const char *extension_oid; /* NULL, or a non-critical extension with these contents */
    struct span extension;
};

/* DER, appended to `out`. ERR_CRYPTO, ERR_MEMORY */
MUST_CHECK enum err x509_make(const struct x509_template *t, struct buffer *out);

struct x509_crl_template {
    const char *issuer_name;
    const struct p256_private *signer;
    struct timestamp this_update, next_update;
    const uint64_t *revoked; /* serial numbers */
    size_t revoked_count;
    uint64_t number;
};
MUST_CHECK enum err x509_make_crl(const struct x509_crl_template *t, struct buffer *out);

/* PEM around DER; `label` "CERTIFICATE" or "X509 CRL". Appended to `out`. */
MUST_CHECK enum err pem_write(const char *label, struct span der, struct buffer *out);

#endif
