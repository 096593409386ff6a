/* P-256 and P-384, over AWS-LC. */
#include <assert.h>
#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/ecdh.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <string.h>

#include "crypto/ec_curves.h"
#include "crypto/rfc6979.h"

static const EC_GROUP *group_of(enum ec_curve curve)
{
    assert(curve != EC_SECP256K1);
    return curve == EC_P256 ? EC_group_p256() : EC_group_p384();
}

/* AWS-LC keeps the last errors of each thread. */
MUST_CHECK static enum err failed(enum err e)
{
    ERR_clear_error();
    return e;
}

/*
 * A key object with the scalar and no point. Free it at once: AWS-LC's heap is not locked. It wipes
 * what it frees.
 */
static EC_KEY *key_of(enum ec_curve curve, const uint8_t *scalar)
{
    EC_KEY *key = EC_KEY_new();
    BIGNUM *number = BN_bin2bn(scalar, ec_size(curve), NULL);

    if (!key || !number || EC_KEY_set_group(key, group_of(curve)) != 1 ||
        EC_KEY_set_private_key(key, number) != 1) {
        EC_KEY_free(key);
        key = NULL;
    }
    BN_clear_free(number);
    return key;
}

static bool point_out(enum ec_curve curve, const EC_POINT *at, uint8_t *point)
{
    uint8_t encoded[EC_ENCODED_MAX];
    size_t size = 1 + 2 * ec_size(curve);

    if (EC_POINT_point2oct(group_of(curve), at, POINT_CONVERSION_UNCOMPRESSED, encoded, size,
                           NULL) != size)
        return false;
    memcpy(point, encoded + 1, size - 1);
    return true;
}

/* NULL when it is not on the curve, or out of memory. */
static EC_POINT *point_in(enum ec_curve curve, struct span encoded)
{
    EC_POINT *at = EC_POINT_new(group_of(curve));

    if (at && EC_POINT_oct2point(group_of(curve), at, encoded.data, encoded.size, NULL) != 1) {
        EC_POINT_free(at);
        at = NULL;
    }
    return at;
}

static EC_POINT *point_of(enum ec_curve curve, const uint8_t *point)
{
    uint8_t encoded[EC_ENCODED_MAX];

    ec_point_write(curve, point, encoded);
    return point_in(curve, span_of(encoded, 1 + 2 * ec_size(curve)));
}

MUST_CHECK static enum err nist_public_of(enum ec_curve curve, const uint8_t *scalar,
                                          uint8_t *point)
{
    EC_POINT *product = EC_POINT_new(group_of(curve));
    BIGNUM *number = BN_bin2bn(scalar, ec_size(curve), NULL);
    bool made = product && number &&
                EC_POINT_mul(group_of(curve), product, number, NULL, NULL, NULL) == 1 &&
                point_out(curve, product, point);

    BN_clear_free(number);
    EC_POINT_free(product);
    stack_wipe();
    return made ? ERR_NONE : failed(ERR_MEMORY);
}

/* The cofactor is 1, so being on the curve is the complete check (SP 800-56A revision 3, section
 * 5.6.2.3.4). */
MUST_CHECK static enum err nist_point_read(enum ec_curve curve, struct span encoded, uint8_t *point)
{
    EC_POINT *at = point_in(curve, encoded);
    bool made = at && point_out(curve, at, point);

    EC_POINT_free(at);
    return made ? ERR_NONE : failed(ERR_CRYPTO);
}

/* The digest modulo the order: bits2octets of RFC 6979 section 2.3.4. A digest is below 2 n. */
static void reduce(enum ec_curve curve, const uint8_t *digest, uint8_t *out)
{
    const uint8_t *order = ec_order(curve);
    size_t size = ec_size(curve);
    uint8_t less[EC_SIZE_MAX];
    int borrow = 0;

    for (size_t i = size; i > 0; i--) {
        int difference = digest[i - 1] - order[i - 1] - borrow;

        borrow = difference < 0;
        less[i - 1] = (uint8_t)difference;
    }
    memcpy(out, borrow ? digest : less, size);
}

