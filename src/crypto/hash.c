#include "crypto/hash.h"

#include <openssl/sha.h>
#include <openssl/siphash.h>
#include <string.h>

/* These functions of AWS-LC keep all state in the caller's struct and cannot fail. */

void sha256_parts(const struct span *parts, size_t count, uint8_t out[SHA256_SIZE])
{
    SHA256_CTX state;

    (void)SHA256_Init(&state);
    for (size_t i = 0; i < count; i++)
        (void)SHA256_Update(&state, parts[i].data, parts[i].size);
    (void)SHA256_Final(out, &state);
}

void sha256(struct span bytes, uint8_t out[SHA256_SIZE])
{
    sha256_parts(&bytes, 1, out);
}

void sha512_parts(const struct span *parts, size_t count, uint8_t out[SHA512_SIZE])
{
    SHA512_CTX state;

    (void)SHA512_Init(&state);
    for (size_t i = 0; i < count; i++)
        (void)SHA512_Update(&state, parts[i].data, parts[i].size);
    (void)SHA512_Final(out, &state);
}

void sha512(struct span bytes, uint8_t out[SHA512_SIZE])
{
    sha512_parts(&bytes, 1, out);
}

void sha384(struct span bytes, uint8_t out[SHA384_SIZE])
{
    SHA512_CTX state;

    (void)SHA384_Init(&state);
    (void)SHA384_Update(&state, bytes.data, bytes.size);
    (void)SHA384_Final(out, &state);
}

uint64_t siphash24(const uint8_t key[SIPHASH_KEY_SIZE], struct span bytes)
{
    uint64_t words[2];

    memcpy(words, key, sizeof words);
    return SIPHASH_24(words, bytes.data, bytes.size);
}
