/*
 * Strict hex, base64 and decimal numbers: each value has one accepted spelling. text_nearest()
 * finds the name that a person probably meant.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/span.h"

/* Writes lower-case digits and a terminator. `out` has room for 2 * size + 1 bytes. */
void hex_write(struct span bytes, char *out);

/*
 * Reads exactly `size` bytes from exactly 2 * size digits, in upper or lower case. The running time
 * depends only on the length, so the function is safe for secrets.
 * ERR_MALFORMED another length or another character
 */
MUST_CHECK enum err hex_read(struct span text, uint8_t *out, size_t size);

/* The size of the encoded text, without a terminator. */
size_t base64_size(size_t size);    /* RFC 4648 section 4, with padding */
size_t base64url_size(size_t size); /* RFC 4648 section 5, without padding */

/*
 * Write exactly base64_size() or base64url_size() characters, without a terminator. The time does
 * not depend on the contents.
 */
void base64_write(struct span bytes, char *out);
void base64url_write(struct span bytes, char *out);

/*
 * Decode into `out`, which has `capacity` bytes. `*size` is the number of bytes written. base64
 * requires padding; base64url refuses padding. Unused bits must be zero. White space is refused.
 * The running time depends only on the length, so the functions are safe for secrets.
 * ERR_MALFORMED, ERR_TOO_LARGE
 */
MUST_CHECK enum err base64_read(struct span text, uint8_t *out, size_t capacity, size_t *size);
MUST_CHECK enum err base64url_read(struct span text, uint8_t *out, size_t capacity, size_t *size);

/*
 * Reads a decimal number: only digits, without sign, leading zeros and white space.
 * ERR_MALFORMED another spelling; ERR_TOO_LARGE more than UINT64_MAX
 */
MUST_CHECK enum err decimal_read(struct span text, uint64_t *out);

/* Writes the digits to `out`, without a terminating zero. Returns their number. */
#define DECIMAL_MAX_SIZE 20
size_t decimal_write(uint64_t number, char out[DECIMAL_MAX_SIZE]);

/*
 * Returns the element of `names` that is most similar to `text`, or NULL when no element is close.
 * A close name has at most one edit per three characters. An edit inserts, removes or replaces a
 * character, or exchanges two neighbours. Case and the difference between - and _ do not count.
 */
const char *text_nearest(const char *text, const char *const *names, size_t count);

#endif
