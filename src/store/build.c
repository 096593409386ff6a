#include "store/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "store/executor.h"
#include "store/log.h"

enum {
    BATCH_ITEMS = 512,
    BATCH_BYTES = 1024 * 1024, /* one more item may come on top */
    BATCH_NODES = BATCH_ITEMS * LOG_NODES_PER_ENTRY,
    LEASE_MS = 60000,
};

/* One batch is one commit. Rows and entries are in `bytes`, one after the other. */
struct builder {
    struct store_engine *engine;
    const struct rows_keys *keys;
    uint32_t node;
    char origin[STORE_ORIGIN_MAX + 1];
    uint64_t token;
    struct node_state state;
    struct stored_node_state read; /* not used: the database is ours */
    struct secret *plain;
    uint8_t *sealed;

    uint64_t first_entry;
    struct buffer bytes;
    size_t offsets[BATCH_ITEMS];
    struct row_change changes[BATCH_ITEMS];
    size_t change_count;
    struct span entries[BATCH_ITEMS];
    size_t entry_count;
    struct stored_node nodes[BATCH_NODES];
    size_t node_count;
};

MUST_CHECK static enum err node_create(struct builder *b)
{
    uint8_t holder[16];
    enum err e = executor_node_create(b->engine, b->keys, b->node, b->origin, &b->state);

    random_bytes(holder, sizeof holder);
    return e == ERR_NONE
               ? b->engine->ops->lease_take(b->engine, b->node, holder, LEASE_MS, &b->token)
               : e;
}

enum err builder_new(const struct builder_options *options, struct builder **out)
{
    struct builder *b = calloc(1, sizeof *b);
    enum err e;

    if (!b)
        return ERR_MEMORY;
    b->engine = options->engine;
    b->keys = options->keys;
    b->node = options->node;
    b->state.commits = NODE_STATE_UNFINISHED;
    b->sealed = malloc(STORE_SEALED_MAX);
    e = b->sealed ? span_to_string(span_string(options->origin), b->origin, sizeof b->origin)
                  : ERR_MEMORY;
    if (e == ERR_NONE)
        e = secret_new(ROWS_PLAIN_MAX, &b->plain);
    if (e == ERR_NONE)
        e = node_create(b);
    if (e == ERR_NONE)
        *out = b;
    else
        builder_free(&b);
    return e;
}

void builder_free(struct builder **builder)
{
    struct builder *b = *builder;

    if (!b)
        return;
    if (b->token != 0 && b->engine->ops->lease_release(b->engine, b->node, b->token) != ERR_NONE)
        log_write(LOG_WARN, "store", "lease_not_released", LOG_NUMBER("node", b->node),
                  LOG_STRING("effect", "it ends by itself in a minute"));
    secret_free(&b->plain);
    buffer_clear(&b->bytes);
    free(b->sealed);
    bytes_wipe(b, sizeof *b);
    free(b);
    *builder = NULL;
}

/* A new database has no rows that a group could want. */
MUST_CHECK static enum err row_unwanted(void *context, const struct stored_row *row)
{
    (void)context;
    (void)row;
    return ERR_TAMPERED;
}

/* The bytes of the batch have stopped moving: the spans can point to them. */
static void batch_point(struct builder *b)
{
    for (size_t i = 0; i < b->change_count; i++)
        b->changes[i].row.sealed.data = b->bytes.data + b->offsets[i];
    for (size_t i = 0; i < b->entry_count; i++)
        b->entries[i].data = b->bytes.data + b->offsets[i];
}

MUST_CHECK static enum err batch_commit(struct builder *b)
{
    const struct store_ops *ops = b->engine->ops;
    uint8_t nonce[ROWS_NONCE_SIZE];
    uint8_t sealed[STORE_STATE_MAX];
    size_t size = 0;
    struct group_writes writes = {
        .changes = b->changes,
        .change_count = b->change_count,
        .first_entry = b->first_entry,
        .entries = b->entries,
        .entry_count = b->entry_count,
        .nodes = b->nodes,
        .node_count = b->node_count,
    };
    enum err e = ops->lease_renew(b->engine, b->node, b->token, LEASE_MS);

    batch_point(b);
    random_bytes(nonce, sizeof nonce);
    node_state_seal(b->keys, b->node, b->origin, &b->state, nonce, sealed, &size);
    writes.state = span_of(sealed, size);
    if (e == ERR_NONE)
        e = ops->group_begin(b->engine, b->node, b->token, NULL, 0, &b->read, row_unwanted, NULL);
    if (e == ERR_NONE)
        e = ops->group_commit(b->engine, &writes);
    b->bytes.size = 0;
    b->change_count = b->entry_count = b->node_count = 0;
    b->first_entry = b->state.log.size;
    return e;
}

