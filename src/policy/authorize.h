/*
 * Authorisation: decides whether this principal, whose claims describe its code, may do this with
 * this key. One pure function decides for every operation. policy/appraisal.h decides whether
 * evidence is acceptable; this module starts with the policy that accepted it.
 *
 * Default deny: an operation without a row in the table of authorize.c is refused.
 */
#ifndef POLICY_AUTHORIZE_H
#define POLICY_AUTHORIZE_H

#include "base/clock.h"
#include "policy/scope.h"

enum action {
    ACTION_NONE,             /* nothing; always refused */
    ACTION_READ_PUBLIC,      /* read public data: health, public keys, checkpoints, proofs */
    ACTION_READ_TILES,       /* hashes of the log's tree, and its checkpoint, as static files */
    ACTION_OPEN,             /* open an envelope: POST /decrypt */
    ACTION_ATTEST,           /* get a nonce, and a session for accepted evidence */
    ACTION_EXPLAIN_EVIDENCE, /* POST /v1/attest/explain */
    ACTION_EXPLAIN_REQUEST,  /* GET /v1/explain: the entries of a request */
    ACTION_READ_LOG,         /* entries */
    ACTION_READ_RECEIPT,
    ACTION_READ_COLLATERAL,
    ACTION_READ_POLICIES,
    ACTION_CHANGE_POLICY, /* add or remove a reference value */
    ACTION_RESEAL,        /* seal the root again */
    ACTION_WITNESS,       /* a log asks for a cosignature; its signature is its credential */
    ACTION_READ_STATUS,
    ACTION_ARCHIVE, /* move old entries of the log into the archive */
    ACTION_COUNT
};

/* "open", "attest", ...: for logs and tests. */
const char *action_name(enum action action);

/* The facts that verified and accepted evidence proves about the caller's code. */
struct caller_claims {
    const char *policy;               /* the name of the policy that accepted it */
    const struct policy_scope *scope; /* of that policy */
    bool has_key;                     /* the evidence binds a key, to which replies can be sealed */
};

/* All borrowed. */
struct authorize_question {
    const struct principal *principal;
    enum action action;
    const struct caller_claims *claims; /* NULL: no claims, or no policy accepts them */
    struct span key;                    /* the seed; empty: the global key, or no key */
    bool wants_seal;                    /* the request asks for a sealed reply */
    struct timestamp now;
};

struct decision {
    bool allowed;
    const char *code; /* stable and static; "ok" when allowed */
    /*
     * The deciding rule: the name of a policy (borrowed from the claims), "roles" (the principal's
     * roles and permissions), or "default-deny".
     */
    const char *rule;
    bool plain_reply; /* ACTION_OPEN: the reply is plain; otherwise it must be sealed */
    /* READ_RECEIPT: those of others, too; EXPLAIN_EVIDENCE: every policy, and the judgement of
     * each rule */
    bool sees_all;
};

/*
 * Decides, and always writes `out`. Do only what `out` allows.
 *
 * ERR_DENIED           role_not_allowed, may_not_administer, policy_not_for_principal,
 *                      seed_not_allowed, seal_required
 * ERR_UNAUTHENTICATED  attestation_required: the operation needs claims
 * ERR_MALFORMED        no_attested_key: the request asks for a seal and names no key
 */
MUST_CHECK enum err authorize(const struct authorize_question *q, struct decision *out);

/*
 * The first step of that: whether the principal's roles allow the operation at all. Admission calls
 * it before a body is read; authorize() checks again. A public operation is allowed for all, also
 * for PRINCIPAL_NONE.
 */
bool authorize_admits(const struct principal *principal, enum action action);

bool authorize_is_public(enum action action);         /* needs no principal */
bool authorize_is_administrative(enum action action); /* for operators only */

/*
 * Whether the principal may know that a policy exists and what it accepts. For all other principals
 * the policy must seem not to exist.
 */
bool authorize_knows(const struct principal *principal, const struct policy_scope *scope);

#endif
