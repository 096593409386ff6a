/*
 * Reads policies that people write, in YAML. The daemon's settings, separate policy files and the
 * client use the same reader. So a policy tested offline means the same to the keystore.
 *
 * Every fault is added to `problems` with its file, line, setting and allowed values. Reading
 * continues, so one run reports all faults. Use the set only when problems_err() says ERR_NONE.
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
 * order of their names; hidden files are left out. `setting` is the setting that contains the path.
 */
void policy_path_read(const char *path, const char *setting, struct policy_set *set,
                      struct problems *problems);

#endif
