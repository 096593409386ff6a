#include "attest/cache.h"

#include <stdlib.h>
#include <string.h>

enum { ISSUERS_MAX = 64, AUTHORITIES_MAX = 16 };

struct entry {
    const struct cache_kind *kind;
    struct cache_names names;
    uint8_t alias[SHA256_SIZE];
    bool has_alias;
    uint64_t used;
    void *thing;
};

/* A linear scan over 32-byte names is cheap compared with one signature check. */
struct attest_cache {
    uint64_t clock; /* counts uses */
    struct part {
        size_t capacity;
        size_t count;
        struct entry *entries; /* in `room` */
    } parts[CACHE_PARTS];
    struct entry room[];
};

enum err attest_cache_new(size_t capacity, struct attest_cache **out)
{
    const size_t capacities[CACHE_PARTS] = {[CACHE_LEAVES] = capacity,
                                            [CACHE_ISSUERS] = ISSUERS_MAX,
                                            [CACHE_AUTHORITIES] = AUTHORITIES_MAX};
    struct attest_cache *c;
    struct entry *next;

    if (capacity == 0 || capacity > ATTEST_CACHE_MAX)
        return ERR_TOO_LARGE;
    c = calloc(1, sizeof *c + (capacity + ISSUERS_MAX + AUTHORITIES_MAX) * sizeof c->room[0]);
    if (!c)
        return ERR_MEMORY;
    next = c->room;
    for (size_t i = 0; i < CACHE_PARTS; i++) {
        c->parts[i] = (struct part){.capacity = capacities[i], .entries = next};
        next += capacities[i];
    }
    *out = c;
    return ERR_NONE;
}

static void part_release(const struct part *p)
{
    for (size_t i = 0; i < p->count; i++)
        p->entries[i].kind->release(p->entries[i].thing);
}

void attest_cache_free(struct attest_cache **c)
{
    if (*c)
        for (size_t i = 0; i < CACHE_PARTS; i++)
            part_release(&(*c)->parts[i]);
    free(*c);
    *c = NULL;
}

static bool is_named(const struct entry *e, const uint8_t name[SHA256_SIZE])
{
    return memcmp(e->names.name, name, SHA256_SIZE) == 0; /* public */
}

static bool has_alias(const struct entry *e, const uint8_t name[SHA256_SIZE])
{
    return e->has_alias && memcmp(e->alias, name, SHA256_SIZE) == 0; /* public */
}

static bool is_of_family(const struct entry *e, const uint8_t name[SHA256_SIZE])
{
    return memcmp(e->names.family, name, SHA256_SIZE) == 0; /* public */
}

static struct entry *entry_find(struct attest_cache *cache, const struct cache_kind *kind,
                                bool (*is)(const struct entry *e, const uint8_t name[SHA256_SIZE]),
                                const uint8_t name[SHA256_SIZE])
{
    struct part *p = cache ? &cache->parts[kind->part] : NULL;

    for (size_t i = 0; p && i < p->count; i++) {
        struct entry *e = &p->entries[i];

        if (e->kind == kind && is(e, name)) {
            e->used = ++cache->clock;
            return e;
        }
    }
    return NULL;
}

bool cache_has(struct attest_cache *cache, const struct cache_kind *kind,
               const uint8_t name[SHA256_SIZE])
{
    return entry_find(cache, kind, is_named, name) != NULL;
}

void *cache_find(struct attest_cache *cache, const struct cache_kind *kind,
                 const uint8_t name[SHA256_SIZE])
{
    const struct entry *e = entry_find(cache, kind, is_named, name);

    return e ? e->thing : NULL;
}

void *cache_find_alias(struct attest_cache *cache, const struct cache_kind *kind,
                       const uint8_t alias[SHA256_SIZE])
{
    const struct entry *e = entry_find(cache, kind, has_alias, alias);

    return e ? e->thing : NULL;
}

void cache_alias(struct attest_cache *cache, const struct cache_kind *kind,
                 const uint8_t name[SHA256_SIZE], const uint8_t alias[SHA256_SIZE])
{
    struct entry *e = entry_find(cache, kind, is_named, name);

    if (!e)
        return;
    memcpy(e->alias, alias, SHA256_SIZE);
    e->has_alias = true;
}

/* The least recently used entry. */
static struct entry *oldest_of(const struct part *p)
{
    struct entry *oldest = &p->entries[0];

    for (size_t i = 1; i < p->count; i++)
        if (p->entries[i].used < oldest->used)
            oldest = &p->entries[i];
    return oldest;
}

/* The entry of the same family, a free entry, or the oldest one. */
static struct entry *entry_place(struct attest_cache *cache, const struct cache_kind *kind,
                                 const struct cache_names *names)
{
    struct part *p = &cache->parts[kind->part];
    struct entry *e = entry_find(cache, kind, is_of_family, names->family);

    if (!e && p->count < p->capacity)
        return &p->entries[p->count++];
    if (!e)
        e = oldest_of(p);
    e->kind->release(e->thing);
    return e;
}

void cache_put(struct attest_cache *cache, const struct cache_kind *kind,
               const struct cache_names *names, void *thing)
{
    struct entry *e = entry_place(cache, kind, names);

    *e = (struct entry){.kind = kind, .names = *names, .used = ++cache->clock, .thing = thing};
}
