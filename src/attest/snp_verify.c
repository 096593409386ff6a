#include <string.h>

#include "attest/snp_amd.h"
#include "attest/snp_host.h"
#include "attest/verify.h"

#define POLICY_DEBUG (1ull << 19)

/* The state of one verification. */
struct verification {
    const struct verify_input *in;
    struct snp_evidence evidence;
    struct snp_host host;
    const struct attest_vek *vek;
    struct snp_issuer issuer;
    struct snp_chain chain;
    const struct x509_crl *crl;
};

/* The product by its VEK, by the CPUID of the report, or by a VEK of its host: one that does not
 * fit is of the same product all the same. Reports of version 2 have no CPUID. */
static bool product_find(const struct verification *v, enum attest_vendor *out)
{
    if (!v->vek && snp_report_product(&v->evidence.report, out) == ERR_NONE)
        return true;

    const struct attest_vek *veks[] = {v->vek, v->host.veks[0], v->host.veks[1]};

    for (size_t i = 0; i < COUNT_OF(veks); i++)
        if (veks[i]) {
            *out = veks[i]->claims.product;
            return true;
        }
    return false;
}

/* The collateral to fetch for this report, as far as the report and its host name it. */
static void missing_fill(const struct verification *v, struct attest_missing *out)
{
    const struct snp_report *report = &v->evidence.report;
    enum attest_vendor product = ATTEST_AMD_MILAN; /* unknown: its TCB has the form of Genoa's */

    out->by_vlek = v->evidence.by_vlek;
    memcpy(out->chip_id, report->chip_id, sizeof out->chip_id);
    out->known = product_find(v, &product);
    out->vendor = out->known ? product : ATTEST_INTEL;
    out->tcb = snp_tcb_read(report->reported_tcb_bytes, product);
}

/* Every available VEK: the host's, then those of the set. NULL after the last. */
static const struct attest_vek *vek_at(const struct verification *v, size_t i)
{
    const struct attest_collateral_set *set = v->in->collateral;

    for (size_t j = 0; j < COUNT_OF(v->host.veks); j++)
        if (v->host.veks[j] && i-- == 0)
            return v->host.veks[j];
    return set && i < set->vek_count ? set->veks[i] : NULL;
}

/* The VEK that matches. If there is only one, that one, so that the refusal names the
 * difference. */
MUST_CHECK static enum err vek_choose(struct verification *v, struct attest_missing *missing,
                                      struct refusal *r)
{
    const struct attest_vek *vek;
    size_t count = 0;

    while ((vek = vek_at(v, count)) != NULL) {
        count++;
        if (snp_vek_match(vek, &v->evidence, r) == ERR_NONE) {
            v->vek = vek;
            missing_fill(v, missing);
            return ERR_NONE;
        }
    }
    if (count == 1) /* snp_vek_match() recorded the reason */
        return ERR_DENIED;
    if (!v->evidence.by_vlek && span_is_zero(SPAN_OF(v->evidence.report.chip_id)))
        return refuse(
            r, ATTEST_COLLATERAL_MISSING, "vek",
            "the VCEK in the certificate table of the host (auxblob): the report masks its "
            "chip id, so the VCEK cannot be fetched",
            "no VCEK of this TCB");
    if (v->evidence.by_vlek)
        return refuse(
            r, ATTEST_COLLATERAL_MISSING, "vek",
            "the VLEK of this TCB in the certificate table of the host (auxblob): only the "
            "cloud has it",
            "no VLEK of this TCB");
    return refuse(r, ATTEST_COLLATERAL_MISSING, "vek", "the VCEK of this chip and TCB",
                  missing->known ? "none" : "none; version 2 does not name the product");
}

/* The host's own, of the right type if present; snp_chain_verify() checks it. */
static bool host_issuer(const struct verification *v, struct snp_issuer *out)
{
    const bool by_vlek = v->vek->claims.by_vlek;
    const struct x509_cert *intermediate = v->host.intermediates[by_vlek];

    if (!intermediate)
        intermediate = v->host.intermediates[!by_vlek];
    *out = (struct snp_issuer){intermediate, v->host.ark, v->vek->claims.product, by_vlek, false};
    return intermediate && v->host.ark;
}

