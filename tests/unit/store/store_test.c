#include "unit/store/support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support/caught_log.h"

enum { MANY = 1000 }; /* three nodes of level 8, and a tail */

MUST_CHECK static enum err expect_entry(void *context, uint64_t index, struct span entry)
{
    uint64_t *next = context;
    char text[TEXT_SIZE];

    assert_int_equal(index, *next);
    assert_true(span_equal(entry, entry_text(index, text)));
    ++*next;
    return ERR_NONE;
}

static void expect_entries(struct store *store, uint64_t first, uint64_t end)
{
    uint64_t next = first;

    assert_int_equal(store_entries(store, first, end - first, expect_entry, &next), ERR_NONE);
    assert_int_equal(next, end);
}

static struct checkpoint expect_size(struct store *store, uint64_t size)
{
    struct checkpoint c, verified;
    char note[CHECKPOINT_TEXT_MAX];
    uint8_t public_key[ED25519_PUBLIC_SIZE];

    ed25519_public(log_seed, public_key);
    store_checkpoint(store, &c, note);
    assert_int_equal(c.size, size);
    assert_int_equal(checkpoint_verify(span_string(note), ORIGIN, public_key, &verified), ERR_NONE);
    assert_memory_equal(&c, &verified, sizeof c);
    return c;
}

/* The same tree in memory. */
static struct merkle_hash reference_root(uint64_t size)
{
    struct merkle_frontier f = {0};
    struct merkle_hash hash;

    for (uint64_t i = 0; i < size; i++) {
        char text[TEXT_SIZE];

        merkle_leaf(entry_text(i, text), &hash);
        merkle_append(&f, &hash);
    }
    merkle_root(&f, &hash);
    return hash;
}

static int fresh(void **state)
{
    (void)state;
    remove_database();
    return 0;
}

static void a_new_log_is_empty(void **state)
{
    struct store *store = must_open(true);
    struct merkle_hash empty = reference_root(0);
    struct checkpoint c = expect_size(store, 0);
    uint64_t next = 0;

    (void)state;
    assert_memory_equal(&c.root, &empty, sizeof empty);
    assert_int_equal(store_entries(store, 0, 10, expect_entry, &next), ERR_NONE);
    assert_int_equal(next, 0);
    store_close(&store);
    assert_null(store);
    store_close(&store);
}

static void what_was_appended_is_there_after_reopening(void **state)
{
    static const uint64_t steps[] = {1, 2, 255, 256, 257, 512, 700, MANY};
    struct store *store = must_open(true);
    uint64_t size = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct merkle_hash root = reference_root(steps[i]);
        struct checkpoint c;

        append_many(store, size, steps[i]);
        size = steps[i];
        c = expect_size(store, size);
        assert_memory_equal(&c.root, &root, sizeof root);
        store_close(&store);
        store = must_open(false);
        c = expect_size(store, size);
        assert_memory_equal(&c.root, &root, sizeof root);
        expect_entries(store, 0, size);
    }
    store_close(&store);
}

static void entries_are_read_from_any_range(void **state)
{
    static const struct {
        uint64_t first, count, end;
    } ranges[] = {
        {0,          0,          0         },
        {0,          1,          1         },
        {255,        2,          257       },
        {100,        600,        700       },
        {999,        1,          MANY      },
        {999,        100,        MANY      },
        {MANY,       5,          MANY      },
        {0,          UINT64_MAX, MANY      },
        {5000,       1,          5000      },
        {UINT64_MAX, UINT64_MAX, UINT64_MAX}
    };
    struct store *store = must_open(true);

    (void)state;
    append_many(store, 0, MANY);
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        uint64_t next = ranges[i].first;

        assert_int_equal(
            store_entries(store, ranges[i].first, ranges[i].count, expect_entry, &next), ERR_NONE);
        assert_int_equal(next, ranges[i].end);
    }
    store_close(&store);
}

MUST_CHECK static enum err stop_at_seven(void *context, uint64_t index, struct span entry)
{
    (void)entry;
    *(uint64_t *)context = index;
    return index == 7 ? ERR_TIMEOUT : ERR_NONE;
}

static void reading_stops_when_the_callback_says_so(void **state)
{
    struct store *store = must_open(true);
    uint64_t last = 0;

    (void)state;
    append_many(store, 0, 20);
    assert_int_equal(store_entries(store, 3, 10, stop_at_seven, &last), ERR_TIMEOUT);
    assert_int_equal(last, 7);
    expect_entries(store, 0, 20); /* and the connection is usable again */
    store_close(&store);
}

static void proofs_show_every_entry(void **state)
{
    struct store *store = must_open(true);
    struct checkpoint c;

    (void)state;
    append_many(store, 0, MANY);
    c = expect_size(store, MANY);
    for (uint64_t index = 0; index < MANY; index += 13) {
        struct merkle_proof p;
        struct merkle_hash leaf;
        char text[TEXT_SIZE];

        merkle_leaf(entry_text(index, text), &leaf);
        assert_int_equal(store_prove_inclusion(store, index, MANY, &p), ERR_NONE);
        assert_int_equal(merkle_verify_inclusion(&leaf, index, MANY, &p, &c.root), ERR_NONE);
        assert_int_equal(merkle_verify_inclusion(&leaf, index ^ 1, MANY, &p, &c.root),
                         ERR_TAMPERED);
    }
    store_close(&store);
}

