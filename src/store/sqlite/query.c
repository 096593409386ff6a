#include <stdlib.h>

#include "store/migrations.h"
#include "store/sqlite/engine.h"

static void reader_close(struct sqlite_reader **reader)
{
    struct sqlite_reader *r = *reader;

    if (!r)
        return;
    for (size_t i = 0; i < ENGINE_QUERIES; i++)
        (void)sqlite3_finalize(r->prepared[i].statement);
    (void)sqlite3_close(r->db);
    free(r);
    *reader = NULL;
}

MUST_CHECK static enum err reader_new(const struct sqlite_engine *q, struct sqlite_reader **out)
{
    struct sqlite_reader *r = calloc(1, sizeof *r);
    enum err e;

    if (!r)
        return ERR_MEMORY;
    e = sqlite_connect(q->read_path ? q->read_path : q->path,
                       SQLITE_OPEN_READONLY | (q->read_path ? SQLITE_OPEN_URI : 0), NULL, &r->db);
    if (e != ERR_NONE)
        reader_close(&r);
    else
        *out = r;
    return e;
}

static void reader_count_down(struct sqlite_engine *q)
{
    (void)pthread_mutex_lock(&q->mutex);
    q->reader_count--;
    (void)pthread_cond_signal(&q->reader_returned);
    (void)pthread_mutex_unlock(&q->mutex);
}

/* An idle connection, else a new one, else the first that comes back. */
MUST_CHECK static enum err reader_take_one(struct sqlite_engine *q, struct sqlite_reader **out)
{
    struct sqlite_reader *r;
    enum err e;

    (void)pthread_mutex_lock(&q->mutex);
    while (!q->idle_readers && q->reader_count == ENGINE_READERS_MAX)
        (void)pthread_cond_wait(&q->reader_returned, &q->mutex);
    r = q->idle_readers;
    if (r)
        q->idle_readers = r->next;
    else
        q->reader_count++;
    (void)pthread_mutex_unlock(&q->mutex);
    if (r) {
        *out = r;
        return ERR_NONE;
    }
    e = reader_new(q, out);
    if (e != ERR_NONE)
        reader_count_down(q);
    return e;
}

/* A connection that failed is not used again: it may be inside a transaction, which sees old rows.
 */
