#include "crypto/ecdsa.h"

#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/pem.h"

#define POINT_UNCOMPRESSED 0x04 /* SEC 1 section 2.3.3 */
#define SEC1_MAX (1 + ECDSA_POINT_MAX)

/* All bytes of the SubjectPublicKeyInfo before the coordinates: RFC 5480 sections 2.1.1 and 2.2. */
#define P256_SPKI_HEAD                                                                             \
    "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07" \
    "\x03\x42\x00\x04"
#define P384_SPKI_HEAD                                                                             \
    "\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"             \
    "\x03\x62\x00\x04"

static const struct {
    int nid;
    size_t scalar_size;
    size_t hash_size;
    void (*hash)(struct span bytes, uint8_t *out);
    struct span spki_head;
} curves[] = {
    [ECDSA_P256] = {NID_X9_62_prime256v1,
                    32, SHA256_SIZE,
                    sha256, {(const uint8_t *)P256_SPKI_HEAD, sizeof P256_SPKI_HEAD - 1}},
    [ECDSA_P384] = {NID_secp384r1,
                    48, SHA384_SIZE,
                    sha384, {(const uint8_t *)P384_SPKI_HEAD, sizeof P384_SPKI_HEAD - 1}},
};

struct ecdsa_public {
    enum ecdsa_curve curve;
    EC_KEY *key;
};

/* Refuses points that are not on the curve. The cofactor is 1, so this check is complete (SP
 * 800-56A revision 3, section 5.6.2.3.4). Infinity has no uncompressed form. */
static bool set_point(EC_KEY *key, enum ecdsa_curve curve, const uint8_t *point)
{
    size_t size = 2 * curves[curve].scalar_size;
    uint8_t sec1[SEC1_MAX] = {POINT_UNCOMPRESSED};
    EC_POINT *read = EC_POINT_new(EC_KEY_get0_group(key));
    bool done;

    memcpy(sec1 + 1, point, size);
    done = read && EC_POINT_oct2point(EC_KEY_get0_group(key), read, sec1, 1 + size, NULL) == 1 &&
           EC_KEY_set_public_key(key, read) == 1;
    EC_POINT_free(read);
    return done;
}

enum err ecdsa_public_new(enum ecdsa_curve curve, const uint8_t *point, struct ecdsa_public **out)
{
    struct ecdsa_public *made = calloc(1, sizeof *made);
    enum err e = ERR_NONE;

    if (!made)
        return ERR_MEMORY;
    made->curve = curve;
    made->key = EC_KEY_new_by_curve_name(curves[curve].nid);
    if (!made->key)
        e = ERR_MEMORY;
    else if (!set_point(made->key, curve, point))
        e = ERR_CRYPTO;
    if (e != ERR_NONE) {
        ecdsa_public_free(&made);
        ERR_clear_error(); /* AWS-LC keeps the last errors of each thread */
        return e;
    }
    *out = made;
    return ERR_NONE;
}

void ecdsa_public_free(struct ecdsa_public **key)
{
    if (*key)
        EC_KEY_free((*key)->key);
    free(*key);
    *key = NULL;
}

/* Frees `pair`. NULL means that the signature could not be read. */
MUST_CHECK static enum err verify_pair(const struct ecdsa_public *key, struct span message,
                                       ECDSA_SIG *pair)
{
    uint8_t digest[SHA384_SIZE];
    enum err e = ERR_CRYPTO;

    if (pair) {
        curves[key->curve].hash(message, digest);
        if (ECDSA_do_verify(digest, curves[key->curve].hash_size, pair, key->key) == 1)
            e = ERR_NONE;
    }
    if (e != ERR_NONE)
        ERR_clear_error();
    ECDSA_SIG_free(pair);
    return e;
}

enum err ecdsa_verify_der(const struct ecdsa_public *key, struct span message, struct span der)
{
    return verify_pair(key, message, ECDSA_SIG_from_bytes(der.data, der.size));
}

enum err ecdsa_verify(const struct ecdsa_public *key, struct span message, const uint8_t *raw)
{
    size_t size = curves[key->curve].scalar_size;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, size, NULL);
    BIGNUM *s = BN_bin2bn(raw + size, size, NULL);

    if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return ERR_MEMORY;
    }
    return verify_pair(key, message, pair);
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
    enum { PEM_MAX = 1024 }; /* the key of either curve takes less than 256 bytes of text */
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
