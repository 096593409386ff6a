#include "crypto/x509_make.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/text.h"
#include "crypto/p256_openssl.h"

#define KEY_ID_SIZE 20

/* RFC 5280 section 4.2.1.2, method 1: SHA-1 of the public key's bits. It is a name, not a
 * protection. */
static bool key_id(const struct p256_private *key, uint8_t out[KEY_ID_SIZE])
{
    uint8_t point[1 + P256_POINT_SIZE] = {0x04};

    p256_private_point(key, point + 1);
    return EVP_Digest(point, sizeof(point), out, NULL, EVP_sha1(), NULL) == 1;
}

static ASN1_OCTET_STRING *key_id_string(const struct p256_private *key)
{
    uint8_t id[KEY_ID_SIZE];
    ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();

    if (string && key_id(key, id) && ASN1_OCTET_STRING_set(string, id, KEY_ID_SIZE) == 1)
        return string;
    ASN1_OCTET_STRING_free(string);
    return NULL;
}

static AUTHORITY_KEYID *authority_new(const struct p256_private *signer)
{
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();

    if (authority && (authority->keyid = key_id_string(signer)))
        return authority;
    AUTHORITY_KEYID_free(authority);
    return NULL;
}

static X509_NAME *name_new(const char *common_name)
{
    X509_NAME *name = X509_NAME_new();

    if (name && X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                           (const unsigned char *)common_name, -1, -1, 0) == 1)
        return name;
    X509_NAME_free(name);
    return NULL;
}

/* RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime later. ASN1_TIME_set() does
 * that. */
static ASN1_TIME *time_new(struct timestamp t)
{
    return ASN1_TIME_set(NULL, (time_t)timestamp_seconds(t));
}

static bool set_names(X509 *cert, const struct x509_template *t)
{
    X509_NAME *subject = name_new(t->common_name);
    X509_NAME *issuer = name_new(t->issuer_name ? t->issuer_name : t->common_name);
    bool done = subject && issuer && X509_set_subject_name(cert, subject) == 1 &&
                X509_set_issuer_name(cert, issuer) == 1;

    X509_NAME_free(subject);
    X509_NAME_free(issuer);
    return done;
}

static bool set_times(X509 *cert, const struct x509_template *t)
{
    ASN1_TIME *from = time_new(t->not_before);
    ASN1_TIME *until = time_new(t->not_after);
    bool done = from && until && X509_set1_notBefore(cert, from) == 1 &&
                X509_set1_notAfter(cert, until) == 1;

    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return done;
}

static bool set_serial(X509 *cert, uint64_t serial)
{
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    bool done = number && ASN1_INTEGER_set_uint64(number, serial) == 1 &&
                X509_set_serialNumber(cert, number) == 1;

    ASN1_INTEGER_free(number);
    return done;
}

static bool add(X509 *cert, int nid, void *value, bool critical)
{
    return value && X509_add1_ext_i2d(cert, nid, value, critical, X509V3_ADD_DEFAULT) == 1;
}

/* Path lengths as in Intel's PKI: intermediates are below the root, and none below them. */
static bool add_basic_constraints(X509 *cert, const struct x509_template *t)
{
    BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
    bool done = constraints != NULL;

    if (done && t->is_ca) {
        constraints->ca = 0xff; /* DER's TRUE */
        constraints->pathlen = ASN1_INTEGER_new();
        done = constraints->pathlen && ASN1_INTEGER_set(constraints->pathlen, t->signer ? 0 : 1);
    }
    done = done && add(cert, NID_basic_constraints, constraints, true);
    BASIC_CONSTRAINTS_free(constraints);
    return done;
}

/* Bit numbers of RFC 5280 section 4.2.1.3. */
static bool add_key_usage(X509 *cert, const struct x509_template *t)
{
    enum { DIGITAL_SIGNATURE = 0, NON_REPUDIATION = 1, CERT_SIGN = 5, CRL_SIGN = 6 };
    int first = t->is_ca ? CERT_SIGN : DIGITAL_SIGNATURE;
    int second = t->is_ca ? CRL_SIGN : NON_REPUDIATION;
    ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
    bool done = usage && ASN1_BIT_STRING_set_bit(usage, first, 1) == 1 &&
                (t->is_tls_server || ASN1_BIT_STRING_set_bit(usage, second, 1) == 1) &&
                add(cert, NID_key_usage, usage, true);

    ASN1_BIT_STRING_free(usage);
    return done;
}

