/*
 * Every read, write, sync and cut of a small workload fails once, in several ways. Afterwards, what
 * was acknowledged is there, what was refused is not, and nothing is half done.
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
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/random.h"
#include "support/fault_vfs.h"
#include "support/store_model.h"
#include "support/store_suite.h"

enum { GROUPS = 8, GROUP_SIZE = 3, WARM_UP = 4, POSITIONS_MAX = 4000 };

static char directory[256];
static char database[300], original[300];
static struct suite suite;
static int stderr_kept = -1;

/* The workload: the model after each group says what must be there. */
struct workload {
    struct model model;
    struct generator generator;
    struct generated made[GROUP_SIZE];
    const struct transaction *list[GROUP_SIZE];
    struct transaction_result expected[GROUP_SIZE];
};

static void group_make(struct workload *w, struct model *after)
{
    *after = w->model;
    for (size_t i = 0; i < GROUP_SIZE; i++) {
        generate(&w->generator, after, &w->made[i]);
        w->list[i] = &w->made[i].transaction;
        model_run(after, w->list[i], &w->expected[i]);
    }
}

static void remove_files(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char name[320];

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
}

static void copy_file(const char *from, const char *to)
{
    static uint8_t bytes[1 << 20];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    size_t size;

    assert_non_null(in);
    assert_non_null(out);
    size = fread(bytes, 1, sizeof bytes, in);
    assert_true(size > 0 && size < sizeof bytes);
    assert_true(fwrite(bytes, 1, size, out) == size);
    assert_int_equal(fclose(in), 0);
    assert_int_equal(fclose(out), 0);
}

/* Some rows and entries are there before. */
static struct workload warm;

