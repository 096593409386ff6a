#include "crypto/ecdsa.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/pem.h"

#define POINT_UNCOMPRESSED 0x04 /* SEC 1 section 2.3.3 */
#define SEC1_MAX (1 + ECDSA_POINT_MAX)
#define DER_SIGNATURE_MAX 104 /* SEQUENCE of two INTEGERs of at most 49 bytes */

/* Everything of the SubjectPublicKeyInfo before the coordinates: RFC 5480 sections 2.1.1 and 2.2.
 */
#define P256_SPKI_HEAD                                                                             \
    "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07" \
    "\x03\x42\x00\x04"
#define P384_SPKI_HEAD                                                                             \
    "\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"             \
    "\x03\x62\x00\x04"

static const struct {
    const char *group;
    size_t scalar_size;
    size_t hash_size;
    void (*hash)(struct span bytes, uint8_t *out);
    struct span spki_head;
} curves[] = {
    [ECDSA_P256] = {"P-256",
                    32, SHA256_SIZE,
                    sha256, {(const uint8_t *)P256_SPKI_HEAD, sizeof P256_SPKI_HEAD - 1}},
    [ECDSA_P384] = {"P-384",
                    48, SHA384_SIZE,
                    sha384, {(const uint8_t *)P384_SPKI_HEAD, sizeof P384_SPKI_HEAD - 1}},
};

/*
 * Keys that have a curve and no point: a copy of one given a point costs a fifth of a key made from
 * parameters, since the name of the curve is looked up once. Made at first use, then constant.
 */
static pthread_mutex_t templates_lock = PTHREAD_MUTEX_INITIALIZER;
static EVP_PKEY *templates[COUNT_OF(curves)];

static EVP_PKEY *template_make(enum ecdsa_curve curve)
{
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    char group[16];
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end()};
    EVP_PKEY *key = NULL;

    memcpy(group, curves[curve].group, strlen(curves[curve].group) + 1);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
    if (!maker || EVP_PKEY_fromdata_init(maker) != 1 ||
        EVP_PKEY_fromdata(maker, &key, EVP_PKEY_KEY_PARAMETERS, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(maker);
    return key;
}

static const EVP_PKEY *template_of(enum ecdsa_curve curve)
{
    const EVP_PKEY *found = NULL;

    if (pthread_mutex_lock(&templates_lock) != 0)
        return NULL;
    if (!templates[curve]) /* again, if memory was short the last time */
        templates[curve] = template_make(curve);
    found = templates[curve];
    (void)pthread_mutex_unlock(&templates_lock);
    return found;
}

/* Refuses points that are not on the curve. The cofactor is 1, so that is the whole check
 * (SP 800-56A revision 3, section 5.6.2.3.4); infinity has no uncompressed form. */
static EVP_PKEY *key_of(enum ecdsa_curve curve, const uint8_t *point)
{
    size_t size = 2 * curves[curve].scalar_size;
    const EVP_PKEY *from = template_of(curve);
    uint8_t sec1[SEC1_MAX] = {POINT_UNCOMPRESSED};
    EVP_PKEY *key = EVP_PKEY_new();

    memcpy(sec1 + 1, point, size);
    if (key && from && EVP_PKEY_copy_parameters(key, from) == 1 &&
        EVP_PKEY_set1_encoded_public_key(key, sec1, 1 + size) == 1)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

enum err ecdsa_public_init(struct ecdsa_public *out, enum ecdsa_curve curve, const uint8_t *point)
{
    struct ecdsa_public made = {.curve = curve, .key = key_of(curve, point)};

    if (made.key)
        made.prepared = EVP_PKEY_CTX_new_from_pkey(NULL, made.key, NULL);
    if (!made.prepared || EVP_PKEY_verify_init(made.prepared) != 1) {
        ecdsa_public_clear(&made);
        ERR_clear_error();
        return ERR_CRYPTO;
    }
    *out = made;
    return ERR_NONE;
}

void ecdsa_public_clear(struct ecdsa_public *key)
{
    EVP_PKEY_CTX_free(key->prepared);
    EVP_PKEY_free(key->key);
    *key = (struct ecdsa_public){0};
}

/* An INTEGER of DER (X.690 section 8.3): no leading zeros but one before a set top bit. */
static size_t der_integer(const uint8_t *scalar, size_t scalar_size, uint8_t *out)
{
    size_t skip = 0;
    size_t pad;
    size_t size;

    while (skip < scalar_size - 1 && scalar[skip] == 0)
        skip++;
    pad = scalar[skip] >> 7;
    size = scalar_size - skip;
    out[0] = 0x02;
    out[1] = (uint8_t)(size + pad);
    out[2] = 0;
    memcpy(out + 2 + pad, scalar + skip, size);
    return 2 + pad + size;
}

static size_t der_from_raw(const uint8_t *raw, size_t scalar_size, uint8_t der[DER_SIGNATURE_MAX])
{
    size_t size = der_integer(raw, scalar_size, der + 2);

    size += der_integer(raw + scalar_size, scalar_size, der + 2 + size);
    der[0] = 0x30;
    der[1] = (uint8_t)size;
    return 2 + size;
}

enum err ecdsa_verify_der(const struct ecdsa_public *key, struct span message, struct span der)
{
    EVP_PKEY_CTX *work = EVP_PKEY_CTX_dup(key->prepared);
    uint8_t digest[SHA384_SIZE];
    enum err e = ERR_NONE;

    if (!work)
        return ERR_MEMORY;
    curves[key->curve].hash(message, digest);
    if (EVP_PKEY_verify(work, der.data, der.size, digest, curves[key->curve].hash_size) != 1) {
        ERR_clear_error();
        e = ERR_CRYPTO;
    }
    EVP_PKEY_CTX_free(work);
    return e;
}

enum err ecdsa_verify(const struct ecdsa_public *key, struct span message, const uint8_t *raw)
{
    uint8_t der[DER_SIGNATURE_MAX];
    size_t size = der_from_raw(raw, curves[key->curve].scalar_size, der);

    return ecdsa_verify_der(key, message, span_of(der, size));
}

const uint8_t *ecdsa_spki_point(enum ecdsa_curve curve, struct span der)
{
    struct span head = curves[curve].spki_head;

    if (!span_starts_with(der, head) || der.size != head.size + 2 * curves[curve].scalar_size)
        return NULL;
    return der.data + head.size;
}

MUST_CHECK static enum err point_copy(enum ecdsa_curve curve, struct span der, uint8_t *point)
{
    const uint8_t *found = ecdsa_spki_point(curve, der);

    if (!found)
        return ERR_MALFORMED;
    memcpy(point, found, 2 * curves[curve].scalar_size);
    return ERR_NONE;
}

enum err ecdsa_spki_read(enum ecdsa_curve curve, struct span bytes, uint8_t *point)
{
    enum { PEM_MAX = 1024 }; /* the key of either curve is below 256 bytes of text */
    struct buffer der = {0};
    struct buffer extra = {0};
    enum err e;

    if (!span_starts_with(bytes, SPAN_LITERAL("-----BEGIN")))
        return point_copy(curve, bytes, point);
    if (bytes.size > PEM_MAX)
        return ERR_MALFORMED;
    e = pem_read(&bytes, "PUBLIC KEY", &der);
    if (e == ERR_NONE && pem_read(&bytes, "PUBLIC KEY", &extra) != ERR_NOT_FOUND)
        e = ERR_MALFORMED;
    if (e == ERR_NONE)
        e = point_copy(curve, buffer_span(&der), point);
    buffer_clear(&extra);
    buffer_clear(&der);
    return e;
}
