/*
 * The YAML file as texts: its form is checked against the table of settings (libcyaml, with a
 * schema built from the table), its values are not looked at. For daemon/ only.
 */
#ifndef DAEMON_SETTINGS_YAML_H
#define DAEMON_SETTINGS_YAML_H

#include "daemon/settings_table.h"

/*
 * What the file says for one row. Scalars: `data` is a char * or NULL. SETTING_TEXTS: char **.
 * SETTING_ENTRIES: struct settings_entry *.
 */
struct settings_cell {
    void *data;
    unsigned count; /* of lists */
};

struct settings_entry {
    struct settings_cell cells[SETTINGS_MEMBERS_MAX]; /* in the order of the group's rows */
};

struct settings_yaml;

/*
 * One document, a mapping. Refused with a line: unknown and duplicate keys, a list where a text is
 * wanted and so on, aliases, a second document, control characters.
 * ERR_CONFIG with `*problem`, ERR_MEMORY. The caller owns `*out`.
 */
MUST_CHECK enum err settings_yaml_load(struct span text, const char *file,
                                       struct settings_yaml **out,
                                       struct settings_problem *problem);

/* The same of a file that holds one list of mappings alone, under the row's key. */
MUST_CHECK enum err settings_yaml_load_list(struct span text, const char *file,
                                            const struct setting *row, struct settings_yaml **out,
                                            struct settings_problem *problem);

/*
 * The line of a setting ("attestation.policies[2].mrtd"), or as near as its path leads; 1-based, 0
 * when the text is no YAML. `*exact` (may be NULL): it is there.
 */
unsigned settings_yaml_line(struct span text, const char *path, bool *exact);

/* Never NULL; borrowed. An empty file has empty cells. */
const struct settings_cell *settings_yaml_cell(const struct settings_yaml *y,
                                               const struct setting *row);
void settings_yaml_free(struct settings_yaml **y); /* wipes the texts */

#endif
