/* Reads PEM (RFC 7468) strictly: around the blocks it accepts only white space and NUL. */
#ifndef CRYPTO_PEM_H
#define CRYPTO_PEM_H

#include "base/span.h"

/*
 * Appends the contents of the next block to `out` and moves `rest` behind it.
 *
 * label  "CERTIFICATE" or "X509 CRL"; blocks of other kinds are refused
 *
 * ERR_NOT_FOUND  only white space and NUL are left
 * ERR_MALFORMED  the next bytes are not a well-formed block; ERR_MEMORY
 */
MUST_CHECK enum err pem_read(struct span *rest, const char *label, struct buffer *out);

#endif
