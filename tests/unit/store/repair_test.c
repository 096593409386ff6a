/* A damaged database becomes a whole one, and nothing is given up that the operator did not name.
 */
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

#include "base/text.h"
#include "store/repair.h"
#include "support/caught_log.h"
#include "support/numbered_rows.h"
#include "support/sqlite_directory.h"

enum { ROWS = 20, ENTRIES = 700, SIZE = ROWS + ENTRIES };
enum { ROW = 1u << LOSS_ROWS, PROOF = 1u << LOSS_PROOF, LOG = 1u << LOSS_LOG };

static struct suite suite;
static char repaired[320];
static struct merkle_frontier log_before;

static void database_make(void)
{
    suite_open(&suite, &store_sqlite, database, true);
    suite_rows_put(&suite, ROWS, "first");
    suite_entries_append(&suite, ENTRIES);
    log_before = executor_state(suite.executor)->log;
    suite_close(&suite);
}

static void sql_run(const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;

    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static size_t set_aside_count;

MUST_CHECK static enum err set_aside(void *context, const struct stored_row *row)
{
    (void)context;
    (void)row;
    set_aside_count++;
    return ERR_NONE;
}

MUST_CHECK static enum err entry_write(void *context, const struct repair_result *result,
                                       struct buffer *out)
{
    (void)context;
    return buffer_printf(out, "repaired: %u rows", (unsigned)result->rows_kept);
}

static struct examine_options from = {.keys = &suite.keys, .origin = SUITE_ORIGIN, .node = 1};

static void look(const char *path, struct examination *out)
{
    const struct engine_options engine = {.address = path, .inspect = true};

    assert_int_equal(store_sqlite.open(&engine, &from.engine), ERR_NONE);
    assert_int_equal(examine(&from, out), ERR_NONE);
}

MUST_CHECK static enum err repair(const struct examination *x, const struct repair_plan *plan,
                                  unsigned accepted, struct repair_result *result)
{
    const struct engine_options into = {.address = repaired, .create = true};
    struct repair_options options = {
        .from = &from,
        .examination = x,
        .plan = plan,
        .accepted = accepted,
        .set_aside = set_aside,
        .entry = entry_write,
    };
    enum err e;

    assert_int_equal(store_sqlite.open(&into, &options.into), ERR_NONE);
    e = repair_run(&options, result);
    store_sqlite.close(&options.into);
    return e;
}

static void repaired_remove(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char path[340];

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(path, sizeof path, "%s%s", repaired, suffixes[i]);
        (void)unlink(path);
    }
}

struct damage {
    const char *sql;
    unsigned losses;
    size_t rows, aside;
    bool new_log;
};

/* The old log, or none of it, and one entry more. */
static void is_whole(const struct damage *c)
{
    struct examination x;
    struct merkle_frontier expected = c->new_log ? (struct merkle_frontier){0} : log_before;
    struct merkle_hash leaf;
    char entry[64];

    look(repaired, &x);
    if (x.fault_count != 0)
        fail_msg("%s: the repaired database has faults", c->sql);
    assert_int_equal(x.rows, c->rows);
    (void)snprintf(entry, sizeof entry, "repaired: %zu rows", c->rows);
    merkle_leaf(span_string(entry), &leaf);
    merkle_append(&expected, &leaf);
    assert_int_equal(x.state.log.size, expected.size);
    for (unsigned level = 0; level < 64; level++)
        if (expected.size >> level & 1)
            assert_memory_equal(&x.state.log.full[level], &expected.full[level],
                                sizeof expected.full[level]);
    assert_false(x.state.running);
    store_sqlite.close(&from.engine);
    suite_open(&suite, &store_sqlite, repaired, false); /* and it goes on */
    assert_int_equal(suite_row_put(&suite, 99, "new"), ERR_NONE);
    suite_close(&suite);
}

/* Repairs what is there, and removes it. */
static void repair_check(const struct damage *c)
{
    struct examination x;
    struct repair_plan plan;
    struct repair_result result = {0};

    (void)snprintf(repaired, sizeof repaired, "%s/repaired.db", directory);
    log_catch();
    look(database, &x);
    repair_plan(&x, &plan);
    assert_true(plan.needed && plan.possible);
    if (plan.losses != c->losses)
        fail_msg("%s: losses %x, expected %x", c->sql, plan.losses, c->losses);
    assert_int_equal(plan.new_log, c->new_log);
    for (unsigned loss = 0; loss < REPAIR_LOSS_COUNT; loss++)
        if (c->losses >> loss & 1) {
            assert_int_equal(repair(&x, &plan, c->losses & ~(1u << loss), &result), ERR_DENIED);
            repaired_remove();
        }
    set_aside_count = 0;
    assert_int_equal(repair(&x, &plan, c->losses, &result), ERR_NONE);
    store_sqlite.close(&from.engine);
    log_read();
    assert_int_equal(result.rows_set_aside, c->aside);
    assert_int_equal(set_aside_count, c->aside);
    is_whole(c);
    repaired_remove();
    assert_int_equal(database_directory_remove(NULL), 0);
}

