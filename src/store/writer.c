#include "store/writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "audit/entry.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "store/archiver.h"

enum {
    GATHER_FROM = 8,        /* a batch of this many says that there is load */
    GATHER_US = 2000,       /* and then up to this long is worth waiting for more */
    SETTLE_US = 200 * 1000, /* between two looks for a group whose outcome is unknown */
    DROP_US = 20 * 1000,    /* between two removals of entries that the archive has */
    LOOK_US = 1000 * 1000,  /* how often the files are looked at when there is no work */
    STOP_TURNS = 10,        /* waits for an anchor, 200 ms each, of a daemon that stops */
};

/* The state of the thread: submitting sends a signal only when the thread waits. */
enum waiting { WAITING_NOT, WAITING_ANY, WAITING_EXPECTED };

struct store_writer {
    struct store *store;
    writer_done *done;
    void *context;
    pthread_t thread;
    struct transaction made[WRITER_BATCH_MAX]; /* the thread's only, as the next two */
    const struct transaction *list[WRITER_BATCH_MAX];
    struct transaction_result results[WRITER_BATCH_MAX];
    int64_t dropped_us; /* when archived entries were removed last */

    pthread_mutex_t mutex; /* guards the fields below */
    pthread_cond_t wake;
    struct writer_request *head;
    struct writer_request **tail;
    size_t queued;
    size_t expected; /* for how many requests the next batch is worth waiting */
    enum waiting waiting;
    bool hurries; /* no group is held any more */
    bool stopping;
    struct writer_figures figures;
};

static void queue_append(struct store_writer *w, struct writer_request *request)
{
    request->next = NULL;
    *w->tail = request;
    w->tail = &request->next;
    w->queued++;
}

static bool wants_signal(const struct store_writer *w)
{
    return w->waiting == WAITING_ANY ||
           (w->waiting == WAITING_EXPECTED && w->queued >= w->expected);
}

enum err store_writer_submit(struct store_writer *w, struct writer_request *request)
{
    const struct transaction plain = {.entry = request->entry};
    bool signal = false;
    enum err e;

    /* one that is refused later would fail the whole batch */
    e = transaction_check(request->transaction ? request->transaction : &plain);
    if (e != ERR_NONE)
        return e;
    (void)pthread_mutex_lock(&w->mutex);
    if (w->stopping) {
        e = ERR_UNAVAILABLE;
    } else if (w->figures.unreachable) {
        e = ERR_IO;
    } else if (w->queued >= WRITER_QUEUE_MAX) {
        e = ERR_OVERLOADED;
    } else {
        queue_append(w, request);
        signal = wants_signal(w);
        if (signal)
            w->waiting = WAITING_NOT;
    }
    (void)pthread_mutex_unlock(&w->mutex);
    if (signal)
        (void)pthread_cond_signal(&w->wake);
    return e;
}

/*
 * Waits for as many requests as the last batch had and as waited at its end: when each caller has
 * one request at a time, hardly more will come.
 */
static void gather(struct store_writer *w)
{
    const struct timespec deadline = clock_deadline(GATHER_US);
    int result = 0;

    while (result == 0 && w->queued < w->expected && !w->stopping) {
        w->waiting = WAITING_EXPECTED;
        result = pthread_cond_timedwait(&w->wake, &w->mutex, &deadline);
    }
    w->waiting = WAITING_NOT;
}

/*
 * Hands back all that waits. The server may stay away for long, and callers must know that nothing
 * of theirs is stored.
 */
static void queue_refuse(struct store_writer *w)
{
    struct writer_request *list;
    size_t count;

    (void)pthread_mutex_lock(&w->mutex);
    list = w->head;
    count = w->queued;
    w->head = NULL;
    w->tail = &w->head;
    w->queued = 0;
    w->figures.failures += count;
    (void)pthread_mutex_unlock(&w->mutex);
    for (struct writer_request *r = list; r; r = r->next)
        r->result = ERR_IO;
    if (list)
        w->done(w->context, list, count);
}

/* What an error, or success, says about the next group. */
static void trouble_note(struct store_writer *w, enum err e)
{
    const bool unreachable = e == ERR_UNAVAILABLE;

    (void)pthread_mutex_lock(&w->mutex);
    w->figures.outages += unreachable && !w->figures.unreachable;
    w->figures.unreachable = unreachable;
    w->figures.fenced |= e == ERR_DENIED;
    w->figures.failing |= unreachable || e == ERR_DENIED;
    (void)pthread_mutex_unlock(&w->mutex);
    if (unreachable)
        queue_refuse(w);
}

/* A few entries that the archive has, without the lock: no other thread writes to the store. */
static void archived_drop(struct store_writer *w)
{
    (void)pthread_mutex_unlock(&w->mutex);
    store_archive_drop(w->store);
    (void)pthread_mutex_lock(&w->mutex);
}

