/*
 * DCAP quotes of versions 3, 4 and 5: header, body and authentication data. Layout: Intel's "SGX
 * ECDSA QuoteLibReference DCAP API" and "TDX DCAP Quoting Library API", appendix A. This code
 * checks the form and verifies nothing. Internal to attest/.
 *
 * The body is opaque here: sgx_report.h and td_report.h read it.
 */
#ifndef ATTEST_QUOTE_H
#define ATTEST_QUOTE_H

#include "attest/refusal.h"

#define QUOTE_HEADER_SIZE 48
#define QUOTE_VENDOR_SIZE 16
#define QUOTE_QE_AUTH_MAX 1024 /* 32 bytes in practice */

enum { QUOTE_TEE_SGX = 0, QUOTE_TEE_TDX = 0x81 };
enum { QUOTE_KEY_ECDSA_P256 = 2 };
enum { QUOTE_CERTIFICATION_PCK_CHAIN = 5, QUOTE_CERTIFICATION_QE_REPORT = 6 };
enum { QUOTE_BODY_SGX = 1, QUOTE_BODY_TD_10 = 2, QUOTE_BODY_TD_15 = 3 }; /* version 5 */

struct quote_header {
    uint16_t version;
    uint16_t key_type;
    uint32_t tee_type;
    uint16_t qe_svn, pce_svn; /* version 3; reserved later */
    struct span vendor;
    struct span user_data;
};

/* The certification of the attestation key. */
struct quote_certification {
    struct span qe_report; /* 384 bytes */
    struct span qe_report_signature;
    struct span qe_auth_data;
    uint16_t type;
    struct span data;
};

/* Everything borrows from the evidence. */
struct quote {
    struct quote_header header;
    struct span body;         /* an SGX report (384 bytes) or a TD's (584 or 648), by TEE type */
    struct span signed_bytes; /* all before the length of the authentication data */
    struct span signature;
    struct span attestation_key;
    struct quote_certification certification;
};

/*
 * Parses evidence of a supported kind. Zero padding may follow, because drivers return fixed
 * buffers. ERR_DENIED fills `r`.
 */
MUST_CHECK enum err quote_parse(struct span evidence, struct quote *out, struct refusal *r);

#endif
