/*
 * Wrapping of keys with a key: AES-KW, AES-KWP and RSA-OAEP. The wrapped bytes have the form of the
 * standard, without an envelope, so that other systems can unwrap them.
 */
#ifndef KEYS_KEY_WRAP_H
#define KEYS_KEY_WRAP_H

#include "keys/algorithm.h"
#include "keys/material.h"

/*
 * Wraps the bytes of a key, appended to `out`. `label` is for OAEP; it is empty for AES.
 * ERR_UNSUPPORTED  algorithm_misfit() names the reason; a label for AES; AES-KW of a size that is
 *                  not a multiple of 8 or is below 16
 * ERR_TOO_LARGE    more than the algorithm has room for; ERR_MEMORY
 */
MUST_CHECK enum err key_wrap(const struct key_spec *key, const struct key_material *m,
                             struct span label, struct span plain, struct buffer *out);

/* The caller owns `*plain`. ERR_CRYPTO not a wrapping under this key; ERR_UNSUPPORTED, also when
 * the private part is missing; ERR_TOO_LARGE, ERR_MEMORY */
MUST_CHECK enum err key_unwrap(const struct key_spec *key, const struct key_material *m,
                               struct span label, struct span wrapped, struct secret **plain);

#endif
