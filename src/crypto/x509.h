/*
 * X.509 certificates and CRLs: only what verifying attestation chains needs. Chains are built in
 * fixed order by the caller, link by link; there is no path search, no system store. Names are
 * equal when their bytes are. Handles are read-only and may be used by several threads.
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

/* The one algorithm a link must have: the caller knows its vendor, and nothing is negotiated. */
enum x509_signature {
    X509_ECDSA_P256_SHA256,  /* Intel */
    X509_ECDSA_P384_SHA384,  /* AWS Nitro */
    X509_RSA4096_PSS_SHA384, /* AMD: MGF1 with SHA-384, 48 bytes of salt, exponent 65537 */
};

struct x509_cert;
struct x509_crl;

/*
 * DER, exactly one certificate of version 3 (RFC 5280 section 4.1). Keys of any kind: only the
 * functions that use the key judge it. ERR_MALFORMED (also: BER, unique identifiers, a critical
 * extension other than basicConstraints and keyUsage), ERR_TOO_LARGE, ERR_MEMORY
 */
MUST_CHECK enum err x509_cert_parse(struct span der, struct x509_cert **out);

/*
 * A PEM chain: only certificates, at most `capacity`; NUL and white space around them are
 * tolerated. ERR_TOO_LARGE when there are more. On failure none are left over.
 */
MUST_CHECK enum err x509_chain_parse(struct span pem, struct x509_cert **out, size_t capacity,
                                     size_t *count);
void x509_cert_free(struct x509_cert **c);

/* Signature by `issuer`'s key, of just this algorithm and of a key of just this kind, and issuer
 * name equal to its subject. ERR_CRYPTO, ERR_MEMORY */
MUST_CHECK enum err x509_cert_issued_by(const struct x509_cert *c, const struct x509_cert *issuer,
                                        enum x509_signature algorithm);
bool x509_cert_is_ca(const struct x509_cert *c); /* basicConstraints CA and keyUsage keyCertSign */
/* Either of the two: what a leaf must not say. Not the reverse of x509_cert_is_ca(), which asks for
 * both. */
bool x509_cert_claims_ca(const struct x509_cert *c);
bool x509_cert_has_digital_signature(const struct x509_cert *c); /* in keyUsage */
/* pathLenConstraint: how many CA certificates may stand between this one and a leaf (RFC 5280
 * section 4.2.1.9). SIZE_MAX when it does not say. */
size_t x509_cert_path_length(const struct x509_cert *c);
bool x509_cert_valid_at(const struct x509_cert *c, struct timestamp now);
struct timestamp x509_cert_not_after(const struct x509_cert *c);
struct timestamp x509_cert_not_before(const struct x509_cert *c);
void x509_cert_sha256(const struct x509_cert *c, uint8_t out[SHA256_SIZE]); /* of all its DER */
/* Of what its issuer signed: the same for all signatures that can be written for it. */
void x509_cert_tbs_sha256(const struct x509_cert *c, uint8_t out[SHA256_SIZE]);
void x509_cert_spki_sha256(const struct x509_cert *c, uint8_t out[SHA256_SIZE]);
bool x509_cert_common_name_contains(const struct x509_cert *c, const char *text);
/* The one common name, all of it. */
bool x509_cert_common_name_is(const struct x509_cert *c, const char *text);
bool x509_cert_same_subject(const struct x509_cert *a, const struct x509_cert *b);
/* The contents of the extension `oid` ("1.2.840.113741.1.13.1"), borrowed. ERR_NOT_FOUND,
 * ERR_MALFORMED when twice */
MUST_CHECK enum err x509_cert_extension(const struct x509_cert *c, const char *oid,
                                        struct span *out);
/* Its key, if of this kind: named curve, uncompressed. The caller owns it. ERR_UNSUPPORTED for
 * another kind, ERR_CRYPTO for a point off the curve, ERR_MEMORY */
MUST_CHECK enum err x509_cert_p256(const struct x509_cert *c, struct p256_public **out);
MUST_CHECK enum err x509_cert_p384(const struct x509_cert *c, struct p384_public **out);

/* DER or PEM. ERR_MALFORMED (also: no nextUpdate, any critical extension),
 * ERR_TOO_LARGE, ERR_MEMORY */
MUST_CHECK enum err x509_crl_parse(struct span bytes, struct x509_crl **out);
void x509_crl_free(struct x509_crl **crl);
/* As x509_cert_issued_by(), and the issuer's keyUsage has cRLSign; but for the name:
 * x509_crl_issuer_is(). */
MUST_CHECK enum err x509_crl_signed_by(const struct x509_crl *crl, const struct x509_cert *issuer,
                                       enum x509_signature algorithm);
bool x509_crl_issuer_is(const struct x509_crl *crl, const struct x509_cert *issuer); /* by name */
bool x509_crl_valid_at(const struct x509_crl *crl, struct timestamp now);
struct timestamp x509_crl_this_update(const struct x509_crl *crl);
struct timestamp x509_crl_next_update(const struct x509_crl *crl);
/* The cRLNumber extension (RFC 5280 section 5.2.3): 0 when absent, UINT64_MAX when it is larger. */
uint64_t x509_crl_number(const struct x509_crl *crl);
/* Of what its issuer signed: the same for all signatures that can be written for it. */
void x509_crl_tbs_sha256(const struct x509_crl *crl, uint8_t out[SHA256_SIZE]);
/* Of the serial numbers it lists: the same for two lists that revoke the same certificates. */
void x509_crl_listed_sha256(const struct x509_crl *crl, uint8_t out[SHA256_SIZE]);
/* By serial number: the caller makes sure that both have the same issuer. */
bool x509_crl_lists(const struct x509_crl *crl, const struct x509_cert *c);

#endif
