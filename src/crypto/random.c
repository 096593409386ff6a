#include "crypto/random.h"

#include <openssl/rand.h>

enum err crypto_start(void)
{
    uint8_t first;

    return RAND_bytes(&first, sizeof first) == 1 ? ERR_NONE : ERR_CRYPTO;
}

void random_bytes(void *out, size_t size)
{
    (void)RAND_bytes(out, size); /* it ends the process instead of failing */
}
