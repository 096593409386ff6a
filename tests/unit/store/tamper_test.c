/* What was done to the database behind our back is found, and named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/random.h"
#include "store/log.h"
#include "store/verify.h"
#include "support/caught_log.h"
#include "support/numbered_rows.h"
#include "support/sqlite_directory.h"

enum { ROWS = 20, ENTRIES = 700 };

static struct suite suite;

static void rows_make(void)
{
    suite_open(&suite, &store_sqlite, database, true);
    suite_rows_put(&suite, ROWS, "first");
}

/* Raw SQL on the closed database. "ROW(n)" stands for "kind = 3 AND id = x'...'" of row n. */
static void spoil(const char *sql)
{
    char text[2048];
    size_t size = 0;
    sqlite3 *db = NULL;
    char *message = NULL;

    while (*sql && size < sizeof text - 128) {
        if (strncmp(sql, "ROW(", 4) == 0) {
            size_t number = (size_t)strtoul(sql + 4, NULL, 10);
            char id[ROW_HEX_SIZE];

            row_id_hex(&suite, number, id);
            size +=
                (size_t)snprintf(text + size, sizeof text - size, "kind = 3 AND id = x'%s'", id);
            sql = strchr(sql, ')') + 1;
        } else {
            text[size++] = *sql++;
        }
    }
    text[size] = '\0';
    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", text, message);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

MUST_CHECK static enum err verify(void)
{
    enum err e;

    log_catch();
    e = store_verify_rows(suite.engine, &suite.keys, NULL, NULL);
    log_read();
    return e;
}

/* What is done, what is said of it, and the rows that are named (-1: none). */
struct tampering {
    const char *sql, *what;
    int row, second;
};

#define EDITED "edited, or moved"
#define STATE "the state of a node"
#define NOT_ONE "several rows"
#define FROM_COPY_5 "(SELECT sealed, version FROM copy WHERE ROW(5))"
#define ZEROS_IN(column)                                                                           \
    " SET " column " = CAST(substr(" column ", 1, 60) || zeroblob(8) || substr(" column            \
    ", 69) AS BLOB)"

/* swapped with another, with its version, so that only the place is wrong */
static const char swap[] =
    "CREATE TEMP TABLE a AS SELECT sealed, version FROM item WHERE ROW(3);"
    "UPDATE item SET (sealed, version) = (SELECT sealed, version FROM item WHERE ROW(4))"
    " WHERE ROW(3);"
    "UPDATE item SET (sealed, version) = (SELECT sealed, version FROM a) WHERE ROW(4)";
static const char moved[] =
    "INSERT INTO item SELECT 4, id, version, lookup, sealed FROM item WHERE ROW(7)";
/* row 5 was changed, row 6 deleted since the copies were made */
static const char older[] = "UPDATE item SET (sealed, version) = " FROM_COPY_5 " WHERE ROW(5)";
static const char older_and_deleted[] =
    "UPDATE item SET (sealed, version) = " FROM_COPY_5 " WHERE ROW(5);"
    "DELETE FROM item WHERE ROW(1)";

static const struct tampering cases[] = {
    {"UPDATE item" ZEROS_IN("sealed") " WHERE ROW(7)",                              EDITED,                   7,  -1},
    {"UPDATE item SET sealed = substr(sealed, 2) WHERE ROW(7)",                     EDITED,                   7,  -1},
    {"UPDATE item SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE ROW(7)", EDITED,                   7,  -1},
    {"UPDATE item SET sealed = x'' WHERE ROW(7)",                                   EDITED,                   7,  -1},
    {"UPDATE item SET version = version + 1 WHERE ROW(7)",                          EDITED,                   7,  -1},
    {"UPDATE item SET version = 0 WHERE ROW(7)",                                    EDITED,                   7,  -1},
    {"UPDATE item SET version = -1 WHERE ROW(7)",                                   EDITED,                   7,  -1},
    {"UPDATE item SET sealed = zeroblob(100000) WHERE ROW(7)",                      EDITED,                   7,  -1},
    {"UPDATE item SET id = x'00' WHERE ROW(7)",                                     "another size",           -1, -1},
    {"UPDATE item SET lookup = x'00' WHERE ROW(7)",                                 "another size",           -1, -1},
    {"UPDATE item SET kind = kind + 256 WHERE ROW(7)",                              EDITED,                   -1, -1},
    {"UPDATE item SET lookup = NULL WHERE ROW(7)",                                  EDITED,                   7,  -1},
    {"UPDATE item SET lookup = zeroblob(32) WHERE ROW(7)",                          EDITED,                   7,  -1},
    {"UPDATE item SET kind = 4 WHERE ROW(7)",                                       EDITED,                   7,  -1},
    {swap,                                                                          EDITED,                   3,  4 },
    {moved,                                                                         EDITED,                   7,  -1},
    {"DELETE FROM item WHERE ROW(9)",                                               "a row was deleted",      9,  -1},
    {"DELETE FROM item WHERE ROW(9) OR ROW(10)",                                    NOT_ONE,                  -1, -1},
    {older,                                                                         "another copy of itself", 5,  -1},
    {"INSERT INTO item SELECT * FROM copy WHERE ROW(6)",                            "a row was added",        6,  -1},
    {older_and_deleted,                                                             NOT_ONE,                  -1, -1},
    {"UPDATE node SET state = (SELECT state FROM old)",                             NOT_ONE,                  -1, -1},
    {"UPDATE node" ZEROS_IN("state"),                                               STATE,                    -1, -1},
    {"UPDATE node SET origin = 'other'",                                            STATE,                    -1, -1},
    {"UPDATE node SET node = 2",                                                    STATE,                    -1, -1},
    {"DELETE FROM node",                                                            NOT_ONE,                  -1, -1},
};

/* The tables for copies would be found at the start: they are in a file of their own. */
static void one_case(size_t i)
{
    char copies[320], sql[4096];

    (void)snprintf(copies, sizeof copies, "%s/copies", directory);
    rows_make();
    suite_close(&suite);
    (void)snprintf(sql, sizeof sql,
                   "ATTACH '%s' AS c; CREATE TABLE c.copy AS SELECT * FROM item;"
                   "CREATE TABLE c.old AS SELECT * FROM node",
                   copies);
    spoil(sql);
    suite_open(&suite, &store_sqlite, database, false);
    assert_int_equal(suite_row_put(&suite, 5, "second"), ERR_NONE);
    char name[ROW_NAME_SIZE];
    const struct effect gone = {.kind = EFFECT_DELETE, .table = TABLE_KEY, .id = row_name(6, name)};
    assert_int_equal(suite_run_one(&suite, &gone, 1), ERR_NONE);
    assert_int_equal(verify(), ERR_NONE);
    suite_close(&suite);
    (void)snprintf(sql, sizeof sql, "ATTACH '%s' AS c; %s", copies, cases[i].sql);
    spoil(sql);
    (void)unlink(copies);
    assert_int_equal(
        store_sqlite.open(&(struct engine_options){.address = database, .create = false},
                          &suite.engine),
        ERR_NONE);
    enum err e = verify();

    if (e != ERR_TAMPERED)
        fail_msg("%s: %s", cases[i].sql, err_code(e));
    must_say(cases[i].what);
    must_name_row(&suite, cases[i].row);
    must_name_row(&suite, cases[i].second);
    store_sqlite.close(&suite.engine);
}

static void a_changed_row_is_named_at_the_start(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        one_case(i);
        (void)database_directory_remove(state);
        assert_int_equal(database_directory_make(state), 0);
    }
}

