#include "store/executor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/reader.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/writer.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "store/log.h"
#include "store/overlay.h"

enum {
    ATTEMPTS = 32,  /* when other nodes are in the way */
    LOSSES_MAX = 3, /* commits that did not arrive */
    NODES_MAX = 32, /* subtree hashes that a group completes: 1024 / 256 + 1 + 7 at most */
    COUNTER_SIZE = 16,
    SEALED_OVERHEAD = ROWS_HEADER_SIZE + 2 + AEAD_TAG_SIZE,
};

_Static_assert(STORE_GROUP_MAX / 256 + 8 < NODES_MAX, "the hashes of a group fit");

struct executor {
    struct store_engine *engine;
    const struct rows_keys *keys;
    uint32_t node;
    uint64_t token;
    char origin[STORE_ORIGIN_MAX + 1];
    struct secret *plain; /* for one row */
    struct node_state state;
    struct stored_node_state read; /* as group_begin() gave it */
    bool alarmed;                  /* the log says already that the state is not the last one */
    uint64_t anchor;               /* of the next state */

    /* the group that runs, or the last one until it is settled: then it borrows nothing any more */
    bool unsettled;
    struct node_state next;
    struct span entries[STORE_GROUP_MAX];
    size_t entry_count;
};

/* What one group needs while it runs. */
struct group {
    struct executor *x;
    const struct transaction *const *list;
    size_t count;
    struct transaction_result *results;
    struct effect_names *names; /* of all effects, one transaction after the other */
    struct overlay *overlay;
    struct row_change *changes;
    size_t change_count;
    uint8_t *sealed;
    size_t sealed_size, sealed_capacity;
    struct stored_node nodes[NODES_MAX];
    size_t node_count;
};

struct effect_names {
    struct row_key key;
    uint8_t lookup[STORE_HASH_SIZE];
};

static void state_seal(const struct rows_keys *keys, uint32_t node, const char *origin,
                       const struct node_state *state, uint8_t out[STORE_STATE_MAX], size_t *size)
{
    uint8_t nonce[ROWS_NONCE_SIZE];

    random_bytes(nonce, sizeof nonce);
    node_state_seal(keys, node, origin, state, nonce, out, size);
}

enum err executor_node_create(struct store_engine *engine, const struct rows_keys *keys,
                              uint32_t node, const char *origin, const struct node_state *first)
{
    uint8_t sealed[STORE_STATE_MAX];
    size_t size = 0;

    if (node < 1 || node > TRANSACTION_NODE_MAX || strlen(origin) > STORE_ORIGIN_MAX)
        return ERR_MALFORMED;
    state_seal(keys, node, origin, first, sealed, &size);
    return engine->ops->node_add(engine, node, origin, span_of(sealed, size));
}

struct node_search {
    uint32_t node;
    bool found;
    struct stored_node_state *out;
};

MUST_CHECK static enum err node_match(void *context, const struct stored_node_state *node)
{
    struct node_search *search = context;

    if (node->node == search->node) {
        *search->out = *node;
        search->found = true;
    }
    return ERR_NONE;
}

/* No state of ours is of another epoch or format. */
MUST_CHECK static enum err state_open(const struct executor *x, const char *origin,
                                      struct node_state *out)
{
    enum err e =
        node_state_open(x->keys, x->node, origin, span_of(x->read.state, x->read.size), out);

    return e == ERR_UNSUPPORTED ? ERR_TAMPERED : e;
}

MUST_CHECK static enum err state_load(struct executor *x)
{
    struct node_search search = {x->node, false, &x->read};
    enum err e = x->engine->ops->nodes(x->engine, node_match, &search);

    if (e == ERR_NONE && !search.found)
        e = ERR_NOT_FOUND;
    if (e == ERR_NONE)
        e = state_open(x, x->read.origin, &x->state);
    if (e == ERR_NONE) {
        memcpy(x->origin, x->read.origin, sizeof x->origin);
        x->anchor = x->state.anchor;
    }
    return e;
}

enum err executor_open(const struct executor_options *options, struct executor **out)
{
    struct executor *x = calloc(1, sizeof *x);
    enum err e;

