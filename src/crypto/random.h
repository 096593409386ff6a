/* Randomness from AWS-LC: a CTR-DRBG for each thread, seeded by the kernel and the processor. */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H

#include "base/span.h"

/*
 * Call it once per process, before any other function of crypto/ and before a filter of system
 * calls: AWS-LC opens here the files that it needs to detect a fork or a restored snapshot.
 * ERR_CRYPTO
 */
MUST_CHECK enum err crypto_start(void);

/* Ends the process if the kernel provides no randomness. */
void random_bytes(void *out, size_t size);

#endif
