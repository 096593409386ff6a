/* The list collateral.sources. */
#include <stdlib.h>
#include <string.h>

#include "daemon/settings_values.h"

#define SOURCES "collateral.sources[]"

/* One entry while it is read. */
struct entry {
    const struct settings_entry *cells;
    size_t index;
    const char *file;
    struct settings_problem *problem;
};

static const char *entry_text(const struct entry *x, const char *key)
{
    size_t at = setting_index(setting_find(SOURCES, key)) - setting_group_first(SOURCES);

    return x->cells->cells[at].data;
}

MUST_CHECK static enum err blame(const struct entry *x, const char *key, const char *what)
{
    char name[SETTINGS_NAME_SIZE];

    (void)snprintf(name, sizeof name, "collateral.sources[%zu].%s", x->index, key);
    settings_problem_set(x->problem, x->file, 0, name, "%s", what);
    return ERR_CONFIG;
}

MUST_CHECK static enum err refuse(const struct entry *x, const char *key)
{
    const struct settings_source source = {.file = x->file};
    char name[SETTINGS_NAME_SIZE];

    (void)snprintf(name, sizeof name, "collateral.sources[%zu].%s", x->index, key);
    return settings_refuse(setting_find(SOURCES, key), &source, name, entry_text(x, key),
                           x->problem);
}

MUST_CHECK static enum err text_copy(const struct entry *x, const char *key, const char **out)
{
    const char *text = entry_text(x, key);

    if (text && !*text)
        return blame(x, key, "empty; leave it out instead");
    *out = text ? strdup(text) : NULL;
    return text && !*out ? ERR_MEMORY : ERR_NONE;
}

MUST_CHECK static enum err numbers_read(const struct entry *x, struct collateral_source_options *o)
{
    const char *timeout = entry_text(x, "timeout_ms");
    const char *type = entry_text(x, "type");
    uint64_t number = 30000;
    unsigned choice = 0;

    if (!type)
        return blame(x, "type", "missing; it must be given");
    if (!settings_choice(setting_find(SOURCES, "type"), type, &choice))
        return refuse(x, "type");
    if (timeout && !settings_number(setting_find(SOURCES, "timeout_ms"), timeout, &number))
        return refuse(x, "timeout_ms");
    o->type = (enum collateral_source_type)choice;
    o->timeout_ms = (unsigned)number;
    return ERR_NONE;
}

static bool is_url(const char *text)
{
    return strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
}

/* What must go together. */
MUST_CHECK static enum err source_check(const struct settings *s, const struct entry *x,
                                        const struct collateral_source_options *o)
{
    bool needs_url = o->type == COLLATERAL_SOURCE_PCCS || o->type == COLLATERAL_SOURCE_PEER;

    if (!settings_plain_name(o->name, COLLATERAL_SOURCE_SIZE - 1))
        return blame(x, "name", "not allowed; 1 to 63 letters, digits and . _ : -");
    for (size_t i = 0; i < s->collateral.source_count; i++) {
        const char *other = s->collateral.sources[i].name;

        if (other && strcmp(other, o->name) == 0)
            return blame(x, "name", "given twice; names of sources must differ");
    }
    if (needs_url && !o->url)
        return blame(x, "url", "missing; only pcs and kds have one of their own");
    if ((o->url && !is_url(o->url)) || (o->root_crl_url && !is_url(o->root_crl_url)))
        return blame(x, "url", "not a URL; it begins with https://");
    if (o->token_file && o->type != COLLATERAL_SOURCE_PEER)
        return blame(x, "token_file", "only a peer asks for a token");
    return ERR_NONE;
}

MUST_CHECK static enum err source_read(const struct settings *s, const struct entry *x,
                                       struct collateral_source_options *o)
{
    enum err e = numbers_read(x, o);

    if (e == ERR_NONE && (e = text_copy(x, "name", &o->name)) == ERR_NONE &&
        (e = text_copy(x, "url", &o->url)) == ERR_NONE &&
        (e = text_copy(x, "root_crl_url", &o->root_crl_url)) == ERR_NONE &&
        (e = text_copy(x, "ca_file", &o->ca_file)) == ERR_NONE)
        e = text_copy(x, "token_file", &o->token_file);
    if (e == ERR_NONE && !o->name) {
        o->name = strdup(entry_text(x, "type"));
        e = o->name ? ERR_NONE : ERR_MEMORY;
    }
    return e == ERR_NONE ? source_check(s, x, o) : e;
}

static void source_clear(struct collateral_source_options *o)
{
    free((void *)o->name);
    free((void *)o->url);
    free((void *)o->root_crl_url);
    free((void *)o->ca_file);
    free((void *)o->token_file);
}

enum err settings_read_collateral(struct settings *s, const struct settings_yaml *yaml,
                                  const char *file, struct settings_problem *problem)
{
    const struct settings_cell *cell =
        settings_yaml_cell(yaml, setting_find("collateral", "sources"));
    enum err e = ERR_NONE;

    if (cell->count == 0)
        return ERR_NONE;
    s->collateral.sources = calloc(cell->count, sizeof *s->collateral.sources);
    if (!s->collateral.sources)
        return ERR_MEMORY;
    for (unsigned i = 0; i < cell->count && e == ERR_NONE; i++) {
        const struct entry x = {.cells = (const struct settings_entry *)cell->data + i,
                                .index = i,
                                .file = file,
                                .problem = problem};
        struct collateral_source_options o = {0};

        e = source_read(s, &x, &o);
        if (e == ERR_NONE)
            s->collateral.sources[s->collateral.source_count++] = o;
        else
            source_clear(&o);
    }
    return e;
}

void settings_clear_collateral(struct settings *s)
{
    for (size_t i = 0; i < s->collateral.source_count; i++)
        source_clear(&s->collateral.sources[i]);
    for (size_t i = 0; i < s->collateral.directory_count; i++)
        free(s->collateral.directories[i]);
    for (size_t i = 0; i < s->collateral.prefetch_count; i++)
        free(s->collateral.prefetch[i]);
    free(s->collateral.sources);
    free(s->collateral.directories);
    free(s->collateral.prefetch);
}
