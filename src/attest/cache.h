/*
 * The bounded memory of what verified, by the SHA-256 of the bytes it was made of: most evidence
 * comes from few machines, and a chain costs more than the quote. Internal to attest/.
 */
#ifndef ATTEST_CACHE_H
#define ATTEST_CACHE_H

#include "attest/attest.h"

/* One kind of thing that is remembered; its address tells kinds apart. */
struct cache_kind {
    void (*release)(void *thing);
};

/* Whether there is one. */
bool cache_has(struct attest_cache *cache, const struct cache_kind *kind,
               const uint8_t name[SHA256_SIZE]);

/* Borrowed until the next cache_put(). NULL: not there, or no cache. */
void *cache_find(struct attest_cache *cache, const struct cache_kind *kind,
                 const uint8_t name[SHA256_SIZE]);

/*
 * Takes over `thing`, which must have verified: so what is not evidence cannot push others out. The
 * least recently used goes first. `cache` is not NULL; `thing` may be, where the name says it all.
 */
void cache_put(struct attest_cache *cache, const struct cache_kind *kind,
               const uint8_t name[SHA256_SIZE], void *thing);

#endif
