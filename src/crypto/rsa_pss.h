/*
 * RSASSA-PSS (RFC 8017 section 8.1) in the one form that AMD uses: 4096 bits, exponent 65537,
 * SHA-384, MGF1 with SHA-384, 48 bytes of salt. Verification only. Internal to crypto/.
 */
#ifndef CRYPTO_RSA_PSS_H
#define CRYPTO_RSA_PSS_H

#include "base/span.h"

#define RSA4096_SIZE 512 /* of the modulus and of a signature, big-endian */

/* The modulus inside a SubjectPublicKeyInfo in DER (rsaEncryption, RFC 3279 section 2.3.1),
 * borrowed; NULL for any other key, size or exponent. */
const uint8_t *rsa4096_spki_modulus(struct span der);

/* Whether this AlgorithmIdentifier in DER names exactly the form above (RFC 4055 section 3.1). */
bool rsa4096_pss_is_algorithm(struct span der);

/* ERR_CRYPTO the signature does not verify. */
MUST_CHECK enum err rsa4096_pss_verify(const uint8_t modulus[RSA4096_SIZE], struct span message,
                                       struct span signature);

#endif
