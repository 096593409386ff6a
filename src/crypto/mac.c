#include "crypto/mac.h"

#include <sodium.h>
#include <string.h>

void hmac_sha256(struct span key, const struct span *parts, size_t count,
                 uint8_t out[HMAC_SHA256_SIZE])
{
    crypto_auth_hmacsha256_state state;

    /* libsodium declares the key never NULL, even when it is empty */
    (void)crypto_auth_hmacsha256_init(&state, key.size > 0 ? key.data : (const uint8_t *)"",
                                      key.size);
    for (size_t i = 0; i < count; i++)
        (void)crypto_auth_hmacsha256_update(&state, parts[i].data, parts[i].size);
    (void)crypto_auth_hmacsha256_final(&state, out);
    bytes_wipe(&state, sizeof state);
}

/* RFC 5869 section 2.2. An empty salt is a key of zeros, which HMAC pads it to by itself. */
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
