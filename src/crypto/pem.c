#include "crypto/pem.h"

#include <string.h>

#include "base/text.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span skip_padding(struct span s)
{
    size_t i = 0;

    while (i < s.size && (is_space(s.data[i]) || s.data[i] == 0))
        i++;
    return span_slice(s, i, s.size);
}

/* Consumes "-----BEGIN label-----" or its END; false when the next bytes are different. */
static bool take_boundary(struct span *s, const char *kind, const char *label)
{
    const char *const parts[] = {"-----", kind, " ", label, "-----"};

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct span part = span_string(parts[i]);

        if (!span_starts_with(*s, part))
            return false;
        *s = span_slice(*s, part.size, s->size);
    }
    return true;
}

/* Joins the lines of base64 in front of the END boundary; `text` has room for all of `s`. */
static size_t join_lines(struct span s, uint8_t *text, size_t *consumed)
{
    size_t size = 0;
    size_t i = 0;

    for (; i < s.size && s.data[i] != '-'; i++) {
        text[size] = s.data[i]; /* a space is overwritten by what follows it */
        size += !is_space(s.data[i]);
    }
    *consumed = i;
    return size;
}

enum err pem_read(struct span *rest, const char *label, struct buffer *out)
{
    struct span s = skip_padding(*rest);
    const uint8_t *end;
    struct buffer text = {0};
    size_t text_size, consumed, size;
    enum err e;

    if (s.size == 0)
        return ERR_NOT_FOUND;
    if (!take_boundary(&s, "BEGIN", label))
        return ERR_MALFORMED;
    end = s.size > 0 ? memchr(s.data, '-', s.size) : NULL;
    if (!end || end == s.data)
        return ERR_MALFORMED;
    size = (size_t)(end - s.data);
    if ((e = buffer_reserve(&text, size)) != ERR_NONE ||
        (e = buffer_reserve(out, size)) != ERR_NONE)
        goto out;
    text_size = join_lines(s, text.data, &consumed);
    s = span_slice(s, consumed, s.size);
    e = base64_read(span_of(text.data, text_size), out->data + out->size, size, &size);
    if (e != ERR_NONE || size == 0 || !take_boundary(&s, "END", label)) {
        e = ERR_MALFORMED;
        goto out;
    }
    out->size += size;
    *rest = s;
out:
    buffer_clear(&text);
    return e;
}
