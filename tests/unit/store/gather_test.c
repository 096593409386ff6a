#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite/gather.h"
#include "support/fault_vfs.h"

enum { LIMIT = 128 * 1024, MODEL_SIZE = 3 * LIMIT, OPERATIONS = 4000 };

static char directory[256], database[300], journal[310];
static struct gather *gather;
static sqlite3_file *file;
static uint8_t bytes[MODEL_SIZE], seen[MODEL_SIZE];

static void must_open(const char *path, int kind)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(gather_name(gather));
    int flags = 0;

    assert_non_null(vfs);
    file = calloc(1, (size_t)vfs->szOsFile);
    assert_non_null(file);
    assert_int_equal(
        vfs->xOpen(vfs, path, file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | kind, &flags),
        SQLITE_OK);
}

static void must_close(void)
{
    assert_int_equal(file->pMethods->xClose(file), SQLITE_OK);
    free(file);
    file = NULL;
}

static int put(size_t at, size_t size)
{
    return file->pMethods->xWrite(file, bytes + at, (int)size, (sqlite3_int64)at);
}

static int sync_file(void)
{
    return file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
}

/* The bytes on the disk, in `seen`. */
static size_t on_disk(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t size;

    assert_non_null(f);
    size = fread(seen, 1, sizeof seen, f);
    assert_int_equal(fclose(f), 0);
    return size;
}

static int setup(void **state)
{
    const char *base = getenv("TMPDIR");

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    (void)snprintf(directory, sizeof directory, "%s/gather_test.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(directory))
        return -1;
    (void)snprintf(database, sizeof database, "%s/store.db", directory);
    (void)snprintf(journal, sizeof journal, "%s-wal", database);
    return gather_new(&gather) == ERR_NONE ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    gather_free(&gather);
    (void)unlink(database);
    (void)unlink(journal);
    return rmdir(directory);
}

/* SQLite gives a log the mode of its database, which must exist. */
static int fresh(void **state)
{
    (void)state;
    fault_vfs = (struct fault_vfs){.fail_at = 0};
    (void)unlink(journal);
    (void)unlink(database);
    must_open(database, SQLITE_OPEN_MAIN_DB);
    must_close();
    must_open(journal, SQLITE_OPEN_WAL);
    fault_vfs.count = 0;
    return 0;
}

static int closed(void **state)
{
    (void)state;
    if (file)
        must_close();
    return 0;
}

static void writes_that_follow_one_another_are_one(void **state)
{
    (void)state;
    for (size_t at = 0; at < 4000; at += 100)
        assert_int_equal(put(at, 100), SQLITE_OK);
    assert_int_equal(fault_vfs.count, 0);
    assert_int_equal(on_disk(journal), 0);
    assert_int_equal(sync_file(), SQLITE_OK);
    assert_int_equal(fault_vfs.count, 2); /* the write and the sync */
    assert_int_equal(on_disk(journal), 4000);
    assert_memory_equal(seen, bytes, 4000);
}

static int do_sync(void)
{
    return sync_file();
}

static int do_read(void)
{
    uint8_t out[100];
    int result = file->pMethods->xRead(file, out, sizeof out, 50);

    assert_memory_equal(out, bytes + 50, sizeof out);
    return result;
}

static int do_measure(void)
{
    sqlite3_int64 size = 0;
    int result = file->pMethods->xFileSize(file, &size);

    assert_int_equal(size, 200);
    return result;
}

static int do_cut(void)
{
    return file->pMethods->xTruncate(file, 200);
}

static int do_close(void)
{
    must_close();
    return SQLITE_OK;
}

static int do_write_elsewhere(void)
{
    return put(0, 10);
}

static int do_write_too_much(void)
{
    return put(200, LIMIT - 199);
}

static void what_needs_the_bytes_hands_them_on(void **state)
{
    static int (*const actions[])(void) = {
        do_sync, do_read, do_measure, do_cut, do_close, do_write_elsewhere, do_write_too_much,
    };

    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        assert_int_equal(put(0, 150), SQLITE_OK);
        assert_int_equal(put(150, 50), SQLITE_OK);
        assert_int_equal(on_disk(journal), 0);
        assert_int_equal(actions[i](), SQLITE_OK);
        assert_int_equal(on_disk(journal), 200);
        assert_memory_equal(seen, bytes, 200);
        assert_int_equal(closed(state), 0);
        assert_int_equal(fresh(state), 0);
    }
}

