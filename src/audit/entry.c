#include "audit/entry.h"

#include <string.h>

#include "codec/json.h"

/* Entries without a tenant stay as readers of the first version know them. */
enum { VERSION_PLAIN = 1, VERSION_TENANT = 2 };

/* Where to cut without breaking a UTF-8 sequence: before a byte that begins one. */
static size_t cut_before(struct span text, size_t size)
{
    while (size > 0 && (text.data[size] & 0xc0) == 0x80)
        size--;
    return size;
}

static void put_text(struct json_writer *j, const char *name, struct span text)
{
    const struct span dots = SPAN_LITERAL("...");
    uint8_t cut[AUDIT_TEXT_MAX];
    size_t size;

    if (text.size == 0)
        return;
    if (text.size <= AUDIT_TEXT_MAX) {
        json_put_string(j, name, text);
        return;
    }
    size = cut_before(text, AUDIT_TEXT_MAX - dots.size);
    memcpy(cut, text.data, size);
    memcpy(cut + size, dots.data, dots.size);
    json_put_string(j, name, span_of(cut, size + dots.size));
}

/* An entry must always be one line of JSON. A detail that would break it becomes text. */
static void put_detail(struct json_writer *j, struct span detail)
{
    struct json_value value;

    if (detail.size == 0)
        return;
    if (!memchr(detail.data, '\n', detail.size) && !memchr(detail.data, '\r', detail.size) &&
        json_parse(detail, &value, NULL) == ERR_NONE)
        json_put_raw(j, "detail", value.raw);
    else
        put_text(j, "detail", detail);
}

enum err audit_entry_write(const struct audit_entry *entry, struct writer *w)
{
    struct json_writer j = json_writer_over(w);
    size_t before = w->size;
    char time[TIMESTAMP_TEXT_SIZE];
    enum err e;

    timestamp_write(entry->time, time);
    json_open_object(&j, NULL);
    json_put_int(&j, "v", entry->tenant.size > 0 ? VERSION_TENANT : VERSION_PLAIN);
    json_put_string(&j, "time", span_of(time, TIMESTAMP_TEXT_SIZE - 1));
    put_text(&j, "request_id", entry->request_id);
    put_text(&j, "op", entry->op);
    json_put_string(&j, "decision", entry->allowed ? SPAN_LITERAL("allow") : SPAN_LITERAL("deny"));
    put_text(&j, "code", entry->code);
    put_text(&j, "rule", entry->rule);
    put_text(&j, "key", entry->key);
    if (entry->key_version > 0)
        json_put_int(&j, "key_version", entry->key_version);
    put_text(&j, "tenant", entry->tenant);
    put_text(&j, "principal", entry->principal);
    put_text(&j, "auth", entry->auth);
    put_text(&j, "tee", entry->tee);
    if (entry->has_claims)
        json_put_hex(&j, "claims", SPAN_OF(entry->claims));
    put_text(&j, "task", entry->task);
    put_detail(&j, entry->detail);
    if (entry->simulated)
        json_put_bool(&j, "simulated", true);
    json_close_object(&j);
    e = writer_finish(w, NULL);
    if (e == ERR_NONE && w->size - before > AUDIT_ENTRY_MAX)
        e = ERR_TOO_LARGE;
    return e;
}

/* A text member as in the line; the empty span when absent. */
MUST_CHECK static enum err view_text(struct json_value value, struct span *out)
{
    if (value.type == JSON_NULL)
        return ERR_NONE;
    return json_string_plain(value, out);
}

enum err audit_entry_view(struct span line, struct audit_entry_view *out)
{
    struct json_value root;
    struct json_value version, time, request_id, op, decision, code, tenant, principal;
    const struct json_field fields[] = {
        {"v",          JSON_NUMBER, true,  &version   },
        {"time",       JSON_STRING, true,  &time      },
        {"request_id", JSON_STRING, false, &request_id},
        {"op",         JSON_STRING, false, &op        },
        {"decision",   JSON_STRING, true,  &decision  },
        {"code",       JSON_STRING, false, &code      },
        {"tenant",     JSON_STRING, false, &tenant    },
        {"principal",  JSON_STRING, false, &principal },
    };
    struct audit_entry_view view = {0};
    struct span time_text;
    int64_t v;

    if (line.size > AUDIT_ENTRY_MAX || json_parse(line, &root, NULL) != ERR_NONE ||
        json_object_read(root, fields, COUNT_OF(fields), true, NULL) != ERR_NONE ||
        json_int64(version, &v) != ERR_NONE ||
        v != (tenant.type == JSON_NULL ? VERSION_PLAIN : VERSION_TENANT) ||
        json_string_plain(time, &time_text) != ERR_NONE ||
        timestamp_parse(time_text, &view.time) != ERR_NONE ||
        view_text(request_id, &view.request_id) != ERR_NONE ||
        view_text(op, &view.op) != ERR_NONE || view_text(code, &view.code) != ERR_NONE ||
        view_text(tenant, &view.tenant) != ERR_NONE ||
        json_string_plain(decision, &view.decision) != ERR_NONE ||
        (!span_equal_string(view.decision, "allow") && !span_equal_string(view.decision, "deny")))
        return ERR_MALFORMED;
    if (view_text(principal, &view.principal) != ERR_NONE)
        view.principal = (struct span){0};
    *out = view;
    return ERR_NONE;
}