/* The set's, because it is verified; else the host's; else the only one, to report why it fails. */
MUST_CHECK static enum err issuer_choose(struct verification *v, struct refusal *r)
{
    const struct attest_collateral_set *set = v->in->collateral;
    const struct snp_vek_claims *vek = &v->vek->claims;

    if (snp_amd_find(set, v->in->trust, vek->product, vek->by_vlek, &v->issuer) ||
        host_issuer(v, &v->issuer) ||
        (set && set->amd_count == 1 && snp_amd_issuer(set->amd[0], vek->by_vlek, &v->issuer)))
        return ERR_NONE;
    return refuse(r, ATTEST_COLLATERAL_MISSING, "vek_chain",
                  vek->by_vlek ? "AMD's ARK and ASVK of the product"
                               : "AMD's ARK and ASK of the product",
                  "none");
}

MUST_CHECK static enum err signature_verify(const struct verification *v, struct refusal *r)
{
    enum err e = p384_verify(v->vek->key, v->evidence.signed_bytes, v->evidence.signature);

    return e == ERR_NONE ? e
                         : refuse_unless_memory(r, e, ATTEST_SIGNATURE_INVALID, "signature",
                                                "a report signed by the VEK", NULL);
}

/* Copies the claims of a report signed by a pinned root's VEK, also if it is then refused. */
static void claims_fill(const struct verification *v, struct attest_result *out)
{
    const enum attest_vendor product = v->vek->claims.product;
    struct snp_report *report = &out->snp;

    *report = v->evidence.report;
    report->product = product;
    report->by_vlek = v->vek->claims.by_vlek;
    memcpy(report->csp_id, v->vek->claims.csp_id, sizeof report->csp_id);
    report->current_tcb = snp_tcb_read(report->current_tcb_bytes, product);
    report->reported_tcb = snp_tcb_read(report->reported_tcb_bytes, product);
    report->committed_tcb = snp_tcb_read(report->committed_tcb_bytes, product);
    report->launch_tcb = snp_tcb_read(report->launch_tcb_bytes, product);
    out->kind = ATTEST_SNP;
    out->simulated = v->chain.root->simulated;
    out->tee = attest_type_name(ATTEST_SNP, v->chain.root->simulated);
    out->version = (uint16_t)report->version;
    out->debug = (report->policy & POLICY_DEBUG) != 0;
    memcpy(out->report_data, report->report_data, sizeof out->report_data);
    evidence_identify(v->evidence.signed_bytes, span_of(v->evidence.signature, P384_SCALAR_SIZE),
                      out->evidence_id);
    out->signatures_valid = out->authentic = true;
}

/* If there is a CRL, it must be valid now, and list neither ASK nor ASVK. */
MUST_CHECK static enum err revocation_check(struct verification *v, struct refusal *r)
{
    const struct timestamp now = v->in->now;

    v->crl = snp_amd_crl(v->in->collateral, &v->issuer);
    if (!v->crl)
        return ERR_NONE;
    if (now.ms < x509_crl_this_update(v->crl).ms)
        return refuse_time(r, ATTEST_CRL_TIME, "crl", "from", x509_crl_this_update(v->crl), now);
    if (now.ms > x509_crl_next_update(v->crl).ms)
        return refuse_time(r, ATTEST_CRL_TIME, "crl", "until", x509_crl_next_update(v->crl), now);
    if (x509_crl_lists(v->crl, v->issuer.intermediate) || x509_crl_lists(v->crl, v->issuer.ark))
        return refuse(r, ATTEST_VEK_REVOKED, "crl", "certificates that are not revoked",
                      v->issuer.by_vlek ? "ASVK" : "ASK");
    return ERR_NONE;
}

/* The CPU in the report must be of the product whose key signed it. */
MUST_CHECK static enum err product_check(const struct snp_report *report, struct refusal *r)
{
    enum attest_vendor product;

    if (!report->has_cpuid)
        return ERR_NONE;
    if (snp_report_product(report, &product) != ERR_NONE)
        return refuse(r, ATTEST_PRODUCT_MISMATCH, "product", snp_product_name(report->product),
                      "another CPU");
    if (product != report->product)
        return refuse(r, ATTEST_PRODUCT_MISMATCH, "product", snp_product_name(report->product),
                      snp_product_name(product));
    return ERR_NONE;
}