static void a_write_that_failed_is_not_repeated(void **state)
{
    (void)state;
    assert_int_equal(put(0, 4000), SQLITE_OK);
    fault_vfs.fail_at = 1;
    assert_int_equal(sync_file(), SQLITE_IOERR_WRITE);
    assert_int_equal(sync_file(), SQLITE_OK);
    assert_int_equal(on_disk(journal), 0);
    assert_int_equal(put(4000, 100), SQLITE_OK);
    must_close();
    assert_int_equal(on_disk(journal), 4100);
    for (size_t i = 0; i < 4000; i++)
        assert_int_equal(seen[i], 0);
    assert_memory_equal(seen + 4000, bytes + 4000, 100);
}

static void a_write_fails_when_the_bytes_before_it_cannot_be_written(void **state)
{
    (void)state;
    assert_int_equal(put(0, 4000), SQLITE_OK);
    fault_vfs.fail_at = 1;
    assert_int_equal(put(8000, 100), SQLITE_IOERR_WRITE);
    must_close();
    assert_int_equal(on_disk(journal), 0);
}

static void the_database_is_written_at_once(void **state)
{
    (void)state;
    must_close();
    must_open(database, SQLITE_OPEN_MAIN_DB);
    assert_int_equal(put(0, 100), SQLITE_OK);
    assert_int_equal(on_disk(database), 100);
}

/* xorshift64, so that every run is the same. */
static size_t below_number(size_t limit)
{
    static uint64_t x = 88172645463325252;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x % limit;
}

static void any_writes_and_reads_give_what_a_plain_file_gives(void **state)
{
    static uint8_t model[MODEL_SIZE], out[MODEL_SIZE];
    size_t next = 0;
    size_t end = 0;

    (void)state;
    for (size_t i = 0; i < OPERATIONS; i++) {
        size_t size = 1 + below_number(i % 50 == 0 ? LIMIT + 2000 : 9000);
        size_t at = below_number(3) > 0 ? next : below_number(MODEL_SIZE);

        size = at + size > MODEL_SIZE ? MODEL_SIZE - at : size;
        if (below_number(8) == 0) {
            at = end > 0 ? below_number(end) : 0;
            size = size < end - at ? size : end - at;
            assert_int_equal(file->pMethods->xRead(file, out, (int)size, (sqlite3_int64)at),
                             SQLITE_OK);
            assert_memory_equal(out, model + at, size);
            continue;
        }
        bytes[at] = (uint8_t)i;
        assert_int_equal(put(at, size), SQLITE_OK);
        memcpy(model + at, bytes + at, size);
        next = at + size == MODEL_SIZE ? 0 : at + size;
        end = at + size > end ? at + size : end;
    }
    must_close();
    assert_int_equal(on_disk(journal), end);
    assert_memory_equal(seen, model, end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_that_follow_one_another_are_one, fresh, closed),
        cmocka_unit_test_setup_teardown(what_needs_the_bytes_hands_them_on, fresh, closed),
        cmocka_unit_test_setup_teardown(a_write_that_failed_is_not_repeated, fresh, closed),
        cmocka_unit_test_setup_teardown(a_write_fails_when_the_bytes_before_it_cannot_be_written,
                                        fresh, closed),
        cmocka_unit_test_setup_teardown(the_database_is_written_at_once, fresh, closed),
        cmocka_unit_test_setup_teardown(any_writes_and_reads_give_what_a_plain_file_gives, fresh,
                                        closed),
    };

    return fault_vfs_register()
               ? cmocka_run_group_tests_name("store/gather", tests, setup, teardown)
               : 1;
}
