/*
 * Gramine is the library operating system of SGX enclaves. It lacks prctl(), seccomp() and some
 * madvise() calls: they fail with ENOSYS. An enclave does not need these protections: the host
 * cannot read enclave memory, and no process inside can dump core or trace.
 */
#ifndef BASE_GRAMINE_H
#define BASE_GRAMINE_H

#include <stdbool.h>

/* True when prctl() is missing (Linux always has it) and Gramine's /dev/attestation exists. */
bool gramine_is_here(void);

#endif
