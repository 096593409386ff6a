#include "crypto/curve25519.h"

#include <assert.h>
#include <openssl/bn.h>
#include <openssl/curve25519.h>
#include <openssl/err.h>
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

enum err x25519_public_check(const uint8_t public_key[X25519_SIZE])
{
    static const uint8_t any_scalar[X25519_SIZE] = {1}; /* all scalars are multiples of 8 */
    uint8_t shared[X25519_SIZE];

    return x25519(any_scalar, public_key, shared);
}

/* p = 2^255 - 19, and d = -121665 / 121666 mod p: RFC 8032 section 5.1. */
#define ED25519_P "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"
#define ED25519_D "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3"

/* Whether x^2 = (y^2 - 1) / (d y^2 + 1) has a solution: RFC 8032 section 5.1.3. */
MUST_CHECK static enum err has_x(const uint8_t y_little_endian[32])
{
    BN_CTX *work = BN_CTX_new();
    BIGNUM *p = NULL;
    BIGNUM *d = NULL;
    BIGNUM *y = BN_le2bn(y_little_endian, 32, NULL);
    BIGNUM *u = BN_new();
    BIGNUM *v = BN_new();
    BIGNUM *root = NULL;
    enum err e = ERR_MEMORY;

    if (work && y && u && v && BN_hex2bn(&p, ED25519_P) > 0 && BN_hex2bn(&d, ED25519_D) > 0 &&
        BN_mod_sqr(y, y, p, work) == 1 && BN_mod_sub(u, y, BN_value_one(), p, work) == 1 &&
        BN_mod_mul(v, d, y, p, work) == 1 && BN_mod_add(v, v, BN_value_one(), p, work) == 1 &&
        BN_mod_inverse(v, v, p, work) && BN_mod_mul(u, u, v, p, work) == 1) {
        root = BN_mod_sqrt(NULL, u, p, work);
        e = root ? ERR_NONE : ERR_CRYPTO;
    }
    ERR_clear_error(); /* AWS-LC keeps the last errors of each thread */
    BN_free(root);
    BN_free(v);
    BN_free(u);
    BN_free(y);
    BN_free(d);
    BN_free(p);
    BN_CTX_free(work);
    return e;
}

enum err ed25519_public_check(const uint8_t public_key[ED25519_PUBLIC_SIZE])
{
    uint8_t y[ED25519_PUBLIC_SIZE];

    if (!is_canonical(public_key) || has_small_order(public_key))
        return ERR_CRYPTO;
    memcpy(y, public_key, sizeof y);
    y[31] &= 0x7f; /* the sign of x */
    return has_x(y);
}
