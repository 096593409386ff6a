#include "crypto/mac.h"

#include <assert.h>
#include <openssl/digest.h>
#include <openssl/hkdf.h>
#include <openssl/hmac.h>

void hmac_sha256(struct span key, const struct span *parts, size_t count,
                 uint8_t out[HMAC_SHA256_SIZE])
{
    HMAC_CTX state; /* all of it: AWS-LC allocates nothing */
    const void *key_bytes = key.size > 0 ? (const void *)key.data : "";
    int done;

    HMAC_CTX_init(&state);
    done = HMAC_Init_ex(&state, key_bytes, key.size, EVP_sha256(), NULL);
    for (size_t i = 0; i < count; i++)
        done &= HMAC_Update(&state, parts[i].data, parts[i].size);
    done &= HMAC_Final(&state, out, NULL);
    HMAC_CTX_cleanup(&state); /* wipes */
    assert(done == 1);        /* it fails for an unknown hash only */
}

/* RFC 5869 section 2.2. An empty salt is a key of zeros, which HMAC pads it to by itself. */
void hkdf_sha256_extract(struct span salt, struct span ikm, uint8_t prk[HMAC_SHA256_SIZE])
{
    hmac_sha256(salt, &ikm, 1, prk);
}

enum err hkdf_sha256_expand(const uint8_t prk[HMAC_SHA256_SIZE], struct span info, uint8_t *out,
                            size_t size)
{
    int done;

    if (size > HKDF_MAX_SIZE)
        return ERR_TOO_LARGE;
    done = HKDF_expand(out, size, EVP_sha256(), prk, HMAC_SHA256_SIZE, info.data, info.size);
    assert(done == 1); /* it fails for too large a size only */
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
