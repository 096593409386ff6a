#include "crypto/rsa_pss.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
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
        der.data[head.size] < 0x80) /* of fewer bits */
        return NULL;
    return der.data + head.size;
}

bool rsa4096_pss_is_algorithm(struct span der)
{
    /* AMD's certificates come with trailerField written out, though it is the default, and without
     */
    return span_equal(der, SPAN_LITERAL("\x30\x41" PSS_OID "\x30\x34" PSS_PARAMETERS)) ||
           span_equal(der, SPAN_LITERAL("\x30\x46" PSS_OID "\x30\x39" PSS_PARAMETERS
                                        "\xa3\x03\x02\x01\x01"));
}

static EVP_PKEY *key_of(const uint8_t modulus[RSA4096_SIZE])
{
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn(modulus, RSA4096_SIZE, NULL);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (!maker || !builder || !n ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_ulong(builder, OSSL_PKEY_PARAM_RSA_E, EXPONENT) != 1)
        goto out;
    params = OSSL_PARAM_BLD_to_param(builder);
    if (!params || EVP_PKEY_fromdata_init(maker) != 1 ||
        EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
out:
    OSSL_PARAM_free(params);
    BN_free(n);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(maker);
    return key;
}

enum err rsa4096_pss_verify(const uint8_t modulus[RSA4096_SIZE], struct span message,
                            struct span signature)
{
    EVP_PKEY *key = key_of(modulus);
    EVP_PKEY_CTX *work = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    uint8_t digest[SHA384_SIZE];
    enum err e = ERR_CRYPTO;

    sha384(message, digest);
    if (work && signature.size == RSA4096_SIZE && EVP_PKEY_verify_init(work) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(work, RSA_PKCS1_PSS_PADDING) == 1 &&
        EVP_PKEY_CTX_set_signature_md(work, EVP_sha384()) == 1 &&
        EVP_PKEY_CTX_set_rsa_mgf1_md(work, EVP_sha384()) == 1 &&
        EVP_PKEY_CTX_set_rsa_pss_saltlen(work, SALT_SIZE) == 1 &&
        EVP_PKEY_verify(work, signature.data, signature.size, digest, sizeof digest) == 1)
        e = ERR_NONE;
    ERR_clear_error();
    EVP_PKEY_CTX_free(work);
    EVP_PKEY_free(key);
    return e;
}
