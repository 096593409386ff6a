#include "crypto/p256.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/ecdsa.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define SEC1_SIZE (1 + P256_POINT_SIZE)
#define DER_SIGNATURE_MAX 72 /* SEQUENCE of two INTEGERs of at most 33 bytes */

/* `prepared` is as in struct ecdsa_public: copied by each call, never used itself. */
struct p256_private {
    EVP_PKEY *key;
    EVP_PKEY_CTX *prepared;
    uint8_t point[P256_POINT_SIZE];
};

struct p256_public {
    struct ecdsa_public ecdsa;
};

/* Constant after `once`; read by all threads. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static EC_GROUP *curve;

static void make_curve(void)
{
    curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
}

MUST_CHECK static enum err ready(void)
{
    enum err e = crypto_start(); /* without the secure heap no private key */

    if (e == ERR_NONE && (pthread_once(&once, make_curve) != 0 || !curve))
        e = ERR_CRYPTO;
    return e;
}

/* The caller owns the result; NULL on failure. */
static EVP_PKEY *key_from(const BIGNUM *scalar, const uint8_t sec1[SEC1_SIZE])
{
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (!maker || !builder ||
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, sec1, SEC1_SIZE) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, scalar) != 1)
        goto out;
    params = OSSL_PARAM_BLD_to_param(builder); /* a secure BIGNUM goes to the secure heap */
    if (!params || EVP_PKEY_fromdata_init(maker) != 1 ||
        EVP_PKEY_fromdata(maker, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
out:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(maker);
    return key;
}

/* The public point of `scalar`; constant-time in it. */
static bool point_of(const BIGNUM *scalar, uint8_t sec1[SEC1_SIZE])
{
    BN_CTX *scratch = BN_CTX_secure_new();
    EC_POINT *point = EC_POINT_new(curve);
    bool made = scratch && point && EC_POINT_mul(curve, point, scalar, NULL, NULL, scratch) == 1 &&
                EC_POINT_point2oct(curve, point, POINT_CONVERSION_UNCOMPRESSED, sec1, SEC1_SIZE,
                                   scratch) == SEC1_SIZE;

    EC_POINT_free(point);
    BN_CTX_free(scratch);
    return made;
}

MUST_CHECK static enum err private_from_number(const BIGNUM *scalar, struct p256_private **out)
{
    uint8_t sec1[SEC1_SIZE];
    struct p256_private *made = calloc(1, sizeof *made);

    if (!made)
        return ERR_MEMORY;
    if (point_of(scalar, sec1))
        made->key = key_from(scalar, sec1);
    if (made->key)
        made->prepared = EVP_PKEY_CTX_new_from_pkey(NULL, made->key, NULL);
    if (!made->prepared || EVP_PKEY_sign_init(made->prepared) != 1) {
        p256_private_free(&made);
        return ERR_CRYPTO;
    }
    memcpy(made->point, sec1 + 1, sizeof made->point);
    *out = made;
    return ERR_NONE;
}

enum err p256_generate(struct p256_private **out)
{
    uint8_t bytes[P256_DERIVE_SIZE];
    enum err e = ready();

    if (e != ERR_NONE)
        return e;
    random_bytes(bytes, sizeof bytes);
    e = p256_derive(bytes, out);
    bytes_wipe(bytes, sizeof bytes);
    return e;
}

/* number = bytes mod (n - 1) + 1, in constant time. */
static bool reduce(BIGNUM *number)
{
    BN_CTX *scratch = BN_CTX_secure_new();
    BIGNUM *limit = BN_dup(EC_GROUP_get0_order(curve));
    bool done;

    BN_set_flags(number, BN_FLG_CONSTTIME);
    done = scratch && limit && BN_sub_word(limit, 1) == 1 &&
           BN_mod(number, number, limit, scratch) == 1 && BN_add_word(number, 1) == 1;
    BN_free(limit);
    BN_CTX_free(scratch);
    return done;
}

enum err p256_derive(const uint8_t bytes[P256_DERIVE_SIZE], struct p256_private **out)
{
    BIGNUM *scalar = NULL;
    enum err e = ready();

    if (e != ERR_NONE)
        return e;
    scalar = BN_secure_new();
    if (!scalar || !BN_bin2bn(bytes, P256_DERIVE_SIZE, scalar))
        e = ERR_MEMORY;
    else if (!reduce(scalar))
        e = ERR_CRYPTO;
    else
        e = private_from_number(scalar, out);
    BN_clear_free(scalar);
    stack_wipe();
    return e;
}

enum err p256_private_from_scalar(const uint8_t scalar[P256_SCALAR_SIZE], struct p256_private **out)
{
    BIGNUM *number = NULL;
    enum err e = ready();

    if (e != ERR_NONE)
        return e;
    number = BN_secure_new();
    if (!number || !BN_bin2bn(scalar, P256_SCALAR_SIZE, number))
        e = ERR_MEMORY;
    else if (BN_is_zero(number) || BN_cmp(number, EC_GROUP_get0_order(curve)) >= 0)
        e = ERR_CRYPTO;
    else
        e = private_from_number(number, out);
    BN_clear_free(number);
    stack_wipe();
    return e;
}

enum err p256_private_scalar(const struct p256_private *key, uint8_t out[P256_SCALAR_SIZE])
{
    BIGNUM *number = BN_secure_new();
    enum err e = ERR_NONE;

    if (!number)
        return ERR_MEMORY;
    if (EVP_PKEY_get_bn_param(key->key, OSSL_PKEY_PARAM_PRIV_KEY, &number) != 1 ||
        BN_bn2binpad(number, out, P256_SCALAR_SIZE) != P256_SCALAR_SIZE)
        e = ERR_CRYPTO;
    BN_clear_free(number);
    stack_wipe(); /* OpenSSL passes the scalar through an array of its own */
    return e;
}

void p256_private_point(const struct p256_private *key, uint8_t out[P256_POINT_SIZE])
{
    memcpy(out, key->point, P256_POINT_SIZE);
}

MUST_CHECK static enum err raw_from_der(const uint8_t *der, size_t size,
                                        uint8_t out[P256_SIGNATURE_SIZE])
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)size);
    enum err e = ERR_CRYPTO;

    if (pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, P256_SCALAR_SIZE) == P256_SCALAR_SIZE &&
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + P256_SCALAR_SIZE, P256_SCALAR_SIZE) ==
            P256_SCALAR_SIZE)
        e = ERR_NONE;
    ECDSA_SIG_free(pair);
    return e;
}

