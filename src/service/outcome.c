#include "service/outcome.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec/json.h"

enum err outcome_refuse(struct outcome *o, enum err e, const char *code, const char *format, ...)
{
    va_list arguments;

    assert(e != ERR_NONE);
    o->result = e;
    o->code = code;
    va_start(arguments, format);
    (void)vsnprintf(o->message, sizeof o->message, format, arguments);
    va_end(arguments);
    return e;
}

static void put_text(struct json_writer *j, const char *name, const char *text)
{
    if (text && *text)
        json_put_string(j, name, span_string(text));
}

void outcome_detail(struct outcome *o, const char *step, const char *rule, const char *expected,
                    const char *presented)
{
    struct writer w = writer_over(o->detail, sizeof o->detail - 1);
    struct json_writer j = json_writer_over(&w);

    json_open_object(&j, NULL);
    put_text(&j, "step", step);
    put_text(&j, "rule", rule);
    put_text(&j, "expected", expected);
    put_text(&j, "presented", presented);
    json_close_object(&j);
    o->detail[w.failed ? 0 : w.size] = '\0';
}

enum err outcome_record(struct outcome *o, struct audit_entry *entry)
{
    uint8_t line[AUDIT_ENTRY_MAX];
    struct writer w = writer_over(line, sizeof line);
    struct span written;
    enum err e;

    entry->allowed = o->result == ERR_NONE;
    entry->code = span_string(entry->allowed ? "ok" : o->code);
    entry->detail = span_string(o->detail);
    if ((e = audit_entry_write(entry, &w)) != ERR_NONE ||
        (e = writer_finish(&w, &written)) != ERR_NONE ||
        (e = buffer_append(&o->entry, written)) != ERR_NONE)
        return e;
    o->commit.entry = buffer_span(&o->entry);
    return ERR_NONE;
}

void outcome_clear(struct outcome *o)
{
    secret_free(&o->reply);
    buffer_clear(&o->entry);
}
