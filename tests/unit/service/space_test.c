/* The disk that the store uses: measured, compared with the limit, and freed again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "service/space.h"
#include "store/executor.h"
#include "support/caught_log.h"
#include "support/sqlite_directory.h"

enum { ENTRIES = 4000, ENTRY_SIZE = 500, MIB = 1 << 20 };

static const struct rows_keys keys = {1, {1}, {2}, {3}, {4}};
static const uint8_t seed[32] = {7};

static void levels_are_percents_of_the_limit(void **state)
{
    static const struct {
        uint64_t used, limit;
        unsigned level;
    } cases[] = {
        {0,                          1000,                       0},
        {799,                        1000,                       0},
        {800,                        1000,                       1},
        {899,                        1000,                       1},
        {900,                        1000,                       2},
        {999,                        1000,                       2},
        {1000,                       1000,                       3},
        {5000,                       1000,                       3},
        {UINT64_MAX,                 0,                          0}, /* no limit */
        {UINT64_C(1000000000) << 20, UINT64_C(1000000000) << 20, 3},
        {0,                          UINT64_C(1000000000) << 20, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (space_level(cases[i].used, cases[i].limit) != cases[i].level)
            fail_msg("case %zu: level %u", i, space_level(cases[i].used, cases[i].limit));
}

static void fill(struct store *store)
{
    static uint8_t entry[ENTRY_SIZE];
    struct span entries[100];
    uint64_t first;

    memset(entry, 'e', sizeof entry);
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        entries[i] = SPAN_OF(entry);
    for (size_t i = 0; i < ENTRIES / COUNT_OF(entries); i++)
        assert_int_equal(store_append(store, entries, COUNT_OF(entries), &first), ERR_NONE);
}

static void look(struct store *store, uint64_t limit, struct space_figures *out)
{
    struct space *space = NULL;

    log_catch();
    assert_int_equal(space_start(store, limit, &space), ERR_NONE);
    log_read();
    space_figures(space, out);
    space_stop(&space);
    space_stop(&space);
}

static void a_full_store_is_told_and_has_room_after_entries_are_gone(void **state)
{
    const struct store_options options = {.path = database,
                                          .origin = "space.example/log",
                                          .log_seed = seed,
                                          .keys = &keys,
                                          .create = true};
    const struct engine_options engine = {.address = database};
    struct store *store = NULL;
    struct store_engine *e = NULL;
    struct space_figures f;
    uint64_t token = 0, before = 0, after = 0;

    (void)state;
    assert_int_equal(store_open(&options, &store), ERR_NONE);
    look(store, 100 * MIB, &f);
    assert_true(!f.full && f.used > 0 && f.used < MIB);
    fill(store);
    look(store, 100 * MIB, &f);
    assert_true(!f.full && f.used > 2 * MIB);
    look(store, f.used * 100 / 85, &f);
    must_say("store_fills");
    assert_false(f.full);
    look(store, 2 * MIB, &f);
    must_say("store_full");
    assert_true(f.full);
    look(store, 0, &f);
    assert_false(f.full);
    store_close(&store);
    /* pages of entries that are gone are used again, so they do not count */
    assert_int_equal(store_sqlite.open(&engine, &e), ERR_NONE);
    assert_int_equal(e->ops->lease_take(e, 1, seed, 1000, &token), ERR_NONE);
    assert_int_equal(e->ops->flush(e), ERR_NONE);
    assert_int_equal(e->ops->size(e, &before), ERR_NONE);
    assert_int_equal(e->ops->entries_drop(e, 1, token, 3840), ERR_NONE);
    assert_int_equal(e->ops->flush(e), ERR_NONE);
    e->ops->close(&e); /* which removes the write-ahead log: its file counts, too */
    assert_int_equal(store_sqlite.open(&engine, &e), ERR_NONE);
    assert_int_equal(e->ops->size(e, &after), ERR_NONE);
    e->ops->close(&e);
    assert_true(after < before / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_percents_of_the_limit),
        cmocka_unit_test_setup_teardown(a_full_store_is_told_and_has_room_after_entries_are_gone,
                                        database_directory_make, database_directory_remove),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
