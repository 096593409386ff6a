/*
 * Gramine, the library operating system of SGX enclaves, has no prctl(), no seccomp() and not every
 * madvise(): they end in ENOSYS. Inside an enclave they have nobody to keep out, either: the host
 * reads no enclave memory, and nothing there dumps core or traces.
 */
#ifndef BASE_GRAMINE_H
#define BASE_GRAMINE_H

#include <stdbool.h>

/* True when prctl() is missing, which it is on no Linux, and Gramine's /dev/attestation is there.
 */
bool gramine_is_here(void);

#endif
