/* The PostgreSQL engine on a server of the test's own: what SQLite passes, and what only it has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/random.h"
#include "store/log.h"
#include "store/verify.h"
#include "support/caught_log.h"
#include "support/postgres.h"
#include "support/store_model.h"
#include "support/store_suite.h"

enum { SEQUENCES = 600, ROUNDS = 60, LEASE_MS = 60000 };

static struct postgres server;
static bool server_there;
static char address[POSTGRES_ADDRESS_SIZE];

static int on_an_empty_schema(void **state)
{
    (void)state;
    if (server_there)
        postgres_address(&server, "", address);
    return 0;
}

static void needs_server(void)
{
    if (!server_there)
        skip();
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t number = otherwise;

    if (text && decimal_read(span_string(text), &number) != ERR_NONE)
        fail_msg("%s is no number", name);
    return number;
}

/* ---- the suite ---- */

static void both_engines_give_the_same_answers(void **state)
{
    uint8_t ours[SHA256_SIZE], theirs[SHA256_SIZE];
    char directory[] = "/tmp/postgres_test.XXXXXX", database[64];
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    uint64_t seed = number_from("STORE_SEED", 1);
    uint64_t count = number_from("STORE_SEQUENCES", SEQUENCES);

    (void)state;
    needs_server();
    suite_sequences(&store_postgres, address, seed, count, ours);
    assert_non_null(mkdtemp(directory));
    (void)snprintf(database, sizeof database, "%s/store.db", directory);
    suite_sequences(&store_sqlite, database, seed, count, theirs);
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(database, sizeof database, "%s/store.db%s", directory, suffixes[i]);
        (void)unlink(database);
    }
    (void)rmdir(directory);
    assert_memory_equal(ours, theirs, sizeof ours);
}

static void a_counter_never_passes_its_limit(void **state)
{
    (void)state;
    needs_server();
    suite_limits(&store_postgres, address, number_from("STORE_ROUNDS", ROUNDS));
}

static void a_demoted_process_appends_nothing(void **state)
{
    (void)state;
    needs_server();
    suite_fencing(&store_postgres, address);
}

static void rows_and_entries_are_found_again(void **state)
{
    (void)state;
    needs_server();
    suite_reads(&store_postgres, address);
}

/* ---- what a group read holds until its commit ---- */

static const uint8_t holders[2][16] = {{1}, {2}};

/* Node `number` (1, 2) on the schema of `address`, with an engine and an executor of its own. */
static void node_open(struct suite *s, uint32_t number)
{
    static const struct node_state fresh;
    const struct engine_options options = {.address = address, .create = true};
    struct executor_options x = {.node = number};
    char origin[32];

    *s = (struct suite){
        .ops = &store_postgres, .address = address, .keys = {1, {1}, {2}, {3}, {4}}
    };
    (void)snprintf(origin, sizeof origin, "suite.example/%u", (unsigned)number);
    assert_int_equal(store_postgres.open(&options, &s->engine), ERR_NONE);
    assert_int_equal(executor_node_create(s->engine, &s->keys, number, origin, &fresh), ERR_NONE);
    assert_int_equal(
        store_postgres.lease_take(s->engine, number, holders[number - 1], LEASE_MS, &s->token),
        ERR_NONE);
    x.engine = s->engine;
    x.keys = &s->keys;
    x.token = s->token;
    assert_int_equal(executor_open(&x, &s->executor), ERR_NONE);
}

MUST_CHECK static enum err run_effects(struct suite *s, const struct effect *effects, size_t count,
                                       struct transaction_result *out)
{
    const struct transaction t = {
        .effects = effects, .count = count, .entry = SPAN_LITERAL("entry")};
    const struct transaction *list = &t;

    return executor_run(s->executor, &list, 1, out);
}

static struct effect put(const char *id, const char *lookup, const char *value)
{
    return (struct effect){.kind = EFFECT_PUT,
                           .table = TABLE_KEY,
                           .id = span_string(id),
                           .lookup = span_string(lookup),
                           .value = span_string(value)};
}

static void must_put(struct suite *s, const char *id, const char *lookup, const char *value)
{
    const struct effect f = put(id, lookup, value);
    struct transaction_result r;

    assert_int_equal(run_effects(s, &f, 1, &r), ERR_NONE);
    assert_int_equal(r.status, TRANSACTION_DONE);
}

