/* A verifier: its trusted roots, its collateral, and one verification. */
#include "client/attest.h"

#include <stdlib.h>
#include <string.h>

#include "client/client.h"

_Static_assert(VS_EVIDENCE_MAX == ATTEST_EVIDENCE_MAX, "evidence");
_Static_assert(VS_TEE_SGX == (int)ATTEST_SGX && VS_TEE_TDX == (int)ATTEST_TDX &&
                   VS_TEE_SNP == (int)ATTEST_SNP && VS_TEE_NITRO == (int)ATTEST_NITRO &&
                   VS_TEE_CCA == (int)ATTEST_CCA && VS_TEE_PSA == (int)ATTEST_PSA &&
                   VS_TEE_AZURE_HCL == (int)ATTEST_AZURE_HCL,
               "kinds of evidence");
_Static_assert(VS_VENDOR_INTEL - 1 == (int)ATTEST_INTEL &&
                   VS_VENDOR_AMD_MILAN - 1 == (int)ATTEST_AMD_MILAN &&
                   VS_VENDOR_AMD_GENOA - 1 == (int)ATTEST_AMD_GENOA &&
                   VS_VENDOR_AMD_TURIN - 1 == (int)ATTEST_AMD_TURIN &&
                   VS_VENDOR_AWS - 1 == (int)ATTEST_AWS,
               "vendors");

const char *vs_tee_name(enum vs_tee tee)
{
    return attest_tee_name((enum attest_tee)tee);
}

enum vs_error vs_tee_parse(const char *name, enum vs_tee *out)
{
    enum attest_tee tee = ATTEST_TEE_NONE;

    if (name == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    if (attest_tee_parse(span_string(name), &tee) != ERR_NONE)
        return VS_ERR_NOT_FOUND;
    *out = (enum vs_tee)tee;
    return VS_OK;
}

enum vs_error vs_verifier_new(unsigned flags, struct vs_verifier **out)
{
    struct vs_verifier *v;

    if (out == NULL || (flags & ~VS_VERIFIER_NO_VENDOR_ROOTS) != 0)
        return VS_ERR_ARGUMENT;
    v = calloc(1, sizeof *v);
    if (v == NULL)
        return VS_ERR_MEMORY;
    if ((flags & VS_VERIFIER_NO_VENDOR_ROOTS) == 0)
        attest_trust_vendors(&v->trust);
    *out = v;
    return VS_OK;
}

void vs_verifier_free(struct vs_verifier **v)
{
    if (v == NULL || *v == NULL)
        return;
    for (size_t i = 0; i < (*v)->intel_count; i++)
        attest_collateral_free(&(*v)->intel[i]);
    for (size_t i = 0; i < (*v)->amd_count; i++)
        attest_amd_free(&(*v)->amd[i]);
    for (size_t i = 0; i < (*v)->vek_count; i++)
        attest_vek_free(&(*v)->veks[i]);
    for (size_t i = 0; i < (*v)->arm_key_count; i++)
        attest_arm_key_free(&(*v)->arm_keys[i]);
    free(*v);
    *v = NULL;
}

const char *vs_verifier_reason(const struct vs_verifier *v)
{
    return v == NULL || v->reason == ATTEST_OK ? "" : attest_reason_code(v->reason);
}

enum vs_error vs_verifier_add_root(struct vs_verifier *v, enum vs_vendor vendor,
                                   struct vs_bytes certificate)
{
    if (v == NULL || vendor < VS_VENDOR_INTEL || vendor > VS_VENDOR_SIMULATED)
        return VS_ERR_ARGUMENT;
    if (vendor == VS_VENDOR_SIMULATED)
        return error_of(attest_trust_add_simulated(&v->trust, span_of_bytes(certificate)));
    return error_of(attest_trust_add(&v->trust, (enum attest_vendor)(vendor - 1),
                                     span_of_bytes(certificate), false));
}

/* Call before adding to a kind that has `count` members. */
MUST_CHECK static enum vs_error begin_add(struct vs_verifier *v, const size_t count)
{
    v->reason = ATTEST_OK;
    return count == VS_COLLATERAL_MAX ? VS_ERR_TOO_LARGE : VS_OK;
}

/* Call after adding: counts an accepted piece; a refusal leaves its code. */
MUST_CHECK static enum vs_error end_add(struct vs_verifier *v, enum err e,
                                        enum attest_reason reason, size_t *count)
{
    if (e == ERR_NONE)
        (*count)++;
    else if (e == ERR_DENIED)
        v->reason = reason;
    return error_of(e);
}

enum vs_error vs_verifier_add_intel(struct vs_verifier *v, const struct vs_intel_collateral *parts)
{
    enum attest_reason reason = ATTEST_INTERNAL;
    enum vs_error e = v == NULL || parts == NULL ? VS_ERR_ARGUMENT : begin_add(v, v->intel_count);

    if (e != VS_OK)
        return e;
    const struct attest_collateral_input input = {
        .tcb_info = span_of_bytes(parts->tcb_info),
        .qe_identity = span_of_bytes(parts->qe_identity),
        .tcb_signing_chain = span_of_bytes(parts->tcb_signing_chain),
        .qe_identity_chain = span_of_bytes(parts->qe_identity_chain),
        .pck_crl = span_of_bytes(parts->pck_crl),
        .pck_crl_issuer_chain = span_of_bytes(parts->pck_crl_issuer_chain),
        .root_crl = span_of_bytes(parts->root_crl),
    };
    return end_add(v, attest_collateral_new(&v->trust, &input, &v->intel[v->intel_count], &reason),
                   reason, &v->intel_count);
}

enum vs_error vs_verifier_add_amd(struct vs_verifier *v, const struct vs_amd_collateral *parts)
{
    enum attest_reason reason = ATTEST_INTERNAL;
    enum vs_error e = v == NULL || parts == NULL ? VS_ERR_ARGUMENT : begin_add(v, v->amd_count);

