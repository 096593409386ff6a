/* What was done to a PostgreSQL database behind our back is found, and named: as for SQLite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/random.h"
#include "store/log.h"
#include "store/verify.h"
#include "support/caught_log.h"
#include "support/numbered_rows.h"
#include "support/postgres.h"

enum { ROWS = 12, ENTRIES = 700 };

static struct postgres server;
static bool server_there;
static char address[POSTGRES_ADDRESS_SIZE];
static struct suite suite;

static int on_an_empty_schema(void **state)
{
    (void)state;
    if (server_there)
        postgres_address(&server, "", address);
    return 0;
}

static void needs_server(void)
{
    if (!server_there)
        skip();
}

/* Rows, and then row 5 changed and row 6 deleted since the copies were made. */
static void rows_make(void)
{
    char name[ROW_NAME_SIZE];
    const struct effect gone = {.kind = EFFECT_DELETE, .table = TABLE_KEY, .id = row_name(6, name)};
    char sql[128];

    suite_open(&suite, &store_postgres, address, true);
    suite_rows_put(&suite, ROWS, "first");
    (void)snprintf(sql, sizeof sql,
                   "CREATE SCHEMA c%u; CREATE TABLE c%u.copy AS TABLE item;"
                   "CREATE TABLE c%u.old AS TABLE node",
                   server.schemas, server.schemas, server.schemas);
    (void)postgres_run(address, sql);
    assert_int_equal(suite_row_put(&suite, 5, "second"), ERR_NONE);
    assert_int_equal(suite_run_one(&suite, &gone, 1), ERR_NONE);
}

/* "ROW(n)" stands for "kind = 3 AND id = '\x...'" of row n, "COPIES" for the schema of the copies.
 */
static void spoil(const char *sql)
{
    char text[2048];
    size_t size = 0;

    while (*sql && size < sizeof text - 128) {
        if (strncmp(sql, "ROW(", 4) == 0) {
            size_t number = (size_t)strtoul(sql + 4, NULL, 10);
            char id[ROW_HEX_SIZE];

            row_id_hex(&suite, number, id);
            size +=
                (size_t)snprintf(text + size, sizeof text - size, "kind = 3 AND id = '\\x%s'", id);
            sql = strchr(sql, ')') + 1;
        } else if (strncmp(sql, "COPIES", 6) == 0) {
            size += (size_t)snprintf(text + size, sizeof text - size, "c%u", server.schemas);
            sql += 6;
        } else {
            text[size++] = *sql++;
        }
    }
    text[size] = '\0';
    (void)postgres_run(address, text);
}

#define EDITED "edited, or moved"
#define STATE "the state of a node"
#define NOT_ONE "several rows"
#define FROM_COPY_5 "(SELECT sealed, version FROM COPIES.copy WHERE ROW(5))"
#define ZEROS_IN(column)                                                                           \
    " SET " column " = overlay(" column " PLACING '\\x0000000000000000'::bytea FROM 61)"

/* swapped with another, with its version, so that only the place is wrong */
static const char swap[] =
    "UPDATE item i SET (sealed, version) = (SELECT o.sealed, o.version FROM item o"
    " WHERE o.kind = i.kind AND o.id <> i.id AND o.id IN"
    " (SELECT id FROM item WHERE (ROW(3)) OR (ROW(4)))) WHERE (ROW(3)) OR (ROW(4))";

