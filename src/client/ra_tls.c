/* Evidence inside certificates. */
#include <string.h>

#include <vouchsafe/attest.h>

#include "attest/ra_tls.h"
#include "client/client.h"

#define CHAIN_MAX 8 /* certificates after the wanted one, in PEM */

_Static_assert(VS_RA_TLS_GRAMINE - 1 == (int)RA_TLS_GRAMINE && VS_RA_TLS_TCG - 1 == (int)RA_TLS_TCG,
               "forms");

static const char pem_begin[] = "-----BEGIN CERTIFICATE-----";

const char *vs_ra_tls_form_name(enum vs_ra_tls_form form)
{
    static const char *const names[] = {[VS_RA_TLS_GRAMINE] = "gramine", [VS_RA_TLS_TCG] = "tcg"};

    return form == VS_RA_TLS_GRAMINE || form == VS_RA_TLS_TCG ? names[form] : "";
}

static bool is_pem(struct span bytes)
{
    return span_starts_with(bytes, span_string(pem_begin));
}

bool vs_is_certificate(struct vs_bytes bytes)
{
    const struct span b = span_of_bytes(bytes);

    return is_pem(b) || (b.size > 1 && b.data[0] == 0x30 && b.data[1] >= 0x80);
}

/* The first of a chain. */
MUST_CHECK static enum err certificate_parse(struct span bytes, struct x509_cert **out)
{
    struct x509_cert *chain[CHAIN_MAX] = {0};
    size_t count = 0;
    enum err e;

    if (!is_pem(bytes))
        return x509_cert_parse(bytes, out);
    if ((e = x509_chain_parse(bytes, chain, CHAIN_MAX, &count)) != ERR_NONE)
        return e;
    for (size_t i = 1; i < count; i++)
        x509_cert_free(&chain[i]);
    *out = chain[0];
    return count > 0 ? ERR_NONE : ERR_MALFORMED;
}

MUST_CHECK static enum vs_error read(const struct x509_cert *c, struct vs_ra_tls *out)
{
    struct ra_tls_evidence found = {0};
    const enum err e = ra_tls_read(c, &found);

    x509_cert_spki_sha256(c, out->key_sha256);
    if (e == ERR_DENIED)
        return VS_ERR_UNTRUSTED;
    if (e != ERR_NONE)
        return error_of(e);
    out->form = (enum vs_ra_tls_form)(found.form + 1);
    memcpy(out->report_data, found.report_data, sizeof out->report_data);
    return blob_copy(found.evidence, &out->evidence);
}

enum vs_error vs_ra_tls_read(struct vs_bytes certificate, struct vs_ra_tls *out)
{
    struct x509_cert *c = NULL;
    enum vs_error e;

    if (out == NULL || (certificate.data == NULL && certificate.size > 0))
        return VS_ERR_ARGUMENT;
    *out = (struct vs_ra_tls){0};
    e = error_of(certificate_parse(span_of_bytes(certificate), &c));
    if (e == VS_OK)
        e = read(c, out);
    x509_cert_free(&c);
    return e;
}

void vs_ra_tls_clear(struct vs_ra_tls *r)
{
    if (r == NULL)
        return;
    vs_blob_clear(&r->evidence);
    *r = (struct vs_ra_tls){0};
}