static bool add_key_ids(X509 *cert, const struct x509_template *t)
{
    ASN1_OCTET_STRING *subject = key_id_string(t->key);
    AUTHORITY_KEYID *authority = authority_new(t->signer ? t->signer : t->key);
    bool done = add(cert, NID_subject_key_identifier, subject, false) &&
                add(cert, NID_authority_key_identifier, authority, false);

    ASN1_OCTET_STRING_free(subject);
    AUTHORITY_KEYID_free(authority);
    return done;
}

/* The name in its own form: an address if it is one, otherwise a DNS name. */
static GENERAL_NAME *alternative_name(const char *text)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);
    ASN1_IA5STRING *dns = address ? NULL : ASN1_IA5STRING_new();

    if (name && address) {
        GENERAL_NAME_set0_value(name, GEN_IPADD, address);
        return name;
    }
    if (name && dns && ASN1_STRING_set(dns, text, -1) == 1) {
        GENERAL_NAME_set0_value(name, GEN_DNS, dns);
        return name;
    }
    ASN1_OCTET_STRING_free(address);
    ASN1_IA5STRING_free(dns);
    GENERAL_NAME_free(name);
    return NULL;
}

static bool add_alternative_name(X509 *cert, const char *text)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = alternative_name(text);
    bool done = false;

    if (names && name && sk_GENERAL_NAME_push(names, name) > 0) {
        name = NULL; /* the list owns it now */
        done = add(cert, NID_subject_alt_name, names, false);
    }
    GENERAL_NAME_free(name);
    GENERAL_NAMES_free(names);
    return done;
}

static bool add_tls_server(X509 *cert, const struct x509_template *t)
{
    EXTENDED_KEY_USAGE *usage;
    bool done;

    if (!t->is_tls_server)
        return true;
    usage = EXTENDED_KEY_USAGE_new();
    done = usage && sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(NID_server_auth)) > 0 &&
           add(cert, NID_ext_key_usage, usage, false);
    EXTENDED_KEY_USAGE_free(usage);
    return done && (!t->dns_name || add_alternative_name(cert, t->dns_name));
}

static bool add_crl_url(X509 *cert, const char *url)
{
    CRL_DIST_POINTS *points = CRL_DIST_POINTS_new();
    DIST_POINT *point = DIST_POINT_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *uri = ASN1_IA5STRING_new();
    bool done = false;

    if (points && point && name && uri && (point->distpoint = DIST_POINT_NAME_new()) &&
        (point->distpoint->name.fullname = GENERAL_NAMES_new()) &&
        ASN1_STRING_set(uri, url, -1) == 1) {
        point->distpoint->type = 0; /* fullName, RFC 5280 section 4.2.1.13 */
        GENERAL_NAME_set0_value(name, GEN_URI, uri);
        uri = NULL; /* the name owns it now */
        if (sk_GENERAL_NAME_push(point->distpoint->name.fullname, name) > 0) {
            name = NULL; /* the list owns it now */
            done = sk_DIST_POINT_push(points, point) > 0;
        }
        if (done)
            point = NULL; /* the list owns it now */
        done = done && add(cert, NID_crl_distribution_points, points, false);
    }
    ASN1_IA5STRING_free(uri);
    GENERAL_NAME_free(name);
    DIST_POINT_free(point);
    CRL_DIST_POINTS_free(points);
    return done;
}

static bool add_extension(X509 *cert, const char *oid, struct span contents)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;
    bool done = object && value && contents.size <= INT16_MAX &&
                ASN1_OCTET_STRING_set(value, contents.data, (int)contents.size) == 1 &&
                (extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, value)) &&
                X509_add_ext(cert, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
    return done;
}

static bool fill(X509 *cert, const struct x509_template *t, EVP_PKEY *key)
{
    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert, t->serial) &&
           set_names(cert, t) && set_times(cert, t) && X509_set_pubkey(cert, key) == 1 &&
           add_key_ids(cert, t) && (!t->crl_url || add_crl_url(cert, t->crl_url)) &&
           add_key_usage(cert, t) && add_basic_constraints(cert, t) && add_tls_server(cert, t) &&
           (!t->extension_oid || add_extension(cert, t->extension_oid, t->extension));
}

/* Appends and frees the memory from i2d_*(). */
MUST_CHECK static enum err append_der(unsigned char *der, int size, struct buffer *out)
{
    enum err e = ERR_CRYPTO;

    if (size > 0)
        e = buffer_append(out, span_of(der, (size_t)size));
    OPENSSL_free(der);
    return e;
}

