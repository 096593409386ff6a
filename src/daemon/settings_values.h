/*
 * From texts to members of struct settings. One parser of values serves the YAML file and the
 * variables. Every fault goes to the problems of the loader, and loading goes on with the value
 * that was there before. For daemon/ only.
 */
#ifndef DAEMON_SETTINGS_VALUES_H
#define DAEMON_SETTINGS_VALUES_H

#include "base/file.h"
#include "codec/yaml.h"
#include "daemon/settings_table.h"

/* Where the value of a row comes from. */
struct settings_origin {
    const char *file; /* path, "environment", or NULL: the built-in default */
    unsigned line;
    const char *variable; /* NULL: the YAML file */
    bool faulty;          /* a problem names it: rules that involve it are not checked */
};

/* What is known while settings are loaded. */
struct settings_loader {
    struct settings *s;
    struct problems *problems;
    const char *yaml_file; /* its name, for messages about what is missing */
    struct settings_origin origins[SETTINGS_ROWS_MAX];
    bool tokens_faulty;
};

/* Parses `text` into the member that the row names, replacing what was there. */
void settings_set(struct settings_loader *l, const struct setting *row,
                  const struct settings_origin *origin, const char *text);
/* The same of a value in the YAML file. */
void settings_set_node(struct settings_loader *l, const struct setting *row,
                       const struct yaml_node *n);

/* A problem of a row, at the place that its value comes from. */
void settings_blame(struct settings_loader *l, const struct setting *row, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Whether no row of the group has a problem so far. */
bool settings_group_is_good(const struct settings_loader *l, const char *group);

/* Values by themselves; false when `text` is not one. */
bool settings_hash(const char *text, uint8_t out[SHA256_SIZE]); /* 64 digits, lower case */
bool settings_plain_name(const char *text, size_t max);         /* 1..max of A-Z a-z 0-9 . _ : - */

/* Calls `each` for the trimmed, non-empty parts of a comma list. Stops at the first error. */
typedef MUST_CHECK enum err settings_each_part(void *context, struct span part);
MUST_CHECK enum err settings_split(const char *list, settings_each_part *each, void *context);

/* ---- parts of loading, one file each */

/* settings_yaml.c: the settings file. False when it gives no tree. */
bool settings_read_yaml(struct settings_loader *l, struct span text);
/* Adds a problem for each member that is no row of the group. */
void settings_known_members(const struct yaml_node *map, const char *group);
/* A member of a list's entry with the limits of its row. Defaults when absent or faulty. */
const char *settings_member_text(const struct yaml_node *map, const char *group, const char *key);
uint64_t settings_member_number(const struct yaml_node *map, const char *group, const char *key);
bool settings_member_bool(const struct yaml_node *map, const char *group, const char *key);
/* A required choice; 0 when absent or faulty. */
unsigned settings_member_choice(const struct yaml_node *map, const char *group, const char *key);
/* The required member `name`; "" when absent or faulty. */
const char *settings_member_name(const struct yaml_node *map, size_t max);

/* settings_variables.c: the environment and the .env file. */
struct dotenv;
void settings_read_variables(struct settings_loader *l, const struct dotenv *dotenv,
                             const char *dotenv_file, char **environment);
/* Overwrites the values of variables that hold secrets. */
void settings_wipe_environment(char **environment);

/* settings_tokens.c */
void settings_read_tokens(struct settings_loader *l, const struct yaml_node *list);
/* Tokens from a comma list of hashes. */
void settings_add_hashes(struct settings_loader *l, const struct settings_origin *origin,
                         const char *list, enum role role);

/* settings_sources.c */
void settings_read_sources(struct settings_loader *l, const struct yaml_node *list);
void settings_clear_sources(struct settings *s);

/* settings_check.c: the rules that join several settings, and the warnings. */
void settings_check(struct settings_loader *l);
void settings_warn(struct settings *s, const char *format, ...) PRINTF_LIKE(2, 3);

/* settings_files.c: reads a file that a person wrote. False after its problem. */
bool settings_file_read(const char *path, const char *setting, enum file_trust trust,
                        struct problems *problems, struct buffer *out);

#endif
