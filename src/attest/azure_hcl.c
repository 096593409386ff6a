#include "attest/azure_hcl.h"

#include "base/reader.h"
#include "codec/json.h"

static const char step[] = "hcl_report";

#define MAGIC SPAN_LITERAL("HCLA")

enum { HEADER_SIZE = 32, REPORT_SIZE = 1184, DATA_HEADER_SIZE = 20, REPORT_DATA_BYTES = 64 };
enum { SNP_VMPL_OFFSET = 0x30 }; /* AMD 56860, ATTESTATION_REPORT */

/* The place of the requester's data in a hardware report, and how the report type is recognised. */
static const struct report_form {
    uint32_t type;
    size_t size;   /* of the 1184 bytes; the rest is zero */
    size_t offset; /* of the report data */
} forms[] = {
    {AZURE_HCL_SNP, REPORT_SIZE,             0x50}, /* AMD 56860, ATTESTATION_REPORT */
    {AZURE_HCL_TDX, AZURE_HCL_TDREPORT_SIZE, 0x80}, /* Intel TDX module, REPORTMACSTRUCT */
};

struct header {
    uint32_t version, data_size, data_version, report_type, hash_type, json_size;
    struct span report;
};

static struct header header_read(struct reader *r)
{
    struct header h = {0};

    (void)reader_take(r, MAGIC.size);
    h.version = reader_u32le(r);
    /* sizes and status, which no signature covers */
    (void)reader_take(r, HEADER_SIZE - MAGIC.size - 4);
    h.report = reader_take(r, REPORT_SIZE);
    h.data_size = reader_u32le(r);
    h.data_version = reader_u32le(r);
    h.report_type = reader_u32le(r);
    h.hash_type = reader_u32le(r);
    h.json_size = reader_u32le(r);
    return h;
}

MUST_CHECK static enum err header_check(const struct header *h, struct refusal *r)
{
    if (h->version != 1 && h->version != 2)
        return refuse_number(r, ATTEST_UNSUPPORTED_VERSION, step, "version 1 or", 2, h->version);
    if (h->data_version != 1)
        return refuse_number(r, ATTEST_UNSUPPORTED_VERSION, step, "version of the runtime data", 1,
                             h->data_version);
    if (h->json_size > ATTEST_EVIDENCE_MAX || h->data_size != h->json_size + DATA_HEADER_SIZE)
        return refuse_number(r, ATTEST_MALFORMED, step, "bytes of runtime data and its header",
                             (uint64_t)h->json_size + DATA_HEADER_SIZE, h->data_size);
    return ERR_NONE;
}

static const struct report_form *form_find(uint32_t type)
{
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (forms[i].type == type)
            return &forms[i];
    return NULL;
}

/* Whether the report has the type that the blob names. */
static bool report_is(uint32_t type, struct span report)
{
    struct reader r = reader_over(report);
    uint32_t first = reader_u32le(&r);

    /* SEV-SNP: a version from 2; TDX: type 0x81, subtype and version 0 or 1 */
    return type == AZURE_HCL_SNP ? first >= 2 && first <= 5 : (first & 0xffu) == 0x81;
}

/*
 * Only the paravisor runs at VMPL 0, and only in its reports the data is known to be the hash of
 * Azure's JSON. A guest at another VMPL chooses its own data. The VEK signs this field.
 */
MUST_CHECK static enum err privilege_check(struct span report, struct refusal *r)
{
    struct reader reader = reader_over(span_slice(report, SNP_VMPL_OFFSET, REPORT_SIZE));
    uint32_t vmpl = reader_u32le(&reader);

    if (reader.failed || vmpl != 0)
        return refuse_number(r, ATTEST_MALFORMED, step, "a report of the paravisor's VMPL", 0,
                             vmpl);
    return ERR_NONE;
}

MUST_CHECK static enum err report_read(const struct header *h, struct azure_hcl *out,
                                       struct refusal *r)
{
    const struct report_form *form = form_find(h->report_type);

    if (!form)
        return refuse_number(r, ATTEST_UNSUPPORTED_VERSION, step, "report type 4 or", AZURE_HCL_SNP,
                             h->report_type);
    if (!report_is(h->report_type, h->report) ||
        !span_is_zero(span_slice(h->report, form->size, REPORT_SIZE)))
        return refuse(r, ATTEST_TEE_TYPE_MISMATCH, step, "a hardware report of the type named",
                      NULL);
    if (h->report_type == AZURE_HCL_SNP && privilege_check(h->report, r) != ERR_NONE)
        return ERR_DENIED;
    out->claims.report_type = h->report_type;
    out->claims.hardware_report = span_slice(h->report, 0, form->size);
    out->report_data = span_slice(h->report, form->offset, REPORT_DATA_BYTES);
    return ERR_NONE;
}

