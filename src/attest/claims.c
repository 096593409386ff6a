#include <assert.h>

#include "attest/attest.h"
#include "base/writer.h"

#define CLAIMS_DOMAIN "vouchsafe-claims-v2" /* v1 did not include the kind */
#define CLAIMS_MAX 8192

static void put_sized(struct writer *w, const char *text)
{
    struct span s = span_string(text);

    writer_u16be(w, (uint16_t)s.size);
    writer_put(w, s);
}

/* Distinguishes an absent value from an empty one. */
static void put_optional(struct writer *w, struct span s)
{
    writer_u8(w, s.data ? 1 : 0);
    writer_u16be(w, (uint16_t)s.size);
    writer_put(w, s);
}

static void put_sgx(struct writer *w, const struct sgx_report *report)
{
    writer_put(w, SPAN_OF(report->cpu_svn));
    writer_u32be(w, report->misc_select);
    writer_put(w, SPAN_OF(report->attributes));
    writer_put(w, SPAN_OF(report->mr_enclave));
    writer_put(w, SPAN_OF(report->mr_signer));
    writer_put(w, SPAN_OF(report->config_id));
    writer_u16be(w, report->isv_prod_id);
    writer_u16be(w, report->isv_svn);
    writer_u16be(w, report->config_svn);
    writer_put(w, SPAN_OF(report->isv_ext_prod_id));
    writer_put(w, SPAN_OF(report->isv_family_id));
}

static void put_td(struct writer *w, const struct td_report *report)
{
    writer_put(w, SPAN_OF(report->tee_tcb_svn));
    writer_put(w, SPAN_OF(report->mr_seam));
    writer_put(w, SPAN_OF(report->mr_signer_seam));
    writer_put(w, SPAN_OF(report->seam_attributes));
    writer_put(w, SPAN_OF(report->td_attributes));
    writer_put(w, SPAN_OF(report->xfam));
    writer_put(w, SPAN_OF(report->mr_td));
    writer_put(w, SPAN_OF(report->mr_config_id));
    writer_put(w, SPAN_OF(report->mr_owner));
    writer_put(w, SPAN_OF(report->mr_owner_config));
    for (size_t i = 0; i < COUNT_OF(report->rtmr); i++)
        writer_put(w, SPAN_OF(report->rtmr[i]));
    writer_u8(w, report->is_15 ? 1 : 0);
    writer_put(w, SPAN_OF(report->tee_tcb_svn_2));
    writer_put(w, SPAN_OF(report->mr_service_td));
}

static void put_snp(struct writer *w, const struct snp_report *report)
{
    writer_u32be(w, report->guest_svn);
    writer_u32be(w, report->vmpl);
    writer_u32be(w, report->key_info);
    writer_u64be(w, report->policy);
    writer_u64be(w, report->platform_info);
    writer_u64be(w, report->launch_mitigations);
    writer_u64be(w, report->current_mitigations);
    writer_put(w, SPAN_OF(report->family_id));
    writer_put(w, SPAN_OF(report->image_id));
    writer_put(w, SPAN_OF(report->measurement));
    writer_put(w, SPAN_OF(report->host_data));
    writer_put(w, SPAN_OF(report->id_key_digest));
    writer_put(w, SPAN_OF(report->author_key_digest));
    writer_put(w, SPAN_OF(report->report_id));
    writer_put(w, SPAN_OF(report->report_id_ma));
    writer_put(w, SPAN_OF(report->chip_id));
    writer_put(w, SPAN_OF(report->current_tcb_bytes));
    writer_put(w, SPAN_OF(report->reported_tcb_bytes));
    writer_put(w, SPAN_OF(report->committed_tcb_bytes));
    writer_put(w, SPAN_OF(report->launch_tcb_bytes));
    writer_u8(w, (uint8_t)report->product);
    writer_u8(w, report->by_vlek ? 1 : 0);
    put_sized(w, report->csp_id);
}

