/*
 * Policies: each is an appraisal rule (which evidence is accepted) and a scope (which principals it
 * is for, and which keys it opens). A set of policies is immutable once it is in use. To change it,
 * build a new set with its version, and swap. Pure.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "policy/appraisal.h"
#include "policy/scope.h"

/* Zero-initialise; policy_clear() at the end. Its name is the rule's. */
struct policy {
    struct appraisal_rule rule;
    struct policy_scope scope;
};

/* Makes a separate copy. ERR_MEMORY */
MUST_CHECK enum err policy_copy(const struct policy *from, struct policy *to);
void policy_clear(struct policy *policy);

#define POLICIES_MAX 256 /* of one set */

/* Zero-initialise; policy_set_clear() at the end. Names differ. */
struct policy_set {
    size_t count;
    struct policy *policies;
    uint8_t version[8]; /* first bytes of SHA-256 over all policies; a change revokes sessions */
};

/* Makes a separate copy with the same version. ERR_MEMORY */
MUST_CHECK enum err policy_set_copy(const struct policy_set *from, struct policy_set *to);
void policy_set_clear(struct policy_set *set);
void policy_set_version(struct policy_set *set); /* computes `version` */

/* NULL when there is no policy of this name. */
const struct policy *policy_find(const struct policy_set *set, const char *name);

/*
 * Finds the first policy that accepts this evidence from this principal. Policies that are not
 * meant for the principal are ignored, so neither a result nor a denial reveals them.
 *
 * ERR_DENIED fills `denial` for the nearest policy; with code "no_policy" and rule "default-deny"
 * when no policy is meant for the principal. Evidence that did not verify, and a question without a
 * binding ("report_data_mismatch"), are refused, too.
 */
MUST_CHECK enum err policy_judge(const struct policy_set *set, const struct principal *principal,
                                 const struct appraisal_question *question,
                                 const struct policy **policy, struct appraisal_denial *denial);

#endif
