#include "crypto/ec.h"

#include <assert.h>
#include <string.h>

#include "base/writer.h"
#include "codec/der.h"
#include "crypto/ec_curves.h"

enum { POINT_UNCOMPRESSED = 0x04, POINT_EVEN = 0x02, POINT_ODD = 0x03 }; /* SEC 1 section 2.3.3 */

/* n and (n - 1) / 2: SEC 2 sections 2.4.1, 2.4.2 and 2.5.1. */
static const uint8_t p256_order[] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const uint8_t p256_half[] = {
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8};
static const uint8_t p384_order[] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
    0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73};
static const uint8_t p384_half[] = {
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xe3, 0xb1, 0xa6, 0xc0, 0xfa, 0x1b, 0x96, 0xef,
    0xac, 0x0d, 0x06, 0xd9, 0x24, 0x58, 0x53, 0xbd, 0x76, 0x76, 0x0c, 0xb5, 0x66, 0x62, 0x94, 0xb9};
static const uint8_t secp256k1_order[] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
static const uint8_t secp256k1_half[] = {
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};

static const struct {
    size_t size;
    const struct ec_ops *ops;
    const uint8_t *order, *half;
} curves[EC_CURVE_COUNT] = {
    [EC_P256] = {32, &ec_nist,      p256_order,      p256_half     },
    [EC_P384] = {48, &ec_nist,      p384_order,      p384_half     },
    [EC_SECP256K1] = {32, &ec_secp256k1, secp256k1_order, secp256k1_half},
};

size_t ec_size(enum ec_curve curve)
{
    return curves[curve].size;
}

const uint8_t *ec_order(enum ec_curve curve)
{
    return curves[curve].order;
}

/* a < b for big-endian numbers: the borrow of a - b. Constant-time. */
static unsigned is_below(const uint8_t *a, const uint8_t *b, size_t size)
{
    unsigned borrow = 0;

    for (size_t i = size; i > 0; i--)
        borrow = (unsigned)(a[i - 1] - b[i - 1] - (int)borrow) >> 31;
    return borrow;
}

bool ec_scalar_is_valid(enum ec_curve curve, const uint8_t *scalar)
{
    unsigned any = 0;

    for (size_t i = 0; i < curves[curve].size; i++)
        any |= scalar[i];
    return ((0 - any) >> 31 & is_below(scalar, ec_order(curve), curves[curve].size)) == 1;
}

enum err ec_public(enum ec_curve curve, const uint8_t *scalar, uint8_t *point)
{
    if (!ec_scalar_is_valid(curve, scalar))
        return ERR_CRYPTO;
    return curves[curve].ops->public_of(curve, scalar, point);
}

enum err ec_point_read(enum ec_curve curve, struct span encoded, uint8_t *point)
{
    size_t size = curves[curve].size;
    uint8_t first = encoded.size > 0 ? encoded.data[0] : 0;

    if (!(first == POINT_UNCOMPRESSED && encoded.size == 1 + 2 * size) &&
        !((first == POINT_EVEN || first == POINT_ODD) && encoded.size == 1 + size))
        return ERR_MALFORMED;
    return curves[curve].ops->point_read(curve, encoded, point);
}

void ec_point_write(enum ec_curve curve, const uint8_t *point, uint8_t *out)
{
    out[0] = POINT_UNCOMPRESSED;
    memcpy(out + 1, point, 2 * curves[curve].size);
}

void ec_point_compress(enum ec_curve curve, const uint8_t *point, uint8_t *out)
{
    size_t size = curves[curve].size;

    out[0] = (uint8_t)(POINT_EVEN | (point[2 * size - 1] & 1));
    memcpy(out + 1, point, size);
}

enum err ec_sign(enum ec_curve curve, const uint8_t *scalar, const uint8_t *digest,
                 bool deterministic, uint8_t *signature)
{
    if (!ec_scalar_is_valid(curve, scalar))
        return ERR_CRYPTO;
    return curves[curve].ops->sign(curve, scalar, digest, deterministic, signature);
}

enum err ec_verify(enum ec_curve curve, const uint8_t *point, const uint8_t *digest,
                   const uint8_t *signature)
{
    if (!ec_scalar_is_valid(curve, signature) ||
        !ec_scalar_is_valid(curve, signature + curves[curve].size))
        return ERR_CRYPTO;
    return curves[curve].ops->verify(curve, point, digest, signature);
}

bool ec_signature_is_low(enum ec_curve curve, const uint8_t *signature)
{
    size_t size = curves[curve].size;

    return is_below(curves[curve].half, signature + size, size) == 0;
}

enum err ec_shared(enum ec_curve curve, const uint8_t *scalar, const uint8_t *peer, uint8_t *out)
{
    if (!ec_scalar_is_valid(curve, scalar))
        return ERR_CRYPTO;
    return curves[curve].ops->shared(curve, scalar, peer, out);
}

void ec_signature_to_der(enum ec_curve curve, const uint8_t *signature, uint8_t out[EC_DER_MAX],
                         size_t *size)
{
    struct span r = span_of(signature, curves[curve].size);
    struct span s = span_of(signature + r.size, r.size);
    struct writer w = writer_over(out, EC_DER_MAX);

    der_put_head(&w, DER_SEQUENCE, der_unsigned_size(r) + der_unsigned_size(s));
    der_put_unsigned(&w, r);
    der_put_unsigned(&w, s);
    assert(!w.failed);
    *size = w.size;
}

/* A number as `size` bytes with leading zeros. */
MUST_CHECK static enum err number_pad(struct span number, uint8_t *out, size_t size)
{
    if (number.size > size)
        return ERR_MALFORMED;
    memset(out, 0, size - number.size);
    if (number.size > 0)
        memcpy(out + size - number.size, number.data, number.size);
    return ERR_NONE;
}

enum err ec_signature_from_der(enum ec_curve curve, struct span der, uint8_t *signature)
{
    size_t size = curves[curve].size;
    struct reader outer = reader_over(der);
    struct reader inner = reader_over(der_take(&outer, DER_SEQUENCE));
    struct span r = der_take_unsigned(&inner);
    struct span s = der_take_unsigned(&inner);
    uint8_t read[EC_SIGNATURE_MAX];
    enum err e;

    if ((e = reader_finish(&outer)) != ERR_NONE || (e = reader_finish(&inner)) != ERR_NONE ||
        (e = number_pad(r, read, size)) != ERR_NONE ||
        (e = number_pad(s, read + size, size)) != ERR_NONE)
        return e;
    memcpy(signature, read, 2 * size);
    return ERR_NONE;
}
