/*
 * Envelopes: users encrypt them to a key, and the keystore opens them. The first byte tells the
 * format:
 *
 *   0x01  OutLayer ECIES: 0x01 || E[32] || nonce[12] || ct || tag[16]; X25519, HKDF-SHA256 (no
 * salt, info "outlayer-keystore-v1"), ChaCha20-Poly1305 without AAD. Kept for OutLayer's clients.
 *   0x02  HPKE base mode (RFC 9180; DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305):
 *         0x02 || enc[32] || ct || tag[16]. info = "vouchsafe-envelope-v2" || 0x00 || u8 length of
 *         key id || key id || u32 big-endian key version || context; AAD empty. So key, version and
 *         context are bound. Our clients write this format.
 *
 * Two older formats have no marker and protect nothing: the XOR of OutLayer's first MVP, and the
 * ChaCha20-Poly1305 keyed by the public key (nonce[12] || ct || tag[16]). Input that does not begin
 * with 0x01 or 0x02 is refused as ERR_UNSUPPORTED. envelope_hint() names the probable format and
 * says how to re-encrypt.
 */
#ifndef CRYPTO_ENVELOPE_H
#define CRYPTO_ENVELOPE_H

#include "base/secret.h"
#include "crypto/curve25519.h"

#define ENVELOPE_ECIES 0x01
#define ENVELOPE_HPKE 0x02
#define ENVELOPE_ECIES_OVERHEAD 61 /* 1 + 32 + 12 + 16 */
#define ENVELOPE_HPKE_OVERHEAD 49  /* 1 + 32 + 16 */

/* OutLayer's limit; the limit for requests is lower. */
#define ENVELOPE_MAX_SIZE (10u * 1024 * 1024)

struct envelope_context {
    struct span key_id;   /* at most 255 bytes, e.g. the normalised seed */
    uint32_t key_version; /* the root's epoch for derived keys */
    struct span context;  /* any bytes, may be empty */
};

/*
 * Seals `plain` to `recipient`. `ephemeral` is NULL, or 32 fixed bytes for test vectors (ECIES: the
 * scalar; HPKE: ikmE). ECIES takes its nonce from `nonce` if not NULL. Writes plain.size + the
 * format's overhead bytes to `out`.
 * ERR_UNSUPPORTED another format, ERR_TOO_LARGE, ERR_CRYPTO low-order recipient
 */
struct envelope_fixed {
    const uint8_t *ephemeral;
    const uint8_t *nonce;
};
MUST_CHECK enum err envelope_seal(uint8_t format, const uint8_t recipient[X25519_SIZE],
                                  const struct envelope_context *context, struct span plain,
                                  const struct envelope_fixed *fixed, uint8_t *out);

/*
 * Opens with a private key into guarded memory; the caller owns `*plain`. `public_key` is the
 * private key's own public key (HPKE's KEM context needs it); if it is NULL and the format needs
 * it, it is computed (one more scalar multiplication). If `context` is NULL, only ECIES is accepted
 * and HPKE is refused.
 * ERR_UNSUPPORTED  a keyless legacy format or an unknown one; see envelope_hint()
 * ERR_MALFORMED    too short for its format, ERR_TOO_LARGE
 * ERR_CRYPTO       not authentic: another key, another context, or changed bytes
 * ERR_MEMORY
 */
MUST_CHECK enum err envelope_open(const uint8_t private_key[X25519_SIZE], const uint8_t *public_key,
                                  const struct envelope_context *context, struct span sealed,
                                  struct secret **plain);

/* For ERR_UNSUPPORTED: a sentence that names the older format and says how to re-encrypt. */
const char *envelope_hint(struct span sealed);

/*
 * HPKE base mode itself, single shot (RFC 9180 section 6.1), for replies sealed to an attested key.
 * hpke_seal writes plain.size + 16 bytes to `out` and the encapsulated key to `enc`.
 */
MUST_CHECK enum err hpke_seal(const uint8_t recipient[X25519_SIZE], struct span info,
                              struct span aad, struct span plain, const uint8_t *ikm_e,
                              uint8_t enc[X25519_SIZE], uint8_t *out);
MUST_CHECK enum err hpke_open(const uint8_t private_key[X25519_SIZE], const uint8_t *public_key,
                              const uint8_t enc[X25519_SIZE], struct span info, struct span aad,
                              struct span sealed, struct secret **plain);

#endif
