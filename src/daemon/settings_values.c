#include "daemon/settings_values.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

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

/* Enumerations and numbers have the size of their member in the struct. */
static void number_store(const struct setting *row, void *where, uint64_t value)
{
    uint16_t narrow = (uint16_t)value;
    uint32_t wide = (uint32_t)value;

    assert(row->size == sizeof narrow || row->size == sizeof wide);
    memcpy(where, row->size == sizeof narrow ? (void *)&narrow : (void *)&wide, row->size);
}

/* A list that grows; it owns its elements. */
struct texts {
    const struct setting *row;
    size_t count;
    char **items;
};

static void texts_clear(struct texts *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->items[i]);
    free(t->items);
    *t = (struct texts){0};
}

MUST_CHECK static enum err texts_add(void *context, struct span part)
{
    struct texts *t = context;
    char **grown;

    if (t->count == t->row->max)
        return ERR_MALFORMED;
    if (part.size == 0 || part.size > SETTINGS_PATH_MAX)
        return ERR_MALFORMED;
    grown = reallocarray(t->items, t->count + 1, sizeof *grown);
    if (!grown)
        return ERR_MEMORY;
    t->items = grown;
    t->items[t->count] = strndup((const char *)part.data, part.size);
    if (!t->items[t->count])
        return ERR_MEMORY;
    t->count++;
    return ERR_NONE;
}

/* Swaps the list of the row with `t`, which then has the old one. */
static void texts_exchange(struct settings *s, struct texts *t)
{
    char ***items = (char ***)(void *)((uint8_t *)s + t->row->offset);
    size_t *count = (size_t *)(void *)((uint8_t *)s + t->row->count_offset);
    struct texts old = {.items = *items, .count = *count};

    *items = t->items;
    *count = t->count;
    t->items = old.items;
    t->count = old.count;
}

MUST_CHECK static enum err texts_from_list(struct settings *s, const struct setting *row,
                                           const char *list)
{
    struct texts t = {.row = row};
    enum err e = settings_split(list, texts_add, &t);

    if (e == ERR_NONE)
        texts_exchange(s, &t);
    texts_clear(&t);
    return e;
}

MUST_CHECK static enum err number_read(const struct setting *row, const char *text, void *where)
{
    uint64_t number = 0;

    if (decimal_read(span_string(text), &number) != ERR_NONE || number < row->min ||
        number > row->max)
        return ERR_MALFORMED;
    number_store(row, where, number);
    return ERR_NONE;
}

MUST_CHECK static enum err bool_read(const char *text, bool *where)
{
    bool yes = strcmp(text, "true") == 0;

    if (!yes && strcmp(text, "false") != 0)
        return ERR_MALFORMED;
    *where = yes;
    return ERR_NONE;
}

MUST_CHECK static enum err choice_read(const struct setting *row, const char *text, void *where)
{
    for (const struct yaml_choice *c = row->choices; c->name; c++) {
        if (strcmp(c->name, text) == 0) {
            number_store(row, where, c->value);
            return ERR_NONE;
        }
    }
    return ERR_MALFORMED;
}

MUST_CHECK static enum err value_store(struct settings *s, const struct setting *row,
                                       const char *text)
{
    void *where = (uint8_t *)s + row->offset;

    switch (row->type) {
    case SETTING_TEXT:
        return text_fits(row, text) ? text_replace(where, text) : ERR_MALFORMED;
    case SETTING_NUMBER:
        return number_read(row, text, where);
    case SETTING_BOOL:
        return bool_read(text, where);
    case SETTING_CHOICE:
        return choice_read(row, text, where);
    case SETTING_SECRET:
        return secret_replace(row, where, text);
    case SETTING_TEXTS:
        return texts_from_list(s, row, text);
    case SETTING_ENTRIES:
        break;
    }
    return ERR_INTERNAL;
}

/* "; did you mean self-signed?", or "". */
static void guess_write(const struct setting *row, const char *text, char *out, size_t out_size)
{
    const char *names[32];
    const char *nearest = NULL;
    size_t count = 0;

    while (row->type == SETTING_CHOICE && count < COUNT_OF(names) && row->choices[count].name) {
        names[count] = row->choices[count].name;
        count++;
    }
    nearest = text_nearest(text, names, count);
    (void)snprintf(out, out_size, "%s%s%s", nearest ? "; did you mean " : "",
                   nearest ? nearest : "", nearest ? "?" : "");
}

