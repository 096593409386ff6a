#include "service/policy_change.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "codec/json.h"
#include "service/inside.h"
#include "service/operations.h"

enum {
    RULE_ROOM = 6 * POLICY_NAME_MAX + 128,
    VALUE_ROOM = 6 * PRINCIPAL_NAME_MAX + 2 * POLICY_BYTES_MAX + 256
};

MUST_CHECK static enum err authorise(struct operation_context *x)
{
    return operation_authorize(x, ACTION_CHANGE_POLICY, (struct span){0}, false);
}

MUST_CHECK static enum err compute(struct operation_context *x)
{
    x->result->kind = RESULT_POLICY_CHANGED;
    return policy_store_prepare(x->svc->verifier.policies, x->request, x->caller->principal->name,
                                x->now, &x->result->policy.next, x->why);
}

/* The change itself, also when it is refused. */
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
    assert(!scratch->failed); /* names and a value are far shorter */
    entry->detail = span_of(scratch->data, scratch->size);
}

static void committed(struct service *svc, struct outcome *o)
{
    struct policy_changed *changed = &o->result.policy;
    const struct policy_snapshot *s = changed->next;

    /* `s` stays: it is the current one, and only this thread replaces it */
    policy_store_swap(svc->verifier.policies, &changed->next, o->commit.index);
    memcpy(changed->version, s->policies.version, sizeof changed->version);
}

const struct operation operation_change_policy = {
    .name = "policy",
    .rule = "administration",
    .authorise = authorise,
    .compute = compute,
    .describe = describe,
    .committed = committed,
};

/* ---- the list ---- */

static void put_value(struct json_writer *j, const struct reference_value *v)
{
    char time[TIMESTAMP_TEXT_SIZE];

    timestamp_write(v->added, time);
    json_open_object(j, NULL);
    json_put_string(j, "field", span_string(v->field));
    json_put_hex(j, "value", span_of(v->bytes, v->size));
    json_put_string(j, "added_by", span_string(v->principal));
    json_put_string(j, "added_at", span_string(time));
    json_put_int(j, "index", (int64_t)v->index);
    json_put_bool(j, "used", v->used);
    json_close_object(j);
}

static void put_policy(struct json_writer *j, const struct policy_snapshot *s, const char *name,
                       const char *tee)
{
    assert(name); /* rules and added values are named */
    json_open_object(j, NULL);
    json_put_string(j, "name", span_string(name));
    if (tee)
        json_put_string(j, "tee", span_string(tee));
    json_put_bool(j, "configured", tee != NULL);
    json_open_array(j, "reference_values");
    for (size_t i = 0; i < s->added.count; i++)
        if (strcmp(s->added.items[i].policy, name) == 0)
            put_value(j, &s->added.items[i]);
    json_close_array(j);
    json_close_object(j);
}

/* Of a policy that the configuration does not have, and the first such. */
static bool is_orphan(const struct policy_snapshot *s, size_t at)
{
    const char *name = s->added.items[at].policy;

    for (size_t i = 0; i < at; i++)
        if (strcmp(s->added.items[i].policy, name) == 0)
            return false;
    return policy_find(&s->policies, name) == NULL;
}

enum err service_policies_write(const struct policy_snapshot *s, struct buffer *out)
{
    const size_t room =
        256 + s->policies.count * RULE_ROOM + s->added.count * (RULE_ROOM + VALUE_ROOM);
    struct writer w;
    struct json_writer j;
    enum err e = buffer_reserve(out, room);

    if (e != ERR_NONE)
        return e;
    w = writer_over(out->data, room);
    j = json_writer_over(&w);
    json_open_object(&j, NULL);
    json_put_hex(&j, "policy_version", SPAN_OF(s->policies.version));
    json_open_array(&j, "policies");
    for (size_t i = 0; i < s->policies.count; i++)
        put_policy(&j, s, s->policies.policies[i].rule.name, s->policies.policies[i].rule.tee);
    for (size_t i = 0; i < s->added.count; i++)
        if (is_orphan(s, i))
            put_policy(&j, s, s->added.items[i].policy, NULL);
    json_close_array(&j);
    json_close_object(&j);
    if ((e = writer_finish(&w, NULL)) == ERR_NONE)
        out->size = w.size;
    return e;
}
