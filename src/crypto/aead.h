/*
 * ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03). Sealed text is
 * ciphertext || 16-byte tag.
 */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include "base/span.h"

#define AEAD_KEY_SIZE 32
#define AEAD_TAG_SIZE 16
#define AEAD_NONCE_SIZE 12
#define AEAD_XNONCE_SIZE 24

enum aead { AEAD_CHACHA20_POLY1305, AEAD_XCHACHA20_POLY1305 };

/* `out` has room for plain.size + AEAD_TAG_SIZE. `nonce` has the algorithm's size. */
void aead_seal(enum aead a, const uint8_t key[AEAD_KEY_SIZE], const uint8_t *nonce, struct span aad,
               struct span plain, uint8_t *out);

/* `out` has room for sealed.size - AEAD_TAG_SIZE. ERR_CRYPTO too short or not authentic; then
 * `out` is zero. */
MUST_CHECK enum err aead_open(enum aead a, const uint8_t key[AEAD_KEY_SIZE], const uint8_t *nonce,
                              struct span aad, struct span sealed, uint8_t *out);

#endif
