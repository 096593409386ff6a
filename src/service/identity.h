/* What this keystore says of itself: its evidence, and signed statements of public keys. */
#ifndef SERVICE_IDENTITY_H
#define SERVICE_IDENTITY_H

#include "service/service.h"

#define IDENTITY_NONCE_MIN 16
#define IDENTITY_NONCE_MAX 64
#define STATEMENT_DOMAIN "vouchsafe-pubkey-v1"

/* The bundle for our own evidence, made or fetched at most once an hour; thread-safe. */
struct own_collateral;
MUST_CHECK enum err own_collateral_new(struct own_collateral **out);
void own_collateral_free(struct own_collateral **c);

/*
 * The document of GET /v1/attestation, complete JSON appended to `out`.
 * ERR_UNSUPPORTED when this machine has no evidence to give; ERR_MALFORMED nonce size;
 * ERR_UNAVAILABLE
 */
MUST_CHECK enum err service_own_evidence(struct service *svc, struct span nonce,
                                         struct timestamp now, struct buffer *out);

/*
 * The reply of GET /v1/pubkey, complete JSON appended to `out`: the seed's public key in the
 * current epoch, signed by the identity key together with the client's nonce (0..IDENTITY_NONCE_MAX
 * bytes).
 */
MUST_CHECK enum err service_signed_public_key(const struct service *svc,
                                              struct service_thread *thread, struct span seed,
                                              struct span nonce, struct buffer *out);

#endif
