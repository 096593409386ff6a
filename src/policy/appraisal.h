/*
 * Appraisal policies: which verified evidence is accepted, and for what. Default deny; debug never;
 * Revoked never. Pure. A denial names the rule and what it expected and was presented.
 */
#ifndef POLICY_APPRAISAL_H
#define POLICY_APPRAISAL_H

#include "attest/attest.h"
#include "auth/token.h"

#define POLICY_NAME_MAX 64
#define POLICY_LIST_MAX 32
#define POLICY_SEED_PATTERN_MAX 256

struct appraisal_rule {
    char name[POLICY_NAME_MAX + 1];
    char tee[16]; /* "sgx" or "simulated" */
    /* identity: either at least one MRENCLAVE, or all of MRSIGNER, ISVPRODID and minimum ISVSVN */
    size_t mr_enclave_count;
    uint8_t mr_enclave[POLICY_LIST_MAX][32];
    bool by_signer;
    uint8_t mr_signer[32];
    uint16_t isv_prod_id;
    uint16_t min_isv_svn;
    unsigned accepted_statuses; /* bit per enum tcb_status */
    size_t advisory_count; /* when a status other than UpToDate is accepted: allowed advisories */
    char advisories[ATTEST_ADVISORIES_MAX][24];
    uint32_t min_tcb_evaluation_number;
    /*
     * What the caller may open: seeds equal to a pattern, or beginning with what stands before its
     * '*', which must be the last character and follow '/' or ':', or be all there is. None: all.
     */
    size_t seed_count;
    char seeds[POLICY_LIST_MAX][POLICY_SEED_PATTERN_MAX + 1];
    size_t token_count; /* names of tokens it is for. None: all. */
    char tokens[POLICY_LIST_MAX][TOKEN_NAME_MAX + 1];
    bool allow_plain; /* replies also in the clear, for who asks so */
};

struct appraisal_policy {
    size_t count;
    const struct appraisal_rule *rules;
    uint8_t
        version[8]; /* first bytes of SHA-256 over the canonical rules; a change revokes sessions */
};

struct appraisal_denial {
    char rule[POLICY_NAME_MAX + 1]; /* the rule that came nearest, or "default-deny" */
    const char
        *code; /* "tee_not_accepted", "measurement_mismatch", "signer_mismatch", "product_mismatch",
                  "svn_too_low", "debug", "tcb_status_not_accepted", "advisory_not_accepted",
                  "tcb_evaluation_too_old", "token_not_accepted", "no_policy" */
    char expected[256];
    char presented[160];
};

/* ERR_CONFIG with `*why` for a rule that can never be right (no identity, MRSIGNER without the
 * rest, Revoked accepted, ...). */
MUST_CHECK enum err appraisal_rule_check(const struct appraisal_rule *rule, const char **why);
void appraisal_policy_version(struct appraisal_policy *policy); /* computes `version` */

/* Appraises verified evidence. ERR_DENIED fills `denial`; else `*rule` is the first that accepts.
 */
MUST_CHECK enum err appraise(const struct appraisal_policy *policy,
                             const struct attest_result *evidence, const char *token_name,
                             const struct appraisal_rule **rule, struct appraisal_denial *denial);

const struct appraisal_rule *appraisal_find(const struct appraisal_policy *policy,
                                            const char *name);

/* Whether `rule` covers this seed. The global key (GET /pubkey without a seed) has the seed "". */
bool appraisal_covers_seed(const struct appraisal_rule *rule, struct span seed);

#endif
