#include "base/log.h"
#include "store/engine.h"
#include "store/schema.h"

/* In the order they were made; number n is entry n - 1. A published one is never edited. */
static const char *const migrations[] = {SCHEMA_0001};

MUST_CHECK static enum err meta_save(sqlite3 *db, const char *origin)
{
    sqlite3_stmt *statement = NULL;
    enum err e;

    e = engine_prepare(db,
                       "INSERT INTO meta (id, schema, origin) VALUES (1, $1, $2) "
                       "ON CONFLICT (id) DO UPDATE SET schema = excluded.schema",
                       &statement);
    if (e == ERR_NONE)
        e = engine_error(sqlite3_bind_int64(statement, 1, (int64_t)COUNT_OF(migrations)));
    if (e == ERR_NONE)
        e = engine_error(sqlite3_bind_text(statement, 2, origin, -1, SQLITE_STATIC));
    if (e == ERR_NONE)
        e = engine_error(sqlite3_step(statement));
    (void)sqlite3_finalize(statement);
    return e;
}

MUST_CHECK static enum err migrate(sqlite3 *db, size_t from, const char *origin)
{
    enum err e = ERR_NONE;

    for (size_t i = from; e == ERR_NONE && i < COUNT_OF(migrations); i++)
        e = engine_exec(db, migrations[i]);
    return e == ERR_NONE ? meta_save(db, origin) : e;
}

enum err engine_schema_create(sqlite3 *db, const char *origin)
{
    return migrate(db, 0, origin);
}

enum err engine_schema_is_empty(sqlite3 *db, bool *out)
{
    sqlite3_stmt *statement = NULL;
    enum err e;

    e = engine_prepare(db, "SELECT count(*) FROM sqlite_schema", &statement);
    if (e == ERR_NONE)
        e = engine_row(statement);
    if (e == ERR_NONE)
        *out = sqlite3_column_int64(statement, 0) == 0;
    (void)sqlite3_finalize(statement);
    return e;
}

/* All definitions in the file as one text. */
MUST_CHECK static enum err schema_dump(sqlite3 *db, struct buffer *out)
{
    sqlite3_stmt *statement = NULL;
    enum err e;

    e = engine_prepare(db,
                       "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') "
                       "|| char(10) FROM sqlite_schema ORDER BY type, name",
                       &statement);
    while (e == ERR_NONE && (e = engine_row(statement)) == ERR_NONE)
        e = buffer_append(out, engine_blob(statement, 0));
    (void)sqlite3_finalize(statement);
    return e == ERR_NOT_FOUND ? ERR_NONE : e;
}

/* Compares with a new database in memory, which is what ours must look like. */
MUST_CHECK static enum err schema_compare(sqlite3 *db, const char *origin)
{
    sqlite3 *fresh = NULL;
    struct buffer ours = {0};
    struct buffer expected = {0};
    enum err e;

    e = engine_error(sqlite3_open(":memory:", &fresh));
    if (e == ERR_NONE)
        e = engine_schema_create(fresh, origin);
    if (e == ERR_NONE)
        e = schema_dump(fresh, &expected);
    if (e == ERR_NONE)
        e = schema_dump(db, &ours);
    if (e == ERR_NONE && !span_equal(buffer_span(&ours), buffer_span(&expected)))
        e = ERR_TAMPERED;
    buffer_clear(&ours);
    buffer_clear(&expected);
    (void)sqlite3_close(fresh);
    return e;
}

MUST_CHECK static enum err meta_load(sqlite3 *db, const char *origin, int64_t *version)
{
    sqlite3_stmt *statement = NULL;
    int result;
    enum err e;

    result = sqlite3_prepare_v2(db, "SELECT schema, origin FROM meta WHERE id = 1", -1, &statement,
                                NULL);
    if (result == SQLITE_ERROR)
        return ERR_TAMPERED; /* no such table or column: not a database of ours */
    e = engine_error(result);
    if (e == ERR_NONE)
        e = engine_row(statement);
    if (e == ERR_NOT_FOUND ||
        (e == ERR_NONE && !span_equal_string(engine_blob(statement, 1), origin)))
        e = ERR_TAMPERED;
    if (e == ERR_NONE)
        *version = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return e;
}

MUST_CHECK static enum err upgrade(sqlite3 *db, int64_t version, const char *origin)
{
    enum err e;

    if (version < 1)
        return ERR_TAMPERED;
    if (version > (int64_t)COUNT_OF(migrations))
        return ERR_UNSUPPORTED;
    if (version == (int64_t)COUNT_OF(migrations))
        return ERR_NONE;
    e = engine_exec(db, "BEGIN IMMEDIATE");
    if (e == ERR_NONE)
        e = migrate(db, (size_t)version, origin);
    if (e == ERR_NONE)
        e = engine_exec(db, "COMMIT");
    return e; /* on failure the connection is closed, which rolls back */
}

enum err engine_schema_check(sqlite3 *db, const char *origin)
{
    int64_t version = 0;
    enum err e;

    e = meta_load(db, origin, &version);
    if (e == ERR_NONE)
        e = upgrade(db, version, origin);
    if (e == ERR_NONE)
        e = schema_compare(db, origin);
    if (e == ERR_TAMPERED)
        log_write(LOG_ERROR, "store", "tampered",
                  LOG_STRING("what", "the tables, the schema number or the origin"),
                  LOG_STRING("origin_expected", origin));
    else if (e == ERR_UNSUPPORTED)
        log_write(LOG_ERROR, "store", "schema is newer than this program",
                  LOG_NUMBER("schema", version), LOG_NUMBER("known", COUNT_OF(migrations)));
    return e;
}