static void must_delete(struct suite *s, const char *id)
{
    const struct effect f = {.kind = EFFECT_DELETE, .table = TABLE_KEY, .id = span_string(id)};
    struct transaction_result r;

    assert_int_equal(run_effects(s, &f, 1, &r), ERR_NONE);
}

MUST_CHECK static enum err row_ignore(void *context, const struct stored_row *row)
{
    (void)row;
    ++*(size_t *)context;
    return ERR_NONE;
}

/* What one node reads, and what the other does to it. There are row "a" with lookup "la", and "b".
 */
static const struct {
    const char *id, *lookup; /* read */
    enum { OTHER_PUTS, OTHER_DELETES } other;
    const char *other_id, *other_lookup;
    enum err expected;
} interferences[] = {
    {"a",  NULL, OTHER_PUTS,    "a", "la", ERR_CONFLICT},
    {"a",  NULL, OTHER_DELETES, "a", "",   ERR_CONFLICT},
    {"a",  NULL, OTHER_PUTS,    "b", "",   ERR_NONE    },
    {"a",  NULL, OTHER_PUTS,    "c", "lc", ERR_NONE    },
    {"c",  NULL, OTHER_PUTS,    "c", "",   ERR_CONFLICT}, /* a missing row appears */
    {"c",  NULL, OTHER_PUTS,    "d", "c",  ERR_NONE    }, /* an id is no lookup value */
    {"c",  NULL, OTHER_DELETES, "b", "",   ERR_NONE    },
    {NULL, "la", OTHER_PUTS,    "a", "la", ERR_CONFLICT},
    {NULL, "la", OTHER_PUTS,    "a", "lx", ERR_CONFLICT},
    {NULL, "la", OTHER_DELETES, "a", "",   ERR_CONFLICT},
    {NULL, "la", OTHER_PUTS,    "b", "lb", ERR_NONE    },
    {NULL, "lc", OTHER_PUTS,    "c", "lc", ERR_CONFLICT}, /* a missing value appears */
    {NULL, "lc", OTHER_PUTS,    "b", "lc", ERR_CONFLICT}, /* ... at a row that was there */
    {NULL, "lc", OTHER_PUTS,    "c", "ld", ERR_NONE    },
};

static void what_a_group_read_holds_until_its_commit_or_it_conflicts(void **state)
{
    struct suite a, b;

    (void)state;
    needs_server();
    node_open(&a, 1);
    node_open(&b, 2);
    for (size_t i = 0; i < COUNT_OF(interferences); i++) {
        struct row_wanted wanted = {.table = TABLE_KEY, .by_lookup = !interferences[i].id};
        struct stored_node_state read;
        struct group_writes writes = {0};
        struct row_key key;
        size_t rows = 0;
        enum err e;

        must_delete(&b, "c");
        must_delete(&b, "d");
        must_put(&b, "a", "la", "1");
        must_put(&b, "b", "", "1");
        row_key_of(&a.keys, TABLE_KEY, span_string(interferences[i].id), &key);
        memcpy(wanted.hash, key.id, sizeof wanted.hash);
        if (wanted.by_lookup)
            row_lookup_of(&a.keys, TABLE_KEY, span_string(interferences[i].lookup), wanted.hash);
        assert_int_equal(
            store_postgres.group_begin(a.engine, 1, a.token, &wanted, 1, &read, row_ignore, &rows),
            ERR_NONE);
        if (interferences[i].other == OTHER_PUTS)
            must_put(&b, interferences[i].other_id, interferences[i].other_lookup, "2");
        else
            must_delete(&b, interferences[i].other_id);
        writes.state = span_of(read.state, read.size); /* as it was */
        e = store_postgres.group_commit(a.engine, &writes);
        if (e != interferences[i].expected)
            fail_msg("case %zu: %s", i, err_code(e));
    }
    assert_int_equal(store_verify_rows(a.engine, &a.keys, NULL, NULL), ERR_NONE);
    suite_close(&a);
    suite_close(&b);
}

/* ---- two nodes at the same time ---- */

enum { SHARED_LIMIT = 1000, FLIPS = 150, SHARED_GROUP = 8 };

struct counting {
    struct suite suite;
    uint64_t done, refused;
};