static void one_case(const struct damage *c)
{
    assert_int_equal(database_directory_make(NULL), 0);
    database_make();
    sql_run(c->sql);
    repair_check(c);
}

#define FIRST_ROW "id = (SELECT min(id) FROM item)"
#define TWO_ROWS "id IN (SELECT id FROM item ORDER BY id LIMIT 2)"

static void what_can_be_repaired_is_repaired(void **state)
{
    static const struct damage cases[] = {
  /* nothing is lost */
        {"DELETE FROM log_node",                                                    0,                 ROWS,     0, false},
        {"UPDATE log_node SET hash = zeroblob(32)",                                 0,                 ROWS,     0, false},
        {"INSERT INTO log_node VALUES (8, 9, zeroblob(32))",                        0,                 ROWS,     0, false},
        {"INSERT INTO log_entry VALUES (720, x'00'), (-1, x'00')",                  0,                 ROWS,     0, false},
        {"CREATE TABLE other (x); DROP INDEX item_lookup",                          0,                 ROWS,     0, false},
 /* rows */
        {"UPDATE item SET sealed = x'00' WHERE " FIRST_ROW,                         ROW | PROOF,       ROWS - 1, 1, false},
        {"DELETE FROM item WHERE " FIRST_ROW,                                       ROW | PROOF,       ROWS - 1, 0, false},
        {"UPDATE item SET id = x'00' WHERE " FIRST_ROW,                             ROW | PROOF,       ROWS - 1, 1, false},
        {"DELETE FROM item WHERE " TWO_ROWS,                                        ROW | PROOF,       ROWS - 2, 0, false},
        {"UPDATE item SET sealed = x'00' WHERE " TWO_ROWS "; DELETE FROM log_node", ROW | PROOF,
         ROWS - 2,                                                                                               2, false},
 /* the log */
        {"DELETE FROM log_entry WHERE idx = 3",                                     LOG,               ROWS,     0, true },
        {"UPDATE log_entry SET entry = x'00' WHERE idx = 719",                      LOG,               ROWS,     0, true },
        {"UPDATE node SET state = x'00'",                                           ROW | PROOF | LOG, ROWS,     0, true },
        {"DELETE FROM node",                                                        ROW | PROOF | LOG, ROWS,     0, true },
        {"DELETE FROM node; UPDATE item SET sealed = x'00' WHERE " FIRST_ROW
         "; DELETE FROM log_entry",                                        ROW | PROOF | LOG, ROWS - 1, 1, true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        one_case(&cases[i]);
}

static void row_delete(size_t number)
{
    char name[ROW_NAME_SIZE];
    const struct effect gone = {
        .kind = EFFECT_DELETE, .table = TABLE_KEY, .id = row_name(number, name)};

    assert_int_equal(suite_run_one(&suite, &gone, 1), ERR_NONE);
}

/* In one transaction, so that all have one version. */
static void rows_put_together(void)
{
    char names[ROWS][ROW_NAME_SIZE];
    struct effect puts[ROWS];

    for (size_t i = 0; i < ROWS; i++)
        puts[i] = (struct effect){.kind = EFFECT_PUT,
                                  .table = TABLE_KEY,
                                  .id = row_name(i, names[i]),
                                  .value = SPAN_LITERAL("first")};
    assert_int_equal(suite_run_one(&suite, puts, ROWS), ERR_NONE);
}

/* The id whose number is that of row `plus`, and of another, less that of row `minus`; in hex. */
static void id_combine(size_t plus, size_t other, size_t minus, char out[ROW_HEX_SIZE])
{
    char names[3][ROW_NAME_SIZE];
    struct row_key a, b, c;
    int carry = 0;

    row_key_of(&suite.keys, TABLE_KEY, row_name(plus, names[0]), &a);
    row_key_of(&suite.keys, TABLE_KEY, row_name(other, names[1]), &b);
    row_key_of(&suite.keys, TABLE_KEY, row_name(minus, names[2]), &c);
    for (size_t i = 0; i < sizeof a.id; i++) {
        const int sum = a.id[i] + b.id[i] - c.id[i] + carry + 256; /* never negative */

        a.id[i] = (uint8_t)sum;
        carry = sum / 256 - 1;
    }
    hex_write(SPAN_OF(a.id), out);
}

/*
 * Rows 1 and 2 were revoked, and row 3 is newer than its copy in the table c.old. `sql` has $n for
 * the id of row n, and $! for id_combine() of 4, 5 and 1.
 */
static void revoked_make(const char *sql)
{
    char copies[340], id[ROW_HEX_SIZE], text[4096];
    size_t size;

    suite_open(&suite, &store_sqlite, database, true);
    rows_put_together();
    suite_close(&suite);
    (void)snprintf(copies, sizeof copies, "%s/copies", directory);
    (void)snprintf(text, sizeof text, "ATTACH '%s' AS c; CREATE TABLE c.old AS SELECT * FROM item",
                   copies);
    sql_run(text);
    suite_open(&suite, &store_sqlite, database, false);
    row_delete(1);
    row_delete(2);
    assert_int_equal(suite_row_put(&suite, 3, "second"), ERR_NONE);
    log_before = executor_state(suite.executor)->log;
    suite_close(&suite);
    (void)snprintf(text, sizeof text, "ATTACH '%s' AS c;", copies);
    for (size = strlen(text); *sql; size = strlen(text))
        if (*sql == '$') {
            if (sql[1] == '!')
                id_combine(4, 5, 1, id);
            else
                row_id_hex(&suite, (size_t)(sql[1] - '0'), id);
            (void)snprintf(text + size, sizeof text - size, "x'%s'", id);
            sql += 2;
        } else {
            (void)snprintf(text + size, sizeof text - size, "%c", *sql++);
        }
    sql_run(text);
    assert_int_equal(unlink(copies), 0);
}

/* Revoked rows that were put back do not stay, unless the operator gives up the proof. */
static void rows_put_back_are_no_repair(void **state)
{
    static const char without_key[] = "CREATE TABLE plain AS SELECT * FROM item; DROP TABLE item;"
                                      "ALTER TABLE plain RENAME TO item;";
    static const struct damage cases[] = {
        {"INSERT INTO item SELECT * FROM old WHERE id = $1",                                        0,           ROWS - 2, 1, false},
 /* at one version, the sums of this are those of one row more, which is none of them */
        {"INSERT INTO item SELECT * FROM old WHERE id IN ($1, $2); DELETE FROM item WHERE id = $4",
         ROW | PROOF,                                                                                            ROWS - 1, 0, false},
 /* ... and of one row less */
        {"INSERT INTO item SELECT * FROM old WHERE id = $1; DELETE FROM item WHERE id IN ($4, $5)",
         ROW | PROOF,                                                                                            ROWS - 3, 0, false},
 /* ... and a row that does not open has the id of that one */
        {"INSERT INTO item SELECT * FROM old WHERE id = $1; DELETE FROM item WHERE id IN ($4, $5);"
         "INSERT INTO item VALUES (3, $!, 1, NULL, x'00')",                                ROW | PROOF, ROWS - 3, 1, false},
 /* an old copy beside the row, and the row twice: only one of them goes */
        {"+INSERT INTO item SELECT * FROM old WHERE id = $3",                                       0,           ROWS - 2, 1, false},
        {"+INSERT INTO item SELECT * FROM item WHERE id = $3",                                      0,           ROWS - 2, 1, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct damage c = cases[i];
        char sql[512];

        (void)snprintf(sql, sizeof sql, "%s%s", *c.sql == '+' ? without_key : "",
                       c.sql + (*c.sql == '+'));
        c.sql = sql;
        assert_int_equal(database_directory_make(NULL), 0);
        revoked_make(sql);
        repair_check(&c);
    }
}

MUST_CHECK static enum err set_aside_fails(void *context, const struct stored_row *row)
{
    (void)context;
    (void)row;
    return ERR_TAMPERED;
}

/* A table that cannot be read to its end excuses only errors of reading it. */
static void a_row_that_cannot_be_set_aside_ends_the_repair(void **state)
{
    const struct engine_options engine = {.address = repaired, .create = true};
    struct examination x;
    struct repair_plan plan;
    struct repair_result result;
    struct repair_options options = {
        .from = &from,
        .examination = &x,
        .plan = &plan,
        .accepted = ~0u,
        .set_aside = set_aside_fails,
        .entry = entry_write,
    };

    (void)state;
    assert_int_equal(database_directory_make(NULL), 0);
    database_make();
    sql_run("UPDATE item SET sealed = x'00' WHERE " FIRST_ROW);
    (void)snprintf(repaired, sizeof repaired, "%s/repaired.db", directory);
    look(database, &x);
    x.faults[FAULT_ROWS_UNREADABLE] = 1;
    repair_plan(&x, &plan);
    assert_int_equal(store_sqlite.open(&engine, &options.into), ERR_NONE);
    assert_int_equal(repair_run(&options, &result), ERR_TAMPERED);
    store_sqlite.close(&options.into);
    store_sqlite.close(&from.engine);
    repaired_remove();
    assert_int_equal(database_directory_remove(NULL), 0);
}

/* What does not change by repairing is said, and nothing is written. */
static void what_cannot_be_repaired_is_refused(void **state)
{
    static const enum fault_kind kinds[] = {FAULT_NODE_ORIGIN, FAULT_NODE_UNFINISHED};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct examination x = {.fault_count = 1};
        struct repair_plan plan;
        struct repair_result result;
        struct repair_options options = {.plan = &plan, .accepted = ~0u};

        x.faults[kinds[i]] = 1;
        options.from = &from;
        options.examination = &x;
        repair_plan(&x, &plan);
        assert_false(plan.possible);
        assert_non_null(plan.why);
        assert_int_equal(repair_run(&options, &result), ERR_DENIED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_repaired_is_repaired),
        cmocka_unit_test(rows_put_back_are_no_repair),
        cmocka_unit_test(a_row_that_cannot_be_set_aside_ends_the_repair),
        cmocka_unit_test(what_cannot_be_repaired_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
