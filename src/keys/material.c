#include "keys/material.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/curve25519.h"
#include "crypto/digest.h"
#include "crypto/mldsa.h"
#include "crypto/mlkem.h"
#include "crypto/random.h"
#include "crypto/rsa.h"

enum ec_curve key_curve(enum key_type type)
{
    assert(key_type_info(type)->family == KEY_FAMILY_EC);
    if (type == KEY_SECP256R1)
        return EC_P256;
    return type == KEY_SECP384R1 ? EC_P384 : EC_SECP256K1;
}

const uint8_t *key_point(const struct key_material *m)
{
    return m->public_key + 1;
}

struct span key_public(const struct key_material *m)
{
    return span_of(m->public_key, m->public_size);
}

enum err key_public_compressed(const struct key_material *m, uint8_t out[1 + EC_SIZE_MAX],
                               size_t *size)
{
    if (key_type_info(m->type)->family != KEY_FAMILY_EC)
        return ERR_UNSUPPORTED;
    ec_point_compress(key_curve(m->type), key_point(m), out);
    *size = 1 + ec_size(key_curve(m->type));
    return ERR_NONE;
}

void key_material_free(struct key_material **m)
{
    if (*m)
        secret_free(&(*m)->secret);
    free(*m);
    *m = NULL;
}

MUST_CHECK static enum err material_new(enum key_type type, struct key_material **out)
{
    struct key_material *made = calloc(1, sizeof *made);

    if (!made)
        return ERR_MEMORY;
    made->type = type;
    *out = made;
    return ERR_NONE;
}

/* Fills in the public part of a private key. */
MUST_CHECK static enum err derive_public(struct key_material *m)
{
    const uint8_t *bytes = secret_span(m->secret).data;
    const struct key_type_info *info = key_type_info(m->type);
    uint8_t point[EC_POINT_MAX];
    enum err e = ERR_NONE;

    m->public_size = info->public_max;
    switch (info->family) {
    case KEY_FAMILY_EC:
        e = ec_public(key_curve(m->type), bytes, point);
        if (e == ERR_NONE)
            ec_point_write(key_curve(m->type), point, m->public_key);
        break;
    case KEY_FAMILY_ED25519:
        ed25519_public(bytes, m->public_key);
        break;
    case KEY_FAMILY_X25519:
        x25519_public(bytes, m->public_key);
        break;
    case KEY_FAMILY_RSA:
        e = rsa_private_check(secret_span(m->secret), info->bits, m->public_key, &m->public_size);
        break;
    case KEY_FAMILY_ML_DSA:
        e = mldsa65_public(bytes, m->public_key);
        break;
    case KEY_FAMILY_ML_KEM:
        e = mlkem768_public(bytes, m->public_key);
        break;
    case KEY_FAMILY_SYMMETRIC:
        break;
    }
    return e;
}

static bool is_zero_ct(struct span bytes)
{
    unsigned any = 0;

    for (size_t i = 0; i < bytes.size; i++)
        any |= bytes.data[i];
    return any == 0;
}

enum err key_import_private(enum key_type type, struct span bytes, struct key_material **out)
{
    const struct key_type_info *info = key_type_info(type);
    struct key_material *made = NULL;
    enum err e;

    if (bytes.size < info->private_min || bytes.size > info->private_max)
        return ERR_MALFORMED;
    if (info->family != KEY_FAMILY_RSA && is_zero_ct(bytes))
        return ERR_CRYPTO;
    if ((e = material_new(type, &made)) != ERR_NONE ||
        (e = secret_copy(bytes, &made->secret)) != ERR_NONE ||
        (e = derive_public(made)) != ERR_NONE || (e = key_consistent(made)) != ERR_NONE)
        goto out;
    *out = made;
    made = NULL; /* the caller owns it now */
out:
    key_material_free(&made);
    return e;
}

/* Bytes that are a private key, for all families but RSA. */
MUST_CHECK static enum err random_private(enum key_type type, struct secret **out)
{
    const struct key_type_info *info = key_type_info(type);
    struct secret *made = NULL;
    enum err e = secret_new(info->private_min, &made);

    if (e != ERR_NONE)
        return e;
    do
        random_bytes(secret_data(made), secret_size(made));
    while (info->family == KEY_FAMILY_EC &&
           !ec_scalar_is_valid(key_curve(type), secret_span(made).data));
    *out = made;
    return ERR_NONE;
}

enum err key_generate(enum key_type type, struct key_material **out)
{
    const struct key_type_info *info = key_type_info(type);
    struct secret *bytes = NULL;
    enum err e = info->family == KEY_FAMILY_RSA ? rsa_generate(info->bits, &bytes)
                                                : random_private(type, &bytes);

    if (e == ERR_NONE)
        e = key_import_private(type, secret_span(bytes), out);
    secret_free(&bytes);
    return e;
}