/* Looks at the files and the anchors, without the lock: no other thread writes to the store. */
static void files_look(struct store_writer *w)
{
    bool hold = false;
    bool late = false;
    bool held = false;
    bool stored = false;
    enum err e;

    (void)pthread_mutex_unlock(&w->mutex);
    /* A mark of the store's own, whose outcome is unknown: no batch waits for it. */
    e = store_is_unsettled(w->store) ? store_settle(w->store, &stored) : store_check(w->store);
    trouble_note(w, e);
    if (e == ERR_NONE) {
        store_anchor_look(w->store);
        held = store_anchor_hold(w->store, &hold, &late) != ERR_NONE || (hold && late);
    }
    (void)pthread_mutex_lock(&w->mutex);
    w->figures.failing |= e == ERR_TAMPERED || held;
    w->figures.lost |= e == ERR_TAMPERED;
}

static void work_await(struct store_writer *w)
{
    while (w->queued == 0 && !w->stopping) {
        const bool drops = store_archive_has_rest(w->store) && !w->figures.failing;
        const struct timespec deadline = clock_deadline(drops                    ? DROP_US
                                                        : w->figures.unreachable ? SETTLE_US
                                                                                 : LOOK_US);

        w->waiting = WAITING_ANY;
        if (pthread_cond_timedwait(&w->wake, &w->mutex, &deadline) != ETIMEDOUT)
            continue;
        if (drops)
            archived_drop(w);
        else
            files_look(w);
    }
    w->waiting = WAITING_NOT;
}

static void transaction_take(struct store_writer *w, size_t at,
                             const struct writer_request *request)
{
    w->made[at] = (struct transaction){.entry = request->entry};
    w->list[at] = request->transaction ? request->transaction : &w->made[at];
}

/* Waits for work and takes it off the queue; 0 when stopped and nothing is left. */
static size_t batch_take(struct store_writer *w, struct writer_request **batch)
{
    struct writer_request **end = batch;
    size_t count = 0;

    (void)pthread_mutex_lock(&w->mutex);
    if (w->figures.last_batch_size >= GATHER_FROM)
        gather(w);
    work_await(w);
    *batch = w->head;
    for (; *end && count < WRITER_BATCH_MAX; end = &(*end)->next)
        transaction_take(w, count++, *end);
    w->head = *end;
    *end = NULL;
    if (!w->head)
        w->tail = &w->head;
    w->queued -= count;
    (void)pthread_mutex_unlock(&w->mutex);
    return count;
}

static void figures_add(struct store_writer *w, size_t count, size_t failures, int64_t took_us,
                        enum err e)
{
    const bool failing = failures == count;
    const bool lost = e == ERR_TAMPERED && store_check(w->store) == ERR_TAMPERED;
    bool recovered;

    (void)pthread_mutex_lock(&w->mutex);
    w->figures.batches++;
    w->figures.requests += count;
    w->figures.failures += failures;
    w->figures.commit_us += took_us > 0 ? (uint64_t)took_us : 0;
    w->figures.last_batch_size = count;
    w->expected = count + w->queued < WRITER_BATCH_MAX ? count + w->queued : WRITER_BATCH_MAX;
    recovered = w->figures.failing && !failing;
    w->figures.failing = failing;
    w->figures.lost |= lost;
    (void)pthread_mutex_unlock(&w->mutex);
    if (recovered)
        log_write(LOG_INFO, "store", "log_recovered",
                  LOG_STRING("effect", "commits succeed again, secrets are released again"));
}

/* Sleeps, unless the writer hurries; then false. */
static bool pause_for(struct store_writer *w, int64_t us)
{
    const struct timespec deadline = clock_deadline(us);
    bool hurries;

    (void)pthread_mutex_lock(&w->mutex);
    while (!w->hurries && pthread_cond_timedwait(&w->wake, &w->mutex, &deadline) == 0) {
        /* a signal for something else */
    }
    hurries = w->hurries;
    (void)pthread_mutex_unlock(&w->mutex);
    return !hurries;
}

/* Holds a batch until it is known what became of it. A daemon that stops cannot wait for that. */
MUST_CHECK static enum err batch_settle(struct store_writer *w)
{
    bool stored = false;
    enum err e = ERR_UNAVAILABLE;

    trouble_note(w, e);
    while (e == ERR_UNAVAILABLE && pause_for(w, SETTLE_US))
        e = store_settle(w->store, &stored);
    trouble_note(w, e);
    if (stored)
        return ERR_NONE;
    return e == ERR_NONE ? ERR_IO : e;
}

MUST_CHECK static enum err part_commit(struct store_writer *w, size_t first, size_t count)
{
    enum err e = store_run(w->store, w->list + first, count, w->results + first);

    if (e == ERR_UNAVAILABLE && store_is_unsettled(w->store))
        return batch_settle(w);
    trouble_note(w, e);
    return e == ERR_UNAVAILABLE ? ERR_IO : e; /* nothing of it is stored */
}

