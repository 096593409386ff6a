/* X25519 (RFC 7748) and Ed25519 (RFC 8032), over AWS-LC. */
#ifndef CRYPTO_CURVE25519_H
#define CRYPTO_CURVE25519_H

#include "base/span.h"

#define X25519_SIZE 32
#define ED25519_SEED_SIZE 32
#define ED25519_PUBLIC_SIZE 32
#define ED25519_SIGNATURE_SIZE 64

/* The operation clamps scalars, so any 32 bytes are a private key. */
void x25519_public(const uint8_t private_key[X25519_SIZE], uint8_t out[X25519_SIZE]);

/* ERR_CRYPTO when the shared secret is all zero (the peer's point has low order). */
MUST_CHECK enum err x25519(const uint8_t private_key[X25519_SIZE], const uint8_t peer[X25519_SIZE],
                           uint8_t out[X25519_SIZE]);

void ed25519_public(const uint8_t seed[ED25519_SEED_SIZE], uint8_t out[ED25519_PUBLIC_SIZE]);
void ed25519_sign(const uint8_t seed[ED25519_SEED_SIZE], struct span message,
                  uint8_t out[ED25519_SIGNATURE_SIZE]);

/*
 * The same at half the cost, for a caller that keeps the seed's own public key. A wrong public key
 * would allow an attacker to compute the seed from two signatures. So compute it once with
 * ed25519_public() from this seed; never take it from outside.
 */
void ed25519_sign_with(const uint8_t seed[ED25519_SEED_SIZE],
                       const uint8_t public_key[ED25519_PUBLIC_SIZE], struct span message,
                       uint8_t out[ED25519_SIGNATURE_SIZE]);

/*
 * Verifies strictly. ERR_CRYPTO also for a key or an R of small order, and for a key, an R or an S
 * that is not in its canonical encoding.
 */
MUST_CHECK enum err ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_SIZE],
                                   struct span message,
                                   const uint8_t signature[ED25519_SIGNATURE_SIZE]);

/*
 * For keys that come from outside: whether a peer's X25519 key has no low order (RFC 7748 section
 * 6.1), and whether 32 bytes are a point of Ed25519 that ed25519_verify() accepts as a key.
 * ERR_CRYPTO; ERR_MEMORY
 */
MUST_CHECK enum err x25519_public_check(const uint8_t public_key[X25519_SIZE]);
MUST_CHECK enum err ed25519_public_check(const uint8_t public_key[ED25519_PUBLIC_SIZE]);

#endif
