/* Old entries move into the archive, and everything is read as before. */
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/archiver.h"
#include "store/inside.h"
#include "support.h"

enum { ENTRIES = 1000, ARCHIVED = 768, MORE = 70000 };

static char root[400];

/* A command about the directory $A. */
static void shell(const char *text)
{
    char *const arguments[] = {(char *)"sh", (char *)"-ec", (char *)text, NULL};
    pid_t child = -1;
    int status = -1;

    assert_int_equal(setenv("A", root, 1), 0);
    assert_int_equal(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static struct store *open_with(const char *archive, bool create)
{
    const struct store_options options = {.path = database,
                                          .origin = ORIGIN,
                                          .log_seed = log_seed,
                                          .keys = &keys,
                                          .archive = archive,
                                          .create = create};
    struct store *store = NULL;

    assert_int_equal(store_open(&options, &store), ERR_NONE);
    return store;
}

static int setup(void **state)
{
    if (directory_make(state) != 0)
        return -1;
    (void)snprintf(root, sizeof root, "%s/archive", directory);
    return mkdir(root, 0700);
}

static int teardown(void **state)
{
    shell("rm -rf $A $A.away");
    return directory_remove(state);
}

static void record(struct store *store, uint64_t end)
{
    const struct transaction t = {.entry = SPAN_LITERAL("{\"archived\":1}"), .archived = end};
    const struct transaction *const list[] = {&t};
    struct transaction_result result;

    assert_int_equal(store_run(store, list, 1, &result), ERR_NONE);
    assert_int_equal(result.status, TRANSACTION_DONE);
    assert_int_equal(store_archived(store), end);
}

static void drop_all(struct store *store)
{
    while (store_archive_has_rest(store))
        store_archive_drop(store);
}

/* A log of ENTRIES + 1 entries, of which the first ARCHIVED are only in the archive. */
static struct store *archived_log(void)
{
    struct store *store = open_with(root, true);

    append_many(store, 0, ENTRIES);
    assert_int_equal(store_archive_copy(store, ARCHIVED), ERR_NONE);
    record(store, ARCHIVED);
    drop_all(store);
    return store;
}

MUST_CHECK static enum err entry_check(void *context, uint64_t index, struct span entry)
{
    uint64_t *next = context;
    char text[TEXT_SIZE];

    assert_int_equal(index, *next);
    if (index < ENTRIES)
        assert_true(span_equal(entry, entry_text(index, text)));
    ++*next;
    return ERR_NONE;
}

static void expect_all(struct store *store)
{
    uint64_t next = 0;

    assert_int_equal(store_entries(store, 0, UINT64_MAX, entry_check, &next), ERR_NONE);
    assert_int_equal(next, ENTRIES + 1);
    for (uint64_t i = 0; i <= ENTRIES; i += 83) {
        next = i;
        assert_int_equal(store_entries(store, i, 5, entry_check, &next), ERR_NONE);
    }
}

static void expect_proofs(struct store *store)
{
    struct log_reader r = store_log_reader(store);
    char text[TEXT_SIZE];

    for (uint64_t i = 0; i < ENTRIES; i += 37) {
        struct merkle_proof proof;
        struct merkle_hash leaf;

        merkle_leaf(entry_text(i, text), &leaf);
        assert_int_equal(store_prove_inclusion(store, i, r.size, &proof), ERR_NONE);
        assert_int_equal(merkle_verify_inclusion(&leaf, i, r.size, &proof, &r.root), ERR_NONE);
        if (i > 0)
            assert_int_equal(store_prove_consistency(store, i, r.size, &proof), ERR_NONE);
    }
}

MUST_CHECK static enum err count_one(void *context, uint64_t index, struct span entry)
{
    (void)index;
    (void)entry;
    ++*(uint64_t *)context;
    return ERR_NONE;
}

static uint64_t in_database(struct store *store)
{
    uint64_t count = 0;

    assert_int_equal(store->ops->entries(store->engine, 1, 0, INT64_MAX, count_one, &count),
                     ERR_NONE);
    return count;
}

static void everything_is_read_as_before(void **state)
{
    struct store *store = archived_log();
    uint64_t size = 0;

    (void)state;
    assert_int_equal(in_database(store), ENTRIES + 1 - ARCHIVED);
    expect_all(store);
    expect_proofs(store);
    assert_int_equal(store_archive_measure(store, &size), ERR_NONE);
    assert_true(size > ARCHIVED * (2 + 32));
    store_close(&store);
    store = open_with(root, false);
    assert_int_equal(store_archived(store), ARCHIVED);
    expect_all(store);
    expect_proofs(store);
    drop_all(store);
    assert_int_equal(in_database(store), ENTRIES + 1 - ARCHIVED);
    store_close(&store);
}

/* Before the drop, the archive is read already. */
static void an_interruption_loses_nothing(void **state)
{
    struct store *store = open_with(root, true);

    (void)state;
    append_many(store, 0, ENTRIES);
    assert_int_equal(store_archive_copy(store, ARCHIVED), ERR_NONE);
    store_close(&store); /* before it was recorded */
    shell("printf x > $A/tile/entries/001.new");
    store = open_with(root, false);
    assert_int_equal(store_archived(store), 0);
    assert_int_equal(store_archive_copy(store, ARCHIVED), ERR_NONE);
    record(store, ARCHIVED);
    store_close(&store); /* before anything was removed */
    store = open_with(root, false);
    assert_int_equal(in_database(store), ENTRIES + 1);
    assert_true(store_archive_has_rest(store));
    store_archive_drop(store);
    assert_int_equal(in_database(store), ENTRIES + 1 - 512);
    store_close(&store); /* in the middle */
    store = open_with(root, false);
    expect_all(store);
    drop_all(store);
    assert_int_equal(in_database(store), ENTRIES + 1 - ARCHIVED);
    expect_all(store);
    expect_proofs(store);
    store_close(&store);
}

static void expect_archive_error(struct store *store, uint64_t index)
{
    uint64_t next = index;

    assert_int_equal(store_entries(store, index, 1, entry_check, &next), ERR_ARCHIVE);
}

static void expect_good(struct store *store, uint64_t index)
{
    uint64_t next = index;

    assert_int_equal(store_entries(store, index, 1, entry_check, &next), ERR_NONE);
}

static void a_file_that_was_changed_is_noticed(void **state)
{
    struct store *store = archived_log();
    struct merkle_proof proof;
    uint64_t size = store_log_reader(store).size;

    (void)state;
    shell("cd $A/tile/entries && sed -i s/300/301/ 001");
    expect_archive_error(store, 300);
    expect_good(store, 255);
    expect_good(store, 512);
    expect_good(store, 768);
    shell("cd $A/tile/entries && truncate -s -3 000");
    expect_archive_error(store, 0);
    shell("rm $A/tile/entries/002");
    expect_archive_error(store, 512);
    assert_int_equal(store_prove_inclusion(store, 300, size, &proof), ERR_NONE); /* by the tile */
    shell("cd $A/tile/0 && cp 000 001");
    assert_int_equal(store_prove_inclusion(store, 300, size, &proof), ERR_ARCHIVE);
    assert_int_equal(store_prove_inclusion(store, 800, size, &proof), ERR_NONE);
    assert_int_equal(store_prove_consistency(store, 512, size, &proof), ERR_NONE);
    shell("truncate -s 100 $A/tile/0/002");
    assert_int_equal(store_prove_inclusion(store, 600, size, &proof), ERR_ARCHIVE);
    store_close(&store);
}

static void a_missing_archive_hides_only_old_entries(void **state)
{
    struct store *store = archived_log();
    struct merkle_proof proof;
    uint64_t size = store_log_reader(store).size;

    (void)state;
    shell("mv $A $A.away");
    expect_archive_error(store, 767);
    expect_good(store, 768);
    assert_int_equal(store_prove_inclusion(store, 5, size, &proof), ERR_ARCHIVE);
    assert_int_equal(store_prove_inclusion(store, 800, size, &proof), ERR_NONE);
    assert_int_equal(store_prove_consistency(store, 256, size, &proof), ERR_NONE);
    store_close(&store);
    store = open_with(NULL, false); /* the start needs no archive */
    expect_archive_error(store, 767);
    expect_good(store, 768);
    assert_int_equal(store_archive_copy(store, 768 + 256), ERR_UNSUPPORTED);
    store_close(&store);
    shell("mv $A.away $A");
    store = open_with(root, false);
    expect_all(store);
    store_close(&store);
}

static void what_is_not_the_logs_is_not_replaced(void **state)
{
    struct store *store = open_with(root, true);

    (void)state;
    append_many(store, 0, ENTRIES);
    assert_int_equal(store_archive_copy(store, 0), ERR_MALFORMED);
    assert_int_equal(store_archive_copy(store, 255), ERR_MALFORMED);
    assert_int_equal(store_archive_copy(store, 1024), ERR_MALFORMED);
    shell("mkdir -p $A/tile/0 && printf other > $A/tile/0/001");
    assert_int_equal(store_archive_copy(store, ARCHIVED), ERR_CONFLICT);
    shell("test \"$(cat $A/tile/0/001)\" = other && rm $A/tile/0/001");
    shell("printf 'other log' > $A/checkpoint");
    assert_int_equal(store_archive_copy(store, ARCHIVED), ERR_CONFLICT);
    shell("rm $A/checkpoint && mv $A $A.away");
    assert_int_equal(store_archive_copy(store, ARCHIVED), ERR_ARCHIVE);
    shell("mv $A.away $A");
    assert_int_equal(store_archive_copy(store, ARCHIVED), ERR_NONE);
    store_close(&store);
}

static void expect_tile(struct store *store, struct tile tile, enum err expected)
{
    struct buffer bytes = {0};

    assert_int_equal(store_tile(store, &tile, &bytes), expected);
    if (expected == ERR_NONE && !tile.entries)
        assert_int_equal(bytes.size, tile.width * 32);
    buffer_clear(&bytes);
}

/* Two pieces over a tile of the second level; each file is what the log serves. */
static void the_directory_is_a_log_of_its_own(void **state)
{
    struct store *store = open_with(root, true);
    struct tile tile;
    char path[600];

    (void)state;
    append_many(store, 0, MORE);
    for (uint64_t end = 0; end < 69888;) {
        end = end + STORE_ARCHIVE_PIECE < 69888 ? end + STORE_ARCHIVE_PIECE : 69888;
        assert_int_equal(store_archive_copy(store, end), ERR_NONE);
        record(store, end);
        expect_tile(store, (struct tile){false, 0, 0, TILE_WIDTH}, ERR_NONE);
    }
    drop_all(store);
    for (unsigned level = 0; level < 3; level++)
        if (tile_at_edge(69888, level, &tile)) {
            char name[TILE_PATH_SIZE];

            (void)tile_path_write(&tile, name);
            (void)snprintf(path, sizeof path, "%s/%s", root, name);
            assert_int_equal(access(path, R_OK), 0);
        }
    /* 273 blocks: tile/1/000, tile/1/001.p/17, tile/2/000.p/1, and no older edge */
    shell("cd $A/tile && test \"$(find 1 2 -type f | sort | tr '\\n' ' ')\" = "
          "'1/000 1/001.p/17 2/000.p/1 '");
    shell("test $(find $A -name '*.new' | wc -l) = 0");
    expect_tile(store, (struct tile){true, 0, 5, TILE_WIDTH}, ERR_NONE);
    expect_tile(store, (struct tile){true, 0, 5, 17}, ERR_NONE);
    expect_tile(store, (struct tile){false, 0, 5, 17}, ERR_NONE);
    expect_tile(store, (struct tile){false, 0, 273, 113}, ERR_NONE);
    expect_tile(store, (struct tile){true, 0, 273, 113}, ERR_NONE);
    expect_tile(store, (struct tile){false, 1, 1, 17}, ERR_NONE);
    expect_tile(store, (struct tile){false, 2, 0, 1}, ERR_NONE);
    expect_tile(store, (struct tile){false, 0, 273, 200}, ERR_NOT_FOUND);
    expect_tile(store, (struct tile){false, 3, 0, 1}, ERR_NOT_FOUND);
    store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_is_read_as_before, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interruption_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_was_changed_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_archive_hides_only_old_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_the_logs_is_not_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(the_directory_is_a_log_of_its_own, setup, teardown),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
