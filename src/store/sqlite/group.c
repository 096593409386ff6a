#include <errno.h>

#include "base/log.h"
#include "store/sqlite/engine.h"

static sqlite3_stmt *statement_of(struct sqlite_engine *q, enum sqlite_statement which)
{
    return q->statements[which];
}

MUST_CHECK static enum err run(struct sqlite_engine *q, enum sqlite_statement which)
{
    return sqlite_run(statement_of(q, which));
}

/* Ends the transaction. Some errors have ended it already, others leave it open. */
MUST_CHECK static enum err undo(struct sqlite_engine *q)
{
    q->in_group = false;
    return sqlite3_get_autocommit(q->db) ? ERR_NONE : run(q, STATEMENT_ROLLBACK);
}

/* Once, until a commit succeeds: a group whose outcome is unknown is tried again and again. */
static void failed(struct sqlite_engine *q, const char *what, enum err e)
{
    if (q->failing)
        return;
    q->failing = true;
    log_write(LOG_ERROR, "store", what, LOG_STRING("error", err_code(e)),
              LOG_NUMBER("sqlite", sqlite3_extended_errcode(q->db)),
              LOG_STRING("text", sqlite3_errmsg(q->db)));
}

/* The node's state, if `token` is its newest. */
MUST_CHECK static enum err state_read(struct sqlite_engine *q, uint32_t node, uint64_t token,
                                      struct stored_node_state *out)
{
    sqlite3_stmt *s = statement_of(q, STATEMENT_NODE_READ);
    enum err e = sqlite_bind_number(s, 1, node);

    if (e == ERR_NONE)
        e = sqlite_row(s);
    if (e == ERR_NONE)
        e = sqlite_node(s, out);
    (void)sqlite3_reset(s);
    if (e == ERR_NOT_FOUND)
        return ERR_TAMPERED; /* there was one when the lease was taken */
    return e == ERR_NONE && q->granted != token ? ERR_DENIED : e;
}

MUST_CHECK static enum err wanted_read(struct sqlite_engine *q, const struct row_wanted *wanted,
                                       each_stored_row *each, void *context)
{
    sqlite3_stmt *s =
        statement_of(q, wanted->by_lookup ? STATEMENT_ITEM_BY_LOOKUP : STATEMENT_ITEM_BY_ID);
    struct stored_row row = {.key.table = wanted->table};
    enum err e = sqlite_bind_number(s, 1, wanted->table);

    if (e == ERR_NONE)
        e = sqlite_bind_bytes(s, 2, SPAN_OF(wanted->hash));
    if (e == ERR_NONE)
        e = sqlite_row(s);
    if (e == ERR_NONE)
        e = sqlite_hash(s, 1, row.key.id);
    if (e == ERR_NONE)
        e = sqlite_item(s, 2, &row);
    if (e == ERR_NONE)
        e = each(context, &row);
    (void)sqlite3_reset(s);
    return e == ERR_NOT_FOUND ? ERR_NONE : e;
}

enum err sqlite_group_begin(struct store_engine *engine, uint32_t node, uint64_t token,
                            const struct row_wanted *wanted, size_t wanted_count,
                            struct stored_node_state *state, each_stored_row *each, void *context)
{
    struct sqlite_engine *q = sqlite_engine_of(engine);
    enum err e = sqlite_files_check(q);

    q->flushed = false;
    if (e == ERR_NONE)
        e = undo(q); /* what a failed rollback may have left */
    if (e == ERR_NONE)
        e = run(q, STATEMENT_BEGIN);
    if (e != ERR_NONE)
        return e;
    q->in_group = true;
    q->node = node;
    e = state_read(q, node, token, state);
    for (size_t i = 0; e == ERR_NONE && i < wanted_count; i++)
        e = wanted_read(q, &wanted[i], each, context);
    if (e != ERR_NONE) {
        if (e == ERR_IO) /* the executor logs all other errors */
            failed(q, "a group could not begin", e);
        sqlite_group_abort(engine);
    }
    return e;
}

MUST_CHECK static enum err insert(sqlite3_stmt *s, const struct stored_row *row)
{
    enum err e = sqlite_bind_number(s, 1, row->key.table);

    if (e == ERR_NONE)
        e = sqlite_bind_bytes(s, 2, SPAN_OF(row->key.id));
    if (e == ERR_NONE)
        e = sqlite_bind_number(s, 3, row->version);
    if (e == ERR_NONE)
        e = row->has_lookup ? sqlite_bind_bytes(s, 4, SPAN_OF(row->lookup))
                            : sqlite_error(sqlite3_bind_null(s, 4));
    if (e == ERR_NONE)
        e = sqlite_bind_bytes(s, 5, row->sealed);
    return e == ERR_NONE ? sqlite_run(s) : e;
}

/* kind, id and version before, from parameter `at` */
MUST_CHECK static enum err bind_place(sqlite3_stmt *s, int at, const struct row_change *c)
{
    enum err e = sqlite_bind_number(s, at, c->row.key.table);

    if (e == ERR_NONE)
        e = sqlite_bind_bytes(s, at + 1, SPAN_OF(c->row.key.id));
    return e == ERR_NONE ? sqlite_bind_number(s, at + 2, c->before) : e;
}

MUST_CHECK static enum err update(sqlite3_stmt *s, const struct row_change *c)
{
    enum err e = sqlite_bind_bytes(s, 1, c->row.sealed);

    if (e == ERR_NONE)
        e = sqlite_bind_number(s, 2, c->row.version);
    if (e == ERR_NONE)
        e = bind_place(s, 3, c);
    return e == ERR_NONE ? sqlite_run(s) : e;
}

