/* Parameters and columns in PostgreSQL's binary form: numbers are big-endian. */
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "store/postgres/engine.h"

enum { ARRAY_HEADER_SIZE = 20 };

void pg_add_bytes(struct pg_params *p, struct span bytes)
{
    p->values[p->count] = bytes.data ? (const char *)bytes.data : "";
    p->sizes[p->count++] = (int)bytes.size;
}

void pg_add_number(struct pg_params *p, uint64_t number)
{
    struct writer w = writer_over(p->numbers[p->count], sizeof p->numbers[0]);

    writer_u64be(&w, number);
    pg_add_bytes(p, SPAN_OF(p->numbers[p->count]));
}

static void array_append(struct pg_array *a, const void *data, size_t size)
{
    if (!a->failed && buffer_append(&a->bytes, span_of(data, size)) != ERR_NONE)
        a->failed = true;
}

static void array_element(struct pg_array *a, uint32_t size)
{
    static const uint8_t header[ARRAY_HEADER_SIZE];
    uint8_t bytes[4];
    struct writer w = writer_over(bytes, sizeof bytes);

    if (a->count++ == 0)
        array_append(a, header, sizeof header); /* pg_add_array() fills it */
    writer_u32be(&w, size);
    array_append(a, bytes, sizeof bytes);
}

void pg_array_bytes(struct pg_array *a, struct span bytes)
{
    array_element(a, (uint32_t)bytes.size);
    array_append(a, bytes.data, bytes.size);
}

void pg_array_number(struct pg_array *a, uint64_t number)
{
    uint8_t bytes[8];
    struct writer w = writer_over(bytes, sizeof bytes);

    writer_u64be(&w, number);
    pg_array_bytes(a, SPAN_OF(bytes));
}

void pg_array_null(struct pg_array *a)
{
    array_element(a, UINT32_MAX);
}

void pg_array_clear(struct pg_array *a)
{
    buffer_clear(&a->bytes);
    *a = (struct pg_array){0};
}

/* array_recv() in PostgreSQL's arrayfuncs.c: dimensions, whether there are NULLs, the type, and for
 * each dimension its size and first index. An empty array has no dimension. */
enum err pg_add_array(struct pg_params *p, struct pg_array *a, Oid oid)
{
    static const uint8_t header[ARRAY_HEADER_SIZE];
    struct writer w;

    if (a->count == 0)
        array_append(a, header, 12);
    if (a->failed || a->bytes.size > INT32_MAX)
        return ERR_MEMORY;
    w = writer_over(a->bytes.data, a->bytes.size);
    writer_u32be(&w, a->count > 0 ? 1 : 0);
    writer_u32be(&w, 1); /* there may be */
    writer_u32be(&w, oid);
    if (a->count > 0) {
        writer_u32be(&w, a->count);
        writer_u32be(&w, 1);
    }
    pg_add_bytes(p, buffer_span(&a->bytes));
    return ERR_NONE;
}

struct span pg_bytes(const PGresult *r, int row, int column)
{
    return span_of(PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column));
}

enum err pg_number(const PGresult *r, int row, int column, uint64_t *out)
{
    struct reader reader = reader_over(pg_bytes(r, row, column));
    uint64_t number = reader_u64be(&reader);

    if (PQgetisnull(r, row, column) || reader_finish(&reader) != ERR_NONE)
        return ERR_TAMPERED;
    *out = number;
    return ERR_NONE;
}

MUST_CHECK static enum err hash(const PGresult *r, int row, int column,
                                uint8_t out[STORE_HASH_SIZE])
{
    struct span bytes = pg_bytes(r, row, column);

    if (bytes.size != STORE_HASH_SIZE)
        return ERR_TAMPERED;
    memcpy(out, bytes.data, STORE_HASH_SIZE);
    return ERR_NONE;
}

enum err pg_item(const PGresult *r, int row, int first, struct stored_row *out)
{
    uint64_t table = 0;
    enum err e = pg_number(r, row, first, &table);

    if (e == ERR_NONE)
        e = hash(r, row, first + 1, out->key.id);
    if (e == ERR_NONE)
        e = pg_number(r, row, first + 2, &out->version);
    if (e != ERR_NONE)
        return e;
    out->key.table = (uint8_t)table;
    out->has_lookup = !PQgetisnull(r, row, first + 3);
    out->sealed = pg_bytes(r, row, first + 4);
    if (table > UINT8_MAX || out->version == 0 || out->sealed.size > STORE_SEALED_MAX)
        return ERR_TAMPERED;
    return out->has_lookup ? hash(r, row, first + 3, out->lookup) : ERR_NONE;
}

enum err pg_node(const PGresult *r, int row, struct stored_node_state *out)
{
    struct span state = pg_bytes(r, row, 3);
    uint64_t node = 0;
    enum err e = pg_number(r, row, 0, &node);

    if (e == ERR_NONE)
        e = pg_number(r, row, 2, &out->token);
    if (e == ERR_NONE &&
        (node < 1 || node > TRANSACTION_NODE_MAX || state.size > sizeof out->state ||
         span_to_string(pg_bytes(r, row, 1), out->origin, sizeof out->origin) != ERR_NONE))
        e = ERR_TAMPERED;
    if (e != ERR_NONE)
        return e;
    out->node = (uint32_t)node;
    if (state.size > 0)
        memcpy(out->state, state.data, state.size);
    out->size = state.size;
    return ERR_NONE;
}
