#include "daemon/settings_values.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void settings_warn(struct settings *s, const char *format, ...)
{
    va_list arguments;

    if (s->warning_count == SETTINGS_WARNINGS_MAX)
        return;
    va_start(arguments, format);
    (void)vsnprintf(s->warnings[s->warning_count++], sizeof s->warnings[0], format, arguments);
    va_end(arguments);
}

/* Decimal, without sign, leading zeros or white space: one spelling per value. */
bool settings_number(const struct setting *row, const char *text, uint64_t *out)
{
    uint64_t value = 0;

    if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
            return false;
    }
    if (value < row->min || value > row->max)
        return false;
    *out = value;
    return true;
}

bool settings_bool(const char *text, bool *out)
{
    bool yes = strcmp(text, "true") == 0;

    if (!yes && strcmp(text, "false") != 0)
        return false;
    *out = yes;
    return true;
}

bool settings_choice(const struct setting *row, const char *text, unsigned *out)
{
    for (const struct setting_choice *c = row->choices; c->name; c++) {
        if (strcmp(c->name, text) == 0) {
            *out = c->value;
            return true;
        }
    }
    return false;
}

bool settings_hash(const char *text, uint8_t out[SHA256_SIZE])
{
    return strlen(text) == strspn(text, "0123456789abcdef") &&
           hex_read(span_string(text), out, SHA256_SIZE) == ERR_NONE;
}

bool settings_plain_name(const char *text, size_t max)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._:-";
    size_t size = strlen(text);

    return size > 0 && size <= max && size == strspn(text, allowed);
}

static struct span trimmed(struct span s)
{
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = span_slice(s, 1, s.size);
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

enum err settings_split(const char *list, settings_each_part *each, void *context)
{
    enum err e = ERR_NONE;

