/* Reads PEM (RFC 7468), strictly: nothing but white space and NUL around the blocks. */
#ifndef CRYPTO_PEM_H
#define CRYPTO_PEM_H

#include "base/span.h"

/*
 * Appends the contents of the next block to `out` and moves `rest` behind it.
 *
 * label  "CERTIFICATE" or "X509 CRL"; a block of any other kind is refused
 *
 * ERR_NOT_FOUND  only white space and NUL are left
 * ERR_MALFORMED  anything else than one well-formed block stands next; ERR_MEMORY
 */
MUST_CHECK enum err pem_read(struct span *rest, const char *label, struct buffer *out);

#endif
