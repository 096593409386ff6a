/* Every fault of a damaged database is reported, and looking at it changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/examine.h"
#include "support/caught_log.h"
#include "support/numbered_rows.h"
#include "support/sqlite_directory.h"

enum { ROWS = 20, ENTRIES = 700, SIZE = ROWS + ENTRIES };

static struct suite suite;
static char found[4096]; /* what was reported: "code", or "code NUMBERS", one after the other */

static void database_make(void)
{
    suite_open(&suite, &store_sqlite, database, true);
    suite_rows_put(&suite, ROWS, "first");
    suite_entries_append(&suite, ENTRIES);
    assert_int_equal(suite_row_put(&suite, 5, "second"), ERR_NONE);
    suite_close(&suite);
}

static int row_number(const struct row_key *key)
{
    char hex[ROW_HEX_SIZE], of_key[ROW_HEX_SIZE];

    for (size_t i = 0; i < STORE_HASH_SIZE; i++)
        (void)snprintf(of_key + 2 * i, 3, "%02x", key->id[i]);
    for (int i = 0; i < ROWS; i++) {
        row_id_hex(&suite, (size_t)i, hex);
        if (strcmp(hex, of_key) == 0)
            return i;
    }
    return -1;
}

MUST_CHECK static enum err fault_note(void *context, const struct fault *f)
{
    size_t size = strlen(found);
    char *at = found + size;
    size_t left = sizeof found - size;

    (void)context;
    if (f->kind >= FAULT_ROW_EDITED && f->kind <= FAULT_ROW_OLDER)
        (void)snprintf(at, left, "%s %d;", fault_code(f->kind), row_number(&f->row));
    else if (f->kind >= FAULT_ENTRY_MISSING)
        (void)snprintf(at, left, "%s %lld-%lld;", fault_code(f->kind), (long long)f->first,
                       (long long)f->last);
    else if (f->kind != FAULT_PAGE || !strstr(found, "page;"))
        (void)snprintf(at, left, "%s;", fault_code(f->kind));
    return ERR_NONE;
}

static struct examine_options options = {
    .keys = &suite.keys, .origin = SUITE_ORIGIN, .node = 1, .each = fault_note};

MUST_CHECK static enum err look(struct examination *out)
{
    const struct engine_options engine = {.address = database, .inspect = true};
    enum err e = store_sqlite.open(&engine, &options.engine);

    found[0] = '\0';
    log_catch();
    if (e == ERR_NONE)
        e = examine(&options, out);
    log_read();
    store_sqlite.close(&options.engine);
    return e;
}

static void file_add(const char *path, struct buffer *out)
{
    FILE *f = fopen(path, "r");
    char bytes[4096];
    size_t size;

    assert_non_null(f);
    while ((size = fread(bytes, 1, sizeof bytes, f)) > 0)
        assert_int_equal(buffer_append(out, span_of(bytes, size)), ERR_NONE);
    assert_int_equal(fclose(f), 0);
}

/* The names, modes, times and bytes of all files of the directory. */
static void picture(struct buffer *out)
{
    struct dirent **names = NULL;
    int count = scandir(directory, &names, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        char path[600];
        struct stat s;

        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]->d_name);
        assert_int_equal(lstat(path, &s), 0);
        if (S_ISREG(s.st_mode)) {
            assert_int_equal(buffer_printf(out, "%s %o %lld.%ld ", names[i]->d_name,
                                           (unsigned)s.st_mode, (long long)s.st_mtim.tv_sec,
                                           s.st_mtim.tv_nsec),
                             ERR_NONE);
            file_add(path, out);
        }
        free(names[i]);
    }
    free(names);
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

static void one_case(const char *sql, const char *expected)
{
    struct buffer before = {0};
    struct buffer after = {0};
    struct examination x;
    char ids[ROW_HEX_SIZE], text[4096];

    assert_int_equal(database_directory_make(NULL), 0);
    database_make();
    /* "ROW(n)" stands for the row's place */
    text[0] = '\0';
    while (*sql) {
        size_t size = strlen(text);

        if (strncmp(sql, "ROW(", 4) == 0) {
            row_id_hex(&suite, (size_t)strtoul(sql + 4, NULL, 10), ids);
            (void)snprintf(text + size, sizeof text - size, "kind = 3 AND id = x'%s'", ids);
            sql = strchr(sql, ')') + 1;
        } else {
            text[size] = *sql++;
            text[size + 1] = '\0';
        }
    }
    sql_run(text);
    picture(&before);
    assert_int_equal(look(&x), ERR_NONE);
    picture(&after);
    if (strcmp(found, expected) != 0)
        fail_msg("%s\n found    %s\n expected %s", text, found, expected);
    assert_int_equal(x.fault_count == 0, *expected == '\0');
    if (!span_equal(buffer_span(&before), buffer_span(&after)))
        fail_msg("%s: looking changed a file", text);
    buffer_clear(&before);
    buffer_clear(&after);
    assert_int_equal(database_directory_remove(NULL), 0);
}

