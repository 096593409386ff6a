#include "store/export.h"

#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "store/log.h"

enum { RECORD_HEADER_SIZE = 5 };

/* ---- records ---- */

MUST_CHECK static enum err begin_parse(struct reader *r, struct export_begin *out)
{
    struct span origin;

    out->time.ms = (int64_t)reader_u64le(r);
    out->node = reader_u32le(r);
    out->commits = reader_u64le(r);
    out->anchor = reader_u64le(r);
    out->size = reader_u64le(r);
    reader_copy(r, out->root.bytes, sizeof out->root.bytes);
    origin = reader_take(r, reader_u8(r));
    if (reader_finish(r) != ERR_NONE || out->node < 1 || out->node > TRANSACTION_NODE_MAX ||
        out->commits >= NODE_STATE_UNFINISHED - 1 || out->size > INT64_MAX || out->time.ms < 0)
        return ERR_MALFORMED;
    return span_to_string(origin, out->origin, sizeof out->origin) == ERR_NONE ? ERR_NONE
                                                                               : ERR_MALFORMED;
}

MUST_CHECK static enum err row_parse(struct reader *r, struct export_record *out)
{
    const uint8_t table = reader_u8(r);

    out->row.table = (enum store_table)table;
    out->row.version = reader_u64le(r);
    if (r->failed || table == 0 || table >= TABLE_END || out->row.version == 0 ||
        out->row.version > INT64_MAX)
        return ERR_MALFORMED;
    return row_view_parse(r->rest, &out->row.view);
}

MUST_CHECK static enum err body_parse(struct reader *r, struct export_record *out)
{
    switch (out->kind) {
    case EXPORT_BEGIN:
        return begin_parse(r, &out->begin);
    case EXPORT_ROW:
        return row_parse(r, out);
    case EXPORT_BLOCK:
        reader_copy(r, out->block.bytes, sizeof out->block.bytes);
        return reader_finish(r);
    case EXPORT_ENTRY:
        out->entry = r->rest;
        return r->rest.size > 0 && r->rest.size <= STORE_SEALED_MAX ? ERR_NONE : ERR_MALFORMED;
    case EXPORT_END:
        out->end.rows = reader_u64le(r);
        out->end.blocks = reader_u64le(r);
        out->end.entries = reader_u64le(r);
        return reader_finish(r);
    }
    return ERR_UNSUPPORTED;
}

enum err export_record_parse(uint8_t kind, struct span body, struct export_record *out)
{
    struct export_record record = {.kind = (enum export_kind)kind};
    struct reader r = reader_over(body);
    enum err e =
        kind < EXPORT_BEGIN || kind > EXPORT_END ? ERR_UNSUPPORTED : body_parse(&r, &record);

    if (e == ERR_NONE)
        *out = record;
    return e;
}

MUST_CHECK static enum err record_put(struct export_writer *w, enum export_kind kind,
                                      struct span first, struct span second)
{
    uint8_t header[RECORD_HEADER_SIZE];
    struct writer head = writer_over(header, sizeof header);
    enum err e;

    writer_u8(&head, (uint8_t)kind);
    writer_u32le(&head, (uint32_t)(first.size + second.size));
    e = export_writer_put(w, SPAN_OF(header));
    if (e == ERR_NONE)
        e = export_writer_put(w, first);
    return e == ERR_NONE ? export_writer_put(w, second) : e;
}

/* ---- export ---- */

struct exporting {
    const struct examine_options *from;
    const struct examination *examination;
    struct export_writer *w;
    struct secret *plain;
    struct export_counts counts;
};

