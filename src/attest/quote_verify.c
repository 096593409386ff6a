#include <string.h>

#include "attest/collateral.h"
#include "attest/quote.h"
#include "attest/sgx_report.h"
#include "attest/tcb_status.h"
#include "attest/td_report.h"
#include "attest/tdx_tcb.h"
#include "attest/trust.h"
#include "attest/verify.h"
#include "crypto/p256.h"

/* The state of one verification. */
struct verification {
    const struct attest_trust *trust;
    struct timestamp now;
    struct quote quote;
    const struct pck_chain *chain;
    const struct attest_root *root;
    struct sgx_report qe_report;
    const struct attest_collateral *collateral;
    const struct intel_level *qe_level;
    const struct intel_level *module_level; /* NULL: SGX, or a TDX module of version 0 */
    const struct tcb_level *platform_level;
    /* the first level that the SGX parts reach without the TDX parts */
    const struct tcb_level *sgx_level;
};

static bool is_td(const struct verification *v)
{
    return v->quote.header.tee_type == QUOTE_TEE_TDX;
}

/* The chain may come from a cache: pin and time are checked every time. */
MUST_CHECK static enum err chain_judge(struct verification *v, struct refusal *r)
{
    const struct certificates *c = &v->chain->certificates;

    v->root = attest_trust_find(v->trust, ATTEST_INTEL, c->root_spki);
    if (!v->root)
        return refuse_bytes(r, ATTEST_ROOT_NOT_PINNED, "pck_chain", "SHA-256 of root key",
                            (struct span){0}, SPAN_OF(c->root_spki));
    return certificates_check_time(c->valid_from, c->valid_until, "pck_chain", v->now, r);
}

/* The PCK key certifies the quoting enclave, which certifies the attestation key. */
MUST_CHECK static enum err qe_report_verify(struct verification *v, struct refusal *r)
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
    if (sgx_report_is_debug(&v->qe_report)) /* its host knows the attestation key */
        return refuse(r, ATTEST_QE_DEBUG, "qe_report", "a production enclave", "a debug enclave");
    return ERR_NONE;
}

MUST_CHECK static enum err quote_signature_verify(struct verification *v, struct refusal *r)
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

MUST_CHECK static enum err level_judge(struct verification *v, const struct attest_result *claims,
                                       struct refusal *r)
{
    const struct tcb_info *info = &v->collateral->tcb_info;
    const struct pck *pck = &v->chain->pck;

    v->sgx_level = tcb_info_sgx_level(info, pck);
    v->platform_level =
        is_td(v) ? tcb_info_tdx_level(info, pck, claims->td.tee_tcb_svn) : v->sgx_level;
    if (v->platform_level)
        return ERR_NONE;
    if (v->sgx_level) /* so the TDX parts are too old */
        return refuse_bytes(r, ATTEST_TCB_NOT_SUPPORTED, "tcb_level", "TEE_TCB_SVN at least",
                            SPAN_OF(info->levels[info->level_count - 1].tdx),
                            SPAN_OF(claims->td.tee_tcb_svn));
    return refuse_bytes(r, ATTEST_TCB_NOT_SUPPORTED, "tcb_level", "component SVNs at least",
                        SPAN_OF(info->levels[info->level_count - 1].sgx), SPAN_OF(pck->components));
}

static bool has_advisory(const struct attest_result *result, struct span name)
{
    for (size_t i = 0; i < result->advisory_count; i++)
        if (span_equal_string(name, result->advisories[i]))
            return true;
    return false;
}

/* Union, in order, without duplicates. */
MUST_CHECK static enum err advisories_add(struct json_value list, struct attest_result *result,
                                          struct refusal *r)
{
    struct json_iterator i = {0};
    struct json_value entry;
    struct span name;

