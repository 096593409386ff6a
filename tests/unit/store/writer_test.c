#include "unit/store/support.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "store/inside.h"
#include "store/writer.h"

enum { THREADS = 8, REQUESTS = 5000 };

/* The requests that the writer returned. */
struct results {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t count, batches, failures;
    uint64_t next_index; /* indexes come in order, without a gap */
    bool in_order;
    bool held; /* the callback waits while this is set */
};

static void results_init(struct results *r)
{
    *r = (struct results){.in_order = true};
    (void)pthread_mutex_init(&r->mutex, NULL);
    (void)pthread_cond_init(&r->changed, NULL);
}

static void take_results(void *context, struct writer_request *batch, size_t count)
{
    struct results *r = context;
    size_t seen = 0;

    (void)pthread_mutex_lock(&r->mutex);
    while (r->held)
        (void)pthread_cond_wait(&r->changed, &r->mutex);
    for (struct writer_request *request = batch; request; request = request->next, seen++) {
        if (request->result != ERR_NONE)
            r->failures++;
        else if (request->index != r->next_index++)
            r->in_order = false;
    }
    if (seen != count || count == 0 || count > WRITER_BATCH_MAX)
        r->in_order = false;
    r->count += count;
    r->batches++;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->mutex);
}

static void results_wait(struct results *r, size_t count)
{
    (void)pthread_mutex_lock(&r->mutex);
    while (r->count < count)
        (void)pthread_cond_wait(&r->changed, &r->mutex);
    (void)pthread_mutex_unlock(&r->mutex);
}

static void results_hold(struct results *r, bool held)
{
    (void)pthread_mutex_lock(&r->mutex);
    r->held = held;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->mutex);
}

static int fresh(void **state)
{
    (void)state;
    remove_database();
    return 0;
}

struct client {
    struct store_writer *writer;
    struct writer_request requests[REQUESTS];
    char texts[REQUESTS][TEXT_SIZE];
    size_t number;
    pthread_t thread;
};

static void *submit_all(void *argument)
{
    struct client *c = argument;

    for (size_t i = 0; i < REQUESTS; i++) {
        struct writer_request *r = &c->requests[i];
        enum err e;

        r->entry = entry_text(c->number * REQUESTS + i, c->texts[i]);
        while ((e = store_writer_submit(c->writer, r)) == ERR_OVERLOADED)
            (void)sched_yield();
        if (e != ERR_NONE)
            return "not accepted";
    }
    return NULL;
}

struct comparison {
    const struct client *clients;
    bool seen[THREADS * REQUESTS];
};

MUST_CHECK static enum err compare_entry(void *context, uint64_t index, struct span entry)
{
    struct comparison *c = context;
    char text[TEXT_SIZE] = {0};
    unsigned long long number;

    assert_true(entry.size < sizeof text);
    memcpy(text, entry.data, entry.size);
    assert_int_equal(sscanf(text, "{\"entry\":%llu}", &number), 1);
    assert_true(number < THREADS * REQUESTS);
    assert_false(c->seen[number]);
    c->seen[number] = true;
    assert_int_equal(c->clients[number / REQUESTS].requests[number % REQUESTS].index, index);
    return ERR_NONE;
}