static void *count_until_refused(void *argument)
{
    struct counting *c = argument;
    const struct effect f = {.kind = EFFECT_COUNT,
                             .table = TABLE_COUNTER,
                             .id = SPAN_LITERAL("shared"),
                             .uses = 1,
                             .limit = SHARED_LIMIT};
    const struct transaction t = {.effects = &f,
                                  .count = 1,
                                  .entry = SPAN_LITERAL("used"),
                                  .entry_limit = SPAN_LITERAL("refused")};
    const struct transaction *list[SHARED_GROUP];
    struct transaction_result results[SHARED_GROUP];

    for (size_t i = 0; i < SHARED_GROUP; i++)
        list[i] = &t;
    while (c->refused == 0) {
        enum err e = executor_run(c->suite.executor, list, SHARED_GROUP, results);

        if (e == ERR_OVERLOADED)
            continue; /* the other node was first each time: try again */
        if (e != ERR_NONE)
            return "a group failed";
        for (size_t i = 0; i < SHARED_GROUP; i++) {
            c->done += results[i].status == TRANSACTION_DONE;
            c->refused += results[i].status == TRANSACTION_LIMIT;
        }
    }
    return NULL;
}

static void two_nodes_reach_a_shared_limit_exactly(void **state)
{
    static struct counting nodes[2];
    pthread_t threads[2];

    (void)state;
    needs_server();
    memset(nodes, 0, sizeof nodes);
    for (uint32_t i = 0; i < 2; i++)
        node_open(&nodes[i].suite, i + 1);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_until_refused, &nodes[i]), 0);
    for (size_t i = 0; i < 2; i++) {
        void *failure = NULL;

        assert_int_equal(pthread_join(threads[i], &failure), 0);
        if (failure)
            fail_msg("node %zu: %s", i + 1, (const char *)failure);
    }
    print_message("# node 1 used %llu, node 2 used %llu of %d\n", (unsigned long long)nodes[0].done,
                  (unsigned long long)nodes[1].done, SHARED_LIMIT);
    assert_true(nodes[0].done + nodes[1].done == SHARED_LIMIT);
    assert_int_equal(store_verify_rows(nodes[0].suite.engine, &nodes[0].suite.keys, NULL, NULL),
                     ERR_NONE);
    for (size_t i = 0; i < 2; i++)
        suite_close(&nodes[i].suite);
}

/* Both nodes make the same new row; both are past group_begin() before one commits. */
static void *make_row(void *argument)
{
    const struct effect f = put("row", "lookup", "new");
    struct transaction_result r;
    enum err e = run_effects(argument, &f, 1, &r);

    return e == ERR_NONE ? NULL : (void *)(uintptr_t)err_code(e);
}

/* Waits until this many sessions wait for a lock. */
static void waiting_await(const char *at, long long count)
{
    while (postgres_run(at, "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted") < count)
        (void)sched_yield();
}

static void two_nodes_that_make_the_same_row_are_no_tampering(void **state)
{
    struct suite nodes[2];
    pthread_t threads[2];
    PGconn *blocker;

    (void)state;
    needs_server();
    for (uint32_t i = 0; i < 2; i++)
        node_open(&nodes[i], i + 1);
    /* a group has checked and changed its rows when it comes to the log */
    blocker = PQconnectdb(address);
    PQclear(PQexec(blocker, "BEGIN; LOCK TABLE log_entry IN SHARE MODE"));
    assert_int_equal(PQtransactionStatus(blocker), PQTRANS_INTRANS);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, make_row, &nodes[i]), 0);
        waiting_await(address, (long long)i + 1);
    }
    PQfinish(blocker);
    for (size_t i = 0; i < 2; i++) {
        void *failure = NULL;

        assert_int_equal(pthread_join(threads[i], &failure), 0);
        if (failure)
            fail_msg("node %zu: %s", i + 1, (const char *)failure);
    }
    assert_int_equal(store_verify_rows(nodes[0].engine, &nodes[0].keys, NULL, NULL), ERR_NONE);
    for (size_t i = 0; i < 2; i++)
        suite_close(&nodes[i]);
}

/* One node changes a row; the other uses the version that it saw last. */
struct revoking {
    struct suite suite;
    _Atomic uint64_t version; /* of the last change that was acknowledged */
    atomic_bool ended;
};

