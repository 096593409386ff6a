/* A database of release 0.1.0, as its schema and its signed checkpoint were, is taken over. */
#include "unit/store/support.h"

#include "store/log.h"
#include "store/schema.h"

enum { ENTRIES = 700 };

static void must_run(sqlite3 *db, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

static void must_insert(sqlite3 *db, const char *sql, const int64_t numbers[2], struct span bytes)
{
    sqlite3_stmt *s = NULL;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_bind_int64(s, 1, numbers[0]), SQLITE_OK);
    assert_int_equal(sqlite3_bind_int64(s, 2, numbers[1]), SQLITE_OK);
    assert_int_equal(sqlite3_bind_blob(s, 3, bytes.data, (int)bytes.size, SQLITE_STATIC),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    (void)sqlite3_finalize(s);
}

/* The log of 0.1.0: entries, hashes of every 8th level, and the checkpoint as three columns. */
static void old_database_make(uint64_t entries)
{
    struct merkle_frontier f = {0};
    struct checkpoint c = {0};
    char note[CHECKPOINT_TEXT_MAX], sql[CHECKPOINT_TEXT_MAX + 128];
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    must_run(db, "PRAGMA journal_mode = WAL; BEGIN");
    must_run(db, SCHEMA_0001);
    must_run(db, "INSERT INTO meta VALUES (1, 1, '" ORIGIN "')");
    for (uint64_t i = 0; i < entries; i++) {
        struct stored_node nodes[LOG_NODES_PER_ENTRY];
        char text[TEXT_SIZE];
        struct span entry = entry_text(i, text);
        size_t count = 0;

        log_append(&f, entry, nodes, &count);
        must_insert(db, "INSERT INTO log_entry SELECT ?1, ?3 WHERE ?2 = 0",
                    (const int64_t[]){(int64_t)i, 0}, entry);
        for (size_t n = 0; n < count; n++)
            must_insert(db, "INSERT INTO log_node VALUES ($1, $2, $3)",
                        (const int64_t[]){nodes[n].level, (int64_t)nodes[n].index},
                        SPAN_OF(nodes[n].hash.bytes));
    }
    c.size = f.size;
    merkle_root(&f, &c.root);
    assert_int_equal(checkpoint_sign(&c, ORIGIN, log_seed, note, sizeof note), ERR_NONE);
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO log_checkpoint SELECT 1, ?1, ?3, '%s' WHERE ?2 = 0", note);
    must_insert(db, sql, (const int64_t[]){(int64_t)c.size, 0}, SPAN_OF(c.root.bytes));
    must_run(db, "COMMIT");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

MUST_CHECK static enum err entry_compare(void *context, uint64_t index, struct span entry)
{
    char text[TEXT_SIZE];
    uint64_t *next = context;

    assert_true(index == (*next)++ && span_equal(entry, entry_text(index, text)));
    return ERR_NONE;
}

static void must_hold(struct store *store, uint64_t entries)
{
    char note[CHECKPOINT_TEXT_MAX];
    uint8_t public_key[ED25519_PUBLIC_SIZE];
    struct checkpoint c, verified;
    uint64_t next = 0;

    store_checkpoint(store, &c, note);
    ed25519_public(log_seed, public_key);
    assert_int_equal(checkpoint_verify(span_string(note), ORIGIN, public_key, &verified), ERR_NONE);
    assert_true(c.size == entries && verified.size == entries);
    assert_int_equal(store_entries(store, 0, UINT64_MAX, entry_compare, &next), ERR_NONE);
    assert_true(next == entries);
}

static void an_old_log_is_there_afterwards_and_goes_on(void **state)
{
    static const uint64_t sizes[] = {0, 1, 256, ENTRIES};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct store *store;

        remove_database();
        old_database_make(sizes[i]);
        store = must_open(false);
        must_hold(store, sizes[i]);
        append_many(store, sizes[i], sizes[i] + 300);
        store_close(&store);
        store = must_open(false); /* it is a new database now */
        must_hold(store, sizes[i] + 300);
        store_close(&store);
    }
    remove_database();
}

static void an_old_log_is_not_created_over(void **state)
{
    struct store *store = NULL;

    (void)state;
    old_database_make(3);
    assert_int_equal(try_open(true, &store), ERR_CONFLICT);
    store = must_open(false);
    must_hold(store, 3);
    store_close(&store);
    remove_database();
}

static void an_old_log_that_was_changed_is_refused(void **state)
{
    static const char *const changes[] = {
        "UPDATE log_entry SET entry = x'00' WHERE idx = 300",
        "DELETE FROM log_entry WHERE idx = 699",
        "INSERT INTO log_entry VALUES (700, x'00')",
        "UPDATE log_node SET hash = zeroblob(32) WHERE idx = 1",
        "DELETE FROM log_checkpoint",
        "UPDATE log_checkpoint SET note = replace(note, '700', '701')",
        "UPDATE log_checkpoint SET note = ''",
        "CREATE TABLE more (a)",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        char logged[4096];

        old_database_make(ENTRIES);
        spoil(changes[i]);
        open_logged(ERR_TAMPERED, logged, sizeof logged);
        assert_non_null(strstr(logged, "tampered"));
        remove_database();
    }
}

/* Between the two transactions of the migration, the tables are new and there is no node. */
static void an_interrupted_migration_starts_again(void **state)
{
    const struct engine_options options = {.address = database, .create = false};
    struct store_engine *engine = NULL;
    struct store *store;

    (void)state;
    old_database_make(ENTRIES);
    assert_int_equal(store_sqlite.open(&options, &engine), ERR_NONE);
    store_sqlite.close(&engine);
    store = must_open(false);
    must_hold(store, ENTRIES);
    store_close(&store);
    remove_database();
}

/* Checkpoints are public: one of them and the entries below it look like an old log. */
static void an_old_log_is_refused_where_a_state_must_be(void **state)
{
    char logged[4096];

    (void)state;
    old_database_make(ENTRIES);
    take_over = false;
    open_logged(ERR_TAMPERED, logged, sizeof logged);
    take_over = true;
    assert_non_null(strstr(logged, "without its sealed state"));
    remove_database();
}

MUST_CHECK static enum err node_count(void *context, const struct stored_node_state *node)
{
    (void)node;
    ++*(size_t *)context;
    return ERR_NONE;
}

static void the_old_checkpoint_goes_when_the_state_comes(void **state)
{
    const struct engine_options options = {.address = database, .create = false};
    struct store_engine *engine = NULL;
    struct buffer note = {0};
    struct store *store;
    size_t nodes = 0;

    (void)state;
    old_database_make(ENTRIES);
    store = must_open(false);
    store_close(&store);
    assert_int_equal(store_sqlite.open(&options, &engine), ERR_NONE);
    assert_int_equal(store_sqlite.old_checkpoint(engine, &note), ERR_NOT_FOUND);
    assert_int_equal(store_sqlite.nodes(engine, node_count, &nodes), ERR_NONE);
    assert_true(nodes == 1);
    store_sqlite.close(&engine);
    remove_database();
}

static int setup(void **state)
{
    take_over = true;
    return directory_make(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_log_is_there_afterwards_and_goes_on),
        cmocka_unit_test(an_old_log_is_not_created_over),
        cmocka_unit_test(an_old_log_that_was_changed_is_refused),
        cmocka_unit_test(an_interrupted_migration_starts_again),
        cmocka_unit_test(an_old_log_is_refused_where_a_state_must_be),
        cmocka_unit_test(the_old_checkpoint_goes_when_the_state_comes),
    };

    return crypto_start() == ERR_NONE
               ? cmocka_run_group_tests_name("store/migration", tests, setup, directory_remove)
               : 1;
}
