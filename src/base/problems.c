#include "base/problems.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_control(unsigned char c, unsigned char before)
{
    return c < 0x20 || c == 0x7f || (before == 0xc2 && c >= 0x80 && c < 0xa0); /* C1 in UTF-8 */
}

static void make_printable(char *text)
{
    unsigned char before = 0;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (is_control(c, before))
            *text = '?';
        if (before == 0xc2 && *text == '?')
            text[-1] = '?';
        before = c;
    }
}

static char *printable_copy(const char *text)
{
    char *copy = strdup(text ? text : "");

    if (copy)
        make_printable(copy);
    return copy;
}

/* NULL when out of memory. */
static char *message(const struct problem_place *place, const char *what)
{
    const bool names = place->setting && *place->setting;
    char where[16] = "";
    char *text = NULL;

    if (place->line > 0)
        (void)snprintf(where, sizeof where, ":%u", place->line);
    if (asprintf(&text, "%s%s: %s%s%s", place->file, where, names ? place->setting : "",
                 names ? ": " : "", what) < 0)
        return NULL;
    make_printable(text);
    return text;
}

static void problem_clear(struct problem *item)
{
    free(item->file);
    free(item->setting);
    free(item->text);
}

static bool append(struct problems *p, struct problem item)
{
    struct problem *grown = NULL;

    if (item.file && item.setting && item.text)
        grown = reallocarray(p->items, p->count + 1, sizeof *grown);
    if (!grown)
        return false;
    p->items = grown;
    p->items[p->count++] = item;
    return true;
}

void problems_add_list(struct problems *p, const struct problem_place *place, const char *format,
                       va_list arguments)
{
    char *what = NULL;
    struct problem item;

    if (p->count == PROBLEMS_MAX) {
        p->left_off++;
        return;
    }
    if (vasprintf(&what, format, arguments) < 0) {
        p->out_of_memory = true;
        return;
    }
    item = (struct problem){.file = printable_copy(place->file),
                            .setting = printable_copy(place->setting),
                            .line = place->line,
                            .column = place->column,
                            .text = message(place, what)};
    free(what);
    if (!append(p, item)) {
        p->out_of_memory = true;
        problem_clear(&item);
    }
}

void problems_add(struct problems *p, const struct problem_place *place, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    problems_add_list(p, place, format, arguments);
    va_end(arguments);
}

enum err problems_err(const struct problems *p)
{
    if (p->out_of_memory)
        return ERR_MEMORY;
    return p->count > 0 ? ERR_CONFIG : ERR_NONE;
}

void problems_clear(struct problems *p)
{
    for (size_t i = 0; i < p->count; i++)
        problem_clear(&p->items[i]);
    free(p->items);
    *p = (struct problems){0};
}