static void requests_of_many_threads_get_indexes_without_gaps(void **state)
{
    struct store *store = must_open(true);
    struct client *clients = calloc(THREADS, sizeof *clients);
    struct comparison *comparison = calloc(1, sizeof *comparison);
    struct store_writer *writer = NULL;
    struct writer_figures figures;
    struct results results;

    (void)state;
    assert_non_null(clients);
    assert_non_null(comparison);
    results_init(&results);
    assert_int_equal(store_writer_start(store, take_results, &results, &writer), ERR_NONE);
    for (size_t i = 0; i < THREADS; i++) {
        clients[i].writer = writer;
        clients[i].number = i;
        assert_int_equal(pthread_create(&clients[i].thread, NULL, submit_all, &clients[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *result = NULL;

        assert_int_equal(pthread_join(clients[i].thread, &result), 0);
        assert_null(result);
    }
    results_wait(&results, THREADS * REQUESTS);
    store_writer_figures(writer, &figures);
    assert_int_equal(figures.requests, THREADS * REQUESTS);
    assert_int_equal(figures.batches, results.batches);
    assert_int_equal(figures.failures, 0);
    assert_int_equal(figures.queue_length, 0);
    assert_in_range(figures.last_batch_size, 1, WRITER_BATCH_MAX);
    assert_true(results.in_order);
    assert_true(results.batches < THREADS * REQUESTS / 4); /* they were grouped */
    store_writer_stop(&writer);
    comparison->clients = clients;
    assert_int_equal(store_entries(store, 0, THREADS * REQUESTS, compare_entry, comparison),
                     ERR_NONE);
    store_close(&store);
    store = must_open(false);
    store_close(&store);
    free(comparison);
    free(clients);
}

static void a_single_request_is_committed_at_once(void **state)
{
    struct store *store = must_open(true);
    struct store_writer *writer = NULL;
    struct results results;
    char text[TEXT_SIZE];

    (void)state;
    results_init(&results);
    assert_int_equal(store_writer_start(store, take_results, &results, &writer), ERR_NONE);
    for (size_t i = 0; i < 20; i++) {
        struct writer_request request = {.entry = entry_text(i, text), .result = ERR_INTERNAL};

        assert_int_equal(store_writer_submit(writer, &request), ERR_NONE);
        results_wait(&results, i + 1);
        assert_int_equal(request.result, ERR_NONE);
        assert_int_equal(request.index, i);
    }
    store_writer_stop(&writer);
    assert_null(writer);
    store_writer_stop(&writer);
    store_close(&store);
}

static void a_full_queue_refuses(void **state)
{
    struct store *store = must_open(true);
    struct store_writer *writer = NULL;
    struct results results;
    struct writer_request *requests = calloc(WRITER_QUEUE_MAX + 2, sizeof *requests);
    struct writer_figures figures;
    size_t accepted = 1;

    (void)state;
    assert_non_null(requests);
    results_init(&results);
    results_hold(&results, true);
    assert_int_equal(store_writer_start(store, take_results, &results, &writer), ERR_NONE);
    for (size_t i = 0; i < WRITER_QUEUE_MAX + 2; i++)
        requests[i].entry = SPAN_LITERAL("{}");
    assert_int_equal(store_writer_submit(writer, &requests[0]), ERR_NONE);
    do /* until the first is with the callback, which holds it */
        store_writer_figures(writer, &figures);
    while (figures.batches == 0);
    while (store_writer_submit(writer, &requests[accepted]) == ERR_NONE)
        assert_true(++accepted < WRITER_QUEUE_MAX + 2);
    assert_int_equal(accepted, WRITER_QUEUE_MAX + 1);
    assert_int_equal(store_writer_submit(writer, &requests[accepted]), ERR_OVERLOADED);
    results_hold(&results, false);
    results_wait(&results, accepted);
    assert_int_equal(store_writer_submit(writer, &requests[accepted]), ERR_NONE);
    store_writer_stop(&writer); /* commits it */
    assert_int_equal(results.count, WRITER_QUEUE_MAX + 2);
    assert_true(results.in_order);
    store_close(&store);
    free(requests);
}

static void only_the_too_large_entry_is_refused(void **state)
{
    static uint8_t large[AUDIT_ENTRY_MAX + 1];
    struct store *store = must_open(true);
    struct store_writer *writer = NULL;
    struct results results;
    struct writer_request bad = {.entry = SPAN_OF(large)};
    struct writer_request good = {.entry = span_of(large, AUDIT_ENTRY_MAX)};

    (void)state;
    results_init(&results);
    assert_int_equal(store_writer_start(store, take_results, &results, &writer), ERR_NONE);
    assert_int_equal(store_writer_submit(writer, &bad), ERR_TOO_LARGE);
    assert_int_equal(store_writer_submit(writer, &good), ERR_NONE);
    store_writer_stop(&writer);
    assert_int_equal(results.count, 1);
    assert_int_equal(good.result, ERR_NONE);
    store_close(&store);
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_failed_batch_fails_all_of_it_and_the_next_goes_on(void **state)
{
    enum { COUNT = 40 };
    struct store *store = must_open(true);
    struct store_writer *writer = NULL;
    struct results results;
    struct writer_request requests[COUNT] = {0};
    struct writer_figures figures;
    struct checkpoint c;
    char note[CHECKPOINT_TEXT_MAX];

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    results_init(&results);
    assert_int_equal(store_writer_start(store, take_results, &results, &writer), ERR_NONE);
    for (size_t i = 0; i < COUNT; i++)
        requests[i].entry = SPAN_LITERAL("{\"a\":1}");
    limit_files(100);
    for (size_t i = 0; i < COUNT / 2; i++)
        assert_int_equal(store_writer_submit(writer, &requests[i]), ERR_NONE);
    results_wait(&results, COUNT / 2);
    limit_files(RLIM_INFINITY);
    for (size_t i = 0; i < COUNT / 2; i++)
        assert_int_equal(requests[i].result, ERR_IO);
    store_checkpoint(store, &c, note);
    assert_int_equal(c.size, 0);
    for (size_t i = COUNT / 2; i < COUNT; i++)
        assert_int_equal(store_writer_submit(writer, &requests[i]), ERR_NONE);
    results_wait(&results, COUNT);
    for (size_t i = COUNT / 2; i < COUNT; i++) {
        assert_int_equal(requests[i].result, ERR_NONE);
        assert_int_equal(requests[i].index, i - COUNT / 2);
    }
    store_writer_figures(writer, &figures);
    assert_int_equal(figures.failures, COUNT / 2);
    assert_int_equal(results.failures, COUNT / 2);
    store_writer_stop(&writer);
    store_close(&store);
    store = must_open(false);
    store_checkpoint(store, &c, note);
    assert_int_equal(c.size, COUNT / 2);
    store_close(&store);
}

static void a_log_that_was_deleted_fails_every_request(void **state)
{
    struct store *store = must_open(true);
    struct store_writer *writer = NULL;
    struct writer_figures figures;
    struct results results;

    (void)state;
    results_init(&results);
    assert_int_equal(store_writer_start(store, take_results, &results, &writer), ERR_NONE);
    for (size_t i = 0; i < 3; i++) {
        struct writer_request request = {.entry = SPAN_LITERAL("{}")};

        assert_int_equal(store_writer_submit(writer, &request), ERR_NONE);
        results_wait(&results, i + 1);
        assert_int_equal(request.result, i == 0 ? ERR_NONE : ERR_TAMPERED);
        store_writer_figures(writer, &figures);
        assert_int_equal(figures.failing, i > 0);
        assert_int_equal(figures.lost, i > 0);
        if (i == 0)
            assert_int_equal(unlink(database), 0);
    }
    assert_int_equal(results.failures, 2);
    store_writer_stop(&writer);
    store_close(&store);
}

struct stopping {
    struct store_writer *writer;
    atomic_bool ended;
};

static void *stop_writer(void *argument)
{
    struct stopping *s = argument;
    struct store_writer *w = s->writer;

    store_writer_stop(&w);
    atomic_store(&s->ended, true);
    return NULL;
}

static void stopping_commits_the_queue_and_refuses_more(void **state)
{
    enum { COUNT = 100 };
    struct store *store = must_open(true);
    struct stopping stopping = {0};
    struct results results;
    struct writer_request *requests = calloc(COUNT + WRITER_QUEUE_MAX + 1, sizeof *requests);
    struct checkpoint c;
    char note[CHECKPOINT_TEXT_MAX];
    pthread_t thread;
    size_t accepted = 0;
    enum err e = ERR_NONE;

    (void)state;
    assert_non_null(requests);
    results_init(&results);
    results_hold(&results, true);
    assert_int_equal(store_writer_start(store, take_results, &results, &stopping.writer), ERR_NONE);
    for (; accepted < COUNT; accepted++) {
        requests[accepted].entry = SPAN_LITERAL("{}");
        assert_int_equal(store_writer_submit(stopping.writer, &requests[accepted]), ERR_NONE);
    }
    assert_int_equal(pthread_create(&thread, NULL, stop_writer, &stopping), 0);
    /* until the stop is seen; the callback holds the thread meanwhile, and the queue may be full */
    while (e == ERR_NONE || e == ERR_OVERLOADED) {
        assert_true(accepted <= COUNT + WRITER_QUEUE_MAX);
        requests[accepted].entry = SPAN_LITERAL("{}");
        e = store_writer_submit(stopping.writer, &requests[accepted]);
        accepted += e == ERR_NONE;
        (void)sched_yield();
    }
    assert_int_equal(e, ERR_UNAVAILABLE);
    assert_false(atomic_load(&stopping.ended));
    results_hold(&results, false);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(results.count, accepted);
    store_checkpoint(store, &c, note);
    assert_int_equal(c.size, accepted);
    store_close(&store);
    free(requests);
}

/* ---- transactions ---- */

enum { CALLERS = 64, LIMIT = 5, ROUNDS = 50 };

/* One caller of a counter: submits, and waits for what became of it. */
struct caller {
    struct store_writer *writer;
    struct effect effect;
    struct transaction transaction;
    struct writer_request request;
    pthread_mutex_t mutex;
    pthread_cond_t done;
    bool is_done;
};

static void callers_wake(void *context, struct writer_request *batch, size_t count)
{
    (void)context;
    (void)count;
    for (struct writer_request *next, *r = batch; r; r = next) {
        struct caller *c = r->owner;

        next = r->next;
        (void)pthread_mutex_lock(&c->mutex);
        c->is_done = true;
        (void)pthread_cond_signal(&c->done);
        (void)pthread_mutex_unlock(&c->mutex);
    }
}

static void *caller_run(void *argument)
{
    struct caller *c = argument;

    if (store_writer_submit(c->writer, &c->request) != ERR_NONE)
        return "refused";
    (void)pthread_mutex_lock(&c->mutex);
    while (!c->is_done)
        (void)pthread_cond_wait(&c->done, &c->mutex);
    (void)pthread_mutex_unlock(&c->mutex);
    return NULL;
}

static void callers_start(struct caller callers[CALLERS], pthread_t threads[CALLERS],
                          struct store_writer *writer, const int *round)
{
    for (size_t i = 0; i < CALLERS; i++) {
        struct caller *c = &callers[i];

        *c = (struct caller){.writer = writer};
        c->effect = (struct effect){.kind = EFFECT_COUNT,
                                    .table = TABLE_COUNTER,
                                    .id = span_of(round, sizeof *round),
                                    .uses = 1,
                                    .limit = LIMIT};
        c->transaction = (struct transaction){.effects = &c->effect,
                                              .count = 1,
                                              .entry = SPAN_LITERAL("used"),
                                              .entry_limit = SPAN_LITERAL("refused")};
        c->request = (struct writer_request){.transaction = &c->transaction, .owner = c};
        (void)pthread_mutex_init(&c->mutex, NULL);
        (void)pthread_cond_init(&c->done, NULL);
        assert_int_equal(pthread_create(&threads[i], NULL, caller_run, c), 0);
    }
}

static void concurrent_callers_get_exactly_the_limit(void **state)
{
    static struct caller callers[CALLERS];
    struct store *store = must_open(true);
    struct store_writer *writer = NULL;
    pthread_t threads[CALLERS];

    (void)state;
    assert_int_equal(store_writer_start(store, callers_wake, NULL, &writer), ERR_NONE);
    for (int round = 0; round < ROUNDS; round++) {
        bool seen[LIMIT + 1] = {false};
        size_t done = 0;

        callers_start(callers, threads, writer, &round);
        for (size_t i = 0; i < CALLERS; i++) {
            const struct writer_request *r = &callers[i].request;
            void *failure = NULL;

            assert_int_equal(pthread_join(threads[i], &failure), 0);
            assert_null(failure);
            assert_int_equal(r->result, ERR_NONE);
            if (r->outcome.status == TRANSACTION_DONE) {
                done++;
                assert_true(r->outcome.used <= LIMIT && !seen[r->outcome.used]);
                seen[r->outcome.used] = true;
            } else {
                assert_int_equal(r->outcome.status, TRANSACTION_LIMIT);
            }
        }
        assert_true(done == LIMIT);
    }
    store_writer_stop(&writer);
    store_close(&store);
}

/* As another program can, without a trace in the files' sizes. */
static void row_spoil(struct store *store)
{
    spoil("UPDATE item SET sealed = zeroblob(length(sealed))");
    assert_int_equal(store_check(store), ERR_NONE);
}

static void a_row_that_was_changed_fails_only_what_names_it(void **state)
{
    static const struct effect put = {
        .kind = EFFECT_PUT,
        .table = TABLE_KEY,
        .id = {(const uint8_t *)"row",   3},
        .value = {(const uint8_t *)"value", 5}
    };
    static const struct effect touch = {
        .kind = EFFECT_DELETE, .table = TABLE_KEY, .id = {(const uint8_t *)"row", 3}
    };
    const struct transaction made = {.effects = &put, .count = 1, .entry = SPAN_LITERAL("made")};
    const struct transaction touched = {
        .effects = &touch, .count = 1, .entry = SPAN_LITERAL("touched")};
    struct writer_request requests[5] = {
        {.transaction = &made},    {.entry = SPAN_LITERAL("held")}, {.entry = SPAN_LITERAL("a")},
        {.transaction = &touched}, {.entry = SPAN_LITERAL("b")},
    };
    struct store *store = must_open(true);
    struct store_writer *writer = NULL;
    struct writer_figures figures;
    struct results results;

    (void)state;
    results_init(&results);
    assert_int_equal(store_writer_start(store, take_results, &results, &writer), ERR_NONE);
    assert_int_equal(store_writer_submit(writer, &requests[0]), ERR_NONE);
    results_wait(&results, 1);
    store_writer_stop(&writer);
    store_close(&store);
    store = must_open(false);
    row_spoil(store);
    assert_int_equal(store_writer_start(store, take_results, &results, &writer), ERR_NONE);
    results_hold(&results, true);
    for (size_t i = 1; i < COUNT_OF(requests); i++)
        assert_int_equal(store_writer_submit(writer, &requests[i]), ERR_NONE);
    results_hold(&results, false);
    results_wait(&results, COUNT_OF(requests));
    for (size_t i = 0; i < COUNT_OF(requests); i++)
        assert_int_equal(requests[i].result, i == 3 ? ERR_TAMPERED : ERR_NONE);
    store_writer_figures(writer, &figures);
    assert_true(figures.failures == 1 && !figures.failing && !figures.lost);
    store_writer_stop(&writer);
    store_close(&store);
}

/* An engine that does a commit and does not say so, and then fails to say what became of it. */
static struct store_ops silent_ops;
static int silent_begins;

MUST_CHECK static enum err silent_begin(struct store_engine *e, uint32_t node, uint64_t token,
                                        const struct row_wanted *wanted, size_t wanted_count,
                                        struct stored_node_state *state, each_stored_row *each,
                                        void *context)
{
    switch (++silent_begins) {
    case 2:
        return ERR_TAMPERED;
    case 3:
        return ERR_UNAVAILABLE;
    default:
        return store_sqlite.group_begin(e, node, token, wanted, wanted_count, state, each, context);
    }
}

MUST_CHECK static enum err silent_commit(struct store_engine *e, const struct group_writes *writes)
{
    enum err result = store_sqlite.group_commit(e, writes);

    return result == ERR_NONE && silent_begins == 1 ? ERR_UNAVAILABLE : result;
}

static void the_outcome_of_an_earlier_batch_is_not_taken_for_the_next_ones(void **state)
{
    static const enum err expected[] = {ERR_TAMPERED, ERR_IO, ERR_NONE};
    struct store *store = must_open(true);
    struct store_writer *writer = NULL;
    struct results results;
    struct checkpoint c;
    char note[CHECKPOINT_TEXT_MAX];

    (void)state;
    silent_begins = 0;
    silent_ops = store_sqlite;
    silent_ops.group_begin = silent_begin;
    silent_ops.group_commit = silent_commit;
    store->engine->ops = &silent_ops;
    results_init(&results);
    assert_int_equal(store_writer_start(store, take_results, &results, &writer), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        struct writer_request request = {.entry = SPAN_LITERAL("{}")};

        assert_int_equal(store_writer_submit(writer, &request), ERR_NONE);
        results_wait(&results, i + 1);
        assert_int_equal(request.result, expected[i]);
    }
    store_checkpoint(store, &c, note);
    assert_int_equal(c.size, 2); /* the second is not in the log */
    store_writer_stop(&writer);
    store_close(&store);
}

static void a_malformed_transaction_is_not_queued(void **state)
{
    static const struct effect bad = {.kind = EFFECT_COUNT, .table = TABLE_KEY};
    static const struct transaction t = {
        .effects = &bad, .count = 1, .entry = {(const uint8_t *)"x", 1}
    };
    struct writer_request request = {.transaction = &t};
    struct writer_request empty = {0};
    struct store *store = must_open(true);
    struct store_writer *writer = NULL;

    (void)state;
    assert_int_equal(store_writer_start(store, callers_wake, NULL, &writer), ERR_NONE);
    assert_int_equal(store_writer_submit(writer, &request), ERR_MALFORMED);
    assert_int_equal(store_writer_submit(writer, &empty), ERR_MALFORMED);
    store_writer_stop(&writer);
    store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(requests_of_many_threads_get_indexes_without_gaps, fresh),
        cmocka_unit_test_setup(a_single_request_is_committed_at_once, fresh),
        cmocka_unit_test_setup(a_full_queue_refuses, fresh),
        cmocka_unit_test_setup(only_the_too_large_entry_is_refused, fresh),
        cmocka_unit_test_setup(a_failed_batch_fails_all_of_it_and_the_next_goes_on, fresh),
        cmocka_unit_test_setup(a_log_that_was_deleted_fails_every_request, fresh),
        cmocka_unit_test_setup(stopping_commits_the_queue_and_refuses_more, fresh),
        cmocka_unit_test_setup(concurrent_callers_get_exactly_the_limit, fresh),
        cmocka_unit_test_setup(a_row_that_was_changed_fails_only_what_names_it, fresh),
        cmocka_unit_test_setup(the_outcome_of_an_earlier_batch_is_not_taken_for_the_next_ones,
                               fresh),
        cmocka_unit_test_setup(a_malformed_transaction_is_not_queued, fresh),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, directory_make, directory_remove);
}
