#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/migrations.h"
#include "store/postgres/engine.h"

enum {
    SERVER_VERSION_MIN = 130000,
    TEXT_SHOWN_MAX = 256, /* bytes of a message of the server in our log */
    NAME_SIZE = 24,       /* of a prepared statement */
    US_PER_MS = 1000,
    US_PER_S = 1000000,
    STEP_US = 100 * 1000,
    HURRIED_US = US_PER_S, /* the longest wait of a process that ends */
};

/* Milliseconds since 1970 by the clock of the database. */
#define NOW "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

/*
 * 1 / (condition)::int fails with division_by_zero where a check does not hold, so the server skips
 * the rest of the pipeline, COMMIT included.
 */
static const char *const statement_sql[PG_STATEMENTS] = {
    [PG_NODE_LOCK] = "SELECT node, origin, token, state FROM node WHERE node = $1 FOR UPDATE",
    /* one statement, so that all rows are of one moment */
    [PG_ROWS_READ] = "SELECT w.n, i.kind, i.id, i.version, i.lookup, i.sealed"
                     " FROM unnest($1, $2) WITH ORDINALITY AS w (kind, id, n)"
                     " JOIN item i ON i.kind = w.kind AND i.id = w.id UNION ALL "
                     "SELECT -w.n, i.kind, i.id, i.version, i.lookup, i.sealed"
                     " FROM unnest($3, $4) WITH ORDINALITY AS w (kind, lookup, n)"
                     " JOIN item i ON i.kind = w.kind AND i.lookup = w.lookup"
                     " AND i.lookup IS NOT NULL",
    [PG_STRIPES_LOCK] = "SELECT CASE WHEN k < 0 THEN pg_advisory_xact_lock_shared(-k)"
                        " ELSE pg_advisory_xact_lock(k) END FROM unnest($1) AS k",
    [PG_IDS_CHECK] = "SELECT 1 / (count(*) = 0)::int"
                     " FROM unnest($1, $2, $3) AS w (kind, id, version)"
                     " LEFT JOIN item i ON i.kind = w.kind AND i.id = w.id"
                     " WHERE coalesce(i.version, 0) <> w.version",
    [PG_LOOKUPS_CHECK] = "SELECT 1 / (count(*) = 0)::int"
                         " FROM unnest($1, $2, $3) AS w (kind, lookup, id)"
                         " LEFT JOIN item i ON i.kind = w.kind AND i.lookup = w.lookup"
                         " AND i.lookup IS NOT NULL WHERE i.id IS DISTINCT FROM w.id",
    [PG_ITEM_INSERT] = "INSERT INTO item (kind, id, version, lookup, sealed)"
                       " SELECT * FROM unnest($1, $2, $3, $4, $5)",
    [PG_ITEM_UPDATE] = "WITH u AS (UPDATE item i SET sealed = w.sealed, version = w.version"
                       " FROM unnest($1, $2, $3, $4, $5) AS w (kind, id, before, version, sealed)"
                       " WHERE i.kind = w.kind AND i.id = w.id AND i.version = w.before"
                       " RETURNING 1) SELECT 1 / (count(*) = cardinality($1))::int FROM u",
    [PG_ITEM_DELETE] = "WITH d AS (DELETE FROM item i"
                       " USING unnest($1, $2, $3) AS w (kind, id, before)"
                       " WHERE i.kind = w.kind AND i.id = w.id AND i.version = w.before"
                       " RETURNING 1) SELECT 1 / (count(*) = cardinality($1))::int FROM d",
    [PG_ENTRY_INSERT] = "INSERT INTO log_entry (node, idx, entry) SELECT $1, $2 + n - 1, entry"
                        " FROM unnest($3) WITH ORDINALITY AS w (entry, n)",
    [PG_SUBTREE_INSERT] = "INSERT INTO log_node (node, level, idx, hash) SELECT $1, w.*"
                          " FROM unnest($2, $3, $4) AS w (level, idx, hash)",
    [PG_NODE_UPDATE] = sql_node_update,
    [PG_NODE_INSERT] = "INSERT INTO node (node, origin, state) VALUES ($1, $2, $3)"
                       " ON CONFLICT DO NOTHING RETURNING node",
    [PG_NODE_LIST] = sql_node_list,
    [PG_NODE_FIND] = "SELECT node FROM node WHERE node = $1",
    [PG_LEASE_TAKE] = "UPDATE node SET token = token + 1, holder = $2, expires = " NOW " + $3"
                      " WHERE node = $1 AND (holder IS NULL OR holder = $2 OR expires <= " NOW ")"
                      " RETURNING token",
    [PG_LEASE_RENEW] = "UPDATE node SET expires = " NOW " + $3"
                       " WHERE node = $1 AND token = $2 AND holder IS NOT NULL RETURNING token",
    [PG_LEASE_RELEASE] = "UPDATE node SET holder = NULL, expires = 0"
                         " WHERE node = $1 AND token = $2 AND holder IS NOT NULL RETURNING token",
    /* some entries at a time, so that no statement takes long */
    [PG_ENTRIES_DROP] = "WITH n AS (SELECT 1 FROM node WHERE node = $1 AND token = $2 FOR UPDATE),"
                        " d AS (DELETE FROM log_entry WHERE node = $1 AND EXISTS (TABLE n)"
                        " AND idx < least($3, $4 +"
                        " (SELECT min(idx) FROM log_entry WHERE node = $1)) RETURNING 1)"
                        " SELECT (SELECT count(*) FROM n), (SELECT count(*) FROM d)",
    [PG_SIZE] = "SELECT sum(pg_total_relation_size(name))::bigint"
                " FROM unnest(ARRAY['item', 'log_entry', 'log_node', 'node']) AS t (name)",
    [PG_ITEM_BY_ID] = sql_item_by_id,
    [PG_ITEM_BY_LOOKUP] = sql_item_by_lookup,
    [PG_ITEM_SCAN] = sql_item_scan,
    [PG_ENTRIES] = "SELECT idx, entry FROM log_entry"
                   " WHERE node = $1 AND idx >= $2 AND idx < $3 ORDER BY idx",
    [PG_SUBTREES] = "SELECT idx, hash FROM log_node WHERE node = $1 AND level = $2"
                    " AND idx >= $3 AND idx < $4 ORDER BY idx",
};

