#include <stdlib.h>

#include "store/postgres/engine.h"

static void reader_close(struct pg_reader **reader)
{
    pg_disconnect(&(*reader)->connection);
    free(*reader);
    *reader = NULL;
}

static void reader_count_down(struct pg_engine *q)
{
    (void)pthread_mutex_lock(&q->mutex);
    q->reader_count--;
    (void)pthread_cond_signal(&q->reader_returned);
    (void)pthread_mutex_unlock(&q->mutex);
}

MUST_CHECK static enum err reader_connect(struct pg_engine *q, struct pg_reader *r)
{
    enum err e = pg_reach(q, &r->connection);

    return e == ERR_NONE ? pg_prepare(&r->connection, false) : e;
}

static void reader_give_back(struct pg_engine *q, struct pg_reader *r)
{
    if (!r->connection.link) {
        reader_close(&r);
        reader_count_down(q);
        return;
    }
    (void)pthread_mutex_lock(&q->mutex);
    r->next = q->idle_readers;
    q->idle_readers = r;
    (void)pthread_cond_signal(&q->reader_returned);
    (void)pthread_mutex_unlock(&q->mutex);
}

/* An idle connection that lives, else a new one, else the first that comes back. */
MUST_CHECK static enum err reader_take(struct pg_engine *q, struct pg_reader **out)
{
    struct pg_reader *r;
    enum err e = ERR_NONE;

    (void)pthread_mutex_lock(&q->mutex);
    while (!q->idle_readers && q->reader_count == PG_READERS_MAX)
        (void)pthread_cond_wait(&q->reader_returned, &q->mutex);
    r = q->idle_readers;
    if (r)
        q->idle_readers = r->next;
    else
        q->reader_count++;
    (void)pthread_mutex_unlock(&q->mutex);
    if (!r && !(r = calloc(1, sizeof *r))) {
        reader_count_down(q);
        return ERR_MEMORY;
    }
    if (!pg_is_alive(&r->connection))
        e = reader_connect(q, r);
    if (e == ERR_NONE) {
        *out = r;
        return ERR_NONE;
    }
    pg_disconnect(&r->connection);
    reader_give_back(q, r);
    return e;
}

void pg_readers_close(struct pg_engine *q)
{
    while (q->idle_readers) {
        struct pg_reader *r = q->idle_readers;

        q->idle_readers = r->next;
        reader_close(&r);
    }
}

enum err pg_read(struct pg_engine *q, enum pg_statement s, const struct pg_params *p, pg_each *each,
                 void *context)
{
    struct pg_reader *r = NULL;
    enum err e = reader_take(q, &r);

    if (e != ERR_NONE)
        return e;
    e = pg_query(&r->connection, s, p, each, context);
    reader_give_back(q, r);
    return e == ERR_TIMEOUT ? ERR_UNAVAILABLE : e;
}

struct row_call {
    each_stored_row *each;
    void *context;
    bool found;
};

MUST_CHECK static enum err row_give(void *context, const PGresult *r, int row)
{
    struct row_call *call = context;
    struct stored_row stored = {0};
    enum err e = pg_item(r, row, 0, &stored);

    call->found = true;
    return e == ERR_NONE ? call->each(call->context, &stored) : e;
}

enum err pg_row_read(struct store_engine *e, const struct row_wanted *wanted, each_stored_row *each,
                     void *context)
{
    struct row_call call = {each, context, false};
    struct pg_params p = {0};
    enum err result;

    pg_add_number(&p, wanted->table);
    pg_add_bytes(&p, SPAN_OF(wanted->hash));
    result = pg_read(pg_engine_of(e), wanted->by_lookup ? PG_ITEM_BY_LOOKUP : PG_ITEM_BY_ID, &p,
                     row_give, &call);
    return result == ERR_NONE && !call.found ? ERR_NOT_FOUND : result;
}

struct node_call {
    each_node_state *each;
    void *context;
};

MUST_CHECK static enum err node_give(void *context, const PGresult *r, int row)
{
    const struct node_call *call = context;
    struct stored_node_state node = {0};
    enum err e = pg_node(r, row, &node);

    return e == ERR_NONE ? call->each(call->context, &node) : e;
}

enum err pg_nodes(struct store_engine *e, each_node_state *each, void *context)
{
    struct node_call call = {each, context};
    const struct pg_params none = {0};

    return pg_read(pg_engine_of(e), PG_NODE_LIST, &none, node_give, &call);
}

/* The server may take as long for all rows as we take to look at them. */
static const char scan_begin[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                                 "SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on";

MUST_CHECK static enum err scan(struct pg_connection *c, uint8_t table, struct node_call *node,
                                struct row_call *row)
{
    const struct pg_params none = {0};
    struct pg_params p = {0};
    enum err e = pg_exec(c, scan_begin, NULL);

    pg_add_number(&p, table);
    if (e == ERR_NONE && node->each)
        e = pg_query(c, PG_NODE_LIST, &none, node_give, node);
    if (e == ERR_NONE)
        e = pg_query(c, PG_ITEM_SCAN, &p, row_give, row);
    if (e == ERR_NONE)
        e = pg_exec(c, "ROLLBACK", NULL); /* nothing was written */
    if (e != ERR_NONE)
        pg_disconnect(c);
    return e;
}

enum err pg_scan(struct store_engine *engine, uint8_t table, each_node_state *each_node,
                 each_stored_row *each_row, void *context)
{
    struct pg_engine *q = pg_engine_of(engine);
    struct node_call node = {each_node, context};
    struct row_call row = {each_row, context, false};
    struct pg_reader *r = NULL;
    enum err e = reader_take(q, &r);

    if (e != ERR_NONE)
        return e;
    e = scan(&r->connection, table, &node, &row);
    reader_give_back(q, r);
    return e;
}

/* Index and bytes: an entry, or the hash of a subtree. */
struct indexed_call {
    each_stored_entry *each;
    void *context;
};

MUST_CHECK static enum err indexed_give(void *context, const PGresult *r, int row)
{
    const struct indexed_call *call = context;
    uint64_t index = 0;
    enum err e = pg_number(r, row, 0, &index);

    return e == ERR_NONE ? call->each(call->context, index, pg_bytes(r, row, 1)) : e;
}

/* `first`, and the end of `count` from there. */
static void range_add(struct pg_params *p, uint64_t first, uint64_t count)
{
    uint64_t end;

    if (__builtin_add_overflow(first, count, &end) || end > INT64_MAX)
        end = INT64_MAX;
    pg_add_number(p, first < end ? first : end);
    pg_add_number(p, end);
}

enum err pg_entries(struct store_engine *e, uint32_t node, uint64_t first, uint64_t count,
                    each_stored_entry *each, void *context)
{
    struct indexed_call call = {each, context};
    struct pg_params p = {0};

    pg_add_number(&p, node);
    range_add(&p, first, count);
    return pg_read(pg_engine_of(e), PG_ENTRIES, &p, indexed_give, &call);
}

enum err pg_subtrees(struct store_engine *e, uint32_t node, unsigned level, uint64_t first,
                     uint64_t count, each_stored_node *each, void *context)
{
    struct indexed_call call = {each, context};
    struct pg_params p = {0};

    pg_add_number(&p, node);
    pg_add_number(&p, level);
    range_add(&p, first, count);
    return pg_read(pg_engine_of(e), PG_SUBTREES, &p, indexed_give, &call);
}
