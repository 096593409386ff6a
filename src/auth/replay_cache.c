#include "auth/replay_cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "auth/share.h"

#define NONE UINT32_MAX

/* The number of principals that can hold ids at the same time: four times the maximum of tokens. */
enum { OWNERS_MAX = 4096 };

struct slot {
    uint8_t id[REPLAY_ID_SIZE];
    int64_t expires_us;
    uint32_t owner; /* row of `owners` */
    uint32_t chain; /* next in the same bucket */
};

/* A ring in the order of arrival, which is also that of expiry, with an index. */
struct replay_cache {
    pthread_mutex_t lock;
    int64_t lifetime_us;
    struct share_table *owners;
    uint32_t oldest, count;
    uint32_t buckets[REPLAY_IDS_MAX];
    struct slot slots[REPLAY_IDS_MAX];
};

enum err replay_cache_new(int64_t lifetime_ms, struct replay_cache **out)
{
    struct replay_cache *c = calloc(1, sizeof *c);

    assert(lifetime_ms > 0);
    if (!c)
        return ERR_MEMORY;
    if (share_table_new(OWNERS_MAX, &c->owners) != ERR_NONE ||
        pthread_mutex_init(&c->lock, NULL) != 0) {
        share_table_free(&c->owners);
        free(c);
        return ERR_MEMORY;
    }
    memset(c->buckets, 0xff, sizeof c->buckets); /* NONE */
    c->lifetime_us = lifetime_ms * 1000;
    *out = c;
    return ERR_NONE;
}

/* Ids are hashes, so their own first bytes spread them. */
static uint32_t *bucket_of(struct replay_cache *c, const uint8_t id[REPLAY_ID_SIZE])
{
    uint32_t value;

    memcpy(&value, id, sizeof value);
    return &c->buckets[value % REPLAY_IDS_MAX];
}

static bool is_known(struct replay_cache *c, const uint8_t id[REPLAY_ID_SIZE])
{
    uint32_t i = *bucket_of(c, id);

    while (i != NONE &&
           !span_equal(span_of(c->slots[i].id, REPLAY_ID_SIZE), span_of(id, REPLAY_ID_SIZE)))
        i = c->slots[i].chain;
    return i != NONE;
}

static void remove_oldest(struct replay_cache *c)
{
    uint32_t *link = bucket_of(c, c->slots[c->oldest].id);

    while (*link != c->oldest)
        link = &c->slots[*link].chain;
    *link = c->slots[c->oldest].chain;
    share_give(c->owners, c->slots[c->oldest].owner);
    c->oldest = (c->oldest + 1) % REPLAY_IDS_MAX;
    c->count--;
}

static void add(struct replay_cache *c, uint32_t owner, const uint8_t id[REPLAY_ID_SIZE],
                int64_t expires_us)
{
    uint32_t i = (c->oldest + c->count) % REPLAY_IDS_MAX;
    uint32_t *bucket = bucket_of(c, id);

    c->slots[i] = (struct slot){.expires_us = expires_us, .owner = owner, .chain = *bucket};
    memcpy(c->slots[i].id, id, REPLAY_ID_SIZE);
    *bucket = i;
    c->count++;
}

enum err replay_cache_add(struct replay_cache *c, const uint8_t owner[PRINCIPAL_ID_SIZE],
                          const uint8_t id[REPLAY_ID_SIZE], int64_t now_us)
{
    enum err e = ERR_REPLAYED;
    uint32_t row;

    (void)pthread_mutex_lock(&c->lock);
    /* each id is removed once, so the cost is O(1) for each added id */
    while (c->count > 0 && now_us >= c->slots[c->oldest].expires_us)
        remove_oldest(c);
    if (!is_known(c, id)) {
        row = share_take(c->owners, owner, REPLAY_IDS_MAX - c->count);
        e = row != SHARE_NONE ? ERR_NONE : ERR_OVERLOADED;
        if (row != SHARE_NONE)
            add(c, row, id, now_us + c->lifetime_us);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return e;
}

void replay_cache_free(struct replay_cache **c)
{
    if (*c) {
        (void)pthread_mutex_destroy(&(*c)->lock);
        share_table_free(&(*c)->owners);
    }
    free(*c);
    *c = NULL;
}
