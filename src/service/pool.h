/*
 * A few threads for what takes longer than a loop may: verifying evidence, quotes of our own,
 * reading the log. Bounded: what does not fit is refused, so that hostile work cannot pile up.
 */
#ifndef SERVICE_POOL_H
#define SERVICE_POOL_H

#include "service/service.h"

#define POOL_QUEUE_MAX 1024

struct pool_job {
    struct pool_job *next;
    void (*run)(struct pool_job *job, struct service_thread *thread);
};

struct pool;

MUST_CHECK enum err pool_start(unsigned threads, struct pool **out);

/* Thread-safe. The job is the caller's memory until run() is called. ERR_OVERLOADED */
MUST_CHECK enum err pool_submit(struct pool *p, struct pool_job *job);

/* Finishes what is queued and ends the threads; what is submitted later is refused. Accepts NULL.
 */
void pool_stop(struct pool *p);
void pool_free(struct pool **p); /* stops first */

#endif
