#include "crypto/p256.h"

#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/ecdsa.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define SEC1_SIZE (1 + P256_POINT_SIZE)
#define LIMBS 4 /* of 64 bits, the least significant first */

/*
 * AWS-LC has no locked memory. So this struct holds the scalar, and each signature makes a key
 * object from it. AWS-LC wipes the object when it frees it. That takes about 1 us of the 20 us of a
 * signature.
 */
struct p256_private {
    struct secret *scalar;
    uint8_t point[P256_POINT_SIZE];
};

struct p256_public {
    struct ecdsa_public *ecdsa;
};

/* The order n: SEC 2 section 2.4.2. */
static const uint64_t order[LIMBS] = {0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff,
                                      0xffffffff00000000};
static const uint64_t order_less_one[LIMBS] = {0xf3b9cac2fc632550, 0xbce6faada7179e84,
                                               0xffffffffffffffff, 0xffffffff00000000};

/* out = a - b; returns 1 on borrow. Constant-time: no branches and no comparisons. */
static uint64_t subtract(const uint64_t a[LIMBS], const uint64_t b[LIMBS], uint64_t out[LIMBS])
{
    uint64_t borrow = 0;

    for (size_t i = 0; i < LIMBS; i++) {
        uint64_t x = a[i];
        uint64_t difference = x - b[i] - borrow;

        borrow = ((~x & b[i]) | ((~x | b[i]) & difference)) >> 63;
        out[i] = difference;
    }
    return borrow;
}

/* r = (2 r + bit) mod (n - 1), for r < n - 1. Constant-time. */
static void shift_in(uint64_t r[LIMBS], uint64_t bit)
{
    uint64_t reduced[LIMBS];
    uint64_t carry = bit;
    uint64_t keep; /* all ones if the shifted value is below n - 1 */

    for (size_t i = 0; i < LIMBS; i++) {
        uint64_t next = r[i] >> 63;

        r[i] = r[i] << 1 | carry;
        carry = next;
    }
    keep = 0 - (subtract(r, order_less_one, reduced) & (carry ^ 1));
    for (size_t i = 0; i < LIMBS; i++)
        r[i] = (r[i] & keep) | (reduced[i] & ~keep);
    bytes_wipe(reduced, sizeof reduced);
}

/* bytes mod (n - 1) + 1. Constant-time. */
static void reduce(const uint8_t bytes[P256_DERIVE_SIZE], uint8_t scalar[P256_SCALAR_SIZE])
{
    uint64_t r[LIMBS] = {0};
    uint64_t carry = 1;

    for (size_t i = 0; i < (size_t)8 * P256_DERIVE_SIZE; i++)
        shift_in(r, (uint64_t)bytes[i / 8] >> (7 - i % 8) & 1);
    for (size_t i = 0; i < LIMBS; i++) {
        r[i] += carry; /* overflows to 0, or there is no carry left */
        carry &= (~r[i] & (r[i] - 1)) >> 63;
        for (size_t j = 0; j < 8; j++)
            scalar[P256_SCALAR_SIZE - 1 - 8 * i - j] = (uint8_t)(r[i] >> 8 * j);
    }
    bytes_wipe(r, sizeof r);
}

/* Whether the scalar is in 1..n-1. */
static bool is_scalar(const uint8_t scalar[P256_SCALAR_SIZE])
{
    uint64_t number[LIMBS] = {0};
    uint64_t rest[LIMBS];
    uint64_t any = 0;
    uint64_t below;

    for (size_t i = 0; i < P256_SCALAR_SIZE; i++) {
        number[LIMBS - 1 - i / 8] = number[LIMBS - 1 - i / 8] << 8 | scalar[i];
        any |= scalar[i];
    }
    below = subtract(number, order, rest);
    bytes_wipe(number, sizeof number);
    bytes_wipe(rest, sizeof rest);
    return any != 0 && below == 1;
}

/* The caller frees it at once, because AWS-LC's heap is not locked. NULL when out of memory. */
static EC_KEY *key_of(const uint8_t scalar[P256_SCALAR_SIZE])
{
    EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *number = BN_bin2bn(scalar, P256_SCALAR_SIZE, NULL);

    if (!key || !number || EC_KEY_set_private_key(key, number) != 1) {
        EC_KEY_free(key);
        key = NULL;
    }
    BN_clear_free(number);
    return key;
}

