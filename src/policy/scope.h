/*
 * The scope of a policy: its principals, its keys, and the allowed forms of replies. The rule for
 * evidence is separate (policy/appraisal.h); policy/authorize.h decides with both. Pure.
 */
#ifndef POLICY_SCOPE_H
#define POLICY_SCOPE_H

#include "auth/principal.h"
#include "policy/fault.h"

#define POLICY_SCOPE_MAX 32 /* elements of one list */
#define POLICY_SEED_PATTERN_MAX 256

/* Texts; each has its own memory. Zero-initialise. */
struct text_list {
    size_t count;
    char **items;
};

/* Zero-initialise; policy_scope_clear() at the end. Zeros mean: all tokens, all keys, sealed. */
struct policy_scope {
    struct text_list seeds;  /* patterns of the keys that it opens. None: all */
    struct text_list tokens; /* names of the tokens that it is for. None: all */
    bool allow_plain;        /* plain replies are allowed, for requests that ask for no seal */
};

/*
 * Adds a seed pattern: a whole seed, or a prefix and '*'. The '*' must be the last character and
 * follow '/' or ':' (else "app:alice.near*" would cover alice.near2), or it is the whole pattern.
 * ERR_CONFIG with `*fault`; ERR_MEMORY
 */
MUST_CHECK enum err policy_scope_add_seed(struct policy_scope *scope, const char *pattern,
                                          struct policy_fault *fault);

/* Adds the name of a token: 1 to 64 characters of A-Z a-z 0-9 . _ : - ERR_CONFIG, ERR_MEMORY */
MUST_CHECK enum err policy_scope_add_token(struct policy_scope *scope, const char *name,
                                           struct policy_fault *fault);

/* Makes a separate copy. ERR_MEMORY */
MUST_CHECK enum err policy_scope_copy(const struct policy_scope *from, struct policy_scope *to);
void policy_scope_clear(struct policy_scope *scope);

/* Whether the policy is meant for this principal. */
bool policy_scope_is_for(const struct policy_scope *scope, const struct principal *principal);

/* Whether it covers this seed. The global key (GET /pubkey without a seed) has the seed "". */
bool policy_scope_covers(const struct policy_scope *scope, struct span seed);

#endif
