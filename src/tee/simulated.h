/*
 * The simulated TEE makes well-formed SGX DCAP v3 evidence under a local test root. So the same
 * code runs as with real hardware; only the trust anchor differs. A platform is a directory:
 *
 *   root_ca.pem    the trust anchor to name in a configuration
 *   pck_chain.pem  leaf, "Intel SGX PCK Platform CA", "Intel SGX Root CA" (the format requires
 *                  these names; the key is not Intel's and is refused by default)
 *   root_ca.key, platform_ca.key, tcb_signing.key, pck.key, attestation.key, sealing.key
 *                  0600, 32 raw bytes each; test keys, worth nothing elsewhere
 *
 * Collateral (TCB info, QE identity, CRLs) is signed on demand, and is valid for 30 days.
 */
#ifndef TEE_SIMULATED_H
#define TEE_SIMULATED_H

#include "tee/tee.h"

struct simulated_platform;

/* Makes a platform in `dir` (created, 0700). ERR_CONFLICT it exists, ERR_IO */
MUST_CHECK enum err simulated_create(const char *dir, struct timestamp now);
/* As tee_simulated_open() (tee/tee.h), without the sentence. */
MUST_CHECK enum err simulated_open(const char *dir, struct simulated_platform **out);
void simulated_close(struct simulated_platform **p);

/* The simulated enclave. */
struct simulated_enclave {
    uint8_t mr_enclave[32];
    uint8_t mr_signer[32];
    uint16_t isv_prod_id;
    uint16_t isv_svn;
    bool debug;
};

/* A complete quote, appended to `out`. */
MUST_CHECK enum err simulated_quote(const struct simulated_platform *p,
                                    const struct simulated_enclave *enclave,
                                    const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                                    struct buffer *out);

/* The required look of the collateral; zeroed = current and good. For tests and rehearsals. */
struct simulated_collateral {
    const char *tcb_status;         /* NULL: "UpToDate"; else one of Intel's status names */
    const char *advisory;           /* NULL: none */
    int64_t issued_before_s;        /* issue date this long before `now` */
    int64_t lifetime_s;             /* 0: 30 days */
    uint32_t tcb_evaluation_number; /* 0: 17 */
    bool revoke_pck;                /* the PCK CRL lists the platform's PCK certificate */
    bool revoke_pck_ca;             /* the root CRL lists the platform CA's certificate */
};
/* A bundle in JSON (attest/attest.h), appended to `out`. */
MUST_CHECK enum err simulated_collateral_bundle(const struct simulated_platform *p,
                                                const struct simulated_collateral *how,
                                                struct timestamp now, struct buffer *out);

/* The root certificate in PEM, borrowed. */
struct span simulated_root_pem(const struct simulated_platform *p);

#endif
