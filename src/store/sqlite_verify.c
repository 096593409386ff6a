#include "base/log.h"
#include "store/engine.h"

#include <string.h>

enum err engine_grow(struct merkle_frontier *f, const struct merkle_hash *leaf,
                     engine_each_node *each, void *context)
{
    uint64_t size = f->size + 1;
    unsigned complete = (unsigned)__builtin_ctzll(size);
    struct merkle_hash hash = *leaf;
    enum err e = ERR_NONE;

    if (complete >= ENGINE_LEVEL_STEP) { /* one time in 256 */
        for (unsigned level = 1; e == ERR_NONE && level <= complete; level++) {
            merkle_node(&f->full[level - 1], &hash, &hash);
            if (level % ENGINE_LEVEL_STEP == 0)
                e = each(context, level, (size >> level) - 1, &hash);
        }
    }
    if (e == ERR_NONE)
        merkle_append(f, leaf);
    return e;
}

/* Says once what is wrong, and where: the entries from `first` to `last`. */
MUST_CHECK static enum err tampered(const char *what, uint64_t first, uint64_t last)
{
    log_write(LOG_ERROR, "store", "tampered", LOG_STRING("what", what), LOG_NUMBER("index", first),
              LOG_NUMBER("last", last));
    return ERR_TAMPERED;
}

/* The stored checkpoint: signed by us, and its columns say what the signed text says. */
MUST_CHECK static enum err checkpoint_load(struct store *s)
{
    sqlite3_stmt *statement = NULL;
    struct merkle_hash root = {0};
    struct span note;
    enum err e;

    e = engine_prepare(s->db, "SELECT size, root, note FROM log_checkpoint WHERE id = 1",
                       &statement);
    if (e == ERR_NONE)
        e = engine_row(statement);
    if (e == ERR_NONE) {
        note = engine_blob(statement, 2);
        e = checkpoint_verify(note, s->origin, s->public_key, &s->checkpoint);
        if (e == ERR_NONE)
            e = span_to_string(note, s->note, sizeof s->note);
        if (e == ERR_NONE && (!engine_hash(statement, 1, &root) ||
                              !span_equal(SPAN_OF(root.bytes), SPAN_OF(s->checkpoint.root.bytes)) ||
                              (uint64_t)sqlite3_column_int64(statement, 0) != s->checkpoint.size))
            e = ERR_MALFORMED;
    }
    (void)sqlite3_finalize(statement);
    if (e == ERR_NOT_FOUND)
        return tampered("no checkpoint", 0, 0);
    if (e == ERR_CRYPTO)
        return tampered("checkpoint not signed by this log's key", 0, 0);
    if (e == ERR_MALFORMED || e == ERR_TOO_LARGE)
        return tampered("malformed checkpoint", 0, 0);
    return e;
}

struct verification {
    const struct store *store;
    sqlite3_stmt *node;
    uint64_t nodes;
    store_each_entry *each;
    void *context;
};

MUST_CHECK static enum err node_verify(void *context, unsigned level, uint64_t index,
                                       const struct merkle_hash *hash)
{
    struct verification *v = context;
    struct merkle_hash stored;
    enum err e;

    v->nodes++;
    e = engine_error(sqlite3_bind_int64(v->node, 1, (int64_t)level));
    if (e == ERR_NONE)
        e = engine_error(sqlite3_bind_int64(v->node, 2, (int64_t)index));
    if (e == ERR_NONE)
        e = engine_row(v->node);
    if (e == ERR_NOT_FOUND ||
        (e == ERR_NONE && (!engine_hash(v->node, 0, &stored) ||
                           !span_equal(SPAN_OF(stored.bytes), SPAN_OF(hash->bytes)))))
        e = tampered("entries and their node differ", index << level, ((index + 1) << level) - 1);
    (void)sqlite3_reset(v->node);
    return e;
}

MUST_CHECK static enum err entry_verify(struct verification *v, sqlite3_stmt *entries,
                                        struct merkle_frontier *f)
{
    uint64_t index = (uint64_t)sqlite3_column_int64(entries, 0);
    struct merkle_hash leaf;
    enum err e;

    if (index != f->size)
        return tampered("missing entry", f->size, f->size);
    if (index >= v->store->checkpoint.size)
        return tampered("entry beyond the checkpoint", index, index);
    merkle_leaf(engine_blob(entries, 1), &leaf);
    e = engine_grow(f, &leaf, node_verify, v);
    return e == ERR_NONE && v->each ? v->each(v->context, index, engine_blob(entries, 1)) : e;
}

MUST_CHECK static enum err entries_verify(struct verification *v, struct merkle_frontier *f)
{
    sqlite3_stmt *entries = NULL;
    enum err e;

    e = engine_prepare(v->store->db, "SELECT idx, entry FROM log_entry ORDER BY idx", &entries);
    if (e == ERR_NONE)
        e = engine_prepare(v->store->db, "SELECT hash FROM log_node WHERE level = $1 AND idx = $2",
                           &v->node);
    while (e == ERR_NONE && (e = engine_row(entries)) == ERR_NONE)
        e = entry_verify(v, entries, f);
    (void)sqlite3_finalize(entries);
    (void)sqlite3_finalize(v->node);
    return e == ERR_NOT_FOUND ? ERR_NONE : e;
}

/* No node is there that no entry accounts for. */
MUST_CHECK static enum err nodes_count_verify(const struct verification *v)
{
    sqlite3_stmt *statement = NULL;
    enum err e;

    e = engine_prepare(v->store->db, "SELECT count(*) FROM log_node", &statement);
    if (e == ERR_NONE)
        e = engine_row(statement);
    if (e == ERR_NONE && (uint64_t)sqlite3_column_int64(statement, 0) != v->nodes)
        e = tampered("node beyond the entries", v->store->checkpoint.size,
                     v->store->checkpoint.size);
    (void)sqlite3_finalize(statement);
    return e;
}

MUST_CHECK static enum err root_verify(const struct store *s, const struct merkle_frontier *f)
{
    struct merkle_hash root;
    uint64_t tail = f->size & ~(uint64_t)((1u << ENGINE_LEVEL_STEP) - 1);

    if (f->size != s->checkpoint.size)
        return tampered("missing entry", f->size, s->checkpoint.size - 1);
    merkle_root(f, &root);
    if (span_equal(SPAN_OF(root.bytes), SPAN_OF(s->checkpoint.root.bytes)))
        return ERR_NONE;
    if (tail == f->size)
        return tampered("entries and checkpoint differ", 0, f->size);
    return tampered("entries after the last node and checkpoint differ", tail, f->size - 1);
}

enum err engine_verify(struct store *s, store_each_entry *each, void *context)
{
    struct verification v = {.store = s, .each = each, .context = context};
    struct merkle_frontier f = {0};
    enum err e;

    e = checkpoint_load(s);
    if (e == ERR_NONE)
        e = entries_verify(&v, &f);
    if (e == ERR_NONE)
        e = root_verify(s, &f);
    if (e == ERR_NONE)
        e = nodes_count_verify(&v);
    if (e == ERR_NONE)
        s->frontier = f;
    return e;
}
