/* Policies in files, read by the same code as in the daemon. Their scope does not concern
 * evidence, so it is ignored. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/attest.h"
#include "client/client.h"
#include "policy/policy_file.h"

struct vs_policy {
    struct policy_set set;
};

MUST_CHECK static enum vs_error load(struct policy_set *set, const char *path, struct vs_why *why)
{
    struct problems problems = {0};
    enum vs_error result = VS_OK;
    enum err e;

    policy_path_read(path, "policies", set, &problems);
    if ((e = problems_err(&problems)) != ERR_NONE)
        result = why_fail(why, error_of(e), "%s",
                          problems.count > 0 ? problems.items[0].text : err_text(e));
    problems_clear(&problems);
    return result;
}

enum vs_error vs_policy_load(const char *path, struct vs_policy **out, struct vs_why *why)
{
    struct vs_policy *p;
    enum vs_error e;

    if (path == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    p = calloc(1, sizeof *p);
    if (p == NULL)
        return VS_ERR_MEMORY;
    if ((e = load(&p->set, path, why)) != VS_OK) {
        vs_policy_free(&p);
        return e;
    }
    *out = p;
    return VS_OK;
}

void vs_policy_free(struct vs_policy **p)
{
    if (p == NULL || *p == NULL)
        return;
    policy_set_clear(&(*p)->set);
    free(*p);
    *p = NULL;
}

size_t vs_policy_count(const struct vs_policy *p)
{
    return p == NULL ? 0 : p->set.count;
}

static void refusal_fill(const struct appraisal_denial *denial, struct vs_refusal *out)
{
    (void)snprintf(out->rule, sizeof out->rule, "%s", denial->rule);
    (void)snprintf(out->code, sizeof out->code, "%s", denial->code);
    (void)snprintf(out->expected, sizeof out->expected, "%s", denial->expected);
    (void)snprintf(out->presented, sizeof out->presented, "%s", denial->presented);
}

void nearest_consider(struct nearest_rule *n, const struct appraisal_rule *rule,
                      const struct appraisal_question *question)
{
    struct appraisal_denial denial = {.code = "no_policy"};
    size_t passed = 0;

    if (n->accepts)
        return;
    if (appraise_dry(rule, question, &passed, &denial)) {
        n->accepts = rule;
    } else if (!n->any || passed > n->passed) {
        n->denial = denial;
        n->passed = passed;
    }
    n->any = true;
}

enum vs_error nearest_tell(const struct nearest_rule *n, struct vs_refusal *out)
{
    static const struct appraisal_denial none = {.rule = "default-deny", .code = "no_policy"};

    if (!n->accepts) {
        refusal_fill(n->any ? &n->denial : &none, out);
        return VS_ERR_POLICY;
    }
    (void)snprintf(out->rule, sizeof out->rule, "%s", n->accepts->name);
    (void)snprintf(out->code, sizeof out->code, "ok");
    return VS_OK;
}

enum vs_error vs_result_judge(const struct vs_result *r, const struct vs_policy *p, int64_t at,
                              struct vs_bytes event_log, struct vs_refusal *refusal)
{
    struct vs_refusal ignored;

    if (r == NULL || p == NULL || (event_log.data == NULL && event_log.size > 0))
        return VS_ERR_ARGUMENT;
    if (r->verdict != VS_VALID)
        return VS_ERR_UNTRUSTED;
    if (refusal == NULL)
        refusal = &ignored;
    *refusal = (struct vs_refusal){0};
    const struct appraisal_question question = {
        .evidence = &r->verified,
        .now = at == 0 ? clock_now() : timestamp_of_seconds(at),
        .event_log = span_of_bytes(event_log),
    };
    struct nearest_rule nearest = {0};

    for (size_t i = 0; i < p->set.count; i++)
        nearest_consider(&nearest, &p->set.policies[i].rule, &question);
    return nearest_tell(&nearest, refusal);
}
