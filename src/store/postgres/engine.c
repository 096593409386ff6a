#include "store/postgres/engine.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    DROP_AT_ONCE = 10000,
    US_PER_MS = 1000,
    TRY_AGAIN_US = 300 * US_PER_MS, /* after a try that failed */
    SAY_AGAIN_US = 60000 * US_PER_MS,
};

struct pg_engine *pg_engine_of(struct store_engine *e)
{
    return (struct pg_engine *)e; /* its first member */
}

/* The result of a try to connect. */
static void reached(struct pg_engine *q, const struct pg_connection *c, enum err e)
{
    int64_t now_us = clock_monotonic_us();
    int64_t since_us;

    (void)pthread_mutex_lock(&q->mutex);
    since_us = q->lost.since_us;
    if (e == ERR_UNAVAILABLE) {
        q->lost.since_us = since_us > 0 ? since_us : now_us;
        q->lost.next_try_us = now_us + TRY_AGAIN_US;
        if (!c->quiet)
            q->lost.said_us = now_us;
    } else {
        q->lost.since_us = 0;
    }
    (void)pthread_mutex_unlock(&q->mutex);
    if (e == ERR_NONE && since_us > 0)
        log_write(LOG_INFO, "store", "PostgreSQL answers again",
                  LOG_NUMBER("after_ms", (now_us - since_us) / US_PER_MS));
}

enum err pg_reach(struct pg_engine *q, struct pg_connection *c)
{
    int64_t now_us = clock_monotonic_us();
    bool too_soon;
    enum err e;

    (void)pthread_mutex_lock(&q->mutex);
    too_soon = q->lost.since_us > 0 && now_us < q->lost.next_try_us;
    c->quiet = q->lost.since_us > 0 && now_us - q->lost.said_us < SAY_AGAIN_US;
    (void)pthread_mutex_unlock(&q->mutex);
    if (too_soon)
        return ERR_UNAVAILABLE;
    c->hurries = &q->hurries;
    e = pg_connect(&q->address, c);
    reached(q, c, e);
    c->quiet = false;
    return e;
}

static void hurry(struct store_engine *engine)
{
    atomic_store_explicit(&pg_engine_of(engine)->hurries, true, memory_order_relaxed);
}

enum err pg_writer_ready(struct pg_engine *q, bool *fresh)
{
    enum err e;

    if (pg_is_alive(&q->writer))
        return ERR_NONE;
    *fresh = true;
    e = pg_reach(q, &q->writer);
    if (e == ERR_NONE)
        e = pg_prepare(&q->writer, true);
    if (e == ERR_NONE)
        return ERR_NONE;
    pg_disconnect(&q->writer);
    return e == ERR_TIMEOUT || e == ERR_CONFLICT ? ERR_UNAVAILABLE : e;
}

static void engine_close(struct store_engine **engine)
{
    struct pg_engine *q = *engine ? pg_engine_of(*engine) : NULL;

    if (!q)
        return;
    if (q->in_group)
        pg_group_abort(*engine);
    pg_readers_close(q);
    pg_disconnect(&q->writer);
    pg_address_clear(&q->address);
    (void)pthread_cond_destroy(&q->reader_returned);
    (void)pthread_mutex_destroy(&q->mutex);
    free(q);
    *engine = NULL;
}

MUST_CHECK static enum err engine_open(const struct engine_options *options,
                                       struct store_engine **out)
{
    struct pg_engine *q = calloc(1, sizeof *q);
    struct store_engine *engine = q ? &q->base : NULL;
    enum err e;