    if (!x)
        return ERR_MEMORY;
    x->engine = options->engine;
    x->keys = options->keys;
    x->node = options->node;
    x->token = options->token;
    e = secret_new(ROWS_PLAIN_MAX, &x->plain);
    if (e == ERR_NONE)
        e = state_load(x);
    if (e == ERR_NONE)
        *out = x;
    else
        executor_close(&x);
    return e;
}

void executor_close(struct executor **executor)
{
    struct executor *x = *executor;

    if (!x)
        return;
    secret_free(&x->plain);
    bytes_wipe(x, sizeof *x); /* the sum of the rows is not for others */
    free(x);
    *executor = NULL;
}

/* Says once which row it was. */
static void row_alarm(const struct stored_row *row)
{
    char id[2 * STORE_HASH_SIZE + 1];

    hex_write(SPAN_OF(row->key.id), id);
    log_write(LOG_ERROR, "store", "tampered",
              LOG_STRING("what", "a row differs from what was written there"),
              LOG_NUMBER("table", row->key.table), LOG_STRING("row", id),
              LOG_NUMBER("version", row->version));
}

/* u64 start of the window in ms | u64 uses, little-endian */
MUST_CHECK static enum err counter_parse(struct span value, struct overlay_row *row)
{
    struct reader r = reader_over(value);

    row->window_start_ms = (int64_t)reader_u64le(&r);
    row->used = reader_u64le(&r);
    return reader_finish(&r) == ERR_NONE ? ERR_NONE : ERR_TAMPERED;
}

static struct span counter_write(const struct overlay_row *row, uint8_t out[COUNTER_SIZE])
{
    struct writer w = writer_over(out, COUNTER_SIZE);

    writer_u64le(&w, (uint64_t)row->window_start_ms);
    writer_u64le(&w, row->used);
    return span_of(out, w.size);
}

MUST_CHECK static enum err row_take(void *context, const struct stored_row *stored)
{
    struct group *g = context;
    struct overlay_row *row;
    struct row_view view = {0};
    struct row_set sum;
    enum err e = row_open(g->x->keys, stored, secret_data(g->x->plain), &view);

    if (e == ERR_NONE) {
        row_set_of(g->x->keys, stored, &sum);
        row = overlay_load(g->overlay, stored, &sum);
        bytes_wipe(&sum, sizeof sum);
        if (row && stored->key.table == TABLE_COUNTER)
            e = counter_parse(view.value, row);
        bytes_wipe(secret_data(g->x->plain), row_plain_size(stored));
    }
    if (e == ERR_UNSUPPORTED)
        e = ERR_TAMPERED; /* no row of ours is of another epoch or format */
    if (e == ERR_TAMPERED)
        row_alarm(stored);
    return e;
}

/* The names of all effects, and an empty overlay that knows them. */
MUST_CHECK static enum err group_name(struct group *g)
{
    size_t effects = 0;
    struct effect_names *n;
    enum err e;

    for (size_t i = 0; i < g->count; i++)
        effects += g->list[i]->count;
    n = g->names = calloc(effects + 1, sizeof *g->names);
    if (!n)
        return ERR_MEMORY;
    e = overlay_new(2 * effects, &g->overlay);
    for (size_t i = 0; e == ERR_NONE && i < g->count; i++)
        for (size_t k = 0; k < g->list[i]->count; k++, n++) {
            const struct effect *f = &g->list[i]->effects[k];

            row_key_of(g->x->keys, f->table, f->id, &n->key);
            overlay_want_row(g->overlay, &n->key);
            if (f->kind != EFFECT_PUT || f->lookup.size == 0)
                continue;
            row_lookup_of(g->x->keys, f->table, f->lookup, n->lookup);
            overlay_want_lookup(g->overlay, n->key.table, n->lookup);
        }
    return e;
}

/* The version of what a transaction writes when its entry has this index. */
static uint64_t version_of(const struct executor *x, uint64_t index)
{
    return index << TRANSACTION_NODE_BITS | x->node;
}

static uint64_t present_version(const struct overlay_row *row)
{
    return row->is_there ? row->is_version : 0;
}

