#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "store/migrations.h"
#include "store/postgres/engine.h"

/* Nodes that start at the same time take turns; the number is ours by chance. */
#define MIGRATION_LOCK "7453010373645655"

#define OUR_SCHEMA "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
#define TEMPORARY_SCHEMA "pg_my_temp_schema()"

/* Everything in the schema as one text; what extensions brought does not count. */
#define DEFINITIONS(SCHEMA)                                                                        \
    "WITH relation AS (SELECT c.* FROM pg_class c WHERE c.relnamespace = " SCHEMA                  \
    " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"            \
    " AND d.objid = c.oid AND d.deptype = 'e'))"                                                   \
    " SELECT coalesce(string_agg(line, E'\\n' ORDER BY line COLLATE \"C\"), '') FROM ("            \
    "SELECT format('relation %s %s %s %s', relname, relkind,"                                      \
    " replace(relpersistence::text, 't', 'p'), relrowsecurity) FROM relation"                      \
    " UNION ALL SELECT format('column %s %s %s %s %s %s %s %s', r.relname, a.attnum, a.attname,"   \
    " format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,"          \
    " pg_get_expr(d.adbin, d.adrelid)) FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid"  \
    " AND a.attnum > 0 AND NOT a.attisdropped"                                                     \
    " LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum"                          \
    " UNION ALL SELECT format('constraint %s %s %s', r.relname, k.conname,"                        \
    " pg_get_constraintdef(k.oid)) FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid"     \
    " AND k.contype <> 'n'"                                                                        \
    " UNION ALL SELECT replace(replace(pg_get_indexdef(r.oid),"                                    \
    " r.relnamespace::regnamespace::text || '.', ''), 'pg_temp.', '') FROM relation r"             \
    " WHERE r.relkind = 'i'"                                                                       \
    " UNION ALL SELECT format('trigger %s', t.tgname) FROM relation r"                             \
    " JOIN pg_trigger t ON t.tgrelid = r.oid"                                                      \
    " UNION ALL SELECT format('rule %s', w.rulename) FROM relation r"                              \
    " JOIN pg_rewrite w ON w.ev_class = r.oid"                                                     \
    " UNION ALL SELECT format('policy %s', p.polname) FROM relation r"                             \
    " JOIN pg_policy p ON p.polrelid = r.oid) AS s (line)"

/* One text value, and the result that it is in. */
MUST_CHECK static enum err text_load(struct pg_connection *c, const char *sql, PGresult **out,
                                     struct span *text)
{
    PGresult *r = NULL;
    enum err e = pg_exec(c, sql, &r);

    if (e == ERR_NONE && (!r || PQntuples(r) != 1))
        e = ERR_TAMPERED;
    if (e != ERR_NONE) {
        PQclear(r);
        return e;
    }
    *out = r;
    *text = pg_bytes(r, 0, 0);
    return ERR_NONE;
}

MUST_CHECK static enum err number_load(struct pg_connection *c, uint64_t *out)
{
    PGresult *r = NULL;
    struct span text = {0};
    enum err e = text_load(c, "SELECT schema FROM meta WHERE id = 1", &r, &text);

    if (e == ERR_NONE && (decimal_read(text, out) != ERR_NONE || *out == 0))
        e = ERR_TAMPERED;
    PQclear(r);
    return e;
}

MUST_CHECK static enum err migrations_run(struct pg_connection *c, size_t from)
{
    char save[128];
    enum err e = ERR_NONE;

    for (size_t i = from; e == ERR_NONE && i < store_migration_count; i++)
        e = pg_exec(c, store_migrations[i].postgres, NULL);
    (void)snprintf(save, sizeof save,
                   "INSERT INTO meta (id, schema) VALUES (1, %zu)"
                   " ON CONFLICT (id) DO UPDATE SET schema = excluded.schema",
                   store_migration_count);
    return e == ERR_NONE ? pg_exec(c, save, NULL) : e;
}

/* Inside a transaction. */
MUST_CHECK static enum err upgrade(struct pg_connection *c, bool create)
{
    PGresult *r = NULL;
    struct span definitions = {0};
    uint64_t number = 0;
    enum err e = text_load(c, DEFINITIONS(OUR_SCHEMA), &r, &definitions);

    if (e == ERR_NONE && definitions.size == 0 && !create)
        e = ERR_NOT_FOUND;
    if (e == ERR_NONE && definitions.size > 0)
        e = number_load(c, &number);
    PQclear(r);
    if (e == ERR_NONE && number > store_migration_count) {
        log_write(LOG_ERROR, "store", "schema is newer than this program",
                  LOG_NUMBER("schema", number), LOG_NUMBER("known", store_migration_count));
        e = ERR_UNSUPPORTED;
    }
    if (e == ERR_NONE && number < store_migration_count)
        e = migrations_run(c, number);
    return e;
}

/* Compares with temporary tables, which are what ours must look like. */
MUST_CHECK static enum err definitions_compare(struct pg_connection *c)
{
    PGresult *ours = NULL;
    PGresult *fresh = NULL;
    struct span found = {0};
    struct span expected = {0};
    enum err e = text_load(c, DEFINITIONS(OUR_SCHEMA), &ours, &found);

    if (e == ERR_NONE)
        e = pg_exec(c, "SET LOCAL search_path = pg_temp", NULL);
    if (e == ERR_NONE)
        e = migrations_run(c, 0);
    if (e == ERR_NONE)
        e = text_load(c, DEFINITIONS(TEMPORARY_SCHEMA), &fresh, &expected);
    if (e == ERR_NONE && !span_equal(found, expected))
        e = ERR_TAMPERED;
    PQclear(ours);
    PQclear(fresh);
    return e;
}

enum err pg_migrate(struct pg_connection *c, bool create)
{
    enum err e = pg_exec(c, "BEGIN; SELECT pg_advisory_xact_lock(" MIGRATION_LOCK ")", NULL);

    if (e == ERR_NONE)
        e = upgrade(c, create);
    if (e == ERR_NONE)
        e = pg_exec(c, "COMMIT", NULL);
    if (e == ERR_NONE)
        e = pg_exec(c, "BEGIN", NULL);
    if (e == ERR_NONE)
        e = definitions_compare(c);
    if (e == ERR_NONE)
        e = pg_exec(c, "ROLLBACK", NULL);
    if (e == ERR_TAMPERED)
        log_write(LOG_ERROR, "store", "tampered",
                  LOG_STRING("what", "the tables or the schema number"));
    return e; /* on failure the connection is closed, which rolls back */
}
