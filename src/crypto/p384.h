/*
 * ECDSA over P-384 with SHA-384 (FIPS 186-5): verification only. Signatures are raw r || s,
 * big-endian, 96 bytes, as in JOSE and COSE. Several threads may use one handle.
 */
#ifndef CRYPTO_P384_H
#define CRYPTO_P384_H

#include "base/span.h"

#define P384_SCALAR_SIZE 48
#define P384_POINT_SIZE 96 /* x || y, big-endian, without the 0x04 prefix */
#define P384_SIGNATURE_SIZE 96

struct p384_public;

/* ERR_CRYPTO the point is not on the curve; ERR_MEMORY */
MUST_CHECK enum err p384_public_from_point(const uint8_t point[P384_POINT_SIZE],
                                           struct p384_public **out);
/*
 * Reads exactly one SubjectPublicKeyInfo in DER or PEM ("PUBLIC KEY"): id-ecPublicKey, a named
 * curve, an uncompressed point (RFC 5480). ERR_MALFORMED all other input, also other kinds of key;
 * ERR_CRYPTO the point is not on the curve; ERR_MEMORY
 */
MUST_CHECK enum err p384_public_from_spki(struct span spki, struct p384_public **out);
/* ERR_CRYPTO the signature does not verify, or r or s is out of range. */
MUST_CHECK enum err p384_verify(const struct p384_public *key, struct span message,
                                const uint8_t signature[P384_SIGNATURE_SIZE]);
void p384_public_free(struct p384_public **key);

#endif
