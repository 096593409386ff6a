#include "store/overlay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    NONE = INT32_MAX,
    UNDO_MAX = TRANSACTION_EFFECTS_MAX, /* an effect changes at most one row, */
    UNDO_OWNERS_MAX = 2 * UNDO_MAX      /* which gives up one lookup value and gets another */
};

struct row_undo {
    uint32_t row;
    struct overlay_row before;
};

struct owner_undo {
    uint32_t name, before;
};

struct overlay {
    size_t name_capacity, name_count, row_count, table_size;
    struct row_wanted *names;
    uint32_t *owners; /* of each name: the row that has the id or the lookup value, or NONE */
    struct overlay_row *rows;
    uint32_t *table; /* of names by hash, open addressing; NONE is free */

    size_t row_undo_count, owner_undo_count;
    struct row_undo row_undos[UNDO_MAX];
    struct owner_undo owner_undos[UNDO_OWNERS_MAX];
};

enum err overlay_new(size_t names, struct overlay **out)
{
    struct overlay *o = calloc(1, sizeof *o);

    if (!o)
        return ERR_MEMORY;
    o->name_capacity = names;
    o->table_size = 8;
    while (o->table_size < 2 * names)
        o->table_size *= 2;
    o->names = calloc(names + 1, sizeof *o->names);
    o->owners = calloc(names + 1, sizeof *o->owners);
    o->rows = calloc(names + 1, sizeof *o->rows);
    o->table = malloc(o->table_size * sizeof *o->table);
    if (!o->names || !o->owners || !o->rows || !o->table) {
        overlay_free(&o);
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < o->table_size; i++)
        o->table[i] = NONE;
    *out = o;
    return ERR_NONE;
}

void overlay_free(struct overlay **overlay)
{
    struct overlay *o = *overlay;

    if (!o)
        return;
    free(o->names);
    free(o->owners);
    if (o->rows)
        bytes_wipe(o->rows, o->row_count * sizeof *o->rows); /* the rows' sums are secret */
    free(o->rows);
    free(o->table);
    bytes_wipe(o, sizeof *o);
    free(o);
    *overlay = NULL;
}

static bool same_name(const struct row_wanted *a, const struct row_wanted *b)
{
    return a->table == b->table && a->by_lookup == b->by_lookup &&
           span_equal(SPAN_OF(a->hash), SPAN_OF(b->hash));
}

/* Where in the table a name is, or would be. Hashes are HMACs: their first bytes are even. */
static uint32_t *place_of(const struct overlay *o, const struct row_wanted *name)
{
    size_t at = 0;

    memcpy(&at, name->hash, sizeof at);
    for (;; at++) {
        uint32_t *place = &o->table[at & (o->table_size - 1)];

        if (*place == NONE || same_name(&o->names[*place], name))
            return place;
    }
}

static struct row_wanted name_of_row(const struct row_key *key)
{
    struct row_wanted name = {.table = key->table};

    memcpy(name.hash, key->id, sizeof name.hash);
    return name;
}

static struct row_wanted name_of_lookup(uint8_t table, const uint8_t lookup[STORE_HASH_SIZE])
{
    struct row_wanted name = {.table = table, .by_lookup = true};

    memcpy(name.hash, lookup, sizeof name.hash);
    return name;
}

/* True when the name is new. */
static bool name_add(struct overlay *o, const struct row_wanted *name, uint32_t owner)
{
    uint32_t *place = place_of(o, name);

    if (*place != NONE)
        return false;
    assert(o->name_count < o->name_capacity);
    *place = (uint32_t)o->name_count;
    o->names[o->name_count] = *name;
    o->owners[o->name_count++] = owner;
    return true;
}

static uint32_t row_add(struct overlay *o, const struct row_key *key)
{
    assert(o->row_count < o->name_capacity);
    o->rows[o->row_count] = (struct overlay_row){.key = *key};
    return (uint32_t)o->row_count++;
}

void overlay_want_row(struct overlay *o, const struct row_key *key)
{
    struct row_wanted name = name_of_row(key);

    if (name_add(o, &name, (uint32_t)o->row_count))
        (void)row_add(o, key);
}

