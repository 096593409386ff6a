#include "base/log.h"
#include "store/migrations.h"
#include "store/sqlite/engine.h"

/* Runs the migrations above `from`; inside a transaction of the caller. */
MUST_CHECK static enum err migrations_run(sqlite3 *db, size_t from)
{
    sqlite3_stmt *save = NULL;
    enum err e = ERR_NONE;

    for (size_t i = from; e == ERR_NONE && i < store_migration_count; i++)
        e = sqlite_exec(db, store_migrations[i].sqlite);
    if (e == ERR_NONE)
        e = sqlite_prepare(db,
                           "INSERT INTO meta (id, schema, origin) VALUES (1, $1, '') "
                           "ON CONFLICT (id) DO UPDATE SET schema = excluded.schema",
                           &save);
    if (e == ERR_NONE)
        e = sqlite_bind_number(save, 1, store_migration_count);
    if (e == ERR_NONE)
        e = sqlite_run(save);
    (void)sqlite3_finalize(save);
    return e;
}

MUST_CHECK static enum err upgrade(sqlite3 *db, size_t from)
{
    enum err e = sqlite_exec(db, "BEGIN IMMEDIATE");

    if (e == ERR_NONE)
        e = migrations_run(db, from);
    if (e == ERR_NONE)
        e = sqlite_exec(db, "COMMIT");
    if (e != ERR_NONE && (sqlite3_errcode(db) & 0xff) == SQLITE_ERROR)
        e = ERR_TAMPERED; /* there is a table already, or is none: not what the number says */
    return e;             /* on failure the connection is closed, which rolls back */
}

/* The number of tables and other things in the file. */
MUST_CHECK static enum err definitions_count(sqlite3 *db, uint64_t *out)
{
    sqlite3_stmt *statement = NULL;
    enum err e = sqlite_prepare(db, "SELECT count(*) FROM sqlite_schema", &statement);

    if (e == ERR_NONE)
        e = sqlite_row(statement);
    if (e == ERR_NONE)
        *out = sqlite_number(statement, 0);
    (void)sqlite3_finalize(statement);
    return e;
}

/* All definitions in the file as one text. */
MUST_CHECK static enum err definitions_dump(sqlite3 *db, struct buffer *out)
{
    sqlite3_stmt *statement = NULL;
    enum err e;

    e = sqlite_prepare(db,
                       "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') "
                       "|| char(10) FROM sqlite_schema ORDER BY type, name",
                       &statement);
    while (e == ERR_NONE && (e = sqlite_row(statement)) == ERR_NONE)
        e = buffer_append(out, sqlite_bytes(statement, 0));
    (void)sqlite3_finalize(statement);
    return e == ERR_NOT_FOUND ? ERR_NONE : e;
}

/* Compares with a new database in memory, which is what ours must look like. */
MUST_CHECK static enum err definitions_compare(sqlite3 *db)
{
    sqlite3 *fresh = NULL;
    struct buffer ours = {0};
    struct buffer expected = {0};
    enum err e = sqlite_error(sqlite3_open(":memory:", &fresh));

    if (e == ERR_NONE)
        e = migrations_run(fresh, 0);
    if (e == ERR_NONE)
        e = definitions_dump(fresh, &expected);
    if (e == ERR_NONE)
        e = definitions_dump(db, &ours);
    if (e == ERR_NONE && !span_equal(buffer_span(&ours), buffer_span(&expected)))
        e = ERR_TAMPERED;
    buffer_clear(&ours);
    buffer_clear(&expected);
    (void)sqlite3_close(fresh);
    return e;
}

MUST_CHECK static enum err number_load(sqlite3 *db, uint64_t *out)
{
    sqlite3_stmt *statement = NULL;
    int result;
    enum err e;

    result = sqlite3_prepare_v2(db, "SELECT schema FROM meta WHERE id = 1", -1, &statement, NULL);
    if (result == SQLITE_ERROR)
        return ERR_TAMPERED; /* no such table or column: not a database of ours */
    e = sqlite_error(result);
    if (e == ERR_NONE)
        e = sqlite_row(statement);
    if (e == ERR_NONE)
        *out = sqlite_number(statement, 0);
    (void)sqlite3_finalize(statement);
    return e == ERR_NOT_FOUND || (e == ERR_NONE && (*out == 0 || *out > INT64_MAX)) ? ERR_TAMPERED
                                                                                    : e;
}

enum err sqlite_definitions_check(sqlite3 *db)
{
    uint64_t number = 0;
    enum err e = number_load(db, &number);

    if (e == ERR_NONE && number != store_migration_count)
        return ERR_UNSUPPORTED;
    return e == ERR_NONE ? definitions_compare(db) : e;
}

/*
 * Rows are compared with the state by a scan, and found through indexes: a row that an index does
 * not have would be seen by the one and missed by the other. SQLite compares the two.
 */
MUST_CHECK static enum err indexes_check(sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    enum err e = sqlite_prepare(db, "PRAGMA integrity_check(item)", &statement);

    if (e == ERR_NONE)
        e = sqlite_row(statement);
    if (e == ERR_NONE && !span_equal_string(sqlite_bytes(statement, 0), "ok")) {
        log_write(LOG_ERROR, "store", "tampered",
                  LOG_STRING("what", "the table of rows and its indexes differ"),
                  LOG_STRING("sqlite", (const char *)sqlite3_column_text(statement, 0)));
        e = ERR_TAMPERED;
    }
    (void)sqlite3_finalize(statement);
    return e;
}

enum err sqlite_migrate(sqlite3 *db, bool create)
{
    uint64_t definitions = 0;
    uint64_t number = 0;
    enum err e = definitions_count(db, &definitions);

    if (e == ERR_NONE && definitions == 0 && !create)
        return ERR_NOT_FOUND;
    if (e == ERR_NONE && definitions > 0)
        e = number_load(db, &number);
    if (e == ERR_NONE && number > store_migration_count) {
        log_write(LOG_ERROR, "store", "schema is newer than this program",
                  LOG_NUMBER("schema", number), LOG_NUMBER("known", store_migration_count));
        return ERR_UNSUPPORTED;
    }
    if (e == ERR_NONE && number < store_migration_count)
        e = upgrade(db, number);
    if (e == ERR_NONE)
        e = definitions_compare(db);
    if (e == ERR_TAMPERED)
        log_write(LOG_ERROR, "store", "tampered",
                  LOG_STRING("what", "the tables or the schema number"));
    return e == ERR_NONE ? indexes_check(db) : e;
}
