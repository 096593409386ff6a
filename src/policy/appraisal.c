#include "policy/appraisal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/writer.h"
#include "policy/checks.h"

#define RULE_ENCODED_MAX (48u * 1024)

/* ---- version */

static void put_texts(struct writer *w, const char *texts, size_t count, size_t stride)
{
    writer_u32be(w, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        struct span text = span_string(texts + i * stride);

        writer_u16be(w, (uint16_t)text.size);
        writer_put(w, text);
    }
}

static void put_field(struct writer *w, const struct appraisal_rule *rule, size_t id)
{
    const struct policy_value *value = &rule->fields[id];

    put_texts(w, policy_fields[id].key, 1, 0);
    writer_u8(w, value->any ? 1 : 0);
    writer_u64be(w, value->number);
    writer_u16be(w, value->count);
    writer_u16be(w, value->size);
    writer_put(w, span_of(rule->values + value->at, value->size));
}

/* Every field, with counts and lengths, so that two different rules are never the same bytes. */
static void rule_digest(const struct appraisal_rule *rule, uint8_t out[SHA256_SIZE])
{
    uint8_t bytes[RULE_ENCODED_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct span encoded = {0};
    enum err e;

    put_texts(&w, rule->name, 1, 0);
    put_texts(&w, rule->tee, 1, 0);
    for (size_t i = 0; i < POLICY_FIELD_COUNT; i++)
        if (rule->fields[i].given)
            put_field(&w, rule, i);
    put_texts(&w, rule->seeds[0], rule->seed_count, sizeof rule->seeds[0]);
    put_texts(&w, rule->tokens[0], rule->token_count, sizeof rule->tokens[0]);
    writer_u8(&w, rule->allow_plain ? 1 : 0);
    e = writer_finish(&w, &encoded);
    assert(e == ERR_NONE); /* the limits of the lists keep it below RULE_ENCODED_MAX */
    sha256(encoded, out);
}

void appraisal_policy_version(struct appraisal_policy *policy)
{
    uint8_t state[SHA256_SIZE], rule[SHA256_SIZE];

    sha256(SPAN_LITERAL("vouchsafe-policy-v2"), state);
    for (size_t i = 0; i < policy->count; i++) {
        const struct span parts[] = {SPAN_OF(state), SPAN_OF(rule)};

        rule_digest(&policy->rules[i], rule);
        sha256_parts(parts, COUNT_OF(parts), state);
    }
    memcpy(policy->version, state, sizeof policy->version);
}

/* ---- appraisal */

static bool deny(struct appraisal_denial *denial, const char *code, const char *expected,
                 const char *presented)
{
    denial->code = code;
    (void)snprintf(denial->expected, sizeof denial->expected, "%s", expected);
    (void)snprintf(denial->presented, sizeof denial->presented, "%s", presented);
    return false;
}

/* "simulated" is a TEE of its own: what is under a simulated root is never an "sgx". */
static bool tee_accepted(const struct appraisal_check *c)
{
    const struct attest_result *evidence = c->q->evidence;

    return (strcmp(c->rule->tee, evidence->tee) == 0 && c->rule->kind == evidence->kind &&
            evidence->simulated == (strcmp(c->rule->tee, "simulated") == 0)) ||
           deny(c->denial, "tee_not_accepted", c->rule->tee, evidence->tee);
}

/* Callers appraise nothing else; were one to forget it, nothing would be let through. */
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

/* Whatever a rule lists, and for kinds whose rules have no such field. */
static bool not_revoked(const struct appraisal_check *c)
{
    return c->q->evidence->status != TCB_REVOKED ||
           deny(c->denial, "tcb_status_not_accepted", "anything but Revoked",
                tcb_status_name(TCB_REVOKED));
}

static bool token_accepted(const struct appraisal_check *c)
{
    const struct appraisal_rule *rule = c->rule;
    const char *name = c->q->token_name;

    if (rule->token_count == 0)
        return true;
    for (size_t i = 0; name && i < rule->token_count; i++)
        if (strcmp(rule->tokens[i], name) == 0)
            return true;
    /* the names of other tokens are nobody's business */
    return deny(c->denial, "token_not_accepted", "a token this rule names", name ? name : "");
}

/* A rule that demands nothing that identifies code accepts nobody, whoever made it. */
static bool rule_is_right(const struct appraisal_check *c)
{
    struct policy_fault fault;

    return appraisal_rule_check(c->rule, &fault) == ERR_NONE ||
           deny(c->denial, "no_policy", "a policy that can be right", "");
}

/* How many checks the rule passed; `*accepted`: all of them. The further a rule gets, the nearer it
 * came. */
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
    *accepted = not_revoked(c) && token_accepted(c);
    return 1 + passed;
}

static const struct event_log *log_of(const struct appraisal_question *q, struct event_log *log)
{
    return q->event_log.size > 0 && event_log_parse(q->event_log, log) == ERR_NONE ? log : NULL;
}

bool appraise_rule(const struct appraisal_rule *rule, const struct appraisal_question *question,
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

enum err appraise(const struct appraisal_policy *policy, const struct appraisal_question *question,
                  const struct appraisal_rule **rule, struct appraisal_denial *denial)
{
    struct appraisal_denial nearest = {.rule = "default-deny", .code = "no_policy"};
    struct event_log log;
    const struct event_log *presented = log_of(question, &log);
    size_t nearest_passed = 0;

    if (!question->binding) { /* a dry run is appraise_rule()'s; what binds nothing opens nothing */
        (void)deny(denial, "report_data_mismatch", "a key and a nonce or time", "");
        (void)snprintf(denial->rule, sizeof denial->rule, "%s", nearest.rule);
        return ERR_DENIED;
    }
    for (size_t i = 0; i < policy->count; i++) {
        struct appraisal_denial why = {.code = "no_policy"};
        struct appraisal_check c = {
            .rule = &policy->rules[i], .q = question, .log = presented, .denial = &why};
        bool accepted = false;
        size_t passed = rule_apply(&c, &accepted);

        if (accepted) {
            *rule = &policy->rules[i];
            return ERR_NONE;
        }
        if (i == 0 || passed > nearest_passed) {
            nearest = why;
            nearest_passed = passed;
            (void)snprintf(nearest.rule, sizeof nearest.rule, "%s", policy->rules[i].name);
        }
    }
    *denial = nearest;
    return ERR_DENIED;
}

const struct appraisal_rule *appraisal_find(const struct appraisal_policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->count; i++)
        if (strcmp(policy->rules[i].name, name) == 0)
            return &policy->rules[i];
    return NULL;
}

static bool pattern_covers(const char *pattern, struct span seed)
{
    struct span p = span_string(pattern);

    if (p.size > 0 && p.data[p.size - 1] == '*')
        return span_starts_with(seed, span_slice(p, 0, p.size - 1));
    return span_equal(p, seed);
}

bool appraisal_covers_seed(const struct appraisal_rule *rule, struct span seed)
{
    if (rule->seed_count == 0)
        return true;
    for (size_t i = 0; i < rule->seed_count; i++)
        if (pattern_covers(rule->seeds[i], seed))
            return true;
    return false;
}
