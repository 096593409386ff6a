#include "policy/authorize.h"

#include <assert.h>

#define WORKER (ROLE_WORKER | ROLE_OPERATOR)
#define AUDITOR (ROLE_AUDITOR | ROLE_OPERATOR)
#define ANY_ROLE (ROLE_WORKER | ROLE_AUDITOR | ROLE_OPERATOR)

/* Which roles may do what. */
/* clang-format off */
static const struct action_row {
    const char *name;
    unsigned roles;    /* one of these is required */
    bool administers;  /* requires the permission may_administer, too */
    unsigned sees_all; /* these roles see data of other principals */
    bool is_public;    /* needs no role and no principal */
} actions[ACTION_COUNT] = {
    [ACTION_NONE]             = {"none",             0,             false, 0,       false},
    [ACTION_READ_PUBLIC]      = {"read-public",      0,             false, 0,       true },
    [ACTION_READ_TILES]       = {"read-tiles",       0,             false, 0,       true },
    [ACTION_OPEN]             = {"open",             WORKER,        false, 0,       false},
    [ACTION_ATTEST]           = {"attest",           WORKER,        false, 0,       false},
    [ACTION_EXPLAIN_EVIDENCE] = {"explain-evidence", WORKER,        false, 0,       false},
    [ACTION_EXPLAIN_REQUEST]  = {"explain-request",  AUDITOR,       false, 0,       false},
    [ACTION_READ_LOG]         = {"read-log",         AUDITOR,       false, 0,       false},
    [ACTION_READ_RECEIPT]     = {"read-receipt",     ANY_ROLE,      false, AUDITOR, false},
    [ACTION_READ_COLLATERAL]  = {"read-collateral",  ANY_ROLE,      false, 0,       false},
    [ACTION_READ_POLICIES]    = {"read-policies",    ROLE_OPERATOR, false, 0,       false},
    [ACTION_CHANGE_POLICY]    = {"change-policy",    ROLE_OPERATOR, true,  0,       false},
    [ACTION_RESEAL]           = {"reseal",           ROLE_OPERATOR, true,  0,       false},
    [ACTION_WITNESS]          = {"witness",          0,             false, 0,       true },
    [ACTION_READ_STATUS]      = {"read-status",      ROLE_OPERATOR, false, 0,       false},
    [ACTION_ARCHIVE]          = {"archive",          ROLE_OPERATOR, true,  0,       false},
};
/* clang-format on */

static const struct action_row *row_of(enum action action)
{
    return &actions[(unsigned)action < ACTION_COUNT ? action : ACTION_NONE];
}

const char *action_name(enum action action)
{
    return row_of(action)->name;
}

bool authorize_admits(const struct principal *principal, enum action action)
{
    const struct action_row *row = row_of(action);

    return row->is_public || principal_has_role(principal, row->roles);
}

bool authorize_is_public(enum action action)
{
    return row_of(action)->is_public;
}

bool authorize_is_administrative(enum action action)
{
    return row_of(action)->roles == ROLE_OPERATOR;
}

bool authorize_knows(const struct principal *principal, const struct policy_scope *scope)
{
    return principal->may_explain || policy_scope_is_for(scope, principal);
}

MUST_CHECK static enum err deny(struct decision *d, enum err e, const char *code, const char *rule)
{
    *d = (struct decision){.code = code, .rule = rule};
    return e;
}

/* The policy that accepted the evidence, if it is meant for this principal. */
static bool claims_count(const struct authorize_question *q)
{
    assert(!q->claims || (q->claims->policy && q->claims->scope));
    return !q->claims || policy_scope_is_for(q->claims->scope, q->principal);
}

/* In the order of the checks: which keys the policy opens, and the form of replies. */
MUST_CHECK static enum err authorize_open(const struct authorize_question *q, struct decision *d)
{
    const struct caller_claims *claims = q->claims;

    if (!claims)
        return deny(d, ERR_UNAUTHENTICATED, "attestation_required", "default-deny");
    if (!policy_scope_covers(claims->scope, q->key))
        return deny(d, ERR_DENIED, "seed_not_allowed", claims->policy);
    if (q->wants_seal && !claims->has_key)
        return deny(d, ERR_MALFORMED, "no_attested_key", claims->policy);
    if (!claims->has_key && !claims->scope->allow_plain)
        return deny(d, ERR_DENIED, "seal_required", claims->policy);
    d->rule = claims->policy;
    /* Sealed, unless the policy allows otherwise and the request does not ask for a seal. A TLS
     * terminator in between could remove that wish from a request. */
    d->plain_reply = claims->scope->allow_plain && !q->wants_seal;
    return ERR_NONE;
}

enum err authorize(const struct authorize_question *q, struct decision *out)
{
    const struct action_row *row = row_of(q->action);
    struct decision d = {.code = "ok", .rule = "roles"};
    enum err e = ERR_NONE;

    if (!authorize_admits(q->principal, q->action) ||
        (row->administers && !q->principal->may_administer))
        e = deny(&d, ERR_DENIED, row->administers ? "may_not_administer" : "role_not_allowed",
                 "roles");
    else if (!claims_count(q))
        e = deny(&d, ERR_DENIED, "policy_not_for_principal", "default-deny");
    else if (q->action == ACTION_OPEN)
        e = authorize_open(q, &d);
    d.allowed = e == ERR_NONE;
    if (d.allowed)
        d.sees_all = q->action == ACTION_EXPLAIN_EVIDENCE
                         ? q->principal->may_explain
                         : principal_has_role(q->principal, row->sees_all);
    *out = d;
    return e;
}
