/* From a session or evidence to claims that a policy accepts. */
#ifndef SERVICE_EVIDENCE_H
#define SERVICE_EVIDENCE_H

#include "service/refusal.h"
#include "service/service.h"

/* What is known of the caller's code once its evidence is accepted. */
struct claims {
    const struct policy *policy;            /* that accepted the evidence; NULL: none did */
    const struct policy_snapshot *snapshot; /* the thread's; what `policy` is of */
    const char *auth;                       /* "session" or "evidence" */
    char tee[16];
    uint8_t digest[SHA256_SIZE];
    bool has_digest;          /* also set when the evidence verified and the policy refused */
    uint8_t key[X25519_SIZE]; /* attested */
    bool has_key;
    bool has_session;
    uint8_t session_id[SESSION_ID_SIZE];
    char collateral[COLLATERAL_MARK_SIZE]; /* of evidence: what judged the platform */
};

/* Evidence as received. */
struct evidence {
    /* "sgx", "tdx", "snp" (also "sev", as OutLayer calls it), "nitro" or "simulated"; must be what
     * the evidence turns out to be */
    struct span tee_type;
    struct span quote;        /* decoded: quote, report or document */
    struct span certificates; /* decoded; SNP: see attest_evidence; may be empty */
    struct span event_log;    /* TDX: JSON, see attest/event_log.h; may be empty */
};

/* The type that the caller names, as evidence has it: "sev" is "snp". Borrows from `evidence`. */
struct span evidence_type(const struct evidence *evidence);

struct operation_context; /* service/operation.h */

/*
 * Verifies and appraises; the evidence must bind `binding` as the rule that accepts it wants it.
 * Sets the context's claims; on refusal why, with the detail. `result` is written either way.
 * ERR_UNAUTHENTICATED refused, ERR_MEMORY
 */
MUST_CHECK enum err evidence_accept(struct operation_context *x, const struct evidence *evidence,
                                    const struct binding *binding, struct attest_result *result);

/*
 * The claims of a session. ERR_DENIED (malformed or forged token, another token's session, another
 * policy), ERR_EXPIRED; the context's refusal says which.
 */
MUST_CHECK enum err session_claims(struct operation_context *x, struct span token);

#endif
