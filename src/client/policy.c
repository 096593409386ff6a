/*
 * Policies in files, as the daemon reads them: one reader for both, so that what is tried out here
 * is what will be demanded there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/attest.h"
#include "client/client.h"
#include "daemon/settings_values.h"
#include "policy/appraisal.h"

struct vs_policy {
    struct settings settings; /* all but the policies is empty */
};

/* For whom a policy is says nothing about evidence. */
static void forget_tokens(struct settings *s)
{
    for (size_t i = 0; i < s->attestation.policy_count; i++)
        s->attestation.policies[i].token_count = 0;
}

static enum vs_error load(struct settings *s, const char *path, struct vs_why *why)
{
    char *paths[] = {(char *)(uintptr_t)path}; /* read only */
    struct problems problems = {0};
    enum vs_error result = VS_OK;
    enum err e;

    s->attestation.policy_files = paths;
    s->attestation.policy_file_count = 1;
    settings_load_policy_files(s, &problems);
    s->attestation.policy_files = NULL;
    s->attestation.policy_file_count = 0;
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
    if ((e = load(&p->settings, path, why)) != VS_OK) {
        vs_policy_free(&p);
        return e;
    }
    forget_tokens(&p->settings);
    *out = p;
    return VS_OK;
}

void vs_policy_free(struct vs_policy **p)
{
    if (p == NULL || *p == NULL)
        return;
    free((*p)->settings.attestation.policies);
    free(*p);
    *p = NULL;
}

size_t vs_policy_count(const struct vs_policy *p)
{
    return p == NULL ? 0 : p->settings.attestation.policy_count;
}

static void refusal_fill(const struct appraisal_denial *denial, struct vs_refusal *out)
{
    (void)snprintf(out->rule, sizeof out->rule, "%s", denial->rule);
    (void)snprintf(out->code, sizeof out->code, "%s", denial->code);
    (void)snprintf(out->expected, sizeof out->expected, "%s", denial->expected);
    (void)snprintf(out->presented, sizeof out->presented, "%s", denial->presented);
}

enum vs_error rules_judge(const struct appraisal_rule *rules, size_t count,
                          const struct appraisal_question *question, struct vs_refusal *out)
{
    struct appraisal_denial nearest = {.rule = "default-deny", .code = "no_policy"};
    size_t most = 0;

    for (size_t i = 0; i < count; i++) {
        const struct appraisal_rule *rule = &rules[i];
        struct appraisal_denial denial = {.code = "no_policy"};
        size_t passed = 0;

        if (appraise_rule(rule, question, &passed, &denial)) {
            (void)snprintf(out->rule, sizeof out->rule, "%s", rule->name);
            (void)snprintf(out->code, sizeof out->code, "ok");
            return VS_OK;
        }
        if (i == 0 || passed > most) {
            nearest = denial;
            most = passed;
        }
    }
    refusal_fill(&nearest, out);
    return VS_ERR_POLICY;
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
    return rules_judge(p->settings.attestation.policies, p->settings.attestation.policy_count,
                       &question, refusal);
}