MUST_CHECK static enum err remove_row(sqlite3_stmt *s, const struct row_change *c)
{
    enum err e = bind_place(s, 1, c);

    return e == ERR_NONE ? sqlite_run(s) : e;
}

MUST_CHECK static enum err change_apply(struct sqlite_engine *q, const struct row_change *c)
{
    enum err e = ERR_INTERNAL;

    switch (c->kind) {
    case ROW_INSERT:
        e = insert(statement_of(q, STATEMENT_ITEM_INSERT), &c->row);
        break;
    case ROW_UPDATE:
        e = update(statement_of(q, STATEMENT_ITEM_UPDATE), c);
        break;
    case ROW_DELETE:
        e = remove_row(statement_of(q, STATEMENT_ITEM_DELETE), c);
        break;
    }
    /* the transaction has held the lock since the row was read */
    return e == ERR_NONE && sqlite3_changes(q->db) != 1 ? ERR_TAMPERED : e;
}

MUST_CHECK static enum err entry_insert(struct sqlite_engine *q, uint64_t index, struct span entry)
{
    sqlite3_stmt *s = statement_of(q, STATEMENT_ENTRY_INSERT);
    enum err e = sqlite_bind_number(s, 1, index);

    if (e == ERR_NONE)
        e = sqlite_bind_bytes(s, 2, entry);
    return e == ERR_NONE ? sqlite_run(s) : e;
}

MUST_CHECK static enum err subtree_insert(struct sqlite_engine *q, const struct stored_node *node)
{
    sqlite3_stmt *s = statement_of(q, STATEMENT_SUBTREE_INSERT);
    enum err e = sqlite_bind_number(s, 1, node->level);

    if (e == ERR_NONE)
        e = sqlite_bind_number(s, 2, node->index);
    if (e == ERR_NONE)
        e = sqlite_bind_bytes(s, 3, SPAN_OF(node->hash.bytes));
    return e == ERR_NONE ? sqlite_run(s) : e;
}

MUST_CHECK static enum err state_write(struct sqlite_engine *q, struct span state)
{
    sqlite3_stmt *s = statement_of(q, STATEMENT_NODE_UPDATE);
    enum err e = sqlite_bind_bytes(s, 1, state);

    if (e == ERR_NONE)
        e = sqlite_bind_number(s, 2, q->node);
    if (e == ERR_NONE)
        e = sqlite_run(s);
    return e == ERR_NONE && sqlite3_changes(q->db) != 1 ? ERR_TAMPERED : e;
}

MUST_CHECK static enum err writes_apply(struct sqlite_engine *q, const struct group_writes *w)
{
    enum err e = ERR_NONE;

    for (size_t i = 0; e == ERR_NONE && i < w->change_count; i++)
        e = change_apply(q, &w->changes[i]);
    for (size_t i = 0; e == ERR_NONE && i < w->entry_count; i++)
        e = entry_insert(q, w->first_entry + i, w->entries[i]);
    for (size_t i = 0; e == ERR_NONE && i < w->node_count; i++)
        e = subtree_insert(q, &w->nodes[i]);
    return e == ERR_NONE ? state_write(q, w->state) : e;
}

/*
 * Whether a COMMIT failed because a file could not grow. Its last write is the one that makes it
 * valid, and a write that found no room did not happen.
 */
static bool had_no_room(struct sqlite_engine *q)
{
    const int result = sqlite3_extended_errcode(q->db);
    sqlite3_file *log = NULL;
    int cause = 0;

    /* of the write-ahead log's file: errno itself may have changed since */
    if (sqlite3_file_control(q->db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK && log &&
        log->pMethods)
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &cause);
    return (result & 0xff) == SQLITE_FULL ||
           (result == SQLITE_IOERR_WRITE && (cause == ENOSPC || cause == EDQUOT || cause == EFBIG));
}

/*
 * A COMMIT that failed may still be found by the next start: its pages can be in the write-ahead
 * log without the sync that failed. Only another commit, which overwrites them, settles that.
 */
enum err sqlite_group_commit(struct store_engine *engine, const struct group_writes *writes)
{
    struct sqlite_engine *q = sqlite_engine_of(engine);
    enum err failure = ERR_UNAVAILABLE;
    enum err e;

    if (!q->in_group)
        return ERR_INTERNAL;
    e = writes_apply(q, writes);
    if (e != ERR_NONE) {
        failed(q, "a group could not be written", e);
        sqlite_group_abort(engine);
        /* what did not fit into the cache is in the write-ahead log already */
        if (sqlite_files_settle(q) != ERR_NONE)
            return ERR_TAMPERED;
        return e == ERR_TAMPERED ? ERR_TAMPERED : ERR_IO;
    }
    e = run(q, STATEMENT_COMMIT);
    if (e == ERR_NONE) {
        q->failing = false;
    } else {
        if (had_no_room(q))
            failure = ERR_IO;
        failed(q, "a commit failed", e);
        sqlite_group_abort(engine);
    }
    q->in_group = false;
    /* a commit into files that lost their names is no record: nothing may be released for it */
    if (sqlite_files_settle(q) != ERR_NONE)
        return ERR_TAMPERED;
    return e == ERR_NONE ? ERR_NONE : failure;
}

void sqlite_group_abort(struct store_engine *engine)
{
    struct sqlite_engine *q = sqlite_engine_of(engine);

    if (undo(q) != ERR_NONE) /* tried again before the next group */
        failed(q, "a rollback failed", ERR_IO);
}