static void *change_again_and_again(void *argument)
{
    struct revoking *v = argument;
    const struct effect f = put("policy", "", "text");
    struct transaction_result r = {0};
    enum err e = ERR_NONE;

    for (int i = 0; e == ERR_NONE && i < FLIPS; i++) {
        e = run_effects(&v->suite, &f, 1, &r);
        if (e == ERR_OVERLOADED) /* the row is not changed then */
            e = ERR_NONE;
        else
            v->version = r.version;
    }
    v->ended = true;
    return e == ERR_NONE ? NULL : "a change failed";
}

static void a_version_that_one_node_replaced_is_never_used_by_the_other(void **state)
{
    static struct revoking changer;
    struct suite user;
    pthread_t thread;
    void *failure = NULL;
    uint64_t used = 0;
    uint64_t refused = 0;
    struct effect use = {
        .kind = EFFECT_REQUIRE, .table = TABLE_KEY, .id = SPAN_LITERAL("policy"), .version = 1};

    (void)state;
    needs_server();
    memset(&changer, 0, sizeof changer);
    node_open(&changer.suite, 1);
    node_open(&user, 2);
    must_put(&changer.suite, "policy", "", "text");
    assert_int_equal(pthread_create(&thread, NULL, change_again_and_again, &changer), 0);
    while (!changer.ended) {
        struct transaction_result r = {0};
        uint64_t acknowledged = changer.version; /* before the use begins */
        enum err e = run_effects(&user, &use, 1, &r);

        if (e == ERR_OVERLOADED)
            continue;
        assert_int_equal(e, ERR_NONE);
        if (r.status == TRANSACTION_DONE) {
            used++;
            if (use.version < acknowledged)
                fail_msg("version %llu was used after %llu was there",
                         (unsigned long long)use.version, (unsigned long long)acknowledged);
        } else {
            refused++;
            use.version = r.version; /* what the row is at now */
        }
    }
    assert_int_equal(pthread_join(thread, &failure), 0);
    assert_null(failure);
    print_message("# %d changes; %llu uses, %llu refused for an old version\n", FLIPS,
                  (unsigned long long)used, (unsigned long long)refused);
    assert_true(refused > 0);
    for (int i = 0; i < 2; i++) { /* the version that is there at last is taken */
        struct transaction_result r = {0};

        assert_int_equal(run_effects(&user, &use, 1, &r), ERR_NONE);
        assert_true(i == 0 || r.status == TRANSACTION_DONE);
        if (r.status == TRANSACTION_CONFLICT)
            use.version = r.version;
    }
    suite_close(&changer.suite);
    suite_close(&user);
}

/* ---- leases ---- */

static void a_lease_goes_to_one_holder_until_it_ends(void **state)
{
    const struct store_ops *ops = &store_postgres;
    struct store_engine *first = NULL;
    struct store_engine *second = NULL;
    const struct engine_options options = {.address = address, .create = true};
    static const struct node_state fresh;
    const struct rows_keys keys = {1, {1}, {2}, {3}, {4}};
    struct stored_node_state read;
    uint64_t a = 0, b = 0, c = 0;

    (void)state;
    needs_server();
    assert_int_equal(ops->open(&options, &first), ERR_NONE);
    assert_int_equal(ops->open(&options, &second), ERR_NONE);
    assert_int_equal(executor_node_create(first, &keys, 1, "o", &fresh), ERR_NONE);
    assert_int_equal(ops->lease_take(first, 1, holders[0], LEASE_MS, &a), ERR_NONE);
    assert_int_equal(ops->lease_take(second, 1, holders[1], LEASE_MS, &b), ERR_CONFLICT);
    assert_int_equal(ops->lease_renew(first, 1, a, LEASE_MS), ERR_NONE);
    assert_int_equal(ops->lease_renew(first, 1, a + 1, LEASE_MS), ERR_DENIED);
    assert_int_equal(ops->lease_renew(first, 9, a, LEASE_MS), ERR_DENIED);
    /* a lease that ran out: no clock of ours counts */
    assert_int_equal(ops->lease_renew(first, 1, a, -LEASE_MS), ERR_NONE);
    assert_int_equal(ops->lease_take(second, 1, holders[1], LEASE_MS, &b), ERR_NONE);
    assert_true(b > a);
    assert_int_equal(ops->lease_renew(first, 1, a, LEASE_MS), ERR_DENIED);
    assert_int_equal(ops->lease_release(first, 1, a), ERR_DENIED);
    assert_int_equal(ops->group_begin(first, 1, a, NULL, 0, &read, NULL, NULL), ERR_DENIED);
    assert_int_equal(ops->entries_drop(first, 1, a, 256), ERR_DENIED);
    assert_int_equal(ops->entries_drop(second, 1, b, 256), ERR_NONE);
    /* a group that has begun keeps others out until it ends */
    assert_int_equal(ops->group_begin(second, 1, b, NULL, 0, &read, NULL, NULL), ERR_NONE);
    assert_true(read.token == b && read.node == 1 && strcmp(read.origin, "o") == 0);
    ops->group_abort(second);
    assert_int_equal(ops->lease_release(second, 1, b), ERR_NONE);
    assert_int_equal(ops->lease_renew(second, 1, b, LEASE_MS), ERR_DENIED);
    assert_int_equal(ops->lease_take(first, 1, holders[0], LEASE_MS, &c), ERR_NONE);
    assert_true(c > b);
    ops->close(&first);
    ops->close(&second);
}

