#include "attest/verify.h"

#include <string.h>

#include "attest/arm.h"
#include "attest/azure_hcl.h"
#include "attest/nitro.h"
#include "attest/snp_report.h"
#include "base/reader.h"
#include "base/text.h"

static bool is_quote(struct span bytes, uint32_t tee_type)
{
    struct reader r = reader_over(bytes);
    const uint16_t version = reader_u16le(&r);
    const uint16_t key_type = reader_u16le(&r);

    /* the key type excludes SEV-SNP reports, whose version has 4 bytes */
    return version >= 3 && version <= 5 && key_type != 0 && reader_u32le(&r) == tee_type &&
           !r.failed;
}

static bool is_sgx(struct span bytes)
{
    return is_quote(bytes, 0);
}

static bool is_tdx(struct span bytes)
{
    return is_quote(bytes, 0x81);
}

static bool is_snp(struct span bytes)
{
    struct reader r = reader_over(bytes);
    const uint32_t version = reader_u32le(&r);

    return bytes.size == SNP_REPORT_SIZE && version >= 2 && version <= 5;
}

/* Every kind of evidence: how to detect it, and its verifier. */
static const struct kind {
    bool (*is)(struct span bytes);
    MUST_CHECK enum err (*verify)(const struct verify_input *in, struct attest_result *out,
                                  struct refusal *r);
} kinds[ATTEST_TEE_COUNT] = {
    [ATTEST_SGX] = {is_sgx,       quote_verify    },
    [ATTEST_TDX] = {is_tdx,       quote_verify    },
    [ATTEST_SNP] = {is_snp,       snp_verify      },
    [ATTEST_NITRO] = {nitro_is,     nitro_verify    },
    [ATTEST_CCA] = {arm_is_cca,   cca_verify      },
    [ATTEST_PSA] = {arm_is_psa,   psa_verify      },
    [ATTEST_AZURE_HCL] = {azure_hcl_is, azure_hcl_verify},
};

#define NAME_OF(tee, name) [(tee)] = (name),
static const char *const names[ATTEST_TEE_COUNT] = {
    ATTEST_TEES(NAME_OF)[ATTEST_TEE_NONE] = "none",
    [ATTEST_CCA] = "arm-cca",
    [ATTEST_PSA] = "arm-psa",
    [ATTEST_AZURE_HCL] = "azure-hcl",
};

const char *attest_tee_name(enum attest_tee tee)
{
    return names[(unsigned)tee < ATTEST_TEE_COUNT ? tee : ATTEST_TEE_NONE];
}

const char *attest_type_name(enum attest_tee tee, bool simulated)
{
    return simulated ? ATTEST_SIMULATED : attest_tee_name(tee);
}

enum err attest_type_parse(struct span name, enum attest_tee *out)
{
#define TYPE_ROW(tee, name) {name, tee},
    static const struct {
        const char *name;
        enum attest_tee tee;
    } types[] = {ATTEST_TYPES(TYPE_ROW)};

    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (span_equal_string(name, types[i].name)) {
            *out = types[i].tee;
            return ERR_NONE;
        }
    return ERR_NOT_FOUND;
}

enum err attest_tee_parse(struct span name, enum attest_tee *out)
{
    for (unsigned i = ATTEST_TEE_NONE + 1; i < ATTEST_TEE_COUNT; i++) {
        if (span_equal_string(name, names[i])) {
            *out = (enum attest_tee)i;
            return ERR_NONE;
        }
    }
    return ERR_NOT_FOUND;
}

enum attest_tee attest_evidence_kind(struct span bytes)
{
    for (unsigned i = ATTEST_TEE_NONE + 1; i < ATTEST_TEE_COUNT; i++)
        if (kinds[i].is && kinds[i].is(bytes))
            return (enum attest_tee)i;
    return ATTEST_TEE_NONE;
}

enum err attest_evidence_time(struct span bytes, struct timestamp *out)
{
    struct nitro_document document;
    struct refusal ignored = {0};
    enum err e;

    if (attest_evidence_kind(bytes) != ATTEST_NITRO)
        return ERR_NOT_FOUND;
    e = nitro_parse(bytes, &document, &ignored);
    if (e == ERR_NONE)
        *out = (struct timestamp){(int64_t)document.timestamp_ms};
    return e;
}

void step_passed(struct attest_result *out, const char *step)
{
    if (out->step_count < ATTEST_STEPS_MAX)
        out->steps[out->step_count++] = step;
}

struct timestamp timestamp_earlier(struct timestamp a, struct timestamp b)
{
    return a.ms < b.ms ? a : b;
}

void evidence_identify(struct span signed_bytes, struct span r, uint8_t out[SHA256_SIZE])
{
    const struct span parts[] = {signed_bytes, r};

    sha256_parts(parts, COUNT_OF(parts), out);
}

MUST_CHECK static enum err evidence_verify(const struct verify_input *in, struct attest_result *out,
                                           struct refusal *r)
{
    const struct attest_evidence *evidence = in->evidence;
    enum attest_tee kind = evidence->kind;

    if (evidence->bytes.size > ATTEST_EVIDENCE_MAX)
        return refuse_number(r, ATTEST_TOO_LARGE, "format", "bytes at most", ATTEST_EVIDENCE_MAX,
                             evidence->bytes.size);
    if (kind == ATTEST_TEE_NONE)
        kind = attest_evidence_kind(evidence->bytes);
    if (kind == ATTEST_TEE_NONE) /* the quote's parser gives the best message for faulty quotes */
        kind = ATTEST_SGX;
    if ((unsigned)kind >= ATTEST_TEE_COUNT || !kinds[kind].verify)
        return refuse(r, ATTEST_UNSUPPORTED_VERSION, "format", "a supported kind of evidence",
                      attest_tee_name(kind));
    out->kind = kind;
    return kinds[kind].verify(in, out, r);
}

/* The fields that stay after a refusal: the reason, the steps, and the claims if they are
 * signed. */
static void refusal_keep(struct attest_result *out, const struct refusal *r)
{
    out->reason = r->reason;
    memcpy(out->step, r->step, sizeof out->step);
    memcpy(out->expected, r->expected, sizeof out->expected);
    memcpy(out->presented, r->presented, sizeof out->presented);
    out->intel = (struct attest_intel){0};
    out->status = TCB_NOT_JUDGED;
    out->advisory_count = 0;
    out->tcb_date = out->earliest_expiry = (struct timestamp){0};
}

enum err attest_verify(const struct attest_trust *trust,
                       const struct attest_collateral_set *collateral, struct attest_cache *cache,
                       const struct attest_evidence *evidence, struct timestamp now,
                       struct attest_result *result)
{
    const struct verify_input in = {trust, collateral, cache, evidence, now};
    struct refusal r = {.reason = ATTEST_INTERNAL, .step = "internal"};
    struct attest_result claims = {.reason = ATTEST_INTERNAL, .status = TCB_NOT_JUDGED};
    enum err e = evidence_verify(&in, &claims, &r);

    if (e == ERR_NONE && !(claims.signatures_valid &&
                           claims.authentic)) /* a bug of ours must not become an acceptance */
        e = refuse(&r, ATTEST_INTERNAL, "internal", NULL, NULL);
    if (e == ERR_NONE)
        claims.reason = ATTEST_OK; /* the only place that sets it */
    else
        refusal_keep(&claims, &r);
    *result = claims;
    return e;
}
