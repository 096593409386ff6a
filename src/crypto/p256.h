/*
 * ECDSA over P-256 with SHA-256 (FIPS 186-5). Signatures are raw r || s, big-endian, 64 bytes, as
 * in JOSE and SGX quotes. Private keys are in OpenSSL's secure heap. Several threads may use one
 * handle.
 */
#ifndef CRYPTO_P256_H
#define CRYPTO_P256_H

#include "base/span.h"

#define P256_SCALAR_SIZE 32
#define P256_POINT_SIZE 64 /* x || y, big-endian, without the 0x04 prefix */
#define P256_SIGNATURE_SIZE 64

struct p256_private;
struct p256_public;

/* A fresh key. The caller owns it. ERR_MEMORY */
MUST_CHECK enum err p256_generate(struct p256_private **out);

/*
 * The key for 48 uniformly random bytes: scalar = bytes mod (n - 1) + 1, FIPS 186-5 appendix A.2.1.
 * ERR_MEMORY
 */
#define P256_DERIVE_SIZE 48
MUST_CHECK enum err p256_derive(const uint8_t bytes[P256_DERIVE_SIZE], struct p256_private **out);

/* A scalar in 1..n-1, big-endian, else ERR_CRYPTO. ERR_MEMORY */
MUST_CHECK enum err p256_private_from_scalar(const uint8_t scalar[P256_SCALAR_SIZE],
                                             struct p256_private **out);
/* The scalar, for sealing; the caller wipes it. */
void p256_private_scalar(const struct p256_private *key, uint8_t out[P256_SCALAR_SIZE]);
void p256_private_point(const struct p256_private *key, uint8_t out[P256_POINT_SIZE]);
/* ERR_MEMORY */
MUST_CHECK enum err p256_sign(const struct p256_private *key, struct span message,
                              uint8_t out[P256_SIGNATURE_SIZE]);
void p256_private_free(struct p256_private **key);

/* ERR_CRYPTO when the point is not on the curve. */
MUST_CHECK enum err p256_public_from_point(const uint8_t point[P256_POINT_SIZE],
                                           struct p256_public **out);
/*
 * Reads exactly one SubjectPublicKeyInfo in DER or PEM ("PUBLIC KEY"): id-ecPublicKey, a named
 * curve, an uncompressed point (RFC 5480). ERR_MALFORMED all other input, also other kinds of key;
 * ERR_CRYPTO the point is not on the curve; ERR_MEMORY
 */
MUST_CHECK enum err p256_public_from_spki(struct span spki, struct p256_public **out);
/* ERR_CRYPTO the signature does not verify, or r or s is out of range. */
MUST_CHECK enum err p256_verify(const struct p256_public *key, struct span message,
                                const uint8_t signature[P256_SIGNATURE_SIZE]);
void p256_public_free(struct p256_public **key);

#endif
