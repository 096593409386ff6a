/*
 * Converts texts to members of struct settings, from the YAML file and from variables. Every fault
 * is added to the problems of the loader, and the member keeps its value. Internal to daemon/.
 */
#ifndef DAEMON_SETTINGS_VALUES_H
#define DAEMON_SETTINGS_VALUES_H

#include "base/file.h"
#include "codec/yaml.h"
#include "daemon/settings_table.h"

/* The source of a row's value. */
struct settings_origin {
    const char *file; /* path, "environment", or NULL: the built-in default */
    unsigned line;
    const char *variable; /* NULL: the YAML file */
    bool faulty;          /* a problem names it, so rules about it are not checked */
};

/* The state while settings are loaded. */
struct settings_loader {
    struct settings *s;
    struct problems *problems;
    const char *yaml_file; /* its name, for messages about missing settings */
    struct settings_origin origins[SETTINGS_ROWS_MAX];
    bool tokens_faulty;
};

/* Parses `text` into the member of the row, and replaces the old value. */
void settings_set(struct settings_loader *l, const struct setting *row,
                  const struct settings_origin *origin, const char *text);
/* The same for a value in the YAML file. */
void settings_set_node(struct settings_loader *l, const struct setting *row,
                       const struct yaml_node *n);

/* Adds a problem about a row, at the source of its value. */
void settings_blame(struct settings_loader *l, const struct setting *row, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Whether no row of the group has a problem so far. */
bool settings_group_is_good(const struct settings_loader *l, const char *group);

/* Parsers of single values; false when `text` is not one. */
bool settings_hash(const char *text, uint8_t out[SHA256_SIZE]); /* 64 digits, lower case */
bool settings_plain_name(const char *text, size_t max);         /* 1..max of A-Z a-z 0-9 . _ : - */

/* Calls `each` for the trimmed, non-empty parts of a comma list. Stops at the first error. */
typedef MUST_CHECK enum err settings_each_part(void *context, struct span part);
MUST_CHECK enum err settings_split(const char *list, settings_each_part *each, void *context);

/* ---- steps of loading, one file each */

/* In settings_yaml.c: reads the settings file. False when there is no tree. */
bool settings_read_yaml(struct settings_loader *l, struct span text);
/* Adds a problem for each member that is not a row of the group. */
void settings_known_members(const struct yaml_node *map, const char *group);
/* A member of a list's entry, within the limits of its row. The default when absent or faulty. */
const char *settings_member_text(const struct yaml_node *map, const char *group, const char *key);
uint64_t settings_member_number(const struct yaml_node *map, const char *group, const char *key);
bool settings_member_bool(const struct yaml_node *map, const char *group, const char *key);
/* A required choice; 0 when absent or faulty. */
unsigned settings_member_choice(const struct yaml_node *map, const char *group, const char *key);
/* The required member `name`; "" when absent or faulty. */
const char *settings_member_name(const struct yaml_node *map, size_t max);

/* In settings_variables.c: reads the environment and the .env file. */
struct dotenv;
void settings_read_variables(struct settings_loader *l, const struct dotenv *dotenv,
                             const char *dotenv_file, char **environment);
/* Overwrites the values of variables with secrets. */
void settings_wipe_environment(char **environment);

/* settings_tokens.c */
void settings_read_tokens(struct settings_loader *l, const struct yaml_node *list);
/* Tokens from a comma list of hashes. */
void settings_add_hashes(struct settings_loader *l, const struct settings_origin *origin,
                         const char *list, enum role role);

/* settings_sources.c */
void settings_read_sources(struct settings_loader *l, const struct yaml_node *list);
void settings_clear_sources(struct settings *s);

/* In settings_check.c: checks the rules about several settings, and adds the warnings. */
void settings_check(struct settings_loader *l);
void settings_warn(struct settings *s, const char *format, ...) PRINTF_LIKE(2, 3);

/* In settings_anchor.c: the rules about anchors and about being a witness. */
void settings_check_anchor(struct settings_loader *l);
void settings_check_witness(struct settings_loader *l);

/* In settings_sources.c: http:// to another machine: every machine on the path can read it. */
bool settings_is_in_the_clear(const char *url);

/* In settings_files.c: reads a file that a person wrote. On failure adds a problem and returns
 * false. */
bool settings_file_read(const char *path, const char *setting, enum file_trust trust,
                        struct problems *problems, struct buffer *out);

#endif
