/* One entry of a list of mappings while it is read: a token, a policy. For daemon/ only. */
#ifndef DAEMON_SETTINGS_VIEW_H
#define DAEMON_SETTINGS_VIEW_H

#include "daemon/settings_values.h"

struct settings_view {
    const struct settings_entry *entry;
    const char *group; /* of the table: "tokens[]" */
    const char *list;  /* its path in the file: "tokens", "attestation.policies" */
    size_t index;
    const char *file;
    struct span text; /* of the file, to find lines in */
    struct settings_problem *problem;
};

const struct settings_cell *view_cell(const struct settings_view *v, const char *key);
const char *view_text(const struct settings_view *v, const char *key); /* NULL: not given */

/* Whether the file has this member at all: an empty list has no cell. */
bool view_has(const struct settings_view *v, const char *key);

/* ERR_CONFIG and the problem "FILE:LINE: LIST[INDEX].KEY: <what>". */
MUST_CHECK enum err view_blame(const struct settings_view *v, const char *key, const char *what);
/* The same: "<text> is not allowed; it must be ...". */
MUST_CHECK enum err view_refuse(const struct settings_view *v, const char *key, const char *text);

MUST_CHECK enum err view_choice(const struct settings_view *v, const char *key, unsigned *out);
/* The member `name`, which must be given. */
MUST_CHECK enum err view_plain_name(const struct settings_view *v, char *out, size_t out_size);
/* Calls `each` for every text of a list member. */
MUST_CHECK enum err view_each(const struct settings_view *v, const char *key, void *context,
                              MUST_CHECK enum err (*each)(const struct settings_view *v,
                                                          void *context, const char *text));

#endif
