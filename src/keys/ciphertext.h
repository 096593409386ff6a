/*
 * The envelope of a ciphertext that a key made. It names the key and the version, so a ciphertext
 * can never be tried with another one:
 *
 *   0x03 | u8 algorithm | u8 size of key id | key id | u32 big-endian key version |
 *   nonce, 12 bytes, AEADs only | sealed bytes
 *
 * algorithm  1 aes-gcm, 2 chacha20-poly1305, 3 rsa-oaep-sha256, 4 rsa-oaep-sha256-mgf1-sha1,
 *            5 rsa-oaep-sha384, 6 rsa-oaep-sha512, 7 rsa-oaep-sha1
 *
 * Everything before the sealed bytes is the header. The header and then the caller's context are
 * the AAD of an AEAD and the label of OAEP, so that a changed header does not open. The header
 * tells its own size, so no other pair of header and context gives the same bytes.
 *
 * The first byte differs from those of crypto/envelope.h.
 */
#ifndef KEYS_CIPHERTEXT_H
#define KEYS_CIPHERTEXT_H

#include "keys/algorithm.h"

#define CIPHERTEXT_FORMAT 0x03
#define CIPHERTEXT_KEY_ID_MAX 64
#define CIPHERTEXT_NONCE_SIZE 12
#define CIPHERTEXT_HEADER_MAX (3 + CIPHERTEXT_KEY_ID_MAX + 4 + CIPHERTEXT_NONCE_SIZE)
#define CIPHERTEXT_MAX (10u * 1024 * 1024)

struct ciphertext {
    enum algorithm algorithm;
    struct span key_id; /* 1 to CIPHERTEXT_KEY_ID_MAX bytes */
    uint32_t version;   /* of the key, from 1 */
    struct span nonce;  /* empty for OAEP */
    struct span header; /* all of the above as received */
    struct span sealed;
};

/*
 * Reads an envelope; the parts borrow from `bytes`.
 * ERR_MALFORMED    too short, an empty or too long key id, version 0
 * ERR_UNSUPPORTED  another first byte or algorithm; ERR_TOO_LARGE
 */
MUST_CHECK enum err ciphertext_parse(struct span bytes, struct ciphertext *out);

/*
 * Writes a header of at most CIPHERTEXT_HEADER_MAX bytes from `algorithm`, `key_id`, `version` and
 * `nonce`. ERR_UNSUPPORTED the algorithm does not encrypt; ERR_MALFORMED a part has a wrong size
 */
MUST_CHECK enum err ciphertext_header_write(const struct ciphertext *c,
                                            uint8_t out[CIPHERTEXT_HEADER_MAX], size_t *size);

/* Whether a key's ciphertexts have a nonce. */
bool ciphertext_has_nonce(enum algorithm a);

#endif
