/* The table of settings: one row has all facts about a setting. Internal to daemon/. */
#ifndef DAEMON_SETTINGS_TABLE_H
#define DAEMON_SETTINGS_TABLE_H

#include "codec/yaml.h"
#include "daemon/settings.h"

#define SETTINGS_ROWS_MAX 256
#define SETTINGS_NAME_SIZE 96
#define SETTINGS_ALLOWED_SIZE 256
#define SETTINGS_PATH_MAX 4000 /* bytes of a text in a list */

enum setting_type {
    SETTING_TEXT,
    SETTING_NUMBER,
    SETTING_BOOL,
    SETTING_CHOICE,  /* an enum, by name */
    SETTING_SECRET,  /* hex, only from the environment or .env */
    SETTING_TEXTS,   /* a list of texts; a comma list in a variable */
    SETTING_ENTRIES, /* a list of mappings, whose members are the rows of group "<name>[]" */
};

struct setting {
    const char *group; /* "server", "" at the top, "tokens[]" for members of entries */
    const char *key;
    enum setting_type type;
    bool security;        /* a wrong value weakens the protection */
    const char *variable; /* of the environment; NULL: none */
    const char *alias;    /* a second variable, which `variable` overrides; NULL: none */
    size_t offset, size;  /* in struct settings; 0, 0 for members of entries and lists */
    size_t count_offset;  /* of the count that belongs to SETTING_TEXTS */
    const char *standard; /* default as text; NULL: none */
    uint64_t min, max;    /* numbers: the value; texts: bytes; lists: elements */
    const struct yaml_choice *choices; /* ends with a NULL name */
    const char *unit;
    const char *help; /* one or two sentences for a person */
};

extern const struct setting settings_table[];
extern const size_t settings_table_count;

/* "server.port", "tokens[].name" */
void setting_name(const struct setting *row, char out[SETTINGS_NAME_SIZE]);

/* The allowed values, as a part of a sentence: "a whole number from 1 to 65535". */
void setting_allowed(const struct setting *row, char *out, size_t out_size);

/* The row, or NULL. */
const struct setting *setting_find(const char *group, const char *key);
size_t setting_index(const struct setting *row);
/* Index of the first row of `group`; the rows of a group are consecutive. */
size_t setting_group_first(const char *group);

#endif
