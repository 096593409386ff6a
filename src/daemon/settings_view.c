#include "daemon/settings_view.h"

#include <string.h>

const struct settings_cell *view_cell(const struct settings_view *v, const char *key)
{
    const struct setting *row = setting_find(v->group, key);

    return &v->entry->cells[setting_index(row) - setting_group_first(v->group)];
}

const char *view_text(const struct settings_view *v, const char *key)
{
    return view_cell(v, key)->data;
}

/* "tokens[2].sha256" */
static void view_name(const struct settings_view *v, const char *key, char out[SETTINGS_NAME_SIZE])
{
    (void)snprintf(out, SETTINGS_NAME_SIZE, "%s[%zu].%s", v->list, v->index, key);
}

bool view_has(const struct settings_view *v, const char *key)
{
    char name[SETTINGS_NAME_SIZE];
    bool exact = false;

    view_name(v, key, name);
    (void)settings_yaml_line(v->text, name, &exact);
    return exact;
}

enum err view_blame(const struct settings_view *v, const char *key, const char *what)
{
    char name[SETTINGS_NAME_SIZE];

    view_name(v, key, name);
    settings_problem_set(v->problem, v->file, settings_yaml_line(v->text, name, NULL), name, "%s",
                         what);
    return ERR_CONFIG;
}

enum err view_refuse(const struct settings_view *v, const char *key, const char *text)
{
    char name[SETTINGS_NAME_SIZE];
    struct settings_source source = {.file = v->file};

    view_name(v, key, name);
    source.line = settings_yaml_line(v->text, name, NULL);
    return settings_refuse(setting_find(v->group, key), &source, name, text, v->problem);
}

enum err view_choice(const struct settings_view *v, const char *key, unsigned *out)
{
    const char *text = view_text(v, key);

    if (!text)
        return view_blame(v, key, "missing; it must be given");
    if (!settings_choice(setting_find(v->group, key), text, out))
        return view_refuse(v, key, text);
    return ERR_NONE;
}

enum err view_plain_name(const struct settings_view *v, char *out, size_t out_size)
{
    const char *text = view_text(v, "name");

    if (!text)
        return view_blame(v, "name", "missing; it must be given");
    if (!settings_plain_name(text, out_size - 1))
        return view_blame(v, "name", "not allowed; 1 to 64 letters, digits and . _ : -");
    memcpy(out, text, strlen(text) + 1);
    return ERR_NONE;
}

enum err view_each(const struct settings_view *v, const char *key, void *context,
                   MUST_CHECK enum err (*each)(const struct settings_view *v, void *context,
                                               const char *text))
{
    const struct settings_cell *cell = view_cell(v, key);
    char *const *texts = cell->data;
    enum err e = ERR_NONE;

    for (unsigned i = 0; i < cell->count && e == ERR_NONE; i++)
        e = each(v, context, texts[i]);
    return e;
}
