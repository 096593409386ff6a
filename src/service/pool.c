#include "service/pool.h"

#include <pthread.h>
#include <stdlib.h>

enum { THREADS_MAX = 16 };

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct pool_job *first, *last;
    size_t length;
    bool stopping;
    unsigned count;
    struct worker {
        struct pool *pool;
        struct service_thread state;
        pthread_t thread;
    } workers[THREADS_MAX];
};

static struct pool_job *take(struct pool *p)
{
    struct pool_job *job;

    (void)pthread_mutex_lock(&p->lock);
    while (!p->first && !p->stopping)
        (void)pthread_cond_wait(&p->wake, &p->lock);
    job = p->first;
    if (job) {
        p->first = job->next;
        p->length--;
        if (!p->first)
            p->last = NULL;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return job;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct pool_job *job;

    (void)pthread_setname_np(pthread_self(), "pool");
    secret_hide_stack();
    while ((job = take(worker->pool)) != NULL) {
        job->run(job, &worker->state);
        registers_wipe(); /* the thread may wait for long */
    }
    secret_cache_clear();
    return NULL;
}

enum err pool_start(unsigned threads, struct pool **out)
{
    struct pool *p = calloc(1, sizeof *p);

    if (!p)
        return ERR_MEMORY;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->wake, NULL);
    if (threads == 0 || threads > THREADS_MAX)
        threads = THREADS_MAX;
    for (; p->count < threads; p->count++) {
        struct worker *worker = &p->workers[p->count];

        worker->pool = p;
        if (service_thread_init(&worker->state) != ERR_NONE)
            break;
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            service_thread_clear(&worker->state);
            break;
        }
    }
    if (p->count < threads) {
        pool_free(&p);
        return ERR_MEMORY;
    }
    *out = p;
    return ERR_NONE;
}

enum err pool_submit(struct pool *p, struct pool_job *job)
{
    enum err e = ERR_NONE;

    job->next = NULL;
    (void)pthread_mutex_lock(&p->lock);
    if (p->length >= POOL_QUEUE_MAX || p->stopping) {
        e = ERR_OVERLOADED;
    } else {
        if (p->last)
            p->last->next = job;
        else
            p->first = job;
        p->last = job;
        p->length++;
        (void)pthread_cond_signal(&p->wake);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return e;
}

void pool_stop(struct pool *p)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->stopping = true;
    (void)pthread_cond_broadcast(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->count; i++) {
        (void)pthread_join(p->workers[i].thread, NULL);
        service_thread_clear(&p->workers[i].state);
    }
    p->count = 0;
}

void pool_free(struct pool **pool)
{
    struct pool *p = *pool;

    *pool = NULL;
    if (!p)
        return;
    pool_stop(p);
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}