/* Some transaction of the batch names a row that was tampered with, and the others need not fail.
 */
static bool one_is_at_fault(struct store_writer *w, size_t count, enum err e)
{
    return e == ERR_TAMPERED && count > 1 && !store_is_unsettled(w->store) &&
           store_check(w->store) == ERR_NONE;
}

/* Replies may have to wait until the anchors have moved (store/anchor.h). */
MUST_CHECK static enum err anchors_await(struct store_writer *w)
{
    bool hold = false;
    bool late = false;
    unsigned turns = 0;
    enum err e;

    while ((e = store_anchor_hold(w->store, &hold, &late)) == ERR_NONE && hold) {
        bool hurries;

        (void)pthread_mutex_lock(&w->mutex);
        w->figures.failing |= late;
        hurries = w->hurries;
        (void)pthread_mutex_unlock(&w->mutex);
        if (late && store_check(w->store) == ERR_TAMPERED) /* it keeps the lease, too */
            return ERR_TAMPERED;
        if (hurries && ++turns == STOP_TURNS)
            return ERR_UNAVAILABLE; /* stored, but it could be taken back without notice */
    }
    return e;
}

static void batch_commit(struct store_writer *w, struct writer_request *batch, size_t count)
{
    int64_t start = clock_monotonic_us();
    enum err e = part_commit(w, 0, count);
    const bool single = one_is_at_fault(w, count, e);
    size_t failures = 0;
    size_t i = 0;

    if (e == ERR_NONE)
        e = anchors_await(w);
    for (struct writer_request *r = batch; r; r = r->next, i++) {
        r->result = single ? part_commit(w, i, 1) : e;
        if (single && r->result == ERR_NONE)
            r->result = anchors_await(w);
        failures += r->result != ERR_NONE;
        if (r->result != ERR_NONE)
            continue;
        r->outcome = w->results[i];
        r->index = w->results[i].index;
    }
    figures_add(w, count, failures, clock_monotonic_us() - start, e);
    w->done(w->context, batch, count);
}

/* Under load, too, but no more often than every DROP_US: a commit may wait for it. */
static void drop_between(struct store_writer *w)
{
    const int64_t now_us = clock_monotonic_us();

    if (now_us - w->dropped_us < DROP_US)
        return;
    w->dropped_us = now_us;
    store_archive_drop(w->store);
}

static void *writer_main(void *argument)
{
    struct store_writer *w = argument;
    struct writer_request *batch = NULL;
    size_t count;

    (void)pthread_setname_np(pthread_self(), "writer");
    secret_hide_stack(); /* the stack holds key material: checkpoints are signed here */
    while ((count = batch_take(w, &batch)) > 0) {
        batch_commit(w, batch, count);
        drop_between(w);
    }
    return NULL;
}

static void writer_free(struct store_writer *w)
{
    (void)pthread_cond_destroy(&w->wake);
    (void)pthread_mutex_destroy(&w->mutex);
    free(w);
}

/* The loops handle signals: the thread starts with all of them blocked. */
MUST_CHECK static enum err thread_start(struct store_writer *w)
{
    sigset_t all;
    sigset_t before;
    int result;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&w->thread, NULL, writer_main, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0 ? ERR_NONE : ERR_MEMORY;
}

enum err store_writer_start(struct store *store, writer_done *done, void *context,
                            struct store_writer **out)
{
    struct store_writer *w = calloc(1, sizeof *w);
    enum err e;

    if (!w)
        return ERR_MEMORY;
    w->store = store;
    w->done = done;
    w->context = context;
    w->tail = &w->head;
    (void)pthread_mutex_init(&w->mutex, NULL);
    clock_cond_init(&w->wake);
    e = store_anchors_start(store);
    if (e == ERR_NONE)
        e = thread_start(w);
    if (e == ERR_NONE)
        *out = w;
    else
        writer_free(w);
    return e;
}

void store_writer_figures(struct store_writer *w, struct writer_figures *out)
{
    (void)pthread_mutex_lock(&w->mutex);
    *out = w->figures;
    out->queue_length = w->queued;
    (void)pthread_mutex_unlock(&w->mutex);
}

void store_writer_hurry(struct store_writer *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    w->hurries = true;
    (void)pthread_mutex_unlock(&w->mutex);
    store_hurry(w->store);
    (void)pthread_cond_signal(&w->wake);
}

void store_writer_stop(struct store_writer **writer)
{
    struct store_writer *w = *writer;

    if (!w)
        return;
    (void)pthread_mutex_lock(&w->mutex);
    w->hurries = true;
    w->stopping = true;
    (void)pthread_mutex_unlock(&w->mutex);
    store_hurry(w->store);
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_join(w->thread, NULL);
    writer_free(w);
    *writer = NULL;
}
