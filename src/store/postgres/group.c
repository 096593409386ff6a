/*
 * A group in two round trips. The first locks the node's row, which no other node writes, and reads
 * the rows without locks. The second locks the names of all rows that were reported, checks that
 * each is still as it was reported, writes, and commits. Where a check fails, the server skips the
 * rest and the group runs again.
 *
 * Names are locked in stripes, by advisory locks: a missing row has no lock of its own, and a lock
 * of a row that many groups only read would be a write. All nodes take stripes in ascending order,
 * so they do not wait for each other in a circle. The number of stripes is part of the protocol
 * between nodes: all must use the same.
 */
#include <stdlib.h>
#include <string.h>

#include "store/postgres/engine.h"

enum { STRIPES = 1024, CHUNK_SIZE = 8 << 20, COLUMNS_MAX = 5 };

static const uint64_t stripe_base = UINT64_C(0x766f756368) << 16;

enum stripe_use { STRIPE_NONE, STRIPE_READ, STRIPE_WRITTEN };
struct stripes {
    uint8_t use[STRIPES];
};

static void stripe_add(struct stripes *s, uint8_t table, const uint8_t hash[STORE_HASH_SIZE],
                       enum stripe_use use)
{
    size_t at = (hash[0] + 256u * hash[1] + table) % STRIPES;

    if (s->use[at] < use)
        s->use[at] = (uint8_t)use;
}

static void group_end(struct pg_engine *q)
{
    q->in_group = false;
    free(q->ids);
    q->ids = q->lookups = NULL;
    q->id_count = q->lookup_count = 0;
}

void pg_group_abort(struct store_engine *engine)
{
    struct pg_engine *q = pg_engine_of(engine);
    enum err e = ERR_NONE;

    group_end(q);
    if (!q->writer.link || PQtransactionStatus(q->writer.link) == PQTRANS_IDLE)
        return;
    e = pg_queue_text(&q->writer, "ROLLBACK");
    if (e == ERR_NONE)
        e = pg_finish(&q->writer, NULL, 0);
    if (e != ERR_NONE)
        pg_disconnect(&q->writer); /* which rolls back, too */
}

/* ---- the first round trip ---- */

MUST_CHECK static enum err wanted_keep(struct pg_engine *q, const struct row_wanted *wanted,
                                       size_t count)
{
    q->ids = calloc(count + 1, sizeof *q->ids);
    if (!q->ids)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        q->id_count += !wanted[i].by_lookup;
    q->lookups = q->ids + q->id_count;
    q->id_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct pg_reported *r =
            wanted[i].by_lookup ? &q->lookups[q->lookup_count++] : &q->ids[q->id_count++];

        r->table = wanted[i].table;
        memcpy(r->hash, wanted[i].hash, sizeof r->hash);
    }
    return ERR_NONE;
}

static void names_list(const struct pg_reported *list, size_t count, struct pg_array *tables,
                       struct pg_array *hashes)
{
    for (size_t i = 0; i < count; i++) {
        pg_array_number(tables, list[i].table);
        pg_array_bytes(hashes, SPAN_OF(list[i].hash));
    }
}

static void arrays_clear(struct pg_array arrays[COLUMNS_MAX])
{
    for (size_t i = 0; i < COLUMNS_MAX; i++)
        pg_array_clear(&arrays[i]);
}

MUST_CHECK static enum err rows_queue(struct pg_engine *q)
{
    struct pg_array a[COLUMNS_MAX] = {0};
    struct pg_params p = {0};
    enum err e;

    names_list(q->ids, q->id_count, &a[0], &a[1]);
    names_list(q->lookups, q->lookup_count, &a[2], &a[3]);
    e = pg_queue_arrays(&q->writer, PG_ROWS_READ, &p, a);
    arrays_clear(a);
    return e;
}

enum { RESULT_BEGIN, RESULT_NODE, RESULT_ROWS, RESULTS };

static void results_clear(PGresult *results[RESULTS])
{
    for (size_t i = 0; i < RESULTS; i++) {
        PQclear(results[i]);
        results[i] = NULL;
    }
}

