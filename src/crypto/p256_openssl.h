/*
 * A P-256 key as an OpenSSL object, for TLS and for writing certificates. Only for the files of
 * crypto/ that use OpenSSL.
 */
#ifndef CRYPTO_P256_OPENSSL_H
#define CRYPTO_P256_OPENSSL_H

#include "crypto/p256.h"

/*
 * Sets up OpenSSL's secure heap (locked, guarded, not dumped), where OpenSSL keeps private keys.
 * Call it before OpenSSL reads a key. ERR_CRYPTO no such heap, e.g. because of the limit on locked
 * memory.
 */
MUST_CHECK enum err openssl_heap_start(void);

/* An EVP_PKEY that the caller owns; its scalar is in the secure heap. ERR_CRYPTO, ERR_MEMORY */
struct evp_pkey_st;
MUST_CHECK enum err p256_openssl_key(const struct p256_private *key, struct evp_pkey_st **out);

#endif
