#include <stdlib.h>
#include <string.h>

#include "crypto/pem.h"
#include "crypto/x509_der.h"

#define OID_CRL_NUMBER SPAN_LITERAL("\x55\x1d\x14") /* 2.5.29.20 */

enum { TAG_EXTENSIONS = 0xa0 }; /* context-specific, of tbsCertList */

struct x509_crl {
    struct signed_parts parts;
    struct span issuer; /* Name, with its head */
    struct timestamp this_update;
    struct timestamp next_update;
    uint64_t number;      /* cRLNumber */
    struct span *revoked; /* serial numbers, sorted */
    size_t revoked_count;
    uint8_t der[];
};

/*
 * Reads the contents of the extension `oid`, empty when absent. Refuses every critical extension,
 * because it can change the meaning of the CRL: delta CRLs, partial CRLs (issuingDistributionPoint)
 * and indirect entries (certificateIssuer) have one (RFC 5280 sections 5.2 and 5.3).
 */
static struct span extensions_take(struct reader *r, struct span oid)
{
    struct reader list = reader_over(der_take(r, DER_SEQUENCE));
    struct span found = {0};

    while (!list.failed && list.rest.size > 0) {
        const struct extension x = der_take_extension(&list);

        if (x.critical)
            list.failed = true;
        if (span_equal(x.oid, oid))
            found = x.contents;
    }
    r->failed = r->failed || list.failed;
    return found;
}

/* Saturates: a CRL number may have 20 bytes. */
static uint64_t number_read(struct span contents)
{
    struct reader r = reader_over(contents);
    struct span digits = der_take_serial(&r);
    uint64_t value = 0;

    if (contents.size == 0 || reader_finish(&r) != ERR_NONE)
        return 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (value > UINT64_MAX >> 8)
            return UINT64_MAX;
        value = value << 8 | digits.data[i];
    }
    return value;
}

/* The serial number of the next entry. The time and the reason do not matter: "removeFromCRL"
 * occurs only in delta CRLs. */
static struct span revoked_take(struct reader *r)
{
    struct reader entry = reader_over(der_take(r, DER_SEQUENCE));
    struct span serial = der_take_serial(&entry);

    (void)der_take_time(&entry);
    if (entry.rest.size > 0)
        (void)extensions_take(&entry, (struct span){0});
    if (reader_finish(&entry) != ERR_NONE)
        r->failed = true;
    return serial;
}

static int serial_compare(const void *a, const void *b)
{
    const struct span *x = a;
    const struct span *y = b;

    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return memcmp(x->data, y->data, x->size); /* public */
}

MUST_CHECK static enum err revoked_read(struct span list, struct x509_crl *c)
{
    struct reader r = reader_over(list);
    size_t count = 0;

    for (; !r.failed && r.rest.size > 0; count++)
        (void)der_take(&r, DER_SEQUENCE);
    if (r.failed)
        return ERR_MALFORMED;
    c->revoked = calloc(count + 1, sizeof *c->revoked);
    if (!c->revoked)
        return ERR_MEMORY;
    r = reader_over(list);
    for (size_t i = 0; i < count; i++)
        c->revoked[i] = revoked_take(&r);
    c->revoked_count = count;
    if (r.failed)
        return ERR_MALFORMED;
    qsort(c->revoked, count, sizeof *c->revoked, serial_compare);
    return ERR_NONE;
}

/* tbsCertList (RFC 5280 section 5.1.2); nextUpdate is required. */
MUST_CHECK static enum err tbs_read(struct x509_crl *c)
{
    struct reader outer = reader_over(c->parts.signed_bytes);
    struct reader r = reader_over(der_take(&outer, DER_SEQUENCE));
    bool is_version_2 = der_peek(&r) == DER_INTEGER;
    struct span algorithm;
    struct span list = {0};

    if (is_version_2 && der_take_uint(&r, DER_INTEGER, 1) != 1)
        r.failed = true;
    algorithm = der_take_whole(&r, DER_SEQUENCE);
    c->issuer = der_take_whole(&r, DER_SEQUENCE);
    c->this_update = der_take_time(&r);
    c->next_update = der_take_time(&r);
    if (der_peek(&r) == DER_SEQUENCE)
        list = der_take(&r, DER_SEQUENCE);
    if (is_version_2 && der_peek(&r) == TAG_EXTENSIONS) {
        struct reader wrapper = reader_over(der_take(&r, TAG_EXTENSIONS));

        c->number = number_read(extensions_take(&wrapper, OID_CRL_NUMBER));
        if (reader_finish(&wrapper) != ERR_NONE)
            r.failed = true;
    }
    if (reader_finish(&r) != ERR_NONE || !span_equal(algorithm, c->parts.algorithm))
        return ERR_MALFORMED;
    return revoked_read(list, c);
}

