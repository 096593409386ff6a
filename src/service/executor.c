#include "service/executor.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "auth/share.h"

struct executor {
    struct executor_options options;
    pthread_mutex_t lock; /* guards all fields below */
    pthread_cond_t wake;
    struct executor_job *first, *last;
    struct executor_figures figures;
    struct share_table *shares;
    bool stopping;
    unsigned count;
    struct worker {
        struct executor *executor;
        struct service_thread state;
        pthread_t thread;
    } workers[EXECUTOR_THREADS_MAX];
};

static struct executor_job *take(struct executor *x)
{
    struct executor_job *job;

    (void)pthread_mutex_lock(&x->lock);
    while (!x->first && !x->stopping)
        (void)pthread_cond_wait(&x->wake, &x->lock);
    job = x->first;
    if (job) {
        x->first = job->next;
        x->figures.waiting--;
        if (!x->first)
            x->last = NULL;
    }
    (void)pthread_mutex_unlock(&x->lock);
    return job;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct executor_job *job;

    (void)pthread_setname_np(pthread_self(), worker->executor->options.name);
    secret_hide_stack();
    while ((job = take(worker->executor)) != NULL) {
        job->run(job, &worker->state);
        registers_wipe(); /* the thread may wait for a long time */
    }
    secret_cache_clear();
    return NULL;
}

MUST_CHECK static enum err worker_start(struct executor *x, struct worker *worker)
{
    enum err e = service_thread_init(&worker->state);

    worker->executor = x;
    if (e == ERR_NONE && pthread_create(&worker->thread, NULL, work, worker) != 0) {
        service_thread_clear(&worker->state);
        e = ERR_MEMORY;
    }
    return e;
}

enum err executor_start(const struct executor_options *options, struct executor **out)
{
    struct executor *x = calloc(1, sizeof *x);
    enum err e;

    assert(options->threads > 0 && options->threads <= EXECUTOR_THREADS_MAX);
    if (!x)
        return ERR_MEMORY;
    x->options = *options;
    x->figures.name = options->name;
    (void)pthread_mutex_init(&x->lock, NULL);
    (void)pthread_cond_init(&x->wake, NULL);
    e = share_table_new(options->jobs_max, &x->shares); /* each job may have another caller */
    while (e == ERR_NONE && x->count < options->threads) {
        e = worker_start(x, &x->workers[x->count]);
        if (e == ERR_NONE)
            x->count++;
    }
    if (e != ERR_NONE) {
        executor_free(&x);
        return e;
    }
    *out = x;
    return ERR_NONE;
}

/* Whether there is room. The caller holds the lock. */
MUST_CHECK static enum err admit(struct executor *x, struct executor_job *job)
{
    const struct executor_figures *f = &x->figures;

    if (x->stopping || f->held >= x->options.jobs_max || job->bytes > x->options.bytes_max ||
        f->bytes > x->options.bytes_max - job->bytes)
        return ERR_OVERLOADED;
    job->share = SHARE_NONE;
    if (job->exempt)
        return ERR_NONE;
    job->share = share_take(x->shares, job->caller, x->options.share);
    return job->share == SHARE_NONE ? ERR_RATE_LIMITED : ERR_NONE;
}

static void enqueue(struct executor *x, struct executor_job *job)
{
    job->next = NULL;
    job->executor = x;
    if (x->last)
        x->last->next = job;
    else
        x->first = job;
    x->last = job;
    x->figures.waiting++;
    x->figures.held++;
    x->figures.bytes += job->bytes;
    x->figures.accepted++;
    (void)pthread_cond_signal(&x->wake);
}

enum err executor_submit(struct executor *x, struct executor_job *job)
{
    enum err e;

    assert(!job->executor);
    (void)pthread_mutex_lock(&x->lock);
    e = admit(x, job);
    if (e == ERR_NONE)
        enqueue(x, job);
    else
        x->figures.refused++;
    (void)pthread_mutex_unlock(&x->lock);
    return e;
}

void executor_release(struct executor_job *job)
{
    struct executor *x = job->executor;

    if (!x)
        return;
    job->executor = NULL;
    (void)pthread_mutex_lock(&x->lock);
    if (job->share != SHARE_NONE)
        share_give(x->shares, job->share);
    x->figures.held--;
    x->figures.bytes -= job->bytes;
    (void)pthread_mutex_unlock(&x->lock);
}

void executor_figures(struct executor *x, struct executor_figures *out)
{
    (void)pthread_mutex_lock(&x->lock);
    *out = x->figures;
    (void)pthread_mutex_unlock(&x->lock);
}

void executor_stop(struct executor *x)
{
    if (!x)
        return;
    (void)pthread_mutex_lock(&x->lock);
    x->stopping = true;
    (void)pthread_cond_broadcast(&x->wake);
    (void)pthread_mutex_unlock(&x->lock);
    for (unsigned i = 0; i < x->count; i++) {
        (void)pthread_join(x->workers[i].thread, NULL);
        service_thread_clear(&x->workers[i].state);
    }
    x->count = 0;
}

void executor_free(struct executor **executor)
{
    struct executor *x = *executor;

    *executor = NULL;
    if (!x)
        return;
    executor_stop(x);
    share_table_free(&x->shares);
    (void)pthread_cond_destroy(&x->wake);
    (void)pthread_mutex_destroy(&x->lock);
    free(x);
}
