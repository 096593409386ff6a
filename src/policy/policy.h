/*
 * Policies: each is an appraisal rule (which evidence is accepted) and a scope (for whom it is, and
 * what it opens). A set of them is immutable once it is in use: build a new set beside it, version
 * included, and swap. Pure.
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

/* `to` becomes a copy of its own. ERR_MEMORY */
MUST_CHECK enum err policy_copy(const struct policy *from, struct policy *to);
void policy_clear(struct policy *policy);

#define POLICIES_MAX 256 /* of one set */

/* Zero-initialise; policy_set_clear() at the end. Names differ. */
struct policy_set {
    size_t count;
    struct policy *policies;
    uint8_t version[8]; /* first bytes of SHA-256 over all of it; a change revokes sessions */
};

/* `to` becomes a copy of its own, with the same version. ERR_MEMORY */
MUST_CHECK enum err policy_set_copy(const struct policy_set *from, struct policy_set *to);
void policy_set_clear(struct policy_set *set);
void policy_set_version(struct policy_set *set); /* computes `version` */

/* NULL when there is none of this name. */
const struct policy *policy_find(const struct policy_set *set, const char *name);

/*
 * Which policy accepts this evidence from this principal: `*policy` is the first one. Policies that
 * are not meant for the principal are not looked at, so neither a result nor a denial tells
 * anything of them.
 *
 * ERR_DENIED fills `denial` for the policy that came nearest; with code "no_policy" and rule
 * "default-deny" when none is meant for the principal. Evidence that did not verify and a question
 * without a binding ("report_data_mismatch") are refused, too.
 */
MUST_CHECK enum err policy_judge(const struct policy_set *set, const struct principal *principal,
                                 const struct appraisal_question *question,
                                 const struct policy **policy, struct appraisal_denial *denial);

#endif
