#include "client/evidence.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "client/client.h"

/* The bits of the interface are 1 << the status. */
_Static_assert(VS_TCB_UP_TO_DATE == 1u << TCB_UP_TO_DATE &&
                   VS_TCB_SW_HARDENING_NEEDED == 1u << TCB_SW_HARDENING_NEEDED &&
                   VS_TCB_CONFIGURATION_NEEDED == 1u << TCB_CONFIGURATION_NEEDED &&
                   VS_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED ==
                       1u << TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED &&
                   VS_TCB_OUT_OF_DATE == 1u << TCB_OUT_OF_DATE &&
                   VS_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED ==
                       1u << TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
               "status bits");
_Static_assert(sizeof((struct vs_claims){0}.advisories) ==
                   sizeof((struct attest_result){0}.advisories),
               "advisories");

enum vs_error vs_tcb_status_parse(const char *name, unsigned *bit)
{
    enum tcb_status status;

    if (name == NULL || bit == NULL)
        return VS_ERR_ARGUMENT;
    if (tcb_status_parse(span_string(name), &status) != ERR_NONE || status == TCB_REVOKED)
        return VS_ERR_MALFORMED;
    *bit = 1u << status;
    return VS_OK;
}

enum vs_error vs_report_data(const char *domain, struct vs_bytes nonce, struct vs_bytes key,
                             struct vs_bytes context, uint8_t out[VS_REPORT_DATA_SIZE])
{
    if (domain == NULL || out == NULL || nonce.size > UINT16_MAX || key.size > UINT16_MAX ||
        context.size > UINT16_MAX)
        return VS_ERR_ARGUMENT;
    report_data_bind(domain, span_of_bytes(nonce), span_of_bytes(key), span_of_bytes(context), out);
    return VS_OK;
}

static void set_text(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
}

static enum vs_error refuse(struct vs_claims *claims, const char *code, const char *expected,
                            const char *presented)
{
    set_text(claims->code, sizeof claims->code, code);
    set_text(claims->step, sizeof claims->step, "appraisal");
    set_text(claims->expected, sizeof claims->expected, expected);
    set_text(claims->presented, sizeof claims->presented, presented);
    return VS_ERR_POLICY;
}

static enum vs_error refuse_hash(struct vs_claims *claims, const char *code,
                                 const uint8_t *expected, const uint8_t presented[32])
{
    char wanted[65] = "one of several";
    char given[65];

    if (expected != NULL)
        hex_write(span_of(expected, 32), wanted);
    hex_write(span_of(presented, 32), given);
    return refuse(claims, code, wanted, given);
}

static enum vs_error refuse_number(struct vs_claims *claims, const char *code, unsigned expected,
                                   unsigned presented)
{
    char wanted[16];
    char given[16];

    (void)snprintf(wanted, sizeof wanted, "%u", expected);
    (void)snprintf(given, sizeof given, "%u", presented);
    return refuse(claims, code, wanted, given);
}

static bool measurement_listed(struct vs_bytes list, const uint8_t measurement[32])
{
    const uint8_t *hashes = list.data;

    for (size_t i = 0; i + 32 <= list.size; i += 32)
        if (span_equal(span_of(hashes + i, 32), span_of(measurement, 32)))
            return true;
    return false;
}

/* The code is named by its measurement, or by its signer with product and least version. */
static enum vs_error appraise_code(const struct vs_appraisal *a, struct vs_claims *claims)
{
    const uint8_t *only = a->mr_enclave.size == 32 ? a->mr_enclave.data : NULL;

    if (measurement_listed(a->mr_enclave, claims->mr_enclave))
        return VS_OK;
    if (a->mr_signer == NULL && a->mr_enclave.size == 0)
        return refuse(claims, "no_policy", "a measurement or a signer to compare with", "none");
    if (a->mr_signer == NULL)
        return refuse_hash(claims, "measurement_mismatch", only, claims->mr_enclave);
    if (!span_equal(span_of(a->mr_signer, 32), span_of(claims->mr_signer, 32)))
        return refuse_hash(claims, "signer_mismatch", a->mr_signer, claims->mr_signer);
    if (a->isv_prod_id != claims->isv_prod_id)
        return refuse_number(claims, "product_mismatch", a->isv_prod_id, claims->isv_prod_id);
    if (claims->isv_svn < a->min_isv_svn)
        return refuse_number(claims, "svn_too_low", a->min_isv_svn, claims->isv_svn);
    return VS_OK;
}

static bool advisory_tolerated(const struct vs_appraisal *a, const char *advisory)
{
    for (size_t i = 0; i < a->advisory_count; i++)
        if (strcmp(a->advisories[i], advisory) == 0)
            return true;
    return false;
}

static enum vs_error appraise_platform(const struct vs_appraisal *a, struct vs_claims *claims)
{
    unsigned accepted = a->accepted_statuses == 0 ? VS_TCB_UP_TO_DATE : a->accepted_statuses;
    unsigned status = 0;

    if (vs_tcb_status_parse(claims->status, &status) != VS_OK || (status & accepted) == 0)
        return refuse(claims, "tcb_status_not_accepted",
                      accepted == VS_TCB_UP_TO_DATE ? "UpToDate" : "one of the accepted statuses",
                      claims->status);
    for (size_t i = 0; status != VS_TCB_UP_TO_DATE && i < claims->advisory_count; i++)
        if (!advisory_tolerated(a, claims->advisories[i]))
            return refuse(claims, "advisory_not_accepted", "only tolerated advisories",
                          claims->advisories[i]);
    if (claims->tcb_evaluation_number < a->min_tcb_evaluation_number)
        return refuse_number(claims, "tcb_evaluation_too_old", a->min_tcb_evaluation_number,
                             claims->tcb_evaluation_number);
    return VS_OK;
}

