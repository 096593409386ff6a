/* Base58 with the Bitcoin alphabet, as NEAR and Neo use it. No checksum. */
#ifndef CODEC_BASE58_H
#define CODEC_BASE58_H

#include "base/span.h"

#define BASE58_MAX_SIZE 128                           /* bytes, decoded */
#define BASE58_TEXT_SIZE(size) ((size)*138 / 100 + 2) /* with terminator */

/* Writes terminated text. ERR_TOO_LARGE beyond BASE58_MAX_SIZE or `out_size`. */
MUST_CHECK enum err base58_write(struct span bytes, char *out, size_t out_size);

/* ERR_MALFORMED a character outside the alphabet; ERR_TOO_LARGE beyond `capacity`. */
MUST_CHECK enum err base58_read(struct span text, uint8_t *out, size_t capacity, size_t *size);

#endif
