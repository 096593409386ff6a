/* The reply to POST /v1/attest/explain. */
#include <stdio.h>

#include "server/render.h"

enum { REPLY_MAX = 128 * 1024 };

static void put_text(struct json_writer *j, const char *name, const char *text)
{
    if (*text)
        json_put_string(j, name, span_string(text));
}

static void put_time(struct json_writer *j, const char *name, struct timestamp t)
{
    if (t.ms != 0 && t.ms != INT64_MAX)
        json_put_int(j, name, timestamp_seconds(t));
}

static void put_pcrs(struct json_writer *j, const struct nitro_claims *n)
{
    char name[8];

    for (unsigned i = 0; i < ATTEST_NITRO_PCRS; i++) {
        if ((n->pcr_present >> i & 1) == 0)
            continue;
        (void)snprintf(name, sizeof name, "pcr%u", i);
        json_put_hex(j, name, span_of(n->pcr[i], n->pcr_size[i]));
    }
}

/* Only for evidence that hardware under a pinned root signed. */
static void put_claims(struct json_writer *j, const struct attest_result *r)
{
    json_open_object(j, "claims");
    json_put_bool(j, "debug", r->debug);
    json_put_bool(j, "simulated", r->simulated);
    json_put_hex(j, "report_data", SPAN_OF(r->report_data));
    for (size_t i = 0; i < evidence_field_count; i++) {
        const struct evidence_field *field = &evidence_fields[i];

        if (field->kind == r->kind && field->is_measurement)
            json_put_hex(j, field->name, evidence_bytes(r, field));
    }
    if (r->kind == ATTEST_NITRO)
        put_pcrs(j, &r->nitro);
    json_close_object(j);
}

static void put_platform(struct json_writer *j, const struct attest_result *r)
{
    uint8_t digest[SHA256_SIZE];

    attest_claims_digest(r, digest);
    json_put_hex(j, "claims_digest", SPAN_OF(digest));
    if (r->status != TCB_NOT_JUDGED)
        json_put_string(j, "status", span_string(tcb_status_name(r->status)));
    json_open_array(j, "advisories");
    for (size_t i = 0; i < r->advisory_count; i++)
        json_put_string(j, NULL, span_string(r->advisories[i]));
    json_close_array(j);
    put_time(j, "tcb_date", r->tcb_date);
    put_time(j, "earliest_expiry", r->earliest_expiry);
}

static const char *verdict_name(const struct attest_result *r)
{
    if (r->reason == ATTEST_OK)
        return "valid";
    return r->signatures_valid && r->reason == ATTEST_COLLATERAL_MISSING ? "signature_only"
                                                                         : "reject";
}

static void put_step(struct json_writer *j, const char *step, bool passed)
{
    json_open_object(j, NULL);
    json_put_string(j, "step", span_string(step));
    json_put_bool(j, "passed", passed);
    json_close_object(j);
}

static void put_evidence(struct json_writer *j, const struct attest_result *r)
{
    const bool valid = r->reason == ATTEST_OK;

    json_put_string(j, "result", span_string(verdict_name(r)));
    json_put_string(j, "tee", span_string(r->signatures_valid ? r->tee : attest_tee_name(r->kind)));
    json_put_string(j, "reason", span_string(attest_reason_code(r->reason)));
    json_put_string(j, "sentence", span_string(attest_reason_text(r->reason)));
    json_open_array(j, "steps");
    for (size_t i = 0; i < r->step_count; i++)
        put_step(j, r->steps[i], true);
    if (!valid)
        put_step(j, r->step, false);
    json_close_array(j);
    if (!valid) {
        put_text(j, "expected", r->expected);
        put_text(j, "presented", r->presented);
    }
    json_put_bool(j, "signatures_valid", r->signatures_valid);
    json_put_bool(j, "authentic", r->authentic);
    if (r->signatures_valid)
        put_claims(j, r);
    if (valid)
        put_platform(j, r);
}

/* Which of Intel's sets decided, and what to do if it is not the requested one. */
static void put_set(struct json_writer *j, const struct explanation *x)
{
    if (x->has_set) {
        json_put_string(j, "update",
                        x->set_is_early ? SPAN_LITERAL("early") : SPAN_LITERAL("standard"));
        json_put_int(j, "tcb_evaluation_number", (int64_t)x->tcb_evaluation_number);
    }
    if (!x->early_set_missing)
        return;
    json_put_bool(j, "early_set_missing", true);
    json_put_string(j, "notice",
                    x->has_set
                        ? SPAN_LITERAL("The keystore holds no early set for this platform, so the "
                                       "standard set decided. Add a source of collateral with "
                                       "update: early.")
                        : SPAN_LITERAL("The keystore holds no early set for this evidence. Only "
                                       "SGX and TDX have early sets."));
}

static void put_denial(struct json_writer *j, const struct appraisal_denial *denial)
{
    json_put_string(j, "code", span_string(denial->code));
    put_text(j, "expected", denial->expected);
    put_text(j, "presented", denial->presented);
}

static void put_rule(struct json_writer *j, const struct rule_verdict *rule)
{
    json_open_object(j, NULL);
    json_put_string(j, "name", span_string(rule->name));
    json_put_bool(j, "accepts", rule->accepts);
    json_put_int(j, "demands_met", (int64_t)rule->demands_met);
    if (!rule->accepts)
        put_denial(j, &rule->denial);
    json_close_object(j);
}

static void put_rules(struct json_writer *j, const struct explanation *x)
{
    json_open_array(j, "rules");
    for (size_t i = 0; i < x->rule_count; i++)
        put_rule(j, &x->rules[i]);
    json_close_array(j);
    if (x->rules_left_out > 0)
        json_put_int(j, "rules_left_out", (int64_t)x->rules_left_out);
}

/* The decision of POST /v1/attest, as far as the request asked for it. */
static void put_decision(struct json_writer *j, const struct explanation *x)
{
    const struct rule_verdict *nearest = &x->nearest;

    json_put_bool(j, "accepted", nearest->accepts && x->kind_is_right);
    json_put_string(j, "binding",
                    x->binding_checked ? SPAN_LITERAL("checked") : SPAN_LITERAL("not checked"));
    if (!x->kind_is_right) {
        json_put_string(j, "code", SPAN_LITERAL("tee_type_mismatch"));
        return;
    }
    json_put_string(j, "policy",
                    x->has_nearest ? span_string(nearest->name) : SPAN_LITERAL("default-deny"));
    if (!nearest->accepts)
        put_denial(j, &nearest->denial);
}

static void write_explanation(struct json_writer *j, const void *subject)
{
    const struct explanation *x = subject;

    json_open_object(j, NULL);
    put_evidence(j, &x->evidence);
    put_set(j, x);
    if (x->evidence.reason != ATTEST_OK) {
        json_put_bool(j, "accepted", false);
    } else {
        if (x->tells_rules)
            put_rules(j, x);
        put_decision(j, x);
    }
    json_close_object(j);
}

enum err render_explanation(const struct explanation *x, struct secret **out)
{
    return render_into(REPLY_MAX, write_explanation, x, out);
}