static void every_fault_is_reported(void **state)
{
    static const struct {
        const char *sql, *found;
    } cases[] = {
        {"SELECT 1",                                                               ""                                                        },
        {"UPDATE item SET sealed = substr(sealed, 2) WHERE ROW(7)",                "row_edited 7;"                                           },
        {"UPDATE item SET sealed = x'' WHERE ROW(7) OR ROW(8)",
         "row_edited 7;row_edited 8;rows_unproven;"                                                                                          },
        {"UPDATE item SET id = x'00' WHERE ROW(7)",                                "row_edited -1;row_missing 7;"                            },
        {"UPDATE item SET lookup = x'00' WHERE ROW(7)",                            "row_edited -1;row_missing 7;"                            },
        {"DELETE FROM item WHERE ROW(9)",                                          "row_missing 9;"                                          },
        {"DELETE FROM item WHERE ROW(9) OR ROW(10)",                               "rows_unproven;"                                          },
        {"UPDATE node SET state = zeroblob(100)",                                  "node_state;rows_unproven;"                               },
        {"DELETE FROM node",                                                       "node_missing;rows_unproven;"                             },
        {"DELETE FROM node; DELETE FROM item",                                     "node_missing;"                                           },
        {"UPDATE log_entry SET entry = x'00' WHERE idx = 3",                       "entry_changed 0-255;"                                    },
        {"UPDATE log_entry SET entry = x'00' WHERE idx IN (3, 300, 719)",
         "entry_changed 0-255;entry_changed 256-511;entry_changed 704-719;"                                                                  },
        {"DELETE FROM log_entry WHERE idx BETWEEN 250 AND 260 OR idx = 600",
         "entry_missing 250-260;entry_missing 600-600;"                                                                                      },
        {"DELETE FROM log_entry WHERE idx >= 500",                                 "entry_missing 500-720;"                                  },
        {"DELETE FROM log_entry",                                                  "entry_missing 0-720;"                                    },
        {"INSERT INTO log_entry VALUES (721, x'00'), (900, x'00'), (-5, x'00')",
         "entry_extra 721-900;entry_extra -5--5;"                                                                                            },
        {"DELETE FROM log_node WHERE idx = 1",                                     "tree_hash 256-511;"                                      },
        {"UPDATE log_node SET hash = zeroblob(32) WHERE idx = 0",                  "tree_hash 0-255;"                                        },
        {"INSERT INTO log_node VALUES (8, 2, zeroblob(32)), (3, 0, zeroblob(32))",
         "tree_hash 721-721;tree_hash 721-721;"                                                                                              },
        {"UPDATE log_entry SET entry = x'00' WHERE idx = 3; DELETE FROM log_node WHERE idx = 1;"
         "DELETE FROM item WHERE ROW(1)",                                 "row_missing 1;entry_changed 0-255;entry_changed 256-511;"},
        {"CREATE TABLE other (x)",                                                 "schema;"                                                 },
        {"UPDATE meta SET schema = 99",                                            "schema;"                                                 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        one_case(cases[i].sql, cases[i].found);
}

/* As release 0.1.0 left it: there is nothing to examine yet. */
static void a_database_of_another_release_is_told(void **state)
{
    struct examination x;

    (void)state;
    database_make();
    sql_run("DROP TABLE node; DROP TABLE item; UPDATE meta SET schema = 1");
    assert_int_equal(look(&x), ERR_UNSUPPORTED);
    assert_string_equal(found, "schema;");
}

/* A row that was put back from an older copy of itself, and one that was added. */
static void an_older_row_is_named(void **state)
{
    struct examination x;
    char copies[320], sql[1024], id[ROW_HEX_SIZE];

    (void)state;
    suite_open(&suite, &store_sqlite, database, true);
    suite_rows_put(&suite, ROWS, "first");
    suite_close(&suite);
    (void)snprintf(copies, sizeof copies, "%s/copies", directory);
    row_id_hex(&suite, 5, id);
    (void)snprintf(sql, sizeof sql, "ATTACH '%s' AS c; CREATE TABLE c.copy AS SELECT * FROM item",
                   copies);
    sql_run(sql);
    suite_open(&suite, &store_sqlite, database, false);
    assert_int_equal(suite_row_put(&suite, 5, "second"), ERR_NONE);
    suite_close(&suite);
    (void)snprintf(sql, sizeof sql,
                   "ATTACH '%s' AS c; UPDATE item SET (sealed, version) = (SELECT sealed, version "
                   "FROM c.copy WHERE id = x'%s') WHERE id = x'%s'",
                   copies, id, id);
    sql_run(sql);
    assert_int_equal(look(&x), ERR_NONE);
    assert_string_equal(found, "row_older 5;");
    assert_true(x.has_wrong_row);
    assert_int_equal(unlink(copies), 0);
}

/* A checkpoint that was kept elsewhere tells an older database, and another one. */
static void a_kept_checkpoint_is_compared(void **state)
{
    static const struct {
        uint64_t size;
        bool other;
        const char *found;
    } cases[] = {
        {SIZE + 1, false, ""                   },
        {SIZE + 2, false, "checkpoint 721-721;"},
        {512,      false, ""                   },
        {513,      false, ""                   },
        {512,      true,  "checkpoint 0-511;"  },
        {700,      true,  "checkpoint 0-699;"  },
    };
    struct examination x;

    (void)state;
    database_make();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct merkle_frontier f = {0};
        struct merkle_hash leaf;

        options.known_size = 0;
        assert_int_equal(look(&x), ERR_NONE);
        /* the tree of a smaller size, from the entries themselves */
        if (!cases[i].other && cases[i].size <= SIZE + 1) {
            sqlite3 *db = NULL;
            sqlite3_stmt *s = NULL;

            assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
            assert_int_equal(
                sqlite3_prepare_v2(db, "SELECT entry FROM log_entry ORDER BY idx", -1, &s, NULL),
                SQLITE_OK);
            while (f.size < cases[i].size && sqlite3_step(s) == SQLITE_ROW) {
                merkle_leaf(span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)),
                            &leaf);
                merkle_append(&f, &leaf);
            }
            assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
            assert_int_equal(sqlite3_close(db), SQLITE_OK);
        }
        merkle_root(&f, &options.known_root);
        options.known_size = cases[i].size;
        assert_int_equal(look(&x), ERR_NONE);
        assert_string_equal(found, cases[i].found);
    }
    options.known_size = 0;
}

