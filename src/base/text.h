/*
 * Hex, base64 and decimal numbers, strict: one accepted spelling per value. And the name that a
 * person probably meant.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/span.h"

/* Lower case; `out` has room for 2 * size + 1 and is terminated. */
void hex_write(struct span bytes, char *out);

/*
 * Exactly `size` bytes from exactly 2 * size digits of either case. Runs in time that depends on
 * the length alone; safe for secrets.
 * ERR_MALFORMED for another length or another character
 */
MUST_CHECK enum err hex_read(struct span text, uint8_t *out, size_t size);

/* Sizes of the encoded text, without a terminator. */
size_t base64_size(size_t size);    /* RFC 4648 section 4, with padding */
size_t base64url_size(size_t size); /* RFC 4648 section 5, without padding */

/* Write exactly that many characters, no terminator. Constant-time in the bytes. */
void base64_write(struct span bytes, char *out);
void base64url_write(struct span bytes, char *out);

/*
 * Decode into `out` of `capacity` bytes; `*size` is what was written. Padding as above is required
 * (base64) or refused (base64url); unused bits must be zero; white space is refused.
 * Runs in time that depends on the length alone; safe for secrets.
 * ERR_MALFORMED, ERR_TOO_LARGE
 */
MUST_CHECK enum err base64_read(struct span text, uint8_t *out, size_t capacity, size_t *size);
MUST_CHECK enum err base64url_read(struct span text, uint8_t *out, size_t capacity, size_t *size);

/*
 * A decimal number: digits only, no sign, no leading zeros, no white space.
 * ERR_MALFORMED for another spelling, ERR_TOO_LARGE beyond UINT64_MAX
 */
MUST_CHECK enum err decimal_read(struct span text, uint64_t *out);

/*
 * The one of `names` that `text` most resembles, or NULL when none is close: at most one edit for
 * three characters, where an edit inserts, removes or replaces a character or exchanges two
 * neighbours. Case and the difference between - and _ do not count.
 */
const char *text_nearest(const char *text, const char *const *names, size_t count);

#endif