/* One attempt. All results are there before any is looked at, so that it can be made twice. */
MUST_CHECK static enum err begin_try(struct pg_engine *q, uint32_t node, PGresult *results[RESULTS])
{
    struct pg_params p = {0};
    enum err e = pg_queue_text(&q->writer, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");

    pg_add_number(&p, node);
    if (e == ERR_NONE)
        e = pg_queue(&q->writer, PG_NODE_LOCK, &p);
    if (e == ERR_NONE)
        e = rows_queue(q);
    if (e == ERR_NONE)
        e = pg_finish(&q->writer, results, RESULTS);
    else
        pg_disconnect(&q->writer); /* something may be queued */
    return e;
}

/* A connection that was idle may be dead without a sign of it: then once more, on a new one. */
MUST_CHECK static enum err begin(struct pg_engine *q, uint32_t node, PGresult *results[RESULTS])
{
    bool fresh = false;
    enum err e = pg_writer_ready(q, &fresh);

    if (e == ERR_NONE)
        e = begin_try(q, node, results);
    if (e != ERR_UNAVAILABLE || fresh)
        return e;
    results_clear(results);
    e = pg_writer_ready(q, &fresh);
    return e == ERR_NONE ? begin_try(q, node, results) : e;
}

MUST_CHECK static enum err node_take(const PGresult *r, uint64_t token,
                                     struct stored_node_state *state)
{
    enum err e;

    if (!r || PQntuples(r) != 1)
        return ERR_TAMPERED; /* there was one when the lease was taken */
    e = pg_node(r, 0, state);
    return e == ERR_NONE && state->token != token ? ERR_DENIED : e;
}

/* Notes what is reported, by the position of the name: from 1 for ids, from -1 for lookup values.
 */
MUST_CHECK static enum err row_note(struct pg_engine *q, const PGresult *r, int row,
                                    struct stored_row *out)
{
    struct pg_reported *reported;
    uint64_t number = 0;
    int64_t at;
    enum err e = pg_number(r, row, 0, &number);

    at = (int64_t)number;
    if (e == ERR_NONE)
        e = pg_item(r, row, 1, out);
    if (e != ERR_NONE)
        return e;
    if (at >= 1 && (uint64_t)at <= q->id_count)
        reported = &q->ids[at - 1];
    else if (at <= -1 && at >= -(int64_t)q->lookup_count)
        reported = &q->lookups[-at - 1];
    else
        return ERR_TAMPERED;
    reported->found = true;
    reported->version = out->version;
    memcpy(reported->id, out->key.id, sizeof reported->id);
    return ERR_NONE;
}

MUST_CHECK static enum err rows_give(struct pg_engine *q, const PGresult *r, each_stored_row *each,
                                     void *context)
{
    int count = r ? PQntuples(r) : 0;
    enum err e = ERR_NONE;

    for (int row = 0; e == ERR_NONE && row < count; row++) {
        struct stored_row stored = {0};

        e = row_note(q, r, row, &stored);
        if (e == ERR_NONE)
            e = each(context, &stored);
    }
    return e;
}

enum err pg_group_begin(struct store_engine *engine, uint32_t node, uint64_t token,
                        const struct row_wanted *wanted, size_t wanted_count,
                        struct stored_node_state *state, each_stored_row *each, void *context)
{
    struct pg_engine *q = pg_engine_of(engine);
    PGresult *results[RESULTS] = {0};
    enum err e;

    pg_group_abort(engine);
    e = wanted_keep(q, wanted, wanted_count);
    if (e == ERR_NONE)
        e = begin(q, node, results);
    if (e == ERR_NONE)
        e = node_take(results[RESULT_NODE], token, state);
    if (e == ERR_NONE)
        e = rows_give(q, results[RESULT_ROWS], each, context);
    results_clear(results);
    if (e != ERR_NONE) {
        pg_group_abort(engine);
        return e == ERR_TIMEOUT ? ERR_UNAVAILABLE : e;
    }
    q->in_group = true;
    q->node = node;
    q->token = token;
    return ERR_NONE;
}

/* ---- the second round trip ---- */

static void stripes_fill(const struct pg_engine *q, const struct group_writes *w, struct stripes *s)
{
    for (size_t i = 0; i < q->id_count; i++)
        stripe_add(s, q->ids[i].table, q->ids[i].hash, STRIPE_READ);
    for (size_t i = 0; i < q->lookup_count; i++) {
        stripe_add(s, q->lookups[i].table, q->lookups[i].hash, STRIPE_READ);
        if (q->lookups[i].found)
            stripe_add(s, q->lookups[i].table, q->lookups[i].id, STRIPE_READ);
    }
    for (size_t i = 0; i < w->change_count; i++) {
        const struct row_change *c = &w->changes[i];

        stripe_add(s, c->row.key.table, c->row.key.id, STRIPE_WRITTEN);
        /* a group that found the row by the value that a DELETE removes has locked the row's id */
        if (c->kind == ROW_INSERT && c->row.has_lookup)
            stripe_add(s, c->row.key.table, c->row.lookup, STRIPE_WRITTEN);
    }
}

/* Positive to write, negative to read, in ascending order of the stripe. */
MUST_CHECK static enum err stripes_queue(struct pg_engine *q, const struct group_writes *w)
{
    struct pg_array keys = {0};
    struct pg_params p = {0};
    struct stripes s = {0};
    enum err e;

    stripes_fill(q, w, &s);
    for (size_t i = 0; i < STRIPES; i++)
        if (s.use[i] != STRIPE_NONE)
            pg_array_number(&keys,
                            s.use[i] == STRIPE_WRITTEN ? stripe_base + i : -(stripe_base + i));
    e = pg_queue_arrays(&q->writer, PG_STRIPES_LOCK, &p, &keys);
    pg_array_clear(&keys);
    return e;
}

MUST_CHECK static enum err ids_check_queue(struct pg_engine *q)
{
    struct pg_array a[COLUMNS_MAX] = {0};
    struct pg_params p = {0};
    enum err e;

    names_list(q->ids, q->id_count, &a[0], &a[1]);
    for (size_t i = 0; i < q->id_count; i++)
        pg_array_number(&a[2], q->ids[i].found ? q->ids[i].version : 0);
    for (size_t i = 0; i < q->lookup_count; i++)
        if (q->lookups[i].found) {
            pg_array_number(&a[0], q->lookups[i].table);
            pg_array_bytes(&a[1], SPAN_OF(q->lookups[i].id));
            pg_array_number(&a[2], q->lookups[i].version);
        }
    e = pg_queue_arrays(&q->writer, PG_IDS_CHECK, &p, a);
    arrays_clear(a);
    return e;
}

MUST_CHECK static enum err lookups_check_queue(struct pg_engine *q)
{
    struct pg_array a[COLUMNS_MAX] = {0};
    struct pg_params p = {0};
    enum err e;

    names_list(q->lookups, q->lookup_count, &a[0], &a[1]);
    for (size_t i = 0; i < q->lookup_count; i++)
        if (q->lookups[i].found)
            pg_array_bytes(&a[2], SPAN_OF(q->lookups[i].id));
        else
            pg_array_null(&a[2]);
    e = pg_queue_arrays(&q->writer, PG_LOOKUPS_CHECK, &p, a);
    arrays_clear(a);
    return e;
}

/* kind, id, then: INSERT version, lookup, sealed; UPDATE before, version, sealed; DELETE before */
static void change_append(struct pg_array a[COLUMNS_MAX], const struct row_change *c)
{
    pg_array_number(&a[0], c->row.key.table);
    pg_array_bytes(&a[1], SPAN_OF(c->row.key.id));
    pg_array_number(&a[2], c->kind == ROW_INSERT ? c->row.version : c->before);
    if (c->kind == ROW_DELETE)
        return;
    if (c->kind == ROW_UPDATE)
        pg_array_number(&a[3], c->row.version);
    else if (c->row.has_lookup)
        pg_array_bytes(&a[3], SPAN_OF(c->row.lookup));
    else
        pg_array_null(&a[3]);
    pg_array_bytes(&a[4], c->row.sealed);
}

/* The arrays of changes of one kind. */
MUST_CHECK static enum err changes_send(struct pg_engine *q, enum row_change_kind kind,
                                        struct pg_array a[COLUMNS_MAX])
{
    static const enum pg_statement statement_of[] = {[ROW_INSERT] = PG_ITEM_INSERT,
                                                     [ROW_UPDATE] = PG_ITEM_UPDATE,
                                                     [ROW_DELETE] = PG_ITEM_DELETE};
    struct pg_params p = {0};

    return pg_queue_arrays(&q->writer, statement_of[kind], &p, a);
}

/* Neighbours of one kind are one statement: so the order is kept, and few messages are sent. */
MUST_CHECK static enum err changes_queue(struct pg_engine *q, const struct group_writes *w)
{
    struct pg_array a[COLUMNS_MAX] = {0};
    enum err e = ERR_NONE;

    for (size_t i = 0; e == ERR_NONE && i < w->change_count; i++) {
        enum row_change_kind kind = w->changes[i].kind;

        change_append(a, &w->changes[i]);
        if (i + 1 == w->change_count || w->changes[i + 1].kind != kind ||
            a[4].bytes.size > CHUNK_SIZE) {
            e = changes_send(q, kind, a);
            arrays_clear(a);
        }
    }
    arrays_clear(a);
    return e;
}

MUST_CHECK static enum err entries_queue(struct pg_engine *q, const struct group_writes *w)
{
    struct pg_array entries = {0};
    struct pg_params p = {0};
    enum err e;

    if (w->entry_count == 0)
        return ERR_NONE;
    for (size_t i = 0; i < w->entry_count; i++)
        pg_array_bytes(&entries, w->entries[i]);
    pg_add_number(&p, q->node);
    pg_add_number(&p, w->first_entry);
    e = pg_queue_arrays(&q->writer, PG_ENTRY_INSERT, &p, &entries);
    pg_array_clear(&entries);
    return e;
}

MUST_CHECK static enum err subtrees_queue(struct pg_engine *q, const struct group_writes *w)
{
    struct pg_array a[COLUMNS_MAX] = {0};
    struct pg_params p = {0};
    enum err e;

    if (w->node_count == 0)
        return ERR_NONE;
    for (size_t i = 0; i < w->node_count; i++) {
        pg_array_number(&a[0], w->nodes[i].level);
        pg_array_number(&a[1], w->nodes[i].index);
        pg_array_bytes(&a[2], SPAN_OF(w->nodes[i].hash.bytes));
    }
    pg_add_number(&p, q->node);
    e = pg_queue_arrays(&q->writer, PG_SUBTREE_INSERT, &p, a);
    arrays_clear(a);
    return e;
}

MUST_CHECK static enum err state_queue(struct pg_engine *q, const struct group_writes *w)
{
    struct pg_params p = {0};

    pg_add_bytes(&p, w->state);
    pg_add_number(&p, q->node);
    pg_add_number(&p, q->token);
    return pg_queue(&q->writer, PG_NODE_UPDATE, &p);
}

MUST_CHECK static enum err writes_queue(struct pg_engine *q, const struct group_writes *w)
{
    enum err e = stripes_queue(q, w);

    if (e == ERR_NONE)
        e = ids_check_queue(q);
    if (e == ERR_NONE)
        e = lookups_check_queue(q);
    if (e == ERR_NONE)
        e = changes_queue(q, w);
    if (e == ERR_NONE)
        e = entries_queue(q, w);
    if (e == ERR_NONE)
        e = subtrees_queue(q, w);
    if (e == ERR_NONE)
        e = state_queue(q, w);
    /* A COMMIT that is cancelled while it waits for a standby reports success, and the standby may
     * not have it. So the server sets no limit here. We do. */
    if (e == ERR_NONE)
        e = pg_queue_text(&q->writer, "SET LOCAL statement_timeout = 0");
    return e;
}

enum err pg_group_commit(struct store_engine *engine, const struct group_writes *writes)
{
    struct pg_engine *q = pg_engine_of(engine);
    enum err e;

    if (!q->in_group)
        return ERR_INTERNAL;
    e = writes_queue(q, writes);
    if (e == ERR_NONE)
        e = pg_queue_text(&q->writer, "COMMIT");
    if (e != ERR_NONE) {
        pg_disconnect(&q->writer); /* half of it may be queued; without its COMMIT */
        group_end(q);
        return e;
    }
    e = pg_finish(&q->writer, NULL, 0);
    if (e == ERR_NONE)
        group_end(q);
    else
        pg_group_abort(engine);
    return e == ERR_TIMEOUT ? ERR_IO : e;
}
