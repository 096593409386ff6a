#include "policy/appraisal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/writer.h"

#define STATUS_BIT(status) (1u << (status))
#define STATUSES_ALL (STATUS_BIT(TCB_STATUS_COUNT) - 1u)
#define RULE_ENCODED_MAX (24u * 1024)

/* ---- rules that can never be right */

static const char *identity_fault(const struct appraisal_rule *rule)
{
    if (rule->mr_enclave_count > POLICY_LIST_MAX)
        return "too many mr_enclave values";
    if (rule->mr_enclave_count == 0 && !rule->by_signer)
        return "a rule needs mr_enclave, or mr_signer with isv_prod_id and min_isv_svn";
    if (rule->mr_enclave_count > 0 && rule->by_signer)
        return "a rule has either mr_enclave or mr_signer; write two rules for both";
    if (rule->by_signer && span_is_zero(SPAN_OF(rule->mr_signer)))
        return "mr_signer is zero";
    for (size_t i = 0; i < rule->mr_enclave_count; i++)
        if (span_is_zero(SPAN_OF(rule->mr_enclave[i])))
            return "an mr_enclave is zero";
    return NULL;
}

static const char *status_fault(const struct appraisal_rule *rule)
{
    if ((rule->accepted_statuses & ~STATUSES_ALL) != 0)
        return "an accepted TCB status is unknown";
    if (rule->accepted_statuses == 0)
        return "no TCB status is accepted";
    if ((rule->accepted_statuses & STATUS_BIT(TCB_REVOKED)) != 0)
        return "the TCB status Revoked cannot be accepted";
    if (rule->advisory_count > ATTEST_ADVISORIES_MAX)
        return "too many advisories";
    for (size_t i = 0; i < rule->advisory_count; i++)
        if (rule->advisories[i][0] == '\0')
            return "an advisory is empty";
    return NULL;
}

static const char *scope_fault(const struct appraisal_rule *rule)
{
    if (rule->seed_count > POLICY_LIST_MAX || rule->token_count > POLICY_LIST_MAX)
        return "too many seeds or tokens";
    for (size_t i = 0; i < rule->seed_count; i++) {
        const char *star = strchr(rule->seeds[i], '*');

        if (star && star[1] != '\0')
            return "'*' may only end a seed pattern";
        /* "app:alice.near*" would cover alice.near2 */
        if (star && star > rule->seeds[i] && star[-1] != '/' && star[-1] != ':')
            return "'*' in a seed pattern must follow '/' or ':', or stand alone";
    }
    for (size_t i = 0; i < rule->token_count; i++)
        if (rule->tokens[i][0] == '\0')
            return "a token name is empty";
    return NULL;
}

enum err appraisal_rule_check(const struct appraisal_rule *rule, const char **why)
{
    const char *fault = NULL;

    if (rule->name[0] == '\0')
        fault = "a rule needs a name";
    else if (strcmp(rule->tee, "sgx") != 0 && strcmp(rule->tee, "simulated") != 0)
        fault = "tee must be sgx or simulated";
    if (!fault)
        fault = identity_fault(rule);
    if (!fault)
        fault = status_fault(rule);
    if (!fault)
        fault = scope_fault(rule);
    if (!fault)
        return ERR_NONE;
    *why = fault;
    return ERR_CONFIG;
}

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

