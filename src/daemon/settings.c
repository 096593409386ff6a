/* Loads the settings: defaults, the YAML file, the .env file, the environment, in this order. */
#include "daemon/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/dotenv.h"
#include "daemon/settings_values.h"
#include "policy/policy_file.h"

/* The contents of the files. */
struct texts {
    struct span yaml;
    const char *yaml_file; /* its name, for messages */
    struct buffer *dotenv; /* parsed in place */
    const char *dotenv_file;
    bool dotenv_is_on_disk;
    bool incomplete; /* a file could not be read, so rules about several settings are not checked */
};

static void defaults_set(struct settings_loader *l)
{
    static const struct settings_origin origin = {0};

    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *row = &settings_table[i];

        if (row->size > 0 && row->standard)
            settings_set(l, row, &origin, row->standard);
    }
}

static const struct settings_origin *origin_of(const struct settings_loader *l, const char *group,
                                               const char *key)
{
    return &l->origins[setting_index(setting_find(group, key))];
}

static void places_set(struct settings_loader *l)
{
    char **places = calloc(settings_table_count, sizeof *places);

    for (size_t i = 0; i < settings_table_count && places; i++) {
        const struct settings_origin *o = &l->origins[i];
        int size = 0;

        if (o->file && o->line > 0)
            size = asprintf(&places[i], "%s:%u", o->file, o->line);
        else if (o->file && o->variable)
            size = asprintf(&places[i], "%s: %s", o->file, o->variable);
        if (size < 0) {
            places[i] = NULL;
            l->problems->out_of_memory = true;
        }
    }
    if (!places)
        l->problems->out_of_memory = true;
    l->s->places = places;
}

/* Of "collateral.sources: p: ca_file" it is the place of collateral.sources. */
static const char *place_of(const struct settings *s, const char *setting)
{
    const size_t size = strcspn(setting, ":");

    for (size_t i = 0; i < settings_table_count && s->places; i++) {
        const struct setting *row = &settings_table[i];
        char name[YAML_PATH_SIZE];

        (void)snprintf(name, sizeof name, "%s%s%s", row->group, *row->group ? "." : "", row->key);
        if (strlen(name) == size && strncmp(name, setting, size) == 0)
            return s->places[i];
    }
    return NULL;
}

void settings_add_places(const struct settings *s, struct problems *problems, size_t first)
{
    for (size_t i = first; i < problems->count; i++) {
        struct problem *p = &problems->items[i];
        const char *place = place_of(s, p->setting);
        char *text = NULL;

        if (!place || p->line > 0)
            continue;
        if (asprintf(&text, "%s (set in %s)", p->text, place) < 0) {
            problems->out_of_memory = true;
            return;
        }
        free(p->text);
        p->text = text;
    }
}

/* Each node of a shared database has a log of its own. */
static void origin_set(struct settings *s)
{
    const char *name = s->log.origin ? s->log.origin : "";

    if (s->store.engine == DATABASE_POSTGRES)
        (void)snprintf(s->store.origin, sizeof s->store.origin, "%s/%u", name,
                       (unsigned)s->store.node);
    else
        (void)snprintf(s->store.origin, sizeof s->store.origin, "%s", name);
}

/* Fills settings that follow from others if they are not given. */
static void derived_set(struct settings_loader *l)
{
    struct settings *s = l->s;
    char *dir = NULL;

    if (s->tee.provider == TEE_PROVIDER_SIMULATED && origin_of(l, "tee", "provider")->variable &&
        !origin_of(l, "tee", "allow_simulated")->file)
        s->tee.allow_simulated = true; /* TEE_MODE=simulated implies it */
    origin_set(s);
    if (!s->tee.simulated_dir || *s->tee.simulated_dir)
        return;
    if (asprintf(&dir, "%s/sim", s->state.dir) < 0) {
        l->problems->out_of_memory = true;
        return;
    }
    free(s->tee.simulated_dir);
    s->tee.simulated_dir = dir;
}

/* Parses in place; `text` must outlive `out`. */
static void dotenv_read(struct settings_loader *l, struct buffer *text, const char *file,
                        struct dotenv *out)
{
    struct problem_place place = {.file = file};
    const char *why = "";
    enum err e = buffer_reserve(text, 1); /* the parser's terminator */

    if (e == ERR_NONE)
        e = dotenv_parse((char *)text->data, text->size, out, &place.line, &why);
    if (e == ERR_MALFORMED || e == ERR_TOO_LARGE)
        problems_add(l->problems, &place, "%s", why);
    else if (e != ERR_NONE)
        l->problems->out_of_memory = true;
    if (e != ERR_NONE)
        out->count = 0;
}

/* Other users may read a .env file that has no secret. */
static void dotenv_judge(struct settings_loader *l, const char *path)
{
    const struct setting *row = setting_find("root", "master_secret");
    const struct settings_origin *origin = &l->origins[setting_index(row)];
    char why[FILE_WHY_SIZE] = "";
    int fd = -1;

    if (!origin->file || strcmp(origin->file, path) != 0)
        return;
    if (file_open_trusted(path, FILE_SECRET, &fd, why) == ERR_NONE)
        (void)close(fd);
    else
        settings_blame(l, row, "%s is in this file, and %s", row->variable, why);
}

