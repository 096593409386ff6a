#include "auth/principal.h"

#include <stdio.h>
#include <string.h>

struct principal principal_named(enum principal_kind kind, const char *name)
{
    struct principal p = {.kind = kind, .tenant = TENANT_DEFAULT};

    (void)snprintf(p.name, sizeof p.name, "%s", name);
    return p;
}

bool principal_is_of_default(const struct principal *p)
{
    return strcmp(p->tenant, TENANT_DEFAULT) == 0;
}

bool principal_name_is_plain(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._:-";
    const size_t size = strlen(name);

    return size > 0 && size <= PRINCIPAL_NAME_MAX && size == strspn(name, allowed);
}

bool principal_has_role(const struct principal *p, unsigned roles)
{
    return p->kind != PRINCIPAL_NONE && (p->roles & roles) != 0;
}

const char *principal_kind_name(enum principal_kind kind)
{
    static const char *const names[PRINCIPAL_KINDS] = {
        [PRINCIPAL_NONE] = "none",         [PRINCIPAL_TOKEN] = "token",
        [PRINCIPAL_API_KEY] = "api_key",   [PRINCIPAL_JWT] = "jwt",
        [PRINCIPAL_NEO] = "neo",           [PRINCIPAL_NEAR] = "near",
        [PRINCIPAL_SESSION] = "session",   [PRINCIPAL_FUNCTION] = "function",
        [PRINCIPAL_OPERATOR] = "operator",
    };

    return (unsigned)kind < PRINCIPAL_KINDS ? names[kind] : names[PRINCIPAL_NONE];
}

const char *role_name(enum role role)
{
    switch (role) {
    case ROLE_WORKER:
        return "worker";
    case ROLE_OPERATOR:
        return "operator";
    case ROLE_AUDITOR:
        return "auditor";
    case ROLE_NONE:
        break;
    }
    return "none";
}
