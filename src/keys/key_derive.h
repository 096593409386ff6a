/*
 * Derivation from a key: ECDH with a peer, HKDF, PBKDF2, and the agreement of ML-KEM. Derivation
 * from the root is keys/derive.h.
 */
#ifndef KEYS_KEY_DERIVE_H
#define KEYS_KEY_DERIVE_H

#include "keys/algorithm.h"
#include "keys/material.h"

#define KEY_DERIVED_MAX 1024
#define KEY_PBKDF2_ITERATIONS_MAX 10000000u /* times the blocks of output: some seconds */

struct derive_input {
    struct span peer;    /* ECDH: the peer's raw public key; EC points may be compressed */
    struct span salt;    /* HKDF, ecdh-hkdf-sha256, PBKDF2 */
    struct span info;    /* HKDF, ecdh-hkdf-sha256 */
    uint32_t iterations; /* PBKDF2: from 1; 0 for the others */
    size_t size;         /* of the output: 1 to KEY_DERIVED_MAX; `ecdh`: that of the secret */
};

/*
 * The caller owns `*out`. PBKDF2 takes the key as its password.
 * ERR_UNSUPPORTED  algorithm_misfit() names the reason; the private part is missing; an input that
 *                  the algorithm does not have
 * ERR_TOO_LARGE    size or iterations out of range
 * ERR_MALFORMED    the peer's key has a wrong form
 * ERR_CRYPTO       the peer's key is not on the curve or has low order; ERR_MEMORY
 */
MUST_CHECK enum err key_derive(const struct key_spec *key, const struct key_material *m,
                               const struct derive_input *input, struct secret **out);

/*
 * ML-KEM: a secret for the holder of the private part. `random` is 32 fresh random bytes, which the
 * caller wipes. The ciphertext is appended to `out`; the caller owns `*shared`.
 * ERR_UNSUPPORTED, ERR_CRYPTO, ERR_MEMORY
 */
#define KEY_ENCAPSULATE_RANDOM_SIZE 32
MUST_CHECK enum err key_encapsulate(const struct key_spec *key, const struct key_material *m,
                                    const uint8_t random[KEY_ENCAPSULATE_RANDOM_SIZE],
                                    struct buffer *out, struct secret **shared);

/* A ciphertext for another key gives another secret, and no error (FIPS 203 section 6.3).
 * ERR_MALFORMED the size, ERR_UNSUPPORTED, ERR_MEMORY */
MUST_CHECK enum err key_decapsulate(const struct key_spec *key, const struct key_material *m,
                                    struct span ciphertext, struct secret **shared);

#endif
