#include "policy/policy_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

#define TEE_CHOICE(tee, name) {name, tee},
const struct yaml_choice policy_tees[] = {
    ATTEST_TYPES(TEE_CHOICE){NULL, 0}
};

/* The rule of a policy without a usable name, while its fields are read; no name has a space. */
#define UNNAMED "no name"

/* ---- one policy */

static void blame(const struct yaml_node *map, const struct policy_fault *fault)
{
    yaml_blame_member(map, fault->key, "%s", fault->text);
}

/* A fault was added, and reading continues. */
MUST_CHECK static enum err go_on(const struct yaml_node *map, const struct policy_fault *fault,
                                 enum err e)
{
    if (e != ERR_CONFIG)
        return e;
    blame(map, fault);
    return ERR_NONE;
}

typedef MUST_CHECK enum err scope_adder(struct policy_scope *scope, const char *text,
                                        struct policy_fault *fault);

MUST_CHECK static enum err scope_list_read(const struct yaml_node *map, const char *key,
                                           struct policy_scope *scope, scope_adder *add)
{
    const struct yaml_node *list = yaml_list(yaml_member(map, key), 1, POLICY_SCOPE_MAX);
    enum err e = ERR_NONE;

    for (const struct yaml_node *n = list ? list->first : NULL; n && e == ERR_NONE; n = n->next) {
        const char *text = yaml_text(n, 0, YAML_TEXT_MAX, NULL);
        struct policy_fault fault = {.key = key};

        if (text && (e = add(scope, text, &fault)) == ERR_CONFIG) {
            yaml_blame(n, "%s", fault.text);
            e = ERR_NONE;
        }
    }
    return e;
}

MUST_CHECK static enum err scope_read(const struct yaml_node *map, struct policy_scope *scope)
{
    enum err e = scope_list_read(map, "seeds", scope, policy_scope_add_seed);

    if (e == ERR_NONE)
        e = scope_list_read(map, "tokens", scope, policy_scope_add_token);
    scope->allow_plain = yaml_bool(yaml_member(map, "allow_plain"), false);
    return e;
}

/* One field: a list of texts, or one text. */
MUST_CHECK static enum err field_read(const struct yaml_node *map, const struct policy_field *field,
                                      struct appraisal_rule *rule)
{
    const struct yaml_node *n = yaml_member(map, field->key);
    const bool is_list = policy_field_lists(field);
    const struct yaml_node *list = is_list ? yaml_list(n, 0, field->max) : NULL;
    const struct yaml_node *item = is_list ? (list ? list->first : NULL) : n;
    struct policy_fault fault = {.key = field->key};
    char **texts = NULL;
    size_t count = 0;
    size_t all;
    enum err e;

    if (!n || n->faulty || (is_list && !list))
        return ERR_NONE;
    all = is_list ? list->count : 1;
    texts = calloc(all + 1, sizeof *texts);
    if (!texts)
        return ERR_MEMORY;
    for (; item; item = is_list ? item->next : NULL) {
        const char *text = yaml_text(item, 0, YAML_TEXT_MAX, NULL);

        if (text)
            texts[count++] = (char *)(uintptr_t)text; /* read only */
    }
    e = count == all ? appraisal_rule_set(rule, field->key, texts, count, &fault) : ERR_NONE;
    free(texts);
    return go_on(map, &fault, e);
}

MUST_CHECK static enum err fields_read(const struct yaml_node *map, struct appraisal_rule *rule)
{
    enum err e = ERR_NONE;

    for (size_t i = 0; i < POLICY_FIELD_COUNT && e == ERR_NONE; i++)
        e = field_read(map, &policy_fields[i], rule);
    return e;
}

static bool has_fault(const struct yaml_node *map)
{
    for (const struct yaml_node *n = map->first; n; n = n->next) {
        if (n->faulty)
            return true;
        for (const struct yaml_node *item = n->first; item; item = item->next)
            if (item->faulty)
                return true;
    }
    return map->faulty;
}

static void check_members(const struct yaml_node *map)
{
    const char *known[POLICY_FIELD_COUNT + 5] = {"name", "tee", "seeds", "tokens", "allow_plain"};

    for (size_t i = 0; i < POLICY_FIELD_COUNT; i++)
        known[5 + i] = policy_fields[i].key;
    yaml_known(map, known, COUNT_OF(known));
}

