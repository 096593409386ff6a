/*
 * HMAC-SHA256 (RFC 2104) and HKDF-SHA256 (RFC 5869). The state is on the stack and is wiped, so no
 * part of a key reaches the heap.
 */
#ifndef CRYPTO_MAC_H
#define CRYPTO_MAC_H

#include "base/span.h"

#define HMAC_SHA256_SIZE 32
#define HKDF_MAX_SIZE (255 * 32)

void hmac_sha256(struct span key, const struct span *parts, size_t count,
                 uint8_t out[HMAC_SHA256_SIZE]);

void hkdf_sha256_extract(struct span salt, struct span ikm, uint8_t prk[HMAC_SHA256_SIZE]);

/* `size` is at most HKDF_MAX_SIZE, else ERR_TOO_LARGE. */
MUST_CHECK enum err hkdf_sha256_expand(const uint8_t prk[HMAC_SHA256_SIZE], struct span info,
                                       uint8_t *out, size_t size);
MUST_CHECK enum err hkdf_sha256(struct span salt, struct span ikm, struct span info, uint8_t *out,
                                size_t size);

#endif