static void proofs_of_older_sizes_are_given(void **state)
{
    static const uint64_t sizes[] = {1, 2, 255, 256, 257, 511, 512, 513, 768, 999, MANY};
    struct store *store = must_open(true);

    (void)state;
    append_many(store, 0, MANY);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct merkle_hash to = reference_root(sizes[i]);
        struct merkle_proof p;
        struct merkle_hash leaf;
        char text[TEXT_SIZE];

        merkle_leaf(entry_text(sizes[i] / 2, text), &leaf);
        assert_int_equal(store_prove_inclusion(store, sizes[i] / 2, sizes[i], &p), ERR_NONE);
        assert_int_equal(merkle_verify_inclusion(&leaf, sizes[i] / 2, sizes[i], &p, &to), ERR_NONE);
        for (size_t j = 0; j <= i; j++) {
            struct merkle_hash from = reference_root(sizes[j]);

            assert_int_equal(store_prove_consistency(store, sizes[j], sizes[i], &p), ERR_NONE);
            assert_int_equal(merkle_verify_consistency(sizes[j], &from, sizes[i], &to, &p),
                             ERR_NONE);
        }
    }
    store_close(&store);
}

static void proofs_out_of_range_are_refused(void **state)
{
    static const struct {
        uint64_t a, b;
    } ranges[] = {
        {0,          0         },
        {10,         10        },
        {11,         10        },
        {0,          11        },
        {UINT64_MAX, 10        },
        {0,          UINT64_MAX}
    };
    struct store *store = must_open(true);
    struct merkle_proof p;

    (void)state;
    append_many(store, 0, 10);
    for (size_t i = 0; i < COUNT_OF(ranges); i++)
        assert_int_equal(store_prove_inclusion(store, ranges[i].a, ranges[i].b, &p), ERR_NOT_FOUND);
    assert_int_equal(store_prove_consistency(store, 0, 10, &p), ERR_NOT_FOUND);
    assert_int_equal(store_prove_consistency(store, 10, 9, &p), ERR_NOT_FOUND);
    assert_int_equal(store_prove_consistency(store, 1, 11, &p), ERR_NOT_FOUND);
    store_close(&store);
}

/* Level 16 is stored too: a tree of more than 65536 leaves. */
static void large_trees_use_nodes_of_nodes(void **state)
{
    enum { SIZE = 65536 + 300 };
    static const uint64_t indexes[] = {0, 255, 256, 65535, 65536, SIZE - 1};
    struct store *store = must_open(true);
    struct checkpoint c;

    (void)state;
    append_many(store, 0, SIZE);
    store_close(&store);
    store = must_open(false);
    c = expect_size(store, SIZE);
    for (size_t i = 0; i < COUNT_OF(indexes); i++) {
        struct merkle_proof p;
        struct merkle_hash leaf;
        char text[TEXT_SIZE];

        merkle_leaf(entry_text(indexes[i], text), &leaf);
        assert_int_equal(store_prove_inclusion(store, indexes[i], SIZE, &p), ERR_NONE);
        assert_int_equal(merkle_verify_inclusion(&leaf, indexes[i], SIZE, &p, &c.root), ERR_NONE);
    }
    store_close(&store);
    spoil("UPDATE log_node SET hash = zeroblob(32) WHERE level = 16");
    assert_int_equal(try_open(false, &store), ERR_TAMPERED);
}

static void entries_of_any_bytes_are_kept(void **state)
{
    static uint8_t large[AUDIT_ENTRY_MAX + 1];
    const struct span entries[] = {
        {large, 2              },
        {large, 1              },
        {large, AUDIT_ENTRY_MAX}
    };
    const struct span too_large[] = {
        {large, 1                  },
        {large, AUDIT_ENTRY_MAX + 1}
    };
    struct store *store = must_open(true);
    uint64_t first = 0;

    (void)state;
    assert_int_equal(store_append(store, entries, COUNT_OF(entries), &first), ERR_NONE);
    assert_int_equal(store_append(store, too_large, COUNT_OF(too_large), &first), ERR_TOO_LARGE);
    store_close(&store);
    store = must_open(false);
    expect_size(store, 3);
    store_close(&store);
}

static void opening_a_missing_store_creates_nothing(void **state)
{
    struct store *store = NULL;

    (void)state;
    assert_int_equal(try_open(false, &store), ERR_NOT_FOUND);
    assert_null(store);
    assert_int_equal(access(database, F_OK), -1);
}

static void creating_over_a_database_is_refused(void **state)
{
    struct store *store = must_open(true);

    (void)state;
    append_many(store, 0, 3);
    store_close(&store);
    assert_int_equal(try_open(true, &store), ERR_CONFLICT);
    assert_null(store);
    store = must_open(false);
    expect_size(store, 3);
    store_close(&store);
}

/* A file without tables, as after a crash during creation. */
static void an_empty_file_is_no_database(void **state)
{
    struct store *store = NULL;

    (void)state;
    assert_true(close(open(database, O_CREAT | O_RDWR, 0600)) == 0);
    assert_int_equal(try_open(false, &store), ERR_NOT_FOUND);
    store = must_open(true);
    expect_size(store, 0);
    store_close(&store);
}

static void files_are_only_for_their_owner(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    mode_t before = umask(0);
    struct store *store = must_open(true);

    (void)state;
    append_many(store, 0, 3);
    expect_entries(store, 0, 3);
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char path[600];
        struct stat info;

        (void)snprintf(path, sizeof path, "%s%s", database, suffixes[i]);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
    }
    (void)umask(before);
    store_close(&store);
}

static void a_second_opening_is_refused(void **state)
{
    struct store *store = must_open(true);
    struct store *second = NULL;
    int status = -1;
    pid_t child;

    (void)state;
    assert_int_equal(try_open(false, &second), ERR_CONFLICT);
    assert_int_equal(try_open(true, &second), ERR_CONFLICT);
    child = fork();
    if (child == 0)
        _exit(try_open(false, &second) == ERR_CONFLICT ? 0 : 1);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    append_many(store, 0, 3); /* and the first is not disturbed */
    store_close(&store);
    store = must_open(false);
    store_close(&store);
}