MUST_CHECK static enum err begin_put(const struct exporting *x, struct timestamp time)
{
    const struct node_state *state = &x->examination->state;
    const size_t origin_size = strlen(x->from->origin);
    uint8_t body[8 + 4 + 3 * 8 + 32 + 1 + STORE_ORIGIN_MAX];
    struct writer w = writer_over(body, sizeof body);
    struct merkle_hash root;

    merkle_root(&state->log, &root);
    writer_u64le(&w, (uint64_t)time.ms);
    writer_u32le(&w, x->from->node);
    writer_u64le(&w, state->commits);
    writer_u64le(&w, state->anchor);
    writer_u64le(&w, state->log.size);
    writer_put(&w, SPAN_OF(root.bytes));
    writer_u8(&w, (uint8_t)origin_size);
    writer_put(&w, span_of(x->from->origin, origin_size));
    if (w.failed)
        return ERR_TOO_LARGE;
    return record_put(x->w, EXPORT_BEGIN, span_of(body, w.size), (struct span){0});
}

MUST_CHECK static enum err row_export(void *context, const struct stored_row *row)
{
    struct exporting *x = context;
    uint8_t head[9];
    struct writer w = writer_over(head, sizeof head);
    struct row_view view;
    struct span plain;
    enum err e = row_open(x->from->keys, row, secret_data(x->plain), &view);

    if (e != ERR_NONE)
        return ERR_TAMPERED;
    plain = span_of(secret_data(x->plain), row_plain_size(row));
    writer_u8(&w, row->key.table);
    writer_u64le(&w, row->version);
    e = record_put(x->w, EXPORT_ROW, SPAN_OF(head), plain);
    bytes_wipe(secret_data(x->plain), plain.size);
    x->counts.rows++;
    return e;
}

MUST_CHECK static enum err block_export(void *context, uint64_t index, struct span hash)
{
    struct exporting *x = context;

    if (index != x->counts.blocks || hash.size != sizeof(struct merkle_hash))
        return ERR_TAMPERED;
    x->counts.blocks++;
    return record_put(x->w, EXPORT_BLOCK, hash, (struct span){0});
}

MUST_CHECK static enum err entry_export(void *context, uint64_t index, struct span entry)
{
    struct exporting *x = context;

    if (index != x->counts.blocks * TILE_WIDTH + x->counts.entries)
        return ERR_TAMPERED;
    x->counts.entries++;
    return record_put(x->w, EXPORT_ENTRY, entry, (struct span){0});
}

MUST_CHECK static enum err end_put(const struct exporting *x)
{
    uint8_t body[3 * 8];
    struct writer w = writer_over(body, sizeof body);

    writer_u64le(&w, x->counts.rows);
    writer_u64le(&w, x->counts.blocks);
    writer_u64le(&w, x->counts.entries);
    return record_put(x->w, EXPORT_END, SPAN_OF(body), (struct span){0});
}

MUST_CHECK static enum err log_export(struct exporting *x)
{
    const struct node_state *state = &x->examination->state;
    struct store_engine *engine = x->from->engine;
    const uint64_t blocks = state->log_archived / TILE_WIDTH;
    enum err e = ERR_NONE;

    if (blocks > 0)
        e = engine->ops->subtrees(engine, x->from->node, LOG_LEVEL_STEP, 0, blocks, block_export,
                                  x);
    if (e == ERR_NONE)
        e = engine->ops->entries(engine, x->from->node, state->log_archived,
                                 state->log.size - state->log_archived, entry_export, x);
    if (e == ERR_NONE && x->counts.blocks * TILE_WIDTH + x->counts.entries != state->log.size)
        e = ERR_TAMPERED;
    return e;
}

enum err export_write(const struct examine_options *from, const struct examination *examination,
                      struct timestamp time, struct export_writer *w, struct export_counts *out)
{
    struct exporting x = {.from = from, .examination = examination, .w = w};
    struct store_engine *engine = from->engine;
    enum err e = secret_new(ROWS_PLAIN_MAX, &x.plain);

    if (e == ERR_NONE)
        e = begin_put(&x, time);
    if (e == ERR_NONE)
        e = engine->ops->scan(engine, 0, NULL, row_export, &x);
    if (e == ERR_NONE && x.counts.rows != examination->rows)
        e = ERR_TAMPERED;
    if (e == ERR_NONE)
        e = log_export(&x);
    if (e == ERR_NONE)
        e = end_put(&x);
    if (e == ERR_NONE)
        e = export_writer_end(w);
    if (e == ERR_NONE)
        *out = x.counts;
    secret_free(&x.plain);
    return e;
}

