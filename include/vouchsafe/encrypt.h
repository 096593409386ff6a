/* libvouchsafe: encrypts secrets to a keystore's key, offline. */
#ifndef VOUCHSAFE_ENCRYPT_H
#define VOUCHSAFE_ENCRYPT_H

#include <vouchsafe/keystore.h>

#ifdef __cplusplus
extern "C" {
#endif

enum vs_format {
    VS_FORMAT_HPKE = 2, /* RFC 9180; binds seed and version; recommended */
    VS_FORMAT_ECIES = 1 /* for readers that only know OutLayer's format */
};
#define VS_ENVELOPE_OVERHEAD 61 /* the larger of the two, bytes */

/*
 * Encrypts to a key, offline. `out` should have room for plain.size + VS_ENVELOPE_OVERHEAD.
 * VS_ERR_TOO_LARGE beyond VS_ENVELOPE_MAX or `capacity`; VS_ERR_UNSUPPORTED unknown format;
 * VS_ERR_CRYPTO not a usable public key
 */
VS_MUST_CHECK enum vs_error vs_encrypt(const struct vs_public_key *to, enum vs_format format,
                                       struct vs_bytes plain, uint8_t *out, size_t capacity,
                                       size_t *size);

/*
 * Checks that OutLayer's workers accept a document as secrets: a JSON object whose values are all
 * strings, without reserved or PROTECTED_ names.
 * VS_ERR_MALFORMED, VS_ERR_RESERVED; `why` (may be NULL) names the member, never a value
 */
VS_MUST_CHECK enum vs_error vs_secrets_check(struct vs_bytes json, struct vs_why *why);

#ifdef __cplusplus
}
#endif

#endif