enum err x509_make(const struct x509_template *t, struct buffer *out)
{
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    EVP_PKEY *signer = NULL;
    unsigned char *der = NULL;
    enum err e;

    assert(t->serial > 0); /* RFC 5280 section 4.1.2.2 */
    if ((e = p256_openssl_key(t->key, &key)) != ERR_NONE ||
        (e = p256_openssl_key(t->signer ? t->signer : t->key, &signer)) != ERR_NONE)
        goto out;
    cert = X509_new();
    e = cert ? ERR_CRYPTO : ERR_MEMORY;
    if (cert && fill(cert, t, key) && X509_sign(cert, signer, EVP_sha256()) > 0) {
        int size = i2d_X509(cert, &der);

        e = append_der(der, size, out);
    }
out:
    X509_free(cert);
    EVP_PKEY_free(signer);
    EVP_PKEY_free(key);
    return e;
}

static bool add_revoked(X509_CRL *crl, uint64_t serial, const ASN1_TIME *date)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    bool done = entry && number && ASN1_INTEGER_set_uint64(number, serial) == 1 &&
                X509_REVOKED_set_serialNumber(entry, number) == 1 &&
                X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *)(uintptr_t)date) == 1 &&
                X509_CRL_add0_revoked(crl, entry) == 1;

    ASN1_INTEGER_free(number);
    if (!done)
        X509_REVOKED_free(entry);
    return done;
}

static bool fill_crl_body(X509_CRL *crl, const struct x509_crl_template *t)
{
    X509_NAME *issuer = name_new(t->issuer_name);
    ASN1_TIME *from = time_new(t->this_update);
    ASN1_TIME *until = time_new(t->next_update);
    bool done = issuer && from && until && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
                X509_CRL_set_issuer_name(crl, issuer) == 1 &&
                X509_CRL_set1_lastUpdate(crl, from) == 1 &&
                X509_CRL_set1_nextUpdate(crl, until) == 1;

    for (size_t i = 0; done && i < t->revoked_count; i++)
        done = add_revoked(crl, t->revoked[i], from);
    X509_NAME_free(issuer);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return done;
}

/* RFC 5280 section 5.2 requires both from a conforming issuer. */
static bool fill_crl_extensions(X509_CRL *crl, const struct x509_crl_template *t)
{
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    AUTHORITY_KEYID *authority = authority_new(t->signer);
    bool done = number && authority && ASN1_INTEGER_set_uint64(number, t->number) == 1 &&
                X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, X509V3_ADD_DEFAULT) == 1 &&
                X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, authority, 0,
                                      X509V3_ADD_DEFAULT) == 1;

    ASN1_INTEGER_free(number);
    AUTHORITY_KEYID_free(authority);
    return done;
}

enum err x509_make_crl(const struct x509_crl_template *t, struct buffer *out)
{
    X509_CRL *crl = NULL;
    EVP_PKEY *signer = NULL;
    unsigned char *der = NULL;
    enum err e = p256_openssl_key(t->signer, &signer);

    if (e != ERR_NONE)
        return e;
    crl = X509_CRL_new();
    e = crl ? ERR_CRYPTO : ERR_MEMORY;
    if (crl && fill_crl_body(crl, t) && fill_crl_extensions(crl, t) && X509_CRL_sort(crl) == 1 &&
        X509_CRL_sign(crl, signer, EVP_sha256()) > 0) {
        int size = i2d_X509_CRL(crl, &der);

        e = append_der(der, size, out);
    }
    X509_CRL_free(crl);
    EVP_PKEY_free(signer);
    return e;
}

/* RFC 7468 section 2: lines of 64 characters, which hold 48 bytes. */
enum err pem_write(const char *label, struct span der, struct buffer *out)
{
    enum { LINE_BYTES = 48, LINE_CHARACTERS = 64 };
    enum err e = buffer_printf(out, "-----BEGIN %s-----\n", label);

    for (size_t at = 0; e == ERR_NONE && at < der.size; at += LINE_BYTES) {
        struct span part = span_slice(der, at, LINE_BYTES);
        char line[LINE_CHARACTERS];

        base64_write(part, line);
        if ((e = buffer_append(out, span_of(line, base64_size(part.size)))) == ERR_NONE)
            e = buffer_append_string(out, "\n");
    }
    return e == ERR_NONE ? buffer_printf(out, "-----END %s-----\n", label) : e;
}
