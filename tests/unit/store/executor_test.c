#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "crypto/random.h"
#include "store/log.h"
#include "store/verify.h"
#include "support/sqlite_directory.h"
#include "support/store_suite.h"

static struct suite suite;

/* What the engine does to the next groups; see lossy_commit() and lossy_begin(). */
static struct {
    int conflicts;       /* group_commit() says ERR_CONFLICT this many times */
    int lost_before;     /* ... loses its connection before the commit arrives */
    int lost_after;      /* ... loses its connection after the commit was done */
    int unreachable;     /* group_begin() says ERR_UNAVAILABLE this many times */
    int fail_begin_from; /* after this many calls, group_begin() is unreachable; 0: never */
    int begins;
    bool stale; /* group_begin() gives the state that it gave first */
    struct stored_node_state first;
} lossy;

static struct store_ops lossy_ops;

MUST_CHECK static enum err lossy_begin(struct store_engine *e, uint32_t node, uint64_t token,
                                       const struct row_wanted *wanted, size_t wanted_count,
                                       struct stored_node_state *state, each_stored_row *each,
                                       void *context)
{
    enum err result;

    lossy.begins++;
    if (lossy.fail_begin_from > 0 && lossy.begins > lossy.fail_begin_from)
        return ERR_UNAVAILABLE;
    if (lossy.unreachable > 0) {
        lossy.unreachable--;
        return ERR_UNAVAILABLE;
    }
    result = store_sqlite.group_begin(e, node, token, wanted, wanted_count, state, each, context);
    if (lossy.begins == 1)
        lossy.first = *state;
    if (lossy.stale)
        *state = lossy.first;
    return result;
}

MUST_CHECK static enum err lossy_commit(struct store_engine *e, const struct group_writes *writes)
{
    enum err result;

    if (lossy.conflicts > 0 || lossy.lost_before > 0) {
        result = lossy.conflicts > 0 ? ERR_CONFLICT : ERR_UNAVAILABLE;
        if (lossy.conflicts > 0)
            lossy.conflicts--;
        else
            lossy.lost_before--;
        store_sqlite.group_abort(e);
        return result;
    }
    result = store_sqlite.group_commit(e, writes);
    if (lossy.lost_after > 0 && result == ERR_NONE) {
        lossy.lost_after--;
        return ERR_UNAVAILABLE;
    }
    return result;
}

static int setup(void **state)
{
    if (database_directory_make(state) != 0)
        return -1;
    memset(&lossy, 0, sizeof lossy);
    suite_open(&suite, &store_sqlite, database, true);
    lossy_ops = store_sqlite;
    lossy_ops.group_begin = lossy_begin;
    lossy_ops.group_commit = lossy_commit;
    suite.engine->ops = &lossy_ops;
    return 0;
}

static int teardown(void **state)
{
    suite_close(&suite);
    return database_directory_remove(state);
}

static struct effect put(const char *id, const char *lookup)
{
    return (struct effect){.kind = EFFECT_PUT,
                           .table = TABLE_KEY,
                           .id = span_string(id),
                           .lookup = span_string(lookup),
                           .value = span_string(id)};
}

static struct effect count_up(uint64_t uses, uint64_t limit, int64_t window_ms)
{
    return (struct effect){.kind = EFFECT_COUNT,
                           .table = TABLE_COUNTER,
                           .id = SPAN_LITERAL("counter"),
                           .uses = uses,
                           .limit = limit,
                           .window_ms = window_ms};
}

static struct effect require_version(const char *id, uint64_t version)
{
    return (struct effect){
        .kind = EFFECT_REQUIRE, .table = TABLE_KEY, .id = span_string(id), .version = version};
}

static struct transaction with(const struct effect *effects, size_t count)
{
    return (struct transaction){.effects = effects,
                                .count = count,
                                .entry = SPAN_LITERAL("done"),
                                .entry_limit = SPAN_LITERAL("limit"),
                                .entry_conflict = SPAN_LITERAL("conflict")};
}

