/*
 * The authenticated caller. Every method of authentication (tokens, sessions, API keys, ...)
 * produces one struct principal. All later steps (authorisation, quotas, replay tables, the log)
 * see only the principal, never its table or credential. A principal is a plain value: copy it.
 */
#ifndef AUTH_PRINCIPAL_H
#define AUTH_PRINCIPAL_H

#include "base/span.h"

#define PRINCIPAL_NAME_MAX 64
#define PRINCIPAL_ID_SIZE 32
#define TENANT_NAME_MAX 64
#define TENANT_DEFAULT "default" /* the only tenant when none is configured */

enum principal_kind {
    PRINCIPAL_NONE, /* not authenticated */
    PRINCIPAL_TOKEN,
    PRINCIPAL_API_KEY,
    PRINCIPAL_JWT,
    PRINCIPAL_NEO,
    PRINCIPAL_NEAR,
    PRINCIPAL_SESSION,
    PRINCIPAL_FUNCTION,
    PRINCIPAL_OPERATOR,
    PRINCIPAL_KINDS
};

enum role { ROLE_NONE = 0, ROLE_WORKER = 1, ROLE_OPERATOR = 2, ROLE_AUDITOR = 4 };

struct principal {
    enum principal_kind kind;
    unsigned roles;      /* bits of enum role */
    bool may_explain;    /* may see the result of each policy rule: POST /v1/attest/explain */
    bool may_administer; /* operators: may change reference values, POST /v1/policies/... */
    char tenant[TENANT_NAME_MAX + 1];
    char name[PRINCIPAL_NAME_MAX + 1]; /* unique in the tenant */
    /*
     * Identifies the principal for quotas, nonces, replay tables and sessions. For a token it is
     * the SHA-256 of the token. So a replaced token with the same name does not inherit the nonces
     * and sessions of the old token.
     */
    uint8_t id[PRINCIPAL_ID_SIZE];
};

/* Makes a principal of the default tenant, without roles, with a zero id. Cuts a long name. */
struct principal principal_named(enum principal_kind kind, const char *name);

/* True when the principal is of the default tenant, which the log does not name. */
bool principal_is_of_default(const struct principal *p);

/* True for a valid form of a name: 1 to 64 characters of A-Z a-z 0-9 . _ : - */
bool principal_name_is_plain(const char *name);

/* True when the principal has at least one of `roles` (bits of enum role). */
bool principal_has_role(const struct principal *p, unsigned roles);

/* "token", "api_key", ...; "none" for an unknown kind. */
const char *principal_kind_name(enum principal_kind kind);

/* "worker", "operator", "auditor"; "none" for any other value, also for several roles. */
const char *role_name(enum role role);

#endif
