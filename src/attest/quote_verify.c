#include <string.h>

#include "attest/collateral.h"
#include "attest/quote.h"
#include "attest/sgx_report.h"
#include "attest/tcb_status.h"
#include "attest/trust.h"
#include "attest/verify.h"
#include "crypto/p256.h"

/* What one verification is about, gathered on the way. */
struct verification {
    const struct attest_trust *trust;
    struct timestamp now;
    struct quote quote;
    const struct pck_chain *chain;
    const struct attest_root *root;
    struct sgx_report qe_report;
    const struct attest_collateral *collateral;
    const struct tcb_level *platform_level;
    const struct qe_level *qe_level;
};

/* The chain may come from a cache: pin and time are judged anew every time. */
static enum err chain_judge(struct verification *v, struct refusal *r)
{
    const struct certificates *c = &v->chain->certificates;

    v->root = attest_trust_find(v->trust, ATTEST_INTEL, c->root_spki);
    if (!v->root)
        return refuse_bytes(r, ATTEST_ROOT_NOT_PINNED, "pck_chain", "SHA-256 of root key",
                            (struct span){0}, SPAN_OF(c->root_spki));
    return certificates_check_time(c->valid_from, c->valid_until, "pck_chain", v->now, r);
}

/* The PCK key vouches for the quoting enclave, and that for the attestation key. */
static enum err qe_report_verify(struct verification *v, struct refusal *r)
{
    const struct quote_certification *c = &v->quote.certification;
    const struct span vouched[] = {v->quote.attestation_key, c->qe_auth_data};
    uint8_t expected[64] = {0}; /* the hash, then 32 zero bytes */

    if (p256_verify(v->chain->key, c->qe_report, c->qe_report_signature.data) != ERR_NONE)
        return refuse(r, ATTEST_QE_REPORT_SIGNATURE_INVALID, "qe_report",
                      "a QE report signed by the PCK key", NULL);
    if (sgx_report_parse(c->qe_report, &v->qe_report) != ERR_NONE)
        return refuse(r, ATTEST_MALFORMED, "qe_report", "an SGX report", NULL);
    sha256_parts(vouched, COUNT_OF(vouched), expected);
    if (!bytes_equal_ct(v->qe_report.report_data, expected, sizeof expected))
        return refuse_bytes(r, ATTEST_QE_REPORT_DATA_MISMATCH, "qe_report", "report data",
                            SPAN_OF(expected), SPAN_OF(v->qe_report.report_data));
    return ERR_NONE;
}

static enum err quote_signature_verify(struct verification *v, struct refusal *r)
{
    struct p256_public *key = NULL;
    enum err e = p256_public_from_point(v->quote.attestation_key.data, &key);

    if (e != ERR_NONE)
        return refuse_unless_memory(r, e, ATTEST_ATTESTATION_KEY_INVALID, "signature",
                                    "a point on P-256", NULL);
    if (p256_verify(key, v->quote.signed_bytes, v->quote.signature.data) != ERR_NONE)
        e = refuse(r, ATTEST_SIGNATURE_INVALID, "signature",
                   "a quote signed by its attestation key", NULL);
    p256_public_free(&key);
    return e;
}

/* TCB info and identity are for this TEE and this platform. */
static enum err collateral_match(const struct verification *v, struct refusal *r)
{
    const struct tcb_info *info = &v->collateral->tcb_info;
    const struct pck *pck = &v->chain->pck;

    if (info->tee != TCB_INFO_SGX)
        return refuse(r, ATTEST_TCB_INFO_MISMATCH, "tcb_info", "id SGX", "id TDX");
    if (v->collateral->qe_identity.kind != QE_IDENTITY_SGX)
        return refuse(r, ATTEST_QE_IDENTITY_MISMATCH, "qe_identity", "id QE", "id TD_QE");
    if (!span_equal(SPAN_OF(info->fmspc), SPAN_OF(pck->fmspc)))
        return refuse_bytes(r, ATTEST_TCB_INFO_MISMATCH, "tcb_info", "fmspc", SPAN_OF(info->fmspc),
                            SPAN_OF(pck->fmspc));
    if (!span_equal(SPAN_OF(info->pce_id), SPAN_OF(pck->pce_id)))
        return refuse_bytes(r, ATTEST_TCB_INFO_MISMATCH, "tcb_info", "pceId", SPAN_OF(info->pce_id),
                            SPAN_OF(pck->pce_id));
    return ERR_NONE;
}

static enum err tcb_level_find(struct verification *v, struct refusal *r)
{
    const struct tcb_info *info = &v->collateral->tcb_info;

    v->platform_level = tcb_info_sgx_level(info, &v->chain->pck);
    if (!v->platform_level)
        return refuse_bytes(r, ATTEST_TCB_NOT_SUPPORTED, "tcb_level", "component SVNs at least",
                            SPAN_OF(info->levels[info->level_count - 1].sgx),
                            SPAN_OF(v->chain->pck.components));
    return ERR_NONE;
}

static bool has_advisory(const struct attest_result *result, struct span name)
{
    for (size_t i = 0; i < result->advisory_count; i++)
        if (span_equal_string(name, result->advisories[i]))
            return true;
    return false;
}

