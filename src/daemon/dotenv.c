#include "daemon/dotenv.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_name_byte(char c, bool first)
{
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (!first && c >= '0' && c <= '9');
}

static char *skip_blanks(char *at)
{
    while (is_blank(*at))
        at++;
    return at;
}

/* Only white space and a comment may follow a value. */
static bool is_end(const char *at)
{
    const char *rest = at;

    while (is_blank(*rest))
        rest++;
    return *rest == '\0' || (*rest == '#' && rest > at);
}

/* 'literal' */
static const char *value_literal(char *at, char **value)
{
    char *end = strchr(at + 1, '\'');

    if (!end)
        return "the single quote is not closed on its line";
    if (!is_end(end + 1))
        return "something follows the closing quote";
    *end = '\0';
    *value = at + 1;
    return NULL;
}

static char escape_meaning(char c)
{
    static const char escapes[] = "nrt\\\"$";
    static const char meanings[] = "\n\r\t\\\"$";
    const char *found = c ? strchr(escapes, c) : NULL;

    if (!found)
        return '\0';
    return meanings[found - escapes];
}

/* "with escapes", decoded in place: the result is never longer */
static const char *value_quoted(char *at, char **value)
{
    char *to = at + 1;
    char *from = at + 1;

    *value = to;
    for (; *from != '"'; from++) {
        if (*from == '\0')
            return "the double quote is not closed on its line";
        if (*from == '$')
            return "variables are not replaced in values; write \\$ or use single quotes";
        if (*from == '\\') {
            *to = escape_meaning(*++from);
            if (*to++ == '\0')
                return "unknown escape; allowed are \\n \\r \\t \\\\ \\\" \\$";
        } else {
            *to++ = *from;
        }
    }
    if (!is_end(from + 1))
        return "something follows the closing quote";
    *to = '\0';
    return NULL;
}

static const char *value_plain(char *at, char **value)
{
    char *end = at;

    for (; *end != '\0' && !is_blank(*end); end++) {
        if (*end == '$')
            return "variables are not replaced in values; use single quotes";
        if (*end == '\'' || *end == '"' || *end == '\\')
            return "quote or backslash inside a plain value; use single quotes";
    }
    if (!is_end(end))
        return "white space inside a plain value; use quotes";
    *end = '\0';
    *value = at;
    return NULL;
}

/* Parses one line without its end. If it is empty, `entry->name` stays NULL. */
static const char *line_parse(char *at, struct dotenv_entry *entry)
{
    char *end;
    char *equals;

    at = skip_blanks(at);
    if (*at == '\0' || *at == '#')
        return NULL;
    if (strncmp(at, "export", 6) == 0 && is_blank(at[6]))
        at = skip_blanks(at + 6);
    for (end = at; is_name_byte(*end, end == at);)
        end++;
    equals = skip_blanks(end);
    if (end == at || end - at > DOTENV_NAME_MAX || *equals != '=')
        return "expected NAME=VALUE; a name has letters, digits and _";
    *end = '\0';
    entry->name = at;
    at = skip_blanks(equals + 1);
    if (*at == '#' && at > equals + 1) { /* NAME= # comment */
        *at = '\0';
        entry->value = at;
        return NULL;
    }
    if (*at == '\'')
        return value_literal(at, &entry->value);
    if (*at == '"')
        return value_quoted(at, &entry->value);
    return value_plain(at, &entry->value);
}

static const char *line_check(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
            return "control character";
    return NULL;
}

static const char *entry_add(struct dotenv *d, const struct dotenv_entry *entry)
{
    if (dotenv_find(d, entry->name))
        return "the name was given before; keep one of the two";
    d->entries[d->count++] = *entry;
    return NULL;
}

enum err dotenv_parse(char *text, size_t size, struct dotenv *out, unsigned *line, const char **why)
{
    char *at = text;
    char *last = text + size;

    out->count = 0;
    *last = '\0';
    for (*line = 1; at < last; (*line)++) {
        char *end = memchr(at, '\n', (size_t)(last - at));
        char *next = end ? end + 1 : last;
        struct dotenv_entry entry = {.line = *line};

        if (!end)
            end = last;
        if (end > at && end[-1] == '\r')
            end--;
        *why = line_check(at, (size_t)(end - at));
        *end = '\0';
        if (!*why)
            *why = line_parse(at, &entry);
        if (!*why && entry.name && out->count == DOTENV_ENTRIES_MAX) {
            *why = "too many entries";
            return ERR_TOO_LARGE;
        }
        if (!*why && entry.name)
            *why = entry_add(out, &entry);
        if (*why)
            return ERR_MALFORMED;
        at = next;
    }
    return ERR_NONE;
}

const struct dotenv_entry *dotenv_find(const struct dotenv *d, const char *name)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->entries[i].name, name) == 0)
            return &d->entries[i];
    return NULL;
}
