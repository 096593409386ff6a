/* The form of sealed blobs that most providers share, and the keys that seal them. */
#ifndef TEE_SEALED_BLOB_H
#define TEE_SEALED_BLOB_H

#include "crypto/aead.h"
#include "tee/tee.h"

#define SEALED_MAGIC_SIZE 6
#define SEALED_KEY_ID_SIZE 16

/* The differences between the blobs of two providers. */
struct sealed_form {
    const char *magic; /* SEALED_MAGIC_SIZE characters */
    size_t how_size;   /* at most SEALED_HOW_MAX */
};
#define SEALED_HOW_MAX 64

/*
 *   magic [6]  version 1 (u8)  how [how_size]  nonce [24]  size (u32le)
 *   ciphertext and tag [size]   SHA-256 of all that
 *
 * `how` names the key that was requested from the platform, in the provider's own terms. The cipher
 * is XChaCha20-Poly1305; all bytes before the ciphertext are additional data. The hash is not for
 * security: it distinguishes damage from a blob of another platform.
 */
struct sealed_blob {
    struct span header; /* everything before the ciphertext */
    struct span how;
    struct span nonce;
    struct span sealed;
};

/* Borrows from `bytes`. ERR_MALFORMED not of this form, or damaged; ERR_TOO_LARGE */
MUST_CHECK enum err sealed_blob_parse(const struct sealed_form *form, struct span bytes,
                                      struct sealed_blob *out);

/* Appends a blob of `plain`, at most TEE_SECRET_MAX bytes. ERR_TOO_LARGE, ERR_MEMORY */
MUST_CHECK enum err sealed_blob_seal(const struct sealed_form *form,
                                     const uint8_t key[AEAD_KEY_SIZE], struct span how,
                                     struct span plain, struct buffer *out);

/* Opens the plaintext; the caller owns it. ERR_CRYPTO it was not sealed with this key. */
MUST_CHECK enum err sealed_blob_open(const struct sealed_blob *blob,
                                     const uint8_t key[AEAD_KEY_SIZE], struct secret **plain);

/*
 * The common end of all blobs, also of those with another form of header: ciphertext and tag with
 * the header as additional data, then the SHA-256 of all bytes before it.
 *
 * Writes it after the `header_size` bytes at `start`, where there is room for
 * sealed_end_size(plain.size) more.
 */
size_t sealed_end_size(size_t plain_size);
void sealed_end_write(const uint8_t key[AEAD_KEY_SIZE], const uint8_t nonce[AEAD_XNONCE_SIZE],
                      uint8_t *start, size_t header_size, struct span plain);
/* Whether the last 32 bytes are the hash of the others. */
bool sealed_hash_fits(struct span bytes);
/* As sealed_blob_open(), for the parts of a blob; `sealed` has at least AEAD_TAG_SIZE bytes. */
MUST_CHECK enum err sealed_end_open(const uint8_t key[AEAD_KEY_SIZE], struct span header,
                                    struct span nonce, struct span sealed, struct secret **plain);

/* Keys from a platform's secret. The identifier detects another platform's key without revealing
 * it. */
struct sealing_keys {
    uint8_t key[AEAD_KEY_SIZE];
    uint8_t id[SEALED_KEY_ID_SIZE];
};

/* HKDF-SHA256 with `context`, at most 48 characters, and "key" or "id". The caller wipes `out`. */
MUST_CHECK enum err sealing_keys_derive(struct span material, const char *context,
                                        struct sealing_keys *out);

#endif