static void put_nitro(struct writer *w, const struct nitro_claims *claims)
{
    put_sized(w, claims->module_id);
    writer_u64be(w, (uint64_t)claims->timestamp_ms);
    writer_u32be(w, claims->pcr_present);
    for (size_t i = 0; i < ATTEST_NITRO_PCRS; i++) {
        writer_u8(w, claims->pcr_size[i]);
        writer_put(w, SPAN_OF(claims->pcr[i]));
    }
    put_optional(w, claims->public_key);
    put_optional(w, claims->user_data);
    put_optional(w, claims->nonce);
}

static void put_component(struct writer *w, const struct arm_component *component)
{
    put_optional(w, component->type);
    put_optional(w, component->measurement);
    put_optional(w, component->version);
    put_optional(w, component->signer);
}

static void put_arm(struct writer *w, const struct arm_claims *claims)
{
    const struct span fields[] = {
        claims->profile,
        claims->nonce,
        claims->implementation_id,
        claims->instance_id,
        claims->boot_seed,
        claims->config,
        claims->challenge,
        claims->personalization,
        claims->initial_measurement,
        claims->extensible_measurements[0],
        claims->extensible_measurements[1],
        claims->extensible_measurements[2],
        claims->extensible_measurements[3],
        claims->realm_hash_algorithm,
        claims->public_key,
    };

    writer_u32be(w, claims->lifecycle);
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        put_optional(w, fields[i]);
    writer_u8(w, (uint8_t)claims->component_count);
    for (size_t i = 0; i < claims->component_count; i++)
        put_component(w, &claims->components[i]);
}

/* The claims of each kind about the code. */
static void put_report(struct writer *w, const struct attest_result *result)
{
    switch (result->kind) {
    case ATTEST_SGX:
        put_sgx(w, &result->sgx);
        break;
    case ATTEST_TDX:
        put_td(w, &result->td);
        break;
    case ATTEST_SNP:
        put_snp(w, &result->snp);
        break;
    case ATTEST_NITRO:
        put_nitro(w, &result->nitro);
        break;
    case ATTEST_CCA:
    case ATTEST_PSA:
        put_arm(w, &result->arm);
        break;
    case ATTEST_AZURE_HCL: /* the report inside, whose data are the hash of all other bytes */
        put_snp(w, &result->snp);
        break;
    case ATTEST_TEE_NONE:
    case ATTEST_TEE_COUNT:
        break;
    }
}

/*
 * Fixed order, big-endian, every text with its length. The expiry is left out, because it depends
 * on the collateral, not on the evidence.
 */
void attest_claims_digest(const struct attest_result *result, uint8_t out[SHA256_SIZE])
{
    uint8_t bytes[CLAIMS_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct span encoded = {0};

    put_sized(&w, CLAIMS_DOMAIN);
    put_sized(&w, result->tee);
    put_sized(&w, attest_tee_name(result->kind)); /* two kinds have the name "simulated" */
    writer_u8(&w, result->simulated ? 1 : 0);
    writer_u16be(&w, result->version);
    writer_u8(&w, result->debug ? 1 : 0);
    put_report(&w, result);
    writer_put(&w, SPAN_OF(result->report_data));
    put_sized(&w, tcb_status_name(result->status));
    writer_u16be(&w, (uint16_t)result->advisory_count);
    for (size_t i = 0; i < result->advisory_count; i++)
        put_sized(&w, result->advisories[i]);
    writer_u64be(&w, (uint64_t)result->tcb_date.ms);
    writer_u32be(&w, result->intel.tcb_evaluation_number);
    writer_put(&w, SPAN_OF(result->intel.fmspc));
    writer_put(&w, SPAN_OF(result->intel.pce_id));
    writer_put(&w, SPAN_OF(result->intel.ppid));
    enum err e = writer_finish(&w, &encoded);
    assert(e == ERR_NONE); /* every field is bounded, and CLAIMS_MAX is larger than their sum */
    sha256(encoded, out);
}
