/* What the tests of store/ share: a directory of their own, entries, ways to spoil a database. */
#ifndef TESTS_UNIT_STORE_SUPPORT_H
#define TESTS_UNIT_STORE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/entry.h"
#include "crypto/random.h"
#include "store/store.h"

#define ORIGIN "keystore.example/log"

static const uint8_t log_seed[ED25519_SEED_SIZE] = {5, 4, 3};
static const struct rows_keys keys = {1, {1}, {2}, {3}, {4}};
static bool take_over; /* databases of release 0.1.0 are accepted */
static char directory[256];
static char database[512];

static inline void remove_database(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock", ".copy"};
    char path[600];

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(path, sizeof path, "%s%s", database, suffixes[i]);
        (void)unlink(path);
    }
}

static inline int directory_make(void **state)
{
    const char *base = getenv("TMPDIR");

    (void)state;
    (void)snprintf(directory, sizeof directory, "%s/store_test.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(directory))
        return -1;
    (void)snprintf(database, sizeof database, "%s/log.db", directory);
    return 0;
}

static inline int directory_remove(void **state)
{
    (void)state;
    remove_database();
    return rmdir(directory);
}

MUST_CHECK static inline enum err try_open(bool create, struct store **out)
{
    const struct store_options options = {
        .path = database,
        .origin = ORIGIN,
        .log_seed = log_seed,
        .keys = &keys,
        .create = create,
        .take_over = take_over,
    };

    return store_open(&options, out);
}

static inline struct store *must_open(bool create)
{
    struct store *store = NULL;

    assert_int_equal(try_open(create, &store), ERR_NONE);
    assert_non_null(store);
    return store;
}

/* Entry `n` of the tests: its bytes are known from its number. */
enum { TEXT_SIZE = 40 };
static inline struct span entry_text(uint64_t n, char out[TEXT_SIZE])
{
    int size = snprintf(out, TEXT_SIZE, "{\"entry\":%llu}", (unsigned long long)n);

    return span_of(out, (size_t)size);
}

enum { BATCH = 100 };

/* Appends entries with the numbers that follow, in batches. */
static inline void append_many(struct store *store, uint64_t from, uint64_t to)
{
    while (from < to) {
        char texts[BATCH][TEXT_SIZE];
        struct span entries[BATCH];
        uint64_t first = UINT64_MAX;
        size_t count = 0;

        for (; count < BATCH && from + count < to; count++)
            entries[count] = entry_text(from + count, texts[count]);
        assert_int_equal(store_append(store, entries, count, &first), ERR_NONE);
        assert_int_equal(first, from);
        from += count;
    }
}

/* Raw SQL on a closed database. */
static inline void spoil(const char *sql)
{
    sqlite3 *db = NULL;
    char *text = NULL;

    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
        fail_msg("%s: %s", sql, text);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Opens, expects `expected`, and gives what was logged meanwhile. */
static inline void open_logged(enum err expected, char *out, size_t out_size)
{
    struct store *store = NULL;
    int before = dup(STDERR_FILENO);
    FILE *file = tmpfile();
    enum err e;
    size_t size;

    assert_non_null(file);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    e = try_open(false, &store);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    (void)close(before);
    store_close(&store);
    rewind(file);
    size = fread(out, 1, out_size - 1, file);
    out[size] = '\0';
    (void)fclose(file);
    assert_int_equal(e, expected);
}

#endif