enum err p256_sign(const struct p256_private *key, struct span message,
                   uint8_t out[P256_SIGNATURE_SIZE])
{
    EVP_PKEY_CTX *work = EVP_PKEY_CTX_dup(key->prepared);
    uint8_t digest[SHA256_SIZE];
    uint8_t der[DER_SIGNATURE_MAX];
    size_t size = sizeof der;
    enum err e = ERR_MEMORY;

    if (!work)
        return e;
    sha256(message, digest);
    e = EVP_PKEY_sign(work, der, &size, digest, sizeof digest) == 1 ? raw_from_der(der, size, out)
                                                                    : ERR_CRYPTO;
    EVP_PKEY_CTX_free(work);
    return e;
}

void p256_private_free(struct p256_private **key)
{
    struct p256_private *dead = *key;

    *key = NULL;
    if (!dead)
        return;
    EVP_PKEY_CTX_free(dead->prepared);
    EVP_PKEY_free(dead->key);
    free(dead);
}

enum err p256_public_from_point(const uint8_t point[P256_POINT_SIZE], struct p256_public **out)
{
    struct p256_public *made = calloc(1, sizeof *made);
    enum err e;

    if (!made)
        return ERR_MEMORY;
    e = ecdsa_public_init(&made->ecdsa, ECDSA_P256, point);
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
    return ecdsa_verify(&key->ecdsa, message, signature);
}

void p256_public_free(struct p256_public **key)
{
    if (*key)
        ecdsa_public_clear(&(*key)->ecdsa);
    free(*key);
    *key = NULL;
}

struct evp_pkey_st *p256_private_evp(const struct p256_private *key)
{
    return key->key;
}
