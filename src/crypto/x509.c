#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/pem.h"
#include "crypto/x509_der.h"

/* Context-specific tags of tbsCertificate. */
enum { TAG_VERSION = 0xa0, TAG_EXTENSIONS = 0xa3 };

enum { SERIAL_MAX = 21 }; /* 20 octets and, in some genuine ones, a zero before them */

/* Object identifiers of RFC 5280, contents alone. */
#define OID_KEY_USAGE SPAN_LITERAL("\x55\x1d\x0f")
#define OID_BASIC_CONSTRAINTS SPAN_LITERAL("\x55\x1d\x13")
#define OID_COMMON_NAME SPAN_LITERAL("\x55\x04\x03")

struct extension {
    struct span oid;
    bool critical;
    struct span contents;
};

static struct extension extension_take(struct reader *r)
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

/* RFC 5280 section 4.2.1.9 */
MUST_CHECK static enum err constraints_read(struct span contents, struct x509_cert *c)
{
    struct reader outer = reader_over(contents);
    struct reader r = reader_over(der_take(&outer, DER_SEQUENCE));

    if (c->has_constraints)
        return ERR_MALFORMED;
    c->has_constraints = true;
    if (der_peek(&r) == DER_BOOLEAN)
        c->is_ca = der_take_bool(&r);
    if (c->is_ca && der_peek(&r) == DER_INTEGER)
        c->path_length = (size_t)der_take_uint(&r, DER_INTEGER, UINT16_MAX);
    return reader_finish(&outer) == ERR_NONE ? reader_finish(&r) : ERR_MALFORMED;
}

/* RFC 5280 section 4.2.1.3: a BIT STRING of one to nine bits. */
MUST_CHECK static enum err usage_read(struct span contents, struct x509_cert *c)
{
    struct reader outer = reader_over(contents);
    struct span bits = der_take(&outer, DER_BIT_STRING);

    if (c->has_usage || reader_finish(&outer) != ERR_NONE || bits.size < 2 || bits.size > 3 ||
        bits.data[0] > 7)
        return ERR_MALFORMED;
    c->has_usage = true;
    c->usage = bits.data[1];
    return ERR_NONE;
}

/* RFC 5280 section 4.2: a critical extension nobody acts on refuses the certificate. */
MUST_CHECK static enum err extension_read(const struct extension *x, struct x509_cert *c)
{
    if (span_equal(x->oid, OID_BASIC_CONSTRAINTS))
        return constraints_read(x->contents, c);
    if (span_equal(x->oid, OID_KEY_USAGE))
        return usage_read(x->contents, c);
    return x->critical ? ERR_MALFORMED : ERR_NONE;
}

MUST_CHECK static enum err extensions_read(struct x509_cert *c)
{
    struct reader r = reader_over(c->extensions);
    enum err e = ERR_NONE;

    while (e == ERR_NONE && r.rest.size > 0) {
        struct extension x = extension_take(&r);

        e = r.failed ? ERR_MALFORMED : extension_read(&x, c);
    }
    return e;
}

static void validity_take(struct reader *r, struct x509_cert *c)
{
    struct reader inner = reader_over(der_take(r, DER_SEQUENCE));

    c->not_before = der_take_time(&inner);
    c->not_after = der_take_time(&inner);
    if (reader_finish(&inner) != ERR_NONE)
        r->failed = true;
}

static void extensions_take(struct reader *r, struct x509_cert *c)
{
    struct reader wrapper = reader_over(der_take(r, TAG_EXTENSIONS));

    c->extensions = der_take(&wrapper, DER_SEQUENCE);
    if (reader_finish(&wrapper) != ERR_NONE)
        r->failed = true;
}

/* An INTEGER with its head: in its shortest form (X.690 section 8.3.2), and not too long. */
static bool serial_is_well_formed(struct span whole)
{
    struct reader r = reader_over(whole);
    struct span bytes = der_take(&r, DER_INTEGER);

    if (r.failed || bytes.size == 0 || bytes.size > SERIAL_MAX)
        return false;
    return bytes.size == 1 || (bytes.data[0] != 0x00 && bytes.data[0] != 0xff) ||
           (bytes.data[0] ^ bytes.data[1]) >= 0x80;
}

