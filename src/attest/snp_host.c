#include "attest/snp_host.h"

#include "codec/der.h"
#include "codec/snp_certs.h"

static const char step[] = "certificates";

MUST_CHECK static enum err role_taken(struct refusal *r)
{
    return refuse(r, ATTEST_VEK_CHAIN_INVALID, step, "one certificate of each role", "two");
}

/* Takes over `c`. */
MUST_CHECK static enum err vek_put(struct attest_vek **place, struct x509_cert *c,
                                   struct refusal *r)
{
    if (*place) {
        x509_cert_free(&c);
        return role_taken(r);
    }
    return snp_vek_new(c, place, r);
}

MUST_CHECK static enum err ca_put(struct x509_cert **place, struct x509_cert *c, struct refusal *r)
{
    if (*place) {
        x509_cert_free(&c);
        return role_taken(r);
    }
    *place = c;
    return ERR_NONE;
}

/* Takes over `c`, and stores it by its own name. */
MUST_CHECK static enum err certificate_put(struct snp_host *host, struct x509_cert *c,
                                           struct refusal *r)
{
    enum attest_vendor product;

    for (unsigned vlek = 0; vlek < 2; vlek++) {
        if (snp_vek_is(c, vlek == 1))
            return vek_put(&host->veks[vlek], c, r);
        if (snp_intermediate_product(c, vlek == 1, &product) == ERR_NONE)
            return ca_put(&host->intermediates[vlek], c, r);
    }
    if (snp_ark_product(c, &product) == ERR_NONE)
        return ca_put(&host->ark, c, r);
    x509_cert_free(&c);
    return refuse(r, ATTEST_VEK_CHAIN_INVALID, step, "certificates of AMD's chain",
                  "another common name");
}

MUST_CHECK static enum err der_read(struct span der, struct snp_host *out, struct refusal *r)
{
    struct reader r_der = reader_over(der);
    struct x509_cert *c = NULL;
    enum err e;

    (void)der_take(&r_der, DER_SEQUENCE);
    if (!r_der.failed && span_is_zero(r_der.rest)) /* some hosts pad certificates with zeros */
        der.size -= r_der.rest.size;
    e = x509_cert_parse(der, &c);

    return e == ERR_NONE ? certificate_put(out, c, r)
                         : refuse_unless_memory(r, e, ATTEST_VEK_CHAIN_INVALID, step,
                                                "certificates in DER", NULL);
}

MUST_CHECK static enum err pem_read_all(struct span pem, struct snp_host *out, struct refusal *r)
{
    struct x509_cert *certs[SNP_HOST_CERTIFICATES_MAX] = {0};
    size_t count = 0;
    enum err e = x509_chain_parse(pem, certs, COUNT_OF(certs), &count);

    if (e != ERR_NONE)
        return refuse_unless_memory(r, e, ATTEST_VEK_CHAIN_INVALID, step,
                                    "at most 8 certificates in PEM", NULL);
    for (size_t i = 0; i < count; i++) {
        if (e == ERR_NONE)
            e = certificate_put(out, certs[i], r);
        else
            x509_cert_free(&certs[i]);
    }
    return e;
}

/* The names in the table do not matter. */
MUST_CHECK static enum err table_read(struct span table, struct snp_host *out, struct refusal *r)
{
    struct snp_certificates found;
    enum err e = snp_certificates_parse(table, &found);

    if (e != ERR_NONE)
        return refuse(r, ATTEST_VEK_CHAIN_INVALID, step,
                      "a certificate table, PEM, or one certificate in DER", NULL);

    const struct span certs[] = {found.vcek, found.vlek, found.ask, found.ark};

    for (size_t i = 0; e == ERR_NONE && i < COUNT_OF(certs); i++)
        if (certs[i].size > 0)
            e = der_read(certs[i], out, r);
    return e;
}

enum err snp_host_read(struct span certificates, struct snp_host *out, struct refusal *r)
{
    if (certificates.size == 0)
        return ERR_NONE;
    if (certificates.size > ATTEST_CHAIN_MAX)
        return refuse_number(r, ATTEST_TOO_LARGE, step, "bytes at most", ATTEST_CHAIN_MAX,
                             certificates.size);
    if (span_starts_with(certificates, SPAN_LITERAL("-----BEGIN")))
        return pem_read_all(certificates, out, r);
    /* a SEQUENCE of 256 to 65535 bytes; no GUID of the table begins like that */
    if (span_starts_with(certificates, SPAN_LITERAL("\x30\x82")))
        return der_read(certificates, out, r);
    return table_read(certificates, out, r);
}

void snp_host_clear(struct snp_host *host)
{
    for (size_t i = 0; i < 2; i++) {
        attest_vek_free(&host->veks[i]);
        x509_cert_free(&host->intermediates[i]);
    }
    x509_cert_free(&host->ark);
}
