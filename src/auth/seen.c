#include "auth/seen.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct slot {
    uint8_t id[SEEN_ID_SIZE];
    int64_t expires_ms;
    uint32_t chain; /* next in the same bucket */
};

/* A ring in the order of arrival, which is that of expiry, with an index over it. */
struct seen_table {
    pthread_mutex_t lock;
    int64_t lifetime_ms;
    uint32_t oldest, count;
    uint32_t buckets[SEEN_MAX];
    struct slot slots[SEEN_MAX];
};

enum err seen_table_new(int64_t lifetime_ms, struct seen_table **out)
{
    struct seen_table *t = calloc(1, sizeof *t);

    assert(lifetime_ms > 0);
    if (!t)
        return ERR_MEMORY;
    if (pthread_mutex_init(&t->lock, NULL) != 0) {
        free(t);
        return ERR_MEMORY;
    }
    memset(t->buckets, 0xff, sizeof t->buckets); /* NONE */
    t->lifetime_ms = lifetime_ms;
    *out = t;
    return ERR_NONE;
}

/* Ids are hashes, so their own first bytes spread them. */
static uint32_t *bucket_of(struct seen_table *t, const uint8_t id[SEEN_ID_SIZE])
{
    uint32_t value;

    memcpy(&value, id, sizeof value);
    return &t->buckets[value % SEEN_MAX];
}

static bool is_known(struct seen_table *t, const uint8_t id[SEEN_ID_SIZE])
{
    uint32_t i = *bucket_of(t, id);

    while (i != NONE &&
           !span_equal(span_of(t->slots[i].id, SEEN_ID_SIZE), span_of(id, SEEN_ID_SIZE)))
        i = t->slots[i].chain;
    return i != NONE;
}

static void remove_oldest(struct seen_table *t)
{
    uint32_t *link = bucket_of(t, t->slots[t->oldest].id);

    while (*link != t->oldest)
        link = &t->slots[*link].chain;
    *link = t->slots[t->oldest].chain;
    t->oldest = (t->oldest + 1) % SEEN_MAX;
    t->count--;
}

static void add(struct seen_table *t, const uint8_t id[SEEN_ID_SIZE], int64_t expires_ms)
{
    uint32_t i = (t->oldest + t->count) % SEEN_MAX;
    uint32_t *bucket = bucket_of(t, id);

    memcpy(t->slots[i].id, id, SEEN_ID_SIZE);
    t->slots[i].expires_ms = expires_ms;
    t->slots[i].chain = *bucket;
    *bucket = i;
    t->count++;
}

enum err seen_add(struct seen_table *t, const uint8_t id[SEEN_ID_SIZE], struct timestamp now)
{
    enum err e = ERR_NONE;

    (void)pthread_mutex_lock(&t->lock);
    /* each is removed once, so this is O(1) for each that was added */
    while (t->count > 0 && now.ms >= t->slots[t->oldest].expires_ms)
        remove_oldest(t);
    if (is_known(t, id))
        e = ERR_REPLAYED;
    else if (t->count == SEEN_MAX)
        e = ERR_OVERLOADED;
    else
        add(t, id, now.ms + t->lifetime_ms);
    (void)pthread_mutex_unlock(&t->lock);
    return e;
}

void seen_table_free(struct seen_table **t)
{
    if (*t)
        (void)pthread_mutex_destroy(&(*t)->lock);
    free(*t);
    *t = NULL;
}
