#include "base/quota.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BUCKETS = 1024 };

/* It exists while its owner holds something. */
struct share {
    struct quota_owner owner;
    size_t held;
    struct share *next; /* in its bucket */
};

struct quota {
    pthread_mutex_t lock;
    size_t max, held;
    uint64_t hash_key[2]; /* random, so that owners cannot choose their buckets */
    struct share *buckets[BUCKETS];
};

enum err quota_new(size_t max, struct quota **out)
{
    struct quota *q = calloc(1, sizeof *q);

    if (!q)
        return ERR_MEMORY;
    if (getrandom(q->hash_key, sizeof q->hash_key, 0) != (ssize_t)sizeof q->hash_key) {
        free(q);
        return ERR_MEMORY;
    }
    (void)pthread_mutex_init(&q->lock, NULL);
    q->max = max;
    *out = q;
    return ERR_NONE;
}

void quota_free(struct quota **q)
{
    if (!*q)
        return;
    assert((*q)->held == 0);
    (void)pthread_mutex_destroy(&(*q)->lock);
    free(*q);
    *q = NULL;
}

/* The place of the owner's share, or the end of its bucket. */
static struct share **find(struct quota *q, const struct quota_owner *owner)
{
    uint64_t half[2];
    uint64_t h;
    struct share **at;

    memcpy(half, owner->key, sizeof half);
    h = (half[0] ^ q->hash_key[0]) * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 32) ^ half[1] ^ q->hash_key[1]) * 0x9e3779b97f4a7c15u;
    at = &q->buckets[(h >> 32) % BUCKETS];
    while (*at && !span_equal(SPAN_OF((*at)->owner.key), SPAN_OF(owner->key)))
        at = &(*at)->next;
    return at;
}

static bool take_locked(struct quota *q, const struct quota_owner *owner, size_t size)
{
    struct share **at = find(q, owner);
    size_t own = *at ? (*at)->held : 0;
    size_t free_now = q->max - q->held;

    if (size > free_now || own + size > free_now - size)
        return false;
    if (!*at) {
        *at = calloc(1, sizeof **at);
        if (!*at)
            return false;
        (*at)->owner = *owner;
    }
    (*at)->held += size;
    q->held += size;
    return true;
}

bool quota_take(struct quota *q, const struct quota_owner *owner, size_t size)
{
    bool taken;

    if (size == 0)
        return true;
    (void)pthread_mutex_lock(&q->lock);
    taken = take_locked(q, owner, size);
    (void)pthread_mutex_unlock(&q->lock);
    return taken;
}

void quota_give(struct quota *q, const struct quota_owner *owner, size_t size)
{
    struct share **at;

    if (size == 0)
        return;
    (void)pthread_mutex_lock(&q->lock);
    at = find(q, owner);
    assert(*at && (*at)->held >= size);
    (*at)->held -= size;
    q->held -= size;
    if ((*at)->held == 0) {
        struct share *gone = *at;

        *at = gone->next;
        free(gone);
    }
    (void)pthread_mutex_unlock(&q->lock);
}

size_t quota_held(struct quota *q)
{
    size_t held;

    (void)pthread_mutex_lock(&q->lock);
    held = q->held;
    (void)pthread_mutex_unlock(&q->lock);
    return held;
}
