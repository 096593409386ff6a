/* Spans borrow bytes. Buffers own bytes. Secrets use base/secret.h instead. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Borrowed bytes. `data` may be NULL when `size` is 0. */
struct span {
    const uint8_t *data;
    size_t size;
};

#define SPAN_LITERAL(text) ((struct span){(const uint8_t *)("" text), sizeof(text) - 1})
#define SPAN_OF(array) ((struct span){(const uint8_t *)(array), sizeof(array)})

struct span span_of(const void *data, size_t size);
struct span span_string(const char *text); /* up to its terminator; NULL gives the empty span */

/* These four are not constant-time. Use them for public data only, and bytes_equal_ct() for
 * secrets. */
bool span_equal(struct span a, struct span b);
bool span_equal_string(struct span a, const char *text);
bool span_starts_with(struct span s, struct span prefix);
bool span_is_zero(struct span s);

/* The part from `offset`, at most `size` bytes. The part is empty when `offset` is out of range. */
struct span span_slice(struct span s, size_t offset, size_t size);

/* Copies `s` as a terminated string. ERR_TOO_LARGE it does not fit; ERR_MALFORMED it has a NUL */
MUST_CHECK enum err span_to_string(struct span s, char *out, size_t out_size);

/* Compares `size` bytes. The time does not depend on their contents. */
bool bytes_equal_ct(const void *a, const void *b, size_t size);

/* Overwrites `size` bytes with zeros. The compiler never removes the call. */
void bytes_wipe(void *data, size_t size);

/* Overwrites the stack below the caller, where a finished cryptographic routine may have left
 * secrets. */
void stack_wipe(void);

/*
 * Zeroes the vector registers. Copy and search routines pass text through these registers, a
 * waiting thread keeps them, and a core image shows them. The call takes a few nanoseconds.
 */
void registers_wipe(void);

/* A growing array of owned bytes. Zero-initialise with {0}. */
struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* ERR_MEMORY the buffer cannot grow; its contents are then unchanged */
MUST_CHECK enum err buffer_append(struct buffer *b, struct span bytes);
MUST_CHECK enum err buffer_append_string(struct buffer *b, const char *text);
MUST_CHECK enum err buffer_reserve(struct buffer *b, size_t extra);
MUST_CHECK enum err buffer_printf(struct buffer *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buffer_drop(struct buffer *b, size_t size); /* removes and wipes the first `size` bytes */
void buffer_clear(struct buffer *b);             /* wipes, frees, sets to {0} */
struct span buffer_span(const struct buffer *b);

#endif