static void a_changed_row_is_named_when_a_group_reads_it(void **state)
{
    char name[ROW_NAME_SIZE];
    struct effect touch = {.kind = EFFECT_REQUIRE, .table = TABLE_KEY, .id = row_name(7, name)};
    struct effect other = {.kind = EFFECT_DELETE, .table = TABLE_KEY, .id = SPAN_LITERAL("row 8")};

    (void)state;
    rows_make();
    suite_close(&suite);
    spoil("UPDATE item" ZEROS_IN("sealed") " WHERE ROW(7)");
    suite_open(&suite, &store_sqlite, database, false);
    log_catch();
    assert_int_equal(suite_run_one(&suite, &touch, 1), ERR_TAMPERED);
    log_read();
    must_name_row(&suite, 7);
    assert_int_equal(suite_run_one(&suite, &other, 1),
                     ERR_NONE); /* what does not touch it goes on */
    suite_close(&suite);
}

MUST_CHECK static enum err entry_ignore(void *context, uint64_t index, struct span entry)
{
    (void)index;
    (void)entry;
    ++*(uint64_t *)context;
    return ERR_NONE;
}

static void log_make(void)
{
    suite_open(&suite, &store_sqlite, database, true);
    for (size_t done = 0; done < ENTRIES; done += 100) {
        struct transaction made[100];
        const struct transaction *list[100];
        struct transaction_result results[100];
        char texts[100][16];

        for (size_t i = 0; i < COUNT_OF(made); i++) {
            made[i] = (struct transaction){.entry = row_name(done + i, texts[i])};
            list[i] = &made[i];
        }
        assert_int_equal(executor_run(suite.executor, list, COUNT_OF(made), results), ERR_NONE);
    }
    suite_close(&suite);
}

