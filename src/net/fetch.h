/*
 * Rules for modules that send requests to servers repeatedly: which source may be asked now, how
 * long a source waits after a failure, and when a held item is fetched again. A module that fetches
 * (collateral, chain RPC) brings its own requests and its own list of sources:
 *
 *   for each source, in order of preference
 *       if fetch_wait_is_over() for the source and for the item at this source
 *           send the request
 *           fetch_source_answered() or fetch_source_failed(); for the item, fetch_wait_*()
 *
 * Pure: the time and the random number are arguments. A `struct fetch_source` belongs to the one
 * thread that fetches; fetch_source_figures() may be called by any thread.
 */
#ifndef NET_FETCH_H
#define NET_FETCH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"

/* ---- waits ---- */

#define FETCH_RETRY_AFTER_MAX_MS (INT64_C(3600) * 1000)
#define FETCH_BACKOFF_MAX_MS (INT64_C(366) * 86400 * 1000)

/*
 * The wait after the first failure, and the longest wait. Retry-After of up to an hour may be
 * longer. Both are at least 0; more than FETCH_BACKOFF_MAX_MS counts as that.
 */
struct fetch_backoff {
    int64_t first_ms, max_ms;
};

/*
 * The wait after `failures` earlier failures in a row: `first_ms`, doubled for each of them, at
 * most `max_ms`, then plus or minus up to a quarter by `dice`, so that replicas do not ask at the
 * same time.
 *
 * dice  a random number: 0 subtracts a quarter, 32768 changes nothing
 */
int64_t fetch_backoff_ms(const struct fetch_backoff *b, unsigned failures, uint16_t dice);

/* A source, or one item at one source, that may have to wait. Zero: it may be asked. */
struct fetch_wait {
    struct timestamp since, until;
    unsigned failures; /* in a row */
};

/* Whether the wait ended. A wait that began later than `now` is over: the clock was set back. */
bool fetch_wait_is_over(const struct fetch_wait *w, struct timestamp now);
/*
 * One more failure at `now`. The wait is the longer one of backoff and `retry_after_s` (0: none),
 * which counts up to FETCH_RETRY_AFTER_MAX_MS, or up to `b->max_ms` if that is longer. So a source
 * cannot delay a revocation for longer.
 */
void fetch_wait_extend(struct fetch_wait *w, const struct fetch_backoff *b, unsigned retry_after_s,
                       uint16_t dice, struct timestamp now);
/* The request succeeded, or the next one may be sent at once: no wait and no failures. */
void fetch_wait_clear(struct fetch_wait *w);

/* ---- sources ---- */

/* The state of one source. Zero-initialise. */
struct fetch_source {
    struct fetch_wait wait;
    _Atomic int64_t since_ms, until_ms; /* of `wait`, for other threads */
    _Atomic uint64_t fetched, failed, refused;
};

/* The result of one request to a source. */
enum fetch_outcome {
    FETCH_TAKEN,   /* an answer that was accepted */
    FETCH_REFUSED, /* an answer that was not acceptable, or not in the expected form */
    FETCH_ABSENT,  /* the source says that it does not have the item */
};

/* The source answered as a server should, so its own wait ends. The item may have a wait. */
void fetch_source_answered(struct fetch_source *s, enum fetch_outcome outcome);
/* The source did not answer, or asked to wait: fetch_wait_extend(). */
void fetch_source_failed(struct fetch_source *s, const struct fetch_backoff *b,
                         unsigned retry_after_s, uint16_t dice, struct timestamp now);
/* The source may be asked again at once, and its failures are forgotten. */
void fetch_source_hurry(struct fetch_source *s);

struct fetch_figures {
    uint64_t fetched, failed, refused; /* answers since the start; FETCH_ABSENT counts as failed */
    bool left_alone;                   /* at `now` */
};
/* Any thread. */
struct fetch_figures fetch_source_figures(const struct fetch_source *s, struct timestamp now);

/* ---- due times ---- */

/* When items are fetched again. */
struct fetch_schedule {
    unsigned percent;   /* of an item's validity, 1 to 99 */
    int64_t max_age_ms; /* 0: no limit */
    int64_t look_min_ms, look_max_ms;
};

/* The times of an item that is held. */
struct fetch_times {
    struct timestamp issued, expires; /* `expires` INT64_MAX: never */
    struct timestamp fetched;
};

/* When `percent` of the validity has passed, or the item is `max_age_ms` old: the earlier one. */
struct timestamp fetch_due_at(const struct fetch_schedule *s, const struct fetch_times *t);
/*
 * The earliest time to ask again after an answer at `now`, whether or not it was news: after a
 * tenth of the time that is left, but not before `look_min_ms` and not after `look_max_ms` or
 * `max_age_ms`.
 */
struct timestamp fetch_look_at(const struct fetch_schedule *s, struct timestamp expires,
                               struct timestamp now);

#endif
