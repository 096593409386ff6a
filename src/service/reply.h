/*
 * Seals secrets and sessions for a worker, so that no party in between can read or forge them.
 *
 * Each session has a reply key: HKDF-SHA256-Expand(LABEL_REPLY_KEYS of the first epoch, session
 * id || attested X25519 key), so every replica can compute it and none stores it. The worker gets
 * it once, with its session. It is sealed by HPKE to the attested key and signed by the identity
 * key.
 */
#ifndef SERVICE_REPLY_H
#define SERVICE_REPLY_H

#include "service/operation.h"

/* Seals the reply key of session `s` to its attested key, and signs that this keystore made `token`
 * for its nonce. ERR_CRYPTO the attested key is of low order */
MUST_CHECK enum err session_grant_make(const struct service *svc, const struct session *s,
                                       struct span token, struct session_grant *out);

/*
 * Seals a plaintext into `out->opening` and `out->sealed`, which operation_result_clear() frees.
 * ERR_MEMORY, ERR_TOO_LARGE
 */

/* Seals with the session's reply key, and binds the request id and the request's bytes, `body`. */
MUST_CHECK enum err reply_seal_for_session(const struct operation_context *x, struct span body,
                                           const struct secret *plain, struct opened *out);

/* Seals by HPKE to the key that inline evidence binds. ERR_CRYPTO the key is of low order */
MUST_CHECK enum err reply_seal_for_key(const struct operation_context *x,
                                       const struct secret *plain, struct opened *out);

#endif
