/* The executors of the server, in one table. */
#include <pthread.h>
#include <string.h>

#include "server/call.h"

/* `threads` 0: the number from the settings. The bytes are those of requests and of the data
 * made from them; net/ limits the bodies in flight. */
static const struct executor_options table[EXECUTORS] = {
    [EXECUTOR_ATTEST] = {.name = "attest", .jobs_max = 1024, .bytes_max = 256u << 20, .share = 32},
    [EXECUTOR_READ] =
        { .name = "read",    .threads = 1, .jobs_max = 1024,  .bytes_max = 64u << 20, .share = 32},
    [EXECUTOR_TILES] =
        { .name = "tiles",    .threads = 1,  .jobs_max = 256,  .bytes_max = 16u << 20, .share = 32},
 /* 3 s of waiting if a quote takes 50 ms; see stranger_group() */
    [EXECUTOR_QUOTE] =
        { .name = "quote",    .threads = 1,   .jobs_max = 64,   .bytes_max = 4u << 20,  .share = 8},
    [EXECUTOR_WITNESS] =
        { .name = "witness",    .threads = 1,   .jobs_max = 64,   .bytes_max = 8u << 20,  .share = 8},
    [EXECUTOR_CHANGE] =
        { .name = "change",    .threads = 1,   .jobs_max = 64,   .bytes_max = 4u << 20, .share = 32},
    [EXECUTOR_SCRUB] =
        { .name = "scrub",    .threads = 1,    .jobs_max = 1,   .bytes_max = 1u << 20,  .share = 1},
};

enum err executors_start(struct server *s)
{
    enum err e = ERR_NONE;

    for (unsigned i = 0; i < EXECUTORS && e == ERR_NONE; i++) {
        struct executor_options options = table[i];

        if (options.threads == 0)
            options.threads = s->options.attest_threads;
        e = executor_start(&options, &s->executors[i]);
    }
    return e;
}

void executors_stop(struct server *s)
{
    for (unsigned i = 0; i < EXECUTORS; i++)
        executor_stop(s->executors[i]);
}

void executors_free(struct server *s)
{
    for (unsigned i = 0; i < EXECUTORS; i++)
        executor_free(&s->executors[i]);
}

static struct executor *executor_of(const struct call *c, enum executor_id id)
{
    return c->server->executors[id];
}

/*
 * Strangers share by groups of addresses. One address can use the share of one of eight groups, and
 * all groups together hold at most eight shares.
 */
static uint8_t stranger_group(const uint8_t peer_key[16])
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < 16; i++)
        h = (h ^ peer_key[i]) * 16777619u;
    return (uint8_t)(h >> 16 & 7);
}

static void job_fill(struct call *c, void (*run)(struct executor_job *, struct service_thread *))
{
    c->job = (struct executor_job){.run = run, .bytes = sizeof *c + c->request->body.size};
    if (c->principal.kind != PRINCIPAL_NONE) {
        memcpy(c->job.caller, c->principal.id, sizeof c->job.caller);
        return;
    }
    c->job.caller[0] = 1; /* not the id of a token, which is a hash */
    c->job.caller[1] = stranger_group(c->request->peer_key);
}

void call_submit(struct call *c, enum executor_id id,
                 void (*run)(struct executor_job *, struct service_thread *))
{
    enum err e;

    job_fill(c, run);
    e = executor_submit(executor_of(c, id), &c->job);
    if (e == ERR_NONE)
        return;
    c->retry_after_s = 1;
    if (e == ERR_RATE_LIMITED)
        call_refuse(c, 429, "too_many_in_flight",
                    "Too many costly requests of this kind are in flight; try again");
    else
        call_refuse(c, 503, "overloaded", "Too much work is waiting; try again");
    call_finish(c);
}

/* ---- work that is not a call's ---- */

struct exclusive_job {
    struct executor_job job;
    void (*run)(void *context);
    void *context;
    pthread_mutex_t lock; /* of `done` */
    pthread_cond_t changed;
    bool done;
};

static void exclusive_job_run(struct executor_job *job, struct service_thread *thread)
{
    struct exclusive_job *x =
        (struct exclusive_job *)((char *)job - offsetof(struct exclusive_job, job));

    (void)thread;
    x->run(x->context);
    executor_release(job);
    (void)pthread_mutex_lock(&x->lock);
    x->done = true; /* the job's memory belongs to the waiting thread again after the unlock */
    (void)pthread_cond_signal(&x->changed);
    (void)pthread_mutex_unlock(&x->lock);
}

/* Waits for at most one second. False when the job is not done then. */
static bool exclusive_job_wait(struct exclusive_job *x)
{
    const struct timespec until = clock_deadline(1000000);
    int status = 0;
    bool done;

    (void)pthread_mutex_lock(&x->lock);
    while (!x->done && status == 0)
        status = pthread_cond_timedwait(&x->changed, &x->lock, &until);
    done = x->done;
    (void)pthread_mutex_unlock(&x->lock);
    return done;
}

static void exclusive_job_init(struct exclusive_job *x)
{
    (void)pthread_mutex_init(&x->lock, NULL);
    clock_cond_init(&x->changed);
}

enum err server_run_exclusive(struct server *s, void (*run)(void *context),
                              void (*waiting)(void *context), void *context)
{
    struct exclusive_job x = {
        .job = {.run = exclusive_job_run, .bytes = sizeof x, .exempt = true},
        .run = run,
        .context = context
    };
    enum err e;

    exclusive_job_init(&x);
    e = executor_submit(s->executors[EXECUTOR_CHANGE], &x.job);
    while (e == ERR_NONE && !exclusive_job_wait(&x))
        waiting(context);
    (void)pthread_cond_destroy(&x.changed);
    (void)pthread_mutex_destroy(&x.lock);
    return e;
}

static void refresh_run(struct executor_job *job, struct service_thread *thread)
{
    struct server *s = (struct server *)((char *)job - offsetof(struct server, refresh));
    enum err e = service_refresh_policies(s->svc);

    (void)thread;
    /* the next conflict, or the next second, tries again */
    if (e != ERR_NONE && e != ERR_UNAVAILABLE)
        log_write(LOG_WARN, "server", "policies_not_read", LOG_STRING("code", err_code(e)));
    executor_release(job);
    atomic_store(&s->refreshing, false);
}

void server_refresh_policies(struct server *s)
{
    if (atomic_exchange(&s->refreshing, true))
        return;
    s->refresh =
        (struct executor_job){.run = refresh_run, .bytes = sizeof s->refresh, .exempt = true};
    if (executor_submit(s->executors[EXECUTOR_CHANGE], &s->refresh) != ERR_NONE)
        atomic_store(&s->refreshing, false);
}

enum err call_continue(struct call *c, enum executor_id id,
                       void (*run)(struct executor_job *, struct service_thread *))
{
    executor_release(&c->job);
    job_fill(c, run);
    c->job.exempt = true;
    return executor_submit(executor_of(c, id), &c->job);
}