enum vs_error claims_appraise(const struct vs_appraisal *appraisal, bool revoked,
                              struct vs_claims *claims)
{
    enum vs_error e;

    if (claims->debug)
        return refuse(claims, "debug", "a production enclave", "a debug enclave");
    if (revoked)
        return refuse(claims, "tcb_status_not_accepted", "any other status", "Revoked");
    e = appraise_code(appraisal, claims);
    return e == VS_OK ? appraise_platform(appraisal, claims) : e;
}

static void claims_of_result(const struct attest_result *r, struct vs_claims *out)
{
    set_text(out->code, sizeof out->code, attest_reason_code(r->reason));
    set_text(out->step, sizeof out->step, r->step);
    set_text(out->expected, sizeof out->expected, r->expected);
    set_text(out->presented, sizeof out->presented, r->presented);
    if (r->reason != ATTEST_OK)
        return;
    set_text(out->tee, sizeof out->tee, r->tee);
    set_text(out->status, sizeof out->status, tcb_status_name(r->status));
    out->simulated = r->simulated;
    out->debug = r->debug;
    memcpy(out->mr_enclave, r->sgx.mr_enclave, sizeof out->mr_enclave);
    memcpy(out->mr_signer, r->sgx.mr_signer, sizeof out->mr_signer);
    out->isv_prod_id = r->sgx.isv_prod_id;
    out->isv_svn = r->sgx.isv_svn;
    memcpy(out->report_data, r->report_data, sizeof out->report_data);
    out->advisory_count = r->advisory_count;
    memcpy(out->advisories, r->advisories, sizeof out->advisories);
    out->tcb_date = timestamp_seconds(r->tcb_date);
    out->earliest_expiry = timestamp_seconds(r->earliest_expiry);
    out->tcb_evaluation_number = r->intel.tcb_evaluation_number;
    memcpy(out->fmspc, r->intel.fmspc, sizeof out->fmspc);
    attest_claims_digest(r, out->digest);
}

/* A refusal before a result exists: the collateral itself is at fault. */
static enum vs_error collateral_refused(enum attest_reason reason, struct vs_claims *claims)
{
    set_text(claims->code, sizeof claims->code, attest_reason_code(reason));
    set_text(claims->step, sizeof claims->step, "collateral");
    return VS_ERR_UNTRUSTED;
}

static enum vs_error bound_data_check(const uint8_t *expected, struct vs_claims *claims)
{
    if (expected == NULL || span_equal(span_of(expected, VS_REPORT_DATA_SIZE),
                                       span_of(claims->report_data, VS_REPORT_DATA_SIZE)))
        return VS_OK;
    set_text(claims->code, sizeof claims->code, "report_data_mismatch");
    set_text(claims->step, sizeof claims->step, "report_data");
    hex_write(span_of(expected, VS_REPORT_DATA_SIZE), claims->expected);
    hex_write(span_of(claims->report_data, VS_REPORT_DATA_SIZE), claims->presented);
    return VS_ERR_UNTRUSTED;
}

static enum vs_error verify(const struct attest_trust *trust, const struct vs_evidence *evidence,
                            struct attest_result *result, struct vs_claims *claims)
{
    const struct timestamp now =
        evidence->at == 0 ? clock_now() : timestamp_of_seconds(evidence->at);
    struct attest_collateral *collateral = NULL;
    enum attest_reason reason = ATTEST_INTERNAL;
    enum err e = attest_collateral_from_bundle(trust, span_of_bytes(evidence->collateral),
                                               &collateral, &reason);

    if (e != ERR_NONE)
        return e == ERR_DENIED ? collateral_refused(reason, claims) : error_of(e);
    const struct attest_collateral *const items[] = {collateral};
    const struct attest_collateral_set set = {.count = COUNT_OF(items), .items = items};
    e = attest_verify(trust, &set, NULL,
                      &(struct attest_evidence){.bytes = span_of_bytes(evidence->quote)}, now,
                      result);
    if (e == ERR_NONE || e == ERR_DENIED)
        claims_of_result(result, claims);
    attest_collateral_free(&collateral);
    return error_of(e);
}

enum vs_error vs_attest_verify(const struct vs_evidence *evidence,
                               const struct vs_appraisal *appraisal, struct vs_claims *claims)
{
    struct attest_trust trust;
    struct attest_result result = {0};
    enum vs_error e;

    if (evidence == NULL || claims == NULL)
        return VS_ERR_ARGUMENT;
    *claims = (struct vs_claims){0};
    set_text(claims->code, sizeof claims->code, "internal");
    attest_trust_vendors(&trust);
    if (evidence->trust_root.size > 0 &&
        attest_trust_add_simulated(&trust, span_of_bytes(evidence->trust_root)) != ERR_NONE) {
        set_text(claims->code, sizeof claims->code, "trust_root_malformed");
        set_text(claims->step, sizeof claims->step, "trust_root");
        return VS_ERR_MALFORMED;
    }
    e = verify(&trust, evidence, &result, claims);
    if (e == VS_OK)
        e = bound_data_check(evidence->report_data, claims);
    if (e == VS_OK && appraisal != NULL)
        e = claims_appraise(appraisal, result.status == TCB_REVOKED, claims);
    return e;
}
