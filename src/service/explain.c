#include "service/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/inside.h"
#include "service/operations.h"

static const struct appraisal_policy *policy_of(struct operation_context *x)
{
    return &policy_store_view(x->svc->verifier.policies, &x->thread->verifier.policy)->policy;
}

static bool is_for(const struct appraisal_rule *rule, const char *token)
{
    for (size_t i = 0; i < rule->token_count; i++)
        if (strcmp(rule->tokens[i], token) == 0)
            return true;
    return rule->token_count == 0;
}

/* The names of all rules are told only to tokens that may know them. For another token a rule that
 * is not for it does not exist. */
MUST_CHECK static enum err authorise(struct operation_context *x)
{
    const struct explain_request *r = x->request;
    const struct principal *principal = x->caller->principal;
    const struct appraisal_rule *rule;

    if (r->policy[0] == '\0')
        return ERR_NONE;
    rule = appraisal_find(policy_of(x), r->policy);
    if (rule && (principal->may_explain || is_for(rule, principal->name)))
        return ERR_NONE;
    return refusal_set(x->why, ERR_NOT_FOUND, "policy_not_found");
}

static bool names_kind(struct span tee_type, const struct attest_result *r)
{
    if (!r->signatures_valid)
        return true; /* the failed step says what is wrong */
    return span_equal_string(tee_type, r->tee) ||
           (span_equal_string(tee_type, "sev") && r->kind == ATTEST_SNP && !r->simulated);
}

MUST_CHECK static enum err verify(struct operation_context *x, struct explanation *out)
{
    const struct explain_request *r = x->request;
    const struct attest_evidence presented = {.bytes = r->evidence.quote,
                                              .certificates = r->evidence.certificates};
    const struct collateral_snapshot *collateral =
        collateral_store_view(x->svc->verifier.collateral, &x->thread->verifier.collateral);
    enum err e = attest_verify(&x->svc->verifier.trust, &collateral->set,
                               x->thread->verifier.chains, &presented, x->now, &out->evidence);

    out->kind_is_right = names_kind(r->evidence.tee_type, &out->evidence);
    return e == ERR_DENIED ? ERR_NONE : e;
}

/* The rule that accepts stays, and else the one that met the most demands, the first of equals. */
static void consider(struct explanation *out, const struct rule_verdict *verdict)
{
    const struct rule_verdict *nearest = &out->nearest;

    if (out->has_nearest &&
        (nearest->accepts || (!verdict->accepts && verdict->demands_met <= nearest->demands_met)))
        return;
    out->has_nearest = true;
    out->nearest = *verdict;
}

static void judge_rule(struct explanation *out, const struct appraisal_rule *rule,
                       const struct appraisal_question *question)
{
    struct rule_verdict verdict = {.denial = {.code = "ok"}};

    (void)snprintf(verdict.name, sizeof verdict.name, "%s", rule->name);
    verdict.accepts = appraise_rule(rule, question, &verdict.demands_met, &verdict.denial);
    consider(out, &verdict);
    if (!out->tells_rules)
        return;
    if (out->rule_count < COUNT_OF(out->rules))
        out->rules[out->rule_count++] = verdict;
    else
        out->rules_left_out++;
}

/* Each rule that was asked for, in order. */
static void judge(struct operation_context *x, struct explanation *out)
{
    const struct explain_request *r = x->request;
    const struct appraisal_policy *policy = policy_of(x);
    const struct binding binding = {.domain = REPORT_DOMAIN_SESSION,
                                    .for_session = true,
                                    .nonce = SPAN_OF(r->nonce),
                                    .key = SPAN_OF(r->key)};
    const struct appraisal_question question = {
        .evidence = &out->evidence,
        .binding = r->has_binding ? &binding : NULL,
        .token_name = x->caller->principal->name,
        .now = x->now,
        .event_log = r->evidence.event_log,
    };

    for (size_t i = 0; i < policy->count; i++)
        if (r->policy[0] == '\0' || strcmp(r->policy, policy->rules[i].name) == 0)
            judge_rule(out, &policy->rules[i], &question);
}

/* What the log says of evidence that is the platform's word. */
static void note_claims(struct operation_context *x, const struct attest_result *result)
{
    if (!result->authentic)
        return;
    (void)snprintf(x->claims.tee, sizeof x->claims.tee, "%s", result->tee);
    x->claims.has_digest = result->reason == ATTEST_OK;
    if (x->claims.has_digest)
        attest_claims_digest(result, x->claims.digest);
}

MUST_CHECK static enum err compute(struct operation_context *x)
{
    const struct explain_request *r = x->request;
    struct explanation *out = calloc(1, sizeof *out);
    enum err e;

    if (!out)
        return refusal_failed(x->why, ERR_MEMORY);
    *x->result = (struct operation_result){.kind = RESULT_EXPLANATION, .explanation = out};
    if ((e = verify(x, out)) != ERR_NONE)
        return refusal_failed(x->why, e);
    note_claims(x, &out->evidence);
    out->binding_checked = r->has_binding;
    out->tells_rules = x->caller->principal->may_explain;
    out->nearest.denial.code = "no_policy";
    if (out->evidence.reason == ATTEST_OK)
        judge(x, out);
    return ERR_NONE;
}

const struct operation operation_explain = {
    .name = "explain",
    .rule = "dry-run",
    .authorise = authorise,
    .compute = compute,
};
