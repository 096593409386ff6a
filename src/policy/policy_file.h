/*
 * Policies as people write them, in YAML. One reader for the daemon's settings, for files of their
 * own, and for the client, so that what is tried out offline is what the keystore demands.
 *
 * Every fault is added to `problems` with its file, line, setting and what is allowed; reading goes
 * on, so that one run names all of them. Use the set only when problems_err() says ERR_NONE.
 */
#ifndef POLICY_POLICY_FILE_H
#define POLICY_POLICY_FILE_H

#include "codec/yaml.h"
#include "policy/policy.h"

/* The values of `tee`: the types of evidence (attest/attest.h). */
extern const struct yaml_choice policy_tees[];

/* Adds the policies of a list of mappings. NULL (no list) adds none. */
void policy_list_read(const struct yaml_node *list, struct policy_set *set,
                      struct problems *problems);

/*
 * Adds the policies of a document {policies: [...]}, at least one. `file` is its name for messages.
 */
void policy_text_read(struct span text, const char *file, struct policy_set *set,
                      struct problems *problems);

/*
 * Adds the policies of a file, or of all files of a directory that end in .yaml or .yml, in the
 * order of their names; hidden ones are left out. `setting` is what names the path.
 */
void policy_path_read(const char *path, const char *setting, struct policy_set *set,
                      struct problems *problems);

#endif
