/*
 * HMAC (RFC 2104) and PBKDF2 (RFC 8018 section 5.2) with a hash of choice. The state is on the
 * stack and is wiped. crypto/mac.h has the faster HMAC-SHA256 and HKDF-SHA256.
 */
#ifndef CRYPTO_HMAC_H
#define CRYPTO_HMAC_H

#include "crypto/digest.h"

/* `d` is DIGEST_SHA256, DIGEST_SHA384 or DIGEST_SHA512. Writes digest_size(d) bytes. */
void hmac(enum digest d, struct span key, const struct span *parts, size_t count, uint8_t *out);

#define PBKDF2_ITERATIONS_MAX 10000000u
#define PBKDF2_SIZE_MAX 1024

/*
 * Writes `size` bytes derived from `password`. One iteration takes about 0.3 us for each block of
 * digest_size(d) bytes of output.
 *
 * iterations  1 to PBKDF2_ITERATIONS_MAX
 * size        1 to PBKDF2_SIZE_MAX
 *
 * ERR_TOO_LARGE a number is outside its limits
 */
MUST_CHECK enum err pbkdf2(enum digest d, struct span password, struct span salt,
                           uint32_t iterations, uint8_t *out, size_t size);

#endif