/*
 * AWS-LC warns of this function because a bad nonce reveals the key. RFC 6979 gives a good one. It
 * runs the code of ECDSA_do_sign(), constant-time in key and nonce.
 */
static ECDSA_SIG *sign_deterministic(enum ec_curve curve, const uint8_t *scalar,
                                     const uint8_t *digest, const EC_KEY *key)
{
    size_t size = ec_size(curve);
    struct rfc6979 state;
    uint8_t nonce[DIGEST_MAX_SIZE];
    uint8_t reduced[EC_SIZE_MAX];
    ECDSA_SIG *pair;

    reduce(curve, digest, reduced);
    rfc6979_begin(&state, curve == EC_P256 ? DIGEST_SHA256 : DIGEST_SHA384, scalar, reduced);
    do
        rfc6979_next(&state, nonce);
    while (!ec_scalar_is_valid(curve, nonce));
    pair = ECDSA_sign_with_nonce_and_leak_private_key_for_testing(digest, size, key, nonce, size);
    rfc6979_clear(&state);
    bytes_wipe(nonce, sizeof nonce);
    return pair;
}

MUST_CHECK static enum err nist_sign(enum ec_curve curve, const uint8_t *scalar,
                                     const uint8_t *digest, bool deterministic, uint8_t *signature)
{
    size_t size = ec_size(curve);
    EC_KEY *key = key_of(curve, scalar);
    ECDSA_SIG *pair = NULL;
    bool made;

    if (key && deterministic)
        pair = sign_deterministic(curve, scalar, digest, key);
    else if (key)
        pair = ECDSA_do_sign(digest, size, key);
    made = pair && BN_bn2bin_padded(signature, size, ECDSA_SIG_get0_r(pair)) == 1 &&
           BN_bn2bin_padded(signature + size, size, ECDSA_SIG_get0_s(pair)) == 1;
    ECDSA_SIG_free(pair);
    EC_KEY_free(key);
    stack_wipe();
    return made ? ERR_NONE : failed(ERR_MEMORY); /* no other failure is possible */
}

static ECDSA_SIG *pair_of(const uint8_t *signature, size_t size)
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, size, NULL);
    BIGNUM *s = BN_bin2bn(signature + size, size, NULL);

    if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1)
        return pair;
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return NULL;
}

MUST_CHECK static enum err nist_verify(enum ec_curve curve, const uint8_t *point,
                                       const uint8_t *digest, const uint8_t *signature)
{
    size_t size = ec_size(curve);
    EC_KEY *key = EC_KEY_new();
    EC_POINT *at = point_of(curve, point);
    ECDSA_SIG *pair = pair_of(signature, size);
    enum err e = ERR_MEMORY;

    if (key && at && pair && EC_KEY_set_group(key, group_of(curve)) == 1 &&
        EC_KEY_set_public_key(key, at) == 1)
        e = ECDSA_do_verify(digest, size, pair, key) == 1 ? ERR_NONE : ERR_CRYPTO;
    ECDSA_SIG_free(pair);
    EC_POINT_free(at);
    EC_KEY_free(key);
    return e == ERR_NONE ? ERR_NONE : failed(e);
}

MUST_CHECK static enum err nist_shared(enum ec_curve curve, const uint8_t *scalar,
                                       const uint8_t *peer, uint8_t *out)
{
    EC_KEY *key = key_of(curve, scalar);
    EC_POINT *at = point_of(curve, peer);
    bool made =
        key && at && ECDH_compute_key(out, ec_size(curve), at, key, NULL) == (int)ec_size(curve);

    EC_POINT_free(at);
    EC_KEY_free(key);
    stack_wipe();
    return made ? ERR_NONE : failed(ERR_MEMORY);
}

const struct ec_ops ec_nist = {
    .public_of = nist_public_of,
    .point_read = nist_point_read,
    .sign = nist_sign,
    .verify = nist_verify,
    .shared = nist_shared,
};
