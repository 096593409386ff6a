/* Whether verified claims of an SGX enclave are accepted. Pure. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "client/attest.h"
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

static enum vs_error refuse(struct vs_refusal *r, const char *code, const char *expected,
                            const char *presented)
{
    (void)snprintf(r->code, sizeof r->code, "%s", code);
    (void)snprintf(r->expected, sizeof r->expected, "%s", expected);
    (void)snprintf(r->presented, sizeof r->presented, "%s", presented);
    return VS_ERR_POLICY;
}

static enum vs_error refuse_hash(struct vs_refusal *r, const char *code, const uint8_t *expected,
                                 const uint8_t presented[32])
{
    char wanted[65] = "one of several";
    char given[65];

    if (expected != NULL)
        hex_write(span_of(expected, 32), wanted);
    hex_write(span_of(presented, 32), given);
    return refuse(r, code, wanted, given);
}

static enum vs_error refuse_number(struct vs_refusal *r, const char *code, unsigned expected,
                                   unsigned presented)
{
    char wanted[16];
    char given[16];

    (void)snprintf(wanted, sizeof wanted, "%u", expected);
    (void)snprintf(given, sizeof given, "%u", presented);
    return refuse(r, code, wanted, given);
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
static enum vs_error appraise_code(const struct vs_appraisal *a, const struct sgx_report *report,
                                   struct vs_refusal *r)
{
    const uint8_t *only = a->mr_enclave.size == 32 ? a->mr_enclave.data : NULL;

    if (measurement_listed(a->mr_enclave, report->mr_enclave))
        return VS_OK;
    if (a->mr_signer == NULL && a->mr_enclave.size == 0)
        return refuse(r, "no_policy", "a measurement or a signer to compare with", "none");
    if (a->mr_signer == NULL)
        return refuse_hash(r, "measurement_mismatch", only, report->mr_enclave);
    if (!span_equal(span_of(a->mr_signer, 32), SPAN_OF(report->mr_signer)))
        return refuse_hash(r, "signer_mismatch", a->mr_signer, report->mr_signer);
    if (a->isv_prod_id != report->isv_prod_id)
        return refuse_number(r, "product_mismatch", a->isv_prod_id, report->isv_prod_id);
    if (report->isv_svn < a->min_isv_svn)
        return refuse_number(r, "svn_too_low", a->min_isv_svn, report->isv_svn);
    return VS_OK;
}

static bool advisory_tolerated(const struct vs_appraisal *a, const char *advisory)
{
    for (size_t i = 0; i < a->advisory_count; i++)
        if (strcmp(a->advisories[i], advisory) == 0)
            return true;
    return false;
}

static enum vs_error appraise_platform(const struct vs_appraisal *a,
                                       const struct attest_result *result, struct vs_refusal *r)
{
    const unsigned accepted = a->accepted_statuses == 0 ? VS_TCB_UP_TO_DATE : a->accepted_statuses;
    const bool listed = (unsigned)result->status < TCB_STATUS_COUNT &&
                        result->status != TCB_REVOKED && (1u << result->status & accepted) != 0;

    if (!listed)
        return refuse(r, "tcb_status_not_accepted",
                      accepted == VS_TCB_UP_TO_DATE ? "UpToDate" : "one of the accepted statuses",
                      tcb_status_name(result->status));
    for (size_t i = 0; result->status != TCB_UP_TO_DATE && i < result->advisory_count; i++)
        if (!advisory_tolerated(a, result->advisories[i]))
            return refuse(r, "advisory_not_accepted", "only tolerated advisories",
                          result->advisories[i]);
    if (result->intel.tcb_evaluation_number < a->min_tcb_evaluation_number)
        return refuse_number(r, "tcb_evaluation_too_old", a->min_tcb_evaluation_number,
                             result->intel.tcb_evaluation_number);
    return VS_OK;
}

enum vs_error vs_result_judge_default(const struct vs_result *r, struct vs_refusal *refusal)
{
    struct vs_refusal ignored;

    if (r == NULL)
        return VS_ERR_ARGUMENT;
    if (r->verdict != VS_VALID)
        return VS_ERR_UNTRUSTED;
    if (refusal == NULL)
        refusal = &ignored;
    *refusal = (struct vs_refusal){0};
    if (r->verified.debug)
        return refuse(refusal, "debug", "a production build", "a debug build");
    if (r->verified.status == TCB_REVOKED)
        return refuse(refusal, "tcb_status_not_accepted", "any other status", "Revoked");
    (void)snprintf(refusal->code, sizeof refusal->code, "ok");
    return VS_OK;
}

enum vs_error vs_result_appraise(const struct vs_result *r, const struct vs_appraisal *appraisal,
                                 struct vs_refusal *refusal)
{
    struct vs_refusal ignored;
    enum vs_error e;

    if (r == NULL || appraisal == NULL)
        return VS_ERR_ARGUMENT;
    if (r->verdict != VS_VALID)
        return VS_ERR_UNTRUSTED;
    if (r->verified.kind != ATTEST_SGX)
        return VS_ERR_UNSUPPORTED;
    if (refusal == NULL)
        refusal = &ignored;
    if (r->verified.debug)
        return refuse(refusal, "debug", "a production enclave", "a debug enclave");
    if (r->verified.status == TCB_REVOKED)
        return refuse(refusal, "tcb_status_not_accepted", "any other status", "Revoked");
    e = appraise_code(appraisal, &r->verified.sgx, refusal);
    return e == VS_OK ? appraise_platform(appraisal, &r->verified, refusal) : e;
}