/* Room for one more: a batch has rows or entries, never both. */
MUST_CHECK static enum err batch_room(struct builder *b, bool for_row)
{
    const bool full = b->change_count == BATCH_ITEMS || b->entry_count == BATCH_ITEMS ||
                      b->node_count > BATCH_NODES - LOG_NODES_PER_ENTRY ||
                      b->bytes.size >= BATCH_BYTES;

    if (full || (for_row ? b->entry_count + b->node_count > 0 : b->change_count > 0))
        return batch_commit(b);
    return ERR_NONE;
}

enum err builder_row(struct builder *b, const struct stored_row *row)
{
    struct row_set one;
    size_t offset;
    enum err e = batch_room(b, true);

    offset = b->bytes.size;
    if (e == ERR_NONE)
        e = row->sealed.size > STORE_SEALED_MAX ? ERR_TOO_LARGE
                                                : buffer_append(&b->bytes, row->sealed);
    if (e != ERR_NONE)
        return e;
    row_set_of(b->keys, row, &one);
    row_set_add(&b->state.rows, &one);
    bytes_wipe(&one, sizeof one);
    b->offsets[b->change_count] = offset;
    b->changes[b->change_count++] = (struct row_change){.kind = ROW_INSERT, .row = *row};
    return ERR_NONE;
}

enum err builder_put(struct builder *b, enum store_table table, uint64_t version,
                     const struct row_view *row)
{
    uint8_t nonce[ROWS_NONCE_SIZE];
    struct stored_row stored;
    enum err e;

    random_bytes(nonce, sizeof nonce);
    e = row_seal(b->keys, table, version, row, nonce, secret_data(b->plain), b->sealed,
                 STORE_SEALED_MAX, &stored);
    return e == ERR_NONE ? builder_row(b, &stored) : e;
}

enum err builder_entry(struct builder *b, struct span entry)
{
    enum err e = batch_room(b, false);
    size_t offset = b->bytes.size;

    if (e == ERR_NONE)
        e = buffer_append(&b->bytes, entry);
    if (e != ERR_NONE)
        return e;
    log_append(&b->state.log, entry, b->nodes, &b->node_count);
    b->offsets[b->entry_count] = offset;
    b->entries[b->entry_count++] = (struct span){.size = entry.size};
    return ERR_NONE;
}

/* A complete subtree of 256 leaves at the right edge. */
enum err builder_block(struct builder *b, const struct merkle_hash *block)
{
    struct merkle_frontier *f = &b->state.log;
    struct merkle_hash hash = *block;
    unsigned level = LOG_LEVEL_STEP;
    enum err e = batch_room(b, false);

    if (e == ERR_NONE && f->size % (1u << LOG_LEVEL_STEP) != 0)
        e = ERR_MALFORMED;
    if (e != ERR_NONE)
        return e;
    b->nodes[b->node_count++] = (struct stored_node){level, f->size >> level, hash};
    for (; f->size >> level & 1; level++) {
        merkle_node(&f->full[level], &hash, &hash);
        if ((level + 1) % LOG_LEVEL_STEP == 0)
            b->nodes[b->node_count++] =
                (struct stored_node){level + 1, f->size >> (level + 1), hash};
    }
    f->full[level] = hash;
    f->size += 1u << LOG_LEVEL_STEP;
    b->first_entry = f->size;
    return ERR_NONE;
}

const struct merkle_frontier *builder_log(const struct builder *b)
{
    return &b->state.log;
}

enum err builder_flush(struct builder *b)
{
    return batch_commit(b);
}

enum err builder_end(struct builder *b, const struct node_state *like)
{
    enum err e = batch_commit(b);

    if (e != ERR_NONE)
        return e;
    b->state.commits = like->commits;
    b->state.log_archived = like->log_archived;
    b->state.log_verified = b->state.log.size;
    b->state.anchor = like->anchor;
    e = batch_commit(b);
    return e == ERR_NONE && b->engine->ops->flush ? b->engine->ops->flush(b->engine) : e;
}
