#include <stdlib.h>
#include <string.h>

#include "attest/pck_chain.h"

/* Least recently used goes first. A scan of 32-byte names is little beside one signature check. */
struct attest_cache {
    size_t capacity;
    size_t count;
    uint64_t clock; /* of uses */
    struct entry {
        uint8_t name[SHA256_SIZE]; /* SHA-256 of the PEM text */
        uint64_t used;
        struct pck_chain *chain;
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
            pck_chain_free(&(*c)->entries[i].chain);
    free(*c);
    *c = NULL;
}

static struct entry *entry_find(struct attest_cache *cache, const uint8_t name[SHA256_SIZE])
{
    for (size_t i = 0; i < cache->count; i++)
        if (memcmp(cache->entries[i].name, name, SHA256_SIZE) == 0) /* public */
            return &cache->entries[i];
    return NULL;
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
    pck_chain_free(&oldest->chain);
    return oldest;
}

/* Only chains that verified are kept, so what is not evidence cannot push others out. */
static const struct pck_chain *entry_put(struct attest_cache *cache,
                                         const uint8_t name[SHA256_SIZE], struct pck_chain *chain)
{
    struct entry *entry = entry_place(cache);

    memcpy(entry->name, name, SHA256_SIZE);
    entry->used = ++cache->clock;
    entry->chain = chain;
    return chain;
}

enum err pck_chain_find(struct attest_cache *cache, const struct attest_trust *trust,
                        struct span pem, const struct pck_chain **out, struct pck_chain **owned,
                        struct refusal *r)
{
    uint8_t name[SHA256_SIZE];
    struct pck_chain *chain = NULL;
    struct entry *entry = NULL;
    enum err e;

    if (cache) {
        sha256(pem, name);
        entry = entry_find(cache, name);
    }
    if (entry) {
        entry->used = ++cache->clock;
        *out = entry->chain;
        return ERR_NONE;
    }
    if ((e = pck_chain_new(trust, pem, &chain, r)) != ERR_NONE)
        return e;
    if (cache) {
        *out = entry_put(cache, name, chain);
    } else {
        *out = chain;
        *owned = chain;
    }
    return ERR_NONE;
}
