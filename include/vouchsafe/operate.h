/* libvouchsafe: for operators: explain, status, dry runs, policies, tokens. */
#ifndef VOUCHSAFE_OPERATE_H
#define VOUCHSAFE_OPERATE_H

#include <vouchsafe/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* JSON as docs/protocol.md describes it. Both functions need an operator's token. */
VS_MUST_CHECK enum vs_error vs_explain(struct vs_client *c, const char *request_id,
                                       struct vs_blob *json);
VS_MUST_CHECK enum vs_error vs_status(struct vs_client *c, struct vs_blob *json);

/*
 * A dry run: how the keystore judges evidence, and which of its policies accept it. The only effect
 * is an entry in the log. The token needs the right to attest. `json` is the reply of POST
 * /v1/attest/explain (docs/openapi.yaml): "accepted", "reason", "rules", ...
 * VS_ERR_REFUSED, also with code "policy_not_found"; evidence that is refused is VS_OK
 */
struct vs_dry_run { /* zero-initialise */
    const char *tee_type;
    struct vs_bytes quote;        /* raw: quote, report or document */
    struct vs_bytes certificates; /* SNP; or empty */
    struct vs_bytes event_log;    /* TDX: JSON array; or empty */
    const char *policy;           /* try this policy only; NULL: all */
    const uint8_t *nonce, *key;   /* the expected bound values; both or neither */
    bool early; /* judge by Intel's early sets, where the keystore holds them: a preview */
};
VS_MUST_CHECK enum vs_error vs_explain_evidence(struct vs_client *c, const struct vs_dry_run *run,
                                                struct vs_blob *json);

/*
 * The policies of the keystore, with the reference values added at run time: the reply of GET
 * /v1/policies (docs/openapi.yaml). Needs an operator's token.
 */
VS_MUST_CHECK enum vs_error vs_policies(struct vs_client *c, struct vs_blob *json);

/*
 * Adds a reference value (hex) to a list of a policy, such as "mrenclave", or removes a value added
 * this way. The change is in effect and in the log before the call returns. All sessions end. Needs
 * an operator's token with the setting may_administer. `json` is {"index":..,"policy_version":..}:
 * the log's entry, and the policy's new version.
 * VS_ERR_REFUSED, with the reply's code: "value_exists", "value_not_found", ...
 */
VS_MUST_CHECK enum vs_error vs_reference_value_add(struct vs_client *c, const char *policy,
                                                   const char *field, const char *hex,
                                                   struct vs_blob *json);
VS_MUST_CHECK enum vs_error vs_reference_value_remove(struct vs_client *c, const char *policy,
                                                      const char *field, const char *hex,
                                                      struct vs_blob *json);

/*
 * Seals the keystore's root again, for the next boot of a machine whose PCRs change. `pcrs` lists
 * the values expected at that boot, such as "7=HEX,11=HEX"; NULL or "": the present values. Needs
 * an operator's token with the setting may_administer. `json` is {"index":..}: the log's entry.
 * VS_ERR_REFUSED, with the reply's code: "bad_pcrs", "reseal_unsupported", "reseal_failed"
 */
VS_MUST_CHECK enum vs_error vs_reseal(struct vs_client *c, const char *pcrs, struct vs_blob *json);

/*
 * Asks the keystore to move entries of its log that are older than `days` days into its archive;
 * a negative number: as its settings say. `directory` is the archive that the caller expects, or
 * NULL. Needs an operator's token with the setting may_administer. `json` is {"index":..,
 * "archived":..,"before":..}: entries before `before` are moved from now on.
 * VS_ERR_REFUSED, with the reply's code: "archive_not_configured", "archive_elsewhere"
 */
VS_MUST_CHECK enum vs_error vs_log_archive(struct vs_client *c, const char *directory, int64_t days,
                                           struct vs_blob *json);
/* `json` says how far that is: "archived", "before", "running", "bytes", "errors", "error". */
VS_MUST_CHECK enum vs_error vs_log_archive_status(struct vs_client *c, struct vs_blob *json);

/* Makes a fresh bearer token, 32 random bytes in hex, and its form for the configuration. */
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