/* tbsCertificate of version 3, in the order of RFC 5280 section 4.1; unique identifiers are
 * refused. */
MUST_CHECK static enum err tbs_read(struct x509_cert *c)
{
    const struct span version_3 = SPAN_LITERAL("\x02\x01\x02");
    struct reader outer = reader_over(c->parts.signed_bytes);
    struct reader r = reader_over(der_take(&outer, DER_SEQUENCE));
    struct span version = der_take(&r, TAG_VERSION);
    struct span algorithm;

    c->serial = der_take_whole(&r, DER_INTEGER);
    algorithm = der_take_whole(&r, DER_SEQUENCE);
    c->issuer = der_take_whole(&r, DER_SEQUENCE);
    validity_take(&r, c);
    c->subject = der_take_whole(&r, DER_SEQUENCE);
    c->spki = der_take_whole(&r, DER_SEQUENCE);
    if (der_peek(&r) == TAG_EXTENSIONS)
        extensions_take(&r, c);
    if (reader_finish(&r) != ERR_NONE || !span_equal(version, version_3) ||
        !serial_is_well_formed(c->serial) || !span_equal(algorithm, c->parts.algorithm))
        return ERR_MALFORMED;
    return extensions_read(c);
}

enum err x509_cert_parse(struct span der, struct x509_cert **out)
{
    struct x509_cert *c;
    enum err e;

    if (der.size > X509_MAX_SIZE)
        return ERR_TOO_LARGE;
    if (der.size == 0)
        return ERR_MALFORMED;
    c = calloc(1, sizeof *c + der.size);
    if (!c)
        return ERR_MEMORY;
    memcpy(c->der, der.data, der.size);
    c->size = der.size;
    c->path_length = SIZE_MAX;
    if ((e = signed_parts_read(span_of(c->der, c->size), &c->parts)) != ERR_NONE ||
        (e = tbs_read(c)) != ERR_NONE)
        x509_cert_free(&c);
    else
        *out = c;
    return e;
}

MUST_CHECK static enum err chain_read(struct span pem, struct x509_cert **out, size_t capacity,
                                      size_t *count)
{
    struct buffer der = {0};
    enum err e = ERR_NONE;

    *count = 0;
    while ((e = pem_read(&pem, "CERTIFICATE", &der)) == ERR_NONE) {
        if (*count == capacity) {
            e = ERR_TOO_LARGE;
            break;
        }
        if ((e = x509_cert_parse(buffer_span(&der), &out[*count])) != ERR_NONE)
            break;
        (*count)++;
        der.size = 0;
    }
    buffer_clear(&der);
    return e == ERR_NOT_FOUND ? ERR_NONE : e;
}

enum err x509_chain_parse(struct span pem, struct x509_cert **out, size_t capacity, size_t *count)
{
    size_t got = 0;
    enum err e = chain_read(pem, out, capacity, &got);

    if (e != ERR_NONE)
        while (got > 0)
            x509_cert_free(&out[--got]);
    else
        *count = got;
    return e;
}

void x509_cert_free(struct x509_cert **c)
{
    free(*c);
    *c = NULL;
}

enum err x509_cert_issued_by(const struct x509_cert *c, const struct x509_cert *issuer,
                             enum x509_signature algorithm)
{
    if (!span_equal(c->issuer, issuer->subject))
        return ERR_CRYPTO;
    return signed_parts_check(&c->parts, issuer->spki, algorithm);
}

bool x509_cert_is_ca(const struct x509_cert *c)
{
    return c->is_ca && c->has_usage && (c->usage & X509_USAGE_KEY_CERT_SIGN) != 0;
}

bool x509_cert_claims_ca(const struct x509_cert *c)
{
    return c->is_ca || (c->has_usage && (c->usage & X509_USAGE_KEY_CERT_SIGN) != 0);
}

bool x509_cert_has_digital_signature(const struct x509_cert *c)
{
    return c->has_usage && (c->usage & X509_USAGE_DIGITAL_SIGNATURE) != 0;
}

size_t x509_cert_path_length(const struct x509_cert *c)
{
    return c->path_length;
}

