/* libvouchsafe: decrypting an envelope through the keystore. */
#ifndef VOUCHSAFE_DECRYPT_H
#define VOUCHSAFE_DECRYPT_H

#include <vouchsafe/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialise. Exactly one of `session` and `inline_evidence`. */
struct vs_decrypt_request {
    const struct vs_key_name *name;
    struct vs_bytes envelope;
    const struct vs_worker_key *key;               /* evidence binds its public half */
    const struct vs_session *session;              /* from vs_attest() with the same key */
    const struct vs_quote_source *inline_evidence; /* evidence in the request itself */
    const char *task_id;                           /* goes into the log; or NULL */
    bool accept_plain; /* accept a plain reply; do not ask for a sealed one */
    bool receipt;      /* ask for the log's receipt */
    /* the receipt must verify with this key; NULL: only the receipt's contents are checked, and
     * the caller uses vs_receipt_verify() */
    const char *log_vkey;
};

/*
 * Asks the keystore to open an envelope.
 *
 * With a session the reply must be sealed with the session's reply key for exactly this request
 * (body and id). So the keystore that issued the session made the reply. With inline evidence the
 * reply is sealed to the worker key. That proves that only the worker can read it, but not which
 * server made it, because anyone can seal to a public key. Trust such a reply only over TLS pinned
 * to a verified keystore (vs_keystore.tls_bound). The same is true for a plain reply
 * (`accept_plain`).
 *
 * `receipt` (may be NULL) gets the receipt's JSON if `options` ask for one. The plaintext is
 * returned only if the receipt is for an allowed "open", for this request, and for the requested
 * key and task.
 *
 * VS_ERR_REFUSED, VS_ERR_DOWNGRADE, VS_ERR_REPLY, VS_ERR_CRYPTO (the sealed reply does not open),
 * VS_ERR_MALFORMED (the name, or `log_vkey`), VS_ERR_TAMPERED (the receipt is for something else,
 * or its proof fails), VS_ERR_UNTRUSTED (not signed by `log_vkey`), VS_ERR_EXPIRED (the session
 * expired by the local clock; attest again), VS_ERR_UNREACHABLE, VS_ERR_TIMEOUT
 */
VS_MUST_CHECK enum vs_error vs_decrypt(struct vs_client *c, const struct vs_decrypt_request *r,
                                       struct vs_secret **plain, struct vs_blob *receipt);

#ifdef __cplusplus
}
#endif

#endif
