/*
 * RSA (RFC 8017) with 2048, 3072 or 4096 bits: signatures (PSS, PKCS#1 v1.5) and encryption (OAEP).
 * Keys are DER: RSAPrivateKey and RSAPublicKey of RFC 8017 appendix A.1, in guarded memory where
 * they are private. AWS-LC computes; its copies of a key are freed, and so wiped, before a function
 * returns.
 *
 * Accepted exponents are odd, from 65537 to 2^32 - 1.
 */
#ifndef CRYPTO_RSA_H
#define CRYPTO_RSA_H

#include "base/secret.h"
#include "crypto/digest.h"

#define RSA_SIZE_MAX 512 /* of a modulus, a signature and a ciphertext */
#define RSA_PUBLIC_DER_MAX (RSA_SIZE_MAX + 18)
#define RSA_PRIVATE_DER_MAX 2400

/* Makes a key with exponent 65537. Takes 50 ms to seconds. The caller owns `*out`. ERR_MEMORY;
 * ERR_CRYPTO no key was found */
MUST_CHECK enum err rsa_generate(unsigned bits, struct secret **out);

/*
 * Checks everything about a private key: the form, the size, the exponent, the primes (32 rounds of
 * Miller-Rabin each), all numbers against each other, and d > 2^(bits/2). Writes the public key,
 * of at most RSA_PUBLIC_DER_MAX bytes. Takes 10 to 200 ms.
 * ERR_MALFORMED    not one RSAPrivateKey of two primes in DER
 * ERR_UNSUPPORTED  another number of bits, or another exponent
 * ERR_CRYPTO       the numbers are not an RSA key; ERR_MEMORY
 */
MUST_CHECK enum err rsa_private_check(struct span private_der, unsigned bits, uint8_t *public_der,
                                      size_t *public_size);

/* The same for a public key: form, size, exponent; and the modulus is odd, composite and without
 * small factors (SP 800-89). `*bits` is 2048, 3072 or 4096. */
MUST_CHECK enum err rsa_public_check(struct span public_der, unsigned *bits);

/* The numbers of a public key, big-endian without leading zeros, borrowed. ERR_MALFORMED */
MUST_CHECK enum err rsa_public_numbers(struct span public_der, struct span *modulus,
                                       struct span *exponent);
/* The inverse: writes at most RSA_PUBLIC_DER_MAX bytes. ERR_TOO_LARGE */
MUST_CHECK enum err rsa_public_write(struct span modulus, struct span exponent, uint8_t *out,
                                     size_t *size);

enum rsa_signature { RSA_PSS, RSA_PKCS1 };

/*
 * Signs a digest made with `d` (SHA-256, SHA-384 or SHA-512). PSS uses MGF1 with the same hash and
 * a random salt as long as the digest. Writes bits/8 bytes. ERR_MALFORMED the key; ERR_MEMORY
 */
MUST_CHECK enum err rsa_sign(struct span private_der, enum rsa_signature form, enum digest d,
                             const uint8_t *digest, uint8_t *signature);

/*
 * salt_size  of PSS: a signature with another size of salt is refused
 *
 * ERR_CRYPTO the signature does not verify, or has another size than the modulus; ERR_MALFORMED the
 * key; ERR_MEMORY
 */
MUST_CHECK enum err rsa_verify(struct span public_der, enum rsa_signature form, enum digest d,
                               size_t salt_size, const uint8_t *digest, struct span signature);

struct rsa_oaep {
    enum digest digest; /* of the label */
    enum digest mgf;    /* of the mask */
    struct span label;  /* any bytes, may be empty */
};

/* The largest text for a key of `bits`: bits/8 - 2 * digest size - 2. */
size_t rsa_oaep_plain_max(unsigned bits, enum digest d);

/* Writes bits/8 bytes. ERR_TOO_LARGE the text; ERR_MALFORMED the key; ERR_MEMORY */
MUST_CHECK enum err rsa_oaep_encrypt(struct span public_der, const struct rsa_oaep *oaep,
                                     struct span plain, uint8_t *out);

/* The caller owns `*plain`. ERR_CRYPTO does not decrypt, for whatever reason; ERR_MALFORMED the
 * key; ERR_MEMORY */
MUST_CHECK enum err rsa_oaep_decrypt(struct span private_der, const struct rsa_oaep *oaep,
                                     struct span ciphertext, struct secret **plain);

#endif
