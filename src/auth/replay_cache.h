/*
 * What was accepted once and must not be accepted again: ids of evidence, each remembered for as
 * long as its timestamp could still be fresh. Bounded; thread-safe. Nothing that is remembered
 * gives way before its time: that would allow a replay.
 *
 * Time is monotonic (clock_monotonic_us()): a wall clock that is set neither empties the cache nor
 * keeps it full. The cache ends with the process.
 *
 * Shares. A principal holds at most as many of the REPLAY_IDS_MAX ids as are left free. So one
 * caller gets at most half of them (32,768; at a lifetime of 331 s that is 98 requests with inline
 * evidence a second), n callers that take all they can 65,536 / (n + 1) each, and as much stays
 * free for the next one.
 */
#ifndef AUTH_REPLAY_CACHE_H
#define AUTH_REPLAY_CACHE_H

#include "auth/principal.h"

#define REPLAY_ID_SIZE 32
#define REPLAY_IDS_MAX 65536

struct replay_cache;

/* Every id is remembered for `lifetime_ms`, more than 0. ERR_MEMORY */
MUST_CHECK enum err replay_cache_new(int64_t lifetime_ms, struct replay_cache **out);

/*
 * Adds an id, which is a hash, for the principal with the id `owner`. ERR_REPLAYED when it is there
 * already, whoever added it; ERR_OVERLOADED when the principal's share is used up.
 */
MUST_CHECK enum err replay_cache_add(struct replay_cache *c, const uint8_t owner[PRINCIPAL_ID_SIZE],
                                     const uint8_t id[REPLAY_ID_SIZE], int64_t now_us);
void replay_cache_free(struct replay_cache **c);

#endif