MUST_CHECK static enum err crl_parse_der(struct span der, struct x509_crl **out)
{
    struct x509_crl *c;
    enum err e;

    if (der.size > X509_CRL_MAX_SIZE)
        return ERR_TOO_LARGE;
    if (der.size == 0)
        return ERR_MALFORMED;
    c = calloc(1, sizeof *c + der.size);
    if (!c)
        return ERR_MEMORY;
    memcpy(c->der, der.data, der.size);
    if ((e = signed_parts_read(span_of(c->der, der.size), &c->parts)) != ERR_NONE ||
        (e = tbs_read(c)) != ERR_NONE)
        x509_crl_free(&c);
    else
        *out = c;
    return e;
}

enum err x509_crl_parse(struct span bytes, struct x509_crl **out)
{
    struct buffer der = {0};
    struct buffer extra = {0};
    enum err e;

    if (!span_starts_with(bytes, SPAN_LITERAL("-----BEGIN")))
        return crl_parse_der(bytes, out);
    if (bytes.size > 2 * X509_CRL_MAX_SIZE)
        return ERR_TOO_LARGE;
    e = pem_read(&bytes, "X509 CRL", &der);
    if (e == ERR_NONE && pem_read(&bytes, "X509 CRL", &extra) != ERR_NOT_FOUND)
        e = ERR_MALFORMED;
    if (e == ERR_NONE)
        e = crl_parse_der(buffer_span(&der), out);
    buffer_clear(&extra);
    buffer_clear(&der);
    return e;
}

void x509_crl_free(struct x509_crl **crl)
{
    if (*crl)
        free((*crl)->revoked);
    free(*crl);
    *crl = NULL;
}

enum err x509_crl_signed_by(const struct x509_crl *crl, const struct x509_cert *issuer,
                            enum x509_signature algorithm)
{
    if (!issuer->has_usage || (issuer->usage & X509_USAGE_CRL_SIGN) == 0)
        return ERR_CRYPTO;
    return signed_parts_check(&crl->parts, issuer->spki, algorithm);
}

bool x509_crl_issuer_is(const struct x509_crl *crl, const struct x509_cert *issuer)
{
    return span_equal(crl->issuer, issuer->subject);
}

bool x509_crl_valid_at(const struct x509_crl *crl, struct timestamp now)
{
    return crl->this_update.ms <= now.ms && now.ms <= crl->next_update.ms;
}

struct timestamp x509_crl_this_update(const struct x509_crl *crl)
{
    return crl->this_update;
}

struct timestamp x509_crl_next_update(const struct x509_crl *crl)
{
    return crl->next_update;
}

uint64_t x509_crl_number(const struct x509_crl *crl)
{
    return crl->number;
}

void x509_crl_tbs_sha256(const struct x509_crl *crl, uint8_t out[SHA256_SIZE])
{
    sha256(crl->parts.signed_bytes, out);
}

void x509_crl_listed_sha256(const struct x509_crl *crl, uint8_t out[SHA256_SIZE])
{
    uint8_t hash[SHA256_SIZE] = {0};

    for (size_t i = 0; i < crl->revoked_count; i++) { /* in the order of the numbers */
        const struct span parts[] = {SPAN_OF(hash), crl->revoked[i]};
        uint8_t next[SHA256_SIZE];

        sha256_parts(parts, COUNT_OF(parts), next);
        memcpy(hash, next, sizeof hash);
    }
    memcpy(out, hash, SHA256_SIZE);
}

bool x509_crl_lists(const struct x509_crl *crl, const struct x509_cert *c)
{
    return bsearch(&c->serial, crl->revoked, crl->revoked_count, sizeof *crl->revoked,
                   serial_compare) != NULL;
}
