#include "attest/snp_vek.h"

#include <stdlib.h>
#include <string.h>

#include "attest/part.h"
#include "codec/der.h"

#define AMD_OID "1.3.6.1.4.1.3704.1."

static const char step[] = "vek";

/* The OIDs of the extensions. Those for other products are absent. */
MUST_CHECK static enum err extensions_read(const struct x509_cert *c, struct snp_extensions *out)
{
    const struct {
        const char *oid;
        struct span *contents;
    } table[] = {
        {AMD_OID "1",   &out->struct_version},
        {AMD_OID "2",   &out->product_name  },
        {AMD_OID "3.1", &out->spl[1]        },
        {AMD_OID "3.2", &out->spl[2]        },
        {AMD_OID "3.3", &out->spl[3]        },
        {AMD_OID "3.4", &out->spl[4]        },
        {AMD_OID "3.5", &out->spl[5]        },
        {AMD_OID "3.6", &out->spl[6]        },
        {AMD_OID "3.7", &out->spl[7]        },
        {AMD_OID "3.8", &out->spl[8]        },
        {AMD_OID "3.9", &out->spl[9]        },
        {AMD_OID "4",   &out->hw_id         },
        {AMD_OID "5",   &out->csp_id        },
    };

    *out = (struct snp_extensions){0};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        enum err e = x509_cert_extension(c, table[i].oid, table[i].contents);

        if (e != ERR_NONE && e != ERR_NOT_FOUND)
            return e;
        if (e == ERR_NONE && table[i].contents->size == 0)
            return ERR_MALFORMED;
    }
    return ERR_NONE;
}

MUST_CHECK static enum err number_read(struct span contents, uint64_t max, uint8_t *out)
{
    struct reader r = reader_over(contents);

    *out = (uint8_t)der_take_uint(&r, DER_INTEGER, max);
    return reader_finish(&r);
}

MUST_CHECK static enum err text_read(struct span contents, char *out, size_t out_size)
{
    struct reader r = reader_over(contents);
    struct span text = der_take(&r, DER_IA5_STRING);

    if (reader_finish(&r) != ERR_NONE || text.size == 0)
        return ERR_MALFORMED;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x20 || text.data[i] > 0x7e)
            return ERR_MALFORMED;
    return span_to_string(text, out, out_size) == ERR_NONE ? ERR_NONE : ERR_MALFORMED;
}

/* "Milan" (VLEKs), "Milan-B0" (VCEKs, with the stepping). */
MUST_CHECK static enum err product_read(struct span contents, enum attest_vendor *out)
{
    static const enum attest_vendor products[] = {ATTEST_AMD_MILAN, ATTEST_AMD_GENOA,
                                                  ATTEST_AMD_TURIN};
    char text[16];

    if (text_read(contents, text, sizeof text) != ERR_NONE)
        return ERR_MALFORMED;
    for (size_t i = 0; i < COUNT_OF(products); i++) {
        const size_t size = strlen(snp_product_name(products[i]));

        if (strncmp(text, snp_product_name(products[i]), size) == 0 &&
            (text[size] == '\0' || (text[size] == '-' && text[size + 1] != '\0'))) {
            *out = products[i];
            return ERR_NONE;
        }
    }
    return ERR_MALFORMED;
}

/* The index in TCB_VERSION of each SPL. Turin has .3.9 (FMC) and no .3.4. */
struct layout {
    uint8_t spl[SNP_TCB_SIZE];
    uint8_t absent;
    uint8_t struct_version;
    uint8_t hw_id_size;
};
static const struct layout layout_turin = {
    {9, 1, 2, 3, 5, 6, 7, 8},
    4, 1, 8
};
static const struct layout layout_others = {
    {1, 2, 4, 5, 6, 7, 3, 8},
    9, 0, SNP_HW_ID_MAX
};

MUST_CHECK static enum err tcb_read(const struct snp_extensions *x, const struct layout *layout,
                                    uint8_t out[SNP_TCB_SIZE])
{
    if (x->spl[layout->absent].size > 0)
        return ERR_MALFORMED;
    for (size_t i = 0; i < SNP_TCB_SIZE; i++)
        if (number_read(x->spl[layout->spl[i]], UINT8_MAX, &out[i]) != ERR_NONE)
            return ERR_MALFORMED;
    return ERR_NONE;
}

/* AMD writes the bytes directly into the extension; some encoders wrap them. */
MUST_CHECK static enum err hw_id_read(struct span contents, size_t size, struct span *out)
{
    struct reader r = reader_over(contents);

    if (contents.size == size) {
        *out = contents;
        return ERR_NONE;
    }
    *out = der_take(&r, DER_OCTET_STRING);
    return reader_finish(&r) == ERR_NONE && out->size == size ? ERR_NONE : ERR_MALFORMED;
}

/* A VCEK belongs to a chip and not to a cloud; a VLEK to a cloud and not to a chip. */
MUST_CHECK static enum err owner_read(const struct snp_extensions *x, const struct layout *layout,
                                      struct snp_vek_claims *claims)
{
    if (claims->by_vlek)
        return x->hw_id.size > 0 ? ERR_MALFORMED
                                 : text_read(x->csp_id, claims->csp_id, sizeof claims->csp_id);
    return x->csp_id.size > 0 ? ERR_MALFORMED
                              : hw_id_read(x->hw_id, layout->hw_id_size, &claims->hw_id);
}

enum err snp_vek_claims_parse(const struct snp_extensions *extensions, bool by_vlek,
                              struct snp_vek_claims *out)
{
    struct snp_vek_claims claims = {.by_vlek = by_vlek};
    const struct layout *layout;
    uint8_t struct_version;