MUST_CHECK static enum err run(const struct transaction *t, struct transaction_result *out)
{
    return executor_run(suite.executor, &t, 1, out);
}

/* Runs one transaction that must be decided, whatever the decision. */
static struct transaction_result decided(const struct effect *effects, size_t count, int64_t time)
{
    struct transaction t = with(effects, count);
    struct transaction_result result = {0};

    t.time.ms = time;
    assert_int_equal(run(&t, &result), ERR_NONE);
    return result;
}

static uint64_t log_size(void)
{
    return executor_state(suite.executor)->log.size;
}

static void verify(void)
{
    assert_int_equal(store_verify_rows(suite.engine, &suite.keys, NULL, NULL), ERR_NONE);
}

static void a_failed_condition_takes_everything_back(void **state)
{
    const struct effect effects[] = {put("a", "one"), count_up(1, 9, 0), put("b", "two"),
                                     require_version("absent", 77)};
    const struct effect check[] = {require_version("a", 0), require_version("b", 0),
                                   count_up(1, 9, 0)};
    struct transaction_result r = decided(effects, COUNT_OF(effects), 0);

    (void)state;
    assert_int_equal(r.status, TRANSACTION_CONFLICT);
    assert_true(r.effect == 3 && r.version == 0 && r.logged && r.index == 0);
    r = decided(check, COUNT_OF(check), 0);
    assert_int_equal(r.status, TRANSACTION_DONE);
    assert_true(r.used == 1);
}

static void a_version_names_the_entry_and_the_node(void **state)
{
    const struct effect first = put("a", "");
    const struct transaction_result r = decided(&first, 1, 0);
    const struct effect good[] = {require_version("a", r.version), put("a", "")};
    struct transaction_result again;

    (void)state;
    assert_true(r.version == (UINT64_C(0) << TRANSACTION_NODE_BITS | 1));
    again = decided(good, COUNT_OF(good), 0);
    assert_true(again.status == TRANSACTION_DONE);
    assert_true(again.version == (UINT64_C(1) << TRANSACTION_NODE_BITS | 1));
    again = decided(good, COUNT_OF(good), 0); /* decided on a version that is gone */
    assert_true(again.status == TRANSACTION_CONFLICT && again.effect == 0);
    assert_true(again.version == (UINT64_C(1) << TRANSACTION_NODE_BITS | 1));
}

static void lookup_values_are_unique_and_can_change_places(void **state)
{
    const struct effect both[] = {put("a", "one"), put("b", "two")};
    const struct effect taken = put("c", "one");
    const struct effect free_a = put("a", "");
    const struct effect swap[] = {put("a", ""), put("b", "one"), put("a", "two")};
    struct transaction list[3];
    const struct transaction *pointers[] = {&list[0], &list[1], &list[2]};
    struct transaction_result results[3];

    (void)state;
    assert_int_equal(decided(both, 2, 0).status, TRANSACTION_DONE);
    list[0] = with(&taken, 1);
    list[1] = with(&free_a, 1);
    list[2] = with(&taken, 1);
    assert_int_equal(executor_run(suite.executor, pointers, 3, results), ERR_NONE);
    assert_int_equal(results[0].status, TRANSACTION_CONFLICT); /* in the order of the group */
    assert_int_equal(results[1].status, TRANSACTION_DONE);
    assert_int_equal(results[2].status, TRANSACTION_DONE);
    assert_int_equal(decided(&free_a, 1, 0).status, TRANSACTION_DONE);

    const struct effect gone = {.kind = EFFECT_DELETE, .table = TABLE_KEY, .id = span_string("c")};

    assert_int_equal(decided(&gone, 1, 0).status, TRANSACTION_DONE);
    assert_int_equal(decided(both, 2, 0).status, TRANSACTION_DONE);
    assert_int_equal(decided(swap, 3, 0).status, TRANSACTION_DONE);
    assert_int_equal(decided(both, 2, 0).status, TRANSACTION_CONFLICT);
    verify();
}

