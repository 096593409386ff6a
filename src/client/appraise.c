/*
 * Appraises the verified claims of an SGX enclave. The caller's demands become rules of policy/, so
 * the client and the keystore judge by the same code. Pure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/attest.h"
#include "client/client.h"
#include "policy/appraisal.h"

#define HASH_SIZE 32

/* The bits of the interface are 1 << the status. */
_Static_assert(VS_TCB_UP_TO_DATE == 1u << TCB_UP_TO_DATE &&
                   VS_TCB_SW_HARDENING_NEEDED == 1u << TCB_SW_HARDENING_NEEDED &&
                   VS_TCB_CONFIGURATION_NEEDED == 1u << TCB_CONFIGURATION_NEEDED &&
                   VS_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED ==
                       1u << TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED &&
                   VS_TCB_OUT_OF_DATE == 1u << TCB_OUT_OF_DATE &&
                   VS_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED ==
                       1u << TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
               "status bits");

enum vs_error vs_tcb_status_parse(const char *name, unsigned *bit)
{
    enum tcb_status status;

    if (name == NULL || bit == NULL)
        return VS_ERR_ARGUMENT;
    if (tcb_status_parse(span_string(name), &status) != ERR_NONE || status == TCB_REVOKED)
        return VS_ERR_MALFORMED;
    *bit = 1u << status;
    return VS_OK;
}

MUST_CHECK static enum vs_error refuse(struct vs_refusal *r, const char *code, const char *expected,
                                       const char *presented)
{
    (void)snprintf(r->code, sizeof r->code, "%s", code);
    (void)snprintf(r->expected, sizeof r->expected, "%s", expected);
    (void)snprintf(r->presented, sizeof r->presented, "%s", presented);
    return VS_ERR_POLICY;
}

enum vs_error vs_result_judge_default(const struct vs_result *r, struct vs_refusal *refusal)
{
    struct vs_refusal ignored;

    if (r == NULL)
        return VS_ERR_ARGUMENT;
    if (r->verdict != VS_VALID)
        return VS_ERR_UNTRUSTED;
    if (refusal == NULL)
        refusal = &ignored;
    *refusal = (struct vs_refusal){0};
    if (r->verified.debug)
        return refuse(refusal, "debug", "a production build", "a debug build");
    if (r->verified.status == TCB_REVOKED)
        return refuse(refusal, "tcb_status_not_accepted", "any other status", "Revoked");
    (void)snprintf(refusal->code, sizeof refusal->code, "ok");
    return VS_OK;
}

/* ---- an appraisal as rules */

/* One rule while it is made. */
struct maker {
    const struct vs_appraisal *appraisal;
    struct appraisal_rule *rule;
    struct policy_fault *fault;
};

static char *borrowed(const char *text)
{
    return (char *)(uintptr_t)text; /* rules only read it */
}

MUST_CHECK static enum err set_number(const struct maker *m, const char *key, uint64_t number)
{
    char text[24];
    char *texts[] = {text};

    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return appraisal_rule_set(m->rule, key, texts, 1, m->fault);
}

static bool is_repeated(const uint8_t *hashes, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (span_equal(span_of(hashes + k * HASH_SIZE, HASH_SIZE),
                       span_of(hashes + i * HASH_SIZE, HASH_SIZE)))
            return true;
    return false;
}

/* At most POLICY_LIST_MAX measurements. */
MUST_CHECK static enum err set_hashes(const struct maker *m, const char *key, const uint8_t *hashes,
                                      size_t count)
{
    char hex[POLICY_LIST_MAX][2 * HASH_SIZE + 1];
    char *texts[POLICY_LIST_MAX];
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        if (is_repeated(hashes, i))
            continue;
        hex_write(span_of(hashes + i * HASH_SIZE, HASH_SIZE), hex[used]);
        texts[used] = hex[used];
        used++;
    }
    return appraisal_rule_set(m->rule, key, texts, used, m->fault);
}

MUST_CHECK static enum err set_statuses(const struct maker *m, unsigned accepted)
{
    char *texts[32];
    size_t count = 0;

    for (unsigned i = 0; i < COUNT_OF(texts); i++)
        if ((accepted >> i & 1) != 0)
            texts[count++] =
                borrowed(i < TCB_STATUS_COUNT ? tcb_status_name((enum tcb_status)i) : "no status");
    return appraisal_rule_set(m->rule, "tcb_status", texts, count, m->fault);
}

MUST_CHECK static enum err set_advisories(const struct maker *m)
{
    const struct vs_appraisal *a = m->appraisal;
    /* one more is too many, and the rule reports that */
    char *texts[ATTEST_ADVISORIES_MAX + 1] = {0};
    const size_t count = a->advisory_count < COUNT_OF(texts) ? a->advisory_count : COUNT_OF(texts);

    for (size_t i = 0; i < count; i++)
        texts[i] = borrowed(a->advisories[i]);
    return appraisal_rule_set(m->rule, "advisories", texts, count, m->fault);
}

