/*
 * Adds reference values to those of the configuration: a rule's lists of accepted bytes
 * (measurements, signers, chips, ...) may grow while the keystore runs. All other parts of a rule
 * stay: statuses, minimums, switches, seeds and tokens. Pure.
 */
#ifndef POLICY_EXTEND_H
#define POLICY_EXTEND_H

#include "policy/appraisal.h"

#define POLICY_BYTES_MAX 64 /* of one value of any such list */

enum policy_extension {
    EXTENSION_DONE,
    EXTENSION_FIELD,  /* no field of this name that can grow: unknown, of another TEE, no list of
                         bytes, not asked about (a value would narrow the rule), or "any" */
    EXTENSION_VALUE,  /* of another size; or zero, which only the configuration may accept */
    EXTENSION_EXISTS, /* the list already has it */
    EXTENSION_FULL,   /* the list, or the rule's room for values */
    EXTENSION_MEMORY  /* out of memory */
};

/* Appends `bytes` to the list in `rule` for `key`. The rule changes only with DONE. */
MUST_CHECK enum policy_extension appraisal_rule_extend(struct appraisal_rule *rule, const char *key,
                                                       struct span bytes);

/* Whether the list in `rule` for `key` contains `bytes`. */
bool appraisal_rule_lists(const struct appraisal_rule *rule, const char *key, struct span bytes);

#endif
