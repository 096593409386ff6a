#include "keys/key_sign.h"

#include <assert.h>
#include <string.h>

#include "crypto/curve25519.h"
#include "crypto/mldsa.h"
#include "crypto/rsa.h"

_Static_assert(KEY_SIGNATURE_MAX == MLDSA65_SIGNATURE_SIZE, "the largest signature");

MUST_CHECK static enum err check(const struct key_spec *key, const struct key_material *m,
                                 enum key_operation operation, const struct sign_options *options,
                                 size_t message_size)
{
    const struct algorithm_request request = {
        .operation = operation,
        .digest_given = options->digest_given,
        .digest_size = message_size,
        .der = options->der,
        .deterministic = options->deterministic,
        .low_s_only = options->low_s_only,
    };

    assert(key->type == m->type);
    if (algorithm_misfit(key, &request) != MISFIT_NONE || (operation == KEY_SIGN && !m->secret))
        return ERR_UNSUPPORTED;
    return ERR_NONE;
}

/* The digest of a message for the algorithms that have a hash. */
static void digest_make(const struct key_spec *key, const struct sign_options *options,
                        struct span message, uint8_t digest[DIGEST_MAX_SIZE])
{
    enum digest d = algorithm_info(key->algorithm)->digest;

    if (d == DIGEST_NONE)
        return;
    if (options->digest_given)
        memcpy(digest, message.data, digest_size(d));
    else
        digest_of(d, message, digest);
}

/* Which signature of RSA an algorithm is. */
static enum rsa_signature rsa_form(enum algorithm a)
{
    return a >= ALGORITHM_RSA_PSS_SHA256 && a <= ALGORITHM_RSA_PSS_SHA512 ? RSA_PSS : RSA_PKCS1;
}

MUST_CHECK static enum err sign_ec(const struct key_material *m, const struct sign_options *options,
                                   const uint8_t *digest, uint8_t *out, size_t *size)
{
    enum ec_curve curve = key_curve(m->type);
    uint8_t raw[EC_SIGNATURE_MAX];
    enum err e = ec_sign(curve, secret_span(m->secret).data, digest, options->deterministic, raw);

    if (e != ERR_NONE)
        return e;
    if (options->der) {
        ec_signature_to_der(curve, raw, out, size);
    } else {
        *size = 2 * ec_size(curve);
        memcpy(out, raw, *size);
    }
    return ERR_NONE;
}

enum err key_sign(const struct key_spec *key, const struct key_material *m,
                  const struct sign_options *options, struct span message, uint8_t *out,
                  size_t *size)
{
    const struct key_type_info *info = key_type_info(m->type);
    uint8_t digest[DIGEST_MAX_SIZE] = {0};
    enum err e = check(key, m, KEY_SIGN, options, message.size);

    if (e != ERR_NONE)
        return e;
    digest_make(key, options, message, digest);
    switch (info->family) {
    case KEY_FAMILY_EC:
        return sign_ec(m, options, digest, out, size);
    case KEY_FAMILY_RSA:
        *size = info->bits / 8;
        return rsa_sign(secret_span(m->secret), rsa_form(key->algorithm),
                        algorithm_info(key->algorithm)->digest, digest, out);
    case KEY_FAMILY_ED25519:
        *size = ED25519_SIGNATURE_SIZE;
        ed25519_sign_with(secret_span(m->secret).data, m->public_key, message, out);
        return ERR_NONE;
    case KEY_FAMILY_ML_DSA:
        *size = MLDSA65_SIGNATURE_SIZE;
        return mldsa65_sign(secret_span(m->secret).data, message, out);
    case KEY_FAMILY_X25519:
    case KEY_FAMILY_ML_KEM:
    case KEY_FAMILY_SYMMETRIC:
        break;
    }
    return ERR_UNSUPPORTED;
}

MUST_CHECK static enum err verify_ec(const struct key_material *m,
                                     const struct sign_options *options, const uint8_t *digest,
                                     struct span signature)
{
    enum ec_curve curve = key_curve(m->type);
    uint8_t raw[EC_SIGNATURE_MAX];

    if (options->der) {
        if (ec_signature_from_der(curve, signature, raw) != ERR_NONE)
            return ERR_CRYPTO;
    } else {
        if (signature.size != 2 * ec_size(curve))
            return ERR_CRYPTO;
        memcpy(raw, signature.data, signature.size);
    }
    if (options->low_s_only && !ec_signature_is_low(curve, raw))
        return ERR_CRYPTO;
    return ec_verify(curve, key_point(m), digest, raw);
}

enum err key_verify(const struct key_spec *key, const struct key_material *m,
                    const struct sign_options *options, struct span message, struct span signature)
{
    enum digest d = algorithm_info(key->algorithm)->digest;
    uint8_t digest[DIGEST_MAX_SIZE] = {0};
    enum err e = check(key, m, KEY_VERIFY, options, message.size);

    if (e != ERR_NONE)
        return e;
    digest_make(key, options, message, digest);
    switch (key_type_info(m->type)->family) {
    case KEY_FAMILY_EC:
        return verify_ec(m, options, digest, signature);
    case KEY_FAMILY_RSA:
        return rsa_verify(key_public(m), rsa_form(key->algorithm), d, digest_size(d), digest,
                          signature);
    case KEY_FAMILY_ED25519:
        return signature.size == ED25519_SIGNATURE_SIZE
                   ? ed25519_verify(m->public_key, message, signature.data)
                   : ERR_CRYPTO;
    case KEY_FAMILY_ML_DSA:
        return mldsa65_verify(m->public_key, message, signature);
    case KEY_FAMILY_X25519:
    case KEY_FAMILY_ML_KEM:
    case KEY_FAMILY_SYMMETRIC:
        break;
    }
    return ERR_UNSUPPORTED;
}