MUST_CHECK static enum err log_verify(uint64_t first, uint64_t count, uint64_t *seen)
{
    struct log_reader r = {.engine = suite.engine, .node = 1};

    r.size = executor_state(suite.executor)->log.size;
    merkle_root(&executor_state(suite.executor)->log, &r.root);
    return log_entries(&r, first, count, entry_ignore, seen);
}

static void a_changed_entry_is_named_when_it_is_read(void **state)
{
    static const struct {
        const char *sql, *block;
        uint64_t bad; /* an entry of the block at fault */
    } spoilt[] = {
        {"UPDATE log_entry SET entry = x'41' WHERE idx = 300",    "index=256 last=511", 300},
        {"DELETE FROM log_entry WHERE idx = 511",                 "index=256 last=511", 400},
        {"UPDATE log_entry SET entry = x'41' WHERE idx = 699",    "index=512 last=699", 600},
        {"DELETE FROM log_entry WHERE idx = 699",                 "index=512 last=699", 600},
        {"UPDATE log_node SET hash = zeroblob(32) WHERE idx = 1", "index=0 last=255",   0  },
        {"DELETE FROM log_node WHERE idx = 0",                    "index=256 last=511", 256},
        {"UPDATE log_node SET hash = x'00' WHERE idx = 0",        "index=256 last=511", 256},
    };

    for (size_t i = 0; i < COUNT_OF(spoilt); i++) {
        uint64_t seen = 0;

        log_make();
        spoil(spoilt[i].sql);
        suite_open(&suite, &store_sqlite, database, false);
        log_catch();
        assert_int_equal(log_verify(spoilt[i].bad, 1, &seen), ERR_TAMPERED);
        log_read();
        must_say(spoilt[i].block);
        assert_true(seen == 0);
        suite_close(&suite);
        (void)database_directory_remove(state);
        assert_int_equal(database_directory_make(state), 0);
    }
}

static void an_entry_beyond_the_end_stops_the_next_group(void **state)
{
    (void)state;
    log_make();
    spoil("INSERT INTO log_entry (idx, entry) VALUES (700, x'41')");
    suite_open(&suite, &store_sqlite, database, false);
    log_catch();
    assert_int_equal(suite_run_one(&suite, NULL, 0), ERR_TAMPERED);
    log_read();
    assert_false(executor_is_unsettled(suite.executor));
    suite_close(&suite);
}

static void a_state_that_is_not_ours_opens_no_executor(void **state)
{
    struct executor *x = NULL;
    struct rows_keys wrong;
    struct executor_options options;

    (void)state;
    rows_make();
    wrong = suite.keys;
    wrong.state[0] ^= 1;
    options = (struct executor_options){suite.engine, &wrong, 1, suite.token};
    assert_int_equal(executor_open(&options, &x), ERR_TAMPERED);
    assert_null(x);
    suite_close(&suite);
}

