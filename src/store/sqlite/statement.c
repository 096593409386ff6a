#include "store/sqlite/engine.h"

#include <string.h>

#include "base/log.h"

enum err sqlite_error(int result)
{
    switch (result & 0xff) { /* the primary code; the extended one is in the higher bytes */
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERR_NONE;
    case SQLITE_NOMEM:
        return ERR_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT: /* a row where we left none */
        return ERR_TAMPERED;
    default:
        return ERR_IO;
    }
}

enum err sqlite_exec(sqlite3 *db, const char *sql)
{
    return sqlite_error(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

enum err sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out)
{
    return sqlite_error(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL));
}

enum err sqlite_row(sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);

    return result == SQLITE_DONE ? ERR_NOT_FOUND : sqlite_error(result);
}

enum err sqlite_run(sqlite3_stmt *statement)
{
    enum err e = sqlite_error(sqlite3_step(statement));

    (void)sqlite3_reset(statement); /* repeats the error of the step */
    return e;
}

enum err sqlite_bind_number(sqlite3_stmt *statement, int at, uint64_t number)
{
    return sqlite_error(sqlite3_bind_int64(statement, at, (int64_t)number));
}

/* Bytes are bound SQLITE_STATIC: the bindings are replaced before they are used again. */
enum err sqlite_bind_bytes(sqlite3_stmt *statement, int at, struct span bytes)
{
    return sqlite_error(sqlite3_bind_blob64(
        statement, at, bytes.data ? (const void *)bytes.data : "", bytes.size, SQLITE_STATIC));
}

struct span sqlite_bytes(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);

    return span_of(data, (size_t)sqlite3_column_bytes(statement, column));
}

uint64_t sqlite_number(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

enum err sqlite_hash(sqlite3_stmt *statement, int column, uint8_t out[STORE_HASH_SIZE])
{
    struct span bytes = sqlite_bytes(statement, column);

    if (bytes.size != STORE_HASH_SIZE) {
        log_write(LOG_ERROR, "store", "tampered",
                  LOG_STRING("what", "the id or the lookup value of a row has another size"),
                  LOG_NUMBER("table", sqlite_number(statement, 0)),
                  LOG_NUMBER("version_found", sqlite_number(statement, 2)));
        return ERR_TAMPERED;
    }
    memcpy(out, bytes.data, STORE_HASH_SIZE);
    return ERR_NONE;
}

enum err sqlite_item(sqlite3_stmt *statement, int first, struct stored_row *row)
{
    row->version = sqlite_number(statement, first);
    row->has_lookup = sqlite3_column_type(statement, first + 1) != SQLITE_NULL;
    row->sealed = sqlite_bytes(statement, first + 2);
    return row->has_lookup ? sqlite_hash(statement, first + 1, row->lookup) : ERR_NONE;
}

enum err sqlite_node(sqlite3_stmt *statement, struct stored_node_state *out)
{
    struct span origin = sqlite_bytes(statement, 1);
    struct span state = sqlite_bytes(statement, 3);
    const uint64_t node = sqlite_number(statement, 0);

    out->node = node > UINT32_MAX ? 0 : (uint32_t)node;
    out->token = sqlite_number(statement, 2);
    if (state.size > sizeof out->state ||
        span_to_string(origin, out->origin, sizeof out->origin) != ERR_NONE)
        return ERR_TAMPERED;
    if (state.size > 0)
        memcpy(out->state, state.data, state.size);
    out->size = state.size;
    return ERR_NONE;
}
