/*
 * ECDSA verification (FIPS 186-5), shared by P-256 with SHA-256 and P-384 with SHA-384. Internal to
 * crypto/; other folders use p256.h and p384.h.
 */
#ifndef CRYPTO_ECDSA_H
#define CRYPTO_ECDSA_H

#include "base/span.h"

enum ecdsa_curve {
    ECDSA_P256, /* with SHA-256 */
    ECDSA_P384, /* with SHA-384 */
};

#define ECDSA_SCALAR_MAX 48
#define ECDSA_POINT_MAX (2 * ECDSA_SCALAR_MAX)

struct ecdsa_public; /* several threads may use it */

/*
 * point  x || y, big-endian, 64 or 96 bytes; ERR_CRYPTO when it is not on the curve. ERR_MEMORY
 *
 * The caller owns `*out`.
 */
MUST_CHECK enum err ecdsa_public_new(enum ecdsa_curve curve, const uint8_t *point,
                                     struct ecdsa_public **out);
void ecdsa_public_free(struct ecdsa_public **key);

/* ERR_CRYPTO the signature does not verify. `raw` is r || s, 64 or 96 bytes; `der` is an
 * Ecdsa-Sig-Value (RFC 5480 appendix A). ERR_MEMORY */
MUST_CHECK enum err ecdsa_verify(const struct ecdsa_public *key, struct span message,
                                 const uint8_t *raw);
MUST_CHECK enum err ecdsa_verify_der(const struct ecdsa_public *key, struct span message,
                                     struct span der);

/*
 * The point inside a SubjectPublicKeyInfo in DER, borrowed; NULL for any other key. The key must
 * name its curve, and the point must be uncompressed (RFC 5480 section 2).
 */
const uint8_t *ecdsa_spki_point(enum ecdsa_curve curve, struct span der);

/* The same, copied, from DER or from one block of PEM "PUBLIC KEY". ERR_MALFORMED, ERR_MEMORY */
MUST_CHECK enum err ecdsa_spki_read(enum ecdsa_curve curve, struct span bytes, uint8_t *point);

#endif
