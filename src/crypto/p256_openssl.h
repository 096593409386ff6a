/*
 * A P-256 key as OpenSSL wants it, for TLS and for writing certificates. For the files of crypto/
 * that use OpenSSL, and for no others.
 */
#ifndef CRYPTO_P256_OPENSSL_H
#define CRYPTO_P256_OPENSSL_H

#include "crypto/p256.h"

/*
 * OpenSSL's secure heap (locked, guarded, not dumped) is where OpenSSL keeps private keys. To be
 * called before OpenSSL reads one. ERR_CRYPTO when there is no such heap, e.g. because of the limit
 * on locked memory.
 */
MUST_CHECK enum err openssl_heap_start(void);

/* An EVP_PKEY that the caller owns; its scalar is in the secure heap. ERR_CRYPTO, ERR_MEMORY */
struct evp_pkey_st;
MUST_CHECK enum err p256_openssl_key(const struct p256_private *key, struct evp_pkey_st **out);

#endif