/* The value of a secret is not shown. */
static void refuse(struct settings_loader *l, const struct setting *row, const char *text)
{
    const struct settings_origin *origin = &l->origins[setting_index(row)];
    const bool hidden = row->type == SETTING_SECRET;
    const char *quote = hidden || !*text ? "" : "\"";
    char allowed[SETTINGS_ALLOWED_SIZE];
    char guess[SETTINGS_NAME_SIZE + 32];

    setting_allowed(row, allowed, sizeof allowed);
    guess_write(row, text, guess, sizeof guess);
    settings_blame(l, row, "%s%.200s%s%s is not allowed; it must be %s%s%s%s%s; correct %s", quote,
                   hidden  ? "the value"
                   : *text ? text
                           : "an empty value",
                   strlen(text) > 200 && !hidden ? "..." : "", quote, allowed,
                   row->unit ? " (" : "", row->unit ? row->unit : "", row->unit ? ")" : "", guess,
                   origin->variable ? origin->variable : "it");
}

void settings_blame(struct settings_loader *l, const struct setting *row, const char *format, ...)
{
    struct settings_origin *origin = &l->origins[setting_index(row)];
    char name[SETTINGS_NAME_SIZE];
    const struct problem_place place = {
        .file = origin->file ? origin->file : l->yaml_file, .line = origin->line, .setting = name};
    va_list arguments;

    setting_name(row, name);
    va_start(arguments, format);
    problems_add_list(l->problems, &place, format, arguments);
    va_end(arguments);
    origin->faulty = true;
}

bool settings_group_is_good(const struct settings_loader *l, const char *group)
{
    for (size_t i = 0; i < settings_table_count; i++)
        if (strcmp(settings_table[i].group, group) == 0 && l->origins[i].faulty)
            return false;
    return true;
}

static void finish(struct settings_loader *l, const struct setting *row, const char *text,
                   enum err e)
{
    if (e == ERR_MALFORMED)
        refuse(l, row, text);
    else if (e != ERR_NONE)
        l->problems->out_of_memory = true;
}

void settings_set(struct settings_loader *l, const struct setting *row,
                  const struct settings_origin *origin, const char *text)
{
    l->origins[setting_index(row)] = *origin;
    finish(l, row, text, value_store(l->s, row, text));
}

static void texts_from_node(struct settings_loader *l, const struct setting *row,
                            const struct yaml_node *list)
{
    struct texts t = {.row = row};
    bool good = true;

    list = yaml_list(list, row->min, row->max);
    for (const struct yaml_node *n = list ? list->first : NULL; n && good; n = n->next) {
        const char *text = yaml_text(n, 1, SETTINGS_PATH_MAX, NULL);
        enum err e = text ? texts_add(&t, span_string(text)) : ERR_MALFORMED;

        l->problems->out_of_memory = l->problems->out_of_memory || e == ERR_MEMORY;
        good = e != ERR_MEMORY;
    }
    if (list && good)
        texts_exchange(l->s, &t);
    texts_clear(&t);
}

/* Checks the form of a scalar; yaml_refuse() names the actual form. */
static bool scalar_fits(const struct setting *row, const struct yaml_node *n)
{
    const bool has_quotes = n->kind == YAML_TEXT && n->quoted;
    const bool wants_none = row->type == SETTING_NUMBER || row->type == SETTING_BOOL;
    char allowed[SETTINGS_ALLOWED_SIZE];

    if (n->faulty)
        return false;
    if (n->kind == YAML_TEXT && (n->quoted || *n->text) && !(has_quotes && wants_none))
        return true;
    setting_allowed(row, allowed, sizeof allowed);
    yaml_refuse(n, "%s%s%s%s%s", allowed, row->unit ? " (" : "", row->unit ? row->unit : "",
                row->unit ? ")" : "", has_quotes ? ", without quotes" : "");
    return false;
}

void settings_set_node(struct settings_loader *l, const struct setting *row,
                       const struct yaml_node *n)
{
    struct settings_origin *origin = &l->origins[setting_index(row)];

    const size_t before = l->problems->count;

    *origin = (struct settings_origin){.file = l->yaml_file, .line = n->line};
    if (row->type == SETTING_TEXTS)
        texts_from_node(l, row, n);
    else if (scalar_fits(row, n))
        finish(l, row, n->text, value_store(l->s, row, n->text));
    origin->faulty = origin->faulty || n->faulty || l->problems->count > before;
}
