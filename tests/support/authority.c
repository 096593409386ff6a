#include "support/authority.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum { RSA_BITS = 4096, PSS_SALT = 48, SCALAR = 48 };

struct authority_key {
    EVP_PKEY *key;
};

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "authority: %s\n", what);
    abort();
}

static struct authority_key *key_of(EVP_PKEY *made)
{
    struct authority_key *key = malloc(sizeof *key);

    must(key && made, "key");
    key->key = made;
    return key;
}

struct authority_key *authority_key_rsa(void)
{
    return key_of(EVP_RSA_gen(RSA_BITS));
}

struct authority_key *authority_key_p384(void)
{
    return key_of(EVP_EC_gen("P-384"));
}

void authority_key_free(struct authority_key **key)
{
    if (*key)
        EVP_PKEY_free((*key)->key);
    free(*key);
    *key = NULL;
}

void authority_sign(const struct authority_key *key, struct span message, uint8_t out[96])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t der[128];
    const uint8_t *at = der;
    size_t size = sizeof der;
    ECDSA_SIG *signature;

    must(EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, key->key) == 1 &&
             EVP_DigestSign(ctx, der, &size, message.data, message.size) == 1,
         "signature");
    signature = d2i_ECDSA_SIG(NULL, &at, (long)size);
    must(signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, SCALAR) == SCALAR &&
             BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + SCALAR, SCALAR) == SCALAR,
         "r and s");
    ECDSA_SIG_free(signature);
    EVP_MD_CTX_free(ctx);
}

static X509_NAME *name_of(const char *common_name)
{
    X509_NAME *name = X509_NAME_new();

    must(name && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                            (const unsigned char *)common_name, -1, -1, 0) == 1,
         common_name);
    return name;
}

static ASN1_TIME *time_of(struct timestamp t)
{
    ASN1_TIME *made = ASN1_TIME_set(NULL, (time_t)timestamp_seconds(t));

    must(made != NULL, "time");
    return made;
}

/* The context of a signature in the one form that each vendor uses. */
static EVP_MD_CTX *signing_context(const struct authority_key *signer)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;

    must(EVP_DigestSignInit(ctx, &parameters, EVP_sha384(), NULL, signer->key) == 1, "context");
    if (EVP_PKEY_get_base_id(signer->key) == EVP_PKEY_RSA)
        must(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
                 EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, EVP_sha384()) == 1 &&
                 EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, PSS_SALT) == 1,
             "PSS");
    return ctx;
}

static void add_text_extension(X509 *x, int nid, const char *text)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, text);

    must(extension && X509_add_ext(x, extension, -1) == 1, text);
    X509_EXTENSION_free(extension);
}

static void add_extension(X509 *x, const struct authority_extension *e)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(e->oid, 1);
    ASN1_OCTET_STRING *contents = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension;

    must(oid && contents &&
             ASN1_OCTET_STRING_set(contents, e->contents.data, (int)e->contents.size) == 1,
         e->oid);
    extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, contents);
    must(extension && X509_add_ext(x, extension, -1) == 1, e->oid);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(contents);
    ASN1_OBJECT_free(oid);
}

static void add_role(X509 *x, const struct authority_template *t)
{
    char constraints[64] = "critical,CA:TRUE";

    if (!t->is_ca) {
        add_text_extension(x, NID_key_usage, "critical,digitalSignature");
        return;
    }
    if (t->path_length > 0)
        (void)snprintf(constraints, sizeof constraints, "critical,CA:TRUE,pathlen:%d",
                       t->path_length - 1);
    add_text_extension(x, NID_basic_constraints, constraints);
    add_text_extension(x, NID_key_usage, "critical,keyCertSign,cRLSign");
}

static void set_names_and_times(X509 *x, const struct authority_template *t)
{
    X509_NAME *subject = name_of(t->common_name), *issuer = name_of(t->issuer_name);
    ASN1_TIME *from = time_of(t->not_before), *until = time_of(t->not_after);

    must(X509_set_version(x, X509_VERSION_3) == 1 &&
             ASN1_INTEGER_set(X509_get_serialNumber(x), t->serial) == 1 &&
             X509_set_subject_name(x, subject) == 1 && X509_set_issuer_name(x, issuer) == 1 &&
             X509_set1_notBefore(x, from) == 1 && X509_set1_notAfter(x, until) == 1 &&
             X509_set_pubkey(x, t->key->key) == 1,
         t->common_name);
    X509_NAME_free(subject);
    X509_NAME_free(issuer);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
}

/* Takes over what i2d_*() allocated. */
static void give(unsigned char *der, int size, struct buffer *out)
{
    must(der && size > 0, "DER");
    buffer_clear(out);
    must(buffer_append(out, span_of(der, (size_t)size)) == ERR_NONE, "memory");
    OPENSSL_free(der);
}

void authority_certificate(const struct authority_template *t, struct buffer *out)
{
    X509 *x = X509_new();
    EVP_MD_CTX *ctx = signing_context(t->signer);
    unsigned char *der = NULL;
    int size;

    must(x != NULL, "certificate");
    set_names_and_times(x, t);
    add_role(x, t);
    for (size_t i = 0; i < t->extension_count; i++)
        add_extension(x, &t->extensions[i]);
    must(X509_sign_ctx(x, ctx) > 0, "signing a certificate");
    size = i2d_X509(x, &der);
    give(der, size, out);
    EVP_MD_CTX_free(ctx);
    X509_free(x);
}

static void crl_revoke(X509_CRL *crl, long serial, const ASN1_TIME *since)
{
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_INTEGER *number = ASN1_INTEGER_new();

    must(revoked && number && ASN1_INTEGER_set(number, serial) == 1 &&
             X509_REVOKED_set_serialNumber(revoked, number) == 1 &&
             X509_REVOKED_set_revocationDate(revoked, (ASN1_TIME *)(uintptr_t)since) == 1 &&
             X509_CRL_add0_revoked(crl, revoked) == 1,
         "revoked");
    ASN1_INTEGER_free(number);
}

void authority_crl(const char *issuer_name, const struct authority_key *signer,
                   struct timestamp this_update, struct timestamp next_update, long revoked,
                   struct buffer *out)
{
    X509_CRL *crl = X509_CRL_new();
    X509_NAME *issuer = name_of(issuer_name);
    ASN1_TIME *from = time_of(this_update), *until = time_of(next_update);
    EVP_MD_CTX *ctx = signing_context(signer);
    unsigned char *der = NULL;
    int size;

    must(crl && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
             X509_CRL_set_issuer_name(crl, issuer) == 1 &&
             X509_CRL_set1_lastUpdate(crl, from) == 1 && X509_CRL_set1_nextUpdate(crl, until) == 1,
         "CRL");
    if (revoked != 0)
        crl_revoke(crl, revoked, from);
    must(X509_CRL_sign_ctx(crl, ctx) > 0, "signing a CRL");
    size = i2d_X509_CRL(crl, &der);
    give(der, size, out);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    X509_NAME_free(issuer);
    EVP_MD_CTX_free(ctx);
    X509_CRL_free(crl);
}