static void a_log_of_another_key_or_origin_is_refused(void **state)
{
    static const struct rows_keys other_keys = {1, {5}, {6}, {7}, {8}};
    struct store *store = must_open(true);
    const struct store_options other_key = {
        .path = database, .origin = ORIGIN, .log_seed = log_seed, .keys = &other_keys};
    const struct store_options other_origin = {
        .path = database, .origin = "other.example", .log_seed = log_seed, .keys = &keys};

    (void)state;
    append_many(store, 0, 3);
    store_close(&store);
    assert_int_equal(store_open(&other_key, &store), ERR_TAMPERED);
    assert_int_equal(store_open(&other_origin, &store), ERR_TAMPERED);
    assert_null(store);
    store = must_open(false);
    store_close(&store);
}

static void a_newer_schema_is_unsupported(void **state)
{
    struct store *store = must_open(true);

    (void)state;
    store_close(&store);
    spoil("UPDATE meta SET schema = 1000000");
    assert_int_equal(try_open(false, &store), ERR_UNSUPPORTED);
    assert_null(store);
}

/*
 * Each change to a log of MANY entries, and the entries that the log line names; "" for any. A
 * start finds all of them while the entries were never read back. Later it still finds those at the
 * end of the log, and reading finds the others: `when_read` names their block.
 */
static const struct {
    const char *sql, *where, *when_read;
} changes[] = {
    {"UPDATE log_entry SET entry = x'00' WHERE idx = 300",                            "index=256 last=511",
     "index=256 last=511"                                                                                                       },
    {"UPDATE log_entry SET entry = x'00' WHERE idx = 0",                              "index=0 last=255",   "index=0 last=255"  },
    {"UPDATE log_entry SET entry = x'00' WHERE idx = 999",                            "index=768 last=999", ""                  },
    {"UPDATE log_entry SET entry = CAST(entry || ' ' AS BLOB) WHERE idx = 5",         "index=0 last=255",
     "index=0 last=255"                                                                                                         },
    {"UPDATE log_entry SET entry = x'' WHERE idx = 5",                                "index=0 last=255",   "index=0 last=255"  },
    {"DELETE FROM log_entry WHERE idx = 0",                                           "index=0 ",           "index=0 last=255"  },
    {"DELETE FROM log_entry WHERE idx = 400",                                         "index=400 ",         "index=256 last=511"},
    {"DELETE FROM log_entry WHERE idx = 999",                                         "index=999 ",         ""                  },
    {"DELETE FROM log_entry WHERE idx >= 512",                                        "index=512 ",         ""                  },
    {"DELETE FROM log_entry",                                                         "index=0 ",           ""                  },
    {"DELETE FROM log_entry; DELETE FROM log_node",                                   "index=0 ",           ""                  },
    {"INSERT INTO log_entry VALUES (1000, x'00')",                                    "index=1000 ",        ""                  },
    {"INSERT INTO log_entry VALUES (-1, x'00')",                                      "index=0 ",           ""                  },
    {"UPDATE log_entry SET idx = 5000 WHERE idx = 10",                                "index=10 ",          ""                  },
    {"UPDATE log_entry SET idx = idx + 1000; UPDATE log_entry SET idx = idx - 999",   "index=0 ",           ""                  },
    {"UPDATE log_entry SET idx = -1 WHERE idx = 20; UPDATE log_entry SET idx = 20 WHERE idx = "
     "21; UPDATE log_entry SET idx = 21 WHERE idx = -1",                         "index=0 last=255",   "index=0 last=255"  },
    {"UPDATE log_node SET hash = zeroblob(32) WHERE idx = 1",                         "index=256 last=511", ""                  },
    {"UPDATE log_node SET hash = x'00' WHERE idx = 2",                                "index=512 last=767", ""                  },
    {"UPDATE log_node SET level = 9 WHERE idx = 0",                                   "index=0 last=255",   ""                  },
    {"DELETE FROM log_node WHERE idx = 2",                                            "index=512 last=767", ""                  },
    {"DELETE FROM log_node",                                                          "index=0 last=255",   ""                  },
    {"INSERT INTO log_node VALUES (8, 3, zeroblob(32))",                              "index=1000 ",        ""                  },
    {"INSERT INTO log_node VALUES (16, 0, zeroblob(32))",                             "index=1000 ",        ""                  },
    {"UPDATE node SET state = zeroblob(300)",                                         "",                   ""                  },
    {"UPDATE node SET state = x''",                                                   "",                   ""                  },
    {"UPDATE node SET state = CAST(substr(state, 1, 100) AS BLOB)",                   "",                   ""                  },
    {"DELETE FROM node",                                                              "",                   ""                  },
    {"UPDATE node SET node = 2",                                                      "",                   ""                  },
    {"UPDATE node SET origin = 'other.example'",                                      "",                   ""                  },
    {"UPDATE meta SET schema = 0",                                                    "",                   ""                  },
    {"UPDATE meta SET schema = -1",                                                   "",                   ""                  },
    {"DELETE FROM meta",                                                              "",                   ""                  },
    {"DROP TABLE meta",                                                               "",                   ""                  },
    {"DROP TABLE log_node",                                                           "",                   ""                  },
    {"DROP TABLE node",                                                               "",                   ""                  },
    {"ALTER TABLE log_entry ADD COLUMN more TEXT",                                    "",                   ""                  },
    {"CREATE TABLE more (a)",                                                         "",                   ""                  },
    {"CREATE INDEX more ON log_entry (entry)",                                        "",                   ""                  },
    {"CREATE VIEW more AS SELECT 1",                                                  "",                   ""                  },
    {"CREATE TRIGGER more AFTER INSERT ON log_entry BEGIN DELETE FROM log_node; END", "",                   ""                  },
};

