/* libvouchsafe: having an envelope opened. */
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
    const struct vs_worker_key *key;               /* its public half is what evidence binds */
    const struct vs_session *session;              /* from vs_attest() with the same key */
    const struct vs_quote_source *inline_evidence; /* evidence in the request itself */
    const char *task_id;                           /* goes into the log; or NULL */
    bool accept_plain;    /* do not ask for a sealed reply, and take a plain one */
    bool receipt;         /* ask for the log's receipt */
    const char *log_vkey; /* the receipt must verify with this key; NULL: only what it says is
                           * checked, and vs_receipt_verify() does the rest */
};

/*
 * Has an envelope opened.
 *
 * With a session the reply must be sealed with the session's reply key for this very request, body
 * and id; so it was made by the keystore that the session is of. With inline evidence the reply is
 * sealed to the worker key, which proves that no one else can read it, but not who made it:
 * anybody can seal to a public key. Believe it only over TLS pinned to a verified keystore
 * (vs_keystore.tls_bound). The same goes for what `accept_plain` lets in.
 *
 * `receipt` (may be NULL) gets the receipt's JSON when one was asked for. The plaintext is handed
 * out only if that receipt is of an allowed "open", of this request, for the key and the task that
 * were asked for.
 *
 * VS_ERR_REFUSED, VS_ERR_DOWNGRADE, VS_ERR_REPLY, VS_ERR_CRYPTO (the sealed reply does not open),
 * VS_ERR_MALFORMED (the name, or `log_vkey`), VS_ERR_TAMPERED (the receipt is of something else, or
 * its proof fails), VS_ERR_UNTRUSTED (not signed by `log_vkey`), VS_ERR_EXPIRED (the session, by
 * our clock; attest again), VS_ERR_UNREACHABLE, VS_ERR_TIMEOUT
 */
VS_MUST_CHECK enum vs_error vs_decrypt(struct vs_client *c, const struct vs_decrypt_request *r,
                                       struct vs_secret **plain, struct vs_blob *receipt);

#ifdef __cplusplus
}
#endif

#endif