static int setup(void **state)
{
    const char *base = getenv("TMPDIR");
    struct model after;
    struct transaction_result results[GROUP_SIZE];

    (void)state;
    (void)snprintf(directory, sizeof directory, "%s/fault_test.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(directory))
        return -1;
    (void)snprintf(database, sizeof database, "%s/store.db", directory);
    (void)snprintf(original, sizeof original, "%s/original.db", directory);
    warm = (struct workload){
        .model.node = 1, .generator = {.state = 5, .time_ms = 1000}
    };
    suite_open(&suite, &store_sqlite, original, true);
    for (size_t i = 0; i < WARM_UP; i++) {
        group_make(&warm, &after);
        if (executor_run(suite.executor, warm.list, GROUP_SIZE, results) != ERR_NONE)
            return -1;
        warm.model = after;
    }
    suite_close(&suite); /* the last connection moves everything into the one file */
    /* refusals are expected here by the thousand */
    stderr_kept = dup(STDERR_FILENO);
    return freopen("/dev/null", "w", stderr) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    (void)dup2(stderr_kept, STDERR_FILENO);
    (void)close(stderr_kept);
    remove_files(database);
    remove_files(original);
    return rmdir(directory);
}

static void database_reset(void)
{
    remove_files(database);
    copy_file(original, database);
}

/* Opens with the fault in place, as suite_open() does without. False when the fault hit here. */
static bool try_open(void)
{
    static const uint8_t holder[16] = {7};
    const struct engine_options options = {.address = database, .create = false};
    struct executor_options x = {.node = 1};

    suite = (struct suite){
        .ops = &store_sqlite, .keys = {1, {1}, {2}, {3}, {4}}
    };
    if (store_sqlite.open(&options, &suite.engine) != ERR_NONE)
        return false;
    x.engine = suite.engine;
    x.keys = &suite.keys;
    if (store_sqlite.lease_take(suite.engine, 1, holder, 60000, &x.token) != ERR_NONE)
        return false;
    return executor_open(&x, &suite.executor) == ERR_NONE;
}

/* What is known of the last group when the workload ends. */
enum known { KNOWN, UNKNOWN };

/*
 * Runs the groups, going on after a refusal. `w->model` is what was acknowledged. UNKNOWN: the last
 * group may be there too, and then the model is `*after`.
 */
static enum known workload_run(struct workload *w, struct model *after)
{
    struct transaction_result results[GROUP_SIZE];

    for (size_t i = 0; i < GROUPS; i++) {
        enum err e;
        bool stored = false;

        group_make(w, after);
        e = executor_run(suite.executor, w->list, GROUP_SIZE, results);
        if (e == ERR_NONE) {
            for (size_t k = 0; k < GROUP_SIZE; k++)
                assert_true(results[k].status == w->expected[k].status &&
                            results[k].version == w->expected[k].version);
            w->model = *after;
        } else if (executor_is_unsettled(suite.executor)) {
            if (executor_settle(suite.executor, &stored) != ERR_NONE)
                return UNKNOWN;
            if (stored)
                w->model = *after;
        }
    }
    return KNOWN;
}

static void fault_set(enum fault_kind kind, uint64_t at)
{
    fault_vfs = (struct fault_vfs){.fail_at = at, .kind = kind, .no_sync = true};
}

static void fault_clear(void)
{
    fault_vfs.fail_at = 0;
}

/* A new start finds `model`, or `other`. */
static void must_be_there(const struct model *model, const struct model *other, uint64_t at)
{
    suite_open(&suite, &store_sqlite, database, false);
    if (!suite_is_as(&suite, model) && !(other && suite_is_as(&suite, other)))
        fail_msg("after a fault at operation %llu the contents are none that they may be",
                 (unsigned long long)at);
    suite_close(&suite);
}

/* True when the fault was reached. */
static bool one_position(enum fault_kind kind, uint64_t at, bool *open_failed)
{
    struct workload w = warm;
    struct model after = warm.model;
    enum known known = KNOWN;
    bool fired;

    database_reset();
    fault_set(kind, at);
    *open_failed = !try_open();
    if (!*open_failed)
        known = workload_run(&w, &after);
    fired = fault_vfs.fired;
    fault_clear();
    suite_close(&suite);
    must_be_there(&w.model, known == UNKNOWN ? &after : NULL, at);
    return fired;
}

static void every_position_fails(enum fault_kind kind, const char *name)
{
    uint64_t at = 1;
    size_t in_open = 0;
    bool open_failed = false;

    for (; one_position(kind, at, &open_failed); at++) {
        in_open += open_failed;
        assert_true(at < POSITIONS_MAX);
    }
    print_message("# %s: %llu positions, %zu of them while opening\n", name,
                  (unsigned long long)at - 1, in_open);
    assert_true(at > 50 && in_open < at / 2); /* else the workload no longer reaches the disk */
}

static void an_operation_that_fails_loses_nothing(void **state)
{
    (void)state;
    every_position_fails(FAULT_ONCE, "once");
}

static void half_a_write_loses_nothing(void **state)
{
    (void)state;
    every_position_fails(FAULT_HALF, "half");
}

static void a_disk_that_stays_broken_loses_nothing(void **state)
{
    (void)state;
    every_position_fails(FAULT_STAYS, "stays");
}

static void an_operation_that_is_done_and_reports_failure_loses_nothing(void **state)
{
    (void)state;
    every_position_fails(FAULT_DONE, "done");
}

static size_t connections;

static int connection_count(sqlite3 *db, char **message, const struct sqlite3_api_routines *api)
{
    (void)db;
    (void)message;
    (void)api;
    connections++;
    return SQLITE_OK;
}

MUST_CHECK static enum err row_ignore(void *context, const struct stored_row *row)
{
    (void)context;
    (void)row;
    return ERR_NONE;
}

MUST_CHECK static enum err node_ignore(void *context, const struct stored_node_state *node)
{
    (void)context;
    (void)node;
    return ERR_NONE;
}

MUST_CHECK static enum err row_give_up(void *context, const struct stored_row *row)
{
    (void)context;
    (void)row;
    return ERR_OVERLOADED;
}

static void a_reader_that_failed_is_not_used_again(void **state)
{
    void (*const extension)(void) = (void (*)(void))connection_count;
    const struct store_ops *ops = &store_sqlite;

    (void)state;
    database_reset();
    assert_int_equal(sqlite3_auto_extension(extension), SQLITE_OK);
    assert_true(try_open());
    assert_int_equal(ops->scan(suite.engine, 0, node_ignore, row_ignore, NULL), ERR_NONE);
    connections = 0;
    assert_int_equal(ops->scan(suite.engine, 0, node_ignore, row_give_up, NULL), ERR_OVERLOADED);
    assert_int_equal(ops->scan(suite.engine, 0, node_ignore, row_ignore, NULL), ERR_NONE);
    assert_true(connections == 0); /* the callback's error is none of the connection's */
    assert_int_equal(executor_mark(suite.executor, true), ERR_NONE); /* what it has cached is old */
    fault_set(FAULT_STAYS, 1);
    assert_int_not_equal(ops->scan(suite.engine, 0, node_ignore, row_ignore, NULL), ERR_NONE);
    assert_true(fault_vfs.fired);
    fault_clear();
    assert_int_equal(ops->scan(suite.engine, 0, node_ignore, row_ignore, NULL), ERR_NONE);
    assert_true(connections == 1);
    suite_close(&suite);
    assert_int_equal(sqlite3_cancel_auto_extension(extension), 1);
}

/*
 * The child writes the result of each group: '+' acknowledged, '-' refused, '?' unknown. It exits
 * at the position. Where the position only fails, it first writes the result.
 */
static void child_run(enum fault_kind kind, uint64_t at, int out)
{
    struct workload w = warm;
    struct model after;
    struct transaction_result results[GROUP_SIZE];

    fault_set(kind, at);
    if (!try_open())
        _exit(fault_vfs.fired ? FAULT_EXIT_STATUS : 1);
    for (size_t i = 0; i < GROUPS; i++) {
        enum err e;

        group_make(&w, &after);
        e = executor_run(suite.executor, w.list, GROUP_SIZE, results);
        w.model = after;
        if (write(out,
                  e == ERR_NONE                           ? "+"
                  : executor_is_unsettled(suite.executor) ? "?"
                                                          : "-",
                  1) != 1)
            _exit(1);
        if (fault_vfs.fired)
            _exit(FAULT_EXIT_STATUS);
    }
    suite_close(&suite);
    _exit(fault_vfs.fired ? FAULT_EXIT_STATUS : 0);
}

/* True when the child died at the position. `models[n]`: after n groups. */
static bool one_crash(enum fault_kind kind, uint64_t at, const struct model models[GROUPS + 1])
{
    char results[GROUPS + 2] = {0};
    size_t done;
    int pipes[2];
    int status = 0;
    ssize_t count;
    size_t total = 0;
    bool refused;
    pid_t child;

    database_reset();
    assert_int_equal(pipe(pipes), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        child_run(kind, at, pipes[1]);
    (void)close(pipes[1]);
    while ((count = read(pipes[0], results + total, sizeof results - 1 - total)) > 0)
        total += (size_t)count;
    (void)close(pipes[0]);
    assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == FAULT_EXIT_STATUS);
    done = strspn(results, "+");
    refused = results[done] == '-';
    /* a group without a result, or with '?', may be there */
    must_be_there(&models[done], done < GROUPS && !refused ? &models[done + 1] : NULL, at);
    return WEXITSTATUS(status) == FAULT_EXIT_STATUS;
}

static void every_position_kills(enum fault_kind kind, const char *name)
{
    struct model models[GROUPS + 1];
    struct workload w = warm;
    uint64_t at = 1;

    models[0] = warm.model;
    for (size_t i = 0; i < GROUPS; i++) {
        group_make(&w, &models[i + 1]);
        w.model = models[i + 1];
    }
    while (one_crash(kind, at, models))
        at++;
    print_message("# %s: %llu positions\n", name, (unsigned long long)at - 1);
    assert_true(at > 50);
}

static void a_kill_at_any_operation_loses_nothing(void **state)
{
    (void)state;
    every_position_kills(FAULT_EXIT, "kill");
}

static void an_answer_after_a_fault_holds_when_the_process_is_killed_at_once(void **state)
{
    static const struct {
        enum fault_kind kind;
        const char *name;
    } kinds[] = {
        {FAULT_ONCE,  "once, then kill" },
        {FAULT_HALF,  "half, then kill" },
        {FAULT_STAYS, "stays, then kill"},
        {FAULT_DONE,  "done, then kill" }
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        every_position_kills(kinds[i].kind, kinds[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_that_failed_is_not_used_again),
        cmocka_unit_test(an_operation_that_fails_loses_nothing),
        cmocka_unit_test(half_a_write_loses_nothing),
        cmocka_unit_test(a_disk_that_stays_broken_loses_nothing),
        cmocka_unit_test(an_operation_that_is_done_and_reports_failure_loses_nothing),
        cmocka_unit_test(a_kill_at_any_operation_loses_nothing),
        cmocka_unit_test(an_answer_after_a_fault_holds_when_the_process_is_killed_at_once),
    };

    fault_vfs.no_sync = true; /* the page cache outlives the process */
    return crypto_start() == ERR_NONE && fault_vfs_register()
               ? cmocka_run_group_tests_name("store/fault", tests, setup, teardown)
               : 1;
}