/* The types of the parameters: a letter for each, see type_of(). */
static const char *const statement_types[PG_STATEMENTS] = {
    [PG_NODE_LOCK] = "n",         [PG_ROWS_READ] = "NBNB",    [PG_STRIPES_LOCK] = "N",
    [PG_IDS_CHECK] = "NBN",       [PG_LOOKUPS_CHECK] = "NBB", [PG_ITEM_INSERT] = "NBNBB",
    [PG_ITEM_UPDATE] = "NBNNB",   [PG_ITEM_DELETE] = "NBN",   [PG_ENTRY_INSERT] = "nnB",
    [PG_SUBTREE_INSERT] = "nNNB", [PG_NODE_UPDATE] = "bnn",   [PG_NODE_INSERT] = "ntb",
    [PG_NODE_LIST] = "",          [PG_NODE_FIND] = "n",       [PG_LEASE_TAKE] = "nbn",
    [PG_LEASE_RENEW] = "nnn",     [PG_LEASE_RELEASE] = "nn",  [PG_ENTRIES_DROP] = "nnnn",
    [PG_ITEM_BY_ID] = "nb",       [PG_ITEM_BY_LOOKUP] = "nb", [PG_ITEM_SCAN] = "n",
    [PG_ENTRIES] = "nnn",         [PG_SUBTREES] = "nnnn",     [PG_SIZE] = "",
};

/* Object ids of pg_type.dat, fixed for ever. */
static Oid type_of(char letter)
{
    switch (letter) {
    case 'n':
        return 20; /* int8 */
    case 'b':
        return 17; /* bytea */
    case 't':
        return 25; /* text */
    case 'N':
        return 1016; /* int8[] */
    case 'B':
        return 1001; /* bytea[] */
    default:
        return 0; /* the server decides */
    }
}

static void statement_name(size_t s, char out[NAME_SIZE])
{
    (void)snprintf(out, NAME_SIZE, "s%zu", s);
}

void pg_disconnect(struct pg_connection *c)
{
    PQfinish(c->link);
    c->link = NULL;
}

/* The first line of what libpq or the server says, unless it has the password in it. */
static struct span shown_text(const struct pg_connection *c, const char *text)
{
    if (c->password && strstr(text, c->password))
        return SPAN_LITERAL("(not shown: it has the password in it)");
    return span_slice(span_of(text, strcspn(text, "\n")), 0, TEXT_SHOWN_MAX);
}

