#include "crypto/aead.h"

#include <sodium.h>

void aead_seal(enum aead a, const uint8_t key[AEAD_KEY_SIZE], const uint8_t *nonce, struct span aad,
               struct span plain, uint8_t *out)
{
    switch (a) {
    case AEAD_CHACHA20_POLY1305:
        (void)crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.size, aad.data,
                                                        aad.size, NULL, nonce, key);
        return;
    case AEAD_XCHACHA20_POLY1305:
        (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.size,
                                                         aad.data, aad.size, NULL, nonce, key);
        return;
    }
}

enum err aead_open(enum aead a, const uint8_t key[AEAD_KEY_SIZE], const uint8_t *nonce,
                   struct span aad, struct span sealed, uint8_t *out)
{
    int failed = -1;

    if (sealed.size < AEAD_TAG_SIZE)
        return ERR_CRYPTO;
    switch (a) {
    case AEAD_CHACHA20_POLY1305:
        failed = crypto_aead_chacha20poly1305_ietf_decrypt(
            out, NULL, NULL, sealed.data, sealed.size, aad.data, aad.size, nonce, key);
        break;
    case AEAD_XCHACHA20_POLY1305:
        failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
            out, NULL, NULL, sealed.data, sealed.size, aad.data, aad.size, nonce, key);
        break;
    }
    return failed ? ERR_CRYPTO : ERR_NONE; /* libsodium has zeroed `out` when it failed */
}
