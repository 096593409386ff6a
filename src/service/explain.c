#include "service/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/inside.h"
#include "service/operations.h"

static const struct policy_set *policies_of(struct operation_context *x)
{
    return &policy_store_view(x->svc->verifier.policies, &x->thread->verifier.policy)->policies;
}

/* A principal that may not know a policy is told that it does not exist. */
MUST_CHECK static enum err authorise(struct operation_context *x)
{
    const struct explain_request *r = x->request;
    const struct policy *policy;
    enum err e = operation_authorize(x, ACTION_EXPLAIN_EVIDENCE, (struct span){0}, false);

    if (e != ERR_NONE)
        return e;
    if (r->policy[0] == '\0')
        return ERR_NONE;
    policy = policy_find(policies_of(x), r->policy);
    if (policy && authorize_knows(x->caller->principal, &policy->scope))
        return ERR_NONE;
    return refusal_set(x->why, ERR_NOT_FOUND, "policy_not_found");
}

static bool names_kind(const struct evidence *evidence, const struct attest_result *r)
{
    if (!r->signatures_valid)
        return true; /* the failed step says what is wrong */
    return span_equal_string(evidence_type(evidence), r->tee);
}

/* Names the set that attest_verify() took: the item of the evidence's platform. */
static void name_set(const struct collateral_snapshot *collateral, bool early,
                     struct explanation *out)
{
    struct collateral_key keys[COLLATERAL_MISSING_MAX];
    char name[COLLATERAL_NAME_SIZE];
    const struct collateral_item *item = NULL;

    if (collateral_keys_missing(&out->evidence, keys) > 0 && keys[0].kind == COLLATERAL_INTEL) {
        keys[0].early = early;
        collateral_key_name(&keys[0], name);
        item = collateral_snapshot_find(collateral, span_string(name));
        if (!item && early) {
            keys[0].early = false;
            collateral_key_name(&keys[0], name);
            item = collateral_snapshot_find(collateral, span_string(name));
        }
    }
    out->has_set = item != NULL;
    if (item) {
        out->set_is_early = item->early;
        out->tcb_evaluation_number = item->evaluation_number;
    }
    out->early_set_missing = early && !out->set_is_early;
}

MUST_CHECK static enum err verify(struct operation_context *x, struct explanation *out)
{
    const struct explain_request *r = x->request;
    const struct attest_evidence presented = {.bytes = r->evidence.quote,
                                              .certificates = r->evidence.certificates};
    const struct collateral_snapshot *collateral =
        collateral_store_view(x->svc->verifier.collateral, &x->thread->verifier.collateral);
    enum err e =
        attest_verify(&x->svc->verifier.trust, r->early ? &collateral->early : &collateral->set,
                      x->thread->verifier.chains, &presented, x->now, &out->evidence);

    name_set(collateral, r->early, out);
    out->kind_is_right = names_kind(&r->evidence, &out->evidence);
    return e == ERR_DENIED ? ERR_NONE : e;
}

/* Keeps the rule that accepts; else the one that met the most demands, the first of equals. */
static void consider(struct explanation *out, const struct rule_verdict *verdict)
{
    const struct rule_verdict *nearest = &out->nearest;

    if (out->has_nearest &&
        (nearest->accepts || (!verdict->accepts && verdict->demands_met <= nearest->demands_met)))
        return;
    out->has_nearest = true;
    out->nearest = *verdict;
}

/* For a principal that may know other principals' policies: one of those accepts its evidence
 * for them. */
static void note_other_tokens(struct rule_verdict *verdict, const struct principal *principal)
{
    struct appraisal_denial *denial = &verdict->denial;

    verdict->accepts = false;
    denial->code = "token_not_accepted";
    (void)snprintf(denial->rule, sizeof denial->rule, "%s", verdict->name);
    (void)snprintf(denial->expected, sizeof denial->expected, "a token this policy names");
    (void)snprintf(denial->presented, sizeof denial->presented, "%s", principal->name);
}

static void judge_policy(struct operation_context *x, struct explanation *out,
                         const struct policy *policy, const struct appraisal_question *question)
{
    const struct principal *principal = x->caller->principal;
    const bool is_meant = policy_scope_is_for(&policy->scope, principal);
    struct rule_verdict verdict = {.denial = {.code = "ok"}};

    (void)snprintf(verdict.name, sizeof verdict.name, "%s", policy->rule.name);
    verdict.accepts = appraise_dry(&policy->rule, question, &verdict.demands_met, &verdict.denial);
    if (is_meant)
        consider(out, &verdict);
    else if (verdict.accepts)
        note_other_tokens(&verdict, principal);
    if (!out->tells_rules)
        return;
    if (out->rule_count < COUNT_OF(out->rules))
        out->rules[out->rule_count++] = verdict;
    else
        out->rules_left_out++;
}

/* Judges each requested policy that the principal may know, in order. */
static void judge(struct operation_context *x, struct explanation *out)
{
    const struct explain_request *r = x->request;
    const struct policy_set *set = policies_of(x);
    const struct binding binding = {.domain = REPORT_DOMAIN_SESSION,
                                    .for_session = true,
                                    .nonce = SPAN_OF(r->nonce),
                                    .key = SPAN_OF(r->key)};
    const struct appraisal_question question = {
        .evidence = &out->evidence,
        .binding = r->has_binding ? &binding : NULL,
        .now = x->now,
        .event_log = r->evidence.event_log,
    };

    for (size_t i = 0; i < set->count; i++)
        if ((r->policy[0] == '\0' || strcmp(r->policy, set->policies[i].rule.name) == 0) &&
            authorize_knows(x->caller->principal, &set->policies[i].scope))
            judge_policy(x, out, &set->policies[i], &question);
}

/* The log's claims, only of evidence whose signer may sign. */
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
    out->tells_rules = x->decision.sees_all;
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