static enum transaction_status put(struct group *g, const struct effect *f,
                                   const struct effect_names *n, struct transaction_result *r)
{
    const struct overlay_row *row = overlay_find(g->overlay, &n->key);
    struct overlay_row next = *row;

    if (f->lookup.size > 0) {
        const struct overlay_row *owner = overlay_find_lookup(g->overlay, n->key.table, n->lookup);

        if (owner && owner != row) {
            r->version = present_version(owner);
            return TRANSACTION_CONFLICT;
        }
        memcpy(next.is_lookup, n->lookup, sizeof next.is_lookup);
    }
    next.is_there = true;
    next.is_looked_up = f->lookup.size > 0;
    next.is_version = r->version;
    next.id = f->id;
    next.lookup = f->lookup;
    next.value = f->value;
    overlay_change(g->overlay, row, &next);
    return TRANSACTION_DONE;
}

static enum transaction_status delete (struct group *g, const struct effect_names *n) {
    const struct overlay_row *row = overlay_find(g->overlay, &n->key);
    struct overlay_row next = *row;

    next.is_there = next.is_looked_up = false;
    next.window_start_ms = 0;
    next.used = 0;
    if (row->is_there) overlay_change(g->overlay, row, &next);
    return TRANSACTION_DONE;
}

static enum transaction_status require(struct group *g, const struct effect *f,
                                       const struct effect_names *n, struct transaction_result *r)
{
    uint64_t version = present_version(overlay_find(g->overlay, &n->key));

    if (version == f->version)
        return TRANSACTION_DONE;
    r->version = version;
    return TRANSACTION_CONFLICT;
}

static enum transaction_status count(struct group *g, const struct effect *f,
                                     const struct effect_names *n, struct timestamp time,
                                     struct transaction_result *r)
{
    const struct overlay_row *row = overlay_find(g->overlay, &n->key);
    struct overlay_row next = *row;
    int64_t start = f->window_ms > 0 ? time.ms - time.ms % f->window_ms : 0;

    if (start > next.window_start_ms) {
        next.window_start_ms = start;
        next.used = 0;
    }
    r->used = next.used;
    if (next.used > f->limit || f->uses > f->limit - next.used)
        return TRANSACTION_LIMIT;
    next.used += f->uses;
    r->used = next.used;
    next.is_there = true;
    next.is_version = r->version;
    next.id = f->id;
    overlay_change(g->overlay, row, &next);
    return TRANSACTION_DONE;
}

static enum transaction_status effect_apply(struct group *g, const struct effect *f,
                                            const struct effect_names *n, struct timestamp time,
                                            struct transaction_result *r)
{
    switch (f->kind) {
    case EFFECT_PUT:
        return put(g, f, n, r);
    case EFFECT_DELETE:
        return delete (g, n);
    case EFFECT_REQUIRE:
        return require(g, f, n, r);
    case EFFECT_COUNT:
        return count(g, f, n, time, r);
    }
    return TRANSACTION_CONFLICT; /* transaction_check() lets no other kind through */
}

static struct span entry_for(const struct transaction *t, enum transaction_status status)
{
    switch (status) {
    case TRANSACTION_DONE:
        return t->entry;
    case TRANSACTION_LIMIT:
        return t->entry_limit;
    case TRANSACTION_CONFLICT:
        break;
    }
    return t->entry_conflict;
}

/* Decides one transaction. Its effects are all in the overlay afterwards, or none. */
static void transaction_apply(struct group *g, const struct transaction *t,
                              const struct effect_names *names, struct transaction_result *r)
{
    struct executor *x = g->x;
    uint64_t index = x->state.log.size + x->entry_count;
    struct span entry;

    *r = (struct transaction_result){.version = version_of(x, index)};
    for (; r->effect < t->count && r->status == TRANSACTION_DONE; r->effect++)
        r->status = effect_apply(g, &t->effects[r->effect], &names[r->effect], t->time, r);
    if (r->status == TRANSACTION_DONE) {
        overlay_keep(g->overlay);
        r->effect = 0;
        if (t->archived > x->next.log_archived && t->archived <= x->state.log.size)
            x->next.log_archived = t->archived;
    } else {
        overlay_take_back(g->overlay);
        r->effect--;
    }
    if (r->status == TRANSACTION_LIMIT)
        r->version = 0;
    entry = entry_for(t, r->status);
    r->logged = entry.size > 0;
    if (r->logged) {
        r->index = index;
        x->entries[x->entry_count++] = entry;
    }
}

