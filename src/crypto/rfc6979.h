/*
 * The nonces of deterministic ECDSA (RFC 6979 section 3.2), for a hash whose size is the size of
 * the order: SHA-256 with P-256, SHA-384 with P-384. Constant-time in the scalar and the nonce.
 */
#ifndef CRYPTO_RFC6979_H
#define CRYPTO_RFC6979_H

#include "crypto/digest.h"

struct rfc6979 {
    enum digest digest;
    uint8_t k[DIGEST_MAX_SIZE];
    uint8_t v[DIGEST_MAX_SIZE];
};

/*
 * Steps b to g.
 *
 * scalar   the private key, digest_size(d) bytes
 * reduced  the digest modulo the order (bits2octets), digest_size(d) bytes
 */
void rfc6979_begin(struct rfc6979 *state, enum digest d, const uint8_t *scalar,
                   const uint8_t *reduced);

/* Step h: the next candidate, digest_size() bytes. The caller takes the first one in 1 to n - 1. */
void rfc6979_next(struct rfc6979 *state, uint8_t *candidate);

void rfc6979_clear(struct rfc6979 *state); /* wipes */

#endif
