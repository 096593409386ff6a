/* Policies with their added reference values, and the reply to a change of these. */
#include <assert.h>
#include <string.h>

#include "server/render.h"

void render_policy_changed(const struct policy_changed *changed, uint64_t index, struct buffer *out)
{
    struct writer w = writer_over(out->data, out->capacity);
    struct json_writer j = json_writer_over(&w);

    json_open_object(&j, NULL);
    json_put_int(&j, "index", (int64_t)index);
    json_put_hex(&j, "policy_version", SPAN_OF(changed->version));
    json_close_object(&j);
    assert(!w.failed);
    out->size = w.size;
}

enum {
    RULE_ROOM = 6 * POLICY_NAME_MAX + 128,
    VALUE_ROOM = 6 * PRINCIPAL_NAME_MAX + 2 * POLICY_BYTES_MAX + 256
};

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
    assert(name); /* rules and added values have names */
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

/* The first added value of a policy that the configuration does not have. */
static bool is_orphan(const struct policy_snapshot *s, size_t at)
{
    const char *name = s->added.items[at].policy;

    for (size_t i = 0; i < at; i++)
        if (strcmp(s->added.items[i].policy, name) == 0)
            return false;
    return policy_find(&s->policies, name) == NULL;
}

enum err render_policies(const struct policy_snapshot *s, struct buffer *out)
{
    const size_t room =
        256 + s->policies.count * RULE_ROOM + s->added.count * (RULE_ROOM + VALUE_ROOM);
    struct writer w;
    struct json_writer j;
    enum err e = render_begin(out, room, &w, &j);

    if (e != ERR_NONE)
        return e;
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
    return render_end(out, &w);
}
