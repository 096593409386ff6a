/*
 * The connection string of a PostgreSQL server, in the form of libpq. It may contain a password, so
 * no message quotes any part of it.
 *
 * On a network address the connection needs TLS with a verified certificate (sslmode verify-full).
 * A local socket needs none. The environment (PGHOST, PGSSLMODE, ...) cannot weaken this.
 *
 * connect_timeout, in seconds, limits each wait for the server: 1 to 60, by default 10.
 */
#ifndef STORE_POSTGRES_ADDRESS_H
#define STORE_POSTGRES_ADDRESS_H

#include <libpq-fe.h>

#include "base/span.h"

enum { ADDRESS_OPTIONS_MAX = 96 };

struct pg_address {
    PQconninfoOption *given, *defaults;
    /* for PQconnectStartParams(): borrows from the two lists; ends with NULL */
    const char *keywords[ADDRESS_OPTIONS_MAX + 1];
    const char *values[ADDRESS_OPTIONS_MAX + 1];
    size_t count;
    const char *password; /* borrowed; NULL for none */
    int timeout_ms;
    bool is_local;
};

/*
 * Reads and checks a connection string. The operational log says what is wrong.
 * ERR_CONFIG it is malformed, names no host, or asks for less than verified TLS; ERR_MEMORY
 */
MUST_CHECK enum err pg_address_parse(const char *text, struct pg_address *out);
void pg_address_clear(struct pg_address *a); /* wipes what may be secret */

#endif