static void a_window_starts_again_and_never_backwards(void **state)
{
    static const struct {
        int64_t time, window;
        enum transaction_status status;
        uint64_t used;
    } steps[] = {
        {500,   1000,  TRANSACTION_DONE,  1},
        {999,   1000,  TRANSACTION_DONE,  2},
        {999,   1000,  TRANSACTION_LIMIT, 2},
        {1000,  1000,  TRANSACTION_DONE,  1},
        {200,   1000,  TRANSACTION_DONE,  2}, /* the clock went back: the present window */
        {200,   1000,  TRANSACTION_LIMIT, 2},
        {1999,  1000,  TRANSACTION_LIMIT, 2},
        {2000,  1000,  TRANSACTION_DONE,  1},
        {2500,  60000, TRANSACTION_DONE,  2},
        {59999, 60000, TRANSACTION_LIMIT, 2},
        {60000, 60000, TRANSACTION_DONE,  1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        const struct effect f = count_up(1, 2, steps[i].window);
        struct transaction_result r = decided(&f, 1, steps[i].time);

        if (r.status != steps[i].status || r.used != steps[i].used)
            fail_msg("step %zu: status %d, used %d", i, (int)r.status, (int)r.used);
    }
}

static void counting_does_not_overflow(void **state)
{
    const struct effect most = count_up(UINT64_MAX, UINT64_MAX, 0);
    const struct effect one = count_up(1, UINT64_MAX, 0);
    const struct effect lower = count_up(1, 3, 0);

    (void)state;
    assert_int_equal(decided(&most, 1, 0).status, TRANSACTION_DONE);
    assert_int_equal(decided(&one, 1, 0).status, TRANSACTION_LIMIT);
    assert_int_equal(decided(&most, 1, 0).status, TRANSACTION_LIMIT);
    assert_int_equal(decided(&lower, 1, 0).status, TRANSACTION_LIMIT);
}

static void an_empty_entry_appends_and_writes_nothing(void **state)
{
    const struct effect f = require_version("a", 5);
    struct transaction t = with(&f, 1);
    struct transaction_result r = {0};
    uint64_t commits = executor_state(suite.executor)->commits;

    (void)state;
    t.entry_conflict = (struct span){0};
    assert_int_equal(run(&t, &r), ERR_NONE);
    assert_int_equal(r.status, TRANSACTION_CONFLICT);
    assert_true(!r.logged && log_size() == 0);
    assert_true(executor_state(suite.executor)->commits == commits);
}

static void a_malformed_transaction_spoils_no_group(void **state)
{
    const struct effect bad = {.kind = EFFECT_PUT, .table = TABLE_COUNTER, .id = SPAN_LITERAL("x")};
    const struct transaction list[] = {with(NULL, 0), with(&bad, 1)};
    const struct transaction *pointers[] = {&list[0], &list[1]};
    struct transaction_result results[2];

    (void)state;
    assert_int_equal(executor_run(suite.executor, pointers, 2, results), ERR_MALFORMED);
    assert_true(log_size() == 0);
}

static void a_group_of_the_largest_size_runs(void **state)
{
    static struct transaction list[STORE_GROUP_MAX];
    static const struct transaction *pointers[STORE_GROUP_MAX];
    static struct transaction_result results[STORE_GROUP_MAX];
    static struct effect effects[TRANSACTION_EFFECTS_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(effects); i++)
        effects[i] = count_up(1, UINT64_MAX, 0);
    for (size_t i = 0; i < STORE_GROUP_MAX; i++) {
        list[i] = with(effects, COUNT_OF(effects));
        pointers[i] = &list[i];
    }
    assert_int_equal(executor_run(suite.executor, pointers, STORE_GROUP_MAX, results), ERR_NONE);
    for (size_t i = 0; i < STORE_GROUP_MAX; i++)
        assert_true(results[i].index == i && results[i].used == (i + 1) * COUNT_OF(effects));
    verify();
}

static void a_group_in_conflict_with_another_node_runs_again(void **state)
{
    const struct effect f = count_up(1, 9, 0);
    struct transaction t = with(&f, 1);
    struct transaction_result r = {0};

    (void)state;
    lossy.conflicts = 31;
    assert_int_equal(run(&t, &r), ERR_NONE);
    assert_true(r.used == 1 && r.index == 0);
    lossy.conflicts = 32;
    assert_int_equal(run(&t, &r), ERR_OVERLOADED);
    lossy.conflicts = 0;
    assert_int_equal(run(&t, &r), ERR_NONE);
    assert_true(r.used == 2 && r.index == 1);
    verify();
}

static void a_commit_whose_answer_was_lost_is_looked_up(void **state)
{
    const struct effect f = count_up(1, 9, 0);
    struct transaction t = with(&f, 1);
    struct transaction_result r = {0};

    (void)state;
    lossy.lost_after = 1; /* done: found, and not done twice */
    assert_int_equal(run(&t, &r), ERR_NONE);
    assert_true(r.used == 1 && log_size() == 1);
    lossy.lost_before = 1; /* not done: run again */
    assert_int_equal(run(&t, &r), ERR_NONE);
    assert_true(r.used == 2 && log_size() == 2);
    verify();
}

static void an_unknown_commit_is_settled_later(void **state)
{
    static const bool arrived[] = {true, false};
    const struct effect f = count_up(1, 9, 0);
    struct transaction t = with(&f, 1);
    struct transaction_result r = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(arrived); i++) {
        bool stored = !arrived[i];
        uint64_t before = log_size();

        lossy.lost_after = arrived[i];
        lossy.lost_before = !arrived[i];
        lossy.begins = 0;
        lossy.fail_begin_from = 1; /* the server is gone when the outcome is looked up */
        assert_int_equal(run(&t, &r), ERR_UNAVAILABLE);
        assert_true(executor_is_unsettled(suite.executor));
        assert_int_equal(run(&t, &r), ERR_UNAVAILABLE); /* nothing runs before it is known */
        assert_int_equal(executor_settle(suite.executor, &stored), ERR_UNAVAILABLE);
        assert_true(executor_is_unsettled(suite.executor));
        lossy.fail_begin_from = 0;
        lossy.lost_before = 0;
        assert_int_equal(executor_settle(suite.executor, &stored), ERR_NONE);
        assert_true(stored == arrived[i] && !executor_is_unsettled(suite.executor));
        assert_true(log_size() == before + (arrived[i] ? 1 : 0));
    }
    assert_int_equal(run(&t, &r), ERR_NONE);
    assert_true(r.used == 2); /* one that arrived, and this one */
    verify();
}

