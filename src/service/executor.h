/*
 * A few threads, with a queue of their own, for work that takes longer than an event loop may:
 * verifying evidence, quotes of our own, reading the log, changes. Each kind of work has its own
 * executor, so that a slow one cannot starve the others. Jobs, bytes and jobs per caller are
 * bounded. Work beyond a limit is refused, so hostile work cannot pile up.
 */
#ifndef SERVICE_EXECUTOR_H
#define SERVICE_EXECUTOR_H

#include "auth/principal.h"
#include "service/service.h"

#define EXECUTOR_THREADS_MAX 16

struct executor_options {
    const char *name;  /* name of its threads, at most 15 characters, and of its metrics */
    unsigned threads;  /* 1 to EXECUTOR_THREADS_MAX */
    uint32_t jobs_max; /* accepted and not yet released */
    size_t bytes_max;  /* memory of those jobs, as they state it */
    uint32_t share;    /* maximum jobs of one caller */
};

/* Zero-initialise, then set `run`, `bytes` and `caller`. */
struct executor_job {
    void (*run)(struct executor_job *job, struct service_thread *thread);
    size_t bytes; /* memory of the job */
    bool exempt;  /* exempt from its caller's share: part of work that was admitted before */
    /* A principal's id, or the name of a group of callers without one. It holds one share. */
    uint8_t caller[PRINCIPAL_ID_SIZE];
    /* the fields of the executor: */
    struct executor_job *next;
    struct executor *executor; /* the executor in which it holds a share; NULL: none */
    uint32_t share;
};

struct executor;

/* ERR_MEMORY */
MUST_CHECK enum err executor_start(const struct executor_options *options, struct executor **out);

/*
 * Thread-safe. The job is the caller's memory and must stay until run() is called. An accepted job
 * counts until executor_release(). The job must not hold a share of another executor.
 * ERR_RATE_LIMITED its caller uses its whole share; ERR_OVERLOADED no room for more jobs or bytes,
 * or the executor is stopping
 */
MUST_CHECK enum err executor_submit(struct executor *x, struct executor_job *job);

/* Releases the job's share. Does nothing for a job that was not accepted or is already released.
 * Thread-safe. */
void executor_release(struct executor_job *job);

struct executor_figures {
    const char *name;
    uint32_t waiting, held; /* jobs in the queue; accepted jobs that are not released */
    size_t bytes;           /* bytes of the held jobs */
    uint64_t accepted, refused;
};
void executor_figures(struct executor *x, struct executor_figures *out);

/* Finishes the queue and ends the threads; refuses later jobs. Accepts NULL. */
void executor_stop(struct executor *x);
void executor_free(struct executor **x); /* stops first */

#endif