/* ---- loss of the server ---- */

enum { DISASTERS = 4, GROUPS_BETWEEN = 12 };

/* Runs groups in a thread, whatever happens to the server, and keeps the model of what is there. */
struct survivor {
    struct suite suite;
    struct model model;
    struct generator generator;
    struct generated made;
    size_t acknowledged, refused, unknown;
    sem_t progress; /* one for each that was acknowledged */
    atomic_bool end;
};

/* NULL, or what is wrong. */
static const char *survivor_step(struct survivor *v)
{
    const struct transaction *list = &v->made.transaction;
    struct model after = v->model;
    struct transaction_result r, expected;
    bool stored = false;
    enum err e;

    generate(&v->generator, &after, &v->made);
    model_run(&after, list, &expected);
    e = executor_run(v->suite.executor, &list, 1, &r);
    if (e == ERR_NONE) {
        if (r.status != expected.status || r.version != expected.version)
            return "an answer differs from the model's";
        stored = true;
        v->acknowledged++;
        (void)sem_post(&v->progress);
    } else if (executor_is_unsettled(v->suite.executor)) {
        v->unknown++;
        do
            e = executor_settle(v->suite.executor, &stored);
        while (e == ERR_UNAVAILABLE && !v->end);
        if (e != ERR_NONE)
            return "an unknown commit was not found out";
    } else if (e == ERR_UNAVAILABLE || e == ERR_IO) {
        v->refused++;
    } else {
        return err_code(e);
    }
    if (stored)
        v->model = after;
    return NULL;
}

static void *survivor_run(void *argument)
{
    struct survivor *v = argument;
    const char *failure = NULL;

    while (!failure && !v->end)
        failure = survivor_step(v);
    for (int i = 0; failure && i < DISASTERS * GROUPS_BETWEEN; i++)
        (void)sem_post(&v->progress); /* nothing waits for more */
    return (void *)(uintptr_t)failure;
}

static void survive(void (*disaster)(void))
{
    static struct survivor v;
    void *failure = NULL;
    pthread_t thread;

    memset(&v, 0, sizeof v);
    v.model.node = 1;
    v.generator = (struct generator){.state = 3, .time_ms = 1000};
    assert_int_equal(sem_init(&v.progress, 0, 0), 0);
    suite_open(&v.suite, &store_postgres, address, true);
    log_catch();
    assert_int_equal(pthread_create(&thread, NULL, survivor_run, &v), 0);
    for (int i = 0; i < DISASTERS * GROUPS_BETWEEN; i++) {
        while (sem_wait(&v.progress) != 0) {
        }
        if (i % GROUPS_BETWEEN != GROUPS_BETWEEN - 1)
            continue;
        disaster();
        while (sem_trywait(&v.progress) == 0) { /* what was before it does not count */
        }
    }
    while (sem_wait(&v.progress) != 0) { /* it goes on by itself */
    }
    v.end = true;
    assert_int_equal(pthread_join(thread, &failure), 0);
    log_read();
    if (failure)
        fail_msg("%s", (const char *)failure);
    assert_true(suite_is_as(&v.suite, &v.model));
    print_message("# %d times: %zu groups acknowledged, %zu refused, %zu unknown and found out\n",
                  DISASTERS, v.acknowledged, v.refused, v.unknown);
    assert_true(v.refused + v.unknown > 0);
    suite_close(&v.suite);
    suite_open(&v.suite, &store_postgres, address, false);
    assert_true(suite_is_as(&v.suite, &v.model));
    suite_close(&v.suite);
    (void)sem_destroy(&v.progress);
}