/* Reads everything, and passes no changed entry on. */
static void must_be_found_when_read(size_t i)
{
    struct store *store = must_open(false);
    uint64_t next = 0;

    log_catch();
    assert_int_equal(store_entries(store, 0, MANY, expect_entry, &next), ERR_TAMPERED);
    log_read();
    must_say(changes[i].when_read);
    store_close(&store);
}

static void must_be_found_at_the_start(size_t i)
{
    char said[4096];

    open_logged(ERR_TAMPERED, said, sizeof said);
    if (!strstr(said, "tampered") || !strstr(said, changes[i].where))
        fail_msg("%s: %s", changes[i].sql, said);
}

static void every_change_behind_our_back_is_found(void **state)
{
    struct store *store = must_open(true);
    char copy[600];
    char command_from[640];

    (void)state;
    append_many(store, 0, MANY);
    store_close(&store);
    (void)snprintf(copy, sizeof copy, "%s.copy", database);
    (void)snprintf(command_from, sizeof command_from, "VACUUM INTO '%s'", copy);
    spoil(command_from);
    for (size_t i = 0; i < 2 * COUNT_OF(changes); i++) {
        const size_t change = i / 2;
        const bool read_back = i % 2 == 1;

        assert_int_equal(unlink(database), 0);
        assert_int_equal(rename(copy, database), 0);
        spoil(command_from);
        if (read_back) {
            store = must_open(false); /* the copy is good */
            store_close(&store);
        }
        spoil(changes[change].sql);
        if (read_back && *changes[change].when_read)
            must_be_found_when_read(change);
        else
            must_be_found_at_the_start(change);
    }
}

/* What a start leaves over is for the next one, if no scrub comes first. */
static void a_start_reads_a_bounded_part_of_a_log(void **state)
{
    enum { SIZE = STORE_START_ENTRIES + 1000, SPOILT = STORE_START_ENTRIES + 300 };
    struct store *store = must_open(true);
    char sql[128];
    char said[4096];

    (void)state;
    append_many(store, 0, SIZE);
    store_close(&store);
    (void)snprintf(sql, sizeof sql, "UPDATE log_entry SET entry = x'00' WHERE idx = %d", SPOILT);
    spoil(sql);
    store = must_open(false);
    expect_entries(store, 0, 256);
    store_close(&store);
    open_logged(ERR_TAMPERED, said, sizeof said);
    assert_non_null(strstr(said, "index=65792 last=66047"));
}

/* SQL that puts back the state as it is now. */
static void state_keep(char *sql, size_t size)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;

    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT hex(state) FROM node", -1, &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    (void)snprintf(sql, size, "UPDATE node SET state = x'%s'",
                   (const char *)sqlite3_column_text(s, 0));
    (void)sqlite3_finalize(s);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* An older state of our own, validly sealed, over a log that has grown since. */
static void an_older_state_is_found(void **state)
{
    struct store *store = must_open(true);
    char sql[2 * STORE_STATE_MAX + 256];
    char said[4096];

    (void)state;
    append_many(store, 0, 600);
    store_close(&store);
    state_keep(sql, sizeof sql);
    store = must_open(false);
    append_many(store, 600, 700);
    store_close(&store);
    spoil(sql);
    open_logged(ERR_TAMPERED, said, sizeof said);
    assert_non_null(strstr(said, "index=600 "));
}

/* Changes a used byte in the middle of every page of the file in turn. */
static void a_changed_byte_of_the_file_never_passes_for_the_log(void **state)
{
    struct store *store = must_open(true);
    struct stat info;

    (void)state;
    append_many(store, 0, MANY);
    store_close(&store);
    assert_int_equal(stat(database, &info), 0);
    for (off_t at = 30; at < info.st_size; at += 509) {
        int fd = open(database, O_RDWR);
        uint8_t byte, changed;
        enum err e;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        changed = (uint8_t)(byte ^ 0x55);
        assert_int_equal(pwrite(fd, &changed, 1, at), 1);
        e = try_open(false, &store);
        if (e == ERR_NONE) { /* an unused byte: the log is unchanged; else reading finds it */
            uint64_t next = 0;

            expect_size(store, MANY);
            e = store_entries(store, 0, MANY, expect_entry, &next);
            assert_true(e == ERR_TAMPERED || e == ERR_IO || (e == ERR_NONE && next == MANY));
            store_close(&store);
        } else {
            assert_true(e == ERR_TAMPERED || e == ERR_IO || e == ERR_UNSUPPORTED ||
                        e == ERR_NOT_FOUND);
        }
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        (void)close(fd);
    }
}

