/*
 * Who calls, after authentication. Every method of authentication (tokens, sessions, API keys, ...)
 * ends in one struct principal, and everything after it (authorisation, quotas, replay tables, the
 * log) sees the principal only, never the table or credential it came from. A plain value: copy it.
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
    bool may_explain;    /* sees what each rule of a policy says: POST /v1/attest/explain */
    bool may_administer; /* operators: may change reference values, POST /v1/policies/... */
    char tenant[TENANT_NAME_MAX + 1];
    char name[PRINCIPAL_NAME_MAX + 1]; /* unique in the tenant */
    /*
     * Identifies the principal for quotas, nonces, replay tables and sessions. Of a token: SHA-256
     * of the token, so a token that is replaced under its name loses its nonces and sessions.
     */
    uint8_t id[PRINCIPAL_ID_SIZE];
};

/* A principal of the default tenant, without roles and with an id of zeros. Cuts a long name. */
struct principal principal_named(enum principal_kind kind, const char *name);

/* Whether a name has the form of one: 1 to 64 characters of A-Z a-z 0-9 . _ : - */
bool principal_name_is_plain(const char *name);

/* Whether it has any of `roles` (bits of enum role). */
bool principal_has_role(const struct principal *p, unsigned roles);

/* "token", "api_key", ...; "none" for a kind that does not exist. */
const char *principal_kind_name(enum principal_kind kind);

/* "worker", "operator", "auditor"; "none" for anything else, several roles included. */
const char *role_name(enum role role);

#endif
