#include "attest/cache.h"

#include <stdlib.h>
#include <string.h>

/* A scan of 32-byte names is little beside one signature check. */
struct attest_cache {
    size_t capacity;
    size_t count;
    uint64_t clock; /* of uses */
    struct entry {
        const struct cache_kind *kind;
        uint8_t name[SHA256_SIZE];
        uint64_t used;
        void *thing;
    } entries[];
};

enum err attest_cache_new(size_t capacity, struct attest_cache **out)
{
    struct attest_cache *c;

    if (capacity == 0 || capacity > ATTEST_CACHE_MAX)
        return ERR_TOO_LARGE;
    c = calloc(1, sizeof *c + capacity * sizeof c->entries[0]);
    if (!c)
        return ERR_MEMORY;
    c->capacity = capacity;
    *out = c;
    return ERR_NONE;
}

void attest_cache_free(struct attest_cache **c)
{
    if (*c)
        for (size_t i = 0; i < (*c)->count; i++)
            (*c)->entries[i].kind->release((*c)->entries[i].thing);
    free(*c);
    *c = NULL;
}

static struct entry *entry_find(struct attest_cache *cache, const struct cache_kind *kind,
                                const uint8_t name[SHA256_SIZE])
{
    for (size_t i = 0; cache && i < cache->count; i++) {
        struct entry *e = &cache->entries[i];

        if (e->kind == kind && memcmp(e->name, name, SHA256_SIZE) == 0) { /* public */
            e->used = ++cache->clock;
            return e;
        }
    }
    return NULL;
}

bool cache_has(struct attest_cache *cache, const struct cache_kind *kind,
               const uint8_t name[SHA256_SIZE])
{
    return entry_find(cache, kind, name) != NULL;
}

void *cache_find(struct attest_cache *cache, const struct cache_kind *kind,
                 const uint8_t name[SHA256_SIZE])
{
    const struct entry *e = entry_find(cache, kind, name);

    return e ? e->thing : NULL;
}

/* A free place, or that of the entry that was not used for the longest. */
static struct entry *entry_place(struct attest_cache *cache)
{
    struct entry *oldest = &cache->entries[0];

    if (cache->count < cache->capacity)
        return &cache->entries[cache->count++];
    for (size_t i = 1; i < cache->count; i++)
        if (cache->entries[i].used < oldest->used)
            oldest = &cache->entries[i];
    oldest->kind->release(oldest->thing);
    return oldest;
}

void cache_put(struct attest_cache *cache, const struct cache_kind *kind,
               const uint8_t name[SHA256_SIZE], void *thing)
{
    struct entry *e = entry_place(cache);

    *e = (struct entry){.kind = kind, .used = ++cache->clock, .thing = thing};
    memcpy(e->name, name, SHA256_SIZE);
}