/* Closes the connection and says why, once in a while as long as the server is lost. */
MUST_CHECK static enum err lost(struct pg_connection *c, const char *what)
{
    if (!c->quiet)
        log_write(LOG_WARN, "store", "the connection to PostgreSQL failed",
                  LOG_STRING("what", what),
                  LOG_SPAN("text", shown_text(c, c->link ? PQerrorMessage(c->link) : "")),
                  LOG_STRING("next", "it is tried again until it succeeds"));
    pg_disconnect(c);
    return ERR_UNAVAILABLE;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Waits for the socket; in short steps, to see whether the process ends. ERR_TIMEOUT; ERR_IO */
MUST_CHECK static enum err socket_wait(const struct pg_connection *c, short events,
                                       int64_t deadline_us)
{
    int64_t hurried_us = INT64_MAX;

    for (;;) {
        struct pollfd p = {.fd = PQsocket(c->link), .events = events};
        int64_t now_us = clock_monotonic_us();
        int64_t left_us;
        int ready;

        if (p.fd < 0)
            return ERR_IO;
        if (c->hurries && atomic_load_explicit(c->hurries, memory_order_relaxed))
            hurried_us = sooner(hurried_us, now_us + HURRIED_US);
        left_us = sooner(sooner(deadline_us, hurried_us) - now_us, STEP_US);
        ready = poll(&p, 1, left_us > 0 ? (int)(left_us / US_PER_MS) + 1 : 0);
        if (ready > 0)
            return ERR_NONE;
        if (ready == 0 && left_us <= 0)
            return ERR_TIMEOUT;
        if (ready < 0 && errno != EINTR)
            return ERR_IO;
    }
}

static int64_t deadline_of(const struct pg_connection *c)
{
    return clock_monotonic_us() + (int64_t)c->timeout_ms * US_PER_MS;
}

static void notice_ignore(void *context, const PGresult *r)
{
    (void)context; /* libpq would print it */
    (void)r;
}

MUST_CHECK static enum err connect_finish(struct pg_connection *c)
{
    int64_t deadline_us = deadline_of(c);
    PostgresPollingStatusType now = PGRES_POLLING_WRITING;

    while (now == PGRES_POLLING_READING || now == PGRES_POLLING_WRITING) {
        enum err e = socket_wait(c, now == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us);

        if (e != ERR_NONE)
            return lost(c, e == ERR_TIMEOUT ? "connecting took too long" : "connecting failed");
        now = PQconnectPoll(c->link);
    }
    return now == PGRES_POLLING_OK ? ERR_NONE : lost(c, "connecting failed");
}

/* Checks on the connection what the address promised. */
MUST_CHECK static enum err connection_check(struct pg_connection *c)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof peer;

    if (PQserverVersion(c->link) < SERVER_VERSION_MIN) {
        log_write(LOG_ERROR, "store", "the PostgreSQL server is too old",
                  LOG_NUMBER("version", PQserverVersion(c->link)),
                  LOG_NUMBER("expected", SERVER_VERSION_MIN));
        pg_disconnect(c);
        return ERR_UNSUPPORTED;
    }
    if (PQsslInUse(c->link))
        return ERR_NONE;
    if (getpeername(PQsocket(c->link), (struct sockaddr *)&peer, &size) != 0 ||
        peer.ss_family != AF_UNIX)
        return lost(c, "the connection is on a network and has no TLS");
    return ERR_NONE;
}

/*
 * The server gives up before we do: so it says why, and holds no locks for a process that was
 * stopped. All our statements find rows by their keys; a plan that was made for an empty table
 * must not read a large one through.
 */
MUST_CHECK static enum err session_set(struct pg_connection *c)
{
    char sql[1024];

    (void)snprintf(
        sql, sizeof sql,
        "SET statement_timeout = %d; SET lock_timeout = %d;"
        "SET idle_in_transaction_session_timeout = %d; SET client_min_messages = error;"
        "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
        "SET plan_cache_mode = force_generic_plan;"
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') IN ('off', 'local')",
        c->timeout_ms, c->timeout_ms / 2, c->timeout_ms);
    return pg_exec(c, sql, NULL);
}

enum err pg_connect(const struct pg_address *a, struct pg_connection *c)
{
    enum err e;

    pg_disconnect(c);
    c->timeout_ms = a->timeout_ms;
    c->password = a->password;
    c->link = PQconnectStartParams(a->keywords, a->values, 0);
    if (!c->link)
        return ERR_MEMORY;
    (void)PQsetNoticeReceiver(c->link, notice_ignore, NULL);
    if (PQstatus(c->link) == CONNECTION_BAD)
        return lost(c, "connecting failed");
    e = connect_finish(c);
    if (e == ERR_NONE)
        e = connection_check(c);
    if (e == ERR_NONE && PQsetnonblocking(c->link, 1) != 0)
        e = lost(c, "connecting failed");
    return e == ERR_NONE ? session_set(c) : e;
}

