/* SHA-2, one call over the concatenation of `parts`. */
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

#endif
