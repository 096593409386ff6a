/*
 * Why an operation is refused, as data. It has no sentence: the texts for people are in
 * server/render_refusal.c, one for each code. So a caller that is no HTTP client can act on it.
 */
#ifndef SERVICE_REFUSAL_H
#define SERVICE_REFUSAL_H

#include "policy/appraisal.h"

struct refusal {
    enum err error;   /* its kind, which decides the HTTP status; ERR_NONE: nothing is refused */
    const char *code; /* stable, static */
    /*
     * What the module that read the input says of it: a static sentence, or NULL. For a refusal of
     * the verifier the text of its reason, for an old envelope what it looks like.
     */
    const char *hint;
    int64_t limit_s;        /* the limit that was exceeded, where the sentence names it */
    unsigned retry_after_s; /* refused for now: ask again then; 0: no such hint */
    /* About the caller's own evidence; "" where it does not apply. */
    char step[32]; /* the verifier's step, or "policy", "tee_type" */
    char rule[POLICY_NAME_MAX + 1];
    char expected[320];
    char presented[320];
};

/* Sets error and code. Returns `e`, which must not be ERR_NONE, so that a step can end with it. */
MUST_CHECK enum err refusal_set(struct refusal *why, enum err e, const char *code);

/* The same with a hint. */
MUST_CHECK enum err refusal_set_hint(struct refusal *why, enum err e, const char *code,
                                     const char *hint);

/* For failures of the keystore itself: the error's own code. */
MUST_CHECK enum err refusal_failed(struct refusal *why, enum err e);

/* What differs in the evidence. Any of the texts may be NULL; longer ones are cut. */
void refusal_detail(struct refusal *why, const char *step, const char *rule, const char *expected,
                    const char *presented);
bool refusal_has_detail(const struct refusal *why);

#endif
