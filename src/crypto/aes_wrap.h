/*
 * AES key wrap: RFC 3394 (KW, whole blocks of 8 bytes) and RFC 5649 (KWP, any size). Deterministic
 * and authenticated, for keys only: the same key wrapped twice gives the same bytes.
 */
#ifndef CRYPTO_AES_WRAP_H
#define CRYPTO_AES_WRAP_H

#include "base/span.h"

enum aes_wrap { AES_WRAP_KW, AES_WRAP_KWP };

#define AES_WRAP_PLAIN_MIN 16 /* of KW: RFC 3394 section 2 has at least two blocks */
#define AES_WRAP_PLAIN_MAX 16384
#define AES_WRAP_OVERHEAD_MAX 15

/* The size of a wrapped key: KW adds 8 bytes, KWP adds 8 and pads to whole blocks. */
size_t aes_wrap_size(enum aes_wrap form, size_t plain_size);

/*
 * key  of the wrapping, 16, 24 or 32 bytes
 * out  has room for aes_wrap_size()
 *
 * ERR_UNSUPPORTED  KW of a size that is not a multiple of 8 or is below AES_WRAP_PLAIN_MIN, or KWP
 *                  of nothing
 * ERR_TOO_LARGE    more than AES_WRAP_PLAIN_MAX
 */
MUST_CHECK enum err aes_wrap(enum aes_wrap form, struct span key, struct span plain, uint8_t *out);

/*
 * `out` has room for wrapped.size - 8. ERR_CRYPTO not a wrapping under this key, or another size;
 * then `out` is zero. ERR_TOO_LARGE
 */
MUST_CHECK enum err aes_unwrap(enum aes_wrap form, struct span key, struct span wrapped,
                               uint8_t *out, size_t *size);

#endif
