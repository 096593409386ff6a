/* Message authentication with a key: HMAC-SHA256 with whole tags of 32 bytes. */
#ifndef KEYS_KEY_MAC_H
#define KEYS_KEY_MAC_H

#include "keys/algorithm.h"
#include "keys/material.h"

#define KEY_MAC_SIZE 32

/* ERR_UNSUPPORTED algorithm_misfit() names the reason */
MUST_CHECK enum err key_mac(const struct key_spec *key, const struct key_material *m,
                            struct span message, uint8_t out[KEY_MAC_SIZE]);

/* Compares in constant time. ERR_CRYPTO another tag, or a shortened one; ERR_UNSUPPORTED */
MUST_CHECK enum err key_verify_mac(const struct key_spec *key, const struct key_material *m,
                                   struct span message, struct span tag);

#endif