static bool lookup_stays(const struct overlay_row *row)
{
    return row->was_looked_up == row->is_looked_up &&
           (!row->was_looked_up || span_equal(SPAN_OF(row->was_lookup), SPAN_OF(row->is_lookup)));
}

static void change_add(struct group *g, enum row_change_kind kind, const struct overlay_row *row,
                       const struct stored_row *stored)
{
    g->changes[g->change_count++] =
        (struct row_change){.kind = kind, .before = row->was_version, .row = *stored};
}

/* Deletes a row that goes away, or gives up a lookup value that another row may take. This is done
 * for all rows before row_come(). */
static void row_leave(struct group *g, const struct overlay_row *row)
{
    const struct stored_row stored = {.key = row->key, .version = row->was_version};

    if (!row->changed || !row->was_there)
        return;
    row_set_subtract(&g->x->next.rows, &row->was_sum);
    if (!row->is_there || !lookup_stays(row))
        change_add(g, ROW_DELETE, row, &stored);
}

MUST_CHECK static enum err row_come(struct group *g, const struct overlay_row *row)
{
    struct row_view view = {row->id, row->is_looked_up ? row->lookup : (struct span){0},
                            row->value};
    uint8_t counter[COUNTER_SIZE];
    uint8_t nonce[ROWS_NONCE_SIZE];
    struct stored_row stored;
    struct row_set sum;
    enum err e;

    if (!row->changed || !row->is_there)
        return ERR_NONE;
    if (row->key.table == TABLE_COUNTER)
        view.value = counter_write(row, counter);
    random_bytes(nonce, sizeof nonce);
    e = row_seal(g->x->keys, row->key.table, row->is_version, &view, nonce,
                 secret_data(g->x->plain), g->sealed + g->sealed_size,
                 g->sealed_capacity - g->sealed_size, &stored);
    if (e != ERR_NONE)
        return e;
    g->sealed_size += stored.sealed.size;
    row_set_of(g->x->keys, &stored, &sum);
    row_set_add(&g->x->next.rows, &sum);
    bytes_wipe(&sum, sizeof sum);
    change_add(g, row->was_there && lookup_stays(row) ? ROW_UPDATE : ROW_INSERT, row, &stored);
    return ERR_NONE;
}

MUST_CHECK static enum err changes_make(struct group *g)
{
    size_t count = 0;
    const struct overlay_row *rows = overlay_rows(g->overlay, &count);
    enum err e = ERR_NONE;

    g->sealed_capacity = 0;
    for (size_t i = 0; i < count; i++)
        if (rows[i].changed && rows[i].is_there)
            g->sealed_capacity += SEALED_OVERHEAD + COUNTER_SIZE + rows[i].id.size +
                                  rows[i].lookup.size + rows[i].value.size;
    g->changes = calloc(2 * count + 1, sizeof *g->changes);
    g->sealed = malloc(g->sealed_capacity + 1);
    if (!g->changes || !g->sealed)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        row_leave(g, &rows[i]);
    for (size_t i = 0; e == ERR_NONE && i < count; i++)
        e = row_come(g, &rows[i]);
    return e;
}

/* The state that the database gave must be the one that this process left, or may have left. */
MUST_CHECK static enum err state_check(struct executor *x, uint64_t *commits)
{
    struct node_state found = {0};
    enum err e = state_open(x, x->origin, &found);

    *commits = found.commits;
    bytes_wipe(&found, sizeof found);
    if (e == ERR_NONE && *commits != x->state.commits &&
        !(x->unsettled && *commits == x->next.commits))
        e = ERR_TAMPERED;
    if (e == ERR_TAMPERED && !x->alarmed)
        log_write(LOG_ERROR, "store", "tampered",
                  LOG_STRING("what", "the state of the node is not the one that was written last"),
                  LOG_NUMBER("node", x->node));
    x->alarmed = e == ERR_TAMPERED;
    return e;
}

