/* From a session or evidence to claims that a rule of the appraisal policy accepts. */
#ifndef SERVICE_EVIDENCE_H
#define SERVICE_EVIDENCE_H

#include "service/service.h"

/* What is known of the caller's code once its evidence is accepted. */
struct claims {
    const struct appraisal_rule *rule;
    const char *auth; /* "session" or "evidence" */
    char tee[16];
    uint8_t digest[SHA256_SIZE];
    bool has_digest;          /* also set when the evidence verified and the policy refused */
    uint8_t key[X25519_SIZE]; /* attested */
    bool has_key;
    bool has_session;
    uint8_t session_id[SESSION_ID_SIZE];
};

/* Evidence as received. */
struct evidence {
    struct span tee_type; /* "sgx" or "simulated"; must be what the evidence turns out to be */
    struct span quote;    /* decoded */
};

/*
 * Verifies and appraises; the report data must be `expected`. On refusal `o` has the code, the
 * sentence "Attestation verification failed: ..." and the detail. `result` is scratch of the
 * caller's. ERR_UNAUTHENTICATED refused, ERR_MEMORY
 */
MUST_CHECK enum err evidence_accept(const struct service *svc, struct service_thread *thread,
                                    const struct caller *caller, const struct evidence *evidence,
                                    const uint8_t expected[REPORT_DATA_SIZE], struct timestamp now,
                                    struct attest_result *result, struct claims *claims,
                                    struct outcome *o);

/*
 * Claims of a known session. ERR_DENIED (malformed or forged token, another token's session,
 * another policy), ERR_EXPIRED; `o` says which.
 */
MUST_CHECK enum err session_claims(struct service *svc, struct service_thread *thread,
                                   const struct caller *caller, struct span token,
                                   struct timestamp now, struct claims *claims, struct outcome *o);

#endif
