/* The simulated TEE's sealed blob: its form alone. */
#ifndef TEE_SIMULATED_BLOB_H
#define TEE_SIMULATED_BLOB_H

#include "crypto/aead.h"
#include "tee/tee.h"

#define SIMULATED_KEY_ID_SIZE 16

/*
 * The common form (tee/sealed_blob.h) with "VSSIMU" and a key id [16]. The hash tells damage from
 * another platform's blob; what authenticates is the AEAD, whose additional data is everything
 * before the ciphertext.
 */
struct simulated_blob {
    struct span header; /* everything before the ciphertext */
    struct span key_id;
    struct span nonce;
    struct span sealed;
};

/* Borrows from `bytes`. ERR_MALFORMED when it is none, or damaged; ERR_TOO_LARGE */
MUST_CHECK enum err simulated_blob_parse(struct span bytes, struct simulated_blob *out);

/* Appends a blob of `plain`, at most TEE_SECRET_MAX bytes. ERR_TOO_LARGE, ERR_MEMORY */
MUST_CHECK enum err simulated_blob_seal(const uint8_t key[AEAD_KEY_SIZE],
                                        const uint8_t key_id[SIMULATED_KEY_ID_SIZE],
                                        struct span plain, struct buffer *out);

/* The plaintext; ERR_CRYPTO when it was not sealed with this key. The caller owns it. */
MUST_CHECK enum err simulated_blob_open(const struct simulated_blob *blob,
                                        const uint8_t key[AEAD_KEY_SIZE], struct secret **plain);

#endif
