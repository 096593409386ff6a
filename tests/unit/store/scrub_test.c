/* The scrub reads the whole log back, and finds what was changed in its old part. */
#include "store/scrub.h"

#include <sys/wait.h>

#include "support/caught_log.h"
#include "unit/store/support.h"

enum { MANY = 1000, BLOCKS = 4, HOUR_MS = 3600000 };

static const struct timestamp noon = {1800000000000};

MUST_CHECK static bool never(void *context)
{
    (void)context;
    return false;
}

/* True after `*context` calls. */
MUST_CHECK static bool soon(void *context)
{
    unsigned *left = context;

    return (*left)-- == 0;
}

static struct timestamp later(int64_t ms)
{
    return (struct timestamp){noon.ms + ms};
}

MUST_CHECK static enum err scrub(struct store *store, uint64_t entries, struct timestamp now)
{
    const struct scrub_limits limits = {entries, HOUR_MS, never, NULL};

    return store_scrub(store, &limits, now);
}

static struct scrub_figures figures_of(struct store *store)
{
    struct scrub_figures f;

    store_scrub_figures(store, &f);
    return f;
}

/* A log whose entries the start has read back once. */
static struct store *log_make(uint64_t size)
{
    struct store *store = must_open(true);

    append_many(store, 0, size);
    store_close(&store);
    return must_open(false);
}

MUST_CHECK static enum err entry_ignore(void *context, uint64_t index, struct span entry)
{
    (void)context;
    (void)index;
    (void)entry;
    return ERR_NONE;
}

MUST_CHECK static enum err append_one(struct store *store)
{
    const struct span entry = SPAN_LITERAL("one more");
    uint64_t first;

    return store_append(store, &entry, 1, &first);
}

static void a_pass_reads_everything_and_pauses(void **state)
{
    struct store *store = log_make(MANY);

    (void)state;
    assert_int_equal(scrub(store, 512, noon), ERR_NONE);
    assert_int_equal(figures_of(store).position, 512);
    assert_int_equal(scrub(store, 1, noon), ERR_NONE); /* a block at least */
    assert_int_equal(figures_of(store).position, 768);
    assert_int_equal(figures_of(store).pass.ms, 0);
    assert_int_equal(scrub(store, 256, noon), ERR_NONE); /* the tail */
    assert_int_equal(figures_of(store).position, 0);
    assert_int_equal(figures_of(store).pass.ms, noon.ms);
    assert_int_equal(figures_of(store).passes, 1);
    assert_int_equal(figures_of(store).entries, MANY);
    assert_int_equal(scrub(store, MANY, later(HOUR_MS - 1)), ERR_NONE);
    assert_int_equal(figures_of(store).entries, MANY);
    assert_int_equal(scrub(store, 256, later(HOUR_MS)), ERR_NONE);
    assert_int_equal(figures_of(store).position, 256);
    store_close(&store);
}

static void a_clock_that_is_set_back_ends_the_pause(void **state)
{
    struct store *store = log_make(MANY);

    (void)state;
    assert_int_equal(scrub(store, 2 * MANY, noon), ERR_NONE);
    assert_int_equal(scrub(store, 256, later(-1)), ERR_NONE);
    assert_int_equal(figures_of(store).position, 256);
    store_close(&store);
}

static void an_empty_log_needs_nothing(void **state)
{
    struct store *store = must_open(true);

    (void)state;
    assert_int_equal(scrub(store, MANY, noon), ERR_NONE);
    assert_int_equal(figures_of(store).entries, 0);
    assert_int_equal(figures_of(store).pass.ms, 0);
    store_close(&store);
}

static void the_place_survives_a_stop(void **state)
{
    struct store *store = log_make(MANY);

    (void)state;
    assert_int_equal(scrub(store, 512, noon), ERR_NONE);
    store_close(&store);
    store = must_open(false);
    assert_int_equal(figures_of(store).position, 512);
    assert_int_equal(scrub(store, MANY, noon), ERR_NONE);
    store_close(&store);
    store = must_open(false);
    assert_int_equal(figures_of(store).position, 0);
    assert_int_equal(figures_of(store).pass.ms, noon.ms);
    store_close(&store);
}

static void it_stops_when_it_is_told(void **state)
{
    struct store *store = log_make(MANY);
    unsigned blocks = 2;
    const struct scrub_limits limits = {MANY, HOUR_MS, soon, &blocks};

    (void)state;
    assert_int_equal(store_scrub(store, &limits, noon), ERR_NONE);
    assert_int_equal(figures_of(store).position, 512);
    store_close(&store);
}

/* New entries and the pass take turns, so that neither waits for the other to end. */
static void new_entries_and_the_pass_take_turns(void **state)
{
    struct store *store = log_make(MANY);

    (void)state;
    append_many(store, MANY, 3 * MANY);
    assert_int_equal(figures_of(store).verified, MANY);
    assert_int_equal(scrub(store, 512, noon), ERR_NONE);
    assert_int_equal(figures_of(store).verified, 1024);
    assert_int_equal(figures_of(store).position, 256);
    assert_int_equal(scrub(store, 2 * 512, noon), ERR_NONE);
    assert_int_equal(figures_of(store).verified, 1024 + 512);
    assert_int_equal(figures_of(store).position, 768);
    assert_int_equal(scrub(store, 100 * MANY, noon), ERR_NONE);
    assert_int_equal(figures_of(store).verified, 3 * MANY - 3 * MANY % 256);
    assert_int_equal(figures_of(store).passes, 1);
    store_close(&store);
}

