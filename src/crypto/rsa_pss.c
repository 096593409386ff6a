#include "crypto/rsa_pss.h"

#include <openssl/bn.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "crypto/hash.h"

#define SALT_SIZE 48
#define EXPONENT 65537

/* rsaEncryption with NULL, then RSAPublicKey { modulus of 512 bytes, publicExponent }. */
#define SPKI_HEAD                                                                                  \
    "\x30\x82\x02\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"                 \
    "\x03\x82\x02\x0f\x00\x30\x82\x02\x0a\x02\x82\x02\x01\x00"
#define SPKI_TAIL "\x02\x03\x01\x00\x01"

/* hashAlgorithm SHA-384, maskGenAlgorithm MGF1 with SHA-384, saltLength 48. */
#define PSS_PARAMETERS                                                                             \
    "\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00"                         \
    "\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"                                 \
    "\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\xa2\x03\x02\x01\x30"
#define PSS_OID "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"

const uint8_t *rsa4096_spki_modulus(struct span der)
{
    struct span head = SPAN_LITERAL(SPKI_HEAD);
    struct span tail = SPAN_LITERAL(SPKI_TAIL);
    size_t end = head.size + RSA4096_SIZE;

    if (!span_starts_with(der, head) || !span_equal(span_slice(der, end, der.size), tail) ||
        der.data[head.size] < 0x80) /* fewer bits */
        return NULL;
    return der.data + head.size;
}

bool rsa4096_pss_is_algorithm(struct span der)
{
    /* AMD's certificates contain trailerField, though it has the default value; other encoders
     * omit it. */
    return span_equal(der, SPAN_LITERAL("\x30\x41" PSS_OID "\x30\x34" PSS_PARAMETERS)) ||
           span_equal(der, SPAN_LITERAL("\x30\x46" PSS_OID "\x30\x39" PSS_PARAMETERS
                                        "\xa3\x03\x02\x01\x01"));
}

static RSA *key_of(const uint8_t modulus[RSA4096_SIZE])
{
    BIGNUM *n = BN_bin2bn(modulus, RSA4096_SIZE, NULL);
    BIGNUM *e = BN_new();
    RSA *key = NULL;

    if (n && e && BN_set_word(e, EXPONENT) == 1)
        key = RSA_new_public_key(n, e);
    BN_free(n);
    BN_free(e);
    return key;
}

enum err rsa4096_pss_verify(const uint8_t modulus[RSA4096_SIZE], struct span message,
                            struct span signature)
{
    RSA *key = key_of(modulus);
    uint8_t digest[SHA384_SIZE];
    enum err e = ERR_CRYPTO;

    sha384(message, digest);
    if (key && RSA_verify_pss_mgf1(key, digest, sizeof digest, EVP_sha384(), EVP_sha384(),
                                   SALT_SIZE, signature.data, signature.size) == 1)
        e = ERR_NONE;
    else
        ERR_clear_error(); /* AWS-LC keeps the last errors of each thread */
    RSA_free(key);
    return e;
}
