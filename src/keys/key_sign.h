/* Signatures with a key: ECDSA, EdDSA, ML-DSA, RSA-PSS and RSA PKCS#1 v1.5. */
#ifndef KEYS_KEY_SIGN_H
#define KEYS_KEY_SIGN_H

#include "keys/algorithm.h"
#include "keys/material.h"

#define KEY_SIGNATURE_MAX 3309 /* ML-DSA-65 */

struct sign_options {
    bool digest_given;  /* the message is a digest of the algorithm's hash */
    bool der;           /* ECDSA in DER; else r || s */
    bool deterministic; /* ECDSA with the nonces of RFC 6979 */
    bool low_s_only;    /* verification of ECDSA refuses a high s. secp256k1 signs with a low s */
};

/*
 * Signs. `out` has room for KEY_SIGNATURE_MAX bytes.
 * ERR_UNSUPPORTED  algorithm_misfit() names the reason, or the private part is missing
 * ERR_MEMORY
 */
MUST_CHECK enum err key_sign(const struct key_spec *key, const struct key_material *m,
                             const struct sign_options *options, struct span message, uint8_t *out,
                             size_t *size);

/* ERR_CRYPTO the signature does not verify, or is not in the stated form; ERR_UNSUPPORTED as above;
 * ERR_MEMORY */
MUST_CHECK enum err key_verify(const struct key_spec *key, const struct key_material *m,
                               const struct sign_options *options, struct span message,
                               struct span signature);

#endif
