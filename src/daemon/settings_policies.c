/* Attestation policies: those in the settings, and those in files of their own. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/settings_values.h"

#define GROUP "attestation.policies[]"

static void seeds_read(const struct yaml_node *map, struct appraisal_rule *rule)
{
    const struct yaml_node *list = yaml_list(yaml_member(map, "seeds"), 1, POLICY_LIST_MAX);

    for (const struct yaml_node *n = list ? list->first : NULL; n; n = n->next) {
        const char *text = yaml_text(n, 1, POLICY_SEED_PATTERN_MAX, NULL);
        const char *star = text ? strchr(text, '*') : NULL;

        if (star && star[1] != '\0')
            yaml_refuse(n, "1 to %d characters, with * only at the end", POLICY_SEED_PATTERN_MAX);
        else if (text)
            memcpy(rule->seeds[rule->seed_count++], text, strlen(text) + 1);
    }
}

static void tokens_read(const struct yaml_node *map, struct appraisal_rule *rule)
{
    const struct yaml_node *list = yaml_list(yaml_member(map, "tokens"), 1, POLICY_LIST_MAX);

    for (const struct yaml_node *n = list ? list->first : NULL; n; n = n->next) {
        const char *text = yaml_text(n, 1, TOKEN_NAME_MAX, NULL);

        if (text && !settings_plain_name(text, TOKEN_NAME_MAX))
            yaml_refuse(n, "the name of a token");
        else if (text)
            memcpy(rule->tokens[rule->token_count++], text, strlen(text) + 1);
    }
}

static void blame_fault(const struct yaml_node *map, const struct policy_fault *fault)
{
    yaml_blame_member(map, fault->key, "%s", fault->text);
}

/* One field: a list of texts or one text, as its row says. */
MUST_CHECK static enum err field_read(const struct yaml_node *map, const char *key,
                                      struct appraisal_rule *rule)
{
    const struct setting *row = setting_find(GROUP, key);
    const struct yaml_node *n = yaml_member(map, key);
    const struct yaml_node *list = row->type == SETTING_TEXTS ? yaml_list(n, 0, row->max) : NULL;
    struct policy_fault fault = {.key = key};
    const struct yaml_node *item = list ? list->first : n;
    char **texts = NULL;
    size_t count = 0;
    enum err e;

    if (!n || n->faulty || (row->type == SETTING_TEXTS && !list))
        return ERR_NONE;
    texts = calloc((list ? list->count : 1) + 1, sizeof *texts);
    if (!texts)
        return ERR_MEMORY;
    for (; item; item = list ? item->next : NULL) {
        const char *text = yaml_text(item, 0, YAML_TEXT_MAX, NULL);

        if (text)
            texts[count++] = (char *)(uintptr_t)text; /* read only */
    }
    e = count == (list ? list->count : 1) ? appraisal_rule_set(rule, key, texts, count, &fault)
                                          : ERR_NONE;
    free(texts);
    if (e == ERR_CONFIG)
        blame_fault(map, &fault);
    return e == ERR_CONFIG ? ERR_NONE : e;
}

/* Whatever the rows of policy/fields.h name. */
MUST_CHECK static enum err fields_read(const struct yaml_node *map, struct appraisal_rule *rule)
{
    enum err e = ERR_NONE;

    for (size_t i = 0; i < POLICY_FIELD_COUNT && e == ERR_NONE; i++)
        e = field_read(map, policy_fields[i].key, rule);
    return e;
}

static bool has_fault(const struct yaml_node *map)
{
    for (const struct yaml_node *n = map->first; n; n = n->next)
        if (n->faulty)
            return true;
    return map->faulty;
}