static void what_is_no_database_is_refused(void **state)
{
    struct store *store = NULL;
    FILE *file = fopen(database, "w");

    (void)state;
    for (int i = 0; i < 1000; i++)
        (void)fputs("this is not a database\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(try_open(false, &store), ERR_TAMPERED);
    assert_int_equal(unlink(database), 0);
    assert_int_equal(symlink("/etc/hostname", database), 0);
    assert_int_equal(try_open(false, &store), ERR_IO);
    assert_int_equal(try_open(true, &store), ERR_IO);
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The disk is full at any point of an append: nothing is appended, and later appends work. */
static void a_full_disk_loses_nothing_and_heals(void **state)
{
    struct store *store = must_open(true);
    uint64_t size = 300;
    unsigned failures = 0;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    append_many(store, 0, size);
    for (rlim_t limit = 0; limit < 120000; limit += 3001) {
        char texts[BATCH][TEXT_SIZE];
        struct span entries[BATCH];
        uint64_t first = 0;
        enum err e;

        for (size_t i = 0; i < BATCH; i++)
            entries[i] = entry_text(size + i, texts[i]);
        limit_files(limit);
        e = store_append(store, entries, BATCH, &first);
        limit_files(RLIM_INFINITY);
        if (e != ERR_NONE) {
            assert_int_equal(e, ERR_IO);
            failures++;
        }
        size += e == ERR_NONE ? BATCH : 0;
        expect_size(store, size);
        append_many(store, size, size + 1);
        size++;
    }
    assert_true(failures > 3);
    expect_entries(store, 0, size);
    store_close(&store);
    store = must_open(false);
    expect_size(store, size);
    expect_entries(store, 0, size);
    store_close(&store);
}

enum { ROW_LIMIT = 4096 }; /* entries may be larger */

static int limit_rows(sqlite3 *db, const char **text, const struct sqlite3_api_routines *api)
{
    (void)text;
    (void)api;
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, ROW_LIMIT);
    return SQLITE_OK;
}

/* A statement that fails leaves its transaction open: unless it is undone, nothing follows it. */
static void a_batch_that_fails_half_way_is_undone(void **state)
{
    static char large[ROW_LIMIT + 1];
    const struct span bad[] = {SPAN_LITERAL("{\"entry\":1}"), SPAN_OF(large)};
    void (*const extension)(void) = (void (*)(void))limit_rows;
    struct store *store;
    uint64_t first = 0;

    (void)state;
    memset(large, 'x', sizeof large);
    assert_int_equal(sqlite3_auto_extension(extension), SQLITE_OK); /* of every connection */
    store = must_open(true);
    append_many(store, 0, 1);
    assert_int_not_equal(store_append(store, bad, COUNT_OF(bad), &first), ERR_NONE);
    expect_size(store, 1);
    append_many(store, 1, 3);
    expect_entries(store, 0, 3);
    store_close(&store);
    assert_int_equal(sqlite3_cancel_auto_extension(extension), 1);
    store = must_open(false);
    expect_size(store, 3);
    store_close(&store);
}

/* What another process does to the files while the store has them open. */
enum file_fault { UNLINKED, RENAMED, REPLACED, CUT, GROWN, LINKED };

static void fault_make(const char *path, enum file_fault fault)
{
    char copy[600];
    struct stat status;
    int fd;

    (void)snprintf(copy, sizeof copy, "%s.copy", database);
    assert_int_equal(stat(path, &status), 0);
    switch (fault) {
    case UNLINKED:
        assert_int_equal(unlink(path), 0);
        break;
    case RENAMED:
        assert_int_equal(rename(path, copy), 0);
        break;
    case LINKED: /* another name for the same file */
        assert_int_equal(rename(path, copy), 0);
        assert_int_equal(symlink(copy, path), 0);
        break;
    case REPLACED:
        fd = open(copy, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, status.st_size), 0);
        assert_int_equal(close(fd), 0);
        assert_int_equal(rename(copy, path), 0);
        break;
    case CUT:
        assert_int_equal(truncate(path, status.st_size / 2), 0);
        break;
    case GROWN:
        assert_int_equal(truncate(path, status.st_size + 4096), 0);
        break;
    }
}

