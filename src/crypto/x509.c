#include "crypto/x509.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "codec/der.h"
#include "crypto/ecdsa.h"
#include "crypto/pem.h"
#include "crypto/rsa_pss.h"

/* What is signed, how, and the signature (RFC 5280 sections 4.1.1 and 5.1.1); borrowed. */
struct signed_parts {
    struct span signed_bytes; /* tbsCertificate or tbsCertList with its head */
    struct span algorithm;    /* signatureAlgorithm with its head */
    struct span signature;    /* without the count of unused bits, which is 0 */
};

struct x509_cert {
    X509 *x509;
    struct signed_parts parts;
    struct span spki; /* subjectPublicKeyInfo */
    uint8_t der[];
};

struct x509_crl {
    X509_CRL *crl;
    struct timestamp this_update;
    struct timestamp next_update;
    struct signed_parts parts;
    uint8_t der[];
};

/* OpenSSL keeps a queue of errors per thread; nobody reads it, and it must not grow. */
static enum err failed(enum err e)
{
    ERR_clear_error();
    return e;
}

/* Milliseconds since 1970, or false for what is no time. */
static bool time_read(const ASN1_TIME *time, struct timestamp *out)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    bool ok = epoch && time && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;

    ASN1_TIME_free(epoch);
    if (ok)
        *out = timestamp_of_seconds((int64_t)days * 86400 + seconds);
    return ok;
}

/* The next element with its head. */
static struct span take_whole(struct reader *r, uint8_t tag)
{
    const uint8_t *start = r->rest.data;

    (void)der_take(r, tag);
    return r->failed ? (struct span){0} : span_of(start, (size_t)(r->rest.data - start));
}

static enum err parts_read(struct span der, struct signed_parts *out)
{
    struct reader file = reader_over(der);
    struct reader r = reader_over(der_take(&file, DER_SEQUENCE));
    struct signed_parts p = {0};
    struct reader bits;
    uint8_t unused;

    p.signed_bytes = take_whole(&r, DER_SEQUENCE);
    p.algorithm = take_whole(&r, DER_SEQUENCE);
    bits = reader_over(der_take(&r, DER_BIT_STRING));
    unused = reader_u8(&bits);
    p.signature = bits.rest;
    if (reader_finish(&file) != ERR_NONE || reader_finish(&r) != ERR_NONE || bits.failed ||
        unused != 0)
        return ERR_MALFORMED;
    *out = p;
    return ERR_NONE;
}

static enum err ecdsa_check(enum ecdsa_curve curve, struct span spki,
                            const struct signed_parts *parts)
{
    const uint8_t *point = ecdsa_spki_point(curve, spki);
    struct ecdsa_public key = {0};
    enum err e = point ? ecdsa_public_init(&key, curve, point) : ERR_CRYPTO;

    if (e != ERR_NONE)
        return e;
    e = ecdsa_verify_der(&key, parts->signed_bytes, parts->signature);
    ecdsa_public_clear(&key);
    return e;
}

static enum err rsa_check(struct span spki, const struct signed_parts *parts)
{
    const uint8_t *modulus = rsa4096_spki_modulus(spki);

    return modulus ? rsa4096_pss_verify(modulus, parts->signed_bytes, parts->signature)
                   : ERR_CRYPTO;
}

/*
 * Both the AlgorithmIdentifier and the key have to be what `algorithm` says. The parsers made sure
 * that the identifier inside the signature is the same as the one outside.
 */
static enum err signature_check(const struct signed_parts *parts, struct span spki,
                                enum x509_signature algorithm)
{
    /* RFC 5758 section 3.2 */
    const struct span sha256 = SPAN_LITERAL("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02");
    const struct span sha384 = SPAN_LITERAL("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03");

    switch (algorithm) {
    case X509_ECDSA_P256_SHA256:
        return span_equal(parts->algorithm, sha256) ? ecdsa_check(ECDSA_P256, spki, parts)
                                                    : ERR_CRYPTO;
    case X509_ECDSA_P384_SHA384:
        return span_equal(parts->algorithm, sha384) ? ecdsa_check(ECDSA_P384, spki, parts)
                                                    : ERR_CRYPTO;
    case X509_RSA4096_PSS_SHA384:
        return rsa4096_pss_is_algorithm(parts->algorithm) ? rsa_check(spki, parts) : ERR_CRYPTO;
    }
    return ERR_CRYPTO;
}

