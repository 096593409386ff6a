/*
 * POST /v1/attest/explain: what the keystore would say of evidence, and why. Nothing is released,
 * no session is made, no nonce is used up and no evidence remembered; but it costs and is logged
 * like an attestation.
 */
#ifndef SERVICE_DRY_RUN_H
#define SERVICE_DRY_RUN_H

#include "service/evidence.h"

#define DRY_RUN_RULES_MAX 64 /* of the policy, in a reply; the others are counted */

struct dry_run_request {
    struct evidence evidence;
    char policy[POLICY_NAME_MAX + 1]; /* only this rule; "": all */
    /* What a session's evidence would bind. Both or neither: without them the binding is not
     * looked at. */
    bool has_binding;
    uint8_t nonce[NONCE_SIZE];
    uint8_t key[X25519_SIZE];
};

/*
 * `o` holds the reply (complete JSON) and the log line, op "explain". That evidence is refused is
 * an answer like any other. How each rule judged is told to tokens with `may_explain`; others learn
 * what a refused attestation tells them.
 * ERR_NOT_FOUND no such rule, or not for this token; ERR_MEMORY
 */
MUST_CHECK enum err service_dry_run(struct service *svc, struct service_thread *thread,
                                    const struct caller *caller, const struct dry_run_request *r,
                                    struct timestamp now, struct outcome *o);

#endif