/* ---- import ---- */

struct importing {
    const struct import_options *options;
    struct secret *body;
    struct builder *builder;
    struct export_begin begin;
    struct export_counts counts;
    enum export_kind last;
};

MUST_CHECK static enum err record_read(struct importing *x, struct export_record *out)
{
    uint8_t header[RECORD_HEADER_SIZE];
    struct reader r = reader_over(SPAN_OF(header));
    uint8_t kind;
    uint32_t size;
    enum err e = export_reader_take(x->options->reader, header, sizeof header);

    kind = reader_u8(&r);
    size = reader_u32le(&r);
    if (e == ERR_NONE && size > EXPORT_RECORD_MAX)
        e = ERR_MALFORMED;
    if (e == ERR_NONE)
        e = export_reader_take(x->options->reader, secret_data(x->body), size);
    if (e == ERR_NONE)
        e = export_record_parse(kind, span_of(secret_data(x->body), size), out);
    return e == ERR_NOT_FOUND ? ERR_MALFORMED : e; /* it ends within a record, or without END */
}

MUST_CHECK static enum err begin_import(struct importing *x)
{
    const struct builder_options options = {
        .engine = x->options->into,
        .keys = x->options->keys,
        .node = x->begin.node,
        .origin = x->begin.origin,
    };
    enum err e = x->options->begun(x->options->context, &x->begin);

    return e == ERR_NONE ? builder_new(&options, &x->builder) : e;
}

MUST_CHECK static enum err end_import(const struct importing *x, const struct export_counts *end)
{
    const struct merkle_frontier *log = builder_log(x->builder);
    struct merkle_hash root;

    merkle_root(log, &root);
    if (end->rows != x->counts.rows || end->blocks != x->counts.blocks ||
        end->entries != x->counts.entries || log->size != x->begin.size ||
        !span_equal(SPAN_OF(root.bytes), SPAN_OF(x->begin.root.bytes)))
        return ERR_MALFORMED;
    return export_reader_end(x->options->reader);
}

MUST_CHECK static enum err record_import(struct importing *x, const struct export_record *record)
{
    switch (record->kind) {
    case EXPORT_BEGIN:
        x->begin = record->begin;
        return begin_import(x);
    case EXPORT_ROW:
        x->counts.rows++;
        return builder_put(x->builder, record->row.table, record->row.version, &record->row.view);
    case EXPORT_BLOCK:
        x->counts.blocks++;
        return builder_block(x->builder, &record->block);
    case EXPORT_ENTRY:
        x->counts.entries++;
        return builder_entry(x->builder, record->entry);
    case EXPORT_END:
        return end_import(x, &record->end);
    }
    return ERR_UNSUPPORTED;
}

/* BEGIN is the first and the only one; the others come in the order of their numbers. */
static bool comes_after(enum export_kind last, enum export_kind kind)
{
    return last == 0 ? kind == EXPORT_BEGIN : kind != EXPORT_BEGIN && kind >= last;
}

enum err import_run(const struct import_options *options, struct builder **out,
                    struct export_begin *begin, struct export_counts *counts)
{
    struct importing x = {.options = options};
    struct export_record record;
    enum err e = secret_new(EXPORT_RECORD_MAX, &x.body);

    while (e == ERR_NONE && x.last != EXPORT_END) {
        e = record_read(&x, &record);
        if (e == ERR_NONE && !comes_after(x.last, record.kind))
            e = ERR_MALFORMED;
        if (e == ERR_NONE)
            e = record_import(&x, &record);
        if (e == ERR_NONE)
            x.last = record.kind;
    }
    if (e == ERR_NONE) {
        *out = x.builder;
        x.builder = NULL; /* the caller owns it now */
        *begin = x.begin;
        *counts = x.counts;
    }
    builder_free(&x.builder);
    secret_free(&x.body);
    return e;
}
