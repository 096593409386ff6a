/*
 * Private keys in DER: PKCS#8 (RFC 5208, RFC 5958) for all types that are not symmetric, and SEC1
 * (RFC 5915) for EC keys. Reading is strict: DER only, the AlgorithmIdentifier of the type exactly,
 * scalars of full size, no attributes, no bytes behind. A public key inside must be the one of the
 * private key. Encrypted PKCS#8 is refused.
 *
 * ML-DSA and ML-KEM keys have the form `seed` of RFC 9881 and RFC 9935. The forms with an expanded
 * key are ERR_UNSUPPORTED: OpenSSL writes the seed only with
 * `-provparam ml-dsa.output_formats=seed-only`.
 */
#ifndef KEYS_PRIVATE_FORM_H
#define KEYS_PRIVATE_FORM_H

#include "keys/material.h"

#define PRIVATE_FORM_MAX 4096 /* bytes of a key in DER */

/*
 * Reads a key and checks it as key_import_private() does. The type is the one that the key says;
 * the caller compares it with the wanted one. The caller still wipes `der`.
 * ERR_UNSUPPORTED  another algorithm, curve, size or form
 * ERR_CRYPTO       not a key, or the public key inside belongs to another one
 * ERR_MALFORMED, ERR_TOO_LARGE, ERR_MEMORY
 */
MUST_CHECK enum err private_form_pkcs8(struct span der, struct key_material **out);

/* The same for ECPrivateKey. `type` is an EC type; parameters inside must name its curve. */
MUST_CHECK enum err private_form_sec1(enum key_type type, struct span der,
                                      struct key_material **out);

/* Writes PKCS#8 of version 0; EC keys with their public key. The caller owns `*out`.
 * ERR_UNSUPPORTED a symmetric key, or no private part; ERR_MEMORY */
MUST_CHECK enum err private_form_write(const struct key_material *m, struct secret **out);

#endif
