/* libvouchsafe: a simulated platform, for tests and rehearsals. */
#ifndef VOUCHSAFE_SIMULATE_H
#define VOUCHSAFE_SIMULATE_H

#include <vouchsafe/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Makes well-formed SGX DCAP evidence under a local root. No other machine trusts that root. A
 * platform is a directory; its root_ca.pem is the trust root to configure.
 */
struct vs_sim;
/* VS_ERR_EXISTS, VS_ERR_IO */
VS_MUST_CHECK enum vs_error vs_sim_create(const char *dir);
/* VS_ERR_NOT_FOUND, VS_ERR_IO, VS_ERR_MALFORMED */
VS_MUST_CHECK enum vs_error vs_sim_open(const char *dir, struct vs_sim **out);
void vs_sim_free(struct vs_sim **sim);
struct vs_bytes vs_sim_root(const struct vs_sim *sim); /* PEM, borrowed from the platform */

struct vs_sim_enclave { /* the simulated enclave */
    uint8_t mr_enclave[32], mr_signer[32];
    uint16_t isv_prod_id, isv_svn;
    bool debug;
};
VS_MUST_CHECK enum vs_error vs_sim_quote(const struct vs_sim *sim,
                                         const struct vs_sim_enclave *enclave,
                                         const uint8_t report_data[VS_REPORT_DATA_SIZE],
                                         struct vs_blob *quote);

struct vs_sim_collateral {   /* zero-initialise for current and good collateral */
    const char *tcb_status;  /* NULL: "UpToDate" */
    const char *advisory;    /* NULL: none; else "INTEL-SA-00615" */
    int64_t issued_before_s; /* issued this long ago */
    int64_t lifetime_s;      /* 0: 30 days */
    bool revoke_pck;         /* the CRL lists the platform's own certificate */
};
/* A bundle in JSON, valid from now. VS_ERR_MALFORMED unknown status */
VS_MUST_CHECK enum vs_error vs_sim_collateral(const struct vs_sim *sim,
                                              const struct vs_sim_collateral *how,
                                              struct vs_blob *bundle);

/* A quote source over a platform. Both arguments are borrowed as long as the source is used. */
struct vs_sim_source {
    const struct vs_sim *sim;
    struct vs_sim_enclave enclave;
};
struct vs_quote_source vs_sim_quote_source(struct vs_sim_source *source);

#ifdef __cplusplus
}
#endif

#endif
