/*
 * Hash functions by name, for algorithms whose hash is a parameter. crypto/hash.h has the functions
 * with a fixed hash.
 */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include "base/span.h"

enum digest {
    DIGEST_NONE, /* the algorithm hashes by itself or not at all */
    DIGEST_SHA1, /* for OAEP and MGF1 only; nothing signs with it */
    DIGEST_SHA256,
    DIGEST_SHA384,
    DIGEST_SHA512,
    DIGEST_COUNT
};

#define DIGEST_MAX_SIZE 64

/* 20, 32, 48 or 64 bytes; 0 for DIGEST_NONE. */
size_t digest_size(enum digest d);

/* "SHA-256"; "none" for DIGEST_NONE. Never NULL. */
const char *digest_name(enum digest d);

/* Writes digest_size(d) bytes. `d` is not DIGEST_NONE. */
void digest_of(enum digest d, struct span bytes, uint8_t *out);

#endif
