/* SHA-2, one call over the concatenation of `parts`; and a keyed hash for tables. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "base/span.h"

#define SHA256_SIZE 32
#define SHA384_SIZE 48
#define SHA512_SIZE 64

void sha256(struct span bytes, uint8_t out[SHA256_SIZE]);
void sha256_parts(const struct span *parts, size_t count, uint8_t out[SHA256_SIZE]);
void sha384(struct span bytes, uint8_t out[SHA384_SIZE]);
void sha512(struct span bytes, uint8_t out[SHA512_SIZE]);
void sha512_parts(const struct span *parts, size_t count, uint8_t out[SHA512_SIZE]);

/*
 * SipHash-2-4 with a secret random key, for tables whose keys a stranger chooses: a stranger cannot
 * find values that collide without the key. It is not a cryptographic hash.
 */
#define SIPHASH_KEY_SIZE 16
uint64_t siphash24(const uint8_t key[SIPHASH_KEY_SIZE], struct span bytes);

#endif
