/* RSA-OAEP with the parameters of a key's algorithm. For key_cipher.c and key_wrap.c. */
#ifndef KEYS_OAEP_H
#define KEYS_OAEP_H

#include "keys/algorithm.h"
#include "keys/material.h"

/* As rsa_oaep_encrypt() and rsa_oaep_decrypt(). `out` has room for the size of the modulus. */
MUST_CHECK enum err oaep_encrypt(const struct key_spec *key, const struct key_material *m,
                                 struct span label, struct span plain, uint8_t *out);
MUST_CHECK enum err oaep_decrypt(const struct key_spec *key, const struct key_material *m,
                                 struct span label, struct span ciphertext, struct secret **plain);

#endif
