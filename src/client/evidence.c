/* Verifies evidence and its collateral in one call, with a verifier that is used once. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "client/attest.h"
#include "client/client.h"

_Static_assert(sizeof((struct vs_claims){0}.advisories) ==
                   sizeof((struct attest_result){0}.advisories),
               "advisories");

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

void claims_refuse(struct vs_claims *claims, const char *code, const char *step)
{
    set_text(claims->code, sizeof claims->code, code);
    set_text(claims->step, sizeof claims->step, step);
}

void claims_of_result(const struct vs_result *result, struct vs_claims *out)
{
    const struct attest_result *r = &result->verified;

    claims_refuse(out, vs_result_reason(result), vs_result_step(result));
    set_text(out->expected, sizeof out->expected, vs_result_expected(result));
    set_text(out->presented, sizeof out->presented, vs_result_presented(result));
    if (result->verdict != VS_VALID)
        return;
    set_text(out->tee, sizeof out->tee, r->tee);
    set_text(out->status, sizeof out->status, vs_result_status(result));
    out->simulated = r->simulated;
    out->debug = r->debug;
    if (r->kind == ATTEST_SGX) {
        memcpy(out->mr_enclave, r->sgx.mr_enclave, sizeof out->mr_enclave);
        memcpy(out->mr_signer, r->sgx.mr_signer, sizeof out->mr_signer);
        out->isv_prod_id = r->sgx.isv_prod_id;
        out->isv_svn = r->sgx.isv_svn;
    }
    memcpy(out->report_data, r->report_data, sizeof out->report_data);
    out->advisory_count = r->advisory_count;
    memcpy(out->advisories, r->advisories, sizeof out->advisories);
    out->tcb_date = timestamp_seconds(r->tcb_date);
    out->earliest_expiry = timestamp_seconds(r->earliest_expiry);
    out->tcb_evaluation_number = r->intel.tcb_evaluation_number;
    memcpy(out->fmspc, r->intel.fmspc, sizeof out->fmspc);
    memcpy(out->digest, result->claims_digest, sizeof out->digest);
}

enum vs_error claims_check_bound(const struct vs_result *result, const uint8_t *expected,
                                 struct vs_claims *claims)
{
    const struct span presented = span_of(vs_result_report_data(result), VS_REPORT_DATA_SIZE);
    const struct span wanted = span_of(expected, VS_REPORT_DATA_SIZE);

    if (span_equal(wanted, presented))
        return VS_OK;
    claims_refuse(claims, "report_data_mismatch", "report_data");
    hex_write(wanted, claims->expected);
    hex_write(presented, claims->presented);
    return VS_ERR_UNTRUSTED;
}

enum vs_error claims_appraised(enum vs_error e, const struct vs_refusal *refusal,
                               struct vs_claims *claims)
{
    if (e == VS_ERR_POLICY) {
        claims_refuse(claims, refusal->code, "appraisal");
        set_text(claims->expected, sizeof claims->expected, refusal->expected);
        set_text(claims->presented, sizeof claims->presented, refusal->presented);
    }
    return e;
}

MUST_CHECK static enum vs_error certificate_appraise(const struct vs_result *result,
                                                     const struct vs_appraisal *appraisal,
                                                     struct vs_claims *claims)
{
    struct vs_refusal refusal = {0};

    if (appraisal == NULL)
        return claims_appraised(vs_result_judge_default(result, &refusal), &refusal, claims);
    return claims_appraised(vs_result_appraise(result, appraisal, &refusal), &refusal, claims);
}

/* A refusal before there is a result: the collateral itself is at fault. */
MUST_CHECK static enum vs_error add_collateral(struct vs_verifier *v, struct vs_bytes bundle,
                                               struct vs_claims *claims)
{
    const enum vs_error e = vs_verifier_add_bundle(v, bundle);

    if (e == VS_ERR_UNTRUSTED)
        claims_refuse(claims, vs_verifier_reason(v), "collateral");
    return e;
}

MUST_CHECK static enum vs_error add_root(struct vs_verifier *v, struct vs_bytes root,
                                         struct vs_claims *claims)
{
    if (root.size == 0 || vs_verifier_add_root(v, VS_VENDOR_SIMULATED, root) == VS_OK)
        return VS_OK;
    claims_refuse(claims, "trust_root_malformed", "trust_root");
    return VS_ERR_MALFORMED;
}

MUST_CHECK static enum vs_error verify(const struct vs_verifier *v,
                                       const struct vs_evidence *evidence,
                                       const struct vs_appraisal *appraisal,
                                       struct vs_claims *claims)
{
    struct vs_result *result = NULL;
    enum vs_error e = vs_verifier_verify(v, &(struct vs_tee_evidence){.bytes = evidence->quote},
                                         evidence->at, &result);

    if (result != NULL)
        claims_of_result(result, claims);
    if (e == VS_OK && evidence->report_data != NULL)
        e = claims_check_bound(result, evidence->report_data, claims);
    if (e == VS_OK)
        e = certificate_appraise(result, appraisal, claims);
    vs_result_free(&result);
    return e;
}

enum vs_error vs_attest_verify(const struct vs_evidence *evidence,
                               const struct vs_appraisal *appraisal, struct vs_claims *claims)
{
    struct vs_verifier *v = NULL;
    enum vs_error e;

    if (evidence == NULL || claims == NULL)
        return VS_ERR_ARGUMENT;
    *claims = (struct vs_claims){0};
    set_text(claims->code, sizeof claims->code, "internal");
    if ((e = vs_verifier_new(0, &v)) == VS_OK &&
        (e = add_root(v, evidence->trust_root, claims)) == VS_OK &&
        (e = add_collateral(v, evidence->collateral, claims)) == VS_OK)
        e = verify(v, evidence, appraisal, claims);
    vs_verifier_free(&v);
    return e;
}
