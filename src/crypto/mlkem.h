/*
 * ML-KEM-768 (FIPS 203) over AWS-LC. A private key is its 64-byte seed d || z; the functions expand
 * it and wipe the expansion.
 */
#ifndef CRYPTO_MLKEM_H
#define CRYPTO_MLKEM_H

#include "base/span.h"

#define MLKEM768_SEED_SIZE 64
#define MLKEM768_PUBLIC_SIZE 1184
#define MLKEM768_CIPHERTEXT_SIZE 1088
#define MLKEM768_RANDOM_SIZE 32
#define MLKEM768_SHARED_SIZE 32

/* ERR_MEMORY */
MUST_CHECK enum err mlkem768_public(const uint8_t seed[MLKEM768_SEED_SIZE],
                                    uint8_t out[MLKEM768_PUBLIC_SIZE]);

/* The checks of FIPS 203 section 7.2. ERR_CRYPTO a coefficient is not below q; ERR_MEMORY */
MUST_CHECK enum err mlkem768_public_check(const uint8_t public_key[MLKEM768_PUBLIC_SIZE]);

/* `random` is 32 fresh random bytes, the m of FIPS 203. The caller wipes `random` and `shared`.
 * ERR_CRYPTO the public key; ERR_MEMORY */
MUST_CHECK enum err mlkem768_encapsulate(const uint8_t public_key[MLKEM768_PUBLIC_SIZE],
                                         const uint8_t random[MLKEM768_RANDOM_SIZE],
                                         uint8_t ciphertext[MLKEM768_CIPHERTEXT_SIZE],
                                         uint8_t shared[MLKEM768_SHARED_SIZE]);

/* A ciphertext for another key gives other bytes, and no error (implicit rejection). The caller
 * wipes `shared`. ERR_MEMORY */
MUST_CHECK enum err mlkem768_decapsulate(const uint8_t seed[MLKEM768_SEED_SIZE],
                                         const uint8_t ciphertext[MLKEM768_CIPHERTEXT_SIZE],
                                         uint8_t shared[MLKEM768_SHARED_SIZE]);

#endif
