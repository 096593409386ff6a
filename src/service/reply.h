/*
 * How secrets and sessions are handed to a worker so that nobody in between can read or forge them.
 *
 * Each session has a reply key: HKDF-SHA256-Expand(LABEL_REPLY_KEYS of the first epoch, session
 * id || attested X25519 key), so that every replica computes it and none stores it. The worker gets
 * it once, with its session, sealed by HPKE to the attested key and signed by the identity key.
 */
#ifndef SERVICE_REPLY_H
#define SERVICE_REPLY_H

#include "service/evidence.h"

#define REPLY_KEY_SIZE 32

/* What comes with a session; see docs/protocol.md. */
struct session_grant {
    uint8_t enc[X25519_SIZE];
    uint8_t ciphertext[REPLY_KEY_SIZE + 16];
    uint8_t signature[ED25519_SIGNATURE_SIZE];
};

/* Seals the reply key of session `s` to its attested key, and signs that this keystore made `token`
 * for its nonce. ERR_CRYPTO the attested key is of low order */
MUST_CHECK enum err session_grant_make(const struct service *svc, const struct session *s,
                                       struct span token, struct session_grant *out);

/*
 * The three forms of the reply to POST /decrypt, complete JSON in `o->reply`.
 * ERR_MEMORY, ERR_TOO_LARGE
 */
MUST_CHECK enum err reply_plain(const struct secret *plain, struct outcome *o);

/* With the session's reply key, bound to the request id and the request's bytes. */
MUST_CHECK enum err reply_sealed_in_session(const struct service *svc, const struct caller *caller,
                                            const struct claims *claims, struct span body,
                                            const struct secret *plain, struct outcome *o);

/* By HPKE to the key that inline evidence binds. ERR_CRYPTO the key is of low order */
MUST_CHECK enum err reply_sealed_to_key(const struct caller *caller, const struct claims *claims,
                                        const struct secret *plain, struct outcome *o);

#endif
