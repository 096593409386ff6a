#include "crypto/mac.h"

#include <openssl/sha.h>
#include <string.h>

enum { BLOCK_SIZE = 64 };

/*
 * HMAC and HKDF over AWS-LC's SHA-256. AWS-LC's own HMAC_CTX holds four hash states of maximum
 * size. To clear and copy them costs more than to hash a short message: 310 ns against 240 ns.
 */
static void begin(SHA256_CTX *state, const uint8_t key[BLOCK_SIZE], uint8_t pad)
{
    uint8_t block[BLOCK_SIZE];

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = key[i] ^ pad;
    (void)SHA256_Init(state);
    (void)SHA256_Update(state, block, sizeof block);
    bytes_wipe(block, sizeof block);
}

/* RFC 2104. */
void hmac_sha256(struct span key, const struct span *parts, size_t count,
                 uint8_t out[HMAC_SHA256_SIZE])
{
    uint8_t padded[BLOCK_SIZE] = {0};
    uint8_t inner[SHA256_DIGEST_LENGTH];
    SHA256_CTX state;

    if (key.size > sizeof padded)
        (void)SHA256(key.data, key.size, padded);
    else if (key.size > 0)
        memcpy(padded, key.data, key.size);
    begin(&state, padded, 0x36);
    for (size_t i = 0; i < count; i++)
        (void)SHA256_Update(&state, parts[i].data, parts[i].size);
    (void)SHA256_Final(inner, &state);
    begin(&state, padded, 0x5c);
    (void)SHA256_Update(&state, inner, sizeof inner);
    (void)SHA256_Final(out, &state);
    bytes_wipe(&state, sizeof state);
    bytes_wipe(padded, sizeof padded);
    bytes_wipe(inner, sizeof inner);
}

/* RFC 5869 section 2.2. HMAC pads an empty salt to a key of zeros. */
void hkdf_sha256_extract(struct span salt, struct span ikm, uint8_t prk[HMAC_SHA256_SIZE])
{
    hmac_sha256(salt, &ikm, 1, prk);
}

/* RFC 5869 section 2.3: T(i) = HMAC(PRK, T(i - 1) || info || i). */
enum err hkdf_sha256_expand(const uint8_t prk[HMAC_SHA256_SIZE], struct span info, uint8_t *out,
                            size_t size)
{
    uint8_t block[HMAC_SHA256_SIZE];
    uint8_t number = 1;
    size_t done = 0;

    if (size > HKDF_MAX_SIZE)
        return ERR_TOO_LARGE;
    while (done < size) {
        size_t part = size - done < sizeof block ? size - done : sizeof block;
        const struct span input[] = {
            {block,   number == 1 ? 0 : sizeof block},
            info,
            {&number, 1                             },
        };

        hmac_sha256(span_of(prk, HMAC_SHA256_SIZE), input, COUNT_OF(input), block);
        memcpy(out + done, block, part);
        done += part;
        number++;
    }
    bytes_wipe(block, sizeof block);
    return ERR_NONE;
}

enum err hkdf_sha256(struct span salt, struct span ikm, struct span info, uint8_t *out, size_t size)
{
    uint8_t prk[HMAC_SHA256_SIZE];
    enum err e;

    hkdf_sha256_extract(salt, ikm, prk);
    e = hkdf_sha256_expand(prk, info, out, size);
    bytes_wipe(prk, sizeof prk);
    return e;
}
