/*
 * Public keys as SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) and as JWK (RFC 7517, RFC 7518,
 * RFC 8037). Reading is strict, and checks keys as key_import_public() does.
 */
#ifndef KEYS_PUBLIC_FORM_H
#define KEYS_PUBLIC_FORM_H

#include "keys/material.h"

#define SPKI_MAX (KEY_PUBLIC_MAX + 32)
#define JWK_MAX 8192

/*
 * The AlgorithmIdentifier must be exactly that of a type: named curves only. EC points may be
 * compressed. The type is the one that the key says; the caller compares it with the wanted one.
 * ERR_MALFORMED, ERR_TOO_LARGE, ERR_UNSUPPORTED another algorithm, ERR_CRYPTO not a key, ERR_MEMORY
 */
MUST_CHECK enum err spki_read(struct span der, struct key_material **out);

/* `*size` is at most SPKI_MAX. ERR_UNSUPPORTED a symmetric key */
MUST_CHECK enum err spki_write(const struct key_material *m, uint8_t out[SPKI_MAX], size_t *size);

/*
 * kty "EC", "OKP" or "RSA" with the public members. Numbers have their one spelling: coordinates of
 * full size, n and e without leading zeros, base64url without padding. "alg" must be one of the
 * type's algorithms and "use" one that this algorithm has, where they are given. Other members are
 * ignored, except private ones ("d", "p", "k" and so on): a private key where a public one belongs
 * is refused.
 * ERR_MALFORMED, ERR_TOO_LARGE, ERR_UNSUPPORTED, ERR_CRYPTO, ERR_MEMORY
 */
MUST_CHECK enum err jwk_read(struct span json, struct key_material **out);

/* Appends the members kty, crv, x, y, n, e in the order of RFC 7638. ERR_UNSUPPORTED a symmetric
 * key or one of ML-DSA or ML-KEM, whose JWK is not settled; ERR_MEMORY */
MUST_CHECK enum err jwk_write(const struct key_material *m, struct buffer *out);

#endif