/* Begins a group of the engine, and checks the state. `*commits` is that of the stored state. */
MUST_CHECK static enum err begin(struct executor *x, const struct row_wanted *wanted, size_t count,
                                 struct group *g, uint64_t *commits)
{
    enum err e = x->engine->ops->group_begin(x->engine, x->node, x->token, wanted, count, &x->read,
                                             row_take, g);

    if (e != ERR_NONE)
        return e;
    e = state_check(x, commits);
    if (e != ERR_NONE)
        x->engine->ops->group_abort(x->engine);
    return e;
}

MUST_CHECK static enum err group_begin(struct group *g)
{
    uint64_t commits = 0;
    size_t count = 0;
    const struct row_wanted *wanted = overlay_wanted(g->overlay, &count);

    return begin(g->x, wanted, count, g, &commits);
}

/* Commits the group of the engine with this state. */
MUST_CHECK static enum err commit(struct executor *x, const struct node_state *state,
                                  struct group_writes *writes)
{
    uint8_t sealed[STORE_STATE_MAX];
    size_t size = 0;

    state_seal(x->keys, x->node, x->origin, state, sealed, &size);
    writes->state = span_of(sealed, size);
    return x->engine->ops->group_commit(x->engine, writes);
}

MUST_CHECK static enum err group_commit(struct group *g)
{
    struct executor *x = g->x;
    struct group_writes writes = {
        .changes = g->changes,
        .change_count = g->change_count,
        .first_entry = x->state.log.size,
        .entries = x->entries,
        .entry_count = x->entry_count,
        .nodes = g->nodes,
    };

    for (size_t i = 0; i < x->entry_count; i++)
        log_append(&x->next.log, x->entries[i], g->nodes, &g->node_count);
    x->next.commits++;
    writes.node_count = g->node_count;
    return commit(x, &x->next, &writes);
}

static void group_clear(struct group *g)
{
    overlay_free(&g->overlay);
    free(g->names);
    free(g->changes);
    free(g->sealed);
}

/* One attempt. ERR_CONFLICT: to be run again */
MUST_CHECK static enum err group_try(struct executor *x, const struct transaction *const *list,
                                     size_t count, struct transaction_result *results)
{
    struct group g = {.x = x, .list = list, .count = count, .results = results};
    const struct effect_names *n;
    enum err e = group_name(&g);

    if (e == ERR_NONE)
        e = group_begin(&g);
    if (e != ERR_NONE) {
        group_clear(&g);
        return e;
    }
    x->next = x->state;
    x->next.anchor = x->anchor;
    x->entry_count = 0;
    n = g.names;
    for (size_t i = 0; i < count; i++) {
        transaction_apply(&g, list[i], n, &results[i]);
        n += list[i]->count;
    }
    e = changes_make(&g);
    if (e != ERR_NONE || x->entry_count == 0) {
        x->engine->ops->group_abort(x->engine);
    } else {
        e = group_commit(&g);
        if (e == ERR_NONE)
            x->state = x->next;
        x->unsettled = e == ERR_UNAVAILABLE;
    }
    group_clear(&g);
    return e;
}

MUST_CHECK static enum err list_check(const struct transaction *const *list, size_t count)
{
    enum err e = ERR_NONE;

    assert(count >= 1 && count <= STORE_GROUP_MAX);
    for (size_t i = 0; e == ERR_NONE && i < count; i++)
        e = transaction_check(list[i]);
    return e;
}

enum err executor_run(struct executor *x, const struct transaction *const *list, size_t count,
                      struct transaction_result *results)
{
    enum err e = list_check(list, count);
    int losses = 0;

    if (e != ERR_NONE)
        return e;
    if (x->unsettled)
        return ERR_UNAVAILABLE;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        bool stored = false;

        e = group_try(x, list, count, results);
        if (e == ERR_CONFLICT)
            continue;
        if (!x->unsettled)
            return e;
        e = executor_settle(x, &stored);
        if (e != ERR_NONE && !(e == ERR_DENIED && stored))
            return e;
        if (stored)
            return ERR_NONE;
        if (++losses == LOSSES_MAX)
            return ERR_IO; /* it is settled: nothing of it is there */
    }
    return ERR_OVERLOADED;
}