/* Firmware keeps REPORTED <= COMMITTED <= CURRENT. Other reports are refused. */
MUST_CHECK static enum err tcb_check(const struct snp_report *report, struct refusal *r)
{
    const uint8_t *const bytes[] = {report->reported_tcb_bytes, report->committed_tcb_bytes,
                                    report->current_tcb_bytes, report->launch_tcb_bytes};

    for (size_t i = 0; i < COUNT_OF(bytes); i++)
        if (!snp_tcb_reserved_is_zero(bytes[i], report->product))
            return refuse(r, ATTEST_MALFORMED, "tcb_order", "zero in reserved bytes of a TCB",
                          NULL);
    if (!snp_tcb_at_most(&report->reported_tcb, &report->committed_tcb))
        return refuse_bytes(
            r, ATTEST_TCB_NOT_SUPPORTED, "tcb_order", "reported TCB at most the committed",
            SPAN_OF(report->committed_tcb_bytes), SPAN_OF(report->reported_tcb_bytes));
    if (!snp_tcb_at_most(&report->committed_tcb, &report->current_tcb))
        return refuse_bytes(r, ATTEST_TCB_NOT_SUPPORTED, "tcb_order",
                            "committed TCB at most the current", SPAN_OF(report->current_tcb_bytes),
                            SPAN_OF(report->committed_tcb_bytes));
    return ERR_NONE;
}

/* Verifies the signer: one signature, and at most three of certificates. */
MUST_CHECK static enum err evidence_verify(struct verification *v, struct attest_result *out,
                                           struct refusal *r)
{
    const struct verify_input *in = v->in;
    enum err e;

    if ((e = snp_report_parse(in->evidence->bytes, &v->evidence, r)) != ERR_NONE)
        return e;
    step_passed(out, "report");
    if ((e = snp_host_read(in->evidence->certificates, &v->host, r)) != ERR_NONE)
        return e;
    missing_fill(v, &out->missing);
    if ((e = vek_choose(v, &out->missing, r)) != ERR_NONE)
        return e;
    step_passed(out, "vek");
    if ((e = issuer_choose(v, r)) != ERR_NONE ||
        (e = snp_chain_verify(in->cache, in->trust, v->vek, &v->issuer, in->now, &v->chain, r)) !=
            ERR_NONE)
        return e;
    step_passed(out, "vek_chain");
    if ((e = signature_verify(v, r)) != ERR_NONE)
        return e;
    step_passed(out, "signature");
    claims_fill(v, out);
    return ERR_NONE;
}

/* Checks that the fields of the report are consistent. */
MUST_CHECK static enum err platform_verify(struct verification *v, struct attest_result *out,
                                           struct refusal *r)
{
    enum err e;

    if ((e = revocation_check(v, r)) != ERR_NONE)
        return e;
    out->snp.crl_checked = v->crl != NULL;
    if (v->crl)
        step_passed(out, "crl");
    if ((e = product_check(&out->snp, r)) != ERR_NONE)
        return e;
    step_passed(out, "product");
    if ((e = tcb_check(&out->snp, r)) != ERR_NONE)
        return e;
    step_passed(out, "tcb_order");
    return ERR_NONE;
}

enum err snp_verify(const struct verify_input *in, struct attest_result *out, struct refusal *r)
{
    struct verification v = {.in = in};
    enum err e;

    if ((e = evidence_verify(&v, out, r)) == ERR_NONE &&
        (e = platform_verify(&v, out, r)) == ERR_NONE) {
        out->status = TCB_NOT_JUDGED; /* AMD publishes no status; policies set minimums */
        out->earliest_expiry = v.chain.valid_until;
        if (v.crl)
            out->earliest_expiry =
                timestamp_earlier(v.chain.valid_until, x509_crl_next_update(v.crl));
    }
    snp_host_clear(&v.host);
    return e;
}
