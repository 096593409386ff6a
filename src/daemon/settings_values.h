/* From checked form to values: one parser for file and variables. For daemon/ only. */
#ifndef DAEMON_SETTINGS_VALUES_H
#define DAEMON_SETTINGS_VALUES_H

#include "daemon/settings_yaml.h"

/* Where a text comes from, for messages. */
struct settings_source {
    const char *file;     /* or "environment" */
    unsigned line;        /* 0: not known */
    const char *variable; /* NULL: the YAML file */
};

/*
 * Parses `text` into the member of `s` that the row names, replacing what was there.
 * ERR_CONFIG with `*problem`, ERR_MEMORY
 */
MUST_CHECK enum err settings_set(struct settings *s, const struct setting *row,
                                 const struct settings_source *source, const char *text,
                                 struct settings_problem *problem);

/* Replaces a SETTING_TEXTS value. */
MUST_CHECK enum err settings_set_texts(struct settings *s, const struct setting *row,
                                       char *const *texts, size_t count);

/* ERR_CONFIG and the problem "<text> is not allowed; <row> must be ...". */
MUST_CHECK enum err settings_refuse(const struct setting *row, const struct settings_source *source,
                                    const char *name, const char *text,
                                    struct settings_problem *problem);

/* Values by themselves; false when `text` is not one. */
bool settings_number(const struct setting *row, const char *text, uint64_t *out);
bool settings_bool(const char *text, bool *out);
bool settings_choice(const struct setting *row, const char *text, unsigned *out);
bool settings_hash(const char *text, uint8_t out[SHA256_SIZE]); /* 64 digits, lower case */
bool settings_plain_name(const char *text, size_t max);         /* 1..max of A-Z a-z 0-9 . _ : - */

/* Calls `each` for the trimmed, non-empty parts of a comma list. Stops at the first error. */
typedef MUST_CHECK enum err settings_each_part(void *context, struct span part);
MUST_CHECK enum err settings_split(const char *list, settings_each_part *each, void *context);

/* The two lists of mappings. */
MUST_CHECK enum err settings_read_tokens(struct settings *s, const struct settings_yaml *yaml,
                                         struct span text, const char *file,
                                         struct settings_problem *problem);
MUST_CHECK enum err settings_read_policies(struct settings *s, const struct settings_yaml *yaml,
                                           struct span text, const char *file,
                                           struct settings_problem *problem);

/* Adds the policies of the files and directories that attestation.policy_files names, in order. */
MUST_CHECK enum err settings_load_policy_files(struct settings *s,
                                               struct settings_problem *problem);
/* A regular file of at most SETTINGS_FILE_MAX. ERR_IO, ERR_TOO_LARGE with `*problem`, ERR_MEMORY */
MUST_CHECK enum err settings_file_read(const char *path, bool may_be_missing, struct buffer *out,
                                       struct settings_problem *problem);

MUST_CHECK enum err settings_read_collateral(struct settings *s, const struct settings_yaml *yaml,
                                             const char *file, struct settings_problem *problem);
void settings_clear_collateral(struct settings *s);

/* Tokens from a comma list of hashes. */
MUST_CHECK enum err settings_add_hashes(struct settings *s, const struct settings_source *source,
                                        const char *list, enum role role,
                                        struct settings_problem *problem);

void settings_warn(struct settings *s, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
