/* The settings file: checks its tree against the table. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/settings_values.h"
#include "policy/policy_file.h"

/* The allowed members of one mapping: rows, and at the top the sections, too. */
struct keys {
    size_t count;
    const char *names[SETTINGS_ROWS_MAX];
};

/* A section is a group, except the top and the members of a list's entry. */
static bool is_section(const char *group)
{
    return *group && !strchr(group, '[');
}

static void key_add(struct keys *keys, const char *name)
{
    keys->names[keys->count++] = name;
}

static void keys_of_group(const char *group, struct keys *keys)
{
    for (size_t i = 0; i < settings_table_count; i++)
        if (strcmp(settings_table[i].group, group) == 0)
            key_add(keys, settings_table[i].key);
}

static void sections_of_table(struct keys *keys)
{
    for (size_t i = 0; i < settings_table_count; i++)
        if (is_section(settings_table[i].group) &&
            setting_group_first(settings_table[i].group) == i)
            key_add(keys, settings_table[i].group);
}

void settings_known_members(const struct yaml_node *map, const char *group)
{
    struct keys keys = {0};

    keys_of_group(group, &keys);
    yaml_known(map, keys.names, keys.count);
}

static const struct yaml_node *member_fitting(const struct yaml_node *map, const char *group,
                                              const char *key, const struct setting **row)
{
    *row = setting_find(group, key);
    return yaml_member(map, key);
}

const char *settings_member_text(const struct yaml_node *map, const char *group, const char *key)
{
    const struct setting *row;
    const struct yaml_node *n = member_fitting(map, group, key, &row);

    return yaml_text(n, row->min, row->max, row->standard);
}

uint64_t settings_member_number(const struct yaml_node *map, const char *group, const char *key)
{
    const struct setting *row;
    const struct yaml_node *n = member_fitting(map, group, key, &row);
    uint64_t standard = 0;

    if (row->standard && decimal_read(span_string(row->standard), &standard) != ERR_NONE)
        standard = 0;
    return yaml_number(n, row->min, row->max, standard);
}

bool settings_member_bool(const struct yaml_node *map, const char *group, const char *key)
{
    const struct setting *row;
    const struct yaml_node *n = member_fitting(map, group, key, &row);

    return yaml_bool(n, row->standard && strcmp(row->standard, "true") == 0);
}

unsigned settings_member_choice(const struct yaml_node *map, const char *group, const char *key)
{
    return yaml_choice(yaml_required(map, key), setting_find(group, key)->choices, 0);
}

const char *settings_member_name(const struct yaml_node *map, size_t max)
{
    const struct yaml_node *n = yaml_required(map, "name");
    const char *name = yaml_text(n, 1, max, NULL);

    if (name && !settings_plain_name(name, max)) {
        yaml_refuse(n, "1 to %zu letters, digits and . _ : -", max);
        name = NULL;
    }
    return name ? name : "";
}

static void secret_refuse(const struct setting *row, const struct yaml_node *n)
{
    yaml_blame(n,
               "a secret does not belong in this file; remove it, and give it as %s in the "
               "environment",
               row->variable);
}

static void row_read(struct settings_loader *l, const struct setting *row,
                     const struct yaml_node *section)
{
    const struct yaml_node *n = yaml_member(section, row->key);

    if (!n)
        return;
    if (row->type == SETTING_ENTRIES)
        l->origins[setting_index(row)] =
            (struct settings_origin){.file = l->yaml_file, .line = n->line};
    if (row->type == SETTING_SECRET)
        secret_refuse(row, n);
    else if (row->type == SETTING_ENTRIES)
        (void)yaml_list(n, row->min, row->max); /* its reader comes later */
    else
        settings_set_node(l, row, n);
}

static void section_read(struct settings_loader *l, const struct yaml_node *map, const char *group)
{
    for (size_t i = 0; i < settings_table_count; i++)
        if (strcmp(settings_table[i].group, group) == 0)
            row_read(l, &settings_table[i], map);
}

/* The entries of a list of mappings, or NULL. */
static const struct yaml_node *entries(const struct yaml_node *root, const char *group,
                                       const char *key)
{
    const struct yaml_node *section = *group ? yaml_member(root, group) : root;
    const struct yaml_node *n = yaml_member(section, key);

    return n && n->kind == YAML_LIST && !n->faulty ? n : NULL;
}

static void root_read(struct settings_loader *l, const struct yaml_node *root)
{
    struct keys keys = {0};

    keys_of_group("", &keys);
    sections_of_table(&keys);
    yaml_known(root, keys.names, keys.count);
    section_read(l, root, "");
    for (size_t i = 0; i < keys.count; i++) {
        const struct yaml_node *section = yaml_member(root, keys.names[i]);

        if (!section || !is_section(keys.names[i]) || setting_find("", keys.names[i]))
            continue;
        section = yaml_mapping(section);
        settings_known_members(section, keys.names[i]);
        section_read(l, section, keys.names[i]);
    }
    settings_read_tokens(l, entries(root, "", "tokens"));
    policy_list_read(entries(root, "attestation", "policies"), &l->s->attestation.policies,
                     l->problems);
    settings_read_sources(l, entries(root, "collateral", "sources"));
}

bool settings_read_yaml(struct settings_loader *l, struct span text)
{
    struct yaml_file *y = NULL;
    const struct yaml_node *root;
    enum err e = yaml_open(text, l->yaml_file, l->problems, &y);

    if (e == ERR_MEMORY)
        l->problems->out_of_memory = true;
    if (e != ERR_NONE)
        return false;
    root = yaml_root(y);
    if (root && (root->kind != YAML_TEXT || *root->text || root->quoted))
        root_read(l, yaml_mapping(root));
    yaml_close(&y);
    return true;
}
