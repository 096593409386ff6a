/*
 * A bounded cache of verified things, by the SHA-256 of their bytes. Most evidence comes from few
 * machines, and a chain costs more than the quote. Internal to attest/.
 */
#ifndef ATTEST_CACHE_H
#define ATTEST_CACHE_H

#include "attest/attest.h"

/*
 * Each part of the cache removes only its own entries. Anyone with a genuine machine can present
 * many leaves, but cannot remove the few shared CAs.
 */
enum cache_part {
    CACHE_LEAVES,      /* `capacity` of attest_cache_new() */
    CACHE_ISSUERS,     /* AWS: each of one host */
    CACHE_AUTHORITIES, /* a vendor's */
    CACHE_PARTS
};

/* One kind of cached thing. Its address identifies the kind. */
struct cache_kind {
    void (*release)(void *thing);
    enum cache_part part;
};

/*
 * name    hash of every byte that was verified, in its one form (DER without PEM). It finds only
 *         exactly the same bytes.
 * family  hash of the signed bytes and of the signing keys, without the signatures. Anyone can
 *         write each ECDSA signature in two ways (s and n - s), and those of a chain of three in
 *         eight. The cache keeps one member of a family, so variants of a certificate replace each
 *         other only. A family is not a name: otherwise a broken signature would be accepted after
 *         a good one.
 */
struct cache_names {
    uint8_t name[SHA256_SIZE];
    uint8_t family[SHA256_SIZE];
};

/* Whether such a thing is cached. */
bool cache_has(struct attest_cache *cache, const struct cache_kind *kind,
               const uint8_t name[SHA256_SIZE]);

/* Borrowed until the next cache_put(). NULL: not cached, or no cache. */
void *cache_find(struct attest_cache *cache, const struct cache_kind *kind,
                 const uint8_t name[SHA256_SIZE]);

/*
 * Takes over `thing`, which must have verified, so that invalid input cannot remove entries.
 * Removes the member of its family, or else the least recently used entry of its part. `cache` is
 * not NULL. `thing` may be NULL if its name is enough.
 */
void cache_put(struct attest_cache *cache, const struct cache_kind *kind,
               const struct cache_names *names, void *thing);

/*
 * Adds an alias to the thing of this name: the hash of a text from which it was read. Each thing
 * has one alias, the last, so aliases take no further room. Does nothing if that name is not
 * cached.
 */
void cache_alias(struct attest_cache *cache, const struct cache_kind *kind,
                 const uint8_t name[SHA256_SIZE], const uint8_t alias[SHA256_SIZE]);
void *cache_find_alias(struct attest_cache *cache, const struct cache_kind *kind,
                       const uint8_t alias[SHA256_SIZE]);

#endif
