#include "crypto/curve25519.h"

#include <sodium.h>
#include <string.h>

void x25519_public(const uint8_t private_key[X25519_SIZE], uint8_t out[X25519_SIZE])
{
    (void)crypto_scalarmult_curve25519_base(out, private_key);
}

enum err x25519(const uint8_t private_key[X25519_SIZE], const uint8_t peer[X25519_SIZE],
                uint8_t out[X25519_SIZE])
{
    uint8_t shared[X25519_SIZE];
    enum err e = ERR_CRYPTO;

    /* libsodium refuses points of low order; RFC 7748 section 6.1 asks for the check of zero */
    if (crypto_scalarmult_curve25519(shared, private_key, peer) == 0) {
        for (size_t i = 0; i < X25519_SIZE; i++)
            out[i] = shared[i];
        e = ERR_NONE;
    }
    bytes_wipe(shared, sizeof shared);
    return e;
}

void ed25519_public(const uint8_t seed[ED25519_SEED_SIZE], uint8_t out[ED25519_PUBLIC_SIZE])
{
    uint8_t secret_key[crypto_sign_ed25519_SECRETKEYBYTES];

    (void)crypto_sign_ed25519_seed_keypair(out, secret_key, seed);
    bytes_wipe(secret_key, sizeof secret_key);
}

void ed25519_sign_with(const uint8_t seed[ED25519_SEED_SIZE],
                       const uint8_t public_key[ED25519_PUBLIC_SIZE], struct span message,
                       uint8_t out[ED25519_SIGNATURE_SIZE])
{
    uint8_t secret_key[crypto_sign_ed25519_SECRETKEYBYTES]; /* seed || public key */

    memcpy(secret_key, seed, ED25519_SEED_SIZE);
    memcpy(secret_key + ED25519_SEED_SIZE, public_key, ED25519_PUBLIC_SIZE);
    (void)crypto_sign_ed25519_detached(out, NULL, message.data, message.size, secret_key);
    bytes_wipe(secret_key, sizeof secret_key);
}

void ed25519_sign(const uint8_t seed[ED25519_SEED_SIZE], struct span message,
                  uint8_t out[ED25519_SIGNATURE_SIZE])
{
    uint8_t public_key[ED25519_PUBLIC_SIZE];

    ed25519_public(seed, public_key);
    ed25519_sign_with(seed, public_key, message, out);
}

enum err ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_SIZE], struct span message,
                        const uint8_t signature[ED25519_SIGNATURE_SIZE])
{
    return crypto_sign_ed25519_verify_detached(signature, message.data, message.size, public_key)
               ? ERR_CRYPTO
               : ERR_NONE;
}
