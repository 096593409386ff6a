#include "crypto/x509.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/pem.h"

struct x509_cert {
    X509 *x509;
};

struct x509_crl {
    X509_CRL *crl;
    struct timestamp this_update;
    struct timestamp next_update;
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

/* ECDSA with SHA-256, and the same algorithm inside the signature as outside. */
static bool is_ecdsa_sha256(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object = NULL;

    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    return OBJ_obj2nid(object) == NID_ecdsa_with_SHA256;
}

/*
 * The point of an id-ecPublicKey on the named curve P-256, uncompressed (RFC 5480), without its
 * 0x04; NULL for any other key.
 */
static const uint8_t *p256_point(const X509 *x509)
{
    const unsigned char *bytes = NULL;
    const void *parameter = NULL;
    const ASN1_OBJECT *algorithm = NULL;
    X509_ALGOR *identifier = NULL;
    int size = 0, type = V_ASN1_UNDEF;

    if (X509_PUBKEY_get0_param(NULL, &bytes, &size, &identifier, X509_get_X509_PUBKEY(x509)) != 1)
        return NULL;
    X509_ALGOR_get0(&algorithm, &type, &parameter, identifier);
    if (OBJ_obj2nid(algorithm) != NID_X9_62_id_ecPublicKey || type != V_ASN1_OBJECT ||
        OBJ_obj2nid(parameter) != NID_X9_62_prime256v1 || size != 1 + P256_POINT_SIZE ||
        bytes[0] != 0x04)
        return NULL;
    return bytes + 1;
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

static bool is_der_of(struct span bytes, unsigned char *der, int size)
{
    return der && size > 0 && span_equal(bytes, span_of(der, (size_t)size));
}

/* OpenSSL also reads BER: what it would write must be what was received. */
static bool cert_is_der(const X509 *x509, struct span bytes)
{
    unsigned char *der = NULL;
    int size = i2d_X509(x509, &der);
    bool same = is_der_of(bytes, der, size);

    OPENSSL_free(der);
    return same;
}

static bool crl_is_der(const X509_CRL *crl, struct span bytes)
{
    unsigned char *der = NULL;
    int size = i2d_X509_CRL(crl, &der);
    bool same = is_der_of(bytes, der, size);

    OPENSSL_free(der);
    return same;
}

static bool cert_times_readable(const X509 *x509)
{
    struct timestamp t;

    return time_read(X509_get0_notBefore(x509), &t) && time_read(X509_get0_notAfter(x509), &t);
}

enum err x509_cert_parse(struct span der, struct x509_cert **out)
{
    const unsigned char *next = der.data;
    struct x509_cert *c;
    X509 *x509;

    if (der.size > X509_MAX_SIZE)
        return ERR_TOO_LARGE;
    if (der.size == 0)
        return ERR_MALFORMED;
    x509 = d2i_X509(NULL, &next, (long)der.size);
    if (!x509 || next != der.data + der.size || !cert_is_der(x509, der) ||
        !extensions_well_formed(x509) || !cert_times_readable(x509)) {
        X509_free(x509);
        return failed(ERR_MALFORMED);
    }
    c = calloc(1, sizeof *c);
    if (!c) {
        X509_free(x509);
        return ERR_MEMORY;
    }
    c->x509 = x509;
    *out = c;
    return ERR_NONE;
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

enum err x509_cert_issued_by(const struct x509_cert *c, const struct x509_cert *issuer)
{
    /* X509_verify() itself refuses when the algorithms inside and outside the signature differ */
    if (!is_ecdsa_sha256(X509_get0_tbs_sigalg(c->x509)) || !p256_point(issuer->x509) ||
        X509_NAME_cmp(X509_get_issuer_name(c->x509), X509_get_subject_name(issuer->x509)) != 0 ||
        X509_verify(c->x509, X509_get0_pubkey(issuer->x509)) != 1)
        return failed(ERR_CRYPTO);
    return ERR_NONE;
}

bool x509_cert_is_ca(const struct x509_cert *c)
{
    uint32_t flags = X509_get_extension_flags(c->x509);
    uint32_t needed = EXFLAG_BCONS | EXFLAG_CA | EXFLAG_KUSAGE;

    return (flags & needed) == needed && (X509_get_key_usage(c->x509) & KU_KEY_CERT_SIGN) != 0;
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
    unsigned char *der = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x509), &der);

    /* out of memory: the hash of nothing, which no pin and no other key has */
    sha256(span_of(der, size > 0 ? (size_t)size : 0), out);
    OPENSSL_free(der);
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
    const uint8_t *point = p256_point(c->x509);

    return point ? p256_public_from_point(point, out) : ERR_UNSUPPORTED;
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

static enum err crl_parse_der(struct span der, struct x509_crl **out)
{
    const unsigned char *next = der.data;
    struct timestamp this_update, next_update;
    struct x509_crl *c;
    X509_CRL *crl;

    if (der.size > X509_CRL_MAX_SIZE)
        return ERR_TOO_LARGE;
    if (der.size == 0)
        return ERR_MALFORMED;
    crl = d2i_X509_CRL(NULL, &next, (long)der.size);
    if (!crl || next != der.data + der.size || !crl_is_der(crl, der) ||
        crl_has_critical_extension(crl) ||
        !time_read(X509_CRL_get0_lastUpdate(crl), &this_update) ||
        !time_read(X509_CRL_get0_nextUpdate(crl), &next_update)) {
        X509_CRL_free(crl);
        return failed(ERR_MALFORMED);
    }
    c = calloc(1, sizeof *c);
    if (!c) {
        X509_CRL_free(crl);
        return ERR_MEMORY;
    }
    *c = (struct x509_crl){crl, this_update, next_update};
    *out = c;
    return ERR_NONE;
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

enum err x509_crl_signed_by(const struct x509_crl *crl, const struct x509_cert *issuer)
{
    const X509_ALGOR *algorithm = NULL;

    X509_CRL_get0_signature(crl->crl, NULL, &algorithm);
    if (!is_ecdsa_sha256(algorithm) || !p256_point(issuer->x509) ||
        X509_CRL_verify(crl->crl, X509_get0_pubkey(issuer->x509)) != 1)
        return failed(ERR_CRYPTO);
    return ERR_NONE;
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