static void reader_give_back(struct sqlite_engine *q, struct sqlite_reader *r)
{
    if (r->failed) {
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

void sqlite_readers_close(struct sqlite_engine *q)
{
    while (q->idle_readers) {
        struct sqlite_reader *r = q->idle_readers;

        q->idle_readers = r->next;
        reader_close(&r);
    }
}

static const char entries_sql[] =
    "SELECT idx, entry FROM log_entry WHERE idx >= $1 AND idx < $2 ORDER BY idx";
static const char subtrees_sql[] =
    "SELECT idx, hash FROM log_node WHERE level = $1 AND idx >= $2 AND idx < $3 ORDER BY idx";

/* A query with numbers for parameters. */
struct query {
    const char *sql;
    uint64_t numbers[3];
    int count;
    struct span bytes; /* the parameter after them; none when empty */
};

typedef MUST_CHECK enum err each_result(void *context, sqlite3_stmt *row);

/* The statement of this text, prepared once for each connection. */
MUST_CHECK static enum err statement_find(struct sqlite_reader *r, const char *sql,
                                          sqlite3_stmt **out)
{
    size_t i = 0;
    enum err e = ERR_NONE;

    while (i < ENGINE_QUERIES && r->prepared[i].sql && r->prepared[i].sql != sql)
        i++;
    if (i == ENGINE_QUERIES)
        return ERR_INTERNAL;
    if (!r->prepared[i].sql) {
        e = sqlite_prepare(r->db, sql, &r->prepared[i].statement);
        if (e == ERR_NONE)
            r->prepared[i].sql = sql;
    }
    *out = r->prepared[i].statement;
    return e;
}

/* A reset statement holds no transaction, so an idle reader does not keep the write-ahead log from
 * being moved into the database. */
MUST_CHECK static enum err query_run(struct sqlite_reader *r, const struct query *query,
                                     each_result *each, void *context)
{
    sqlite3_stmt *statement = NULL;
    bool given_up = false; /* by the callback: the connection is good */
    enum err e = statement_find(r, query->sql, &statement);

    for (int i = 0; e == ERR_NONE && i < query->count; i++)
        e = sqlite_bind_number(statement, i + 1, query->numbers[i]);
    if (e == ERR_NONE && query->bytes.size > 0)
        e = sqlite_bind_bytes(statement, query->count + 1, query->bytes);
    while (e == ERR_NONE && (e = sqlite_row(statement)) == ERR_NONE) {
        e = each(context, statement);
        given_up = e != ERR_NONE;
    }
    (void)sqlite3_reset(statement);
    if (e == ERR_NOT_FOUND && !given_up)
        return ERR_NONE;
    r->failed |= e != ERR_NONE && !given_up;
    return e;
}

/* The same on a connection of its own. */
MUST_CHECK static enum err query_read(struct sqlite_engine *q, const struct query *query,
                                      each_result *each, void *context)
{
    struct sqlite_reader *r = NULL;
    enum err e = reader_take_one(q, &r);

    if (e != ERR_NONE)
        return e;
    e = query_run(r, query, each, context);
    reader_give_back(q, r);
    return e;
}

struct row_call {
    each_stored_row *each;
    void *context;
    bool found;
    bool inspect; /* a row that is not ours is given as one of table 0 */
};

MUST_CHECK static enum err row_give(void *context, sqlite3_stmt *statement)
{
    struct row_call *call = context;
    const uint64_t table = sqlite_number(statement, 0);
    struct stored_row row = {.key.table = table > UINT8_MAX ? 0 : (uint8_t)table};
    enum err e = sqlite_hash(statement, 1, row.key.id);

    if (e == ERR_NONE)
        e = sqlite_item(statement, 2, &row);
    if (e == ERR_TAMPERED && call->inspect) {
        row = (struct stored_row){.version = sqlite_number(statement, 2),
                                  .sealed = sqlite_bytes(statement, 4)};
        e = ERR_NONE;
    }
    call->found = true;
    return e == ERR_NONE ? call->each(call->context, &row) : e;
}

enum err sqlite_row_read(struct store_engine *e, const struct row_wanted *wanted,
                         each_stored_row *each, void *context)
{
    struct row_call call = {each, context, false, false};
    struct query query = {
        wanted->by_lookup ? sql_item_by_lookup : sql_item_by_id,
        {wanted->table},
        1,
        SPAN_OF(wanted->hash),
    };
    enum err result = query_read(sqlite_engine_of(e), &query, row_give, &call);

    return result == ERR_NONE && !call.found ? ERR_NOT_FOUND : result;
}

struct node_call {
    each_node_state *each;
    void *context;
};

MUST_CHECK static enum err node_give(void *context, sqlite3_stmt *statement)
{
    const struct node_call *call = context;
    struct stored_node_state node = {0};
    enum err e = sqlite_node(statement, &node);

    return e == ERR_NONE ? call->each(call->context, &node) : e;
}

enum err sqlite_nodes(struct store_engine *e, each_node_state *each, void *context)
{
    struct node_call call = {each, context};
    struct query query = {.sql = sql_node_list};

    return query_read(sqlite_engine_of(e), &query, node_give, &call);
}

MUST_CHECK static enum err scan(struct sqlite_reader *r, uint8_t table, struct node_call *node,
                                struct row_call *row)
{
    const struct query nodes = {.sql = sql_node_list};
    const struct query rows = {.sql = sql_item_scan, .numbers = {table}, .count = 1};
    enum err e = sqlite_exec(r->db, "BEGIN");

    r->failed |= e != ERR_NONE;
    if (e == ERR_NONE && node->each)
        e = query_run(r, &nodes, node_give, node);
    if (e == ERR_NONE)
        e = query_run(r, &rows, row_give, row);
    if (!sqlite3_get_autocommit(r->db)) {
        enum err end = sqlite_exec(r->db, "ROLLBACK"); /* nothing was written */

        r->failed |= end != ERR_NONE;
        e = e == ERR_NONE ? end : e;
    }
    return e;
}

enum err sqlite_scan(struct store_engine *engine, uint8_t table, each_node_state *each_node,
                     each_stored_row *each_row, void *context)
{
    struct sqlite_engine *q = sqlite_engine_of(engine);
    struct node_call node = {each_node, context};
    struct row_call row = {each_row, context, false, q->inspect};
    struct sqlite_reader *r = NULL;
    enum err e = reader_take_one(q, &r);

    if (e != ERR_NONE)
        return e;
    e = scan(r, table, &node, &row);
    reader_give_back(q, r);
    return e;
}

/* Index and bytes: an entry, or the hash of a subtree. */
struct indexed_call {
    each_stored_entry *each;
    void *context;
};

MUST_CHECK static enum err indexed_give(void *context, sqlite3_stmt *statement)
{
    const struct indexed_call *call = context;

    return call->each(call->context, sqlite_number(statement, 0), sqlite_bytes(statement, 1));
}

enum err sqlite_entries(struct store_engine *e, uint32_t node, uint64_t first, uint64_t count,
                        each_stored_entry *each, void *context)
{
    struct indexed_call call = {each, context};
    const struct query query = {
        .sql = entries_sql, .numbers = {first, first + count},
             .count = 2
    };

    (void)node; /* there is one */
    return query_read(sqlite_engine_of(e), &query, indexed_give, &call);
}

enum err sqlite_subtrees(struct store_engine *e, uint32_t node, unsigned level, uint64_t first,
                         uint64_t count, each_stored_node *each, void *context)
{
    struct indexed_call call = {each, context};
    const struct query query = {
        .sql = subtrees_sql, .numbers = {level, first, first + count},
             .count = 3
    };

    (void)node;
    return query_read(sqlite_engine_of(e), &query, indexed_give, &call);
}

MUST_CHECK static enum err number_take(void *context, sqlite3_stmt *row)
{
    *(uint64_t *)context = sqlite_number(row, 0);
    return ERR_NONE;
}

MUST_CHECK static enum err number_read(struct sqlite_engine *q, const char *sql, uint64_t *out)
{
    const struct query query = {.sql = sql};

    return query_read(q, &query, number_take, out);
}

/* Pages that are in use, and the write-ahead log. Free pages are used before the file grows. */
enum err sqlite_size(struct store_engine *engine, uint64_t *bytes)
{
    static const char page_size_sql[] = "PRAGMA page_size";
    static const char page_count_sql[] = "PRAGMA page_count";
    static const char free_count_sql[] = "PRAGMA freelist_count";
    struct sqlite_engine *q = sqlite_engine_of(engine);
    uint64_t page_size = 0, page_count = 0, free_count = 0;
    enum err e = number_read(q, page_size_sql, &page_size);

    if (e == ERR_NONE)
        e = number_read(q, page_count_sql, &page_count);
    if (e == ERR_NONE)
        e = number_read(q, free_count_sql, &free_count);
    if (e == ERR_NONE)
        *bytes = (page_count - free_count) * page_size + sqlite_journal_size(q);
    return e;
}
