/* Spans borrow bytes, buffers own them. Neither is for secrets: those are base/secret.h. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Bytes somebody else owns. `data` may be NULL when `size` is 0. */
struct span {
    const uint8_t *data;
    size_t size;
};

#define SPAN_LITERAL(text) ((struct span){(const uint8_t *)("" text), sizeof(text) - 1})
#define SPAN_OF(array) ((struct span){(const uint8_t *)(array), sizeof(array)})

struct span span_of(const void *data, size_t size);
struct span span_string(const char *text); /* up to its terminator; NULL gives the empty span */

/* Not constant-time: for public data only. Anything secret goes through bytes_equal_ct(). */
bool span_equal(struct span a, struct span b);
bool span_equal_string(struct span a, const char *text);
bool span_starts_with(struct span s, struct span prefix);
bool span_is_zero(struct span s);

/* The part from `offset`, at most `size` bytes; empty when out of range. */
struct span span_slice(struct span s, size_t offset, size_t size);

/* Copies `s` as a terminated string. ERR_TOO_LARGE when it does not fit, ERR_MALFORMED on a NUL. */
MUST_CHECK enum err span_to_string(struct span s, char *out, size_t out_size);

/* Constant-time in the contents of `size` bytes. */
bool bytes_equal_ct(const void *a, const void *b, size_t size);

/* Overwrites; never optimised away. */
void bytes_wipe(void *data, size_t size);

/* Overwrites the `stack` that a finished call to a cryptographic routine may have left secrets on.
 */
void stack_wipe(void);

/*
 * Zeroes the vector registers: copying and searching passes text through them, a thread that waits
 * keeps them, and a core image shows them. A few nanoseconds.
 */
void registers_wipe(void);

/* A growing owned array of bytes, zero-initialised with {0}. */
struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* ERR_MEMORY when it cannot grow; the contents are then unchanged. */
MUST_CHECK enum err buffer_append(struct buffer *b, struct span bytes);
MUST_CHECK enum err buffer_append_string(struct buffer *b, const char *text);
MUST_CHECK enum err buffer_reserve(struct buffer *b, size_t extra);
MUST_CHECK enum err buffer_printf(struct buffer *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buffer_drop(struct buffer *b, size_t size); /* wipes the first `size`; the rest moves up */
void buffer_clear(struct buffer *b);             /* wipes, frees, sets to {0} */
struct span buffer_span(const struct buffer *b);

#endif
