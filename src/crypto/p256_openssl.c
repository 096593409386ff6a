#include "crypto/p256_openssl.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <pthread.h>
#include <string.h>

#define SEC1_SIZE (1 + P256_POINT_SIZE)

/*
 * A P-256 scalar takes one or two blocks of 64 bytes with OpenSSL's bookkeeping, so the heap is
 * enough for a few thousand operations at a time. The heap must be locked:
 * CRYPTO_secure_malloc_init() returns 2 for memory that it could not protect.
 */
#define SECURE_HEAP_SIZE (256u * 1024)
#define SECURE_HEAP_BLOCK 32
#define SECURE_HEAP_LOCKED 1

static pthread_once_t started = PTHREAD_ONCE_INIT;
static enum err start_result = ERR_CRYPTO; /* written once, under `started` */

static void start(void)
{
    if (CRYPTO_secure_malloc_init(SECURE_HEAP_SIZE, SECURE_HEAP_BLOCK) == SECURE_HEAP_LOCKED)
        start_result = ERR_NONE;
}

enum err openssl_heap_start(void)
{
    return pthread_once(&started, start) == 0 ? start_result : ERR_CRYPTO;
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

enum err p256_openssl_key(const struct p256_private *key, struct evp_pkey_st **out)
{
    uint8_t scalar[P256_SCALAR_SIZE];
    uint8_t sec1[SEC1_SIZE] = {0x04}; /* uncompressed: SEC 1 section 2.3.3 */
    BIGNUM *number = NULL;
    EVP_PKEY *made = NULL;
    enum err e = openssl_heap_start();

    if (e != ERR_NONE)
        return e;
    p256_private_scalar(key, scalar);
    p256_private_point(key, sec1 + 1);
    number = BN_secure_new();
    if (!number || !BN_bin2bn(scalar, sizeof scalar, number))
        e = ERR_MEMORY;
    else if ((made = key_from(number, sec1)) == NULL)
        e = ERR_CRYPTO;
    else
        *out = made;
    BN_clear_free(number);
    bytes_wipe(scalar, sizeof scalar);
    stack_wipe();
    return e;
}
