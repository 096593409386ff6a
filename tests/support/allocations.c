#include "support/allocations.h"

#include <malloc.h>

static bool counting;
static size_t held, peak, count;

static void note_allocated(size_t size)
{
    if (!counting)
        return;
    count++;
    held += size;
    if (held > peak)
        peak = held;
}

/* Earlier allocations do not count. */
static void note_freed(size_t size)
{
    if (counting)
        held = size < held ? held - size : 0;
}

#ifdef __SANITIZE_ADDRESS__

/* sanitizer/allocator_interface.h, which some compilers lack. */
int __sanitizer_install_malloc_and_free_hooks(/* NOLINT: its name */
                                              void (*malloc_hook)(const volatile void *, size_t),
                                              void (*free_hook)(const volatile void *));
size_t __sanitizer_get_allocated_size(const volatile void *memory); /* NOLINT: its name */

static void on_malloc(const volatile void *memory, size_t size)
{
    (void)memory;
    note_allocated(size);
}

static void on_free(const volatile void *memory)
{
    if (memory)
        note_freed(__sanitizer_get_allocated_size(memory));
}

static void hooks_install(void)
{
    static bool installed;

    if (!installed)
        (void)__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    installed = true;
}

#else

/* glibc's own functions, under the names that it keeps for programs that replace them. */
void *__libc_malloc(size_t size);                /* NOLINT: glibc's name */
void *__libc_calloc(size_t count, size_t size);  /* NOLINT: glibc's name */
void *__libc_realloc(void *memory, size_t size); /* NOLINT: glibc's name */
void __libc_free(void *memory);                  /* NOLINT: glibc's name */

static void *noted(void *memory)
{
    if (memory && counting)
        note_allocated(malloc_usable_size(memory));
    return memory;
}

void *malloc(size_t size)
{
    return noted(__libc_malloc(size));
}

void *calloc(size_t number, size_t size)
{
    return noted(__libc_calloc(number, size));
}

void *realloc(void *memory, size_t size)
{
    if (memory && counting)
        note_freed(malloc_usable_size(memory));
    return noted(__libc_realloc(memory, size));
}

void free(void *memory)
{
    if (memory && counting)
        note_freed(malloc_usable_size(memory));
    __libc_free(memory);
}

static void hooks_install(void)
{
}

#endif

void allocations_begin(void)
{
    hooks_install();
    held = peak = count = 0;
    counting = true;
}

struct allocations allocations_end(void)
{
    counting = false;
    return (struct allocations){peak, count};
}
