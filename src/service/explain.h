/*
 * POST /v1/attest/explain: how the keystore would judge evidence, and why. It reveals nothing,
 * makes no session, uses up no nonce and records no evidence. It costs as much as an attestation,
 * and is logged like one.
 */
#ifndef SERVICE_EXPLAIN_H
#define SERVICE_EXPLAIN_H

#include "service/evidence.h"

/*
 * Request of OPERATION_EXPLAIN. If the evidence is refused, the operation still succeeds. Only
 * tokens with `may_explain` see the judgement of each rule; others see as much as after a refused
 * attestation. The operation is refused with policy_not_found: there is no such rule for this
 * token.
 */
struct explain_request {
    struct evidence evidence;
    char policy[POLICY_NAME_MAX + 1]; /* only this rule; "": all */
    bool early; /* judge by the early sets; the explanation says whether one decided */
    /* The values that a session's evidence would bind. Both or neither: without them the binding
     * is not checked. */
    bool has_binding;
    uint8_t nonce[NONCE_SIZE];
    uint8_t key[X25519_SIZE];
};

#endif
