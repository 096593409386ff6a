/* Changes of reference values while the keystore runs; see service/policies.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "codec/json.h"
#include "service/inside.h"
#include "service/operations.h"
#include "service/reference_rows.h"

MUST_CHECK static enum err authorise(struct operation_context *x)
{
    return operation_authorize(x, ACTION_CHANGE_POLICY, (struct span){0}, false);
}

MUST_CHECK static enum err compute(struct operation_context *x)
{
    /* a refusal by values that another node has changed must not stand */
    x->claims.snapshot = policy_store_view(x->svc->verifier.policies, &x->thread->verifier.policy);
    x->result->kind = RESULT_POLICY_CHANGED;
    x->result->policy.rows = malloc(sizeof *x->result->policy.rows);
    if (!x->result->policy.rows)
        return refusal_failed(x->why, ERR_MEMORY);
    return policy_store_prepare(x->svc->verifier.policies, x->request, x->caller->principal->name,
                                x->now, &x->result->policy.next, x->why);
}

/* Logs the change itself, also when it is refused. */
static void describe(const struct operation_context *x, struct audit_entry *entry,
                     struct writer *scratch)
{
    const struct policy_change *change = x->request;
    struct json_writer j = json_writer_over(scratch);

    json_open_object(&j, NULL);
    json_put_string(&j, "policy", span_string(change->policy));
    json_put_string(&j, "field", span_string(change->field));
    json_put_hex(&j, "value", span_of(change->bytes, change->size));
    json_put_string(&j, "action", span_string(change->removes ? "remove" : "add"));
    json_close_object(&j);
    assert(!scratch->failed); /* names and a value are much shorter */
    entry->detail = span_of(scratch->data, scratch->size);
}

static void changes(const struct operation_context *x, struct outcome *o)
{
    struct reference_rows *rows = o->result.policy.rows;

    /* what comes next was made from the last change that this process knows */
    reference_rows_of(x->request, x->now, o->commit.entry, o->result.policy.next->added.stored,
                      rows);
    o->commit.transaction = &rows->transaction;
}

static void committed(struct service *svc, struct outcome *o)
{
    struct policy_changed *changed = &o->result.policy;
    const struct policy_snapshot *s = changed->next;

    /* `s` stays valid: it is the current snapshot, and only this thread replaces it */
    policy_store_swap(svc->verifier.policies, &changed->next, o->commit.index,
                      o->commit.outcome.version);
    memcpy(changed->version, s->policies.version, sizeof changed->version);
    log_write(LOG_INFO, "service", "policy_changed", LOG_NUMBER("entry", o->commit.index),
              LOG_STRING("effect", "all sessions have ended"));
}

const struct operation operation_change_policy = {
    .name = "policy",
    .rule = "administration",
    .authorise = authorise,
    .compute = compute,
    .describe = describe,
    .changes = changes,
    .committed = committed,
};
