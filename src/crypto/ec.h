/*
 * Elliptic curve keys with a curve of choice: ECDSA (FIPS 186-5, SEC 1 section 4.1) and ECDH (SEC 1
 * section 3.3.1). P-256 and P-384 run on AWS-LC, secp256k1 on libsecp256k1. All numbers are
 * big-endian and have a fixed size.
 *
 *   scalar     1 to n - 1, ec_size() bytes; the caller keeps it in guarded memory
 *   point      x || y, 2 * ec_size() bytes, on the curve, never infinity
 *   signature  r || s, 2 * ec_size() bytes
 *
 * The functions that take a scalar are constant-time in it and leave no copy of it.
 */
#ifndef CRYPTO_EC_H
#define CRYPTO_EC_H

#include "base/span.h"

enum ec_curve { EC_P256, EC_P384, EC_SECP256K1, EC_CURVE_COUNT };

#define EC_SIZE_MAX 48
#define EC_POINT_MAX (2 * EC_SIZE_MAX)
#define EC_SIGNATURE_MAX (2 * EC_SIZE_MAX)
#define EC_ENCODED_MAX (1 + EC_POINT_MAX)

size_t ec_size(enum ec_curve curve); /* 32 or 48 */

/* Whether a scalar is in 1 to n - 1. Only the verdict depends on the scalar, not the time. */
bool ec_scalar_is_valid(enum ec_curve curve, const uint8_t *scalar);

/* The public point of a scalar. ERR_CRYPTO the scalar is out of range; ERR_MEMORY */
MUST_CHECK enum err ec_public(enum ec_curve curve, const uint8_t *scalar, uint8_t *point);

/*
 * Reads an encoded point (SEC 1 section 2.3.4): 0x04 || x || y, or compressed 0x02 or 0x03 || x.
 * ERR_MALFORMED  another size or first byte; infinity (0x00) and the hybrid forms as well
 * ERR_CRYPTO     a coordinate is not below p, or the point is not on the curve; ERR_MEMORY
 */
MUST_CHECK enum err ec_point_read(enum ec_curve curve, struct span encoded, uint8_t *point);

/* Writes 0x04 || x || y (1 + 2 * ec_size() bytes), or the compressed form (1 + ec_size() bytes). */
void ec_point_write(enum ec_curve curve, const uint8_t *point, uint8_t *out);
void ec_point_compress(enum ec_curve curve, const uint8_t *point, uint8_t *out);

/*
 * Signs a digest of ec_size() bytes. The nonce is random, or that of RFC 6979 with the hash of the
 * digest's size when `deterministic`; libsecp256k1 adds 32 random bytes to RFC 6979 for a random
 * nonce. secp256k1 signatures have a low s. ERR_CRYPTO the scalar is out of range; ERR_MEMORY
 */
MUST_CHECK enum err ec_sign(enum ec_curve curve, const uint8_t *scalar, const uint8_t *digest,
                            bool deterministic, uint8_t *signature);

/* ERR_CRYPTO r or s is out of range, or the signature does not verify. A high s is accepted;
 * ec_signature_is_low() tells. ERR_MEMORY */
MUST_CHECK enum err ec_verify(enum ec_curve curve, const uint8_t *point, const uint8_t *digest,
                              const uint8_t *signature);

/* Whether s <= n / 2. Each signature (r, s) has a twin (r, n - s); only one of them is low. */
bool ec_signature_is_low(enum ec_curve curve, const uint8_t *signature);

/*
 * The x coordinate of scalar * peer, ec_size() bytes: the input of a key derivation, never a key.
 * `peer` comes from ec_point_read(). ERR_CRYPTO the scalar is out of range; ERR_MEMORY
 */
MUST_CHECK enum err ec_shared(enum ec_curve curve, const uint8_t *scalar, const uint8_t *peer,
                              uint8_t *out);

/*
 * Signatures in DER (Ecdsa-Sig-Value, RFC 3279 section 2.2.3). Reading accepts the one DER encoding
 * of each pair of numbers below 2^(8 * ec_size()). `*size` is at most EC_DER_MAX.
 * ERR_MALFORMED
 */
#define EC_DER_MAX (2 * (EC_SIZE_MAX + 3) + 3)
void ec_signature_to_der(enum ec_curve curve, const uint8_t *signature, uint8_t out[EC_DER_MAX],
                         size_t *size);
MUST_CHECK enum err ec_signature_from_der(enum ec_curve curve, struct span der, uint8_t *signature);

#endif
