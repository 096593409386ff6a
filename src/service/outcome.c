#include "service/outcome.h"

#include "codec/json.h"

enum { DETAIL_MAX = 1024 };

static void put_text(struct json_writer *j, const char *name, const char *text)
{
    if (*text)
        json_put_string(j, name, span_string(text));
}

/* The detail of a refusal in the log's form; empty when there is none, or it is too long. */
static struct span detail_write(const struct refusal *why, uint8_t *out, size_t size)
{
    struct writer w = writer_over(out, size);
    struct json_writer j = json_writer_over(&w);

    if (!refusal_has_detail(why))
        return (struct span){0};
    json_open_object(&j, NULL);
    put_text(&j, "step", why->step);
    put_text(&j, "rule", why->rule);
    put_text(&j, "expected", why->expected);
    put_text(&j, "presented", why->presented);
    json_close_object(&j);
    return span_of(out, w.failed ? 0 : w.size);
}

enum err outcome_record(struct outcome *o, struct audit_entry *entry)
{
    uint8_t line[AUDIT_ENTRY_MAX];
    uint8_t detail[DETAIL_MAX];
    struct writer w = writer_over(line, sizeof line);
    struct span written;
    enum err e;

    entry->allowed = o->refusal.error == ERR_NONE;
    entry->code = span_string(entry->allowed ? "ok" : o->refusal.code);
    if (!entry->allowed && entry->detail.size == 0)
        entry->detail = detail_write(&o->refusal, detail, sizeof detail);
    if ((e = audit_entry_write(entry, &w)) != ERR_NONE ||
        (e = writer_finish(&w, &written)) != ERR_NONE ||
        (e = buffer_append(&o->entry, written)) != ERR_NONE)
        return e;
    o->commit.entry = buffer_span(&o->entry);
    return ERR_NONE;
}

bool outcome_is_stale(const struct outcome *o)
{
    return o->commit.result == ERR_NONE && o->commit.transaction &&
           o->commit.outcome.status == TRANSACTION_CONFLICT;
}

enum err outcome_event(struct outcome *o, bool simulated, struct span op, struct span detail,
                       struct span request_id, struct timestamp now)
{
    struct audit_entry entry = {
        .time = now,
        .request_id = request_id,
        .op = op,
        .principal = SPAN_LITERAL(AUDIT_PRINCIPAL_KEYSTORE),
        .detail = detail,
        .simulated = simulated,
    };

    return outcome_record(o, &entry);
}

void outcome_clear(struct outcome *o)
{
    operation_result_clear(&o->result);
    buffer_clear(&o->entry);
}
