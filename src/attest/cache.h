/*
 * The bounded memory of what verified, by the SHA-256 of the bytes it was made of: most evidence
 * comes from few machines, and a chain costs more than the quote. Internal to attest/.
 */
#ifndef ATTEST_CACHE_H
#define ATTEST_CACHE_H

#include "attest/attest.h"

/*
 * Each part of the memory pushes out its own alone: what anybody with a genuine machine can bring
 * many of (leaves) cannot make the few that all of them share (CAs) be forgotten.
 */
enum cache_part {
    CACHE_LEAVES,      /* `capacity` of attest_cache_new() */
    CACHE_ISSUERS,     /* AWS: of one host each */
    CACHE_AUTHORITIES, /* a vendor's */
    CACHE_PARTS
};

/* One kind of thing that is remembered; its address tells kinds apart. */
struct cache_kind {
    void (*release)(void *thing);
    enum cache_part part;
};

/*
 * name    hash of every byte that was verified, in its one form (DER, and no PEM around it): only
 *         what is exactly the same is found by it
 * family  hash of what was signed and by which key. The signatures on a certificate are not part
 *         of it, since anybody can write each in two ways (ECDSA: s and n - s), and a chain of
 *         three in eight. One member of a family is remembered: whoever varies a certificate
 *         pushes out that certificate alone. It is no name, or a broken signature would be accepted
 *         when a good one had been seen.
 */
struct cache_names {
    uint8_t name[SHA256_SIZE];
    uint8_t family[SHA256_SIZE];
};

/* Whether there is one. */
bool cache_has(struct attest_cache *cache, const struct cache_kind *kind,
               const uint8_t name[SHA256_SIZE]);

/* Borrowed until the next cache_put(). NULL: not there, or no cache. */
void *cache_find(struct attest_cache *cache, const struct cache_kind *kind,
                 const uint8_t name[SHA256_SIZE]);

/*
 * Takes over `thing`, which must have verified: so what is not evidence cannot push others out. The
 * one of its family goes, else the least recently used of its part. `cache` is not NULL; `thing`
 * may be, where the name says it all.
 */
void cache_put(struct attest_cache *cache, const struct cache_kind *kind,
               const struct cache_names *names, void *thing);

/*
 * A short way to a thing of this name: the hash of one text it was read from. Each thing has one,
 * the last, so that there is nothing to fill. Without such a thing nothing happens.
 */
void cache_alias(struct attest_cache *cache, const struct cache_kind *kind,
                 const uint8_t name[SHA256_SIZE], const uint8_t alias[SHA256_SIZE]);
void *cache_find_alias(struct attest_cache *cache, const struct cache_kind *kind,
                       const uint8_t alias[SHA256_SIZE]);

#endif