/* An index that lacks a row, pages that are damaged, and a file that other users may read. */
static void faults_of_the_engine_are_reported(void **state)
{
    struct examination x;
    FILE *f;

    (void)state;
    database_make();
    sql_run("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, "
            "'IS NOT NULL', 'IS NULL') WHERE name = 'item_lookup'");
    assert_int_equal(chmod(database, 0644), 0);
    assert_int_equal(look(&x), ERR_NONE);
    assert_true(x.faults[FAULT_MODE] == 1 && x.faults[FAULT_SCHEMA] == 1);
    assert_true(x.faults[FAULT_INDEX] > 0);
    f = fopen(database, "r+");
    assert_non_null(f);
    for (long page = 3; page < 40; page++) {
        assert_int_equal(fseek(f, page * 4096, SEEK_SET), 0);
        assert_int_equal(fwrite("damage", 1, 6, f), 6);
    }
    assert_int_equal(fclose(f), 0);
    assert_int_equal(look(&x), ERR_NONE);
    assert_true(x.faults[FAULT_PAGE] > 0);
}

/* While a process has the database, it is not looked at; after a crash it is. */
static void a_running_process_keeps_the_database(void **state)
{
    struct examination x;
    char lock[330], text[16] = "";
    FILE *f;

    (void)state;
    suite_open(&suite, &store_sqlite, database, true);
    assert_int_equal(suite_row_put(&suite, 1, "value"), ERR_NONE);
    assert_int_equal(look(&x), ERR_CONFLICT);
    (void)snprintf(lock, sizeof lock, "%s.lock", database);
    f = fopen(lock, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    assert_int_equal(fclose(f), 0);
    assert_int_equal(strtol(text, NULL, 10), getpid());
    suite_close(&suite);
    assert_int_equal(look(&x), ERR_NONE); /* with its write-ahead log */
    assert_int_equal(x.rows, 1);
    assert_int_equal(x.fault_count, 0);
}

int main(void)
{
#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, database_directory_make, database_directory_remove)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_is_reported),
        IN_DIRECTORY(a_database_of_another_release_is_told),
        IN_DIRECTORY(an_older_row_is_named),
        IN_DIRECTORY(a_kept_checkpoint_is_compared),
        IN_DIRECTORY(faults_of_the_engine_are_reported),
        IN_DIRECTORY(a_running_process_keeps_the_database),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