void overlay_want_lookup(struct overlay *o, uint8_t table, const uint8_t lookup[STORE_HASH_SIZE])
{
    struct row_wanted name = name_of_lookup(table, lookup);

    (void)name_add(o, &name, NONE);
}

const struct row_wanted *overlay_wanted(const struct overlay *o, size_t *count)
{
    *count = o->name_count;
    return o->names;
}

/* The position of a name, or NONE. */
static uint32_t name_find(const struct overlay *o, struct row_wanted name)
{
    return *place_of(o, &name);
}

struct overlay_row *overlay_load(struct overlay *o, const struct stored_row *row,
                                 const struct row_set *sum)
{
    uint32_t by_id = name_find(o, name_of_row(&row->key));
    uint32_t by_lookup =
        row->has_lookup ? name_find(o, name_of_lookup(row->key.table, row->lookup)) : NONE;
    struct overlay_row *loaded;
    uint32_t at;

    if (by_id == NONE && (by_lookup == NONE || o->owners[by_lookup] != NONE))
        return NULL; /* not named, or loaded before */
    at = by_id != NONE ? o->owners[by_id] : row_add(o, &row->key);
    loaded = &o->rows[at];
    if (loaded->was_there)
        return NULL;
    if (by_lookup != NONE)
        o->owners[by_lookup] = at;
    loaded->was_there = loaded->is_there = true;
    loaded->was_version = loaded->is_version = row->version;
    loaded->was_looked_up = loaded->is_looked_up = row->has_lookup;
    memcpy(loaded->was_lookup, row->lookup, sizeof loaded->was_lookup);
    memcpy(loaded->is_lookup, row->lookup, sizeof loaded->is_lookup);
    loaded->was_sum = *sum;
    return loaded;
}

const struct overlay_row *overlay_find(const struct overlay *o, const struct row_key *key)
{
    uint32_t name = name_find(o, name_of_row(key));

    assert(name != NONE);
    return &o->rows[o->owners[name]];
}

const struct overlay_row *overlay_find_lookup(const struct overlay *o, uint8_t table,
                                              const uint8_t lookup[STORE_HASH_SIZE])
{
    uint32_t name = name_find(o, name_of_lookup(table, lookup));

    assert(name != NONE);
    return o->owners[name] == NONE ? NULL : &o->rows[o->owners[name]];
}

static void owner_set(struct overlay *o, uint8_t table, const uint8_t lookup[STORE_HASH_SIZE],
                      uint32_t owner)
{
    uint32_t name = name_find(o, name_of_lookup(table, lookup));

    if (name == NONE)
        return; /* no transaction of the group asks for it */
    assert(o->owner_undo_count < UNDO_OWNERS_MAX);
    o->owner_undos[o->owner_undo_count++] = (struct owner_undo){name, o->owners[name]};
    o->owners[name] = owner;
}

void overlay_change(struct overlay *o, const struct overlay_row *row,
                    const struct overlay_row *next)
{
    uint32_t at = (uint32_t)(row - o->rows);
    struct overlay_row *target = &o->rows[at];

    assert(at < o->row_count && o->row_undo_count < UNDO_MAX);
    o->row_undos[o->row_undo_count++] = (struct row_undo){at, *target};
    if (target->is_there && target->is_looked_up)
        owner_set(o, target->key.table, target->is_lookup, NONE);
    *target = *next;
    target->changed = true;
    if (target->is_there && target->is_looked_up)
        owner_set(o, target->key.table, target->is_lookup, at);
}

void overlay_keep(struct overlay *o)
{
    o->row_undo_count = 0;
    o->owner_undo_count = 0;
}

void overlay_take_back(struct overlay *o)
{
    while (o->row_undo_count > 0) {
        const struct row_undo *u = &o->row_undos[--o->row_undo_count];

        o->rows[u->row] = u->before;
    }
    while (o->owner_undo_count > 0) {
        const struct owner_undo *u = &o->owner_undos[--o->owner_undo_count];

        o->owners[u->name] = u->before;
    }
}

const struct overlay_row *overlay_rows(const struct overlay *o, size_t *count)
{
    *count = o->row_count;
    return o->rows;
}
