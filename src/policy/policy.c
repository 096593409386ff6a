#include "policy/policy.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "crypto/hash.h"

#define POLICY_ENCODED_MAX (48u * 1024)

/* ---- sets */

void policy_clear(struct policy *policy)
{
    appraisal_rule_clear(&policy->rule);
    policy_scope_clear(&policy->scope);
    *policy = (struct policy){0};
}

enum err policy_copy(const struct policy *from, struct policy *to)
{
    struct policy copy = {0};
    enum err e;

    if ((e = appraisal_rule_copy(&from->rule, &copy.rule)) != ERR_NONE ||
        (e = policy_scope_copy(&from->scope, &copy.scope)) != ERR_NONE)
        goto out;
    *to = copy;
    copy = (struct policy){0}; /* the caller owns it now */
out:
    policy_clear(&copy);
    return e;
}

void policy_set_clear(struct policy_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        policy_clear(&set->policies[i]);
    free(set->policies);
    *set = (struct policy_set){0};
}

enum err policy_set_copy(const struct policy_set *from, struct policy_set *to)
{
    struct policy_set copy = {.policies = calloc(from->count + 1, sizeof *copy.policies)};
    enum err e = copy.policies ? ERR_NONE : ERR_MEMORY;

    memcpy(copy.version, from->version, sizeof copy.version);
    for (size_t i = 0; i < from->count && e == ERR_NONE; i++) {
        e = policy_copy(&from->policies[i], &copy.policies[i]);
        copy.count += e == ERR_NONE;
    }
    if (e == ERR_NONE)
        *to = copy;
    else
        policy_set_clear(&copy);
    return e;
}

const struct policy *policy_find(const struct policy_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->policies[i].rule.name, name) == 0)
            return &set->policies[i];
    return NULL;
}

/* ---- the version */

static void put_text(struct writer *w, const char *text)
{
    struct span span = span_string(text);

    writer_u16be(w, (uint16_t)span.size);
    writer_put(w, span);
}

static void put_texts(struct writer *w, const struct text_list *list)
{
    writer_u32be(w, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++)
        put_text(w, list->items[i]);
}

static void put_field(struct writer *w, const struct appraisal_rule *rule, size_t id)
{
    const struct policy_value *value = &rule->fields[id];

    put_text(w, policy_fields[id].key);
    writer_u8(w, value->any ? 1 : 0);
    writer_u64be(w, value->number);
    writer_u16be(w, value->count);
    writer_u16be(w, value->size);
    writer_put(w, span_slice(buffer_span(&rule->values), value->at, value->size));
}

/* Writes every field with counts and lengths, so that two different policies never give the same
 * bytes. */
static void policy_digest(const struct policy *policy, uint8_t out[SHA256_SIZE])
{
    const struct appraisal_rule *rule = &policy->rule;
    uint8_t bytes[POLICY_ENCODED_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct span encoded = {0};
    enum err e;

    put_text(&w, rule->name);
    put_text(&w, rule->tee);
    for (size_t i = 0; i < POLICY_FIELD_COUNT; i++)
        if (rule->fields[i].given)
            put_field(&w, rule, i);
    put_texts(&w, &policy->scope.seeds);
    put_texts(&w, &policy->scope.tokens);
    writer_u8(&w, policy->scope.allow_plain ? 1 : 0);
    e = writer_finish(&w, &encoded);
    assert(e == ERR_NONE); /* the limits of the lists keep it below POLICY_ENCODED_MAX */
    sha256(encoded, out);
}

void policy_set_version(struct policy_set *set)
{
    uint8_t state[SHA256_SIZE], digest[SHA256_SIZE];

    sha256(SPAN_LITERAL("vouchsafe-policy-v3"), state);
    for (size_t i = 0; i < set->count; i++) {
        const struct span parts[] = {SPAN_OF(state), SPAN_OF(digest)};

        policy_digest(&set->policies[i], digest);
        sha256_parts(parts, COUNT_OF(parts), state);
    }
    memcpy(set->version, state, sizeof set->version);
}

/* ---- judging */

enum err policy_judge(const struct policy_set *set, const struct principal *principal,
                      const struct appraisal_question *question, const struct policy **policy,
                      struct appraisal_denial *denial)
{
    struct appraisal_denial nearest = {.rule = "default-deny", .code = "no_policy"};
    size_t most = 0;
    bool any = false;

    for (size_t i = 0; i < set->count; i++) {
        const struct policy *p = &set->policies[i];
        struct appraisal_denial why;
        size_t passed = 0;

        if (!policy_scope_is_for(&p->scope, principal))
            continue;
        if (appraise(&p->rule, question, &passed, &why) == ERR_NONE) {
            *policy = p;
            return ERR_NONE;
        }
        if (!any || passed > most) {
            nearest = why;
            most = passed;
        }
        any = true;
    }
    *denial = nearest;
    return ERR_DENIED;
}