/* What is done, what is said of it, and the rows that are named (-1: none). */
static const struct {
    const char *sql, *what;
    int row, second;
} cases[] = {
    {"UPDATE item" ZEROS_IN("sealed") " WHERE ROW(7)",                              EDITED,                   7,  -1},
    {"UPDATE item SET sealed = substr(sealed, 2) WHERE ROW(7)",                     EDITED,                   7,  -1},
    {"UPDATE item SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE ROW(7)", EDITED,                   7,  -1},
    {"UPDATE item SET sealed = '' WHERE ROW(7)",                                    EDITED,                   7,  -1},
    {"UPDATE item SET version = version + 1 WHERE ROW(7)",                          EDITED,                   7,  -1},
    {"UPDATE item SET lookup = NULL WHERE ROW(7)",                                  EDITED,                   7,  -1},
    {"UPDATE item SET lookup = id WHERE ROW(7)",                                    EDITED,                   7,  -1},
    {"UPDATE item SET kind = 4 WHERE ROW(7)",                                       EDITED,                   7,  -1},
    {"INSERT INTO item SELECT 4, id, version, lookup, sealed FROM item WHERE "
     "ROW(7)",                                                                 EDITED,                   7,  -1},
    {swap,                                                                          EDITED,                   3,  4 },
    {"DELETE FROM item WHERE ROW(9)",                                               "a row was deleted",      9,  -1},
    {"DELETE FROM item WHERE (ROW(9)) OR (ROW(10))",                                NOT_ONE,                  -1, -1},
    {"UPDATE item SET (sealed, version) = " FROM_COPY_5 " WHERE ROW(5)",            "another copy of itself",
     5,                                                                                                           -1},
    {"INSERT INTO item SELECT * FROM COPIES.copy WHERE ROW(6)",                     "a row was added",        6,  -1},
    {"UPDATE item SET (sealed, version) = " FROM_COPY_5 " WHERE ROW(5);"
     "DELETE FROM item WHERE ROW(1)",                                          NOT_ONE,                  -1, -1},
    {"UPDATE node SET state = (SELECT state FROM COPIES.old)",                      NOT_ONE,                  -1, -1},
    {"UPDATE node" ZEROS_IN("state"),                                               STATE,                    -1, -1},
    {"UPDATE node SET origin = 'other'",                                            STATE,                    -1, -1},
    {"UPDATE node SET node = 2",                                                    STATE,                    -1, -1},
    {"DELETE FROM node",                                                            NOT_ONE,                  -1, -1},
};

static void must_be_found(const char *sql, const char *what, int row, int second)
{
    enum err e;

    rows_make();
    suite_close(&suite);
    spoil(sql);
    assert_int_equal(
        store_postgres.open(&(struct engine_options){.address = address, .create = false},
                            &suite.engine),
        ERR_NONE);
    log_catch();
    e = store_verify_rows(suite.engine, &suite.keys, NULL, NULL);
    log_read();
    if (e != ERR_TAMPERED)
        fail_msg("%s: %s", sql, err_code(e));
    must_say(what);
    must_name_row(&suite, row);
    must_name_row(&suite, second);
    store_postgres.close(&suite.engine);
}

static void a_changed_row_is_named_at_the_start(void **state)
{
    needs_server();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        must_be_found(cases[i].sql, cases[i].what, cases[i].row, cases[i].second);
        (void)on_an_empty_schema(state);
    }
}

static void a_changed_row_is_named_when_a_group_reads_it(void **state)
{
    char name[ROW_NAME_SIZE];
    struct effect touch = {.kind = EFFECT_REQUIRE, .table = TABLE_KEY, .id = row_name(7, name)};
    struct effect other = {.kind = EFFECT_DELETE, .table = TABLE_KEY, .id = SPAN_LITERAL("row 8")};

    (void)state;
    needs_server();
    rows_make();
    spoil("UPDATE item" ZEROS_IN("sealed") " WHERE ROW(7)"); /* under the running engine */
    log_catch();
    assert_int_equal(suite_run_one(&suite, &touch, 1), ERR_TAMPERED);
    log_read();
    must_name_row(&suite, 7);
    assert_int_equal(suite_run_one(&suite, &other, 1),
                     ERR_NONE); /* what does not touch it goes on */
    suite_close(&suite);
}

MUST_CHECK static enum err entry_count(void *context, uint64_t index, struct span entry)
{
    (void)index;
    (void)entry;
    ++*(uint64_t *)context;
    return ERR_NONE;
}

static void log_make(void)
{
    suite_open(&suite, &store_postgres, address, true);
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
}

static void a_changed_entry_is_named_when_it_is_read(void **state)
{
    static const struct {
        const char *sql, *block;
        uint64_t bad; /* an entry of the block at fault */
    } spoilt[] = {
        {"UPDATE log_entry SET entry = 'A' WHERE idx = 300",      "index=256 last=511", 300},
        {"DELETE FROM log_entry WHERE idx = 511",                 "index=256 last=511", 400},
        {"UPDATE log_entry SET entry = 'A' WHERE idx = 699",      "index=512 last=699", 600},
        {"DELETE FROM log_entry WHERE idx = 699",                 "index=512 last=699", 600},
        {"UPDATE log_node SET hash = sha256(hash) WHERE idx = 1", "index=0 last=255",   0  },
        {"DELETE FROM log_node WHERE idx = 0",                    "index=256 last=511", 256},
        {"UPDATE log_node SET hash = '\\x00' WHERE idx = 0",      "index=256 last=511", 256},
    };

    needs_server();
    for (size_t i = 0; i < COUNT_OF(spoilt); i++) {
        struct log_reader r = {.node = 1};
        uint64_t seen = 0;

        log_make();
        spoil(spoilt[i].sql);
        r.engine = suite.engine;
        r.size = executor_state(suite.executor)->log.size;
        merkle_root(&executor_state(suite.executor)->log, &r.root);
        log_catch();
        assert_int_equal(log_entries(&r, spoilt[i].bad, 1, entry_count, &seen), ERR_TAMPERED);
        log_read();
        must_say(spoilt[i].block);
        assert_true(seen == 0);
        suite_close(&suite);
        (void)on_an_empty_schema(state);
    }
}

