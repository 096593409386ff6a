#include "service/dry_run.h"

#include <stdio.h>
#include <string.h>

#include "codec/json.h"

enum { REPLY_MAX = 128 * 1024 };

/* What the reply is written from. */
struct dry_run {
    const struct service *svc;
    const struct caller *caller;
    const struct dry_run_request *request;
    const struct appraisal_policy *policy;
    struct timestamp now;
    struct attest_result result;
    bool kind_is_right; /* the evidence is what tee_type says */
    struct binding binding;
    struct appraisal_question question;
};

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

/* ---- the evidence */

struct measurement {
    enum attest_tee kind;
    const char *name; /* as policies have it */
    size_t offset, size;
};

#define MEASUREMENT(kind, name, member)                                                            \
    {                                                                                              \
        kind, name, offsetof(struct attest_result, member),                                        \
            sizeof(((struct attest_result *)NULL)->member)                                         \
    }

static const struct measurement measurements[] = {
    MEASUREMENT(ATTEST_SGX, "mrenclave", sgx.mr_enclave),
    MEASUREMENT(ATTEST_SGX, "mrsigner", sgx.mr_signer),
    MEASUREMENT(ATTEST_TDX, "mrtd", td.mr_td),
    MEASUREMENT(ATTEST_TDX, "mrseam", td.mr_seam),
    MEASUREMENT(ATTEST_TDX, "rtmr0", td.rtmr[0]),
    MEASUREMENT(ATTEST_TDX, "rtmr1", td.rtmr[1]),
    MEASUREMENT(ATTEST_TDX, "rtmr2", td.rtmr[2]),
    MEASUREMENT(ATTEST_TDX, "rtmr3", td.rtmr[3]),
    MEASUREMENT(ATTEST_SNP, "measurement", snp.measurement),
    MEASUREMENT(ATTEST_SNP, "host_data", snp.host_data),
};

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