struct timestamp x509_cert_not_after(const struct x509_cert *c)
{
    return c->not_after;
}

struct timestamp x509_cert_not_before(const struct x509_cert *c)
{
    return c->not_before;
}

bool x509_cert_valid_at(const struct x509_cert *c, struct timestamp now)
{
    return c->not_before.ms <= now.ms && now.ms <= c->not_after.ms;
}

void x509_cert_sha256(const struct x509_cert *c, uint8_t out[SHA256_SIZE])
{
    sha256(span_of(c->der, c->size), out);
}

void x509_cert_tbs_sha256(const struct x509_cert *c, uint8_t out[SHA256_SIZE])
{
    sha256(c->parts.signed_bytes, out);
}

void x509_cert_spki_sha256(const struct x509_cert *c, uint8_t out[SHA256_SIZE])
{
    sha256(c->spki, out);
}

/* The next AttributeTypeAndValue in a RelativeDistinguishedName; its value if it is a common name.
 */
static bool common_name_take(struct reader *rdn, struct span *value)
{
    struct reader r = reader_over(der_take(rdn, DER_SEQUENCE));
    bool is_common_name = span_equal(der_take(&r, DER_OID), OID_COMMON_NAME);
    struct span found = der_take(&r, der_peek(&r));

    if (reader_finish(&r) != ERR_NONE)
        rdn->failed = true;
    if (is_common_name)
        *value = found;
    return is_common_name;
}

/* Two common names would let each reader see the one it likes: ERR_NOT_FOUND, as for none. */
MUST_CHECK static enum err common_name(struct span name, struct span *out)
{
    struct reader outer = reader_over(name);
    struct reader r = reader_over(der_take(&outer, DER_SEQUENCE));
    size_t count = 0;

    while (!r.failed && r.rest.size > 0) {
        struct reader rdn = reader_over(der_take(&r, DER_SET));

        while (!rdn.failed && rdn.rest.size > 0)
            count += common_name_take(&rdn, out);
        r.failed = r.failed || rdn.failed;
    }
    return !r.failed && count == 1 ? ERR_NONE : ERR_NOT_FOUND;
}

bool x509_cert_common_name_contains(const struct x509_cert *c, const char *text)
{
    struct span value = {0};

    return common_name(c->subject, &value) == ERR_NONE && value.size > 0 &&
           memmem(value.data, value.size, text, strlen(text)) != NULL;
}

bool x509_cert_common_name_is(const struct x509_cert *c, const char *text)
{
    struct span value = {0};

    return common_name(c->subject, &value) == ERR_NONE && span_equal_string(value, text);
}

bool x509_cert_same_subject(const struct x509_cert *a, const struct x509_cert *b)
{
    return span_equal(a->subject, b->subject);
}

MUST_CHECK static enum err extension_find(struct span extensions, struct span oid, struct span *out)
{
    struct reader r = reader_over(extensions);
    size_t count = 0;

    while (!r.failed && r.rest.size > 0) {
        struct extension x = extension_take(&r);

        if (!span_equal(x.oid, oid))
            continue;
        *out = x.contents;
        count++;
    }
    return count == 0 ? ERR_NOT_FOUND : count == 1 ? ERR_NONE : ERR_MALFORMED;
}

enum err x509_cert_extension(const struct x509_cert *c, const char *oid, struct span *out)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    struct span found = {0};
    enum err e;

    if (!object) { /* OpenSSL keeps a queue of errors per thread; it must not grow */
        ERR_clear_error();
        return ERR_NOT_FOUND;
    }
    e = extension_find(c->extensions, span_of(OBJ_get0_data(object), OBJ_length(object)), &found);
    if (e == ERR_NONE)
        *out = found;
    ASN1_OBJECT_free(object);
    return e;
}

enum err x509_cert_p256(const struct x509_cert *c, struct p256_public **out)
{
    enum err e = p256_public_from_spki(c->spki, out);

    return e == ERR_MALFORMED ? ERR_UNSUPPORTED : e;
}

enum err x509_cert_p384(const struct x509_cert *c, struct p384_public **out)
{
    enum err e = p384_public_from_spki(c->spki, out);

    return e == ERR_MALFORMED ? ERR_UNSUPPORTED : e;
}
