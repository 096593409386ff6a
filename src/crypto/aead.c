#include "crypto/aead.h"

#include <assert.h>
#include <openssl/aead.h>

static const EVP_AEAD *algorithm(enum aead a)
{
    return a == AEAD_XCHACHA20_POLY1305 ? EVP_aead_xchacha20_poly1305()
                                        : EVP_aead_chacha20_poly1305();
}

static size_t nonce_size(enum aead a)
{
    return a == AEAD_XCHACHA20_POLY1305 ? AEAD_XNONCE_SIZE : AEAD_NONCE_SIZE;
}

/* For these two algorithms the whole state is inside `work`, so no part of the key reaches the
 * heap. */
static void begin(EVP_AEAD_CTX *work, enum aead a, const uint8_t key[AEAD_KEY_SIZE])
{
    int done = EVP_AEAD_CTX_init(work, algorithm(a), key, AEAD_KEY_SIZE, AEAD_TAG_SIZE, NULL);

    assert(done == 1); /* only wrong sizes fail */
}

static void end(EVP_AEAD_CTX *work)
{
    EVP_AEAD_CTX_cleanup(work);
    bytes_wipe(work, sizeof *work);
}

void aead_seal(enum aead a, const uint8_t key[AEAD_KEY_SIZE], const uint8_t *nonce, struct span aad,
               struct span plain, uint8_t *out)
{
    EVP_AEAD_CTX work;
    size_t size = 0;
    int done;

    begin(&work, a, key);
    done = EVP_AEAD_CTX_seal(&work, out, &size, plain.size + AEAD_TAG_SIZE, nonce, nonce_size(a),
                             plain.data, plain.size, aad.data, aad.size);
    end(&work);
    assert(done == 1 && size == plain.size + AEAD_TAG_SIZE); /* only sizes beyond 256 GiB fail */
}

enum err aead_open(enum aead a, const uint8_t key[AEAD_KEY_SIZE], const uint8_t *nonce,
                   struct span aad, struct span sealed, uint8_t *out)
{
    EVP_AEAD_CTX work;
    size_t size = 0;
    int opened;

    if (sealed.size < AEAD_TAG_SIZE)
        return ERR_CRYPTO;
    begin(&work, a, key);
    opened = EVP_AEAD_CTX_open(&work, out, &size, sealed.size - AEAD_TAG_SIZE, nonce, nonce_size(a),
                               sealed.data, sealed.size, aad.data, aad.size);
    end(&work);
    return opened == 1 ? ERR_NONE : ERR_CRYPTO; /* AWS-LC has zeroed `out` when it failed */
}
