/*
 * SHA-256 is OpenSSL's, which uses the SHA instructions of the processor, with one context per
 * thread: looking the algorithm up and allocating cost more than hashing. When OpenSSL cannot give
 * a context (no memory), libsodium's implementation does the work on the stack, so hashing never
 * fails. SHA-384 and SHA-512 are libsodium's throughout.
 */
#include "crypto/hash.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256_md;         /* constant after `once` */
static pthread_key_t at_exit_key; /* frees a thread's context */
static bool at_exit_made;

static _Thread_local EVP_MD_CTX *context;

static void context_free(void *dead)
{
    EVP_MD_CTX_free(dead);
    context = NULL;
}

static void fetch(void)
{
    sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
    at_exit_made = pthread_key_create(&at_exit_key, context_free) == 0;
}

static EVP_MD_CTX *context_new(void)
{
    EVP_MD_CTX *made = NULL;

    if (pthread_once(&once, fetch) != 0 || !sha256_md || !at_exit_made)
        return NULL;
    made = EVP_MD_CTX_new();
    if (!made || EVP_DigestInit_ex2(made, sha256_md, NULL) != 1 ||
        pthread_setspecific(at_exit_key, made) != 0) {
        EVP_MD_CTX_free(made);
        return NULL;
    }
    context = made;
    return made;
}

static bool sha256_openssl(const struct span *parts, size_t count, uint8_t out[SHA256_SIZE])
{
    EVP_MD_CTX *c = context ? context : context_new();

    if (!c || EVP_DigestInit_ex2(c, NULL, NULL) != 1)
        return false;
    for (size_t i = 0; i < count; i++)
        if (EVP_DigestUpdate(c, parts[i].data, parts[i].size) != 1)
            return false;
    return EVP_DigestFinal_ex(c, out, NULL) == 1;
}

static void sha256_sodium(const struct span *parts, size_t count, uint8_t out[SHA256_SIZE])
{
    crypto_hash_sha256_state state;

    (void)crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < count; i++)
        (void)crypto_hash_sha256_update(&state, parts[i].data, parts[i].size);
    (void)crypto_hash_sha256_final(&state, out);
}

void sha256_parts(const struct span *parts, size_t count, uint8_t out[SHA256_SIZE])
{
    if (!sha256_openssl(parts, count, out))
        sha256_sodium(parts, count, out);
}

void sha256(struct span bytes, uint8_t out[SHA256_SIZE])
{
    sha256_parts(&bytes, 1, out);
}

void sha512_parts(const struct span *parts, size_t count, uint8_t out[SHA512_SIZE])
{
    crypto_hash_sha512_state state;

    (void)crypto_hash_sha512_init(&state);
    for (size_t i = 0; i < count; i++)
        (void)crypto_hash_sha512_update(&state, parts[i].data, parts[i].size);
    (void)crypto_hash_sha512_final(&state, out);
}

void sha512(struct span bytes, uint8_t out[SHA512_SIZE])
{
    sha512_parts(&bytes, 1, out);
}

/* SHA-384 is SHA-512 from another initial value, cut to 48 bytes: FIPS 180-4 sections 5.3.4, 6.5.
 */
void sha384(struct span bytes, uint8_t out[SHA384_SIZE])
{
    static const uint64_t initial[8] = {
        0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
        0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4,
    };
    crypto_hash_sha512_state state;
    uint8_t digest[SHA512_SIZE];

    (void)crypto_hash_sha512_init(&state);
    memcpy(state.state, initial, sizeof initial);
    (void)crypto_hash_sha512_update(&state, bytes.data, bytes.size);
    (void)crypto_hash_sha512_final(&state, digest);
    memcpy(out, digest, SHA384_SIZE);
}