static void files_that_go_or_change_are_noticed_before_the_next_append(void **state)
{
    static const struct {
        const char *suffix;
        enum file_fault fault;
    } cases[] = {
        {"",      UNLINKED},
        {"",      RENAMED },
        {"",      REPLACED},
        {"",      CUT     },
        {"",      GROWN   },
        {"",      LINKED  },
        {"-wal",  UNLINKED},
        {"-wal",  RENAMED },
        {"-wal",  REPLACED},
        {"-wal",  CUT     },
        {"-wal",  GROWN   },
        {".lock", UNLINKED},
        {".lock", REPLACED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store *store;
        char path[600], text[TEXT_SIZE];
        struct span entry = entry_text(10, text);
        uint64_t first = 77;

        remove_database();
        store = must_open(true);
        append_many(store, 0, 10);
        assert_int_equal(store_check(store), ERR_NONE);
        (void)snprintf(path, sizeof path, "%s%s", database, cases[i].suffix);
        fault_make(path, cases[i].fault);
        assert_int_equal(store_append(store, &entry, 1, &first), ERR_TAMPERED);
        assert_int_equal(first, 77);
        assert_int_equal(store_check(store), ERR_TAMPERED);
        /* the commits that fail afterwards change and repair nothing */
        assert_int_equal(store_append(store, &entry, 1, &first), ERR_TAMPERED);
        expect_size(store, 10);
        store_close(&store);
    }
    remove_database();
}

static void a_file_that_comes_back_needs_a_new_start(void **state)
{
    struct store *store = must_open(true);
    char copy[600], text[TEXT_SIZE];
    struct span entry = entry_text(10, text);
    uint64_t first = 0;

    (void)state;
    append_many(store, 0, 10);
    (void)snprintf(copy, sizeof copy, "%s.copy", database);
    assert_int_equal(rename(database, copy), 0);
    assert_int_equal(store_check(store), ERR_TAMPERED);
    assert_int_equal(rename(copy, database), 0);
    assert_int_equal(store_append(store, &entry, 1, &first), ERR_TAMPERED);
    store_close(&store);
    store = must_open(false);
    append_many(store, 10, 11);
    expect_size(store, 11);
    store_close(&store);
}

/* SQLite's allocator, of which the n-th allocation fails. */
static sqlite3_mem_methods real_memory;
static long fail_after = -1;

static void *failing_malloc(int size)
{
    return fail_after >= 0 && fail_after-- == 0 ? NULL : real_memory.xMalloc(size);
}

static void *failing_realloc(void *old, int size)
{
    return fail_after >= 0 && fail_after-- == 0 ? NULL : real_memory.xRealloc(old, size);
}

static void the_nth_allocation_fails_for_every_n(void **state)
{
    struct store *store = must_open(true);
    uint64_t size = 255;
    bool succeeded = false;

    (void)state;
    append_many(store, 0, size);
    store_close(&store);
    for (long n = 0; !succeeded; n++) {
        char text[TEXT_SIZE];
        struct span entry = entry_text(size, text);
        uint64_t first;
        enum err e;

        fail_after = n;
        e = try_open(false, &store);
        if (e == ERR_NONE)
            e = store_append(store, &entry, 1, &first);
        succeeded = fail_after >= 0;
        fail_after = -1;
        if (e != ERR_NONE && e != ERR_MEMORY && e != ERR_IO)
            fail_msg("allocation %ld: %s", n, err_code(e));
        size += e == ERR_NONE;
        if (store) {
            expect_size(store, size);
            append_many(store, size, size + 1);
            size++;
        }
        store_close(&store);
    }
    store = must_open(false);
    expect_size(store, size);
    expect_entries(store, 0, size);
    store_close(&store);
}

/* Appends in a loop and reports each acknowledged size until it is killed. */
static _Noreturn void child_appends(int report)
{
    struct store *store = NULL;
    struct checkpoint c;
    char note[CHECKPOINT_TEXT_MAX];

    if (try_open(access(database, F_OK) != 0, &store) != ERR_NONE &&
        try_open(true, &store) != ERR_NONE)
        _exit(1);
    for (;;) {
        char texts[BATCH][TEXT_SIZE];
        struct span entries[BATCH];
        uint64_t first;
        size_t count;

        store_checkpoint(store, &c, note);
        count = 1 + c.size % BATCH;
        for (size_t i = 0; i < count; i++)
            entries[i] = entry_text(c.size + i, texts[i]);
        if (store_append(store, entries, count, &first) != ERR_NONE)
            _exit(2);
        first += count;
        if (write(report, &first, sizeof first) != sizeof first)
            _exit(3);
    }
}

static void a_kill_at_any_moment_loses_nothing_acknowledged(void **state)
{
    uint64_t acknowledged = 0;

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct store *store = NULL;
        struct checkpoint c;
        char note[CHECKPOINT_TEXT_MAX];
        uint64_t size;
        int report[2];
        int status;
        pid_t child;

        assert_int_equal(pipe(report), 0);
        child = fork();
        if (child == 0)
            child_appends(report[1]);
        (void)close(report[1]);
        if (round % 5 != 0) /* every fifth is killed while it opens, or creates */
            assert_int_equal(read(report[0], &acknowledged, sizeof acknowledged),
                             sizeof acknowledged);
        (void)usleep(round * 7919 % 20000);
        assert_int_equal(kill(child, SIGKILL), 0);
        while (read(report[0], &size, sizeof size) == sizeof size)
            acknowledged = size;
        (void)close(report[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        if (acknowledged == 0 && try_open(false, &store) != ERR_NONE)
            continue; /* killed before there was a database */
        if (!store)
            store = must_open(false);
        store_checkpoint(store, &c, note);
        assert_true(c.size >= acknowledged);
        acknowledged = c.size;
        expect_entries(store, 0, c.size);
        store_close(&store);
    }
    assert_true(acknowledged > 50);
}

/* Appends entries in a process that ends without closing the store; with a full disk, it closes. */
static void append_and_die(bool create, uint64_t from, uint64_t to, bool close_full)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        struct store *store = NULL;

        if (try_open(create, &store) != ERR_NONE)
            _exit(1);
        append_many(store, from, to);
        if (close_full) {
            (void)signal(SIGXFSZ, SIG_IGN);
            limit_files(1);
            store_close(&store);
        }
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void journal_path(char out[600])
{
    (void)snprintf(out, 600, "%s-wal", database);
}

/* Nothing in the database says that entries are missing which were only in the journal. */
static void a_journal_that_is_lost_after_a_crash_is_noticed(void **state)
{
    char path[600], copy[600], said[4096];
    struct store *store = NULL;

    (void)state;
    journal_path(path);
    (void)snprintf(copy, sizeof copy, "%s.copy", database);
    store = must_open(true);
    append_many(store, 0, 10);
    store_close(&store);
    assert_int_equal(access(path, F_OK), -1);      /* a clean stop leaves none */
    for (uint64_t count = 0; count < 3; count++) { /* also of a process that appended nothing */
        uint64_t size = 10 + count * (count - 1) / 2;

        append_and_die(false, size, size + count, false);
        assert_int_equal(rename(path, copy), 0);
        open_logged(ERR_STALE, said, sizeof said);
        assert_non_null(strstr(said, "LOG_FILES_LOST"));
        open_logged(ERR_STALE, said, sizeof said); /* again: the first time made no new one */
        (void)unlink(path);
        assert_int_equal(close(open(path, O_CREAT | O_RDWR, 0600)), 0);
        open_logged(ERR_STALE, said, sizeof said);
        assert_int_equal(rename(copy, path), 0);
        store = must_open(false);
        expect_size(store, size + count);
        store_close(&store);
    }
}

/* A start that fails, for whatever reason, must leave what the next one needs. */
static void a_start_that_fails_leaves_the_journal(void **state)
{
    static const struct rows_keys other_keys = {1, {5}, {6}, {7}, {8}};
    const struct store_options other = {
        .path = database, .origin = ORIGIN, .log_seed = log_seed, .keys = &other_keys};
    struct store *store = NULL;
    char path[600];

    (void)state;
    journal_path(path);
    append_and_die(true, 0, 10, false);
    assert_int_equal(store_open(&other, &store), ERR_TAMPERED);
    assert_int_equal(access(path, F_OK), 0);
    store = must_open(false);
    expect_size(store, 10);
    store_close(&store);
}

/* The open file still has everything. A clean stop moves it into the database. */
static void a_journal_that_is_deleted_while_it_is_open_is_saved_by_a_clean_stop(void **state)
{
    const struct span entry = SPAN_LITERAL("not taken");
    struct store *store = NULL;
    uint64_t first = 0;
    char path[600];

    (void)state;
    journal_path(path);
    store = must_open(true);
    append_many(store, 0, 10);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_append(store, &entry, 1, &first), ERR_TAMPERED);
    store_close(&store);
    assert_int_equal(access(path, F_OK), -1);
    store = must_open(false);
    expect_size(store, 10);
    append_many(store, 10, 20);
    store_close(&store);
    /* but not when another file has its name */
    store = must_open(false);
    append_many(store, 20, 21);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(close(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600)), 0);
    assert_int_equal(store_append(store, &entry, 1, &first), ERR_TAMPERED);
    store_close(&store);
    assert_int_equal(try_open(false, &store), ERR_STALE);
    assert_null(store);
}

