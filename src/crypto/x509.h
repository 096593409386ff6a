/*
 * X.509 certificates and CRLs, as far as attestation chains need them. The caller checks chains
 * link by link, in fixed order. There is no path search and no system store. Names are equal if
 * their bytes are equal. Handles are read-only; several threads may use one.
 */
#ifndef CRYPTO_X509_H
#define CRYPTO_X509_H

#include "base/clock.h"
#include "base/span.h"
#include "crypto/hash.h"
#include "crypto/p256.h"
#include "crypto/p384.h"

#define X509_MAX_SIZE 8192               /* of one certificate in DER */
#define X509_CRL_MAX_SIZE (1024u * 1024) /* of a CRL in DER */

/* The only algorithm that a link may have. The caller knows its vendor, and nothing is
 * negotiated. */
enum x509_signature {
    X509_ECDSA_P256_SHA256,  /* Intel */
    X509_ECDSA_P384_SHA384,  /* AWS Nitro */
    X509_RSA4096_PSS_SHA384, /* AMD: MGF1 with SHA-384, 48 bytes of salt, exponent 65537 */
};

struct x509_cert;
struct x509_crl;

/*
 * DER, exactly one certificate of version 3 (RFC 5280 section 4.1). Accepts keys of any kind; the
 * functions that use a key check it. ERR_MALFORMED (also for BER, unique identifiers, a critical
 * extension other than basicConstraints and keyUsage), ERR_TOO_LARGE, ERR_MEMORY
 */
MUST_CHECK enum err x509_cert_parse(struct span der, struct x509_cert **out);

/*
 * Reads a PEM chain of at most `capacity` certificates. NUL and white space may surround them.
 * ERR_TOO_LARGE when there are more. On failure the caller owns none.
 */
MUST_CHECK enum err x509_chain_parse(struct span pem, struct x509_cert **out, size_t capacity,
                                     size_t *count);
void x509_cert_free(struct x509_cert **c);

/* Checks that `issuer`'s key, of exactly this kind, made the signature with exactly this
 * algorithm, and that the issuer name equals its subject. ERR_CRYPTO, ERR_MEMORY */
MUST_CHECK enum err x509_cert_issued_by(const struct x509_cert *c, const struct x509_cert *issuer,
                                        enum x509_signature algorithm);
bool x509_cert_is_ca(const struct x509_cert *c); /* basicConstraints CA and keyUsage keyCertSign */
/* True for either of the two, which a leaf must not have. This is not the opposite of
 * x509_cert_is_ca(), which requires both. */
bool x509_cert_claims_ca(const struct x509_cert *c);
bool x509_cert_has_digital_signature(const struct x509_cert *c); /* in keyUsage */
/* pathLenConstraint: how many CA certificates may be between this one and a leaf (RFC 5280
 * section 4.2.1.9). SIZE_MAX when absent. */
size_t x509_cert_path_length(const struct x509_cert *c);
bool x509_cert_valid_at(const struct x509_cert *c, struct timestamp now);
struct timestamp x509_cert_not_after(const struct x509_cert *c);
struct timestamp x509_cert_not_before(const struct x509_cert *c);
void x509_cert_sha256(const struct x509_cert *c, uint8_t out[SHA256_SIZE]); /* of the whole DER */
/* SHA-256 of the bytes that the issuer signed: the same for all signatures over them. */
void x509_cert_tbs_sha256(const struct x509_cert *c, uint8_t out[SHA256_SIZE]);
void x509_cert_spki_sha256(const struct x509_cert *c, uint8_t out[SHA256_SIZE]);
bool x509_cert_common_name_contains(const struct x509_cert *c, const char *text);
/* The common name, complete. There must be exactly one. */
bool x509_cert_common_name_is(const struct x509_cert *c, const char *text);
bool x509_cert_same_subject(const struct x509_cert *a, const struct x509_cert *b);
/* The contents of the extension `oid` ("1.2.840.113741.1.13.1"), borrowed. ERR_NOT_FOUND,
 * ERR_MALFORMED when twice */
MUST_CHECK enum err x509_cert_extension(const struct x509_cert *c, const char *oid,
                                        struct span *out);
/* The certificate's key, if it has this kind: named curve, uncompressed. The caller owns it.
 * ERR_UNSUPPORTED another kind, ERR_CRYPTO the point is not on the curve, ERR_MEMORY */
MUST_CHECK enum err x509_cert_p256(const struct x509_cert *c, struct p256_public **out);
MUST_CHECK enum err x509_cert_p384(const struct x509_cert *c, struct p384_public **out);

/* DER or PEM. ERR_MALFORMED (also without nextUpdate, or with any critical extension),
 * ERR_TOO_LARGE, ERR_MEMORY */
MUST_CHECK enum err x509_crl_parse(struct span bytes, struct x509_crl **out);
void x509_crl_free(struct x509_crl **crl);
/* As x509_cert_issued_by(), and the issuer's keyUsage must have cRLSign. It does not compare the
 * name; x509_crl_issuer_is() does. */
MUST_CHECK enum err x509_crl_signed_by(const struct x509_crl *crl, const struct x509_cert *issuer,
                                       enum x509_signature algorithm);
bool x509_crl_issuer_is(const struct x509_crl *crl, const struct x509_cert *issuer); /* by name */
bool x509_crl_valid_at(const struct x509_crl *crl, struct timestamp now);
struct timestamp x509_crl_this_update(const struct x509_crl *crl);
struct timestamp x509_crl_next_update(const struct x509_crl *crl);
/* The cRLNumber extension (RFC 5280 section 5.2.3): 0 when absent, UINT64_MAX when it is larger. */
uint64_t x509_crl_number(const struct x509_crl *crl);
/* SHA-256 of the bytes that the issuer signed: the same for all signatures over them. */
void x509_crl_tbs_sha256(const struct x509_crl *crl, uint8_t out[SHA256_SIZE]);
/* SHA-256 of the listed serial numbers: the same for two lists that revoke the same
 * certificates. */
void x509_crl_listed_sha256(const struct x509_crl *crl, uint8_t out[SHA256_SIZE]);
/* Compares serial numbers. The caller checks that both have the same issuer. */
bool x509_crl_lists(const struct x509_crl *crl, const struct x509_cert *c);

#endif