static void an_entry_beyond_the_end_stops_the_next_group(void **state)
{
    (void)state;
    needs_server();
    log_make();
    spoil("INSERT INTO log_entry (node, idx, entry) VALUES (1, 700, 'A')");
    log_catch();
    assert_int_equal(suite_run_one(&suite, NULL, 0), ERR_TAMPERED);
    log_read();
    assert_false(executor_is_unsettled(suite.executor));
    suite_close(&suite);
}

static void a_node_that_is_gone_stops_the_next_group(void **state)
{
    (void)state;
    needs_server();
    log_make();
    spoil("DELETE FROM node");
    log_catch();
    assert_int_equal(suite_run_one(&suite, NULL, 0), ERR_TAMPERED);
    log_read();
    suite_close(&suite);
}

static void tables_that_are_not_ours_do_not_open(void **state)
{
    static const struct {
        const char *sql;
        enum err expected;
    } schemas[] = {
        {"CREATE TABLE extra (a int)",                                                        ERR_TAMPERED   },
        {"CREATE VIEW v AS SELECT * FROM item",                                               ERR_TAMPERED   },
        {"CREATE RULE r AS ON INSERT TO item DO INSTEAD NOTHING",                             ERR_TAMPERED   },
        {"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
         "CREATE TRIGGER t BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION f()", ERR_TAMPERED   },
        {"ALTER TABLE item ENABLE ROW LEVEL SECURITY",                                        ERR_TAMPERED   },
        {"ALTER TABLE item SET UNLOGGED",                                                     ERR_TAMPERED   },
        {"ALTER TABLE item ADD extra int DEFAULT 1",                                          ERR_TAMPERED   },
        {"ALTER TABLE node ALTER token SET DEFAULT 7",                                        ERR_TAMPERED   },
        {"ALTER TABLE log_entry ALTER entry DROP NOT NULL",                                   ERR_TAMPERED   },
        {"DROP INDEX item_lookup",                                                            ERR_TAMPERED   },
        {"DROP TABLE node",                                                                   ERR_TAMPERED   },
        {"DROP TABLE meta",                                                                   ERR_TAMPERED   },
        {"DELETE FROM meta",                                                                  ERR_TAMPERED   },
        {"UPDATE meta SET schema = 0",                                                        ERR_TAMPERED   },
        {"UPDATE meta SET schema = 99",                                                       ERR_UNSUPPORTED},
        {"DROP TABLE meta, node, item, log_entry, log_node",                                  ERR_NOT_FOUND  },
    };
    const struct engine_options options = {.address = address, .create = false};

    needs_server();
    for (size_t i = 0; i < COUNT_OF(schemas); i++) {
        struct store_engine *engine = NULL;
        enum err e;

        suite_open(&suite, &store_postgres, address, true);
        suite_close(&suite);
        spoil(schemas[i].sql);
        log_catch();
        e = store_postgres.open(&options, &engine);
        log_read();
        if (e != schemas[i].expected)
            fail_msg("%s: %s", schemas[i].sql, err_code(e));
        assert_null(engine);
        (void)on_an_empty_schema(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_changed_row_is_named_at_the_start, on_an_empty_schema),
        cmocka_unit_test_setup(a_changed_row_is_named_when_a_group_reads_it, on_an_empty_schema),
        cmocka_unit_test_setup(a_changed_entry_is_named_when_it_is_read, on_an_empty_schema),
        cmocka_unit_test_setup(an_entry_beyond_the_end_stops_the_next_group, on_an_empty_schema),
        cmocka_unit_test_setup(a_node_that_is_gone_stops_the_next_group, on_an_empty_schema),
        cmocka_unit_test_setup(tables_that_are_not_ours_do_not_open, on_an_empty_schema),
    };
    int failed;

    server_there = postgres_start(&server);
    failed = crypto_start() == ERR_NONE
                 ? cmocka_run_group_tests_name("store/postgres_tamper", tests, NULL, NULL)
                 : 1;
    postgres_stop(&server);
    return failed;
}
