/* What a target needs whose subject uses cryptography, before its first input. */
#include <stdlib.h>

#include "crypto/random.h"

int LLVMFuzzerInitialize(int *count, char ***arguments);

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count;
    (void)arguments;
    if (crypto_start() != ERR_NONE)
        abort();
    return 0;
}