static void load_all(struct settings_loader *l, const struct texts *texts, struct dotenv *dotenv,
                     char **environment)
{
    bool has_tree;
    size_t before;

    defaults_set(l);
    if (l->problems->out_of_memory) /* without all defaults there is nothing to check */
        return;
    has_tree = settings_read_yaml(l, texts->yaml);
    dotenv_read(l, texts->dotenv, texts->dotenv_file, dotenv);
    settings_read_variables(l, dotenv, texts->dotenv_file, environment);
    if (texts->dotenv_is_on_disk)
        dotenv_judge(l, texts->dotenv_file);
    derived_set(l);
    places_set(l);
    before = l->problems->count;
    for (size_t i = 0; i < l->s->attestation.policy_file_count; i++)
        policy_path_read(l->s->attestation.policy_files[i], "attestation.policy_files",
                         &l->s->attestation.policies, l->problems);
    settings_add_places(l->s, l->problems, before);
    l->s->partial = has_tree && !texts->incomplete;
    if (l->s->partial)
        settings_check(l);
}

MUST_CHECK static enum err load_texts(const struct texts *texts, char **environment, bool partly,
                                      struct settings *out, struct problems *problems)
{
    struct settings_loader *l = calloc(1, sizeof *l);
    struct dotenv *dotenv = calloc(1, sizeof *dotenv);
    struct settings *s = calloc(1, sizeof *s);
    enum err e = l && dotenv && s ? ERR_NONE : ERR_MEMORY;

    if (e == ERR_NONE) {
        l->s = s;
        l->problems = problems;
        l->yaml_file = texts->yaml_file;
        load_all(l, texts, dotenv, environment);
        e = problems_err(problems);
    }
    if (e == ERR_NONE)
        s->partial = false;
    if (e == ERR_NONE || (e == ERR_CONFIG && partly && s->partial))
        *out = *s; /* the caller owns it now */
    else if (s)
        settings_clear(s);
    free(dotenv);
    free(s);
    free(l);
    return e;
}

enum err settings_load_text(struct span yaml, const char *name, struct span dotenv,
                            char **environment, struct settings *out, struct problems *problems)
{
    struct buffer text = {0};
    const struct texts texts = {
        .yaml = yaml, .yaml_file = name, .dotenv = &text, .dotenv_file = ".env"};
    enum err e = buffer_append(&text, dotenv);

    if (e == ERR_NONE)
        e = load_texts(&texts, environment, false, out, problems);
    buffer_clear(&text);
    settings_wipe_environment(environment);
    return e;
}

static bool is_missing(const char *path)
{
    return access(path, F_OK) != 0 && errno == ENOENT;
}

enum err settings_load(const struct settings_files *files, char **environment, struct settings *out,
                       struct problems *problems)
{
    const bool has_dotenv =
        files->dotenv && !(files->dotenv_may_be_missing && is_missing(files->dotenv));
    struct buffer yaml = {0};
    struct buffer dotenv = {0};
    struct texts texts = {.yaml_file = files->yaml ? files->yaml : "settings",
                          .dotenv = &dotenv,
                          .dotenv_file = has_dotenv ? files->dotenv : ".env",
                          .dotenv_is_on_disk = has_dotenv};
    enum err e;

    if (files->yaml && !settings_file_read(files->yaml, "", FILE_INPUT, problems, &yaml))
        texts.incomplete = true;
    if (has_dotenv && !settings_file_read(files->dotenv, "", FILE_INPUT, problems, &dotenv))
        texts.incomplete = true;
    texts.yaml = buffer_span(&yaml);
    e = load_texts(&texts, environment, true, out, problems);
    buffer_clear(&yaml);
    buffer_clear(&dotenv);
    settings_wipe_environment(environment);
    return e;
}

static void texts_free(struct settings *s, const struct setting *row)
{
    char **items = *(char ***)(void *)((uint8_t *)s + row->offset);
    size_t count = *(size_t *)(void *)((uint8_t *)s + row->count_offset);

    for (size_t i = 0; i < count; i++)
        free(items[i]);
    free(items);
}

void settings_clear(struct settings *s)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *row = &settings_table[i];
        void *where = (uint8_t *)s + row->offset;

        if (row->size > 0 && row->type == SETTING_TEXT)
            free(*(char **)where);
        else if (row->size > 0 && row->type == SETTING_TEXTS)
            texts_free(s, row);
        else if (row->size > 0 && row->type == SETTING_SECRET)
            secret_free(where);
    }
    for (size_t i = 0; i < settings_table_count && s->places; i++)
        free(s->places[i]);
    free(s->places);
    settings_clear_sources(s);
    policy_set_clear(&s->attestation.policies);
    free(s->tokens);
    *s = (struct settings){0};
}
