/*
 * A look-alike of Intel's PKI with keys of its own, in memory: evidence and collateral of any
 * content that verifies under its root, and under no other. What no real sample shows can be tried.
 */
#ifndef TESTS_UNIT_ATTEST_FORGE_H
#define TESTS_UNIT_ATTEST_FORGE_H

#include "attest/attest.h"
#include "crypto/p256.h"

struct forge {
    struct p256_private *root, *ca, *pck, *signing, *attestation;
    struct buffer pck_chain, issuer_chain, signing_chain; /* PEM */
    struct buffer root_crl, pck_crl;                      /* DER */
    /* trusts only this root, which is not simulated */
    struct attest_trust trust;
    struct timestamp now; /* everything is valid then */
};

/* Aborts the test when anything fails, as all of these do. */
void forge_open(struct forge *f);
void forge_close(struct forge *f);

/* The platform: what its PCK certificate says. */
#define FORGE_FMSPC "00806f050000"
#define FORGE_COMPONENTS                                                                           \
    {                                                                                              \
        7, 7, 2, 2, 3, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0                                             \
    }
#define FORGE_PCE_SVN 11
#define FORGE_QE_SVN 4

struct forge_quote {
    uint16_t version;    /* 3, 4, 5 */
    uint32_t tee_type;   /* 0, 0x81 */
    uint16_t body_type;  /* version 5 */
    struct span body;    /* of the right size or not */
    struct span chain;   /* empty: the forge's */
    size_t qe_change_at; /* a byte of the QE report that is another; 0: none */
    uint8_t qe_change_to;
};
void forge_quote(const struct forge *f, const struct forge_quote *what, struct buffer *out);

/* TCB info and QE identity from their signed texts; NULL with a reason when they are refused. */
struct attest_collateral *forge_collateral(const struct forge *f, const char *tcb_info,
                                           const char *qe_identity, enum attest_reason *reason);

/* An enclave identity that describes the forge's quoting enclave, terminated by a NUL; `tee` is
 * ATTEST_SGX or ATTEST_TDX. */
void forge_qe_identity(enum attest_tee tee, const char *status, struct buffer *out);

#endif
