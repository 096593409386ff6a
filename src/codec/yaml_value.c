/* Getters over the tree. Each checks a node and converts its value. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "codec/yaml.h"

enum { SHOWN_MAX = 200 }; /* characters of a refused value in a message */

const struct yaml_node *yaml_member(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *n = map && map->kind == YAML_MAPPING ? map->first : NULL;

    while (n && strcmp(n->key, key) != 0)
        n = n->next;
    return n;
}

/* Puts `part` before the path at the end of `out`; drops what does not fit. */
static char *prepend(char *at, const char *out, const char *part)
{
    size_t size = strlen(part);

    if (size > (size_t)(at - out))
        size = (size_t)(at - out);
    at -= size;
    memcpy(at, part, size);
    return at;
}

void yaml_path(const struct yaml_node *n, char out[YAML_PATH_SIZE])
{
    char *at = out + YAML_PATH_SIZE - 1;

    *at = '\0';
    for (; n && n->parent; n = n->parent) {
        char number[24];

        (void)snprintf(number, sizeof number, "[%zu]", n->index);
        if (*at && *at != '[')
            at = prepend(at, out, ".");
        at = prepend(at, out, n->key ? n->key : number);
    }
    memmove(out, at, strlen(at) + 1);
}

static const char *kind_name(const struct yaml_node *n)
{
    switch (n->kind) {
    case YAML_LIST:
        return "a list";
    case YAML_MAPPING:
        return "a mapping";
    case YAML_TEXT:
        break;
    }
    return "a text";
}

/* `"80a" is`, `a list is`: the subject of a sentence about a node. */
static void found_write(const struct yaml_node *n, char out[SHOWN_MAX + 16])
{
    if (n->kind != YAML_TEXT)
        (void)snprintf(out, SHOWN_MAX + 16, "%s", kind_name(n));
    else if (!*n->text && !n->quoted)
        (void)snprintf(out, SHOWN_MAX + 16, "no value");
    else
        (void)snprintf(out, SHOWN_MAX + 16, "\"%.*s%s\"", SHOWN_MAX, n->text,
                       strlen(n->text) > SHOWN_MAX ? "..." : "");
}

void yaml_refuse(const struct yaml_node *n, const char *format, ...)
{
    char found[SHOWN_MAX + 16];
    char *allowed = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&allowed, format, arguments) < 0)
        allowed = NULL;
    va_end(arguments);
    found_write(n, found);
    yaml_blame(n, "%s is not allowed; it must be %s", found, allowed ? allowed : "corrected");
    free(allowed);
}

const struct yaml_node *yaml_required(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *n = yaml_member(map, key);

    if (map && map->kind == YAML_MAPPING && !n)
        yaml_blame_member(map, key, "missing; it must be given");
    return n;
}

const struct yaml_node *yaml_mapping(const struct yaml_node *n)
{
    if (!n || n->kind == YAML_MAPPING)
        return n;
    yaml_refuse(n, "a mapping of keys to values");
    return NULL;
}

const struct yaml_node *yaml_list(const struct yaml_node *n, size_t min, size_t max)
{
    if (!n)
        return NULL;
    if (n->kind != YAML_LIST) {
        yaml_refuse(n, "a list");
        return NULL;
    }
    if (n->count < min || n->count > max) {
        yaml_blame(n, "a list of %zu; it must have %zu to %zu elements", n->count, min, max);
        return NULL;
    }
    return n;
}

/* "host, port, loops". NULL without memory. */
static char *names_join(const char *const *names, size_t count)
{
    struct buffer text = {0};
    enum err e = ERR_NONE;

    for (size_t i = 0; i < count && e == ERR_NONE; i++)
        e = buffer_printf(&text, "%s%s", i > 0 ? ", " : "", names[i]);
    if (e == ERR_NONE)
        e = buffer_append(&text, SPAN_OF("")); /* its terminator */
    if (e != ERR_NONE)
        buffer_clear(&text);
    return (char *)text.data; /* malloc()ed by the buffer; the caller frees it */
}

void yaml_known(const struct yaml_node *map, const char *const *known, size_t count)
{
    for (const struct yaml_node *n = map ? map->first : NULL; n; n = n->next) {
        const char *nearest;
        char *all;
        size_t i = 0;

        while (n->key && i < count && strcmp(n->key, known[i]) != 0)
            i++;
        if (!n->key || i < count)
            continue;
        nearest = text_nearest(n->key, known, count);
        all = names_join(known, count);
        yaml_blame(n, "unknown setting%s%s%s; allowed here: %s", nearest ? "; did you mean " : "",
                   nearest ? nearest : "", nearest ? "?" : "", all ? all : "");
        free(all);
    }
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

const char *yaml_text(const struct yaml_node *n, size_t min, size_t max, const char *otherwise)
{
    size_t size;

    if (!n || n->faulty)
        return otherwise;
    size = n->kind == YAML_TEXT ? strlen(n->text) : 0;
    if (n->kind != YAML_TEXT || (size == 0 && !n->quoted) || size < min || size > max ||
        has_control(n->text)) {
        yaml_refuse(n, "a text of %zu to %zu characters%s", min, max,
                    min == 0 ? " (\"\" is the empty text)" : "");
        return otherwise;
    }
    return n->text;
}

/* Quotes turn a number or a truth value into a text. */
static const char *unquoted(const struct yaml_node *n)
{
    return n->kind == YAML_TEXT && !n->quoted ? n->text : "";
}

static const char *quotes_hint(const struct yaml_node *n)
{
    return n->kind == YAML_TEXT && n->quoted ? ", without quotes" : "";
}

uint64_t yaml_number(const struct yaml_node *n, uint64_t min, uint64_t max, uint64_t otherwise)
{
    uint64_t value = 0;

    if (!n || n->faulty)
        return otherwise;
    if (decimal_read(span_string(unquoted(n)), &value) == ERR_NONE && value >= min && value <= max)
        return value;
    yaml_refuse(n, "a whole number from %" PRIu64 " to %" PRIu64 "%s", min, max, quotes_hint(n));
    return otherwise;
}

bool yaml_bool(const struct yaml_node *n, bool otherwise)
{
    if (!n || n->faulty)
        return otherwise;
    if (strcmp(unquoted(n), "true") == 0)
        return true;
    if (strcmp(unquoted(n), "false") == 0)
        return false;
    yaml_refuse(n, "true or false%s", quotes_hint(n));
    return otherwise;
}

unsigned yaml_choice(const struct yaml_node *n, const struct yaml_choice *choices,
                     unsigned otherwise)
{
    const char *names[32] = {NULL};
    const char *nearest;
    size_t count = 0;
    char *all;

    if (!n || n->faulty)
        return otherwise;
    for (; count < COUNT_OF(names) && choices[count].name; count++) {
        if (n->kind == YAML_TEXT && strcmp(n->text, choices[count].name) == 0)
            return choices[count].value;
        names[count] = choices[count].name;
    }
    nearest = n->kind == YAML_TEXT ? text_nearest(n->text, names, count) : NULL;
    all = names_join(names, count);
    yaml_refuse(n, "one of %s%s%s%s", all ? all : "", nearest ? "; did you mean " : "",
                nearest ? nearest : "", nearest ? "?" : "");
    free(all);
    return otherwise;
}