bool pg_is_alive(struct pg_connection *c)
{
    struct pollfd p = {.events = POLLIN};

    if (!c->link)
        return false;
    p.fd = PQsocket(c->link);
    /* when idle, the server sends parameters that changed, or that it ends */
    if (p.fd < 0 || (poll(&p, 1, 0) > 0 && !PQconsumeInput(c->link)) ||
        PQstatus(c->link) != CONNECTION_OK) {
        pg_disconnect(c);
        return false;
    }
    return true;
}

/* Begins of SQLSTATEs (PostgreSQL's manual, appendix A). The first that fits counts. */
static const struct {
    const char *state;
    enum err e;
} states[] = {
    {"08",    ERR_UNAVAILABLE}, /* connection */
    {"57P",   ERR_UNAVAILABLE}, /* the server stops, or a database is dropped */
    {"25006", ERR_UNAVAILABLE}, /* read only: a standby by now */
    {"25P03", ERR_UNAVAILABLE}, /* idle in a transaction for too long */
    {"0A000", ERR_UNAVAILABLE}, /* the same, said of BEGIN READ WRITE */
    {"40",    ERR_CONFLICT   }, /* serialization failure, deadlock */
    {"22012", ERR_CONFLICT   }, /* division by zero: a check of ours */
    {"23",    ERR_TAMPERED   }, /* a constraint: there is a row where we left none */
    {"42P01", ERR_TAMPERED   }, /* no such table */
    {"42703", ERR_TAMPERED   }, /* no such column */
    {"55P03", ERR_TIMEOUT    }, /* a lock was not granted in time */
    {"57014", ERR_TIMEOUT    }, /* a statement took too long */
};

MUST_CHECK static enum err error_of_state(const char *state)
{
    for (size_t i = 0; i < COUNT_OF(states); i++)
        if (strncmp(state, states[i].state, strlen(states[i].state)) == 0)
            return states[i].e;
    return ERR_IO;
}

MUST_CHECK static enum err result_error(struct pg_connection *c, const PGresult *r)
{
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    enum err e = ERR_UNAVAILABLE;

    /* without a state the error is libpq's: the connection broke */
    if (state && severity && strcmp(severity, "FATAL") != 0 && strcmp(severity, "PANIC") != 0 &&
        PQstatus(c->link) == CONNECTION_OK)
        e = error_of_state(state);
    if (e == ERR_CONFLICT)
        return e; /* no fault */
    log_write(e == ERR_UNAVAILABLE || e == ERR_TIMEOUT ? LOG_WARN : LOG_ERROR, "store",
              "PostgreSQL reports an error", LOG_STRING("error", err_code(e)),
              LOG_STRING("sqlstate", state ? state : "none"),
              LOG_SPAN("text", shown_text(c, text ? text : PQerrorMessage(c->link))));
    if (e == ERR_UNAVAILABLE)
        pg_disconnect(c);
    return e;
}

/* The next result, or NULL at the end of a statement. Sends what is queued meanwhile. */
MUST_CHECK static enum err result_next(struct pg_connection *c, PGresult **out)
{
    int64_t deadline_us = deadline_of(c);
    int unsent = PQflush(c->link);

    while (unsent >= 0 && PQisBusy(c->link)) {
        short events = (short)(POLLIN | (unsent > 0 ? POLLOUT : 0));
        enum err e = socket_wait(c, events, deadline_us);

        if (e == ERR_TIMEOUT)
            return lost(c, "the server did not answer in time");
        if (e != ERR_NONE || !PQconsumeInput(c->link))
            return lost(c, "reading failed");
        unsent = PQflush(c->link);
    }
    if (unsent < 0)
        return lost(c, "writing failed");
    *out = PQgetResult(c->link);
    return ERR_NONE;
}

/* Whether a result says that its statement ran. */
static bool is_good(const PGresult *r)
{
    ExecStatusType s = PQresultStatus(r);

    return s == PGRES_TUPLES_OK || s == PGRES_COMMAND_OK || s == PGRES_SINGLE_TUPLE;
}

/* The results of statements outside of pipeline mode. `*kept`, unless NULL, gets the last one. */
MUST_CHECK static enum err results_take(struct pg_connection *c, PGresult **kept)
{
    enum err result = ERR_NONE;

    for (;;) {
        PGresult *r = NULL;
        enum err e = result_next(c, &r);

        if (e != ERR_NONE)
            return e;
        if (!r)
            return result;
        if (!is_good(r) && result == ERR_NONE)
            result = result_error(c, r);
        if (kept && is_good(r)) {
            PQclear(*kept);
            *kept = r;
        } else {
            PQclear(r);
        }
        if (!c->link)
            return result;
    }
}

enum err pg_exec(struct pg_connection *c, const char *sql, PGresult **out)
{
    PGresult *kept = NULL;
    enum err e;

