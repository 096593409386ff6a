/* Evidence of every kind, and rules that fit it, for the tests of policies. */
#ifndef TESTS_UNIT_POLICY_RULES_H
#define TESTS_UNIT_POLICY_RULES_H

#include "policy/appraisal.h"

/* "key" and its values, comma-separated; "" is an empty list, NULL ends the list. */
struct rule_text {
    const char *key;
    const char *values;
};

/* Starts, sets and finishes. ERR_CONFIG with `*fault`. */
MUST_CHECK enum err rule_of(struct appraisal_rule *rule, const char *tee,
                            const struct rule_text *texts, struct policy_fault *fault);

/* Evidence that verified, with different bytes in every member, and bound by `vouchsafe`. */
void evidence_of(const char *tee, struct attest_result *out);

/* What that evidence binds. */
extern const struct binding good_binding;

/* The least that fits it. */
const struct rule_text *least_rule(const char *tee);

#endif
