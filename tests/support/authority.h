/*
 * Certificates and CRLs in the forms of AMD (RSA-4096 with PSS) and AWS (P-384), under keys of our
 * own, in memory. src/ only verifies these forms, so OpenSSL signs here. All functions abort the
 * test when they fail.
 */
#ifndef TESTS_SUPPORT_AUTHORITY_H
#define TESTS_SUPPORT_AUTHORITY_H

#include "base/clock.h"
#include "base/span.h"

struct authority_key;                          /* an RSA-4096 or a P-384 key */
struct authority_key *authority_key_rsa(void); /* takes about a second */
struct authority_key *authority_key_p384(void);
void authority_key_free(struct authority_key **key);

/* ECDSA with SHA-384; `out` is r || s. The key is a P-384 key. */
void authority_sign(const struct authority_key *key, struct span message, uint8_t out[96]);

struct authority_extension {
    const char *oid;
    struct span contents; /* what the OCTET STRING of the extension holds */
};

struct authority_template {
    const char *common_name, *issuer_name;
    const struct authority_key *key, *signer;
    long serial;
    struct timestamp not_before, not_after;
    bool is_ca;      /* basicConstraints and keyCertSign, cRLSign; else digitalSignature */
    int path_length; /* 0: does not say; n: pathLenConstraint n - 1 */
    size_t extension_count;
    struct authority_extension extensions[16];
};
/* DER, in place of what `out` held. */
void authority_certificate(const struct authority_template *t, struct buffer *out);

/* A CRL of version 2 in DER that lists `revoked`, unless that is 0. */
void authority_crl(const char *issuer_name, const struct authority_key *signer,
                   struct timestamp this_update, struct timestamp next_update, long revoked,
                   struct buffer *out);

#endif