bool executor_is_unsettled(const struct executor *x)
{
    return x->unsettled;
}

/* Grows the tree of the last settled group by the entries of the log. */
MUST_CHECK static enum err entry_grow(void *context, uint64_t index, struct span entry)
{
    struct merkle_frontier *tree = context;
    struct merkle_hash leaf;

    if (index != tree->size)
        return ERR_NOT_FOUND; /* one is missing */
    merkle_leaf(entry, &leaf);
    merkle_append(tree, &leaf);
    return ERR_NONE;
}

/*
 * Another process writes the log now. The last batch of this process is in the log, or never
 * will be. Compared by hashes: the entries of the batch may be gone.
 */
MUST_CHECK static enum err settle_in_log(struct executor *x, bool *stored)
{
    struct merkle_frontier tree = x->state.log;
    struct merkle_hash found, expected;
    enum err e = x->engine->ops->entries(x->engine, x->node, tree.size,
                                         x->next.log.size - tree.size, entry_grow, &tree);

    if (e != ERR_NONE && e != ERR_NOT_FOUND)
        return ERR_UNAVAILABLE;
    merkle_root(&tree, &found);
    merkle_root(&x->next.log, &expected);
    *stored =
        tree.size == x->next.log.size && span_equal(SPAN_OF(found.bytes), SPAN_OF(expected.bytes));
    x->unsettled = false;
    if (*stored)
        x->state = x->next;
    return ERR_DENIED;
}

/* Writes the old state again, so that the group cannot appear later. */
MUST_CHECK static enum err settle_by_commit(struct executor *x)
{
    struct group_writes writes = {.first_entry = x->state.log.size};
    enum err e = commit(x, &x->state, &writes);

    if (e == ERR_NONE)
        x->unsettled = false;
    return e == ERR_NONE || e == ERR_TAMPERED ? e : ERR_UNAVAILABLE;
}

enum err executor_settle(struct executor *x, bool *stored)
{
    uint64_t commits = 0;
    enum err e;

    assert(x->unsettled);
    e = begin(x, NULL, 0, NULL, &commits);
    if (e == ERR_DENIED)
        return settle_in_log(x, stored);
    if (e != ERR_NONE)
        return e == ERR_TAMPERED ? e : ERR_UNAVAILABLE;
    *stored = commits == x->next.commits;
    if (!*stored)
        return settle_by_commit(x);
    x->engine->ops->group_abort(x->engine);
    x->state = x->next;
    x->unsettled = false;
    return ERR_NONE;
}

enum err executor_check(struct executor *x)
{
    uint64_t commits = 0;
    enum err e = x->unsettled ? ERR_UNAVAILABLE : begin(x, NULL, 0, NULL, &commits);

    if (e == ERR_NONE)
        x->engine->ops->group_abort(x->engine);
    return e;
}

void executor_anchor(struct executor *x, uint64_t anchor)
{
    x->anchor = anchor;
}

enum err executor_mark(struct executor *x, bool running)
{
    struct group_writes writes = {.first_entry = x->state.log.size};
    uint64_t commits = 0;
    enum err e;

    if (x->unsettled)
        return ERR_UNAVAILABLE;
    e = begin(x, NULL, 0, NULL, &commits);
    if (e != ERR_NONE)
        return e;
    x->next = x->state;
    x->next.anchor = x->anchor;
    x->next.running = running;
    x->next.commits++;
    e = commit(x, &x->next, &writes);
    if (e == ERR_NONE)
        x->state = x->next;
    x->unsettled = e == ERR_UNAVAILABLE; /* else a mark that is there would look like tampering */
    x->entry_count = 0;
    return e;
}

void executor_note_progress(struct executor *x, const struct log_progress *progress)
{
    x->state.log_verified = progress->verified;
    x->state.log_scrubbed = progress->scrubbed;
    x->state.log_pass_ms = progress->pass_ms;
}

const struct node_state *executor_state(const struct executor *x)
{
    return &x->state;
}
