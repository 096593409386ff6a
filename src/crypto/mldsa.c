#include "crypto/mldsa.h"

#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>

/* AWS-LC keeps the last errors of each thread. */
MUST_CHECK static enum err verdict(bool good, enum err otherwise)
{
    ERR_clear_error();
    stack_wipe();
    return good ? ERR_NONE : otherwise;
}

/* Free it at once: AWS-LC's heap is not locked. It wipes what it frees. */
static EVP_PKEY *private_of(const uint8_t seed[MLDSA65_SEED_SIZE])
{
    return EVP_PKEY_pqdsa_new_raw_private_key(NID_MLDSA65, seed, MLDSA65_SEED_SIZE);
}

enum err mldsa65_public(const uint8_t seed[MLDSA65_SEED_SIZE], uint8_t out[MLDSA65_PUBLIC_SIZE])
{
    EVP_PKEY *key = private_of(seed);
    size_t size = MLDSA65_PUBLIC_SIZE;
    bool done = key && EVP_PKEY_get_raw_public_key(key, out, &size) == 1;

    EVP_PKEY_free(key);
    return verdict(done, ERR_MEMORY);
}

enum err mldsa65_sign(const uint8_t seed[MLDSA65_SEED_SIZE], struct span message,
                      uint8_t out[MLDSA65_SIGNATURE_SIZE])
{
    EVP_PKEY *key = private_of(seed);
    EVP_MD_CTX *work = EVP_MD_CTX_new();
    size_t size = MLDSA65_SIGNATURE_SIZE;
    bool done = key && work && EVP_DigestSignInit(work, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(work, out, &size, message.data, message.size) == 1 &&
                size == MLDSA65_SIGNATURE_SIZE;

    EVP_MD_CTX_free(work);
    EVP_PKEY_free(key);
    return verdict(done, ERR_MEMORY);
}

enum err mldsa65_verify(const uint8_t public_key[MLDSA65_PUBLIC_SIZE], struct span message,
                        struct span signature)
{
    EVP_PKEY *key = EVP_PKEY_pqdsa_new_raw_public_key(NID_MLDSA65, public_key, MLDSA65_PUBLIC_SIZE);
    EVP_MD_CTX *work = EVP_MD_CTX_new();
    enum err e = ERR_MEMORY;

    if (key && work && EVP_DigestVerifyInit(work, NULL, NULL, NULL, key) == 1)
        e = signature.size == MLDSA65_SIGNATURE_SIZE &&
                    EVP_DigestVerify(work, signature.data, signature.size, message.data,
                                     message.size) == 1
                ? ERR_NONE
                : ERR_CRYPTO;
    EVP_MD_CTX_free(work);
    EVP_PKEY_free(key);
    return verdict(e == ERR_NONE, e);
}
