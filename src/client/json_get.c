#include "client/client.h"

#include <string.h>

#include "base/text.h"
#include "codec/json.h"

#define PATH_PART_MAX 128

/* Element of an array by its decimal index. */
MUST_CHECK static enum err element_at(struct json_value array, const char *part,
                                      struct json_value *out)
{
    struct json_iterator i = {0};
    uint64_t wanted;

    if (decimal_read(span_string(part), &wanted) != ERR_NONE)
        return ERR_NOT_FOUND;
    for (size_t n = 0; json_next(array, &i, NULL, out); n++)
        if (n == wanted)
            return ERR_NONE;
    return ERR_NOT_FOUND;
}

MUST_CHECK static enum err step_into(struct json_value from, const char *part,
                                     struct json_value *out)
{
    if (from.type == JSON_ARRAY)
        return element_at(from, part, out);
    if (from.type == JSON_OBJECT)
        return json_member(from, part, out);
    return ERR_NOT_FOUND;
}

MUST_CHECK static enum err value_at(struct json_value value, const char *path,
                                    struct json_value *out)
{
    char part[PATH_PART_MAX];
    enum err e = ERR_NONE;

    while (e == ERR_NONE && path[0] != '\0') {
        size_t size = strcspn(path, ".");

        if (size >= sizeof part)
            return ERR_NOT_FOUND;
        memcpy(part, path, size);
        part[size] = '\0';
        e = step_into(value, part, &value);
        path += size + (path[size] == '.');
    }
    *out = value;
    return e;
}

enum vs_error vs_json_get(struct vs_bytes json, const char *path, char *out, size_t out_size)
{
    struct json_value value;
    size_t size = 0;
    enum err e;

    if (path == NULL || out == NULL || out_size == 0 || (json.data == NULL && json.size > 0))
        return VS_ERR_ARGUMENT;
    if ((e = json_parse(span_of_bytes(json), &value, NULL)) != ERR_NONE ||
        (e = value_at(value, path, &value)) != ERR_NONE)
        return error_of(e);
    if (value.type != JSON_STRING)
        return error_of(span_to_string(value.raw, out, out_size));
    e = json_string(value, out, out_size - 1, &size);
    if (e == ERR_NONE && memchr(out, 0, size) != NULL)
        e = ERR_MALFORMED;
    if (e != ERR_NONE) {
        out[0] = '\0';
        return error_of(e);
    }
    out[size] = '\0';
    return VS_OK;
}