/* Every field, with counts and lengths, so that two different rules are never the same bytes. */
static void rule_digest(const struct appraisal_rule *rule, uint8_t out[SHA256_SIZE])
{
    uint8_t bytes[RULE_ENCODED_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct span encoded = {0};
    enum err e;

    put_texts(&w, rule->name, 1, sizeof rule->name);
    put_texts(&w, rule->tee, 1, sizeof rule->tee);
    writer_u32be(&w, (uint32_t)rule->mr_enclave_count);
    writer_put(&w, span_of(rule->mr_enclave, rule->mr_enclave_count * sizeof rule->mr_enclave[0]));
    writer_u8(&w, rule->by_signer ? 1 : 0);
    writer_put(&w, SPAN_OF(rule->mr_signer));
    writer_u16be(&w, rule->isv_prod_id);
    writer_u16be(&w, rule->min_isv_svn);
    writer_u32be(&w, rule->accepted_statuses);
    put_texts(&w, rule->advisories[0], rule->advisory_count, sizeof rule->advisories[0]);
    writer_u32be(&w, rule->min_tcb_evaluation_number);
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

    sha256(SPAN_LITERAL("vouchsafe-policy-v1"), state);
    for (size_t i = 0; i < policy->count; i++) {
        const struct span parts[] = {SPAN_OF(state), SPAN_OF(rule)};

        rule_digest(&policy->rules[i], rule);
        sha256_parts(parts, COUNT_OF(parts), state);
    }
    memcpy(policy->version, state, sizeof policy->version);
}

/* ---- appraisal */

/* What a rule is asked, in this order; the further a rule gets, the nearer it came. */
struct question {
    const struct attest_result *evidence;
    const char *token_name;
};

static bool deny(struct appraisal_denial *denial, const char *code, const char *expected,
                 const char *presented)
{
    denial->code = code;
    (void)snprintf(denial->expected, sizeof denial->expected, "%s", expected);
    (void)snprintf(denial->presented, sizeof denial->presented, "%s", presented);
    return false;
}

static bool deny_numbers(struct appraisal_denial *denial, const char *code, const char *name,
                         uint32_t expected, uint32_t presented)
{
    denial->code = code;
    (void)snprintf(denial->expected, sizeof denial->expected, "%s %u", name, expected);
    (void)snprintf(denial->presented, sizeof denial->presented, "%u", presented);
    return false;
}

/* Joins names with ", ", and ends with "..." when they do not fit. */
static void join(char *out, size_t capacity, const char *name)
{
    size_t used = strlen(out);

    if (used + strlen(name) + sizeof ", ..." < capacity)
        (void)snprintf(out + used, capacity - used, "%s%s", used > 0 ? ", " : "", name);
    else if (used + sizeof ", ..." <= capacity && (used < 3 || strcmp(out + used - 3, "...") != 0))
        (void)snprintf(out + used, capacity - used, ", ...");
}

static bool check_tee(const struct appraisal_rule *rule, const struct question *q,
                      struct appraisal_denial *denial)
{
    return strcmp(rule->tee, q->evidence->tee) == 0 ||
           deny(denial, "tee_not_accepted", rule->tee, q->evidence->tee);
}

static bool check_measurement(const struct appraisal_rule *rule, const struct question *q,
                              struct appraisal_denial *denial)
{
    struct span presented = SPAN_OF(q->evidence->sgx.mr_enclave);
    char hex[65];

    if (rule->by_signer)
        return true;
    for (size_t i = 0; i < rule->mr_enclave_count; i++)
        if (span_equal(SPAN_OF(rule->mr_enclave[i]), presented))
            return true;
    hex_write(presented, hex);
    (void)deny(denial, "measurement_mismatch", "", hex);
    for (size_t i = 0; i < rule->mr_enclave_count; i++) {
        hex_write(SPAN_OF(rule->mr_enclave[i]), hex);
        join(denial->expected, sizeof denial->expected, hex);
    }
    return false;
}

static bool check_signer(const struct appraisal_rule *rule, const struct question *q,
                         struct appraisal_denial *denial)
{
    const struct sgx_report *report = &q->evidence->sgx;
    char expected[65], presented[65];

    if (!rule->by_signer)
        return rule->mr_enclave_count > 0;
    if (span_equal(SPAN_OF(rule->mr_signer), SPAN_OF(report->mr_signer)))
        return true;
    hex_write(SPAN_OF(rule->mr_signer), expected);
    hex_write(SPAN_OF(report->mr_signer), presented);
    return deny(denial, "signer_mismatch", expected, presented);
}

static bool check_product(const struct appraisal_rule *rule, const struct question *q,
                          struct appraisal_denial *denial)
{
    uint16_t presented = q->evidence->sgx.isv_prod_id;

    return !rule->by_signer || rule->isv_prod_id == presented ||
           deny_numbers(denial, "product_mismatch", "ISVPRODID", rule->isv_prod_id, presented);
}

static bool check_svn(const struct appraisal_rule *rule, const struct question *q,
                      struct appraisal_denial *denial)
{
    uint16_t presented = q->evidence->sgx.isv_svn;

    return !rule->by_signer || presented >= rule->min_isv_svn ||
           deny_numbers(denial, "svn_too_low", "ISVSVN at least", rule->min_isv_svn, presented);
}

static bool check_debug(const struct appraisal_rule *rule, const struct question *q,
                        struct appraisal_denial *denial)
{
    (void)rule; /* no rule can allow it */
    return !q->evidence->debug || deny(denial, "debug", "a production enclave", "a debug enclave");
}

static bool check_status(const struct appraisal_rule *rule, const struct question *q,
                         struct appraisal_denial *denial)
{
    enum tcb_status status = q->evidence->status;

    if ((unsigned)status < TCB_STATUS_COUNT && status != TCB_REVOKED &&
        (rule->accepted_statuses & STATUS_BIT(status)) != 0)
        return true;
    (void)deny(denial, "tcb_status_not_accepted", "", tcb_status_name(status));
    for (unsigned i = 0; i < TCB_STATUS_COUNT; i++)
        if (i != TCB_REVOKED && (rule->accepted_statuses & STATUS_BIT(i)) != 0)
            join(denial->expected, sizeof denial->expected, tcb_status_name((enum tcb_status)i));
    return false;
}

static bool rule_allows_advisory(const struct appraisal_rule *rule, const char *advisory)
{
    for (size_t i = 0; i < rule->advisory_count; i++)
        if (strcmp(rule->advisories[i], advisory) == 0)
            return true;
    return false;
}

/* A platform that is not up to date is accepted for known weaknesses only, never for new ones. */
static bool check_advisories(const struct appraisal_rule *rule, const struct question *q,
                             struct appraisal_denial *denial)
{
    const struct attest_result *evidence = q->evidence;

    if (evidence->status == TCB_UP_TO_DATE)
        return true;
    for (size_t i = 0; i < evidence->advisory_count; i++) {
        if (rule_allows_advisory(rule, evidence->advisories[i]))
            continue;
        (void)deny(denial, "advisory_not_accepted", "", evidence->advisories[i]);
        for (size_t j = 0; j < rule->advisory_count; j++)
            join(denial->expected, sizeof denial->expected, rule->advisories[j]);
        return false;
    }
    return true;
}

static bool check_evaluation(const struct appraisal_rule *rule, const struct question *q,
                             struct appraisal_denial *denial)
{
    return q->evidence->intel.tcb_evaluation_number >= rule->min_tcb_evaluation_number ||
           deny_numbers(denial, "tcb_evaluation_too_old", "tcbEvaluationDataNumber at least",
                        rule->min_tcb_evaluation_number, q->evidence->intel.tcb_evaluation_number);
}

static bool check_token(const struct appraisal_rule *rule, const struct question *q,
                        struct appraisal_denial *denial)
{
    if (rule->token_count == 0)
        return true;
    for (size_t i = 0; q->token_name && i < rule->token_count; i++)
        if (strcmp(rule->tokens[i], q->token_name) == 0)
            return true;
    /* the names of other tokens are nobody's business */
    return deny(denial, "token_not_accepted", "a token this rule names",
                q->token_name ? q->token_name : "");
}

static bool (*const checks[])(const struct appraisal_rule *rule, const struct question *q,
                              struct appraisal_denial *denial) = {
    check_tee,   check_measurement, check_signer,     check_product,    check_svn,
    check_debug, check_status,      check_advisories, check_evaluation, check_token,
};

/* How many checks `rule` passed; all of them: it accepts. */
static size_t rule_apply(const struct appraisal_rule *rule, const struct question *q,
                         struct appraisal_denial *denial)
{
    size_t passed = 0;

    while (passed < COUNT_OF(checks) && checks[passed](rule, q, denial))
        passed++;
    return passed;
}

enum err appraise(const struct appraisal_policy *policy, const struct attest_result *evidence,
                  const char *token_name, const struct appraisal_rule **rule,
                  struct appraisal_denial *denial)
{
    const struct question q = {evidence, token_name};
    struct appraisal_denial nearest = {.rule = "default-deny", .code = "no_policy"};
    size_t nearest_passed = 0;

    assert(evidence->reason == ATTEST_OK); /* only what verified can be appraised */
    for (size_t i = 0; i < policy->count; i++) {
        struct appraisal_denial why = {.code = "no_policy"};
        size_t passed = rule_apply(&policy->rules[i], &q, &why);

        if (passed == COUNT_OF(checks)) {
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
