#include <string.h>

#include "base/text.h"
#include "net/http_parse.h"

bool http_header(const struct http_request *r, const char *name, struct span *value)
{
    for (size_t i = 0; i < r->header_count; i++) {
        if (http_name_equal(r->headers[i].name, name)) {
            *value = r->headers[i].value;
            return true;
        }
    }
    return false;
}

/* One decoded byte from the front of `*s`; false for a bad escape. */
static bool take_byte(struct span *s, uint8_t *out)
{
    size_t used = 1;

    *out = s->data[0] == '+' ? ' ' : s->data[0];
    if (s->data[0] == '%') {
        if (hex_read(span_slice(*s, 1, 2), out, 1) != ERR_NONE)
            return false;
        used = 3;
    }
    *s = span_of(s->data + used, s->size - used);
    return true;
}

/* ERR_NOT_FOUND the decoded name differs. */
MUST_CHECK static enum err name_match(struct span encoded, const char *name)
{
    bool same = true;
    size_t i = 0;
    uint8_t c;

    while (encoded.size > 0) {
        if (!take_byte(&encoded, &c))
            return ERR_MALFORMED;
        if (same && name[i] != '\0' && (uint8_t)name[i] == c)
            i++;
        else
            same = false;
    }
    return same && name[i] == '\0' ? ERR_NONE : ERR_NOT_FOUND;
}

MUST_CHECK static enum err value_decode(struct span encoded, char *out, size_t capacity,
                                        size_t *size)
{
    size_t used = 0;
    uint8_t c;

    while (encoded.size > 0) {
        if (!take_byte(&encoded, &c))
            return ERR_MALFORMED;
        if (used == capacity)
            return ERR_TOO_LARGE;
        out[used++] = (char)c;
    }
    *size = used;
    return ERR_NONE;
}

static struct span take_part(struct span *rest, uint8_t mark)
{
    const uint8_t *at = rest->size ? memchr(rest->data, mark, rest->size) : NULL;
    struct span part = span_of(rest->data, at ? (size_t)(at - rest->data) : rest->size);

    *rest = at ? span_of(at + 1, rest->size - part.size - 1) : (struct span){0};
    return part;
}

enum err http_query(struct span query, const char *name, char *out, size_t capacity, size_t *size)
{
    struct span found = {0};
    bool any = false;

    while (query.size > 0) {
        struct span value = take_part(&query, '&');
        struct span key = take_part(&value, '=');
        enum err e = name_match(key, name);

        if (e == ERR_NOT_FOUND)
            continue;
        if (e != ERR_NONE)
            return e;
        if (any)
            return ERR_MALFORMED;
        any = true;
        found = value;
    }
    return any ? value_decode(found, out, capacity, size) : ERR_NOT_FOUND;
}
