/* Randomness from the kernel. Never fails once crypto_start() succeeded. */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H

#include "base/span.h"

/*
 * Once per process, before any other function of crypto/: initialises libsodium, OpenSSL's secure
 * heap (private keys held by OpenSSL live there: locked, guarded, not dumped) and the algorithms
 * that are fetched once. ERR_CRYPTO
 */
MUST_CHECK enum err crypto_start(void);

void random_bytes(void *out, size_t size);

#endif