static void tables_that_are_not_ours_do_not_open(void **state)
{
    static const struct {
        const char *sql;
        enum err expected;
    } schemas[] = {
        {"CREATE TABLE extra (a)",                                            ERR_TAMPERED   },
        {"CREATE TRIGGER t AFTER INSERT ON item BEGIN DELETE FROM item; END", ERR_TAMPERED   },
        {"CREATE VIEW v AS SELECT * FROM item",                               ERR_TAMPERED   },
        {"DROP INDEX item_lookup",                                            ERR_TAMPERED   },
        {"DROP TABLE node",                                                   ERR_TAMPERED   },
        {"DELETE FROM meta",                                                  ERR_TAMPERED   },
        {"UPDATE meta SET schema = 0",                                        ERR_TAMPERED   },
        {"UPDATE meta SET schema = 1",                                        ERR_TAMPERED   },
        {"UPDATE meta SET schema = 99",                                       ERR_UNSUPPORTED},
    };
    const struct engine_options options = {.address = database, .create = false};

    for (size_t i = 0; i < COUNT_OF(schemas); i++) {
        struct store_engine *engine = NULL;

        rows_make();
        suite_close(&suite);
        spoil(schemas[i].sql);
        log_catch();
        assert_int_equal(store_sqlite.open(&options, &engine), schemas[i].expected);
        log_read();
        assert_null(engine);
        (void)database_directory_remove(state);
        assert_int_equal(database_directory_make(state), 0);
    }
}

/* The row is in the table, and lookups by value do not find it. */
static void a_row_that_is_hidden_from_an_index_is_found(void **state)
{
    const struct engine_options options = {.address = database, .create = false};
    struct store_engine *engine = NULL;

    (void)state;
    rows_make();
    suite_close(&suite);
    spoil("CREATE TEMP TABLE r AS SELECT * FROM item WHERE ROW(7);"
          "CREATE TEMP TABLE s AS SELECT * FROM sqlite_schema WHERE name = 'item_lookup';"
          "DELETE FROM item WHERE ROW(7);"
          "PRAGMA writable_schema = ON;"
          "DELETE FROM sqlite_schema WHERE name = 'item_lookup';"
          "PRAGMA writable_schema = RESET;"
          "INSERT INTO item SELECT * FROM r;"
          "PRAGMA writable_schema = ON;"
          "INSERT INTO sqlite_schema SELECT * FROM s;"
          "PRAGMA writable_schema = RESET");
    log_catch();
    assert_int_equal(store_sqlite.open(&options, &engine), ERR_TAMPERED);
    log_read();
    must_say("indexes differ");
    assert_null(engine);
}

MUST_CHECK static enum err row_refuse(void *context, enum store_table table, uint64_t version,
                                      const struct row_view *row)
{
    (void)context;
    (void)table;
    (void)version;
    (void)row;
    return ERR_UNSUPPORTED;
}

static void an_error_of_the_reader_is_no_tampering(void **state)
{
    (void)state;
    rows_make();
    log_catch();
    assert_int_equal(store_verify_rows(suite.engine, &suite.keys, row_refuse, NULL),
                     ERR_UNSUPPORTED);
    log_read();
    assert_string_equal(logged, "");
    suite_close(&suite);
}

static void files_that_are_lost_stop_the_writer(void **state)
{
    char away[320];

    (void)state;
    rows_make();
    (void)snprintf(away, sizeof away, "%s/moved", directory);
    assert_int_equal(rename(database, away), 0);
    log_catch();
    assert_int_equal(suite_row_put(&suite, 1, "x"), ERR_TAMPERED);
    assert_int_equal(rename(away, database), 0);
    assert_int_equal(suite_row_put(&suite, 1, "x"),
                     ERR_TAMPERED); /* for good: only a new start can tell */
    log_read();
    must_say("LOG_FILES_LOST");
    suite_close(&suite);
}

#define IN_A_DIRECTORY(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, database_directory_make, database_directory_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_DIRECTORY(a_changed_row_is_named_at_the_start),
        IN_A_DIRECTORY(a_changed_row_is_named_when_a_group_reads_it),
        IN_A_DIRECTORY(a_changed_entry_is_named_when_it_is_read),
        IN_A_DIRECTORY(an_entry_beyond_the_end_stops_the_next_group),
        IN_A_DIRECTORY(a_state_that_is_not_ours_opens_no_executor),
        IN_A_DIRECTORY(tables_that_are_not_ours_do_not_open),
        IN_A_DIRECTORY(a_row_that_is_hidden_from_an_index_is_found),
        IN_A_DIRECTORY(an_error_of_the_reader_is_no_tampering),
        IN_A_DIRECTORY(files_that_are_lost_stop_the_writer),
    };

    return crypto_start() == ERR_NONE
               ? cmocka_run_group_tests_name("store/tamper", tests, NULL, NULL)
               : 1;
}