    while (json_next(list, &i, NULL, &entry)) {
        if (json_string_plain(entry, &name) != ERR_NONE || has_advisory(result, name))
            continue; /* the parser checked their form */
        if (result->advisory_count == ATTEST_ADVISORIES_MAX ||
            span_to_string(name, result->advisories[result->advisory_count], INTEL_ADVISORY_SIZE) !=
                ERR_NONE)
            return refuse(r, ATTEST_TCB_INFO_UNSUPPORTED, "tcb_level", "at most 64 advisories",
                          "more");
        result->advisory_count++;
    }
    return ERR_NONE;
}

MUST_CHECK static enum err advisories_merge(const struct verification *v,
                                            struct attest_result *result, struct refusal *r)
{
    enum err e;

    if ((e = advisories_add(v->platform_level->judgement.advisories, result, r)) != ERR_NONE ||
        (v->module_level &&
         (e = advisories_add(v->module_level->judgement.advisories, result, r)) != ERR_NONE))
        return e;
    return advisories_add(v->qe_level->judgement.advisories, result, r);
}

/* Judges the platform's level, then the module, then the relaunch, then the QE. */
MUST_CHECK static enum err status_merge(const struct verification *v, struct attest_result *result,
                                        struct refusal *r)
{
    const struct intel_judgement *platform = &v->platform_level->judgement;
    const struct intel_judgement *qe = &v->qe_level->judgement;
    struct tdx_statuses statuses = {v->sgx_level->judgement.status, platform->status,
                                    TCB_NOT_JUDGED, qe->status};
    enum err e;

    result->status = platform->status;
    result->tcb_date = timestamp_earlier(platform->date, qe->date);
    if (v->module_level) {
        statuses.module = v->module_level->judgement.status;
        statuses.merged = tcb_status_fold(platform->status, statuses.module);
        result->tcb_date = timestamp_earlier(result->tcb_date, v->module_level->judgement.date);
        if ((e = tdx_relaunch(&v->collateral->tcb_info, &result->td, &statuses, &result->status,
                              r)) != ERR_NONE)
            return e;
    }
    result->status = tcb_status_fold(result->status, qe->status);
    result->intel.platform_status = platform->status;
    result->intel.module_status = statuses.module;
    result->intel.qe_status = qe->status;
    return advisories_merge(v, result, r);
}

MUST_CHECK static enum err report_read(const struct verification *v, struct attest_result *result)
{
    enum err e;

    if (is_td(v)) {
        if ((e = td_report_parse(v->quote.body, &result->td)) != ERR_NONE)
            return e;
        result->debug = td_report_is_debug(&result->td);
        memcpy(result->report_data, result->td.report_data, sizeof result->report_data);
    } else {
        if ((e = sgx_report_parse(v->quote.body, &result->sgx)) != ERR_NONE)
            return e;
        result->debug = sgx_report_is_debug(&result->sgx);
        memcpy(result->report_data, result->sgx.report_data, sizeof result->report_data);
    }
    return ERR_NONE;
}

/* Copies the claims of evidence whose signatures lead to a pinned root. The quoting enclave is
 * not identified yet. */
MUST_CHECK static enum err claims_fill(const struct verification *v, struct attest_result *result,
                                       struct refusal *r)
{
    if (report_read(v, result) != ERR_NONE)
        return refuse(r, ATTEST_MALFORMED, "header", "a report body of its size", NULL);
    result->simulated = v->root->simulated;
    result->tee = attest_type_name(result->kind, v->root->simulated);
    result->version = v->quote.header.version;
    evidence_identify(v->quote.signed_bytes,
                      span_slice(v->quote.signature, 0, P256_SIGNATURE_SIZE / 2),
                      result->evidence_id);
    result->signatures_valid = true;
    return ERR_NONE;
}

/* One judged part: its level, and the next newer one or NULL. */
struct part {
    const struct intel_judgement *level, *newer;
};

static struct part isv_part(const struct intel_level *newest, const struct intel_level *level)
{
    return (struct part){level ? &level->judgement : NULL,
                         level && level > newest ? &level[-1].judgement : NULL};
}

