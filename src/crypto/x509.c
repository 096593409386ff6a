#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "crypto/pem.h"
#include "crypto/x509_der.h"

/* Context-specific tags of tbsCertificate. */
enum { TAG_VERSION = 0xa0, TAG_EXTENSIONS = 0xa3 };

/* Much larger than all object identifiers that we look for. */
#define OID_MAX 32
#define ARC_MAX UINT32_MAX

/* The contents of object identifiers of RFC 5280. */
#define OID_KEY_USAGE SPAN_LITERAL("\x55\x1d\x0f")
#define OID_BASIC_CONSTRAINTS SPAN_LITERAL("\x55\x1d\x13")
#define OID_COMMON_NAME SPAN_LITERAL("\x55\x04\x03")

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

/* RFC 5280 section 4.2: an unknown critical extension makes the certificate invalid. */
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
        struct extension x = der_take_extension(&r);

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

/* tbsCertificate of version 3, in the order of RFC 5280 section 4.1; unique identifiers are
 * refused. */
MUST_CHECK static enum err tbs_read(struct x509_cert *c)
{
    const struct span version_3 = SPAN_LITERAL("\x02\x01\x02");
    struct reader outer = reader_over(c->parts.signed_bytes);
    struct reader r = reader_over(der_take(&outer, DER_SEQUENCE));
    struct span version = der_take(&r, TAG_VERSION);
    struct span algorithm;

    c->serial = der_take_serial(&r);
    algorithm = der_take_whole(&r, DER_SEQUENCE);
    c->issuer = der_take_whole(&r, DER_SEQUENCE);
    validity_take(&r, c);
    c->subject = der_take_whole(&r, DER_SEQUENCE);
    c->spki = der_take_whole(&r, DER_SEQUENCE);
    if (der_peek(&r) == TAG_EXTENSIONS)
        extensions_take(&r, c);
    if (reader_finish(&r) != ERR_NONE || !span_equal(version, version_3) ||
        !span_equal(algorithm, c->parts.algorithm))
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

/* With two common names, two readers could see different names. So ERR_NOT_FOUND, as for none. */
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
        struct extension x = der_take_extension(&r);

        if (!span_equal(x.oid, oid))
            continue;
        *out = x.contents;
        count++;
    }
    return count == 0 ? ERR_NOT_FOUND : count == 1 ? ERR_NONE : ERR_MALFORMED;
}

/* A decimal number of at most ARC_MAX. */
static bool arc_take(const char **text, uint64_t *out)
{
    const size_t size = strspn(*text, "0123456789");

    if (decimal_read(span_of(*text, size), out) != ERR_NONE || *out > ARC_MAX)
        return false;
    *text += size;
    return true;
}

/* One number of an object identifier, 7 bits a byte: X.690 section 8.19.2. */
static bool arc_write(uint64_t arc, uint8_t out[OID_MAX], size_t *size)
{
    unsigned shift = 0;

    /* cppcheck-suppress shiftTooManyBits; shift + 7 is at most 63 */
    while (shift < 63 && arc >> (shift + 7) != 0)
        shift += 7;
    for (;; shift -= 7) {
        if (*size == OID_MAX)
            return false;
        out[(*size)++] = (uint8_t)((arc >> shift & 0x7f) | (shift > 0 ? 0x80 : 0));
        if (shift == 0)
            return true;
    }
}

/* Encodes "1.2.840.113741.1"; false when the text is not an object identifier. The first two
 * numbers share one: X.690 section 8.19.4. */
static bool oid_write(const char *text, uint8_t out[OID_MAX], size_t *size)
{
    uint64_t arc = 0;
    uint64_t root = 0;

    *size = 0;
    for (size_t count = 1;; count++) {
        if (!arc_take(&text, &arc))
            return false;
        if (count == 1)
            root = arc;
        else if (!arc_write(count == 2 ? 40 * root + arc : arc, out, size))
            return false;
        if (*text == '\0')
            return count > 1;
        if (*text++ != '.')
            return false;
    }
}

enum err x509_cert_extension(const struct x509_cert *c, const char *oid, struct span *out)
{
    uint8_t contents[OID_MAX];
    struct span found = {0};
    size_t size;
    enum err e = ERR_NOT_FOUND;

    if (oid_write(oid, contents, &size))
        e = extension_find(c->extensions, span_of(contents, size), &found);
    if (e == ERR_NONE)
        *out = found;
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
