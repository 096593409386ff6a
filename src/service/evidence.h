/* Turns a session or evidence into claims that a policy accepts. */
#ifndef SERVICE_EVIDENCE_H
#define SERVICE_EVIDENCE_H

#include "service/refusal.h"
#include "service/service.h"

/* The known facts about the caller's code, once its evidence is accepted. */
struct claims {
    const struct policy *policy;            /* the policy that accepted the evidence; NULL: none */
    const struct policy_snapshot *snapshot; /* the thread's; `policy` belongs to it */
    const char *auth;                       /* "session" or "evidence" */
    char tee[16];
    uint8_t digest[SHA256_SIZE];
    bool has_digest;          /* also set when the evidence verified and the policy refused it */
    uint8_t key[X25519_SIZE]; /* attested */
    bool has_key;
    bool has_session;
    uint8_t session_id[SESSION_ID_SIZE];
    /* of evidence: the collateral that judged the platform */
    char collateral[COLLATERAL_MARK_SIZE];
};

/* Evidence as received. */
struct evidence {
    /* "sgx", "tdx", "snp" (OutLayer's name "sev" is accepted, too), "nitro" or "simulated"; must
     * be the kind of the evidence */
    struct span tee_type;
    struct span quote;        /* decoded: quote, report or document */
    struct span certificates; /* decoded; SNP: see attest_evidence; may be empty */
    struct span event_log;    /* TDX: JSON, see attest/event_log.h; may be empty */
};

/* The type that the caller names, as evidence has it: "sev" is "snp". Borrows from `evidence`. */
struct span evidence_type(const struct evidence *evidence);

struct operation_context; /* service/operation.h */

/*
 * Verifies and appraises evidence, which must bind `binding` in the way of the accepting rule. Sets
 * the context's claims, or on refusal the reason with its detail. Always writes `result`.
 * ERR_UNAUTHENTICATED refused, ERR_MEMORY
 */
MUST_CHECK enum err evidence_accept(struct operation_context *x, const struct evidence *evidence,
                                    const struct binding *binding, struct attest_result *result);

/*
 * Reads the claims of a session. ERR_DENIED (malformed or forged token, another token's session,
 * another policy), ERR_EXPIRED; the context's refusal gives the reason.
 */
MUST_CHECK enum err session_claims(struct operation_context *x, struct span token);

#endif