static void a_stop_that_cannot_be_recorded_leaves_the_journal(void **state)
{
    struct store *store = NULL;
    char path[600];

    (void)state;
    journal_path(path);
    append_and_die(true, 0, 10, true);
    assert_int_equal(access(path, F_OK), 0);
    store = must_open(false);
    expect_size(store, 10);
    store_close(&store);
}

/* More readers on other threads than there are connections, while the log grows. */
static void *read_along(void *argument)
{
    struct store *store = argument;

    for (int i = 0; i < 60; i++) {
        struct checkpoint c;
        char note[CHECKPOINT_TEXT_MAX];
        char text[TEXT_SIZE];
        struct merkle_hash leaf;
        struct merkle_proof p;
        uint64_t next = 0;

        store_checkpoint(store, &c, note);
        merkle_leaf(entry_text(c.size / 2, text), &leaf);
        if (store_prove_inclusion(store, c.size / 2, c.size, &p) != ERR_NONE ||
            merkle_verify_inclusion(&leaf, c.size / 2, c.size, &p, &c.root) != ERR_NONE ||
            store_entries(store, 0, 300, expect_entry, &next) != ERR_NONE)
            return "a read failed";
    }
    return NULL;
}

static void readers_do_not_disturb_the_writer(void **state)
{
    struct store *store = must_open(true);
    pthread_t threads[8];

    (void)state;
    append_many(store, 0, 300);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_along, store), 0);
    append_many(store, 300, 5000);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *result = NULL;

        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
    expect_size(store, 5000);
    store_close(&store);
}

static void the_wal_stays_bounded(void **state)
{
    struct store *store = must_open(true);
    char path[600];

    (void)state;
    (void)snprintf(path, sizeof path, "%s-wal", database);
    for (uint64_t size = 0; size < 60000; size += 2000) {
        struct stat info;

        append_many(store, size, size + 2000);
        expect_entries(store, size, size + 2000);
        assert_int_equal(stat(path, &info), 0);
        assert_in_range(info.st_size, 0, 8 * 1024 * 1024);
    }
    store_close(&store);
}

/* Entries of requests: one a millisecond from this time, out of order by up to a minute. */
static const int64_t epoch_ms = 1795302000000;

static void request_id(uint64_t n, char out[37])
{
    uint64_t ms = (uint64_t)epoch_ms + n;

    (void)snprintf(out, 37, "%08x-%04x-7000-8000-%012llx", (unsigned)(ms >> 16),
                   (unsigned)(ms & 0xffff), (unsigned long long)n);
}

MUST_CHECK static enum err count_entry(void *context, uint64_t index, struct span entry)
{
    uint64_t *found = context;

    (void)entry;
    found[0]++;
    found[1] = index;
    return ERR_NONE;
}

static void append_requests(struct store *store, uint64_t count, uint64_t step_ms)
{
    for (uint64_t n = 0; n < count; n++) {
        uint8_t bytes[AUDIT_ENTRY_MAX];
        struct writer w = writer_over(bytes, sizeof bytes);
        struct audit_entry entry = {.op = SPAN_LITERAL("open"), .code = SPAN_LITERAL("ok")};
        char id[37];
        struct span line;
        uint64_t first;

        request_id(n * step_ms, id);
        entry.request_id = span_string(id);
        entry.time.ms = epoch_ms + (int64_t)(n * step_ms + n * 7919 % 60000);
        assert_int_equal(audit_entry_write(&entry, &w), ERR_NONE);
        line = n % 10 == 3 ? SPAN_LITERAL("no entry at all") : span_of(w.data, w.size);
        assert_int_equal(store_append(store, &line, 1, &first), ERR_NONE);
    }
}

static void requests_are_found_by_their_id(void **state)
{
    enum { COUNT = 2000, STEP_MS = 1000 };
    struct store *store = must_open(true);

    (void)state;
    append_requests(store, COUNT, STEP_MS);
    for (uint64_t n = 0; n < COUNT; n += 7) {
        uint64_t found[2] = {0};
        char id[37];

        request_id(n * STEP_MS, id);
        assert_int_equal(store_find_request(store, span_string(id), count_entry, found), ERR_NONE);
        assert_int_equal(found[0], n % 10 == 3 ? 0 : 1);
        if (n % 10 != 3)
            assert_int_equal(found[1], n);
        request_id(n * STEP_MS + 1, id); /* an id that was not used */
        found[0] = 0;
        assert_int_equal(store_find_request(store, span_string(id), count_entry, found), ERR_NONE);
        assert_int_equal(found[0], 0);
    }
    store_close(&store);
}

