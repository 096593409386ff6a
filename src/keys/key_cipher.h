/*
 * Encryption with a key: AES-GCM, ChaCha20-Poly1305 and RSA-OAEP.
 *
 * The keystore makes the nonces of AEADs: 96 random bits for each text. Two texts of one key with
 * one nonce reveal both, so a key version seals at most KEY_SEALS_MAX texts; see there how the
 * caller enforces it. Only a key with `caller_nonce` takes its nonces from the caller, and only in
 * the raw form, which has no envelope and names no key.
 */
#ifndef KEYS_KEY_CIPHER_H
#define KEYS_KEY_CIPHER_H

#include "keys/ciphertext.h"
#include "keys/material.h"

#define KEY_PLAIN_MAX (CIPHERTEXT_MAX - CIPHERTEXT_HEADER_MAX - 512)

struct cipher_name {
    struct span key_id; /* 1 to CIPHERTEXT_KEY_ID_MAX bytes */
    uint32_t version;   /* from 1 */
};

/*
 * Encrypts into an envelope, which is appended to `out`.
 *
 * nonce    12 random bytes for an AEAD, fresh for this call; ignored for OAEP
 * context  bound, not sent; decryption needs the same
 *
 * ERR_UNSUPPORTED  algorithm_misfit() names the reason; a key with `caller_nonce`
 * ERR_TOO_LARGE    the text exceeds KEY_PLAIN_MAX, or what OAEP has room for
 * ERR_MALFORMED    the name; ERR_MEMORY
 */
MUST_CHECK enum err key_encrypt(const struct key_spec *key, const struct key_material *m,
                                const struct cipher_name *name,
                                const uint8_t nonce[CIPHERTEXT_NONCE_SIZE], struct span context,
                                struct span plain, struct buffer *out);

/*
 * Decrypts a parsed envelope with the key and version that it names: the caller has found them. The
 * caller owns `*plain`.
 * ERR_UNSUPPORTED  algorithm_misfit() names the reason, or the private part is missing
 * ERR_CRYPTO       another algorithm than the key's, another key, another context, or changed bytes
 * ERR_MEMORY
 */
MUST_CHECK enum err key_decrypt(const struct key_spec *key, const struct key_material *m,
                                const struct ciphertext *c, struct span context,
                                struct secret **plain);

/*
 * The raw forms, for systems that have no envelope: ciphertext || tag of an AEAD whose nonce the
 * caller gives, and OAEP as any library makes it. `context` is the AAD or the label.
 *
 * nonce  12 bytes for a key with `caller_nonce`, else empty
 *
 * Errors as above; ERR_MALFORMED a nonce of another size.
 */
MUST_CHECK enum err key_encrypt_raw(const struct key_spec *key, const struct key_material *m,
                                    struct span nonce, struct span context, struct span plain,
                                    struct buffer *out);
MUST_CHECK enum err key_decrypt_raw(const struct key_spec *key, const struct key_material *m,
                                    struct span nonce, struct span context, struct span sealed,
                                    struct secret **plain);

#endif
