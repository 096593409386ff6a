#include "server/archiver.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "server/call.h"
#include "service/archive.h"

enum { FIRST_LOOK_US = 60 * 1000000 };
static const int64_t look_us = INT64_C(60) * 60 * 1000000;

struct archiver {
    struct server *server;
    struct store *store;
    uint32_t after_days;
    pthread_t thread;
    int64_t look_us; /* monotonic; when to look by age. The thread's only */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool stopping;
    struct archiver_figures figures;
};

/* The next piece: copied, then recorded. */
MUST_CHECK static enum err piece_move(struct archiver *a, uint64_t first, uint64_t end)
{
    char detail[96];
    int size;
    enum err e = store_archive_copy(a->store, end);

    if (e != ERR_NONE)
        return e;
    size = snprintf(detail, sizeof detail, "{\"first\":%llu,\"before\":%llu}",
                    (unsigned long long)first, (unsigned long long)end);
    return event_commit_archived(a->server, SPAN_LITERAL("archived"), span_of(detail, (size_t)size),
                                 end, clock_now());
}

static bool is_stopping(struct archiver *a)
{
    bool stopping;

    (void)pthread_mutex_lock(&a->lock);
    stopping = a->stopping;
    (void)pthread_mutex_unlock(&a->lock);
    return stopping;
}

static void measure(struct archiver *a)
{
    uint64_t bytes = 0;

    if (store_archive_measure(a->store, &bytes) != ERR_NONE)
        return;
    (void)pthread_mutex_lock(&a->lock);
    a->figures.bytes = bytes;
    (void)pthread_mutex_unlock(&a->lock);
}

static void run(struct archiver *a, uint64_t before)
{
    const uint64_t from = store_archived(a->store);
    uint64_t first = from;
    enum err e = ERR_NONE;

    while (e == ERR_NONE && first < before && !is_stopping(a)) {
        const uint64_t end =
            before - first < STORE_ARCHIVE_PIECE ? before : first + STORE_ARCHIVE_PIECE;

        e = piece_move(a, first, end);
        first = store_archived(a->store);
    }
    if (e != ERR_NONE)
        log_write(LOG_ERROR, "server", "archive_failed", LOG_STRING("code", err_code(e)),
                  LOG_STRING("reason", err_text(e)),
                  LOG_STRING("archive", store_archive_path(a->store)),
                  LOG_NUMBER("archived", first), LOG_NUMBER("wanted", before),
                  LOG_STRING("effect", "the entries stay in the database"),
                  LOG_STRING("next", "see the lines above, remove the cause, and run "
                                     "`vouchsafe log archive`"));
    else if (first > from)
        log_write(LOG_INFO, "server", "archived", LOG_NUMBER("first", from),
                  LOG_NUMBER("before", first), LOG_STRING("archive", store_archive_path(a->store)));
    (void)pthread_mutex_lock(&a->lock);
    a->figures.errors += e != ERR_NONE;
    a->figures.error = e;
    (void)pthread_mutex_unlock(&a->lock);
    measure(a);
}

/* Once an hour: what is old enough by now. */
static void look(struct archiver *a)
{
    uint64_t before = 0;
    enum err e;

    if (a->after_days == 0 || clock_monotonic_us() < a->look_us)
        return;
    a->look_us = clock_monotonic_us() + look_us;
    e = archive_end(a->store, a->after_days, clock_now(), &before);
    if (e == ERR_NONE)
        archiver_ask(a, before);
}

/* Waits for work. Returns the end of what is asked for; 0: to look again, or to stop. */
static uint64_t work_await(struct archiver *a)
{
    const struct timespec deadline = clock_deadline(FIRST_LOOK_US);
    uint64_t before;

    (void)pthread_mutex_lock(&a->lock);
    a->figures.running = false;
    if (!a->stopping && a->figures.before <= store_archived(a->store))
        (void)pthread_cond_timedwait(&a->changed, &a->lock, &deadline);
    before = a->figures.before;
    a->figures.running = !a->stopping && before > store_archived(a->store);
    if (!a->figures.running)
        before = 0;
    (void)pthread_mutex_unlock(&a->lock);
    return before;
}

/* A run that failed is not repeated before it is asked for again. */
static void run_end(struct archiver *a, uint64_t before)
{
    (void)pthread_mutex_lock(&a->lock);
    if (a->figures.before == before)
        a->figures.before = store_archived(a->store);
    (void)pthread_mutex_unlock(&a->lock);
}

static void *archiver_main(void *argument)
{
    struct archiver *a = argument;

    (void)pthread_setname_np(pthread_self(), "archiver");
    measure(a);
    while (!is_stopping(a)) {
        uint64_t before;

        look(a);
        before = work_await(a);
        if (before == 0)
            continue;
        run(a, before);
        run_end(a, before);
    }
    return NULL;
}

/* The loops handle signals: the thread starts with all of them blocked. */
MUST_CHECK static enum err thread_start(struct archiver *a)
{
    sigset_t all, before;
    int result;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&a->thread, NULL, archiver_main, a);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0 ? ERR_NONE : ERR_MEMORY;
}

static void archiver_free(struct archiver *a)
{
    (void)pthread_cond_destroy(&a->changed);
    (void)pthread_mutex_destroy(&a->lock);
    free(a);
}

enum err archiver_start(struct server *s, uint32_t after_days, struct archiver **out)
{
    struct store *store = service_store(s->svc);
    struct archiver *a;
    enum err e;

    *out = NULL;
    if (!store_archive_path(store))
        return ERR_NONE;
    a = calloc(1, sizeof *a);
    if (!a)
        return ERR_MEMORY;
    a->server = s;
    a->store = store;
    a->after_days = after_days;
    a->look_us = clock_monotonic_us() + FIRST_LOOK_US;
    a->figures.before = store_archived(store);
    (void)pthread_mutex_init(&a->lock, NULL);
    clock_cond_init(&a->changed);
    e = thread_start(a);
    if (e == ERR_NONE)
        *out = a;
    else
        archiver_free(a);
    return e;
}

void archiver_stop(struct archiver **archiver)
{
    struct archiver *a = *archiver;

    *archiver = NULL;
    if (!a)
        return;
    (void)pthread_mutex_lock(&a->lock);
    a->stopping = true;
    (void)pthread_mutex_unlock(&a->lock);
    (void)pthread_cond_signal(&a->changed);
    (void)pthread_join(a->thread, NULL);
    archiver_free(a);
}

void archiver_ask(struct archiver *a, uint64_t before)
{
    (void)pthread_mutex_lock(&a->lock);
    if (before > a->figures.before)
        a->figures.before = before;
    (void)pthread_mutex_unlock(&a->lock);
    (void)pthread_cond_signal(&a->changed);
}

void archiver_figures(struct archiver *a, struct archiver_figures *out)
{
    *out = (struct archiver_figures){0};
    if (!a)
        return;
    (void)pthread_mutex_lock(&a->lock);
    *out = a->figures;
    (void)pthread_mutex_unlock(&a->lock);
    out->archived = store_archived(a->store);
}
