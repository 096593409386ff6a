#include "support/failing.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/secret.h"

static _Atomic long fail_after = -1; /* so many succeed, then one fails; -1: none */

void *__real_malloc(size_t size);                /* NOLINT: the linker's name */
void *__real_calloc(size_t count, size_t size);  /* NOLINT */
void *__real_realloc(void *memory, size_t size); /* NOLINT */
MUST_CHECK enum err __real_secret_new(size_t size, struct secret **out); /* NOLINT */
void *__wrap_malloc(size_t size);                                        /* NOLINT */
void *__wrap_calloc(size_t count, size_t size);                          /* NOLINT */
void *__wrap_realloc(void *memory, size_t size);                         /* NOLINT */
MUST_CHECK enum err __wrap_secret_new(size_t size, struct secret **out); /* NOLINT */

static bool fails_now(void)
{
    return atomic_load(&fail_after) >= 0 && atomic_fetch_sub(&fail_after, 1) == 0;
}

void *__wrap_malloc(size_t size) /* NOLINT */
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) /* NOLINT */
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) /* NOLINT */
{
    return fails_now() ? NULL : __real_realloc(memory, size);
}

enum err __wrap_secret_new(size_t size, struct secret **out) /* NOLINT */
{
    return fails_now() ? ERR_MEMORY : __real_secret_new(size, out);
}

void failing_begin(long n)
{
    atomic_store(&fail_after, n);
}

bool failing_end(void)
{
    return atomic_exchange(&fail_after, -1) < 0;
}