    if (!q)
        return ERR_MEMORY;
    (void)pthread_mutex_init(&q->mutex, NULL);
    (void)pthread_cond_init(&q->reader_returned, NULL);
    q->base.ops = &store_postgres;
    e = pg_address_parse(options->address, &q->address);
    if (e == ERR_NONE)
        e = pg_reach(q, &q->writer);
    if (e == ERR_NONE && !options->inspect)
        e = pg_migrate(&q->writer, options->create);
    if (e == ERR_NONE)
        e = pg_prepare(&q->writer, true);
    if (e == ERR_NONE) {
        *out = engine;
        engine = NULL; /* the caller owns it now */
    }
    engine_close(&engine);
    return e == ERR_TIMEOUT ? ERR_UNAVAILABLE : e;
}

MUST_CHECK static enum err address_check(const char *text)
{
    struct pg_address a;
    enum err e = pg_address_parse(text, &a);

    if (e == ERR_NONE)
        pg_address_clear(&a);
    return e;
}

/* Runs what the caller queues; one statement is a transaction. */
MUST_CHECK static enum err writer_run(struct pg_engine *q, enum pg_statement s,
                                      const struct pg_params *p, PGresult **result)
{
    bool fresh = false;
    enum err e = q->in_group ? ERR_INTERNAL : pg_writer_ready(q, &fresh);

    if (e == ERR_NONE)
        e = pg_queue(&q->writer, s, p);
    if (e == ERR_NONE)
        e = pg_finish(&q->writer, result, 1);
    return e == ERR_TIMEOUT ? ERR_UNAVAILABLE : e;
}

/* ERR_NOT_FOUND the statement gave no row */
MUST_CHECK static enum err number_take(struct pg_engine *q, enum pg_statement s,
                                       const struct pg_params *p, uint64_t *out)
{
    PGresult *r = NULL;
    enum err e = writer_run(q, s, p, &r);

    if (e == ERR_NONE)
        e = r && PQntuples(r) == 1 ? pg_number(r, 0, 0, out) : ERR_NOT_FOUND;
    PQclear(r);
    return e;
}

MUST_CHECK static enum err node_add(struct store_engine *engine, uint32_t node, const char *origin,
                                    struct span state)
{
    struct pg_params p = {0};
    uint64_t added = 0;
    enum err e;

    pg_add_number(&p, node);
    pg_add_bytes(&p, span_string(origin));
    pg_add_bytes(&p, state);
    e = number_take(pg_engine_of(engine), PG_NODE_INSERT, &p, &added);
    return e == ERR_NOT_FOUND ? ERR_CONFLICT : e;
}

MUST_CHECK static enum err lease_take(struct store_engine *engine, uint32_t node,
                                      const uint8_t holder[16], int64_t duration_ms,
                                      uint64_t *token)
{
    struct pg_engine *q = pg_engine_of(engine);
    struct pg_params find = {0};
    struct pg_params p = {0};
    uint64_t found = 0;
    enum err e;

    pg_add_number(&find, node);
    pg_add_number(&p, node);
    pg_add_bytes(&p, span_of(holder, 16));
    pg_add_number(&p, (uint64_t)duration_ms);
    e = number_take(q, PG_LEASE_TAKE, &p, token);
    if (e != ERR_NOT_FOUND)
        return e;
    e = number_take(q, PG_NODE_FIND, &find, &found);
    return e == ERR_NONE ? ERR_CONFLICT : e;
}

MUST_CHECK static enum err row_seen(void *context, const PGresult *r, int row)
{
    (void)r;
    (void)row;
    *(bool *)context = true;
    return ERR_NONE;
}

MUST_CHECK static enum err lease_change(struct store_engine *engine, enum pg_statement s,
                                        const struct pg_params *p)
{
    bool done = false;
    enum err e = pg_read(pg_engine_of(engine), s, p, row_seen, &done);

    return e == ERR_NONE && !done ? ERR_DENIED : e;
}

MUST_CHECK static enum err lease_renew(struct store_engine *engine, uint32_t node, uint64_t token,
                                       int64_t duration_ms)
{
    struct pg_params p = {0};

    pg_add_number(&p, node);
    pg_add_number(&p, token);
    pg_add_number(&p, (uint64_t)duration_ms);
    return lease_change(engine, PG_LEASE_RENEW, &p);
}

