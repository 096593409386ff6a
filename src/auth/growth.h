/*
 * How fast the holder of one token may make the log grow, in entries and in bytes of an hour.
 * Counted in memory, by principal, as other rates (auth/rate.h): after a pause, an hour's worth may
 * come at once, and the rest evenly. Thread-safe.
 */
#ifndef AUTH_GROWTH_H
#define AUTH_GROWTH_H

#include "base/span.h"

struct growth_limit {
    uint32_t entries_per_hour; /* 0: no limit */
    uint32_t mib_per_hour;     /* at most GROWTH_MIB_MAX; 0: no limit */
};
#define GROWTH_MIB_MAX 1000000

struct growth;

/* For `capacity` principals. ERR_MEMORY */
MUST_CHECK enum err growth_new(struct growth_limit limit, size_t capacity, struct growth **out);
void growth_free(struct growth **g);

/* Milliseconds until this principal may cause another entry; 0: now. Counts nothing. */
int64_t growth_wait(struct growth *g, struct span principal, int64_t now_us);
/* Counts an entry of `size` bytes; each begun KiB counts. */
void growth_count(struct growth *g, struct span principal, size_t size, int64_t now_us);

#endif