static void crash_now(void)
{
    postgres_crash(&server);
}

/* The writer's backend, wherever it is. The server ends all others, too, and recovers. */
static void kill_writer(void)
{
    char at[POSTGRES_ADDRESS_SIZE];
    pid_t pid;

    (void)snprintf(at, sizeof at, "host=%s dbname=postgres user=test", server.directory);
    pid = (pid_t)postgres_run(at, "SELECT pid FROM pg_stat_activity WHERE application_name = "
                                  "'vouchsafe' ORDER BY state_change DESC LIMIT 1");
    assert_true(pid > 0);
    postgres_kill(&server, pid);
}

static void a_server_that_crashes_loses_nothing(void **state)
{
    (void)state;
    needs_server();
    survive(crash_now);
}

static void a_backend_that_is_killed_loses_nothing(void **state)
{
    (void)state;
    needs_server();
    survive(kill_writer);
}

static void a_server_that_stops_answering_is_given_up(void **state)
{
    struct suite s;
    struct transaction_result r;
    char at[POSTGRES_ADDRESS_SIZE];
    const struct effect f = put("a", "", "1");
    pid_t pid;

    (void)state;
    needs_server();
    postgres_address(&server, " connect_timeout=2", address);
    suite_open(&s, &store_postgres, address, true);
    (void)snprintf(at, sizeof at, "host=%s dbname=postgres user=test", server.directory);
    pid =
        (pid_t)postgres_run(at, "SELECT pid FROM pg_stat_activity WHERE application_name = "
                                "'vouchsafe' AND query LIKE '%lease%' OR query LIKE 'UPDATE node%'"
                                " ORDER BY state_change DESC");
    assert_true(pid > 0);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    log_catch();
    assert_int_equal(run_effects(&s, &f, 1, &r), ERR_NONE); /* on another connection */
    log_read();
    must_say("did not answer in time");
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    store_postgres.close(&s.engine); /* no new connection is accepted now */
    log_catch();
    assert_int_equal(store_postgres.open(
                         &(struct engine_options){.address = address, .create = false}, &s.engine),
                     ERR_UNAVAILABLE);
    log_read();
    must_say("took too long");
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    executor_close(&s.executor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(both_engines_give_the_same_answers, on_an_empty_schema),
        cmocka_unit_test_setup(a_counter_never_passes_its_limit, on_an_empty_schema),
        cmocka_unit_test_setup(a_demoted_process_appends_nothing, on_an_empty_schema),
        cmocka_unit_test_setup(rows_and_entries_are_found_again, on_an_empty_schema),
        cmocka_unit_test_setup(what_a_group_read_holds_until_its_commit_or_it_conflicts,
                               on_an_empty_schema),
        cmocka_unit_test_setup(two_nodes_reach_a_shared_limit_exactly, on_an_empty_schema),
        cmocka_unit_test_setup(two_nodes_that_make_the_same_row_are_no_tampering,
                               on_an_empty_schema),
        cmocka_unit_test_setup(a_version_that_one_node_replaced_is_never_used_by_the_other,
                               on_an_empty_schema),
        cmocka_unit_test_setup(a_lease_goes_to_one_holder_until_it_ends, on_an_empty_schema),
        cmocka_unit_test_setup(a_server_that_crashes_loses_nothing, on_an_empty_schema),
        cmocka_unit_test_setup(a_backend_that_is_killed_loses_nothing, on_an_empty_schema),
        cmocka_unit_test_setup(a_server_that_stops_answering_is_given_up, on_an_empty_schema),
    };
    int failed;

    server_there = postgres_start(&server);
    failed = crypto_start() == ERR_NONE
                 ? cmocka_run_group_tests_name("store/postgres", tests, NULL, NULL)
                 : 1;
    postgres_stop(&server);
    return failed;
}
