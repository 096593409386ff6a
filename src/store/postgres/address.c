#include "store/postgres/address.h"

#include <string.h>

#include "base/log.h"
#include "base/text.h"

enum { TIMEOUT_DEFAULT_S = 10, TIMEOUT_MAX_S = 60, MS_PER_S = 1000 };

MUST_CHECK static enum err refuse(const char *what, const char *next)
{
    log_write(LOG_ERROR, "store", "the PostgreSQL connection string is refused",
              LOG_STRING("what", what), LOG_STRING("next", next));
    return ERR_CONFIG;
}

/* NULL when the list does not have it, or has it empty: libpq makes no difference. */
static const char *option(const PQconninfoOption *list, const char *keyword)
{
    for (; list && list->keyword; list++)
        if (strcmp(list->keyword, keyword) == 0)
            return list->val && *list->val ? list->val : NULL;
    return NULL;
}

static const char *effective(const struct pg_address *a, const char *keyword)
{
    const char *given = option(a->given, keyword);

    return given ? given : option(a->defaults, keyword);
}

static bool is_host_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':';
}

enum host_kind { HOST_LOCAL, HOST_NETWORK, HOST_BAD };

/* One element of the list. A name with other characters is a URI whose password was not escaped. */
static enum host_kind host_kind(const char *host, size_t size)
{
    if (size > 0 && (host[0] == '/' || host[0] == '@'))
        return HOST_LOCAL;
    for (size_t i = 0; i < size; i++)
        if (!is_host_character(host[i]))
            return HOST_BAD;
    return size > 0 ? HOST_NETWORK : HOST_BAD;
}

MUST_CHECK static enum err hosts_check(struct pg_address *a)
{
    const char *host = effective(a, "host");

    if (!host)
        return refuse("the string names no host", "add host= with a name, or the directory of the "
                                                  "server's Unix socket");
    a->is_local = !effective(a, "hostaddr");
    for (;;) {
        size_t size = strcspn(host, ",");
        enum host_kind kind = host_kind(host, size);

        if (kind == HOST_BAD)
            return refuse("a host name has a character that no host name has, or is empty",
                          "in a URI, write special characters of the password as %XX");
        a->is_local = a->is_local && kind == HOST_LOCAL;
        if (!host[size])
            return ERR_NONE;
        host += size + 1;
    }
}

MUST_CHECK static enum err tls_check(const struct pg_address *a)
{
    const char *mode = option(a->given, "sslmode");

    if (effective(a, "service"))
        return refuse("the string or PGSERVICE names a service",
                      "write all settings in the string");
    if (!a->is_local && mode && strcmp(mode, "verify-full") != 0)
        return refuse("the address is on a network, and sslmode is weaker than verify-full",
                      "set sslmode=verify-full and sslrootcert=FILE, or use a Unix socket");
    return ERR_NONE;
}

MUST_CHECK static enum err timeout_check(struct pg_address *a)
{
    const char *text = option(a->given, "connect_timeout");
    uint64_t seconds = TIMEOUT_DEFAULT_S;

    if (text && (decimal_read(span_string(text), &seconds) != ERR_NONE || seconds < 1 ||
                 seconds > TIMEOUT_MAX_S))
        return refuse("connect_timeout is not a number of seconds from 1 to 60",
                      "correct it, or leave it out");
    a->timeout_ms = (int)seconds * MS_PER_S;
    return ERR_NONE;
}

static void add(struct pg_address *a, const char *keyword, const char *value)
{
    if (!value || a->count == ADDRESS_OPTIONS_MAX)
        return;
    a->keywords[a->count] = keyword;
    a->values[a->count++] = value;
}

/* These do not come from the string or the environment. */
static bool is_ours(const char *keyword)
{
    static const char *const ours[] = {"sslmode",         "gssencmode",
                                       "client_encoding", "connect_timeout",
                                       "replication",     "fallback_application_name",
                                       "service"};

    for (size_t i = 0; i < COUNT_OF(ours); i++)
        if (strcmp(keyword, ours[i]) == 0)
            return true;
    return false;
}

/* All options are given to libpq, so that it takes none from elsewhere. */
static void options_list(struct pg_address *a)
{
    for (const PQconninfoOption *o = a->defaults; o->keyword; o++)
        if (!is_ours(o->keyword) && strcmp(o->keyword, "target_session_attrs") != 0)
            add(a, o->keyword, effective(a, o->keyword));
    add(a, "target_session_attrs",
        option(a->given, "target_session_attrs") ? option(a->given, "target_session_attrs")
                                                 : "read-write");
    add(a, "sslmode", a->is_local ? "disable" : "verify-full");
    add(a, "gssencmode", "disable"); /* it would take the place of TLS */
    add(a, "client_encoding", "UTF8");
    add(a, "fallback_application_name", "vouchsafe");
    a->password = effective(a, "password");
}

enum err pg_address_parse(const char *text, struct pg_address *out)
{
    struct pg_address a = {0};
    char *message = NULL; /* it may quote the string, so it is not printed */
    enum err e = ERR_NONE;

    a.given = PQconninfoParse(text, &message);
    if (!a.given)
        e = refuse("the string is malformed",
                   "write KEY=VALUE pairs or a postgresql:// URI, as libpq reads them");
    if (message)
        bytes_wipe(message, strlen(message));
    PQfreemem(message);
    if (e == ERR_NONE && !(a.defaults = PQconndefaults()))
        e = ERR_MEMORY;
    if (e == ERR_NONE)
        e = hosts_check(&a);
    if (e == ERR_NONE)
        e = tls_check(&a);
    if (e == ERR_NONE)
        e = timeout_check(&a);
    if (e != ERR_NONE) {
        pg_address_clear(&a);
        return e;
    }
    options_list(&a);
    *out = a;
    return ERR_NONE;
}

static void list_clear(PQconninfoOption *list)
{
    for (PQconninfoOption *o = list; o && o->keyword; o++)
        if (o->val)
            bytes_wipe(o->val, strlen(o->val));
    PQconninfoFree(list);
}

void pg_address_clear(struct pg_address *a)
{
    list_clear(a->given);
    list_clear(a->defaults);
    *a = (struct pg_address){0};
}
