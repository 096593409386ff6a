/*
 * The inputs of one verification, and the verifiers of each kind. Internal to attest/.
 */
#ifndef ATTEST_VERIFY_H
#define ATTEST_VERIFY_H

#include "attest/refusal.h"

struct verify_input {
    const struct attest_trust *trust;
    const struct attest_collateral_set *collateral; /* may be NULL */
    struct attest_cache *cache;                     /* may be NULL */
    const struct attest_evidence *evidence;
    struct timestamp now;
};

/*
 * One per kind. Each fills `out` as attest.h describes. It sets `signatures_valid` and the report
 * once the evidence's own signatures verified, and `authentic` if the signer may sign. It records
 * each passed step with step_passed(), and does not set `reason`. ERR_DENIED fills `r`; ERR_MEMORY
 */
MUST_CHECK enum err quote_verify(const struct verify_input *in, struct attest_result *out,
                                 struct refusal *r); /* SGX and TDX */
MUST_CHECK enum err snp_verify(const struct verify_input *in, struct attest_result *out,
                               struct refusal *r);
MUST_CHECK enum err nitro_verify(const struct verify_input *in, struct attest_result *out,
                                 struct refusal *r);
MUST_CHECK enum err cca_verify(const struct verify_input *in, struct attest_result *out,
                               struct refusal *r);
MUST_CHECK enum err psa_verify(const struct verify_input *in, struct attest_result *out,
                               struct refusal *r);
MUST_CHECK enum err azure_hcl_verify(const struct verify_input *in, struct attest_result *out,
                                     struct refusal *r);

/* `step` is a static string. */
void step_passed(struct attest_result *out, const char *step);

struct timestamp timestamp_earlier(struct timestamp a, struct timestamp b);

/* The evidence's id: see attest_result. */
void evidence_identify(struct span signed_bytes, struct span r, uint8_t out[SHA256_SIZE]);

#endif
