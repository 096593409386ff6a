/* Attestation policies: those in the settings, and those in files of their own. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/settings_view.h"

#define GROUP "attestation.policies[]"

MUST_CHECK static enum err seed_add(const struct settings_view *v, void *context, const char *text)
{
    struct appraisal_rule *rule = context;
    const char *star = strchr(text, '*');

    if (*text == '\0' || strlen(text) > POLICY_SEED_PATTERN_MAX || (star && star[1] != '\0'))
        return view_blame(v, "seeds", "1 to 256 characters, with * at the end only; correct it");
    memcpy(rule->seeds[rule->seed_count++], text, strlen(text) + 1);
    return ERR_NONE;
}

MUST_CHECK static enum err token_name_add(const struct settings_view *v, void *context,
                                          const char *text)
{
    struct appraisal_rule *rule = context;

    if (!settings_plain_name(text, TOKEN_NAME_MAX))
        return view_blame(v, "tokens", "not the name of a token; correct it");
    memcpy(rule->tokens[rule->token_count++], text, strlen(text) + 1);
    return ERR_NONE;
}

MUST_CHECK static enum err blame_fault(const struct settings_view *v,
                                       const struct policy_fault *fault)
{
    return view_blame(v, fault->key, fault->text);
}

/* Whatever the rows of policy/fields.h name. */
MUST_CHECK static enum err fields_read(const struct settings_view *v, struct appraisal_rule *rule)
{
    enum err e = ERR_NONE;

    for (size_t i = 0; i < POLICY_FIELD_COUNT && e == ERR_NONE; i++) {
        const struct policy_field *field = &policy_fields[i];
        const struct settings_cell *cell = view_cell(v, field->key);
        bool is_list = setting_find(GROUP, field->key)->type == SETTING_TEXTS;
        char *one[] = {cell->data};
        struct policy_fault fault = {.key = field->key};

        if (!cell->data && !(is_list && view_has(v, field->key)))
            continue;
        e = appraisal_rule_set(rule, field->key, is_list ? cell->data : one,
                               is_list ? cell->count : 1, &fault);
        if (e == ERR_CONFIG)
            e = blame_fault(v, &fault);
    }
    return e;
}

MUST_CHECK static enum err scope_read(const struct settings_view *v, struct appraisal_rule *rule)
{
    const char *plain = view_text(v, "allow_plain");
    enum err e = view_each(v, "seeds", rule, seed_add);

    if (e == ERR_NONE)
        e = view_each(v, "tokens", rule, token_name_add);
    if (e == ERR_NONE && plain && !settings_bool(plain, &rule->allow_plain))
        e = view_refuse(v, "allow_plain", plain);
    return e;
}

MUST_CHECK static enum err rule_read(const struct settings_view *v, struct appraisal_rule *rule)
{
    struct policy_fault fault = {.key = "name"};
    char name[POLICY_NAME_MAX + 1];
    unsigned tee = 0;
    enum err e = view_plain_name(v, name, sizeof name);

    if (e == ERR_NONE && strcmp(name, "default-deny") == 0)
        return view_blame(v, "name", "reserved; denials without a policy are named so");
    if (e == ERR_NONE)
        e = view_choice(v, "tee", &tee);
    if (e != ERR_NONE)
        return e;
    if ((e = appraisal_rule_start(rule, name, view_text(v, "tee"), &fault)) == ERR_CONFIG)
        return blame_fault(v, &fault);
    if (e == ERR_NONE)
        e = fields_read(v, rule);
    if (e == ERR_NONE)
        e = scope_read(v, rule);
    if (e == ERR_NONE && (e = appraisal_rule_finish(rule, &fault)) == ERR_CONFIG)
        e = blame_fault(v, &fault);
    return e;
}

static bool is_known(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->attestation.policy_count; i++)
        if (strcmp(s->attestation.policies[i].name, name) == 0)
            return true;
    return false;
}

MUST_CHECK static enum err make_room(struct settings *s, size_t more)
{
    const size_t count = s->attestation.policy_count + more;
    struct appraisal_rule *grown;

    if (count > SETTINGS_POLICIES_MAX)
        return ERR_TOO_LARGE;
    grown = reallocarray(s->attestation.policies, count, sizeof *grown);
    if (!grown)
        return ERR_MEMORY;
    s->attestation.policies = grown;
    return ERR_NONE;
}