/* What is changed, and the block that the alarm names. */
static const struct {
    const char *sql, *alarm;
    bool also_when_read; /* by a reader of entry 300 */
} changes[] = {
    {"UPDATE log_entry SET entry = x'00' WHERE idx = 300",                                         "index=256 last=511", true },
    {"UPDATE log_entry SET entry = x'00' WHERE idx = 0",                                           "index=0 last=255",   false},
    {"UPDATE log_entry SET entry = CAST(entry || ' ' AS BLOB) WHERE idx = 300",
     "index=256 last=511",                                                                                               true },
    {"DELETE FROM log_entry WHERE idx = 300",                                                      "index=256 last=511", true },
    {"DELETE FROM log_entry WHERE idx < 256",                                                      "index=0 last=255",   false},
    {"UPDATE log_entry SET entry = (SELECT entry FROM log_entry WHERE idx = 301) WHERE idx = 300",
     "index=256 last=511",                                                                                               true },
};

/* A log that was changed where no start looks. */
static struct store *log_make_changed(const char *sql)
{
    struct store *store = log_make(MANY);

    store_close(&store);
    spoil(sql);
    return must_open(false);
}

static void a_changed_entry_stops_the_store(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct store *store = log_make_changed(changes[i].sql);
        char said[4096];

        log_catch();
        assert_int_equal(scrub(store, 2 * MANY, noon), ERR_TAMPERED);
        assert_int_equal(scrub(store, 2 * MANY, noon), ERR_TAMPERED);
        assert_true(figures_of(store).tampered);
        assert_int_equal(append_one(store), ERR_TAMPERED);
        assert_int_equal(store_check(store), ERR_TAMPERED);
        assert_int_equal(append_one(store), ERR_TAMPERED);
        store_close(&store);
        log_read();
        must_say("LOG_TAMPERED");
        must_say(changes[i].alarm);
        open_logged(ERR_TAMPERED, said, sizeof said); /* and stops each later start */
        remove_database();
    }
}

/* Also when the process is killed after the alarm. */
static void the_place_of_a_change_is_stored_at_once(void **state)
{
    struct store *store = log_make(MANY);
    int status = 0;
    pid_t child;

    (void)state;
    store_close(&store);
    spoil("UPDATE log_entry SET entry = x'00' WHERE idx = 300");
    log_catch();
    child = fork();
    if (child == 0) {
        enum err e = try_open(false, &store);

        if (e == ERR_NONE && scrub(store, 2 * MANY, noon) == ERR_TAMPERED)
            e = store_check(store);
        _exit(e == ERR_TAMPERED ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(try_open(false, &store), ERR_TAMPERED);
    log_read();
    must_say("index=256 last=511");
}

static void what_a_reader_finds_is_looked_at_next(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct store *store;

        if (!changes[i].also_when_read)
            continue;
        store = log_make_changed(changes[i].sql);
        log_catch();
        assert_int_equal(store_entries(store, 300, 1, entry_ignore, NULL), ERR_TAMPERED);
        assert_int_equal(append_one(store), ERR_NONE); /* a second look decides */
        assert_int_equal(scrub(store, 1, noon), ERR_TAMPERED);
        assert_int_equal(append_one(store), ERR_TAMPERED);
        store_close(&store);
        log_read();
        must_say("LOG_TAMPERED");
        remove_database();
    }
}

/* A fault of the disk that has gone at the second look is no alarm. */
static void what_is_good_at_a_second_look_is_no_tampering(void **state)
{
    struct store *store = log_make_changed("UPDATE log_entry SET entry = x'00' WHERE idx = 300");

    (void)state;
    log_catch();
    assert_int_equal(store_entries(store, 300, 1, entry_ignore, NULL), ERR_TAMPERED);
    log_read();
    spoil("UPDATE log_entry SET entry = CAST('{\"entry\":300}' AS BLOB) WHERE idx = 300");
    assert_int_equal(scrub(store, 1, noon), ERR_NONE);
    assert_false(figures_of(store).tampered);
    store_close(&store);
}

#define IN_A_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, directory_make, directory_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_DIRECTORY(a_pass_reads_everything_and_pauses),
        IN_A_DIRECTORY(a_clock_that_is_set_back_ends_the_pause),
        IN_A_DIRECTORY(an_empty_log_needs_nothing),
        IN_A_DIRECTORY(the_place_survives_a_stop),
        IN_A_DIRECTORY(it_stops_when_it_is_told),
        IN_A_DIRECTORY(new_entries_and_the_pass_take_turns),
        IN_A_DIRECTORY(a_changed_entry_stops_the_store),
        IN_A_DIRECTORY(the_place_of_a_change_is_stored_at_once),
        IN_A_DIRECTORY(what_a_reader_finds_is_looked_at_next),
        IN_A_DIRECTORY(what_is_good_at_a_second_look_is_no_tampering),
    };

    return crypto_start() == ERR_NONE
               ? cmocka_run_group_tests_name("store/scrub", tests, NULL, NULL)
               : 1;
}
