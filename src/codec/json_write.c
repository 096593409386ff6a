#include "codec/json.h"

#include "base/text.h"
#include "codec/json_scan.h"

struct json_writer json_writer_over(struct writer *w)
{
    return (struct json_writer){w, false};
}

static void put_escape(struct writer *w, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_names[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

    if (c >= 0x20 || short_names[c]) {
        writer_u8(w, '\\');
        writer_u8(w, c >= 0x20 ? c : (uint8_t)short_names[c]);
        return;
    }
    writer_put(w, SPAN_LITERAL("\\u00"));
    writer_u8(w, (uint8_t)hex[c >> 4]);
    writer_u8(w, (uint8_t)hex[c & 15]);
}

/* Writes one character that needs an escape, or U+FFFD for one byte that is not UTF-8. */
static size_t put_special(struct writer *w, const uint8_t *at, const uint8_t *end)
{
    size_t size;

    if (*at < 0x80) {
        put_escape(w, *at);
        return 1;
    }
    size = json_utf8_size(at, end);
    if (size == 0) {
        writer_put(w, SPAN_LITERAL("\xef\xbf\xbd")); /* U+FFFD */
        return 1;
    }
    writer_put(w, span_of(at, size));
    return size;
}

static void put_quoted(struct writer *w, struct span text)
{
    const uint8_t *at = text.data;
    const uint8_t *end = text.size > 0 ? at + text.size : at;

    writer_u8(w, '"');
    while (at < end) {
        const uint8_t *plain_end = json_plain_end(at, end);

        writer_put(w, span_of(at, (size_t)(plain_end - at)));
        at = plain_end;
        if (at < end)
            at += put_special(w, at, end);
    }
    writer_u8(w, '"');
}

/* Writes the comma and the name before a value. */
static struct writer *begin(struct json_writer *j, const char *name)
{
    if (j->need_comma)
        writer_u8(j->w, ',');
    j->need_comma = true;
    if (name) {
        put_quoted(j->w, span_string(name));
        writer_u8(j->w, ':');
    }
    return j->w;
}

static void open_with(struct json_writer *j, const char *name, uint8_t bracket)
{
    writer_u8(begin(j, name), bracket);
    j->need_comma = false;
}

static void close_with(struct json_writer *j, uint8_t bracket)
{
    writer_u8(j->w, bracket);
    j->need_comma = true;
}

void json_open_object(struct json_writer *j, const char *name)
{
    open_with(j, name, '{');
}

void json_close_object(struct json_writer *j)
{
    close_with(j, '}');
}

void json_open_array(struct json_writer *j, const char *name)
{
    open_with(j, name, '[');
}

void json_close_array(struct json_writer *j)
{
    close_with(j, ']');
}

void json_put_string(struct json_writer *j, const char *name, struct span text)
{
    put_quoted(begin(j, name), text);
}

/* Reserves `size` bytes in the writer itself, so that no copy stays in memory; NULL when full. */
static uint8_t *claim(struct writer *w, size_t size)
{
    size_t at = w->size;

    writer_zero(w, size);
    return w->failed ? NULL : w->data + at;
}

void json_put_hex(struct json_writer *j, const char *name, struct span bytes)
{
    struct writer *w = begin(j, name);
    uint8_t *place;

    writer_u8(w, '"');
    place = claim(w, 2 * bytes.size + 1);
    if (!place)
        return;
    hex_write(bytes, (char *)place);
    place[2 * bytes.size] = '"'; /* over the terminator */
}

void json_put_base64(struct json_writer *j, const char *name, struct span bytes)
{
    struct writer *w = begin(j, name);
    uint8_t *place;

    writer_u8(w, '"');
    place = claim(w, base64_size(bytes.size));
    if (place)
        base64_write(bytes, (char *)place);
    writer_u8(w, '"');
}

void json_put_int(struct json_writer *j, const char *name, int64_t value)
{
    char digits[DECIMAL_MAX_SIZE];
    struct writer *w = begin(j, name);

    if (value < 0)
        writer_u8(w, '-');
    writer_put(w, span_of(digits, decimal_write(value < 0 ? 0 - (uint64_t)value : (uint64_t)value,
                                                digits)));
}

void json_put_bool(struct json_writer *j, const char *name, bool value)
{
    writer_put(begin(j, name), value ? SPAN_LITERAL("true") : SPAN_LITERAL("false"));
}

void json_put_null(struct json_writer *j, const char *name)
{
    writer_put(begin(j, name), SPAN_LITERAL("null"));
}

void json_put_raw(struct json_writer *j, const char *name, struct span json)
{
    writer_put(begin(j, name), json);
}