/* Union, in order, without duplicates. */
static enum err advisories_add(struct json_value list, struct attest_result *result,
                               struct refusal *r)
{
    struct json_iterator i = {0};
    struct json_value entry;
    struct span name;

    while (json_next(list, &i, NULL, &entry)) {
        if (json_string_plain(entry, &name) != ERR_NONE || has_advisory(result, name))
            continue; /* parsing checked the form of all of them */
        if (result->advisory_count == ATTEST_ADVISORIES_MAX ||
            span_to_string(name, result->advisories[result->advisory_count], INTEL_ADVISORY_SIZE) !=
                ERR_NONE)
            return refuse(r, ATTEST_TCB_INFO_UNSUPPORTED, "tcb_level", "at most 64 advisories",
                          "more");
        result->advisory_count++;
    }
    return ERR_NONE;
}

static enum err status_merge(const struct verification *v, struct attest_result *result,
                             struct refusal *r)
{
    const struct intel_judgement *platform = &v->platform_level->judgement;
    const struct intel_judgement *qe = &v->qe_level->judgement;
    enum err e;

    result->status = tcb_status_fold(platform->status, qe->status);
    result->tcb_date = timestamp_earlier(platform->date, qe->date);
    if ((e = advisories_add(platform->advisories, result, r)) != ERR_NONE)
        return e;
    return advisories_add(qe->advisories, result, r);
}

/* Of evidence that is signed by a pinned root's platform, whatever the collateral says of it. */
static enum err claims_fill(const struct verification *v, struct attest_result *result,
                            struct refusal *r)
{
    if (sgx_report_parse(v->quote.body, &result->sgx) != ERR_NONE)
        return refuse(r, ATTEST_MALFORMED, "quote", "an SGX report", NULL);
    result->simulated = v->root->simulated;
    result->kind = ATTEST_SGX;
    result->tee = v->root->simulated ? "simulated" : "sgx";
    result->version = v->quote.header.version;
    result->debug = sgx_report_is_debug(&result->sgx);
    memcpy(result->report_data, result->sgx.report_data, sizeof result->report_data);
    evidence_identify(v->quote.signed_bytes,
                      span_slice(v->quote.signature, 0, P256_SIGNATURE_SIZE / 2),
                      result->evidence_id);
    result->authentic = true;
    return ERR_NONE;
}

static void platform_fill(const struct verification *v, struct attest_result *result)
{
    const struct pck *pck = &v->chain->pck;
    struct attest_intel *intel = &result->intel;

    result->earliest_expiry =
        timestamp_earlier(v->collateral->valid_until, v->chain->certificates.valid_until);
    intel->tcb_evaluation_number = v->collateral->tcb_info.evaluation_number;
    intel->qe_evaluation_number = v->collateral->qe_identity.evaluation_number;
    memcpy(intel->fmspc, pck->fmspc, sizeof intel->fmspc);
    memcpy(intel->pce_id, pck->pce_id, sizeof intel->pce_id);
    memcpy(intel->ppid, pck->ppid, sizeof intel->ppid);
    intel->platform_status = v->platform_level->judgement.status;
    intel->qe_status = v->qe_level->judgement.status;
    intel->module_status = TCB_NOT_JUDGED;
}

/*
 * Everything that needs no collateral comes first: who has a forged quote learns that, and not that
 * we know nothing about its platform.
 */
static enum err evidence_verify(struct verification *v, struct attest_cache *cache,
                                struct span evidence, struct pck_chain **owned, struct refusal *r)
{
    enum err e;

    if ((e = quote_parse(evidence, &v->quote, r)) != ERR_NONE ||
        (e = pck_chain_find(cache, v->trust, v->quote.certification.data, &v->chain, owned, r)) !=
            ERR_NONE ||
        (e = chain_judge(v, r)) != ERR_NONE || (e = qe_report_verify(v, r)) != ERR_NONE)
        return e;
    return quote_signature_verify(v, r);
}

static enum err platform_verify(struct verification *v, const struct attest_collateral_set *set,
                                struct refusal *r)
{
    enum err e;

    if ((e = collateral_choose(set, TCB_INFO_SGX, v->chain, v->now, &v->collateral, r)) !=
            ERR_NONE ||
        (e = collateral_check_time(v->collateral, v->now, r)) != ERR_NONE ||
        (e = collateral_check_revocation(v->collateral, v->chain, r)) != ERR_NONE ||
        (e = collateral_match(v, r)) != ERR_NONE ||
        (e = qe_identity_match(&v->collateral->qe_identity, &v->qe_report, &v->qe_level, r)) !=
            ERR_NONE)
        return e;
    return tcb_level_find(v, r);
}

enum err quote_verify(const struct verify_input *in, struct attest_result *out, struct refusal *r)
{
    struct verification v = {.trust = in->trust, .now = in->now};
    struct pck_chain *owned = NULL;
    enum err e;

    if ((e = evidence_verify(&v, in->cache, in->evidence->bytes, &owned, r)) == ERR_NONE &&
        (e = claims_fill(&v, out, r)) == ERR_NONE &&
        (e = platform_verify(&v, in->collateral, r)) == ERR_NONE &&
        (e = status_merge(&v, out, r)) == ERR_NONE)
        platform_fill(&v, out);
    pck_chain_free(&owned);
    return e;
}
