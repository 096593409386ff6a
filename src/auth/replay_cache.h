/*
 * The ids of accepted evidence, which must not be accepted again. The cache keeps each id for as
 * long as the evidence's timestamp could still be fresh. It never drops an id earlier, because that
 * would allow a replay. The number of ids is bounded. Thread-safe.
 *
 * Time is monotonic (clock_monotonic_us()). So a change of the wall clock neither empties the cache
 * nor keeps it full. The cache ends with the process.
 *
 * Shares: a principal holds at most as many of the REPLAY_IDS_MAX ids as remain free. So one caller
 * gets at most half of them (32,768; with a lifetime of 331 s this allows 98 requests with inline
 * evidence per second). When n callers take as many as they can, each gets 65,536 / (n + 1), and
 * the same number stays free for the next caller.
 */
#ifndef AUTH_REPLAY_CACHE_H
#define AUTH_REPLAY_CACHE_H

#include "auth/principal.h"

#define REPLAY_ID_SIZE 32
#define REPLAY_IDS_MAX 65536

struct replay_cache;

/* The cache keeps every id for `lifetime_ms`, which is more than 0. ERR_MEMORY */
MUST_CHECK enum err replay_cache_new(int64_t lifetime_ms, struct replay_cache **out);

/*
 * Adds `id`, which is a hash, for the principal with the id `owner`.
 * ERR_REPLAYED     the cache has `id` already, from any principal
 * ERR_OVERLOADED   the principal's share is used up
 */
MUST_CHECK enum err replay_cache_add(struct replay_cache *c, const uint8_t owner[PRINCIPAL_ID_SIZE],
                                     const uint8_t id[REPLAY_ID_SIZE], int64_t now_us);
void replay_cache_free(struct replay_cache **c);

#endif
