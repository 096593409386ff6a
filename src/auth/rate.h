/*
 * Token buckets as GCRA (one 64-bit theoretical arrival time each), in a table of fixed size that
 * many threads use without locks (but for a key that is new to its set). Full sets forget the
 * bucket that is closest to empty use; a forgotten bucket starts full, so an attacker with many
 * addresses gains at most what `in all` allows.
 */
#ifndef AUTH_RATE_H
#define AUTH_RATE_H

#include "base/span.h"

struct rate_limit {
    uint32_t per_second; /* sustained; 0 for no limit */
    uint32_t burst;      /* at once, at least 1 */
};

struct rate_table;

/* `capacity` is rounded up to a power of two; keys are hashed with a random key. */
MUST_CHECK enum err rate_table_new(struct rate_limit limit, size_t capacity,
                                   struct rate_table **out);

/* 0 when allowed (and counted), else milliseconds to wait. Thread-safe. */
int64_t rate_take(struct rate_table *t, struct span key, int64_t now_us);

/* The same for what costs as much as `cost` requests; at most the burst is counted. */
int64_t rate_take_cost(struct rate_table *t, struct span key, uint32_t cost, int64_t now_us);

/* What rate_take() would answer, without counting. */
int64_t rate_wait(struct rate_table *t, struct span key, int64_t now_us);
void rate_table_free(struct rate_table **t);

#endif