/* Checks a public key and writes its one form. */
MUST_CHECK static enum err read_public(struct key_material *m, struct span bytes)
{
    const struct key_type_info *info = key_type_info(m->type);
    uint8_t point[EC_POINT_MAX];
    unsigned bits = 0;
    enum err e = ERR_NONE;

    if (info->family == KEY_FAMILY_EC) {
        e = ec_point_read(key_curve(m->type), bytes, point);
        if (e == ERR_NONE)
            ec_point_write(key_curve(m->type), point, m->public_key);
        m->public_size = info->public_max;
        return e;
    }
    if (bytes.size > info->public_max ||
        (info->family != KEY_FAMILY_RSA && bytes.size != info->public_max))
        return ERR_MALFORMED;
    memcpy(m->public_key, bytes.data, bytes.size);
    m->public_size = bytes.size;
    if (info->family == KEY_FAMILY_RSA) {
        e = rsa_public_check(bytes, &bits);
        return e == ERR_NONE && bits != info->bits ? ERR_UNSUPPORTED : e;
    }
    if (info->family == KEY_FAMILY_ED25519)
        return ed25519_public_check(m->public_key);
    if (info->family == KEY_FAMILY_X25519)
        return x25519_public_check(m->public_key);
    if (info->family == KEY_FAMILY_ML_KEM)
        return mlkem768_public_check(m->public_key);
    return ERR_NONE; /* ML-DSA: any bytes are a key */
}

enum err key_import_public(enum key_type type, struct span bytes, struct key_material **out)
{
    struct key_material *made = NULL;
    enum err e;

    if (key_type_info(type)->public_max == 0)
        return ERR_UNSUPPORTED;
    if (bytes.size == 0)
        return ERR_MALFORMED;
    if ((e = material_new(type, &made)) == ERR_NONE)
        e = read_public(made, bytes);
    if (e == ERR_NONE) {
        *out = made;
        made = NULL; /* the caller owns it now */
    }
    key_material_free(&made);
    return e;
}

static const uint8_t tested[DIGEST_MAX_SIZE] = {'c', 'o', 'n', 's', 'i', 's', 't', 'e', 'n', 't'};

MUST_CHECK static enum err ec_consistent(const struct key_material *m)
{
    enum ec_curve curve = key_curve(m->type);
    uint8_t signature[EC_SIGNATURE_MAX];
    enum err e = ec_sign(curve, secret_span(m->secret).data, tested, true, signature);

    return e == ERR_NONE ? ec_verify(curve, key_point(m), tested, signature) : e;
}

MUST_CHECK static enum err ed25519_consistent(const struct key_material *m)
{
    uint8_t signature[ED25519_SIGNATURE_SIZE];

    ed25519_sign(secret_span(m->secret).data, SPAN_OF(tested), signature);
    return ed25519_verify(m->public_key, SPAN_OF(tested), signature);
}

/* Both sides of an agreement with a fixed peer. */
MUST_CHECK static enum err x25519_consistent(const struct key_material *m)
{
    static const uint8_t peer[X25519_SIZE] = {7};
    uint8_t peer_public[X25519_SIZE];
    uint8_t ours[X25519_SIZE];
    uint8_t theirs[X25519_SIZE];
    enum err e;

    x25519_public(peer, peer_public);
    e = x25519(secret_span(m->secret).data, peer_public, ours);
    if (e == ERR_NONE)
        e = x25519(peer, m->public_key, theirs);
    if (e == ERR_NONE && !bytes_equal_ct(ours, theirs, sizeof ours))
        e = ERR_CRYPTO;
    bytes_wipe(ours, sizeof ours);
    bytes_wipe(theirs, sizeof theirs);
    return e;
}

MUST_CHECK static enum err rsa_consistent(const struct key_material *m)
{
    uint8_t signature[RSA_SIZE_MAX];
    size_t size = key_type_info(m->type)->bits / 8;
    enum err e = rsa_sign(secret_span(m->secret), RSA_PKCS1, DIGEST_SHA256, tested, signature);

    return e == ERR_NONE ? rsa_verify(key_public(m), RSA_PKCS1, DIGEST_SHA256, 0, tested,
                                      span_of(signature, size))
                         : e;
}

MUST_CHECK static enum err mldsa_consistent(const struct key_material *m)
{
    uint8_t signature[MLDSA65_SIGNATURE_SIZE];
    enum err e = mldsa65_sign(secret_span(m->secret).data, SPAN_OF(tested), signature);

    return e == ERR_NONE ? mldsa65_verify(m->public_key, SPAN_OF(tested), SPAN_OF(signature)) : e;
}

MUST_CHECK static enum err mlkem_consistent(const struct key_material *m)
{
    uint8_t ciphertext[MLKEM768_CIPHERTEXT_SIZE];
    uint8_t ours[MLKEM768_SHARED_SIZE];
    uint8_t theirs[MLKEM768_SHARED_SIZE];
    enum err e = mlkem768_encapsulate(m->public_key, tested, ciphertext, theirs);

    if (e == ERR_NONE)
        e = mlkem768_decapsulate(secret_span(m->secret).data, ciphertext, ours);
    if (e == ERR_NONE && !bytes_equal_ct(ours, theirs, sizeof ours))
        e = ERR_CRYPTO;
    return e;
}

enum err key_consistent(const struct key_material *m)
{
    switch (key_type_info(m->type)->family) {
    case KEY_FAMILY_EC:
        return ec_consistent(m);
    case KEY_FAMILY_ED25519:
        return ed25519_consistent(m);
    case KEY_FAMILY_X25519:
        return x25519_consistent(m);
    case KEY_FAMILY_RSA:
        return rsa_consistent(m);
    case KEY_FAMILY_ML_DSA:
        return mldsa_consistent(m);
    case KEY_FAMILY_ML_KEM:
        return mlkem_consistent(m);
    case KEY_FAMILY_SYMMETRIC:
        break;
    }
    return ERR_NONE;
}
