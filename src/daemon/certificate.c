#include "daemon/certificate.h"

#include "attest/ra_tls.h"
#include "crypto/x509_make.h"
#include "keys/derive.h"

#define LABEL_TLS_KEY "tls p256 v1"

enum { TLS_DAYS = 397 };

/* The bound value: the key as a certificate without evidence shows it. */
MUST_CHECK static enum err key_hash(const struct x509_template *t, uint8_t spki_sha256[SHA256_SIZE])
{
    struct x509_cert *c = NULL;
    struct buffer der = {0};
    enum err e;

    if ((e = x509_make(t, &der)) == ERR_NONE &&
        (e = x509_cert_parse(buffer_span(&der), &c)) == ERR_NONE)
        x509_cert_spki_sha256(c, spki_sha256);
    x509_cert_free(&c);
    buffer_clear(&der);
    return e;
}

/* The contents of the extension that carries the evidence. */
MUST_CHECK static enum err evidence_take(enum ra_tls_form form, const struct x509_template *t,
                                         struct tee *tee, struct timestamp now, struct buffer *out)
{
    uint8_t spki_sha256[SHA256_SIZE], report_data[REPORT_DATA_SIZE];
    struct tee_evidence evidence = {0};
    enum err e = key_hash(t, spki_sha256);

    if (e == ERR_NONE) {
        ra_tls_report_data(form, spki_sha256, report_data);
        e = tee ? tee->ops->quote(tee, report_data, now, &evidence) : ERR_UNSUPPORTED;
    }
    if (e == ERR_NONE)
        e = ra_tls_write(form, buffer_span(&evidence.quote), spki_sha256, out);
    tee_evidence_clear(&evidence);
    return e;
}

MUST_CHECK static enum err server_make(struct x509_template *t, const struct settings *s,
                                       struct tee *tee, struct timestamp now,
                                       struct tls_server **out)
{
    const enum ra_tls_form form = s->tls.evidence == TLS_EVIDENCE_TCG ? RA_TLS_TCG : RA_TLS_GRAMINE;
    struct buffer extension = {0};
    struct buffer der = {0};
    struct buffer pem = {0};
    enum err e = ERR_NONE;

    if (s->tls.evidence != TLS_EVIDENCE_NONE) {
        e = evidence_take(form, t, tee, now, &extension);
        t->extension_oid = ra_tls_oid(form);
        t->extension = buffer_span(&extension);
    }
    if (e == ERR_NONE && (e = x509_make(t, &der)) == ERR_NONE && der.size > X509_MAX_SIZE)
        e = ERR_TOO_LARGE; /* verifiers, including ours, would refuse it */
    if (e == ERR_NONE && (e = pem_write("CERTIFICATE", buffer_span(&der), &pem)) == ERR_NONE)
        e = tls_server_new(t->key, buffer_span(&pem), out);
    buffer_clear(&extension);
    buffer_clear(&der);
    buffer_clear(&pem);
    return e;
}

enum err certificate_self_signed(const struct settings *s, const struct root *root, struct tee *tee,
                                 struct timestamp now, struct tls_server **out)
{
    uint8_t bytes[P256_DERIVE_SIZE];
    struct p256_private *key = NULL;
    struct x509_template t = {
        .common_name = s->tls.name,
        .serial = (uint64_t)now.ms,
        .not_before = {now.ms - 3600 * 1000},
        .not_after = {now.ms + (int64_t)TLS_DAYS * 86400 * 1000},
        .is_tls_server = true,
        .dns_name = s->tls.name,
    };
    enum err e;

    derive_labelled(&root->epochs[0], LABEL_TLS_KEY, bytes, sizeof bytes);
    e = p256_derive(bytes, &key);
    bytes_wipe(bytes, sizeof bytes);
    t.key = key;
    if (e == ERR_NONE)
        e = server_make(&t, s, tee, now, out);
    p256_private_free(&key);
    return e;
}
