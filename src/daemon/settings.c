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

/* Fills settings that follow from others if they are not given. */
static void derived_set(struct settings_loader *l)
{
    struct settings *s = l->s;
    char *dir = NULL;

    if (s->tee.provider == TEE_PROVIDER_SIMULATED && origin_of(l, "tee", "provider")->variable &&
        !origin_of(l, "tee", "allow_simulated")->file)
        s->tee.allow_simulated = true; /* TEE_MODE=simulated implies it */
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

    defaults_set(l);
    if (l->problems->out_of_memory) /* without all defaults there is nothing to check */
        return;
    has_tree = settings_read_yaml(l, texts->yaml);
    dotenv_read(l, texts->dotenv, texts->dotenv_file, dotenv);
    settings_read_variables(l, dotenv, texts->dotenv_file, environment);
    if (texts->dotenv_is_on_disk)
        dotenv_judge(l, texts->dotenv_file);
    derived_set(l);
    for (size_t i = 0; i < l->s->attestation.policy_file_count; i++)
        policy_path_read(l->s->attestation.policy_files[i], "attestation.policy_files",
                         &l->s->attestation.policies, l->problems);
    if (has_tree && !texts->incomplete)
        settings_check(l);
}

MUST_CHECK static enum err load_texts(const struct texts *texts, char **environment,
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
        e = load_texts(&texts, environment, out, problems);
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
    e = load_texts(&texts, environment, out, problems);
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
    settings_clear_sources(s);
    policy_set_clear(&s->attestation.policies);
    free(s->tokens);
    *s = (struct settings){0};
}
