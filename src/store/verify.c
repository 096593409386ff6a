#include "store/verify.h"

#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"

struct verification {
    const struct rows_keys *keys;
    each_row *each;
    void *context;
    struct secret *plain;
    struct row_set recorded, found;
    bool bad; /* something was named already */
};

static void name(const char *what, const struct row_key *key, uint64_t found, uint64_t recorded)
{
    char id[2 * STORE_HASH_SIZE + 1];

    hex_write(SPAN_OF(key->id), id);
    log_write(LOG_ERROR, "store", "tampered", LOG_STRING("what", what),
              LOG_NUMBER("table", key->table), LOG_STRING("row", id),
              LOG_NUMBER("version_found", found), LOG_NUMBER("version_recorded", recorded));
}

MUST_CHECK static enum err node_add(void *context, const struct stored_node_state *node)
{
    struct verification *v = context;
    struct node_state state;
    enum err e = node_state_open(v->keys, node->node, node->origin,
                                 span_of(node->state, node->size), &state);

    if (e == ERR_NONE)
        row_set_add(&v->recorded, &state.rows);
    if (e == ERR_TAMPERED || e == ERR_UNSUPPORTED) {
        log_write(LOG_ERROR, "store", "tampered",
                  LOG_STRING("what", "the state of a node is not what was written there"),
                  LOG_NUMBER("node", node->node), LOG_STRING("origin", node->origin));
        v->bad = true;
        e = ERR_NONE;
    }
    bytes_wipe(&state, sizeof state);
    return e;
}

MUST_CHECK static enum err row_add(void *context, const struct stored_row *row)
{
    struct verification *v = context;
    struct row_set one;
    struct row_view view;
    enum err e = row_open(v->keys, row, secret_data(v->plain), &view);

    /* no row of ours is of another epoch or format: the header was edited, too */
    if (e == ERR_TAMPERED || e == ERR_UNSUPPORTED) {
        name("a row was edited, or moved from another place", &row->key, row->version, 0);
        v->bad = true;
        return ERR_NONE; /* the others are named, too */
    }
    if (e != ERR_NONE)
        return e;
    row_set_of(v->keys, row, &one);
    row_set_add(&v->found, &one);
    bytes_wipe(&one, sizeof one);
    return v->each ? v->each(v->context, row->key.table, row->version, &view) : ERR_NONE;
}

/* Finds the one row that is another version of itself. */
struct search {
    const struct row_set *difference;
    bool found;
};

MUST_CHECK static enum err row_search(void *context, const struct stored_row *row)
{
    struct search *s = context;
    uint64_t recorded = 0;

    if (row_set_is_other(s->difference, row, &recorded)) {
        name("a row was put back from another copy of itself", &row->key, row->version, recorded);
        s->found = true;
    }
    return ERR_NONE;
}

static void several(const struct row_set *difference)
{
    log_write(LOG_ERROR, "store", "tampered",
              LOG_STRING("what", "several rows were deleted, added, or put back from other copies"),
              LOG_NUMBER("rows_missing", difference->count));
}

/* Says what the difference is, as well as it can be known. */
MUST_CHECK static enum err difference_name(struct store_engine *engine,
                                           const struct row_set *difference)
{
    struct search search = {difference, false};
    struct row_key key = {0};
    uint64_t version = 0;
    enum err e;

    switch (row_set_compare(difference, &key, &version)) {
    case ROWS_SAME:
        return ERR_NONE;
    case ROWS_ONE_MISSING:
        name("a row was deleted", &key, 0, version);
        return ERR_TAMPERED;
    case ROWS_ONE_TOO_MANY:
        name("a row was added", &key, version, 0);
        return ERR_TAMPERED;
    case ROWS_ONE_OTHER:
        e = engine->ops->scan(engine, 0, NULL, row_search, &search);
        if (e == ERR_NONE && search.found)
            return ERR_TAMPERED;
        break;
    case ROWS_SEVERAL:
        break;
    }
    several(difference);
    return ERR_TAMPERED;
}

enum err store_verify_rows(struct store_engine *engine, const struct rows_keys *keys,
                           each_row *each, void *context)
{
    struct verification v = {.keys = keys, .each = each, .context = context};
    enum err e = secret_new(ROWS_PLAIN_MAX, &v.plain);

    if (e == ERR_NONE)
        e = engine->ops->scan(engine, 0, node_add, row_add, &v);
    if (e == ERR_NONE && v.bad)
        e = ERR_TAMPERED;
    if (e == ERR_NONE) {
        row_set_subtract(&v.recorded, &v.found);
        e = difference_name(engine, &v.recorded);
    }
    bytes_wipe(&v.recorded, sizeof v.recorded);
    bytes_wipe(&v.found, sizeof v.found);
    secret_free(&v.plain);
    return e;
}

/* One table, row by row. */
struct reading {
    const struct rows_keys *keys;
    each_row *each;
    void *context;
    struct secret *plain;
};

MUST_CHECK static enum err row_give(void *context, const struct stored_row *row)
{
    const struct reading *r = context;
    struct row_view view;
    enum err e = row_open(r->keys, row, secret_data(r->plain), &view);

    if (e == ERR_TAMPERED || e == ERR_UNSUPPORTED) {
        name("a row was edited, or moved from another place", &row->key, row->version, 0);
        return ERR_TAMPERED;
    }
    return e == ERR_NONE ? r->each(r->context, row->key.table, row->version, &view) : e;
}

enum err store_read_rows(struct store_engine *engine, const struct rows_keys *keys,
                         enum store_table table, each_row *each, void *context)
{
    struct reading r = {.keys = keys, .each = each, .context = context};
    enum err e = secret_new(ROWS_PLAIN_MAX, &r.plain);

    if (e == ERR_NONE)
        e = engine->ops->scan(engine, (uint8_t)table, NULL, row_give, &r);
    secret_free(&r.plain);
    return e;
}
