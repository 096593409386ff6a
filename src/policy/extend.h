/*
 * Reference values beyond the configuration's: a rule's lists of accepted bytes (measurements,
 * signers, chips, ...) may grow while the keystore runs. Nothing else of a rule may change so:
 * no status, minimum, switch, seed or token. Pure.
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
    EXTENSION_EXISTS, /* the list has it */
    EXTENSION_FULL,   /* the list, or the rule's room for values */
    EXTENSION_MEMORY  /* there is no memory for it */
};

/* Appends `bytes` to the list that `rule` has for `key`. The rule changes with DONE only. */
MUST_CHECK enum policy_extension appraisal_rule_extend(struct appraisal_rule *rule, const char *key,
                                                       struct span bytes);

/* Whether the list that `rule` has for `key` has `bytes`. */
bool appraisal_rule_lists(const struct appraisal_rule *rule, const char *key, struct span bytes);

#endif
