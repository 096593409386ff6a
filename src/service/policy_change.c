#include "service/policy_change.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "codec/json.h"

enum {
    REPLY_MAX = 128,
    RULE_ROOM = 6 * POLICY_NAME_MAX + 128,
    VALUE_ROOM = 6 * PRINCIPAL_NAME_MAX + 2 * POLICY_BYTES_MAX + 256
};

static void detail_write(const struct policy_change *change, struct outcome *o)
{
    struct writer w = writer_over(o->detail, sizeof o->detail - 1);
    struct json_writer j = json_writer_over(&w);

    json_open_object(&j, NULL);
    json_put_string(&j, "policy", span_string(change->policy));
    json_put_string(&j, "field", span_string(change->field));
    json_put_hex(&j, "value", span_of(change->bytes, change->size));
    json_put_string(&j, "action", span_string(change->removes ? "remove" : "add"));
    json_close_object(&j);
    o->detail[w.failed ? 0 : w.size] = '\0';
    assert(!w.failed); /* names and a value are far shorter */
}

MUST_CHECK static enum err judge(struct service *svc, const struct caller *caller,
                                 const struct policy_change *change, struct timestamp now,
                                 struct policy_snapshot **next, struct outcome *o)
{
    enum err e;

    if (!principal_has_role(caller->principal, ROLE_OPERATOR) || !caller->principal->may_administer)
        return outcome_refuse(o, ERR_DENIED, "may_not_administer",
                              "Access denied: this token may not change policies");
    e = policy_store_prepare(svc->policies, change, caller->principal->name, now, next, o);
    if (e == ERR_NONE)
        e = secret_new(REPLY_MAX, &o->reply); /* now: after the commit nothing may fail */
    if (e == ERR_MEMORY)
        return outcome_refuse(o, e, err_code(e), "%s", err_text(e));
    return e;
}

enum err service_policy_change(struct service *svc, const struct caller *caller,
                               const struct policy_change *change, struct timestamp now,
                               struct policy_snapshot **next, struct outcome *o)
{
    struct audit_entry entry = {
        .time = now,
        .request_id = caller->request_id,
        .op = SPAN_LITERAL("policy"),
        .rule = SPAN_LITERAL("administration"),
        .principal = span_string(caller->principal->name),
        .auth = SPAN_LITERAL("bearer"),
        .simulated = svc->simulated,
    };
    enum err e = judge(svc, caller, change, now, next, o);

    o->result = e;
    detail_write(change, o);
    if (outcome_record(o, &entry) != ERR_NONE)
        e = outcome_refuse(o, ERR_MEMORY, err_code(ERR_MEMORY), "%s", err_text(ERR_MEMORY));
    if (e != ERR_NONE) {
        secret_free(&o->reply);
        policy_snapshot_release(next);
    }
    return e;
}

void service_policy_commit(struct service *svc, struct policy_snapshot **next, struct outcome *o)
{
    const struct policy_snapshot *s = *next;
    struct writer w = writer_over(secret_data(o->reply), REPLY_MAX);
    struct json_writer j = json_writer_over(&w);

    policy_store_swap(svc->policies, next, o->commit.index); /* `s` stays: it is the current one */
    json_open_object(&j, NULL);
    json_put_int(&j, "index", (int64_t)o->commit.index);
    json_put_hex(&j, "policy_version", SPAN_OF(s->policy.version));
    json_close_object(&j);
    assert(!w.failed);
    secret_shrink(o->reply, w.size);
}

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
    return appraisal_find(&s->policy, name) == NULL;
}

enum err service_policies_write(const struct policy_snapshot *s, struct buffer *out)
{
    const size_t room =
        256 + s->policy.count * RULE_ROOM + s->added.count * (RULE_ROOM + VALUE_ROOM);
    struct writer w;
    struct json_writer j;
    enum err e = buffer_reserve(out, room);

    if (e != ERR_NONE)
        return e;
    w = writer_over(out->data, room);
    j = json_writer_over(&w);
    json_open_object(&j, NULL);
    json_put_hex(&j, "policy_version", SPAN_OF(s->policy.version));
    json_open_array(&j, "policies");
    for (size_t i = 0; i < s->policy.count; i++)
        put_policy(&j, s, s->rules[i].name, s->rules[i].tee);
    for (size_t i = 0; i < s->added.count; i++)
        if (is_orphan(s, i))
            put_policy(&j, s, s->added.items[i].policy, NULL);
    json_close_array(&j);
    json_close_object(&j);
    if ((e = writer_finish(&w, NULL)) == ERR_NONE)
        out->size = w.size;
    return e;
}