/* The demands on the platform, for all code. */
MUST_CHECK static enum err set_platform(const struct maker *m)
{
    const struct vs_appraisal *a = m->appraisal;
    const unsigned accepted = a->accepted_statuses == 0 ? VS_TCB_UP_TO_DATE : a->accepted_statuses;
    enum err e = set_statuses(m, accepted);

    if (e == ERR_NONE)
        e = set_advisories(m);
    if (e == ERR_NONE && a->out_of_date_grace_days > 0)
        e = set_number(m, "out_of_date_grace_days", a->out_of_date_grace_days);
    if (e == ERR_NONE)
        e = set_number(m, "min_tcb_evaluation_number", a->min_tcb_evaluation_number);
    if (e == ERR_NONE)
        e = set_number(m, "min_qe_evaluation_number", a->min_tcb_evaluation_number);
    return e;
}

MUST_CHECK static enum err set_signer(const struct maker *m)
{
    const struct vs_appraisal *a = m->appraisal;
    enum err e = set_hashes(m, "mrsigner", a->mr_signer, 1);

    if (e == ERR_NONE)
        e = set_number(m, "isvprodid", a->isv_prod_id);
    if (e == ERR_NONE)
        e = set_number(m, "min_isvsvn", a->min_isv_svn);
    return e;
}

/* A rule holds POLICY_LIST_MAX measurements; the signer is in the last rule. */
MUST_CHECK static enum err set_code(const struct maker *m, size_t i)
{
    const struct vs_appraisal *a = m->appraisal;
    const uint8_t *measurements = a->mr_enclave.data;
    const size_t first = i * POLICY_LIST_MAX;
    const size_t count = a->mr_enclave.size / HASH_SIZE;

    if (first >= count)
        return set_signer(m);
    return set_hashes(m, "mrenclave", measurements + first * HASH_SIZE,
                      count - first < POLICY_LIST_MAX ? count - first : POLICY_LIST_MAX);
}

static size_t rule_count(const struct vs_appraisal *a)
{
    const size_t measurements = a->mr_enclave.size / HASH_SIZE;

    return (measurements + POLICY_LIST_MAX - 1) / POLICY_LIST_MAX + (a->mr_signer != NULL ? 1 : 0);
}

MUST_CHECK static enum err make_rule(const struct maker *m, const char *tee, size_t i)
{
    enum err e = appraisal_rule_start(m->rule, "appraisal", tee, m->fault);

    if (e == ERR_NONE)
        e = set_code(m, i);
    if (e == ERR_NONE)
        e = set_platform(m);
    return e == ERR_NONE ? appraisal_rule_finish(m->rule, m->fault) : e;
}

/* An appraisal that can accept nothing is refused like a missing one. */
MUST_CHECK static enum vs_error make_rules(const struct vs_appraisal *a, const char *tee,
                                           struct appraisal_rule *rules, size_t count,
                                           struct vs_refusal *r)
{
    struct policy_fault fault = {.key = ""};
    char expected[sizeof r->expected];

    for (size_t i = 0; i < count; i++) {
        const struct maker m = {.appraisal = a, .rule = &rules[i], .fault = &fault};
        const enum err e = make_rule(&m, tee, i);

        if (e == ERR_NONE)
            continue;
        if (e != ERR_CONFIG)
            return error_of(e);
        (void)snprintf(expected, sizeof expected, "%s: %s", fault.key, fault.text);
        return refuse(r, "no_policy", expected, "");
    }
    return VS_OK;
}

MUST_CHECK static enum vs_error judge(const struct vs_result *r, const struct vs_appraisal *a,
                                      struct vs_refusal *refusal)
{
    const struct appraisal_question question = {.evidence = &r->verified, .now = r->at};
    const size_t count = rule_count(a);
    struct nearest_rule nearest = {0};
    struct appraisal_rule *rules;
    enum vs_error e;

    if (a->mr_enclave.size % HASH_SIZE != 0)
        return refuse(refusal, "no_policy", "measurements of 32 bytes each", "");
    if (count == 0)
        return refuse(refusal, "no_policy", "a measurement or a signer to compare with", "none");
    rules = calloc(count, sizeof *rules);
    if (rules == NULL)
        return VS_ERR_MEMORY;
    e = make_rules(a, r->verified.tee, rules, count, refusal);
    for (size_t i = 0; i < count && e == VS_OK; i++)
        nearest_consider(&nearest, &rules[i], &question);
    if (e == VS_OK)
        e = nearest_tell(&nearest, refusal);
    for (size_t i = 0; i < count; i++)
        appraisal_rule_clear(&rules[i]);
    free(rules);
    refusal->rule[0] = '\0'; /* the caller gave no name */
    return e;
}

enum vs_error vs_result_appraise(const struct vs_result *r, const struct vs_appraisal *appraisal,
                                 struct vs_refusal *refusal)
{
    struct vs_refusal ignored;
    enum vs_error e;

    if (r == NULL || appraisal == NULL)
        return VS_ERR_ARGUMENT;
    if (r->verdict != VS_VALID)
        return VS_ERR_UNTRUSTED;
    if (r->verified.kind != ATTEST_SGX)
        return VS_ERR_UNSUPPORTED;
    if (refusal == NULL)
        refusal = &ignored;
    if ((e = vs_result_judge_default(r, refusal)) == VS_OK &&
        (e = judge(r, appraisal, refusal)) == VS_OK)
        *refusal = (struct vs_refusal){0};
    return e;
}
