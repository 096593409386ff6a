/*
 * AES-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags. Sealed text is ciphertext || tag.
 * The key schedule is on the stack and is wiped.
 *
 * Two texts under one key and one nonce reveal both texts and the key of the tag. With random
 * nonces, a key may seal at most 2^32 texts (section 8.3).
 */
#ifndef CRYPTO_AES_GCM_H
#define CRYPTO_AES_GCM_H

#include "base/span.h"

#define AES_GCM_NONCE_SIZE 12
#define AES_GCM_TAG_SIZE 16

/* `key` has 16 or 32 bytes. `out` has room for plain.size + AES_GCM_TAG_SIZE. ERR_TOO_LARGE more
 * than 2^36 - 32 bytes */
MUST_CHECK enum err aes_gcm_seal(struct span key, const uint8_t nonce[AES_GCM_NONCE_SIZE],
                                 struct span aad, struct span plain, uint8_t *out);

/* `out` has room for sealed.size - AES_GCM_TAG_SIZE. ERR_CRYPTO too short or not authentic; then
 * `out` is zero. */
MUST_CHECK enum err aes_gcm_open(struct span key, const uint8_t nonce[AES_GCM_NONCE_SIZE],
                                 struct span aad, struct span sealed, uint8_t *out);

#endif
