#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/pem.h"
#include "crypto/x509_der.h"

struct x509_crl {
    X509_CRL *crl; /* for what is listed */
    struct signed_parts parts;
    struct span issuer; /* Name, with its head */
    struct timestamp this_update;
    struct timestamp next_update;
    uint8_t der[];
};

/*
 * A CRL says what it says only if nothing critical in it is unknown: delta CRLs, partial ones
 * (issuingDistributionPoint) and indirect entries (certificateIssuer) are critical (RFC 5280
 * sections 5.2 and 5.3) and all refused.
 */
static bool crl_has_critical_extension(X509_CRL *crl)
{
    STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(crl);

    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++)
        if (X509_EXTENSION_get_critical(X509_CRL_get_ext(crl, i)))
            return true;
    for (int i = 0; i < sk_X509_REVOKED_num(revoked); i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(revoked, i);

        for (int j = 0; j < X509_REVOKED_get_ext_count(entry); j++)
            if (X509_EXTENSION_get_critical(X509_REVOKED_get_ext(entry, j)))
                return true;
    }
    return false;
}

/* tbsCertList (RFC 5280 section 5.1.2) up to the list; nextUpdate has to be there. */
MUST_CHECK static enum err head_read(struct x509_crl *c)
{
    struct reader outer = reader_over(c->parts.signed_bytes);
    struct reader r = reader_over(der_take(&outer, DER_SEQUENCE));
    struct span algorithm;

    if (der_peek(&r) == DER_INTEGER) /* version 2 */
        (void)der_take_uint(&r, DER_INTEGER, 1);
    algorithm = der_take_whole(&r, DER_SEQUENCE);
    c->issuer = der_take_whole(&r, DER_SEQUENCE);
    c->this_update = der_take_time(&r);
    c->next_update = der_take_time(&r);
    return !r.failed && span_equal(algorithm, c->parts.algorithm) ? ERR_NONE : ERR_MALFORMED;
}

/*
 * OpenSSL sorts the list at the first lookup, under a lock, and takes a lock that fails for "not
 * listed". Sorted here, while one thread has it, a lookup only reads.
 */
static bool crl_sort(X509_CRL *crl)
{
    STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(crl);

    sk_X509_REVOKED_sort(revoked);
    return sk_X509_REVOKED_is_sorted(revoked) == 1; /* also of a list that is not there */
}

MUST_CHECK static enum err crl_fill(struct x509_crl *c, size_t size)
{
    const unsigned char *next = c->der;
    enum err e;

    if ((e = signed_parts_read(span_of(c->der, size), &c->parts)) != ERR_NONE ||
        (e = head_read(c)) != ERR_NONE)
        return e;
    c->crl = d2i_X509_CRL(NULL, &next, (long)size);
    if (c->crl && next == c->der + size && !crl_has_critical_extension(c->crl) && crl_sort(c->crl))
        return ERR_NONE;
    ERR_clear_error(); /* OpenSSL keeps a queue of them per thread; it must not grow */
    return ERR_MALFORMED;
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
    e = crl_fill(c, der.size);
    if (e != ERR_NONE)
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
        X509_CRL_free((*crl)->crl);
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

bool x509_crl_lists(const struct x509_crl *crl, const struct x509_cert *c)
{
    const unsigned char *next = c->serial.data;
    ASN1_INTEGER *serial = d2i_ASN1_INTEGER(NULL, &next, (long)c->serial.size);
    X509_REVOKED *entry = NULL;
    /* the reason does not matter: "removeFromCRL" belongs to delta CRLs, which are refused; and who
     * cannot be looked up, or only in a list out of order, is as good as listed */
    bool listed = !serial || sk_X509_REVOKED_is_sorted(X509_CRL_get_REVOKED(crl->crl)) != 1 ||
                  X509_CRL_get0_by_serial(crl->crl, &entry, serial) != 0;

    ASN1_INTEGER_free(serial);
    return listed;
}