/* `rule` is filled as far as `map` is right. */
MUST_CHECK static enum err rule_read(const struct yaml_node *map, struct appraisal_rule *rule)
{
    struct policy_fault fault = {.key = "name"};
    const char *name = settings_member_name(map, POLICY_NAME_MAX);
    enum err e;

    settings_known_members(map, GROUP);
    if (strcmp(name, "default-deny") == 0)
        yaml_blame_member(map, "name", "reserved; denials without a policy are named so");
    (void)settings_member_choice(map, GROUP, "tee");
    if (has_fault(map) || !yaml_member(map, "name") || !yaml_member(map, "tee"))
        return ERR_NONE;
    e = appraisal_rule_start(rule, name, yaml_member(map, "tee")->text, &fault);
    if (e == ERR_NONE) {
        seeds_read(map, rule);
        tokens_read(map, rule);
        rule->allow_plain = settings_member_bool(map, GROUP, "allow_plain");
        e = fields_read(map, rule);
    }
    if (e == ERR_NONE && !has_fault(map))
        e = appraisal_rule_finish(rule, &fault);
    if (e == ERR_CONFIG)
        blame_fault(map, &fault);
    return e == ERR_CONFIG ? ERR_NONE : e;
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

/* Of the list's own document. */
static void list_read(struct settings *s, const struct yaml_node *list, struct problems *problems)
{
    enum err e;

    if (!list || list->count == 0)
        return;
    if ((e = make_room(s, list->count)) == ERR_TOO_LARGE)
        yaml_blame(list, "more than %d policies in all", SETTINGS_POLICIES_MAX);
    for (const struct yaml_node *n = list->first; n && e == ERR_NONE; n = n->next) {
        struct appraisal_rule *rule = &s->attestation.policies[s->attestation.policy_count];

        if (!yaml_mapping(n))
            continue;
        *rule = (struct appraisal_rule){0};
        e = rule_read(n, rule);
        if (e == ERR_NONE && *rule->name && is_known(s, rule->name))
            yaml_blame_member(n, "name", "given twice; names of policies must differ");
        s->attestation.policy_count += e == ERR_NONE && *rule->name;
    }
    if (e == ERR_MEMORY)
        problems->out_of_memory = true;
}

void settings_read_policies(struct settings *s, const struct yaml_node *list,
                            struct problems *problems)
{
    list_read(s, list, problems);
}

/* ---- files */

static void policy_text_read(struct settings *s, struct span text, const char *file,
                             struct problems *problems)
{
    static const char *const known[] = {"policies"};
    const struct problem_place place = {.file = file, .setting = "policies"};
    struct yaml_file *y = NULL;
    const struct yaml_node *root;
    const struct yaml_node *list;
    enum err e = yaml_open(text, file, problems, &y);

    if (e == ERR_MEMORY)
        problems->out_of_memory = true;
    if (e != ERR_NONE)
        return;
    root = yaml_mapping(yaml_root(y));
    list = yaml_member(root, "policies");
    yaml_known(root, known, COUNT_OF(known));
    if (list)
        list_read(s, yaml_list(list, 1, SETTINGS_POLICIES_MAX), problems);
    else if (!root || root->count == 0)
        problems_add(problems, &place,
                     "none; write a list of policies here, or do not name this file");
    yaml_close(&y);
}

static void file_load(struct settings *s, const char *path, struct problems *problems)
{
    struct buffer text = {0};

    if (settings_file_read(path, "attestation.policy_files", FILE_INPUT, problems, &text))
        policy_text_read(s, buffer_span(&text), path, problems);
    buffer_clear(&text);
}

/* Hidden files are editors' and tools'. */
static int is_policy_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* In the order of their names. */
static void directory_load(struct settings *s, const char *path, struct problems *problems)
{
    const struct problem_place place = {.file = path, .setting = "attestation.policy_files"};
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_policy_file, alphasort);

    if (count <= 0)
        problems_add(problems, &place, "%s",
                     count < 0 ? strerror(errno)
                               : "a directory without files that end in .yaml or .yml");
    for (int i = 0; i < count; i++) {
        char *file = NULL;

        if (asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0) {
            problems->out_of_memory = true;
        } else {
            file_load(s, file, problems);
            free(file);
        }
        free(entries[i]);
    }
    free(entries);
}

void settings_load_policy_files(struct settings *s, struct problems *problems)
{
    for (size_t i = 0; i < s->attestation.policy_file_count; i++) {
        const char *path = s->attestation.policy_files[i];
        struct stat status;

        if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
            directory_load(s, path, problems);
        else
            file_load(s, path, problems);
    }
}
