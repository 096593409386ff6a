/* GET /v1/policies, and POST and DELETE /v1/policies/{policy}/reference-values. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "server/fields.h"
#include "server/render.h"
#include "server/requests.h"

#define BEFORE_POLICY "/v1/policies/"
#define BEHIND_POLICY "/reference-values"

/* A value of another form becomes empty. The operation refuses it, and logs that. */
static void read_value(struct span hex, struct policy_change *change)
{
    change->size = hex.size / 2;
    if (hex.size % 2 != 0 || change->size > sizeof change->bytes ||
        hex_read(hex, change->bytes, change->size) != ERR_NONE)
        change->size = 0;
}

/* The segment of the path, decoded like a query parameter. */
MUST_CHECK static enum err read_policy(const struct call *c, struct policy_change *change)
{
    const struct span path = c->request->path;
    const size_t around = sizeof BEFORE_POLICY + sizeof BEHIND_POLICY - 2;
    char query[3 * POLICY_NAME_MAX + 3];
    const struct span name = span_slice(path, sizeof BEFORE_POLICY - 1, path.size - around);
    const int length =
        snprintf(query, sizeof query, "p=%.*s", (int)name.size, (const char *)name.data);

    if (length < 0 || (size_t)length >= sizeof query || memchr(name.data, '&', name.size) != NULL)
        return ERR_MALFORMED;
    return query_text(span_of(query, (size_t)length), "p", change->policy, sizeof change->policy);
}

MUST_CHECK static enum err read_body(struct call *c, struct policy_change *change)
{
    static const char needed[] =
        "Needed: field (a name as in the configuration) and value (hex); nothing else";
    struct json_value field, value;
    const struct json_field fields[] = {
        {"field", JSON_STRING, true, &field},
        {"value", JSON_STRING, true, &value},
    };
    struct span text;
    enum err e = body_read(c, fields, COUNT_OF(fields), needed);

    if (e != ERR_NONE)
        return e;
    if ((e = field_string(field, change->field, sizeof change->field)) != ERR_NONE ||
        (e = json_string_plain(value, &text)) != ERR_NONE)
        return fields_refuse(c, e, "bad_field", needed);
    read_value(text, change);
    return ERR_NONE;
}

MUST_CHECK static enum err read_query(struct call *c, struct policy_change *change)
{
    char value[2 * POLICY_BYTES_MAX + 2];
    size_t size = 0;

    if (query_text(c->request->query, "field", change->field, sizeof change->field) != ERR_NONE ||
        http_query(c->request->query, "value", value, sizeof value, &size) != ERR_NONE) {
        call_refuse(c, 400, "bad_query", "Needed: field and value (hex)");
        return ERR_MALFORMED;
    }
    read_value(span_of(value, size), change);
    return ERR_NONE;
}

enum err policy_change_read(struct call *c, struct policy_change *out)
{
    enum err e = out->removes ? read_query(c, out) : read_body(c, out);

    if (e != ERR_NONE)
        return e;
    if ((e = read_policy(c, out)) != ERR_NONE)
        call_refuse(c, 404, "policy_not_found", "This token has no policy of that name");
    return e;
}

/* Runs on its own thread: one change is committed before the next one is judged. */
static void make_change(struct call *c, struct service_thread *thread, bool removes)
{
    struct policy_change change = {.removes = removes};
    enum err e;

    if (policy_change_read(c, &change) != ERR_NONE) {
        call_finish(c);
        return;
    }
    if ((e = buffer_reserve(&c->body, POLICY_CHANGED_MAX)) != ERR_NONE) {
        call_answer(c, e); /* now, because nothing may fail after the commit */
    } else if (call_operate_and_commit(c, thread, OPERATION_CHANGE_POLICY, &change) == ERR_NONE) {
        render_policy_changed(&c->outcome.result.policy, c->outcome.commit.index, &c->body);
        call_answer(c, ERR_NONE);
    }
    call_finish(c);
}

void route_reference_value_add(struct call *c, struct service_thread *thread)
{
    make_change(c, thread, false);
}

void route_reference_value_remove(struct call *c, struct service_thread *thread)
{
    make_change(c, thread, true);
}

void route_policies(struct call *c, struct service_thread *thread)
{
    const struct policy_snapshot *s = service_policies(c->server->svc, thread);

    call_answer(c, render_policies(s, &c->body));
    call_finish(c);
}
