/*
 * A few threads, with a queue of their own, for work that takes longer than an event loop may:
 * verifying evidence, quotes of our own, reading the log, changes. Each kind of work has its own
 * executor, so that a slow one cannot starve the others. Bounded in jobs, in bytes and by caller:
 * what does not fit is refused, so that hostile work cannot pile up.
 */
#ifndef SERVICE_EXECUTOR_H
#define SERVICE_EXECUTOR_H

#include "auth/principal.h"
#include "service/service.h"

#define EXECUTOR_THREADS_MAX 16

struct executor_options {
    const char *name;  /* of its threads, at most 15 characters; and in metrics */
    unsigned threads;  /* 1 to EXECUTOR_THREADS_MAX */
    uint32_t jobs_max; /* accepted and not yet released */
    size_t bytes_max;  /* that those jobs hold, by their own account */
    uint32_t share;    /* jobs of one caller among them */
};

/* Zero-initialise, then set `run`, `bytes` and `caller`. */
struct executor_job {
    void (*run)(struct executor_job *job, struct service_thread *thread);
    size_t bytes; /* what it holds in memory */
    bool exempt;  /* from its caller's share: a part of work that was let in already */
    uint8_t caller[PRINCIPAL_ID_SIZE]; /* all strangers together are the caller zero */
    /* the executor's: */
    struct executor_job *next;
    struct executor *executor; /* it holds a share of; NULL: of none */
    uint32_t share;
};

struct executor;

/* ERR_MEMORY */
MUST_CHECK enum err executor_start(const struct executor_options *options, struct executor **out);

/*
 * Thread-safe. The job is the caller's memory; it must stay until run() is called. Accepted, it
 * counts until executor_release(). The job must not hold a share of another executor.
 * ERR_RATE_LIMITED its caller has its whole share; ERR_OVERLOADED no room for more jobs or bytes,
 * or the executor is stopping
 */
MUST_CHECK enum err executor_submit(struct executor *x, struct executor_job *job);

/* The job no longer holds what it was counted for. Does nothing for a job that was not accepted, or
 * was released. Thread-safe. */
void executor_release(struct executor_job *job);

struct executor_figures {
    const char *name;
    uint32_t waiting, held; /* jobs in the queue; jobs accepted and not released */
    size_t bytes;           /* that those hold */
    uint64_t accepted, refused;
};
void executor_figures(struct executor *x, struct executor_figures *out);

/* Finishes what is queued and ends the threads; what is submitted later is refused. Accepts NULL.
 */
void executor_stop(struct executor *x);
void executor_free(struct executor **x); /* stops first */

#endif
