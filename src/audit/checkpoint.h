/*
 * Checkpoints: C2SP tlog-checkpoint, signed as a C2SP signed note with Ed25519.
 *
 *   <origin>\n<size>\n<base64 root>\n\n— <key name> <base64(key id[4] || signature[64])>\n
 *
 * key id = first 4 bytes of SHA-256(key name || 0x0a || 0x01 || public key). Verification needs one
 * good signature by our key, and ignores those by other keys.
 */
#ifndef AUDIT_CHECKPOINT_H
#define AUDIT_CHECKPOINT_H

#include "audit/merkle.h"
#include "crypto/curve25519.h"

/* Bytes of the origin, which is also the key's name: printable ASCII without spaces and '+'. */
#define CHECKPOINT_ORIGIN_MAX 128
#define CHECKPOINT_TEXT_MAX 4096

struct checkpoint {
    uint64_t size;
    struct merkle_hash root;
};

/* Terminated text. ERR_TOO_LARGE, ERR_MALFORMED (origin) */
MUST_CHECK enum err checkpoint_sign(const struct checkpoint *c, const char *origin,
                                    const uint8_t seed[ED25519_SEED_SIZE], char *out,
                                    size_t out_size);

/* The same for a caller that keeps the seed's public key (see ed25519_sign_with()). */
MUST_CHECK enum err checkpoint_sign_with(const struct checkpoint *c, const char *origin,
                                         const uint8_t seed[ED25519_SEED_SIZE],
                                         const uint8_t public_key[ED25519_PUBLIC_SIZE], char *out,
                                         size_t out_size);

/*
 * ERR_MALFORMED  not a checkpoint, or from another origin
 * ERR_CRYPTO     no good signature by `public_key`
 */
MUST_CHECK enum err checkpoint_verify(struct span note, const char *origin,
                                      const uint8_t public_key[ED25519_PUBLIC_SIZE],
                                      struct checkpoint *out);

/* Writes and parses a C2SP vkey "origin+hex key id+base64(0x01 || public key)", terminated. */
#define CHECKPOINT_VKEY_SIZE (CHECKPOINT_ORIGIN_MAX + 64)
MUST_CHECK enum err checkpoint_vkey_write(const char *origin,
                                          const uint8_t public_key[ED25519_PUBLIC_SIZE], char *out,
                                          size_t out_size);
MUST_CHECK enum err checkpoint_vkey_parse(struct span vkey, char *origin, size_t origin_size,
                                          uint8_t public_key[ED25519_PUBLIC_SIZE]);

#endif
