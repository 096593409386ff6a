#include "crypto/mlkem.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/experimental/kem_deterministic_api.h>
#include <openssl/nid.h>

/* AWS-LC keeps the last errors of each thread. */
MUST_CHECK static enum err verdict(bool good, enum err otherwise)
{
    ERR_clear_error();
    stack_wipe();
    return good ? ERR_NONE : otherwise;
}

/* Free it at once: AWS-LC's heap is not locked. It wipes what it frees. */
static EVP_PKEY *private_of(const uint8_t seed[MLKEM768_SEED_SIZE])
{
    EVP_PKEY_CTX *work = EVP_PKEY_CTX_new_id(EVP_PKEY_KEM, NULL);
    EVP_PKEY *key = NULL;
    size_t size = MLKEM768_SEED_SIZE;

    if (!work || EVP_PKEY_CTX_kem_set_params(work, NID_MLKEM768) != 1 ||
        EVP_PKEY_keygen_init(work) != 1 ||
        EVP_PKEY_keygen_deterministic(work, &key, seed, &size) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(work);
    return key;
}

/* A context for one operation. Takes `key`, which may be NULL. NULL when out of memory. */
static EVP_PKEY_CTX *context_of(EVP_PKEY *key)
{
    EVP_PKEY_CTX *work = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;

    EVP_PKEY_free(key);
    return work;
}

static EVP_PKEY *public_of(const uint8_t public_key[MLKEM768_PUBLIC_SIZE])
{
    return EVP_PKEY_kem_new_raw_public_key(NID_MLKEM768, public_key, MLKEM768_PUBLIC_SIZE);
}

enum err mlkem768_public(const uint8_t seed[MLKEM768_SEED_SIZE], uint8_t out[MLKEM768_PUBLIC_SIZE])
{
    EVP_PKEY *key = private_of(seed);
    size_t size = MLKEM768_PUBLIC_SIZE;
    bool done = key && EVP_PKEY_get_raw_public_key(key, out, &size) == 1;

    EVP_PKEY_free(key);
    return verdict(done, ERR_MEMORY);
}

enum err mlkem768_public_check(const uint8_t public_key[MLKEM768_PUBLIC_SIZE])
{
    EVP_PKEY_CTX *work = context_of(public_of(public_key));
    enum err e = ERR_MEMORY;

    if (work)
        e = EVP_PKEY_public_check(work) == 1 ? ERR_NONE : ERR_CRYPTO;
    EVP_PKEY_CTX_free(work);
    return verdict(e == ERR_NONE, e);
}

enum err mlkem768_encapsulate(const uint8_t public_key[MLKEM768_PUBLIC_SIZE],
                              const uint8_t random[MLKEM768_RANDOM_SIZE],
                              uint8_t ciphertext[MLKEM768_CIPHERTEXT_SIZE],
                              uint8_t shared[MLKEM768_SHARED_SIZE])
{
    EVP_PKEY_CTX *work = context_of(public_of(public_key));
    size_t ciphertext_size = MLKEM768_CIPHERTEXT_SIZE;
    size_t shared_size = MLKEM768_SHARED_SIZE;
    size_t random_size = MLKEM768_RANDOM_SIZE;
    enum err e = ERR_MEMORY;

    if (work)
        e = EVP_PKEY_encapsulate_deterministic(work, ciphertext, &ciphertext_size, shared,
                                               &shared_size, random, &random_size) == 1
                ? ERR_NONE
                : ERR_CRYPTO;
    EVP_PKEY_CTX_free(work);
    return verdict(e == ERR_NONE, e);
}

enum err mlkem768_decapsulate(const uint8_t seed[MLKEM768_SEED_SIZE],
                              const uint8_t ciphertext[MLKEM768_CIPHERTEXT_SIZE],
                              uint8_t shared[MLKEM768_SHARED_SIZE])
{
    EVP_PKEY_CTX *work = context_of(private_of(seed));
    size_t size = MLKEM768_SHARED_SIZE;
    bool done = work && EVP_PKEY_decapsulate(work, shared, &size, ciphertext,
                                             MLKEM768_CIPHERTEXT_SIZE) == 1;

    EVP_PKEY_CTX_free(work);
    return verdict(done, ERR_MEMORY);
}