/* The key of the virtual TPM is looked up in this JSON, so it must have exactly one reading. */
MUST_CHECK static enum err runtime_check(struct span json, struct refusal *r)
{
    struct json_value document;
    struct json_value keys;

    if (json_parse(json, &document, NULL) != ERR_NONE ||
        json_member(document, "keys", &keys) != ERR_NONE || keys.type != JSON_ARRAY)
        return refuse(r, ATTEST_MALFORMED, step, "runtime data in JSON with keys", NULL);
    return ERR_NONE;
}

MUST_CHECK static enum err binding_check(const struct azure_hcl *hcl, struct refusal *r)
{
    uint8_t expected[REPORT_DATA_BYTES] = {0}; /* the hash, then zeros */
    struct span json = hcl->claims.runtime_data;

    switch (hcl->claims.hash_type) {
    case AZURE_HCL_SHA256:
        sha256(json, expected);
        break;
    case AZURE_HCL_SHA384:
        sha384(json, expected);
        break;
    case AZURE_HCL_SHA512:
        sha512(json, expected);
        break;
    default:
        return refuse_number(r, ATTEST_UNSUPPORTED_ALGORITHM, step, "hash type from 1 to", 3,
                             hcl->claims.hash_type);
    }
    if (!bytes_equal_ct(expected, hcl->report_data.data, sizeof expected))
        return refuse_bytes(r, ATTEST_BINDING_MISMATCH, step, "report data", SPAN_OF(expected),
                            hcl->report_data);
    return ERR_NONE;
}

enum err azure_hcl_parse(struct span blob, struct azure_hcl *out, struct refusal *r)
{
    struct reader reader = reader_over(blob);
    struct header h = header_read(&reader);
    struct azure_hcl made = {.claims = {.hash_type = h.hash_type}};
    enum err e;

    if (blob.size > ATTEST_EVIDENCE_MAX)
        return refuse_number(r, ATTEST_TOO_LARGE, step, "bytes at most", ATTEST_EVIDENCE_MAX,
                             blob.size);
    if (reader.failed || !azure_hcl_is(blob))
        return refuse(r, ATTEST_MALFORMED, step, "HCLA, a report and runtime data", NULL);
    if ((e = header_check(&h, r)) != ERR_NONE || (e = report_read(&h, &made, r)) != ERR_NONE)
        return e;
    made.claims.runtime_data = reader_take(&reader, h.json_size);
    if (reader.failed)
        return refuse(r, ATTEST_MALFORMED, step, "the declared runtime data", "fewer bytes");
    if (!span_is_zero(reader.rest))
        return refuse(r, ATTEST_TRAILING_DATA, step, "nothing but zero bytes behind the JSON",
                      NULL);
    if ((e = runtime_check(made.claims.runtime_data, r)) != ERR_NONE ||
        (e = binding_check(&made, r)) != ERR_NONE)
        return e;
    *out = made;
    return ERR_NONE;
}

bool azure_hcl_is(struct span evidence)
{
    return span_starts_with(evidence, MAGIC);
}

/* The report says who made it. The blob around it does not. */
MUST_CHECK static enum err report_verify(const struct verify_input *in, const struct azure_hcl *hcl,
                                         struct attest_result *out, struct refusal *r)
{
    const struct attest_evidence report = {.kind = ATTEST_SNP,
                                           .bytes = hcl->claims.hardware_report,
                                           .certificates = in->evidence->certificates};
    struct verify_input inside = *in;
    enum err e;

    inside.evidence = &report;
    e = snp_verify(&inside, out, r);
    out->kind = ATTEST_AZURE_HCL;
    if (out->signatures_valid && !out->simulated)
        out->tee = attest_tee_name(ATTEST_AZURE_HCL);
    return e;
}

enum err azure_hcl_verify(const struct verify_input *in, struct attest_result *out,
                          struct refusal *r)
{
    struct azure_hcl hcl = {0};
    struct reader report_data;
    enum err e;

    if ((e = azure_hcl_parse(in->evidence->bytes, &hcl, r)) != ERR_NONE)
        return e;
    step_passed(out, step);
    out->azure = hcl.claims;
    report_data = reader_over(hcl.report_data);
    reader_copy(&report_data, out->report_data, sizeof out->report_data);
    if (hcl.claims.report_type != AZURE_HCL_SNP)
        return refuse(r, ATTEST_COLLATERAL_MISSING, "report",
                      "a quote: only its own machine can check a TDREPORT's MAC", "a TDREPORT");
    return report_verify(in, &hcl, out, r);
}
