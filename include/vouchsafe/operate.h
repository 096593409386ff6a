/* libvouchsafe: for operators: explain, status, dry runs, policies, tokens. */
#ifndef VOUCHSAFE_OPERATE_H
#define VOUCHSAFE_OPERATE_H

#include <vouchsafe/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* JSON as docs/protocol.md describes it; both need an operator's token. */
VS_MUST_CHECK enum vs_error vs_explain(struct vs_client *c, const char *request_id,
                                       struct vs_blob *json);
VS_MUST_CHECK enum vs_error vs_status(struct vs_client *c, struct vs_blob *json);

/*
 * A dry run: what the keystore makes of evidence, and which of its policies accept it; without any
 * effect but an entry in the log. Needs a token that may attest. `json` is the reply of
 * POST /v1/attest/explain (docs/openapi.yaml): "accepted", "reason", "rules", ...
 * VS_ERR_REFUSED, also with code "policy_not_found"; evidence that is refused is VS_OK
 */
struct vs_dry_run { /* zero-initialise */
    const char *tee_type;
    struct vs_bytes quote;        /* raw: quote, report or document */
    struct vs_bytes certificates; /* SNP; or empty */
    struct vs_bytes event_log;    /* TDX: JSON array; or empty */
    const char *policy;           /* only this one; NULL: all */
    const uint8_t *nonce, *key;   /* what should be bound; both or neither */
};
VS_MUST_CHECK enum vs_error vs_explain_evidence(struct vs_client *c, const struct vs_dry_run *run,
                                                struct vs_blob *json);

/*
 * The policies of the keystore, with the reference values that were added while it ran: the reply
 * of GET /v1/policies (docs/openapi.yaml). Needs an operator's token.
 */
VS_MUST_CHECK enum vs_error vs_policies(struct vs_client *c, struct vs_blob *json);

/*
 * Adds a reference value (hex) to a list that a policy has, such as "mrenclave", or removes one
 * that was added so. It takes effect, and stands in the log, before the call returns; all sessions
 * end. Needs an operator's token with the setting may_administer. `json` is
 * {"index":..,"policy_version":..}: the log's entry, and the policy's new version.
 * VS_ERR_REFUSED, with the reply's code: "value_exists", "value_not_found", ...
 */
VS_MUST_CHECK enum vs_error vs_reference_value_add(struct vs_client *c, const char *policy,
                                                   const char *field, const char *hex,
                                                   struct vs_blob *json);
VS_MUST_CHECK enum vs_error vs_reference_value_remove(struct vs_client *c, const char *policy,
                                                      const char *field, const char *hex,
                                                      struct vs_blob *json);

/*
 * Seals the keystore's root anew, for the next boot of a machine whose PCRs change. `pcrs` is a
 * list such as "7=HEX,11=HEX" of the values expected then; NULL or "": the present values. Needs an
 * operator's token with the setting may_administer. `json` is {"index":..}: the log's entry.
 * VS_ERR_REFUSED, with the reply's code: "bad_pcrs", "reseal_unsupported", "reseal_failed"
 */
VS_MUST_CHECK enum vs_error vs_reseal(struct vs_client *c, const char *pcrs, struct vs_blob *json);

/* A fresh bearer token, 32 random bytes in hex, and what the configuration holds of it. */
struct vs_token {
    char text[65];
    char sha256[65];
};
VS_MUST_CHECK enum vs_error vs_token_make(struct vs_token *out);
void vs_token_wipe(struct vs_token *t);

#ifdef __cplusplus
}
#endif

#endif