    if (!c->link)
        return ERR_UNAVAILABLE;
    if (!PQsendQuery(c->link, sql))
        return lost(c, "writing failed");
    e = results_take(c, out ? &kept : NULL);
    if (e == ERR_NONE && out)
        *out = kept;
    else
        PQclear(kept);
    return e;
}

enum err pg_queue(struct pg_connection *c, enum pg_statement s, const struct pg_params *p)
{
    static const int binary[PG_PARAMS_MAX] = {1, 1, 1, 1, 1};
    char name[NAME_SIZE];

    if (!c->link)
        return ERR_UNAVAILABLE;
    statement_name(s, name);
    if (!PQsendQueryPrepared(c->link, name, p->count, p->values, p->sizes, binary, 1))
        return lost(c, "writing failed");
    return ERR_NONE;
}

enum err pg_queue_arrays(struct pg_connection *c, enum pg_statement s, struct pg_params *p,
                         struct pg_array *arrays)
{
    enum err e = ERR_NONE;

    for (const char *type = statement_types[s] + p->count; e == ERR_NONE && *type; type++)
        e = pg_add_array(p, arrays++, type_of(*type == 'N' ? 'n' : 'b'));
    return e == ERR_NONE ? pg_queue(c, s, p) : e;
}

enum err pg_queue_text(struct pg_connection *c, const char *sql)
{
    if (!c->link)
        return ERR_UNAVAILABLE;
    if (!PQsendQueryParams(c->link, sql, 0, NULL, NULL, NULL, NULL, 1))
        return lost(c, "writing failed");
    return ERR_NONE;
}

/* Each statement gives one result and NULL, and the end of the pipeline one of its own. */
enum err pg_finish(struct pg_connection *c, PGresult **results, size_t kept)
{
    enum err result = ERR_NONE;
    size_t at = 0;

    if (!c->link)
        return ERR_UNAVAILABLE;
    if (!PQpipelineSync(c->link))
        return lost(c, "writing failed");
    for (bool ended = false; !ended;) {
        PGresult *r = NULL;
        enum err e = result_next(c, &r);

        if (e != ERR_NONE)
            return e;
        if (!r && PQstatus(c->link) != CONNECTION_OK)
            return lost(c, "reading failed");
        if (!r) {
            at++;
            continue;
        }
        ended = PQresultStatus(r) == PGRES_PIPELINE_SYNC;
        if (!ended && !is_good(r) && PQresultStatus(r) != PGRES_PIPELINE_ABORTED &&
            result == ERR_NONE)
            result = result_error(c, r);
        if (at < kept && is_good(r) && !results[at])
            results[at] = r;
        else
            PQclear(r);
        if (!c->link)
            return result;
    }
    return result;
}

enum err pg_query(struct pg_connection *c, enum pg_statement s, const struct pg_params *p,
                  pg_each *each, void *context)
{
    enum err result = pg_queue(c, s, p);

    if (result == ERR_NONE && !PQsetSingleRowMode(c->link))
        result = lost(c, "reading failed");
    if (result != ERR_NONE)
        return result;
    for (;;) {
        PGresult *r = NULL;
        enum err e = result_next(c, &r);

        if (e != ERR_NONE)
            return e;
        if (!r)
            return result;
        if (!is_good(r) && result == ERR_NONE)
            result = result_error(c, r);
        for (int row = 0; result == ERR_NONE && row < PQntuples(r); row++) {
            result = each(context, r, row);
            if (result != ERR_NONE)
                pg_disconnect(c); /* more rows may be on their way */
        }
        PQclear(r);
        if (!c->link)
            return result;
    }
}

enum err pg_prepare(struct pg_connection *c, bool pipeline)
{
    enum err e = ERR_NONE;
    char name[NAME_SIZE];

    if (!c->link)
        return ERR_UNAVAILABLE;
    if (!PQenterPipelineMode(c->link))
        return lost(c, "preparing failed");
    for (size_t s = 0; s < PG_STATEMENTS; s++) {
        Oid types[PG_PARAMS_MAX] = {0};
        int count = 0;

        for (; count < PG_PARAMS_MAX && statement_types[s][count]; count++)
            types[count] = type_of(statement_types[s][count]);
        statement_name(s, name);
        if (!PQsendPrepare(c->link, name, statement_sql[s], count, types))
            return lost(c, "preparing failed");
    }
    e = pg_finish(c, NULL, 0);
    if (e == ERR_NONE && !pipeline && !PQexitPipelineMode(c->link))
        e = lost(c, "preparing failed");
    return e;
}
