#include "server/fields.h"

#include <string.h>

#include "base/text.h"

enum err field_hex(struct json_value value, uint8_t *out, size_t size)
{
    struct span text;
    enum err e = json_string_plain(value, &text);

    return e != ERR_NONE ? e : hex_read(text, out, size);
}

enum err field_base64(struct call *c, struct json_value value, struct span *out)
{
    const size_t capacity = value.raw.size;
    void *memory = NULL;
    struct span text;
    size_t size = 0;
    enum err e;

    *out = (struct span){0};
    if (value.type == JSON_NULL)
        return ERR_NONE;
    if ((e = call_allocate(c, capacity, &memory)) != ERR_NONE)
        return e;
    if (json_string_plain(value, &text) != ERR_NONE) {
        if ((e = json_string(value, memory, capacity, &size)) != ERR_NONE)
            return e;
        text = span_of(memory, size); /* decodes in place: it writes only bytes that it has read */
    }
    if ((e = base64_read(text, memory, capacity, &size)) == ERR_NONE)
        *out = span_of(memory, size);
    return e;
}

enum err field_plain(struct json_value value, struct span *out)
{
    *out = (struct span){0};
    return value.type == JSON_NULL ? ERR_NONE : json_string_plain(value, out);
}

enum err field_string(struct json_value value, char *out, size_t size)
{
    size_t used = 0;
    enum err e = value.type == JSON_NULL ? ERR_NONE : json_string(value, out, size - 1, &used);

    if (e == ERR_NONE)
        out[used] = '\0';
    return e == ERR_NONE && memchr(out, '\0', used) ? ERR_MALFORMED : e;
}

enum err fields_refuse(struct call *c, enum err e, const char *code, const char *text)
{
    if (e == ERR_MEMORY)
        call_refuse_err(c, e, err_code(e), err_text(e));
    else
        call_refuse(c, 400, code, text);
    return e;
}

/* On our own routes an absent member has one spelling. OutLayer's routes also accept null. */
static bool has_null(struct json_value object)
{
    struct json_iterator i = {0};
    struct json_value name, value;

    while (json_next(object, &i, &name, &value))
        if (value.type == JSON_NULL)
            return true;
    return false;
}

enum err body_read(struct call *c, const struct json_field *fields, size_t count,
                   const char *needed)
{
    struct json_value document;

    if (json_parse(c->request->body, &document, NULL) != ERR_NONE)
        return fields_refuse(c, ERR_MALFORMED, "bad_json",
                             "Failed to parse the request body as JSON");
    if (json_object_read(document, fields, count, false, NULL) != ERR_NONE || has_null(document))
        return fields_refuse(c, ERR_MALFORMED, "bad_field", needed);
    return ERR_NONE;
}

enum err evidence_read(struct call *c, const struct evidence_members *m, struct evidence *out,
                       const char **bad)
{
    enum err e;

    *bad = "tee_type";
    if ((e = field_plain(m->tee_type, &out->tee_type)) != ERR_NONE)
        return e;
    *bad = "quote";
    if ((e = field_base64(c, m->quote, &out->quote)) != ERR_NONE)
        return e;
    *bad = "certificates";
    if ((e = field_base64(c, m->certificates, &out->certificates)) != ERR_NONE)
        return e;
    out->event_log = m->event_log.type == JSON_NULL ? (struct span){0} : m->event_log.raw;
    return ERR_NONE;
}

static bool has_only_objects(struct json_value array)
{
    struct json_iterator i = {0};
    struct json_value element;

    while (json_next(array, &i, NULL, &element))
        if (element.type != JSON_OBJECT)
            return false;
    return true;
}

enum err evidence_read_checked(struct call *c, const struct evidence_members *m,
                               struct evidence *out)
{
    enum attest_tee kind;
    const char *bad;
    enum err e = evidence_read(c, m, out, &bad);

    if (e != ERR_NONE)
        return e;
    if (attest_type_parse(evidence_type(out), &kind) != ERR_NONE || !has_only_objects(m->event_log))
        return ERR_MALFORMED;
    return out->certificates.size > ATTEST_CHAIN_MAX ? ERR_TOO_LARGE : ERR_NONE;
}

enum err query_number(const struct call *c, const char *name, uint64_t *out)
{
    char text[24];
    size_t size = 0;
    uint64_t value = 0;
    enum err e = http_query(c->request->query, name, text, sizeof text, &size);

    if (e != ERR_NONE)
        return e == ERR_NOT_FOUND ? e : ERR_MALFORMED;
    if (decimal_read(span_of(text, size), &value) != ERR_NONE || value > INT64_MAX)
        return ERR_MALFORMED;
    *out = value;
    return ERR_NONE;
}

enum err query_hex(const struct call *c, const char *name, uint8_t *out, size_t capacity,
                   size_t *size)
{
    char text[2 * QUERY_BYTES_MAX + 1];
    size_t length = 0;
    enum err e = http_query(c->request->query, name, text, sizeof text, &length);

    if (e != ERR_NONE)
        return e == ERR_NOT_FOUND ? e : ERR_MALFORMED;
    if (length % 2 != 0 || length / 2 > capacity)
        return ERR_MALFORMED;
    *size = length / 2;
    return hex_read(span_of(text, length), out, *size);
}

enum err query_text(struct span query, const char *name, char *out, size_t size)
{
    size_t used = 0;
    enum err e = http_query(query, name, out, size - 1, &used); /* it does not terminate the text */

    if (e != ERR_NONE)
        return e;
    out[used] = '\0';
    return memchr(out, '\0', used) ? ERR_MALFORMED : ERR_NONE;
}

bool query_has_only(struct span query, const char *const *names, size_t count)
{
    while (query.size > 0) {
        const uint8_t *end = memchr(query.data, '&', query.size);
        size_t size = end ? (size_t)(end - query.data) : query.size;
        const uint8_t *equals = memchr(query.data, '=', size);
        struct span name = span_of(query.data, equals ? (size_t)(equals - query.data) : size);
        size_t i = 0;

        while (i < count && !span_equal_string(name, names[i]))
            i++;
        if (i == count)
            return false;
        query = span_slice(query, size + 1, query.size);
    }
    return true;
}
