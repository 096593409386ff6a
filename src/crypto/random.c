#include "crypto/random.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <sodium.h>

#include "crypto/hash.h"

/*
 * A P-256 scalar takes one 64-byte block or two with OpenSSL's bookkeeping, so this holds a few
 * thousand operations at a time. It must be locked: CRYPTO_secure_malloc_init() answers 2 when it
 * got memory that it could not protect.
 */
#define SECURE_HEAP_SIZE (256u * 1024)
#define SECURE_HEAP_BLOCK 32
#define SECURE_HEAP_LOCKED 1

static pthread_once_t started = PTHREAD_ONCE_INIT;
static enum err start_result = ERR_CRYPTO; /* written once, under `started` */

static void start(void)
{
    uint8_t digest[SHA256_SIZE];

    if (sodium_init() < 0 ||
        CRYPTO_secure_malloc_init(SECURE_HEAP_SIZE, SECURE_HEAP_BLOCK) != SECURE_HEAP_LOCKED)
        return;
    sha256((struct span){0}, digest); /* fetches the algorithm, so that no request pays for it */
    start_result = ERR_NONE;
}

enum err crypto_start(void)
{
    return pthread_once(&started, start) == 0 ? start_result : ERR_CRYPTO;
}

void random_bytes(void *out, size_t size)
{
    randombytes_buf(out, size);
}
