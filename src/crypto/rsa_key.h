/* RSA keys as objects of AWS-LC, for the files of crypto/ that compute with RSA. Internal. */
#ifndef CRYPTO_RSA_KEY_H
#define CRYPTO_RSA_KEY_H

#include "base/span.h"

struct rsa_st;

/*
 * Reads a key without checking its numbers. The caller frees `*out` with RSA_free() at once:
 * AWS-LC's heap is not locked. It wipes what it frees. ERR_MALFORMED, ERR_MEMORY
 */
MUST_CHECK enum err rsa_key_private(struct span private_der, struct rsa_st **out);
MUST_CHECK enum err rsa_key_public(struct span public_der, struct rsa_st **out);

#endif
