#include "crypto/x509_der.h"

#include <stdio.h>

#include "crypto/ecdsa.h"
#include "crypto/rsa_pss.h"

/* RFC 5758 section 3.2: without parameters. */
#define ECDSA_WITH_SHA256 SPAN_LITERAL("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")
#define ECDSA_WITH_SHA384 SPAN_LITERAL("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03")

enum { UTC_TIME = 0x17, GENERALIZED_TIME = 0x18 };
enum { SERIAL_MAX = 21 }; /* 20 octets and, in some genuine ones, a zero before them */

struct timestamp der_take_time(struct reader *r)
{
    bool is_long = der_peek(r) == GENERALIZED_TIME;
    struct span s = der_take(r, is_long ? GENERALIZED_TIME : UTC_TIME);
    struct timestamp t = {0};
    const char *at = (const char *)s.data;
    char text[TIMESTAMP_TEXT_SIZE];

    /* [YY]YYMMDDhhmmssZ; two-digit years are 1950 to 2049 */
    if (r->failed || s.size != (is_long ? 15 : 13) || s.data[s.size - 1] != 'Z') {
        r->failed = true;
        return t;
    }
    (void)snprintf(text, sizeof text, "%.2s%.2s-%.2s-%.2sT%.2s:%.2s:%.2sZ",
                   is_long        ? at
                   : at[0] >= '5' ? "19"
                                  : "20",
                   at + s.size - 13, at + s.size - 11, at + s.size - 9, at + s.size - 7,
                   at + s.size - 5, at + s.size - 3);
    if (timestamp_parse(span_string(text), &t) != ERR_NONE)
        r->failed = true;
    return t;
}

struct extension der_take_extension(struct reader *r)
{
    struct reader inner = reader_over(der_take(r, DER_SEQUENCE));
    struct extension x = {.oid = der_take(&inner, DER_OID)};

    if (der_peek(&inner) == DER_BOOLEAN)
        x.critical = der_take_bool(&inner);
    x.contents = der_take(&inner, DER_OCTET_STRING);
    if (reader_finish(&inner) != ERR_NONE)
        r->failed = true;
    return x;
}

struct span der_take_serial(struct reader *r)
{
    struct span bytes = der_take(r, DER_INTEGER);
    bool is_shortest =
        bytes.size == 1 || (bytes.size > 1 && ((bytes.data[0] != 0x00 && bytes.data[0] != 0xff) ||
                                               (bytes.data[0] ^ bytes.data[1]) >= 0x80));

    if (r->failed || !is_shortest || bytes.size > SERIAL_MAX) {
        r->failed = true;
        return (struct span){0};
    }
    return bytes;
}

enum err signed_parts_read(struct span der, struct signed_parts *out)
{
    struct reader file = reader_over(der);
    struct reader r = reader_over(der_take(&file, DER_SEQUENCE));
    struct signed_parts p = {0};

    p.signed_bytes = der_take_whole(&r, DER_SEQUENCE);
    p.algorithm = der_take_whole(&r, DER_SEQUENCE);
    p.signature = der_take_bits(&r);
    if (reader_finish(&file) != ERR_NONE || reader_finish(&r) != ERR_NONE)
        return ERR_MALFORMED;
    *out = p;
    return ERR_NONE;
}

MUST_CHECK static enum err ecdsa_check(enum ecdsa_curve curve, struct span spki,
                                       const struct signed_parts *parts)
{
    const uint8_t *point = ecdsa_spki_point(curve, spki);
    struct ecdsa_public *key = NULL;
    enum err e = point ? ecdsa_public_new(curve, point, &key) : ERR_CRYPTO;

    if (e == ERR_NONE)
        e = ecdsa_verify_der(key, parts->signed_bytes, parts->signature);
    ecdsa_public_free(&key);
    return e;
}

MUST_CHECK static enum err rsa_check(struct span spki, const struct signed_parts *parts)
{
    const uint8_t *modulus = rsa4096_spki_modulus(spki);

    return modulus ? rsa4096_pss_verify(modulus, parts->signed_bytes, parts->signature)
                   : ERR_CRYPTO;
}

enum err signed_parts_check(const struct signed_parts *parts, struct span spki,
                            enum x509_signature algorithm)
{
    switch (algorithm) {
    case X509_ECDSA_P256_SHA256:
        return span_equal(parts->algorithm, ECDSA_WITH_SHA256)
                   ? ecdsa_check(ECDSA_P256, spki, parts)
                   : ERR_CRYPTO;
    case X509_ECDSA_P384_SHA384:
        return span_equal(parts->algorithm, ECDSA_WITH_SHA384)
                   ? ecdsa_check(ECDSA_P384, spki, parts)
                   : ERR_CRYPTO;
    case X509_RSA4096_PSS_SHA384:
        return rsa4096_pss_is_algorithm(parts->algorithm) ? rsa_check(spki, parts) : ERR_CRYPTO;
    }
    return ERR_CRYPTO;
}