/*
 * The earliest date on which a newer level was published for an outdated part. None if an outdated
 * part has no newer level.
 */
static void newer_level_fill(const struct verification *v, struct attest_result *result)
{
    const struct tcb_info *info = &v->collateral->tcb_info;
    const struct tdx_module_identity *module =
        v->module_level ? tcb_info_module(info, result->td.tee_tcb_svn[TD_SVN_MODULE_VERSION])
                        : NULL;
    const struct part parts[] = {
        {&v->platform_level->judgement,
         v->platform_level > info->levels ? &v->platform_level[-1].judgement : NULL},
        isv_part(module ? module->levels : NULL, v->module_level),
        isv_part(v->collateral->qe_identity.levels, v->qe_level),
    };
    struct timestamp earliest = {INT64_MAX};

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (!parts[i].level || !tcb_status_is_out_of_date(parts[i].level->status))
            continue;
        if (!parts[i].newer)
            return;
        earliest = timestamp_earlier(earliest, parts[i].newer->date);
    }
    result->intel.has_newer_level = earliest.ms != INT64_MAX;
    if (result->intel.has_newer_level)
        result->intel.newer_level_date = earliest;
}

static void platform_fill(const struct verification *v, struct attest_result *result)
{
    const struct pck *pck = &v->chain->pck;
    struct attest_intel *intel = &result->intel;

    result->earliest_expiry =
        timestamp_earlier(v->collateral->valid_until, v->chain->certificates.valid_until);
    memcpy(intel->fmspc, pck->fmspc, sizeof intel->fmspc);
    memcpy(intel->pce_id, pck->pce_id, sizeof intel->pce_id);
    memcpy(intel->ppid, pck->ppid, sizeof intel->ppid);
    intel->has_platform_instance_id = pck->has_platform_instance;
    memcpy(intel->platform_instance_id, pck->platform_instance, sizeof intel->platform_instance_id);
    intel->dynamic_platform = pck->dynamic_platform;
    intel->cached_keys = pck->cached_keys;
    intel->smt_enabled = pck->smt_enabled;
    intel->tcb_evaluation_number = v->collateral->tcb_info.evaluation_number;
    intel->qe_evaluation_number = v->collateral->qe_identity.evaluation_number;
    intel->platform_level = (size_t)(v->platform_level - v->collateral->tcb_info.levels);
    intel->platform_level_date = v->platform_level->judgement.date;
    newer_level_fill(v, result);
}

/* The collateral to fetch, known once the chain verified. */
static void missing_fill(const struct verification *v, struct attest_missing *missing)
{
    missing->vendor = ATTEST_INTEL;
    missing->processor_ca =
        x509_cert_common_name_contains(pck_chain_ca(v->chain), "Intel SGX PCK Processor CA");
    memcpy(missing->fmspc, v->chain->pck.fmspc, sizeof missing->fmspc);
    missing->known = true;
}

MUST_CHECK static enum err quote_read(struct verification *v, struct span evidence,
                                      enum attest_tee kind, struct refusal *r)
{
    enum err e = quote_parse(evidence, &v->quote, r);

    if (e == ERR_NONE && kind != (is_td(v) ? ATTEST_TDX : ATTEST_SGX))
        e = refuse(r, ATTEST_TEE_TYPE_MISMATCH, "header", attest_tee_name(kind),
                   attest_tee_name(is_td(v) ? ATTEST_TDX : ATTEST_SGX));
    return e;
}

/* Some quoting software writes DER, or nothing, in place of the PEM text. */
static bool has_certificate(struct span pem)
{
    static const char mark[] = "-----BEGIN CERTIFICATE-----";

    return pem.size > 0 && memmem(pem.data, pem.size, mark, sizeof mark - 1) != NULL;
}