static void an_unknown_commit_is_settled_from_the_log_after_a_takeover(void **state)
{
    static const uint8_t holder[16] = {8};
    static const bool arrived[] = {true, false};
    const struct effect f = count_up(1, 9, 0);
    struct transaction t = with(&f, 1);
    struct transaction_result r = {0};
    char entry[] = "done";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(arrived); i++) {
        const struct executor_options options = {suite.engine, &suite.keys, 1, suite.token + 1};
        bool stored = !arrived[i];

        lossy.lost_after = arrived[i];
        lossy.lost_before = !arrived[i];
        lossy.begins = 0;
        lossy.fail_begin_from = 1;
        t.entry = span_string(entry);
        assert_int_equal(run(&t, &r), ERR_UNAVAILABLE);
        entry[0] ^= 1; /* the request may be gone meanwhile */
        lossy.fail_begin_from = 0;
        assert_int_equal(store_sqlite.lease_take(suite.engine, 1, holder, 1, &suite.token),
                         ERR_NONE);
        assert_int_equal(executor_settle(suite.executor, &stored), ERR_DENIED);
        assert_true(stored == arrived[i]);
        assert_int_equal(run(&t, &r), ERR_DENIED);
        executor_close(&suite.executor);
        assert_int_equal(executor_open(&options, &suite.executor), ERR_NONE);
    }
}

