/*
 * The DER that certificates and CRLs share (RFC 5280 sections 4.1 and 5.1), read without a library.
 * Libraries decode every key, which costs several times as much as a signature check. Internal to
 * crypto/.
 */
#ifndef CRYPTO_X509_DER_H
#define CRYPTO_X509_DER_H

#include "codec/der.h"
#include "crypto/x509.h"

/* The signed bytes, the algorithm, and the signature; borrowed. */
struct signed_parts {
    struct span signed_bytes; /* tbsCertificate or tbsCertList with its head */
    struct span algorithm;    /* signatureAlgorithm with its head */
    struct span signature;    /* without the count of unused bits, which is 0 */
};

/* All spans borrow from `der`. */
struct x509_cert {
    struct signed_parts parts;
    struct span serial;     /* contents of the INTEGER */
    struct span issuer;     /* Name, with its head */
    struct span subject;    /* Name, with its head */
    struct span spki;       /* SubjectPublicKeyInfo, with its head */
    struct span extensions; /* of the SEQUENCE; empty when there are none */
    struct timestamp not_before, not_after;
    bool has_constraints, is_ca; /* basicConstraints */
    size_t path_length;          /* SIZE_MAX when absent */
    bool has_usage;
    uint8_t usage; /* the first eight bits of keyUsage, digitalSignature on top */
    size_t size;
    uint8_t der[];
};

/* Bits of `usage`: RFC 5280 section 4.2.1.3. */
enum {
    X509_USAGE_DIGITAL_SIGNATURE = 0x80,
    X509_USAGE_KEY_CERT_SIGN = 0x04,
    X509_USAGE_CRL_SIGN = 0x02,
};

/* ERR_MALFORMED */
MUST_CHECK enum err signed_parts_read(struct span der, struct signed_parts *out);

/* Both the AlgorithmIdentifier and the key must match `algorithm`. ERR_CRYPTO, ERR_MEMORY */
MUST_CHECK enum err signed_parts_check(const struct signed_parts *parts, struct span spki,
                                       enum x509_signature algorithm);

/* An Extension (RFC 5280 section 4.1). */
struct extension {
    struct span oid;
    bool critical;
    struct span contents;
};
struct extension der_take_extension(struct reader *r);

/* The contents of an INTEGER in its shortest form (X.690 section 8.3.2), of at most 21 bytes. */
struct span der_take_serial(struct reader *r);

/* UTCTime or GeneralizedTime in the form of RFC 5280 section 4.1.2.5: with seconds, in UTC, from
 * 1970 on. */
struct timestamp der_take_time(struct reader *r);

#endif