/*
 * All checks without collateral come first. So a forged quote is refused as forged, not for missing
 * collateral.
 */
MUST_CHECK static enum err evidence_verify(struct verification *v, const struct verify_input *in,
                                           struct pck_chain **owned, struct attest_result *out,
                                           struct refusal *r)
{
    enum err e;

    if ((e = quote_read(v, in->evidence->bytes, out->kind, r)) != ERR_NONE)
        return e;
    step_passed(out, "header");
    if (!has_certificate(v->quote.certification.data))
        return refuse(r, ATTEST_PCK_CHAIN_MISSING, "pck_chain", "a certificate chain in PEM",
                      "none");
    if ((e = pck_chain_find(in->cache, v->trust, v->quote.certification.data, &v->chain, owned,
                            r)) != ERR_NONE)
        return e;
    missing_fill(v, &out->missing);
    if ((e = chain_judge(v, r)) != ERR_NONE)
        return e;
    step_passed(out, "pck_chain");
    if ((e = qe_report_verify(v, r)) != ERR_NONE)
        return e;
    step_passed(out, "qe_report");
    if ((e = quote_signature_verify(v, r)) != ERR_NONE || (e = claims_fill(v, out, r)) != ERR_NONE)
        return e;
    step_passed(out, "signature");
    return ERR_NONE;
}

MUST_CHECK static enum err collateral_verify(struct verification *v, const struct verify_input *in,
                                             struct attest_result *out, struct refusal *r)
{
    const enum tcb_info_tee tee = is_td(v) ? TCB_INFO_TDX : TCB_INFO_SGX;
    const enum qe_identity_kind qe = is_td(v) ? QE_IDENTITY_TDX : QE_IDENTITY_SGX;
    enum err e;

    if ((e = collateral_choose(in->collateral, tee, v->chain, v->now, &v->collateral, r)) !=
        ERR_NONE)
        return e;
    step_passed(out, "collateral");
    if ((e = collateral_check_signing(v->collateral, v->now, r)) != ERR_NONE)
        return e;
    step_passed(out, "tcb_signing");
    if ((e = collateral_check_crls(v->collateral, v->chain, v->now, r)) != ERR_NONE)
        return e;
    step_passed(out, "crl");
    if ((e = collateral_check_tcb_info(v->collateral, tee, &v->chain->pck, v->now, r)) != ERR_NONE)
        return e;
    step_passed(out, "tcb_info");
    if ((e = collateral_check_qe_identity(v->collateral, qe, v->now, r)) != ERR_NONE ||
        (e = qe_identity_match(&v->collateral->qe_identity, &v->qe_report, &v->qe_level, r)) !=
            ERR_NONE)
        return e;
    step_passed(out, "qe_identity");
    out->authentic = true; /* a quoting enclave that Intel names made the quote */
    return ERR_NONE;
}

MUST_CHECK static enum err platform_verify(struct verification *v, struct attest_result *out,
                                           struct refusal *r)
{
    enum err e;

    if (is_td(v)) {
        if ((e = tdx_module_match(&v->collateral->tcb_info, &out->td, &v->module_level, r)) !=
            ERR_NONE)
            return e;
        step_passed(out, "tdx_module");
    }
    if ((e = level_judge(v, out, r)) != ERR_NONE || (e = status_merge(v, out, r)) != ERR_NONE)
        return e;
    step_passed(out, "tcb_level");
    platform_fill(v, out);
    return ERR_NONE;
}

enum err quote_verify(const struct verify_input *in, struct attest_result *out, struct refusal *r)
{
    struct verification v = {.trust = in->trust, .now = in->now};
    struct pck_chain *owned = NULL;
    enum err e;

    if ((e = evidence_verify(&v, in, &owned, out, r)) == ERR_NONE &&
        (e = collateral_verify(&v, in, out, r)) == ERR_NONE)
        e = platform_verify(&v, out, r);
    pck_chain_free(&owned);
    return e;
}
