#include "crypto/curve25519.h"

#include <assert.h>
#include <openssl/curve25519.h>
#include <string.h>

_Static_assert(ED25519_PRIVATE_KEY_LEN == ED25519_SEED_SIZE + ED25519_PUBLIC_SIZE,
               "a private key of AWS-LC is seed || public key");

void x25519_public(const uint8_t private_key[X25519_SIZE], uint8_t out[X25519_SIZE])
{
    X25519_public_from_private(out, private_key);
}

enum err x25519(const uint8_t private_key[X25519_SIZE], const uint8_t peer[X25519_SIZE],
                uint8_t out[X25519_SIZE])
{
    uint8_t shared[X25519_SIZE];
    enum err e = ERR_CRYPTO;

    /* AWS-LC reports a shared secret of zeros, as RFC 7748 section 6.1 requires */
    if (X25519(shared, private_key, peer) == 1) {
        memcpy(out, shared, sizeof shared);
        e = ERR_NONE;
    }
    bytes_wipe(shared, sizeof shared);
    return e;
}

void ed25519_public(const uint8_t seed[ED25519_SEED_SIZE], uint8_t out[ED25519_PUBLIC_SIZE])
{
    uint8_t private_key[ED25519_PRIVATE_KEY_LEN];

    ED25519_keypair_from_seed(out, private_key, seed);
    bytes_wipe(private_key, sizeof private_key);
}

void ed25519_sign_with(const uint8_t seed[ED25519_SEED_SIZE],
                       const uint8_t public_key[ED25519_PUBLIC_SIZE], struct span message,
                       uint8_t out[ED25519_SIGNATURE_SIZE])
{
    uint8_t private_key[ED25519_PRIVATE_KEY_LEN];
    int done;

    memcpy(private_key, seed, ED25519_SEED_SIZE);
    memcpy(private_key + ED25519_SEED_SIZE, public_key, ED25519_PUBLIC_SIZE);
    done = ED25519_sign(out, message.data, message.size, private_key);
    bytes_wipe(private_key, sizeof private_key);
    assert(done == 1);
}

void ed25519_sign(const uint8_t seed[ED25519_SEED_SIZE], struct span message,
                  uint8_t out[ED25519_SIGNATURE_SIZE])
{
    uint8_t public_key[ED25519_PUBLIC_SIZE];

    ed25519_public(seed, public_key);
    ed25519_sign_with(seed, public_key, message, out);
}

/* y of an encoded point is below p = 2^255 - 19; the top bit is the sign of x. */
static bool is_canonical(const uint8_t point[32])
{
    if ((point[31] & 0x7f) != 0x7f || point[0] < 0xed)
        return true;
    for (size_t i = 1; i < 31; i++)
        if (point[i] != 0xff)
            return true;
    return false;
}

/*
 * The y of the eight points whose order divides 8: 1, -1, 0, and two of order 8 (each with both
 * signs of x). AWS-LC accepts them. With such a point one signature would verify for many messages.
 */
static bool has_small_order(const uint8_t point[32])
{
    static const char small[][32 + 1] = {
        "\x01",
        "",
        "\xec\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        "\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0"
        "\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
        "\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f"
        "\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
    };
    uint8_t y[32];

    memcpy(y, point, sizeof y);
    y[31] &= 0x7f;
    for (size_t i = 0; i < COUNT_OF(small); i++)
        if (span_equal(SPAN_OF(y), span_of(small[i], sizeof y)))
            return true;
    return false;
}

enum err ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_SIZE], struct span message,
                        const uint8_t signature[ED25519_SIGNATURE_SIZE])
{
    if (!is_canonical(public_key) || has_small_order(public_key) || has_small_order(signature))
        return ERR_CRYPTO;
    return ED25519_verify(message.data, message.size, signature, public_key) == 1 ? ERR_NONE
                                                                                  : ERR_CRYPTO;
}