/* Only of evidence that is signed by a pinned root's hardware. */
static void put_claims(struct json_writer *j, const struct attest_result *r)
{
    json_open_object(j, "claims");
    json_put_bool(j, "debug", r->debug);
    json_put_bool(j, "simulated", r->simulated);
    json_put_hex(j, "report_data", SPAN_OF(r->report_data));
    for (size_t i = 0; i < COUNT_OF(measurements); i++)
        if (measurements[i].kind == r->kind)
            json_put_hex(
                j, measurements[i].name,
                span_of((const uint8_t *)r + measurements[i].offset, measurements[i].size));
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

/* ---- the policy */

static bool is_asked(const struct dry_run *d, const struct appraisal_rule *rule)
{
    return d->request->policy[0] == '\0' || strcmp(d->request->policy, rule->name) == 0;
}

static bool is_for(const struct appraisal_rule *rule, const char *token)
{
    for (size_t i = 0; i < rule->token_count; i++)
        if (strcmp(rule->tokens[i], token) == 0)
            return true;
    return rule->token_count == 0;
}

static void put_denial(struct json_writer *j, const struct appraisal_denial *denial)
{
    json_put_string(j, "code", span_string(denial->code));
    put_text(j, "expected", denial->expected);
    put_text(j, "presented", denial->presented);
}

/* The rule that accepts, or the one that came nearest. */
struct nearest {
    const struct appraisal_rule *rule;
    size_t passed;
    struct appraisal_denial denial;
    bool accepted;
};

static void consider(struct nearest *n, const struct appraisal_rule *rule, bool accepted,
                     size_t passed, const struct appraisal_denial *denial)
{
    if (n->accepted || (!accepted && n->rule && passed <= n->passed))
        return;
    n->rule = rule;
    n->accepted = accepted;
    n->passed = passed;
    n->denial = *denial;
}

static void put_rule(struct json_writer *j, const struct appraisal_rule *rule, bool accepted,
                     size_t passed, const struct appraisal_denial *denial)
{
    json_open_object(j, NULL);
    json_put_string(j, "name", span_string(rule->name));
    json_put_bool(j, "accepts", accepted);
    json_put_int(j, "demands_met", (int64_t)passed);
    if (!accepted)
        put_denial(j, denial);
    json_close_object(j);
}

/* Each rule that was asked for, in order; with `trace`, written down. */
static size_t judge(const struct dry_run *d, struct nearest *n, struct json_writer *trace)
{
    const struct appraisal_policy *policy = d->policy;
    size_t count = 0;

    for (size_t i = 0; i < policy->count; i++) {
        struct appraisal_denial denial = {.code = "ok"};
        size_t passed = 0;
        bool accepted;

        if (!is_asked(d, &policy->rules[i]))
            continue;
        accepted = appraise_rule(&policy->rules[i], &d->question, &passed, &denial);
        consider(n, &policy->rules[i], accepted, passed, &denial);
        if (trace && count < DRY_RUN_RULES_MAX)
            put_rule(trace, &policy->rules[i], accepted, passed, &denial);
        count++;
    }
    return count;
}

static void put_trace(struct json_writer *j, const struct dry_run *d, struct nearest *n)
{
    size_t count;

    json_open_array(j, "rules");
    count = judge(d, n, j);
    json_close_array(j);
    if (count > DRY_RUN_RULES_MAX)
        json_put_int(j, "rules_left_out", (int64_t)(count - DRY_RUN_RULES_MAX));
}

/* What POST /v1/attest would decide, as far as it was asked. */
static void put_decision(struct json_writer *j, const struct dry_run *d, const struct nearest *n)
{
    json_put_bool(j, "accepted", n->accepted && d->kind_is_right);
    json_put_string(j, "binding",
                    d->request->has_binding ? SPAN_LITERAL("checked")
                                            : SPAN_LITERAL("not checked"));
    if (!d->kind_is_right) {
        json_put_string(j, "code", SPAN_LITERAL("tee_type_mismatch"));
        return;
    }
    json_put_string(j, "policy",
                    n->rule ? span_string(n->rule->name) : SPAN_LITERAL("default-deny"));
    if (!n->accepted)
        put_denial(j, &n->denial);
}

static void put_appraisal(struct json_writer *j, const struct dry_run *d)
{
    struct nearest n = {.denial = {.code = "no_policy"}};

    if (d->result.reason != ATTEST_OK) {
        json_put_bool(j, "accepted", false);
        return;
    }
    if (d->caller->principal->may_explain)
        put_trace(j, d, &n);
    else
        (void)judge(d, &n, NULL);
    put_decision(j, d, &n);
}

MUST_CHECK static enum err reply_write(const struct dry_run *d, struct outcome *o)
{
    enum err e = secret_new(REPLY_MAX, &o->reply);
    struct writer w;
    struct json_writer j;

    if (e != ERR_NONE)
        return e;
    w = writer_over(secret_data(o->reply), REPLY_MAX);
    j = json_writer_over(&w);
    json_open_object(&j, NULL);
    put_evidence(&j, &d->result);
    put_appraisal(&j, d);
    json_close_object(&j);
    if ((e = writer_finish(&w, NULL)) == ERR_NONE)
        secret_shrink(o->reply, w.size);
    return e;
}

/* ---- the operation */

static bool names_kind(struct span tee_type, const struct attest_result *r)
{
    if (!r->signatures_valid)
        return true; /* what it is not is said otherwise */
    return span_equal_string(tee_type, r->tee) ||
           (span_equal_string(tee_type, "sev") && r->kind == ATTEST_SNP && !r->simulated);
}

MUST_CHECK static enum err verify(struct dry_run *d, struct service_thread *thread)
{
    const struct evidence *evidence = &d->request->evidence;
    const struct attest_evidence presented = {.bytes = evidence->quote,
                                              .certificates = evidence->certificates};
    const struct collateral_snapshot *collateral =
        collateral_store_view(d->svc->collateral, &thread->collateral);
    enum err e = attest_verify(&d->svc->trust, &collateral->set, thread->chains, &presented, d->now,
                               &d->result);

    d->kind_is_right = names_kind(evidence->tee_type, &d->result);
    return e == ERR_DENIED ? ERR_NONE : e;
}

static void question_fill(struct dry_run *d)
{
    const struct dry_run_request *r = d->request;

    d->binding = (struct binding){.domain = REPORT_DOMAIN_SESSION,
                                  .for_session = true,
                                  .nonce = SPAN_OF(r->nonce),
                                  .key = SPAN_OF(r->key)};
    d->question = (struct appraisal_question){
        .evidence = &d->result,
        .binding = r->has_binding ? &d->binding : NULL,
        .token_name = d->caller->principal->name,
        .now = d->now,
        .event_log = r->evidence.event_log,
    };
}

/* Which rules there are is told to who may know; for others a rule of other tokens is none. */
static bool is_known(const struct dry_run *d)
{
    const struct appraisal_rule *rule;

    if (d->request->policy[0] == '\0')
        return true;
    rule = appraisal_find(d->policy, d->request->policy);
    return rule && (d->caller->principal->may_explain || is_for(rule, d->caller->principal->name));
}

MUST_CHECK static enum err run(struct dry_run *d, struct service_thread *thread, struct outcome *o)
{
    enum err e;

    if (!is_known(d))
        return outcome_refuse(o, ERR_NOT_FOUND, "policy_not_found",
                              "There is no such policy for this token");
    if ((e = verify(d, thread)) != ERR_NONE)
        return outcome_refuse(o, e, err_code(e), "%s", err_text(e));
    question_fill(d);
    if ((e = reply_write(d, o)) != ERR_NONE)
        return outcome_refuse(o, e, err_code(e), "%s", err_text(e));
    return ERR_NONE;
}

MUST_CHECK static enum err record(const struct dry_run *d, struct outcome *o)
{
    const struct attest_result *r = &d->result;
    const bool valid = r->authentic && r->reason == ATTEST_OK;
    struct audit_entry entry = {
        .time = d->now,
        .request_id = d->caller->request_id,
        .op = SPAN_LITERAL("explain"),
        .rule = SPAN_LITERAL("dry-run"),
        .principal = span_string(d->caller->principal->name),
        .auth = SPAN_LITERAL("bearer"),
        .tee = span_string(r->authentic ? r->tee : ""),
        .has_claims = valid,
        .simulated = d->svc->simulated,
    };

    if (valid)
        attest_claims_digest(r, entry.claims);
    return outcome_record(o, &entry);
}

enum err service_dry_run(struct service *svc, struct service_thread *thread,
                         const struct caller *caller, const struct dry_run_request *r,
                         struct timestamp now, struct outcome *o)
{
    struct dry_run d = {.svc = svc,
                        .caller = caller,
                        .request = r,
                        .policy = &policy_store_view(svc->policies, &thread->policy)->policy,
                        .now = now};
    enum err e = run(&d, thread, o);

    o->result = e;
    if (e != ERR_NONE)
        secret_free(&o->reply);
    if (record(&d, o) != ERR_NONE) {
        secret_free(&o->reply);
        return outcome_refuse(o, ERR_MEMORY, err_code(ERR_MEMORY), "%s", err_text(ERR_MEMORY));
    }
    return e;
}
