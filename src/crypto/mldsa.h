/*
 * ML-DSA-65 (FIPS 204) over AWS-LC. A private key is its 32-byte seed; the functions expand it and
 * wipe the expansion. The context string is empty.
 */
#ifndef CRYPTO_MLDSA_H
#define CRYPTO_MLDSA_H

#include "base/span.h"

#define MLDSA65_SEED_SIZE 32
#define MLDSA65_PUBLIC_SIZE 1952
#define MLDSA65_SIGNATURE_SIZE 3309

/* ERR_MEMORY */
MUST_CHECK enum err mldsa65_public(const uint8_t seed[MLDSA65_SEED_SIZE],
                                   uint8_t out[MLDSA65_PUBLIC_SIZE]);

/* Signs a message, hedged with randomness (FIPS 204 section 3.4). ERR_MEMORY */
MUST_CHECK enum err mldsa65_sign(const uint8_t seed[MLDSA65_SEED_SIZE], struct span message,
                                 uint8_t out[MLDSA65_SIGNATURE_SIZE]);

/* ERR_CRYPTO the signature does not verify, or has another size; ERR_MEMORY. Any bytes are a public
 * key. */
MUST_CHECK enum err mldsa65_verify(const uint8_t public_key[MLDSA65_PUBLIC_SIZE],
                                   struct span message, struct span signature);

#endif