/* RFC 5280 section 4.2: a critical extension nobody acts on refuses the certificate. */
static bool critical_extensions_known(const X509 *x509)
{
    for (int i = 0; i < X509_get_ext_count(x509); i++) {
        X509_EXTENSION *extension = X509_get_ext(x509, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

        if (X509_EXTENSION_get_critical(extension) && nid != NID_basic_constraints &&
            nid != NID_key_usage)
            return false;
    }
    return true;
}

/* Also fills OpenSSL's cache of decoded extensions, so that the object is read-only afterwards. */
static bool extensions_well_formed(X509 *x509)
{
    return (X509_get_extension_flags(x509) & EXFLAG_INVALID) == 0 &&
           critical_extensions_known(x509);
}

static bool cert_times_readable(const X509 *x509)
{
    struct timestamp t;

    return time_read(X509_get0_notBefore(x509), &t) && time_read(X509_get0_notAfter(x509), &t);
}

/*
 * The tbsCertificate (RFC 5280 section 4.1) as far as OpenSSL does not give the bytes: the
 * algorithm inside has to be the one outside, and the key is wanted as it stands.
 */
static enum err tbs_read(const struct signed_parts *parts, struct span *spki)
{
    enum { VERSION = 0xa0 };
    struct reader outer = reader_over(parts->signed_bytes);
    struct reader r = reader_over(der_take(&outer, DER_SEQUENCE));
    struct span algorithm;

    if (der_peek(&r) == VERSION)
        (void)der_take(&r, VERSION);
    (void)der_take(&r, DER_INTEGER); /* serialNumber */
    algorithm = take_whole(&r, DER_SEQUENCE);
    (void)der_take(&r, DER_SEQUENCE); /* issuer */
    (void)der_take(&r, DER_SEQUENCE); /* validity */
    (void)der_take(&r, DER_SEQUENCE); /* subject */
    *spki = take_whole(&r, DER_SEQUENCE);
    return !r.failed && span_equal(algorithm, parts->algorithm) ? ERR_NONE : ERR_MALFORMED;
}

static enum err cert_fill(struct x509_cert *c, size_t size)
{
    const unsigned char *next = c->der;
    struct span der = span_of(c->der, size);

    if (parts_read(der, &c->parts) != ERR_NONE || tbs_read(&c->parts, &c->spki) != ERR_NONE)
        return ERR_MALFORMED;
    c->x509 = d2i_X509(NULL, &next, (long)size);
    if (!c->x509 || next != der.data + size || !extensions_well_formed(c->x509) ||
        !cert_times_readable(c->x509))
        return ERR_MALFORMED;
    return ERR_NONE;
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
    e = cert_fill(c, der.size);
    if (e != ERR_NONE)
        x509_cert_free(&c);
    else
        *out = c;
    return failed(e);
}

static enum err chain_read(struct span pem, struct x509_cert **out, size_t capacity, size_t *count)
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
    if (*c)
        X509_free((*c)->x509);
    free(*c);
    *c = NULL;
}

enum err x509_cert_issued_by(const struct x509_cert *c, const struct x509_cert *issuer,
                             enum x509_signature algorithm)
{
    if (X509_NAME_cmp(X509_get_issuer_name(c->x509), X509_get_subject_name(issuer->x509)) != 0)
        return failed(ERR_CRYPTO);
    return signature_check(&c->parts, issuer->spki, algorithm);
}

bool x509_cert_is_ca(const struct x509_cert *c)
{
    uint32_t flags = X509_get_extension_flags(c->x509);
    uint32_t needed = EXFLAG_BCONS | EXFLAG_CA | EXFLAG_KUSAGE;

    return (flags & needed) == needed && (X509_get_key_usage(c->x509) & KU_KEY_CERT_SIGN) != 0;
}

bool x509_cert_has_digital_signature(const struct x509_cert *c)
{
    return (X509_get_extension_flags(c->x509) & EXFLAG_KUSAGE) != 0 &&
           (X509_get_key_usage(c->x509) & KU_DIGITAL_SIGNATURE) != 0;
}

size_t x509_cert_path_length(const struct x509_cert *c)
{
    long length = X509_get_pathlen(c->x509);

    return length < 0 ? SIZE_MAX : (size_t)length;
}

struct timestamp x509_cert_not_after(const struct x509_cert *c)
{
    struct timestamp t = {INT64_MIN};

