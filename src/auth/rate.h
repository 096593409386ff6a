/*
 * Token buckets in a table of fixed size. Each bucket is a GCRA: one 64-bit theoretical arrival
 * time. Threads share the table without locks; only a key that is new to its set needs a lock. A
 * full set forgets the least used bucket. A forgotten bucket starts full again, so an attacker with
 * many addresses gains at most what the limit `in all` allows.
 */
#ifndef AUTH_RATE_H
#define AUTH_RATE_H

#include "base/span.h"

struct rate_limit {
    uint32_t per_second; /* sustained; 0 for no limit */
    uint32_t burst;      /* requests at once, at least 1 */
};

struct rate_table;

/* `capacity` is rounded up to a power of two. The table hashes its keys with a random key. */
MUST_CHECK enum err rate_table_new(struct rate_limit limit, size_t capacity,
                                   struct rate_table **out);

/* Returns 0 and counts the request when it is allowed, else the milliseconds to wait. Thread-safe.
 */
int64_t rate_take(struct rate_table *t, struct span key, int64_t now_us);

/* Like rate_take(), for a request that counts as `cost` requests. A cost above the burst counts as
 * the burst. */
int64_t rate_take_cost(struct rate_table *t, struct span key, uint32_t cost, int64_t now_us);

/* Returns what rate_take() would return, but counts nothing. */
int64_t rate_wait(struct rate_table *t, struct span key, int64_t now_us);
void rate_table_free(struct rate_table **t);

#endif