MUST_CHECK static enum err list_read(struct settings *s, const struct settings_cell *cell,
                                     struct settings_view v)
{
    enum err e;

    if (cell->count == 0)
        return ERR_NONE;
    if ((e = make_room(s, cell->count)) == ERR_TOO_LARGE) {
        settings_problem_set(v.problem, v.file, 0, v.list, "more than %d policies in all",
                             SETTINGS_POLICIES_MAX);
        return ERR_CONFIG;
    }
    for (unsigned i = 0; i < cell->count && e == ERR_NONE; i++) {
        struct appraisal_rule *rule = &s->attestation.policies[s->attestation.policy_count];

        v.entry = (const struct settings_entry *)cell->data + i;
        v.index = i;
        e = rule_read(&v, rule);
        if (e == ERR_NONE && is_known(s, rule->name))
            e = view_blame(&v, "name", "given twice; names of policies must differ");
        s->attestation.policy_count += e == ERR_NONE;
    }
    return e;
}

enum err settings_read_policies(struct settings *s, const struct settings_yaml *yaml,
                                struct span text, const char *file,
                                struct settings_problem *problem)
{
    const struct setting *row = setting_find("attestation", "policies");

    return list_read(s, settings_yaml_cell(yaml, row),
                     (struct settings_view){.group = GROUP,
                                            .list = "attestation.policies",
                                            .file = file,
                                            .text = text,
                                            .problem = problem});
}

/* ---- files */

MUST_CHECK static enum err policy_text_read(struct settings *s, struct span text, const char *file,
                                            struct settings_problem *problem)
{
    const struct setting *row = setting_find("attestation", "policies");
    struct settings_yaml *yaml = NULL;
    enum err e = settings_yaml_load_list(text, file, row, &yaml, problem);

    if (e == ERR_NONE && settings_yaml_cell(yaml, row)->count == 0) {
        settings_problem_set(problem, file, 0, "policies",
                             "none; write a list of policies here, or do not name this file");
        e = ERR_CONFIG;
    }
    if (e == ERR_NONE)
        e = list_read(s, settings_yaml_cell(yaml, row),
                      (struct settings_view){.group = GROUP,
                                             .list = "policies",
                                             .file = file,
                                             .text = text,
                                             .problem = problem});
    settings_yaml_free(&yaml);
    return e;
}

MUST_CHECK static enum err file_load(struct settings *s, const char *path,
                                     struct settings_problem *problem)
{
    struct buffer text = {0};
    enum err e = settings_file_read(path, false, &text, problem);

    if (e == ERR_NONE)
        e = policy_text_read(s, buffer_span(&text), path, problem);
    buffer_clear(&text);
    return e;
}

/* Hidden files are editors' and tools'. */
static int is_policy_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* In the order of their names. */
MUST_CHECK static enum err directory_load(struct settings *s, const char *path,
                                          struct settings_problem *problem)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_policy_file, alphasort);
    enum err e = ERR_NONE;

    if (count <= 0) {
        settings_problem_set(problem, path, 0, "attestation.policy_files", "%s",
                             count < 0 ? strerror(errno)
                                       : "a directory without files that end in .yaml or .yml");
        e = ERR_CONFIG;
    }
    for (int i = 0; i < count; i++) {
        char *file = NULL;

        if (e == ERR_NONE && asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0)
            e = ERR_MEMORY;
        else if (e == ERR_NONE) {
            e = file_load(s, file, problem);
            free(file);
        }
        free(entries[i]);
    }
    free(entries);
    return e;
}

enum err settings_load_policy_files(struct settings *s, struct settings_problem *problem)
{
    enum err e = ERR_NONE;

    for (size_t i = 0; i < s->attestation.policy_file_count && e == ERR_NONE; i++) {
        const char *path = s->attestation.policy_files[i];
        struct stat status;

        if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
            e = directory_load(s, path, problem);
        else
            e = file_load(s, path, problem);
    }
    return e;
}
