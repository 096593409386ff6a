#include "policy/appraisal.h"

#include <stdio.h>
#include <string.h>

#include "policy/checks.h"

static bool deny(struct appraisal_denial *denial, const char *code, const char *expected,
                 const char *presented)
{
    denial->code = code;
    (void)snprintf(denial->expected, sizeof denial->expected, "%s", expected);
    (void)snprintf(denial->presented, sizeof denial->presented, "%s", presented);
    return false;
}

/* "simulated" is a separate TEE: evidence under a simulated root is never an "sgx". */
static bool tee_accepted(const struct appraisal_check *c)
{
    const struct attest_result *evidence = c->q->evidence;

    return (strcmp(c->rule->tee, evidence->tee) == 0 && c->rule->kind == evidence->kind &&
            evidence->simulated == (strcmp(c->rule->tee, ATTEST_SIMULATED) == 0)) ||
           deny(c->denial, "tee_not_accepted", c->rule->tee, evidence->tee);
}

/* Callers appraise nothing else. If a caller forgets this check, nothing is accepted. */
static bool is_verified(const struct appraisal_check *c)
{
    return c->q->evidence->reason == ATTEST_OK ||
           deny(c->denial, attest_reason_code(c->q->evidence->reason), "evidence that verifies",
                attest_reason_text(c->q->evidence->reason));
}

static bool not_debug(const struct appraisal_check *c)
{
    return never_debug(c->q->evidence) ||
           deny(c->denial, "debug", "production, never debug", "debug");
}

/* The debug check, for all rules, also for kinds without such a field. */
static bool not_revoked(const struct appraisal_check *c)
{
    return c->q->evidence->status != TCB_REVOKED ||
           deny(c->denial, "tcb_status_not_accepted", "anything but Revoked",
                tcb_status_name(TCB_REVOKED));
}

/* A rule without a demand that identifies code accepts no evidence. */
static bool rule_is_right(const struct appraisal_check *c)
{
    struct policy_fault fault;

    return appraisal_rule_check(c->rule, &fault) == ERR_NONE ||
           deny(c->denial, "no_policy", "a policy that can be right", "");
}

/* Counts the passed checks of the rule; `*accepted`: all passed. The rule with more passed
 * checks is nearer. */
static size_t rule_apply(struct appraisal_check *c, bool *accepted)
{
    size_t passed = 0;

    *accepted = false;
    if (!is_verified(c) || !tee_accepted(c) || !not_debug(c) || !rule_is_right(c))
        return passed;
    for (size_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        c->field = &policy_fields[i];
        c->value = &c->rule->fields[i];
        if ((c->field->tees >> c->rule->kind & 1) == 0 || !c->value->given ||
            (c->field->holds == binding_accepted && !c->q->binding))
            continue;
        if (!c->field->holds(c))
            return 1 + passed;
        passed++;
    }
    *accepted = not_revoked(c);
    return 1 + passed;
}

static const struct event_log *log_of(const struct appraisal_question *q, struct event_log *log)
{
    return q->event_log.size > 0 && event_log_parse(q->event_log, log) == ERR_NONE ? log : NULL;
}

bool appraise_dry(const struct appraisal_rule *rule, const struct appraisal_question *question,
                  size_t *passed, struct appraisal_denial *denial)
{
    struct event_log log;
    struct appraisal_denial why = {.code = "no_policy"};
    struct appraisal_check c = {
        .rule = rule, .q = question, .log = log_of(question, &log), .denial = &why};
    bool accepted = false;
    size_t count;

    count = rule_apply(&c, &accepted);
    if (passed)
        *passed = count;
    if (!accepted) {
        *denial = why;
        (void)snprintf(denial->rule, sizeof denial->rule, "%s", rule->name);
    }
    return accepted;
}

enum err appraise(const struct appraisal_rule *rule, const struct appraisal_question *question,
                  size_t *passed, struct appraisal_denial *denial)
{
    if (question->binding)
        return appraise_dry(rule, question, passed, denial) ? ERR_NONE : ERR_DENIED;
    /* evidence that binds nothing opens nothing */
    *denial = (struct appraisal_denial){0};
    (void)deny(denial, "report_data_mismatch", "a key and a nonce or time", "");
    (void)snprintf(denial->rule, sizeof denial->rule, "%s", rule->name);
    if (passed)
        *passed = 0;
    return ERR_DENIED;
}
