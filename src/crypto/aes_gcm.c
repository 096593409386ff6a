#include "crypto/aes_gcm.h"

#include <assert.h>
#include <openssl/aead.h>
#include <openssl/err.h>

/* The whole state is inside `work`, so no part of the key reaches the heap. */
static void begin(EVP_AEAD_CTX *work, struct span key)
{
    int done;

    assert(key.size == 16 || key.size == 32);
    done = EVP_AEAD_CTX_init(work, key.size == 16 ? EVP_aead_aes_128_gcm() : EVP_aead_aes_256_gcm(),
                             key.data, key.size, AES_GCM_TAG_SIZE, NULL);
    assert(done == 1); /* only wrong sizes fail */
}

static void end(EVP_AEAD_CTX *work)
{
    EVP_AEAD_CTX_cleanup(work);
    bytes_wipe(work, sizeof *work);
    stack_wipe();
}

enum err aes_gcm_seal(struct span key, const uint8_t nonce[AES_GCM_NONCE_SIZE], struct span aad,
                      struct span plain, uint8_t *out)
{
    EVP_AEAD_CTX work;
    size_t size = 0;
    int done;

    begin(&work, key);
    done = EVP_AEAD_CTX_seal(&work, out, &size, plain.size + AES_GCM_TAG_SIZE, nonce,
                             AES_GCM_NONCE_SIZE, plain.data, plain.size, aad.data, aad.size);
    end(&work);
    if (done != 1) {
        ERR_clear_error(); /* AWS-LC keeps the last errors of each thread */
        return ERR_TOO_LARGE;
    }
    assert(size == plain.size + AES_GCM_TAG_SIZE);
    return ERR_NONE;
}

enum err aes_gcm_open(struct span key, const uint8_t nonce[AES_GCM_NONCE_SIZE], struct span aad,
                      struct span sealed, uint8_t *out)
{
    EVP_AEAD_CTX work;
    size_t size = 0;
    int opened;

    if (sealed.size < AES_GCM_TAG_SIZE)
        return ERR_CRYPTO;
    begin(&work, key);
    opened = EVP_AEAD_CTX_open(&work, out, &size, sealed.size - AES_GCM_TAG_SIZE, nonce,
                               AES_GCM_NONCE_SIZE, sealed.data, sealed.size, aad.data, aad.size);
    end(&work);
    if (opened == 1)
        return ERR_NONE;
    ERR_clear_error();
    return ERR_CRYPTO; /* AWS-LC has zeroed `out` */
}