    while (e == ERR_NONE && *list) {
        size_t size = strcspn(list, ",");
        struct span part = trimmed(span_of(list, size));

        if (part.size > 0)
            e = each(context, part);
        list += size + (list[size] == ',');
    }
    return e;
}

enum err settings_refuse(const struct setting *row, const struct settings_source *source,
                         const char *name, const char *text, struct settings_problem *problem)
{
    char allowed[200];
    char shown[49];

    setting_allowed(row, allowed, sizeof allowed);
    (void)snprintf(shown, sizeof shown, "%s", row->type == SETTING_SECRET ? "the value" : text);
    for (char *c = shown; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    settings_problem_set(problem, source->file, source->line, name,
                         "%s is not allowed; it must be %s%s%s%s; correct %s",
                         *shown ? shown : "an empty value", allowed, row->unit ? " (" : "",
                         row->unit ? row->unit : "", row->unit ? ")" : "",
                         source->variable ? source->variable : "it");
    return ERR_CONFIG;
}

static bool text_fits(const struct setting *row, const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return size >= row->min && size <= row->max;
}

MUST_CHECK static enum err text_replace(char **where, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        return ERR_MEMORY;
    free(*where);
    *where = copy;
    return ERR_NONE;
}

MUST_CHECK static enum err secret_replace(const struct setting *row, struct secret **where,
                                          const char *text)
{
    uint8_t bytes[32];
    struct secret *fresh = NULL;
    enum err e;

    assert(row->max == sizeof bytes);
    e = hex_read(span_string(text), bytes, sizeof bytes);
    if (e == ERR_NONE)
        e = secret_copy(SPAN_OF(bytes), &fresh);
    bytes_wipe(bytes, sizeof bytes);
    stack_wipe();
    if (e != ERR_NONE)
        return e;
    secret_free(where);
    *where = fresh;
    return ERR_NONE;
}

/* Enumerations and numbers have the size that the table took from the struct. */
static void number_store(const struct setting *row, void *where, uint64_t value)
{
    uint16_t narrow = (uint16_t)value;
    uint32_t wide = (uint32_t)value;

    assert(row->size == sizeof narrow || row->size == sizeof wide);
    memcpy(where, row->size == sizeof narrow ? (void *)&narrow : (void *)&wide, row->size);
}

struct texts {
    size_t count;
    char *items[SETTINGS_PATHS_MAX];
};

MUST_CHECK static enum err texts_add(void *context, struct span part)
{
    struct texts *t = context;

    if (t->count == SETTINGS_PATHS_MAX)
        return ERR_MALFORMED;
    t->items[t->count] = strndup((const char *)part.data, part.size);
    if (!t->items[t->count])
        return ERR_MEMORY;
    t->count++;
    return ERR_NONE;
}

MUST_CHECK static enum err texts_from_list(struct settings *s, const struct setting *row,
                                           const char *list)
{
    struct texts t = {0};
    enum err e = settings_split(list, texts_add, &t);

    if (e == ERR_NONE)
        e = settings_set_texts(s, row, t.items, t.count);
    for (size_t i = 0; i < t.count; i++)
        free(t.items[i]);
    return e;
}

MUST_CHECK static enum err value_store(struct settings *s, const struct setting *row,
                                       const char *text)
{
    void *where = (uint8_t *)s + row->offset;
    uint64_t number = 0;
    unsigned choice = 0;

    switch (row->type) {
    case SETTING_TEXT:
        return text_fits(row, text) ? text_replace(where, text) : ERR_MALFORMED;
    case SETTING_NUMBER:
        if (!settings_number(row, text, &number))
            return ERR_MALFORMED;
        number_store(row, where, number);
        return ERR_NONE;
    case SETTING_BOOL:
        return settings_bool(text, where) ? ERR_NONE : ERR_MALFORMED;
    case SETTING_CHOICE:
        if (!settings_choice(row, text, &choice))
            return ERR_MALFORMED;
        number_store(row, where, choice);
        return ERR_NONE;
    case SETTING_SECRET:
        return secret_replace(row, where, text);
    case SETTING_TEXTS:
        return texts_from_list(s, row, text);
    case SETTING_ENTRIES:
        break;
    }
    return ERR_INTERNAL;
}

enum err settings_set(struct settings *s, const struct setting *row,
                      const struct settings_source *source, const char *text,
                      struct settings_problem *problem)
{
    char name[SETTINGS_NAME_SIZE];
    enum err e = value_store(s, row, text);

    if (e != ERR_MALFORMED)
        return e;
    setting_name(row, name);
    return settings_refuse(row, source, name, text, problem);
}

static size_t *texts_count(struct settings *s, const struct setting *row)
{
    if (row->offset == offsetof(struct settings, attestation.collateral))
        return &s->attestation.collateral_count;
    if (row->offset == offsetof(struct settings, attestation.policy_files))
        return &s->attestation.policy_file_count;
    if (row->offset == offsetof(struct settings, collateral.directories))
        return &s->collateral.directory_count;
    if (row->offset == offsetof(struct settings, collateral.prefetch))
        return &s->collateral.prefetch_count;
    return &s->attestation.simulated_root_count;
}

enum err settings_set_texts(struct settings *s, const struct setting *row, char *const *texts,
                            size_t count)
{
    char ***where = (char ***)(void *)((uint8_t *)s + row->offset);
    size_t *where_count = texts_count(s, row);
    char **fresh = calloc(count + 1, sizeof *fresh);
    enum err e = fresh ? ERR_NONE : ERR_MEMORY;

    for (size_t i = 0; i < count && e == ERR_NONE; i++) {
        if (*texts[i] == '\0' || strlen(texts[i]) > 4000)
            e = ERR_MALFORMED;
        else
            e = text_replace(&fresh[i], texts[i]);
    }
    if (e == ERR_NONE) {
        char **old = *where;
        size_t old_count = *where_count;

        *where = fresh;
        *where_count = count;
        fresh = old;
        count = old_count;
    }
    for (size_t i = 0; fresh && i < count; i++)
        free(fresh[i]);
    free(fresh);
    return e;
}