/* Under the running process: the start would find it. */
static void a_changed_time_does_not_hide_an_entry(void **state)
{
    enum { COUNT = 1000, STEP_MS = 1000 };
    struct store *store = must_open(true);
    uint64_t found[2] = {0};
    char id[37];

    (void)state;
    append_requests(store, COUNT, STEP_MS);
    /* the search begins in the middle */
    spoil("UPDATE log_entry SET entry = CAST(replace(entry, '\"time\":\"2026', "
          "'\"time\":\"1999') AS BLOB) WHERE idx = 500");
    request_id(100 * STEP_MS, id);
    assert_int_equal(store_find_request(store, span_string(id), count_entry, found), ERR_TAMPERED);
    assert_int_equal(found[0], 0);
    store_close(&store);
}

static void ids_that_are_no_uuid7_are_refused(void **state)
{
    static const char *const ids[] = {
        "",
        "0192f0c8-1234-7abc-8def-0123456789a",
        "0192f0c8-1234-7abc-8def-0123456789abc",
        "0192F0C8-1234-7abc-8def-0123456789ab", /* upper case */
        "0192f0c8-1234-4abc-8def-0123456789ab", /* version 4 */
        "0192f0c8-1234-7abc-7def-0123456789ab", /* variant */
        "0192f0c8-1234-7abc-cdef-0123456789ab",
        "0192f0c8.1234-7abc-8def-0123456789ab",
        "0192f0c8-1234-7abc-8def-0123456789ag",
        "0192f0c81234-7abc-8def-0123456789abcd",
        "%%%%%%%%-%%%%-7%%%-8%%%-%%%%%%%%%%%%",
    };
    struct store *store = must_open(true);
    uint64_t found[2] = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        assert_int_equal(store_find_request(store, span_string(ids[i]), count_entry, found),
                         ERR_MALFORMED);
    assert_int_equal(found[0], 0);
    store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_log_is_empty, fresh),
        cmocka_unit_test_setup(what_was_appended_is_there_after_reopening, fresh),
        cmocka_unit_test_setup(entries_are_read_from_any_range, fresh),
        cmocka_unit_test_setup(reading_stops_when_the_callback_says_so, fresh),
        cmocka_unit_test_setup(proofs_show_every_entry, fresh),
        cmocka_unit_test_setup(proofs_of_older_sizes_are_given, fresh),
        cmocka_unit_test_setup(proofs_out_of_range_are_refused, fresh),
        cmocka_unit_test_setup(large_trees_use_nodes_of_nodes, fresh),
        cmocka_unit_test_setup(entries_of_any_bytes_are_kept, fresh),
        cmocka_unit_test_setup(opening_a_missing_store_creates_nothing, fresh),
        cmocka_unit_test_setup(creating_over_a_database_is_refused, fresh),
        cmocka_unit_test_setup(an_empty_file_is_no_database, fresh),
        cmocka_unit_test_setup(files_are_only_for_their_owner, fresh),
        cmocka_unit_test_setup(a_second_opening_is_refused, fresh),
        cmocka_unit_test_setup(a_log_of_another_key_or_origin_is_refused, fresh),
        cmocka_unit_test_setup(a_newer_schema_is_unsupported, fresh),
        cmocka_unit_test_setup(every_change_behind_our_back_is_found, fresh),
        cmocka_unit_test_setup(a_start_reads_a_bounded_part_of_a_log, fresh),
        cmocka_unit_test_setup(an_older_state_is_found, fresh),
        cmocka_unit_test_setup(a_changed_byte_of_the_file_never_passes_for_the_log, fresh),
        cmocka_unit_test_setup(what_is_no_database_is_refused, fresh),
        cmocka_unit_test_setup(a_full_disk_loses_nothing_and_heals, fresh),
        cmocka_unit_test_setup(a_batch_that_fails_half_way_is_undone, fresh),
        cmocka_unit_test_setup(files_that_go_or_change_are_noticed_before_the_next_append, fresh),
        cmocka_unit_test_setup(a_file_that_comes_back_needs_a_new_start, fresh),
        cmocka_unit_test_setup(the_nth_allocation_fails_for_every_n, fresh),
        cmocka_unit_test_setup(a_kill_at_any_moment_loses_nothing_acknowledged, fresh),
        cmocka_unit_test_setup(a_journal_that_is_lost_after_a_crash_is_noticed, fresh),
        cmocka_unit_test_setup(a_start_that_fails_leaves_the_journal, fresh),
        cmocka_unit_test_setup(a_journal_that_is_deleted_while_it_is_open_is_saved_by_a_clean_stop,
                               fresh),
        cmocka_unit_test_setup(a_stop_that_cannot_be_recorded_leaves_the_journal, fresh),
        cmocka_unit_test_setup(readers_do_not_disturb_the_writer, fresh),
        cmocka_unit_test_setup(the_wal_stays_bounded, fresh),
        cmocka_unit_test_setup(requests_are_found_by_their_id, fresh),
        cmocka_unit_test_setup(a_changed_time_does_not_hide_an_entry, fresh),
        cmocka_unit_test_setup(ids_that_are_no_uuid7_are_refused, fresh),
    };
    sqlite3_mem_methods failing;

    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) != SQLITE_OK)
        return 1;
    failing = real_memory;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) != SQLITE_OK || crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, directory_make, directory_remove);
}
