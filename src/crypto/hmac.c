#include "crypto/hmac.h"

#include <assert.h>
#include <openssl/sha.h>
#include <string.h>

#include "crypto/mac.h"

enum { BLOCK_SIZE = 128 }; /* of SHA-384 and SHA-512 */

/* SHA-384 is SHA-512 with another start value: FIPS 180-4 section 5.3.4. */
static void begin(enum digest d, SHA512_CTX *state, const uint8_t key[BLOCK_SIZE], uint8_t pad)
{
    uint8_t block[BLOCK_SIZE];

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = key[i] ^ pad;
    (void)(d == DIGEST_SHA384 ? SHA384_Init(state) : SHA512_Init(state));
    (void)SHA512_Update(state, block, sizeof block);
    bytes_wipe(block, sizeof block);
}

static void finish(enum digest d, SHA512_CTX *state, uint8_t *out)
{
    (void)(d == DIGEST_SHA384 ? SHA384_Final(out, state) : SHA512_Final(out, state));
}

static void hmac_wide(enum digest d, struct span key, const struct span *parts, size_t count,
                      uint8_t *out)
{
    uint8_t padded[BLOCK_SIZE] = {0};
    uint8_t inner[SHA512_DIGEST_LENGTH];
    SHA512_CTX state;

    if (key.size > sizeof padded)
        digest_of(d, key, padded);
    else if (key.size > 0)
        memcpy(padded, key.data, key.size);
    begin(d, &state, padded, 0x36);
    for (size_t i = 0; i < count; i++)
        (void)SHA512_Update(&state, parts[i].data, parts[i].size);
    finish(d, &state, inner);
    begin(d, &state, padded, 0x5c);
    (void)SHA512_Update(&state, inner, digest_size(d));
    finish(d, &state, out);
    bytes_wipe(&state, sizeof state);
    bytes_wipe(padded, sizeof padded);
    bytes_wipe(inner, sizeof inner);
}

void hmac(enum digest d, struct span key, const struct span *parts, size_t count, uint8_t *out)
{
    assert(d == DIGEST_SHA256 || d == DIGEST_SHA384 || d == DIGEST_SHA512);
    if (d == DIGEST_SHA256)
        hmac_sha256(key, parts, count, out);
    else
        hmac_wide(d, key, parts, count, out);
}

/* One block: U1 ^ U2 ^ ... of RFC 8018 section 5.2. */
static void pbkdf2_block(enum digest d, struct span password, struct span salt, uint32_t iterations,
                         uint32_t number, uint8_t *block)
{
    const uint8_t index[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                              (uint8_t)(number >> 8), (uint8_t)number};
    const struct span first[] = {salt, SPAN_OF(index)};
    uint8_t u[DIGEST_MAX_SIZE];
    const struct span previous = span_of(u, digest_size(d));

    hmac(d, password, first, COUNT_OF(first), u);
    memcpy(block, u, previous.size);
    for (uint32_t i = 1; i < iterations; i++) {
        hmac(d, password, &previous, 1, u);
        for (size_t j = 0; j < previous.size; j++)
            block[j] ^= u[j];
    }
    bytes_wipe(u, sizeof u);
}

enum err pbkdf2(enum digest d, struct span password, struct span salt, uint32_t iterations,
                uint8_t *out, size_t size)
{
    uint8_t block[DIGEST_MAX_SIZE];
    uint32_t number = 1;

    if (iterations == 0 || iterations > PBKDF2_ITERATIONS_MAX || size == 0 ||
        size > PBKDF2_SIZE_MAX)
        return ERR_TOO_LARGE;
    for (size_t done = 0; done < size; number++) {
        size_t part = size - done < digest_size(d) ? size - done : digest_size(d);

        pbkdf2_block(d, password, salt, iterations, number, block);
        memcpy(out + done, block, part);
        done += part;
    }
    bytes_wipe(block, sizeof block);
    return ERR_NONE;
}
