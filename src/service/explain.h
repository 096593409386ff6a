/*
 * POST /v1/attest/explain: what the keystore would say of evidence, and why. Nothing is released,
 * no session is made, no nonce is used up and no evidence remembered; but it costs and is logged
 * like an attestation.
 */
#ifndef SERVICE_EXPLAIN_H
#define SERVICE_EXPLAIN_H

#include "service/evidence.h"

/*
 * Request of OPERATION_EXPLAIN. Refused evidence is an answer like any other. How each rule judged
 * is told to tokens with `may_explain`; others learn what a refused attestation tells them.
 * Refused: policy_not_found, no such rule or none of this token.
 */
struct explain_request {
    struct evidence evidence;
    char policy[POLICY_NAME_MAX + 1]; /* only this rule; "": all */
    bool early;                       /* as the early sets would judge it */
    /* What a session's evidence would bind. Both or neither: without them the binding is not
     * looked at. */
    bool has_binding;
    uint8_t nonce[NONCE_SIZE];
    uint8_t key[X25519_SIZE];
};

#endif
