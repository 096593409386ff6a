/*
 * The server's own metrics for Prometheus: latency by route, denials by code and policy, and
 * figures of the process. Its parts have further counters. Internal to server/.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/span.h"

struct server;
struct route;

/* Upper bounds of the buckets in microseconds; the last bucket has no bound. */
#define LATENCY_BUCKETS 13
#define LATENCY_ROUTES_MAX 48

/* The figures of one loop. Only that loop writes them; any thread reads. */
struct latency {
    struct {
        _Atomic uint64_t buckets[LATENCY_BUCKETS + 1];
        _Atomic uint64_t sum_us;
    } routes[LATENCY_ROUTES_MAX];
};

/* Records the microseconds from the head of a request to its reply. `route` is one of `routes`. */
void latency_observe(struct latency *l, const struct route *route, int64_t took_us);

/*
 * Denials by operation, code and policy. The texts are copied, except `code`, which is static. When
 * the table is full, a new combination counts as code "other".
 */
#define DENIALS_MAX 128
struct denial_counters {
    pthread_mutex_t lock; /* guards the fields below */
    size_t count;
    uint64_t other;
    struct denial_counter {
        const char *op, *code;
        char policy[64];
        uint64_t value;
    } counters[DENIALS_MAX];
};
void denial_counters_init(struct denial_counters *d);
void denial_counters_clear(struct denial_counters *d);
void denial_count(struct denial_counters *d, const char *op, const char *code, const char *policy);

/* Appends all figures to `out` in Prometheus' text form. ERR_MEMORY */
MUST_CHECK enum err latency_write(struct server *s, struct buffer *out);
MUST_CHECK enum err denials_write(struct denial_counters *d, struct buffer *out);
MUST_CHECK enum err process_write(const char *version, const char *tee, struct timestamp started,
                                  struct buffer *out);

#endif
