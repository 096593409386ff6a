#include "service/reference_rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "audit/entry.h"
#include "base/reader.h"
#include "base/writer.h"

enum { IMPORTED = 1, HEAD_SIZE = 1 + 8, LINE_MAX_SIZE = HEAD_SIZE + AUDIT_ENTRY_MAX };

static const uint64_t no_change = UINT64_MAX; /* for the index of the last change */
static const struct span last_id = {(const uint8_t *)"last", 4};

static struct span id_write(const char *policy, const char *field, struct span bytes,
                            uint8_t out[REFERENCE_ROW_ID_MAX])
{
    struct writer w = writer_over(out, REFERENCE_ROW_ID_MAX);

    writer_u8(&w, 'v');
    writer_put(&w, span_string(policy));
    writer_u8(&w, 0);
    writer_put(&w, span_string(field));
    writer_u8(&w, 0);
    writer_put(&w, bytes);
    assert(!w.failed); /* every part has its limit */
    return span_of(out, w.size);
}

struct effect reference_rows_require(uint64_t version)
{
    return (struct effect){
        .kind = EFFECT_REQUIRE, .table = TABLE_REFERENCE_VALUE, .id = last_id, .version = version};
}

enum err reference_rows_look(struct store *store, uint64_t version, bool *changed)
{
    uint64_t found = 0;
    enum err e = store_row_version(store, TABLE_REFERENCE_VALUE, last_id, &found);

    if (e == ERR_NOT_FOUND)
        e = ERR_NONE;
    *changed = e == ERR_NONE && found != version;
    return e;
}

void reference_rows_of(const struct policy_change *change, struct timestamp now, struct span entry,
                       uint64_t version, struct reference_rows *out)
{
    const struct span id =
        id_write(change->policy, change->field, span_of(change->bytes, change->size), out->id);

    out->effects[0] = reference_rows_require(version);
    out->effects[1] = (struct effect){
        .kind = change->removes ? EFFECT_DELETE : EFFECT_PUT,
        .table = TABLE_REFERENCE_VALUE,
        .id = id,
        .value = change->removes ? (struct span){0} : entry,
    };
    out->effects[2] =
        (struct effect){.kind = EFFECT_PUT, .table = TABLE_REFERENCE_VALUE, .id = last_id};
    out->transaction = (struct transaction){
        .time = now, .effects = out->effects, .count = COUNT_OF(out->effects), .entry = entry};
}

enum err reference_row_parse(struct span value, uint64_t version, uint64_t *index,
                             struct span *line)
{
    struct reader r = reader_over(value);

    if (value.size == 0 || value.data[0] == '{') {
        *index = version >> TRANSACTION_NODE_BITS;
        *line = value;
        return ERR_NONE;
    }
    if (reader_u8(&r) != IMPORTED)
        return ERR_UNSUPPORTED;
    *index = reader_u64le(&r);
    *line = r.rest;
    return r.failed ? ERR_UNSUPPORTED : ERR_NONE;
}

struct loading {
    struct reference_values *values;
    bool known;
    uint64_t last, version;
};

MUST_CHECK static enum err row_take(void *context, enum store_table table, uint64_t version,
                                    const struct row_view *row)
{
    struct loading *l = context;
    uint64_t index = 0;
    struct span line = {0};
    size_t before = l->values->count;
    enum err e = reference_row_parse(row->value, version, &index, &line);

    (void)table;
    if (e != ERR_NONE)
        return e;
    if (span_equal(row->id, last_id)) {
        l->known = true;
        l->last = index;
        l->version = version;
        return ERR_NONE;
    }
    e = reference_values_replay(l->values, index, line);
    return e == ERR_NONE && l->values->count != before + 1 ? ERR_UNSUPPORTED : e;
}

static int by_index(const void *a, const void *b)
{
    const struct reference_value *x = a;
    const struct reference_value *y = b;

    return x->index < y->index ? -1 : x->index > y->index;
}

enum err reference_rows_load(struct store *store, struct reference_values *out, bool *known)
{
    struct loading l = {.values = out};
    enum err e = store_rows(store, TABLE_REFERENCE_VALUE, row_take, &l);

    if (e != ERR_NONE)
        return e;
    if (out->count > 0) /* rows come in no order */
        qsort(out->items, out->count, sizeof out->items[0], by_index);
    out->changed = l.known && l.last != no_change;
    out->changes = out->changed ? l.last : 0;
    out->stored = l.version;
    *known = l.known;
    return ERR_NONE;
}

/* ---- import ---- */

/* The rows of one transaction, and what they borrow from. */
struct import {
    struct effect effects[REFERENCE_ROWS_PER_GROUP + 1];
    size_t count;
    uint8_t ids[REFERENCE_ROWS_PER_GROUP][REFERENCE_ROW_ID_MAX];
    uint8_t lines[REFERENCE_ROWS_PER_GROUP + 1][LINE_MAX_SIZE];
    struct writer line; /* of the row that is made */
};

MUST_CHECK static enum err line_take(void *context, uint64_t index, struct span entry)
{
    struct import *import = context;

    (void)index;
    writer_put(&import->line, entry);
    return ERR_NONE;
}

/* Begins the value of a row: where its entry is. */
static void line_begin(struct import *import, uint64_t index)
{
    import->line = writer_over(import->lines[import->count], LINE_MAX_SIZE);
    writer_u8(&import->line, IMPORTED);
    writer_u64le(&import->line, index);
}

static void row_add(struct import *import, struct span id)
{
    import->effects[import->count] = (struct effect){
        .kind = EFFECT_PUT,
        .table = TABLE_REFERENCE_VALUE,
        .id = id,
        .value = span_of(import->line.data, import->line.size),
    };
    import->count++;
}

MUST_CHECK static enum err value_add(struct import *import, struct store *store,
                                     const struct reference_value *value)
{
    enum err e;

    line_begin(import, value->index);
    e = store_entries(store, value->index, 1, line_take, import);
    if (e == ERR_NONE)
        e = writer_finish(&import->line, NULL);
    if (e == ERR_NONE)
        row_add(import, id_write(value->policy, value->field, span_of(value->bytes, value->size),
                                 import->ids[import->count]));
    return e;
}

MUST_CHECK static enum err import_run(struct import *import, struct store *store, struct span entry)
{
    const struct transaction t = {
        .effects = import->effects, .count = import->count, .entry = entry};
    const struct transaction *list = &t;
    struct transaction_result result;
    enum err e = store_run(store, &list, 1, &result);

    import->count = 0;
    return e;
}

enum err reference_rows_import(struct store *store, const struct reference_values *values,
                               struct span entry)
{
    struct import *import = calloc(1, sizeof *import);
    enum err e = import ? ERR_NONE : ERR_MEMORY;

    for (size_t i = 0; e == ERR_NONE && i < values->count; i++) {
        e = value_add(import, store, &values->items[i]);
        if (e == ERR_NONE && import->count == REFERENCE_ROWS_PER_GROUP && i + 1 < values->count)
            e = import_run(import, store, entry);
    }
    if (e == ERR_NONE) { /* the last transaction says that all are there */
        line_begin(import, values->changed ? values->changes : no_change);
        row_add(import, last_id);
        e = import_run(import, store, entry);
    }
    free(import);
    return e;
}
