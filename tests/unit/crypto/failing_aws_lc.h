/*
 * Makes an allocation of AWS-LC fail. Call failing_aws_lc_install() before anything of AWS-LC runs.
 */
#ifndef TESTS_UNIT_CRYPTO_FAILING_AWS_LC_H
#define TESTS_UNIT_CRYPTO_FAILING_AWS_LC_H

#include <openssl/mem.h>
#include <stdbool.h>
#include <stdlib.h>

/* Counts down to the allocation that fails; negative: none does. */
static long aws_lc_allocations_left = -1;

static inline bool aws_lc_fails_now(void)
{
    if (aws_lc_allocations_left > 0)
        aws_lc_allocations_left--;
    else if (aws_lc_allocations_left == 0)
        return true;
    return false;
}

static inline void *failing_aws_lc_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return aws_lc_fails_now() ? NULL : malloc(size);
}

static inline void *failing_aws_lc_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return aws_lc_fails_now() ? NULL : realloc(old, size);
}

static inline void failing_aws_lc_free(void *old, const char *file, int line)
{
    (void)file;
    (void)line;
    free(old);
}

static inline bool failing_aws_lc_install(void)
{
    return CRYPTO_set_mem_functions(failing_aws_lc_malloc, failing_aws_lc_realloc,
                                    failing_aws_lc_free) == 1;
}

#endif