static void an_older_state_under_the_running_process_is_found(void **state)
{
    struct transaction t = with(NULL, 0);
    struct transaction_result r = {0};

    (void)state;
    assert_int_equal(run(&t, &r), ERR_NONE);
    assert_int_equal(run(&t, &r), ERR_NONE);
    lossy.stale = true;
    assert_int_equal(run(&t, &r), ERR_TAMPERED);
    lossy.stale = false;
    assert_int_equal(run(&t, &r), ERR_NONE); /* and it left nothing */
    assert_true(r.index == 2);
}

static void an_engine_that_is_gone_leaves_nothing_to_settle(void **state)
{
    struct transaction t = with(NULL, 0);
    struct transaction_result r = {0};

    (void)state;
    lossy.unreachable = 1;
    assert_int_equal(run(&t, &r), ERR_UNAVAILABLE);
    assert_false(executor_is_unsettled(suite.executor));
    assert_int_equal(run(&t, &r), ERR_NONE);
}

/* More than SQLite's cache holds is written before the commit, until the disk is full. */
static void a_large_group_on_a_full_disk_is_no_change_of_the_files(void **state)
{
    enum { LARGE = 400, DISK = 6 << 20 };
    static uint8_t value[ROW_VALUE_MAX];
    static struct effect puts[LARGE];
    static struct transaction made[LARGE];
    static const struct transaction *list[LARGE];
    static struct transaction_result results[LARGE];
    static char ids[LARGE][16];
    struct rlimit limit;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < LARGE; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "row %zu", i);
        puts[i] = put(ids[i], "");
        puts[i].value = SPAN_OF(value);
        made[i] = with(&puts[i], 1);
        list[i] = &made[i];
    }
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){DISK, limit.rlim_max}), 0);
    assert_int_equal(executor_run(suite.executor, list, LARGE, results), ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(executor_run(suite.executor, list, LARGE, results), ERR_NONE);
    verify();
}

#define ON_AN_EMPTY_DATABASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_AN_EMPTY_DATABASE(a_large_group_on_a_full_disk_is_no_change_of_the_files),
        ON_AN_EMPTY_DATABASE(a_failed_condition_takes_everything_back),
        ON_AN_EMPTY_DATABASE(a_version_names_the_entry_and_the_node),
        ON_AN_EMPTY_DATABASE(lookup_values_are_unique_and_can_change_places),
        ON_AN_EMPTY_DATABASE(a_window_starts_again_and_never_backwards),
        ON_AN_EMPTY_DATABASE(counting_does_not_overflow),
        ON_AN_EMPTY_DATABASE(an_empty_entry_appends_and_writes_nothing),
        ON_AN_EMPTY_DATABASE(a_malformed_transaction_spoils_no_group),
        ON_AN_EMPTY_DATABASE(a_group_of_the_largest_size_runs),
        ON_AN_EMPTY_DATABASE(a_group_in_conflict_with_another_node_runs_again),
        ON_AN_EMPTY_DATABASE(a_commit_whose_answer_was_lost_is_looked_up),
        ON_AN_EMPTY_DATABASE(an_unknown_commit_is_settled_later),
        ON_AN_EMPTY_DATABASE(an_unknown_commit_is_settled_from_the_log_after_a_takeover),
        ON_AN_EMPTY_DATABASE(an_older_state_under_the_running_process_is_found),
        ON_AN_EMPTY_DATABASE(an_engine_that_is_gone_leaves_nothing_to_settle),
    };

    return crypto_start() == ERR_NONE
               ? cmocka_run_group_tests_name("store/executor", tests, NULL, NULL)
               : 1;
}