static void check_name(const struct yaml_node *map, const struct yaml_node *n)
{
    const char *name = yaml_text(n, 1, POLICY_NAME_MAX, NULL);

    if (name && !principal_name_is_plain(name))
        yaml_refuse(n, "1 to %d characters of A-Z a-z 0-9 . _ : -", POLICY_NAME_MAX);
    else if (name && strcmp(name, "default-deny") == 0)
        yaml_blame_member(map, "name", "reserved; denials without a policy are named so");
}

/*
 * Fills `policy` from the correct parts of `map`. A fault of one member does not hide the faults of
 * the others. Without `tee` the meaning of the fields is unknown, so they are not read. The rule of
 * a policy with any fault stays unfinished: the misspelt member may be the missing one.
 */
MUST_CHECK static enum err policy_read(const struct yaml_node *map, struct policy *policy)
{
    const struct yaml_node *name;
    const struct yaml_node *tee;
    struct policy_fault fault = {.key = "name"};
    enum err e;

    check_members(map);
    name = yaml_required(map, "name");
    tee = yaml_required(map, "tee");
    check_name(map, name);
    (void)yaml_choice(tee, policy_tees, 0);
    if ((e = scope_read(map, &policy->scope)) != ERR_NONE || !tee || tee->faulty)
        return e;
    e = appraisal_rule_start(&policy->rule, name && !name->faulty ? name->text : UNNAMED, tee->text,
                             &fault);
    if (e == ERR_NONE)
        e = fields_read(map, &policy->rule);
    if (e == ERR_NONE && name && !has_fault(map))
        e = appraisal_rule_finish(&policy->rule, &fault);
    return go_on(map, &fault, e);
}

/* ---- lists */

MUST_CHECK static enum err add(struct policy_set *set, const struct yaml_node *map)
{
    struct policy policy = {0};
    enum err e = policy_read(map, &policy);

    if (e != ERR_NONE || !*policy.rule.name || strcmp(policy.rule.name, UNNAMED) == 0) {
        policy_clear(&policy);
        return e;
    }
    if (policy_find(set, policy.rule.name))
        yaml_blame_member(map, "name", "given twice; names of policies must differ");
    set->policies[set->count++] = policy;
    return ERR_NONE;
}

MUST_CHECK static enum err make_room(struct policy_set *set, size_t more)
{
    struct policy *grown;

    if (set->count + more > POLICIES_MAX)
        return ERR_TOO_LARGE;
    grown = reallocarray(set->policies, set->count + more, sizeof *grown);
    if (!grown)
        return ERR_MEMORY;
    set->policies = grown;
    return ERR_NONE;
}

void policy_list_read(const struct yaml_node *list, struct policy_set *set,
                      struct problems *problems)
{
    enum err e;

    if (!list || list->count == 0)
        return;
    if ((e = make_room(set, list->count)) == ERR_TOO_LARGE)
        yaml_blame(list, "more than %d policies in all", POLICIES_MAX);
    for (const struct yaml_node *n = list->first; n && e == ERR_NONE; n = n->next)
        if (yaml_mapping(n))
            e = add(set, n);
    if (e == ERR_MEMORY)
        problems->out_of_memory = true;
}

void policy_text_read(struct span text, const char *file, struct policy_set *set,
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
        policy_list_read(yaml_list(list, 1, POLICIES_MAX), set, problems);
    else if (!root || root->count == 0)
        problems_add(problems, &place,
                     "none; write a list of policies here, or do not name this file");
    yaml_close(&y);
}

/* ---- files */

static void one_file_read(const char *path, const char *setting, struct policy_set *set,
                          struct problems *problems)
{
    const struct problem_place place = {.file = path, .setting = setting};
    struct buffer text = {0};
    char why[FILE_WHY_SIZE] = "";
    enum err e = file_read_trusted(path, YAML_SIZE_MAX, FILE_INPUT, &text, why);

    if (e == ERR_NONE)
        policy_text_read(buffer_span(&text), path, set, problems);
    else if (e == ERR_MEMORY)
        problems->out_of_memory = true;
    else
        problems_add(problems, &place, "%s", why);
    buffer_clear(&text);
}

/* Hidden files belong to editors and tools. */
static int is_policy_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static void directory_read(const char *path, const char *setting, struct policy_set *set,
                           struct problems *problems)
{
    const struct problem_place place = {.file = path, .setting = setting};
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
            one_file_read(file, setting, set, problems);
            free(file);
        }
        free(entries[i]);
    }
    free(entries);
}

void policy_path_read(const char *path, const char *setting, struct policy_set *set,
                      struct problems *problems)
{
    struct stat status;

    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        directory_read(path, setting, set, problems);
    else
        one_file_read(path, setting, set, problems);
}