/* The public point of `scalar`; constant-time in it. */
static bool point_of(const uint8_t scalar[P256_SCALAR_SIZE], uint8_t point[P256_POINT_SIZE])
{
    const EC_GROUP *group = EC_group_p256();
    EC_POINT *product = EC_POINT_new(group);
    BIGNUM *number = BN_bin2bn(scalar, P256_SCALAR_SIZE, NULL);
    uint8_t sec1[SEC1_SIZE];
    bool made = product && number && EC_POINT_mul(group, product, number, NULL, NULL, NULL) == 1 &&
                EC_POINT_point2oct(group, product, POINT_CONVERSION_UNCOMPRESSED, sec1, sizeof sec1,
                                   NULL) == sizeof sec1;

    if (made)
        memcpy(point, sec1 + 1, P256_POINT_SIZE);
    BN_clear_free(number);
    EC_POINT_free(product);
    return made;
}

MUST_CHECK static enum err private_new(const uint8_t scalar[P256_SCALAR_SIZE],
                                       struct p256_private **out)
{
    struct p256_private *made = calloc(1, sizeof *made);
    enum err e = ERR_MEMORY;

    if (made && (e = secret_copy(span_of(scalar, P256_SCALAR_SIZE), &made->scalar)) == ERR_NONE &&
        !point_of(scalar, made->point)) {
        ERR_clear_error(); /* AWS-LC keeps the last errors of each thread */
        e = ERR_MEMORY;
    }
    stack_wipe();
    if (e == ERR_NONE)
        *out = made;
    else
        p256_private_free(&made);
    return e;
}

enum err p256_derive(const uint8_t bytes[P256_DERIVE_SIZE], struct p256_private **out)
{
    uint8_t scalar[P256_SCALAR_SIZE];
    enum err e;

    reduce(bytes, scalar);
    e = private_new(scalar, out);
    bytes_wipe(scalar, sizeof scalar);
    return e;
}

enum err p256_generate(struct p256_private **out)
{
    uint8_t bytes[P256_DERIVE_SIZE];
    enum err e;

    random_bytes(bytes, sizeof bytes);
    e = p256_derive(bytes, out);
    bytes_wipe(bytes, sizeof bytes);
    return e;
}

enum err p256_private_from_scalar(const uint8_t scalar[P256_SCALAR_SIZE], struct p256_private **out)
{
    return is_scalar(scalar) ? private_new(scalar, out) : ERR_CRYPTO;
}

void p256_private_scalar(const struct p256_private *key, uint8_t out[P256_SCALAR_SIZE])
{
    memcpy(out, secret_span(key->scalar).data, P256_SCALAR_SIZE);
}

void p256_private_point(const struct p256_private *key, uint8_t out[P256_POINT_SIZE])
{
    memcpy(out, key->point, P256_POINT_SIZE);
}

enum err p256_sign(const struct p256_private *key, struct span message,
                   uint8_t out[P256_SIGNATURE_SIZE])
{
    EC_KEY *work = key_of(secret_span(key->scalar).data);
    ECDSA_SIG *pair = NULL;
    uint8_t digest[SHA256_SIZE];
    enum err e = ERR_MEMORY; /* no other failure is possible */

    if (work) {
        sha256(message, digest);
        pair = ECDSA_do_sign(digest, sizeof digest, work);
    }
    if (pair && BN_bn2bin_padded(out, P256_SCALAR_SIZE, ECDSA_SIG_get0_r(pair)) == 1 &&
        BN_bn2bin_padded(out + P256_SCALAR_SIZE, P256_SCALAR_SIZE, ECDSA_SIG_get0_s(pair)) == 1)
        e = ERR_NONE;
    else
        ERR_clear_error();
    ECDSA_SIG_free(pair);
    EC_KEY_free(work);
    stack_wipe();
    return e;
}

void p256_private_free(struct p256_private **key)
{
    if (*key)
        secret_free(&(*key)->scalar);
    free(*key);
    *key = NULL;
}

enum err p256_public_from_point(const uint8_t point[P256_POINT_SIZE], struct p256_public **out)
{
    struct p256_public *made = calloc(1, sizeof *made);
    enum err e;

    if (!made)
        return ERR_MEMORY;
    e = ecdsa_public_new(ECDSA_P256, point, &made->ecdsa);
    if (e == ERR_NONE)
        *out = made;
    else
        free(made);
    return e;
}

enum err p256_public_from_spki(struct span spki, struct p256_public **out)
{
    uint8_t point[P256_POINT_SIZE];
    enum err e = ecdsa_spki_read(ECDSA_P256, spki, point);

    return e == ERR_NONE ? p256_public_from_point(point, out) : e;
}

enum err p256_verify(const struct p256_public *key, struct span message,
                     const uint8_t signature[P256_SIGNATURE_SIZE])
{
    return ecdsa_verify(key->ecdsa, message, signature);
}

void p256_public_free(struct p256_public **key)
{
    if (*key)
        ecdsa_public_free(&(*key)->ecdsa);
    free(*key);
    *key = NULL;
}