    if (e != VS_OK)
        return e;
    const struct attest_amd_input input = {
        .vcek_chain = span_of_bytes(parts->vcek_chain),
        .vlek_chain = span_of_bytes(parts->vlek_chain),
        .crl = span_of_bytes(parts->crl),
    };
    return end_add(v, attest_amd_new(&v->trust, &input, &v->amd[v->amd_count], &reason), reason,
                   &v->amd_count);
}

enum vs_error vs_verifier_add_vek(struct vs_verifier *v, struct vs_bytes certificate)
{
    enum attest_reason reason = ATTEST_INTERNAL;
    enum vs_error e = v == NULL ? VS_ERR_ARGUMENT : begin_add(v, v->vek_count);

    if (e != VS_OK)
        return e;
    return end_add(v, attest_vek_new(span_of_bytes(certificate), &v->veks[v->vek_count], &reason),
                   reason, &v->vek_count);
}

enum vs_error vs_verifier_add_arm_key(struct vs_verifier *v, struct vs_bytes instance_id,
                                      struct vs_bytes pem)
{
    enum attest_reason reason = ATTEST_INTERNAL;
    enum vs_error e = v == NULL ? VS_ERR_ARGUMENT : begin_add(v, v->arm_key_count);

    if (e != VS_OK)
        return e;
    return end_add(v,
                   attest_arm_key_new(span_of_bytes(instance_id), span_of_bytes(pem),
                                      &v->arm_keys[v->arm_key_count], &reason),
                   reason, &v->arm_key_count);
}

struct attest_collateral_set verifier_collateral(const struct vs_verifier *v)
{
    return (struct attest_collateral_set){
        .count = v->intel_count,
        .items = (const struct attest_collateral *const *)v->intel,
        .amd_count = v->amd_count,
        .amd = (const struct attest_amd *const *)v->amd,
        .vek_count = v->vek_count,
        .veks = (const struct attest_vek *const *)v->veks,
        .arm_key_count = v->arm_key_count,
        .arm_keys = (const struct attest_arm_key *const *)v->arm_keys,
    };
}

static enum vs_verdict verdict_of(const struct attest_result *r)
{
    if (r->reason == ATTEST_OK)
        return VS_VALID;
    return r->signatures_valid && r->reason == ATTEST_COLLATERAL_MISSING ? VS_SIGNATURE_ONLY
                                                                         : VS_REJECT;
}

/* Refuses large evidence by its size, without a copy. */
static struct span evidence_to_keep(struct vs_bytes bytes)
{
    return span_of(bytes.data, bytes.size > VS_EVIDENCE_MAX ? 0 : bytes.size);
}

MUST_CHECK static enum err verify(const struct vs_verifier *v,
                                  const struct vs_tee_evidence *evidence, struct timestamp now,
                                  struct vs_result *r)
{
    const struct attest_collateral_set set = verifier_collateral(v);
    enum err e = buffer_append(&r->evidence, evidence_to_keep(evidence->bytes));

    if (e != ERR_NONE)
        return e;
    const struct attest_evidence input = {
        .kind = (enum attest_tee)evidence->kind,
        .bytes = evidence->bytes.size > VS_EVIDENCE_MAX ? span_of_bytes(evidence->bytes)
                                                        : buffer_span(&r->evidence),
        .certificates = span_of_bytes(evidence->certificates),
    };
    return attest_verify(&v->trust, &set, NULL, &input, now, &r->verified);
}

enum vs_error vs_verifier_verify(const struct vs_verifier *v,
                                 const struct vs_tee_evidence *evidence, int64_t at,
                                 struct vs_result **result)
{
    struct vs_result *r;
    enum err e;

    if (v == NULL || evidence == NULL || result == NULL ||
        (evidence->bytes.data == NULL && evidence->bytes.size > 0) ||
        (unsigned)evidence->kind > VS_TEE_AZURE_HCL ||
        evidence->certificates.size > VS_CERTIFICATES_MAX)
        return VS_ERR_ARGUMENT;
    r = calloc(1, sizeof *r);
    if (r == NULL)
        return VS_ERR_MEMORY;
    r->at = at == 0 ? clock_now() : timestamp_of_seconds(at);
    e = verify(v, evidence, r->at, r);
    if (e != ERR_NONE && e != ERR_DENIED) {
        vs_result_free(&r);
        return error_of(e);
    }
    r->verdict = verdict_of(&r->verified);
    if (r->verdict == VS_VALID)
        attest_claims_digest(&r->verified, r->claims_digest);
    result_fill_steps(r);
    result_fill_fields(r);
    *result = r;
    return r->verdict == VS_VALID ? VS_OK : VS_ERR_UNTRUSTED;
}

void vs_result_free(struct vs_result **r)
{
    if (r == NULL || *r == NULL)
        return;
    buffer_clear(&(*r)->evidence);
    free(*r);
    *r = NULL;
}