    if (product_read(extensions->product_name, &claims.product) != ERR_NONE ||
        number_read(extensions->struct_version, UINT8_MAX, &struct_version) != ERR_NONE)
        return ERR_MALFORMED;
    layout = claims.product == ATTEST_AMD_TURIN ? &layout_turin : &layout_others;
    if (struct_version != layout->struct_version ||
        tcb_read(extensions, layout, claims.tcb) != ERR_NONE ||
        owner_read(extensions, layout, &claims) != ERR_NONE)
        return ERR_MALFORMED;
    *out = claims;
    return ERR_NONE;
}

bool snp_vek_is(const struct x509_cert *certificate, bool by_vlek)
{
    return !x509_cert_claims_ca(certificate) &&
           x509_cert_common_name_contains(certificate, by_vlek ? "SEV-VLEK" : "SEV-VCEK");
}

MUST_CHECK static enum err vek_fill(struct attest_vek *vek, struct refusal *r)
{
    const bool by_vlek = snp_vek_is(vek->certificate, true);
    struct snp_extensions extensions;
    enum err e;

    if (!by_vlek && !snp_vek_is(vek->certificate, false))
        return refuse(r, ATTEST_VEK_CHAIN_INVALID, step, "SEV-VCEK or SEV-VLEK, and no CA",
                      "another certificate");
    if (extensions_read(vek->certificate, &extensions) != ERR_NONE ||
        snp_vek_claims_parse(&extensions, by_vlek, &vek->claims) != ERR_NONE)
        return refuse(r, ATTEST_VEK_CHAIN_INVALID, step,
                      "well-formed extensions below " AMD_OID "1", NULL);
    if ((e = x509_cert_p384(vek->certificate, &vek->key)) != ERR_NONE)
        return refuse_unless_memory(r, e, ATTEST_VEK_CHAIN_INVALID, step, "a P-384 key", NULL);
    return ERR_NONE;
}

enum err snp_vek_new(struct x509_cert *certificate, struct attest_vek **out, struct refusal *r)
{
    struct attest_vek *vek = calloc(1, sizeof *vek);
    enum err e = ERR_MEMORY;

    if (!vek) {
        x509_cert_free(&certificate);
        return ERR_MEMORY;
    }
    vek->certificate = certificate;
    if ((e = vek_fill(vek, r)) == ERR_NONE)
        *out = vek;
    else
        attest_vek_free(&vek);
    return e;
}

/* One certificate, DER or PEM. */
MUST_CHECK static enum err certificate_read(struct span bytes, struct x509_cert **out)
{
    size_t count = 0;
    enum err e;

    if (!span_starts_with(bytes, SPAN_LITERAL("-----BEGIN")))
        return x509_cert_parse(bytes, out);
    e = x509_chain_parse(bytes, out, 1, &count);
    return e == ERR_NONE && count == 0 ? ERR_MALFORMED : e;
}

enum err attest_vek_new(struct span certificate, struct attest_vek **out,
                        enum attest_reason *reason)
{
    struct refusal r = {.reason = ATTEST_INTERNAL};
    struct x509_cert *c = NULL;
    enum err e = certificate_read(certificate, &c);

    if (e == ERR_NONE)
        e = snp_vek_new(c, out, &r);
    else
        e = refuse_unless_memory(&r, e, ATTEST_VEK_CHAIN_INVALID, step, "one certificate", NULL);
    *reason = e == ERR_NONE ? ATTEST_OK : r.reason;
    return e;
}

void attest_vek_part(const struct attest_vek *vek, struct attest_part *out)
{
    part_of_certificate(vek->certificate, NULL, out);
}

struct timestamp attest_vek_expiry(const struct attest_vek *vek)
{
    return x509_cert_not_after(vek->certificate);
}

void attest_vek_free(struct attest_vek **vek)
{
    if (*vek) {
        p384_public_free(&(*vek)->key);
        x509_cert_free(&(*vek)->certificate);
    }
    free(*vek);
    *vek = NULL;
}

/* Turin's chip id has 8 bytes, then zeros. */
static bool chip_matches(struct span hw_id, const uint8_t chip_id[SNP_HW_ID_MAX])
{
    const struct span chip = span_of(chip_id, SNP_HW_ID_MAX);

    return span_starts_with(chip, hw_id) &&
           span_is_zero(span_slice(chip, hw_id.size, SNP_HW_ID_MAX));
}

enum err snp_vek_match(const struct attest_vek *vek, const struct snp_evidence *evidence,
                       struct refusal *r)
{
    const struct snp_vek_claims *claims = &vek->claims;
    const struct snp_report *report = &evidence->report;

    if (!span_equal(SPAN_OF(claims->tcb), SPAN_OF(report->reported_tcb_bytes)))
        return refuse_bytes(r, ATTEST_VEK_TCB_MISMATCH, step, "reported TCB", SPAN_OF(claims->tcb),
                            SPAN_OF(report->reported_tcb_bytes));
    if (!claims->by_vlek && !span_is_zero(SPAN_OF(report->chip_id)) &&
        !chip_matches(claims->hw_id, report->chip_id))
        return refuse_bytes(r, ATTEST_VEK_HWID_MISMATCH, step, "chip id", claims->hw_id,
                            SPAN_OF(report->chip_id));
    if (claims->by_vlek != evidence->by_vlek)
        return refuse(r, ATTEST_VEK_TYPE_MISMATCH, step, claims->by_vlek ? "VLEK" : "VCEK",
                      evidence->by_vlek ? "VLEK" : "VCEK");
    return ERR_NONE;
}