    (void)time_read(X509_get0_notAfter(c->x509), &t);
    return t;
}

struct timestamp x509_cert_not_before(const struct x509_cert *c)
{
    struct timestamp t = {INT64_MAX};

    (void)time_read(X509_get0_notBefore(c->x509), &t);
    return t;
}

bool x509_cert_valid_at(const struct x509_cert *c, struct timestamp now)
{
    return x509_cert_not_before(c).ms <= now.ms && now.ms <= x509_cert_not_after(c).ms;
}

void x509_cert_spki_sha256(const struct x509_cert *c, uint8_t out[SHA256_SIZE])
{
    sha256(c->spki, out);
}

bool x509_cert_common_name_contains(const struct x509_cert *c, const char *text)
{
    const X509_NAME *name = X509_get_subject_name(c->x509);
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    const ASN1_STRING *value;

    /* two common names would let each reader see the one it likes */
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
        return false;
    value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    return memmem(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value), text,
                  strlen(text)) != NULL;
}

bool x509_cert_same_subject(const struct x509_cert *a, const struct x509_cert *b)
{
    return X509_NAME_cmp(X509_get_subject_name(a->x509), X509_get_subject_name(b->x509)) == 0;
}

enum err x509_cert_extension(const struct x509_cert *c, const char *oid, struct span *out)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    const ASN1_OCTET_STRING *value;
    enum err e = ERR_NONE;
    int at;

    if (!object)
        return failed(ERR_NOT_FOUND);
    at = X509_get_ext_by_OBJ(c->x509, object, -1);
    if (at < 0) {
        e = ERR_NOT_FOUND;
    } else if (X509_get_ext_by_OBJ(c->x509, object, at) >= 0) {
        e = ERR_MALFORMED;
    } else {
        value = X509_EXTENSION_get_data(X509_get_ext(c->x509, at));
        *out = span_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    }
    ASN1_OBJECT_free(object);
    return e;
}

enum err x509_cert_p256(const struct x509_cert *c, struct p256_public **out)
{
    const uint8_t *point = ecdsa_spki_point(ECDSA_P256, c->spki);

    return point ? p256_public_from_point(point, out) : ERR_UNSUPPORTED;
}

enum err x509_cert_p384(const struct x509_cert *c, struct p384_public **out)
{
    const uint8_t *point = ecdsa_spki_point(ECDSA_P384, c->spki);

    return point ? p384_public_from_point(point, out) : ERR_UNSUPPORTED;
}

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

/* The algorithm inside the signature has to be the one outside (RFC 5280 section 5.1.1.2). */
static bool crl_algorithm_agrees(const struct signed_parts *parts)
{
    struct reader outer = reader_over(parts->signed_bytes);
    struct reader r = reader_over(der_take(&outer, DER_SEQUENCE));

    if (der_peek(&r) == DER_INTEGER)
        (void)der_take(&r, DER_INTEGER); /* version */
    return span_equal(take_whole(&r, DER_SEQUENCE), parts->algorithm) && !r.failed;
}

static enum err crl_fill(struct x509_crl *c, size_t size)
{
    const unsigned char *next = c->der;
    struct span der = span_of(c->der, size);

    if (parts_read(der, &c->parts) != ERR_NONE || !crl_algorithm_agrees(&c->parts))
        return ERR_MALFORMED;
    c->crl = d2i_X509_CRL(NULL, &next, (long)size);
    if (!c->crl || next != der.data + size || crl_has_critical_extension(c->crl) ||
        !time_read(X509_CRL_get0_lastUpdate(c->crl), &c->this_update) ||
        !time_read(X509_CRL_get0_nextUpdate(c->crl), &c->next_update))
        return ERR_MALFORMED;
    return ERR_NONE;
}

static enum err crl_parse_der(struct span der, struct x509_crl **out)
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
    return failed(e);
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
    return signature_check(&crl->parts, issuer->spki, algorithm);
}

bool x509_crl_issuer_is(const struct x509_crl *crl, const struct x509_cert *issuer)
{
    return X509_NAME_cmp(X509_CRL_get_issuer(crl->crl), X509_get_subject_name(issuer->x509)) == 0;
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
    X509_REVOKED *entry = NULL;

    /* the reason does not matter: "removeFromCRL" belongs to delta CRLs, which are refused */
    return X509_CRL_get0_by_serial(crl->crl, &entry, X509_get0_serialNumber(c->x509)) != 0;
}
