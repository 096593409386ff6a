/*
 * RA-TLS: evidence inside X.509 certificates, which binds the certificate's key. If the evidence
 * and the binding verify, and the peer used the key in a TLS handshake, then the peer is the code
 * in the evidence. Pure.
 *
 *   gramine  the raw quote in extension 1.2.840.113741.1337.6, which Gramine encodes with the tag
 *            and length of an OID in front of the OID's own bytes (0.6.9.42.840.113741.1337.6).
 *            This code reads both, and writes the latter. Report data:
 *            SHA-256(SubjectPublicKeyInfo), then 32 zero bytes.
 *   tcg      extension 2.23.133.5.4.9, TCG DICE tagged evidence: CBOR tag 60000 on an array of the
 *            quote and the claims, both byte strings; the claims are a CBOR map whose "pubkey-hash"
 *            is a byte string with CBOR [hash algorithm, hash of SubjectPublicKeyInfo]. Report
 * data: SHA-256(claims), then 32 zero bytes. (CCC Attestation SIG, "Interoperable RA-TLS".)
 *
 * The quote may be of any kind that attest_verify() knows.
 */
#ifndef ATTEST_RA_TLS_H
#define ATTEST_RA_TLS_H

#include "attest/attest.h"
#include "crypto/x509.h"

#define RA_TLS_OID_GRAMINE "0.6.9.42.840.113741.1337.6"
#define RA_TLS_OID_GRAMINE_CLEAN "1.2.840.113741.1337.6"
#define RA_TLS_OID_TCG "2.23.133.5.4.9"
#define RA_TLS_CLAIMS_MAX 1024

enum ra_tls_form { RA_TLS_GRAMINE, RA_TLS_TCG };

struct ra_tls_evidence {
    enum ra_tls_form form;
    struct span evidence;                  /* borrowed from the certificate */
    uint8_t report_data[REPORT_DATA_SIZE]; /* what the evidence must carry to bind the key */
};

/*
 * Reads the evidence of a certificate. TCG's form is preferred when both are present. It checks
 * that TCG's claims name the certificate's key. The caller verifies the evidence, and then checks
 * that it carries `report_data`.
 *
 * ERR_NOT_FOUND   no such extension
 * ERR_MALFORMED   an extension is not well formed, or occurs twice
 * ERR_DENIED      claims about another key
 * ERR_UNSUPPORTED claims with another hash algorithm than SHA-256
 */
MUST_CHECK enum err ra_tls_read(const struct x509_cert *certificate, struct ra_tls_evidence *out);

/* The same for the contents of one extension, for a certificate whose key has this hash. */
MUST_CHECK enum err ra_tls_extension_read(enum ra_tls_form form, struct span extension,
                                          const uint8_t spki_sha256[SHA256_SIZE],
                                          struct ra_tls_evidence *out);

/* For makers of certificates: the report data to quote, then the extension's contents. */
void ra_tls_report_data(enum ra_tls_form form, const uint8_t spki_sha256[SHA256_SIZE],
                        uint8_t out[REPORT_DATA_SIZE]);
const char *ra_tls_oid(enum ra_tls_form form);
/* Appends to `out`. ERR_TOO_LARGE, ERR_MEMORY */
MUST_CHECK enum err ra_tls_write(enum ra_tls_form form, struct span evidence,
                                 const uint8_t spki_sha256[SHA256_SIZE], struct buffer *out);

#endif