MUST_CHECK static enum err lease_release(struct store_engine *engine, uint32_t node, uint64_t token)
{
    struct pg_params p = {0};

    pg_add_number(&p, node);
    pg_add_number(&p, token);
    return lease_change(engine, PG_LEASE_RELEASE, &p);
}

MUST_CHECK static enum err size_take(void *context, const PGresult *r, int row)
{
    return pg_number(r, row, 0, context);
}

/* Room that deleted rows leave counts until VACUUM FULL: only the server uses it again. */
MUST_CHECK static enum err size(struct store_engine *engine, uint64_t *bytes)
{
    const struct pg_params none = {0};

    *bytes = 0;
    return pg_read(pg_engine_of(engine), PG_SIZE, &none, size_take, bytes);
}

MUST_CHECK static enum err files_check(struct store_engine *engine)
{
    (void)engine; /* the server's files are the server's */
    return ERR_NONE;
}

MUST_CHECK static enum err clear(struct store_engine *engine)
{
    /* the second one divides by zero while a lease runs: no process can take one meanwhile */
    static const char *const statements[] = {
        "SELECT node FROM node FOR UPDATE",
        ("SELECT 1 / (count(*) = 0)::int FROM node WHERE holder IS NOT NULL"
         " AND expires > (extract(epoch FROM clock_timestamp()) * 1000)::bigint"),
        "TRUNCATE item, log_entry, log_node, node",
    };
    struct pg_engine *q = pg_engine_of(engine);
    bool fresh = false;
    enum err e = q->in_group ? ERR_INTERNAL : pg_writer_ready(q, &fresh);

    /* without a BEGIN, all statements of a pipeline are one transaction */
    for (size_t i = 0; e == ERR_NONE && i < COUNT_OF(statements); i++)
        e = pg_queue_text(&q->writer, statements[i]);
    if (e == ERR_NONE)
        e = pg_finish(&q->writer, NULL, 0);
    return e == ERR_TIMEOUT ? ERR_UNAVAILABLE : e;
}

MUST_CHECK static enum err entries_drop(struct store_engine *engine, uint32_t node, uint64_t token,
                                        uint64_t end)
{
    struct pg_params p = {0};
    uint64_t dropped = 1;
    enum err e = ERR_NONE;

    pg_add_number(&p, node);
    pg_add_number(&p, token);
    pg_add_number(&p, end);
    pg_add_number(&p, DROP_AT_ONCE);
    while (e == ERR_NONE && dropped > 0) {
        PGresult *r = NULL;
        uint64_t ours = 0;

        e = writer_run(pg_engine_of(engine), PG_ENTRIES_DROP, &p, &r);
        if (e == ERR_NONE && (!r || PQntuples(r) != 1))
            e = ERR_INTERNAL;
        if (e == ERR_NONE)
            e = pg_number(r, 0, 0, &ours);
        if (e == ERR_NONE)
            e = pg_number(r, 0, 1, &dropped);
        if (e == ERR_NONE && ours == 0)
            e = ERR_DENIED;
        PQclear(r);
    }
    return e;
}

const struct store_ops store_postgres = {
    .name = "postgres",
    .shared = true,
    .open = engine_open,
    .address_check = address_check,
    .close = engine_close,
    .hurry = hurry,
    .clear = clear,
    .node_add = node_add,
    .nodes = pg_nodes,
    .lease_take = lease_take,
    .lease_renew = lease_renew,
    .lease_release = lease_release,
    .group_begin = pg_group_begin,
    .group_commit = pg_group_commit,
    .group_abort = pg_group_abort,
    .files_check = files_check,
    .size = size,
    .row_read = pg_row_read,
    .scan = pg_scan,
    .entries = pg_entries,
    .subtrees = pg_subtrees,
    .entries_drop = entries_drop,
};
