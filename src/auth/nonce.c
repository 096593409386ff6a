#include "auth/nonce.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"

/* Owners are hashes of configured tokens (at most TOKENS_MAX); twice that keeps chains short. */
#define OWNERS_MAX 2048
#define NONE UINT32_MAX

struct slot {
    uint8_t nonce[NONCE_SIZE];
    int64_t expires_ms;
    uint32_t owner;          /* index into owners */
    uint32_t chain;          /* next in the same bucket, or next free slot */
    uint32_t older, younger; /* in the order of issue, which is that of expiry */
};

struct owner {
    uint8_t id[32];
    uint32_t live; /* nonces; 0: the place is free */
    uint32_t chain;
};

struct nonce_table {
    pthread_mutex_t lock;
    uint32_t free_slot, free_owner;
    uint32_t oldest, youngest;
    uint32_t slot_buckets[NONCES_MAX];
    uint32_t owner_buckets[OWNERS_MAX];
    struct owner owners[OWNERS_MAX];
    struct slot slots[NONCES_MAX];
};

/* Nonces are random and owners are hashes, so their own first bytes spread them. */
static uint32_t bucket_of(const uint8_t *bytes, uint32_t count)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof value);
    return value % count;
}

enum err nonce_table_new(struct nonce_table **out)
{
    struct nonce_table *t = calloc(1, sizeof *t);

    if (!t)
        return ERR_MEMORY;
    if (pthread_mutex_init(&t->lock, NULL) != 0) {
        free(t);
        return ERR_MEMORY;
    }
    memset(t->slot_buckets, 0xff, sizeof t->slot_buckets); /* NONE */
    memset(t->owner_buckets, 0xff, sizeof t->owner_buckets);
    for (uint32_t i = 0; i < NONCES_MAX; i++)
        t->slots[i].chain = i + 1 < NONCES_MAX ? i + 1 : NONE;
    for (uint32_t i = 0; i < OWNERS_MAX; i++)
        t->owners[i].chain = i + 1 < OWNERS_MAX ? i + 1 : NONE;
    t->oldest = t->youngest = NONE;
    *out = t;
    return ERR_NONE;
}

static uint32_t owner_find(const struct nonce_table *t, const uint8_t id[32])
{
    uint32_t i = t->owner_buckets[bucket_of(id, OWNERS_MAX)];

    while (i != NONE && !bytes_equal_ct(t->owners[i].id, id, 32))
        i = t->owners[i].chain;
    return i;
}

/* Finds or adds; NONE when the table of owners is full. */
static uint32_t owner_take(struct nonce_table *t, const uint8_t id[32])
{
    uint32_t *bucket = &t->owner_buckets[bucket_of(id, OWNERS_MAX)];
    uint32_t i = owner_find(t, id);

    if (i != NONE || t->free_owner == NONE)
        return i;
    i = t->free_owner;
    t->free_owner = t->owners[i].chain;
    memcpy(t->owners[i].id, id, 32);
    t->owners[i].live = 0;
    t->owners[i].chain = *bucket;
    *bucket = i;
    return i;
}

static void owner_release_if_idle(struct nonce_table *t, uint32_t i)
{
    uint32_t *link = &t->owner_buckets[bucket_of(t->owners[i].id, OWNERS_MAX)];

    if (t->owners[i].live > 0)
        return;
    while (*link != i)
        link = &t->owners[*link].chain;
    *link = t->owners[i].chain;
    t->owners[i].chain = t->free_owner;
    t->free_owner = i;
}

static void slot_add(struct nonce_table *t, uint32_t owner, const uint8_t nonce[NONCE_SIZE],
                     int64_t expires_ms)
{
    uint32_t i = t->free_slot;
    struct slot *s = &t->slots[i];
    uint32_t *bucket = &t->slot_buckets[bucket_of(nonce, NONCES_MAX)];

    t->free_slot = s->chain;
    *s = (struct slot){.expires_ms = expires_ms,
                       .owner = owner,
                       .chain = *bucket,
                       .older = t->youngest,
                       .younger = NONE};
    memcpy(s->nonce, nonce, NONCE_SIZE);
    *bucket = i;
    if (t->youngest != NONE)
        t->slots[t->youngest].younger = i;
    else
        t->oldest = i;
    t->youngest = i;
    t->owners[owner].live++;
}

static void slot_remove(struct nonce_table *t, uint32_t i)
{
    struct slot *s = &t->slots[i];
    uint32_t *link = &t->slot_buckets[bucket_of(s->nonce, NONCES_MAX)];

    while (*link != i)
        link = &t->slots[*link].chain;
    *link = s->chain;
    *(s->older != NONE ? &t->slots[s->older].younger : &t->oldest) = s->younger;
    *(s->younger != NONE ? &t->slots[s->younger].older : &t->youngest) = s->older;
    t->owners[s->owner].live--;
    owner_release_if_idle(t, s->owner);
    s->chain = t->free_slot;
    t->free_slot = i;
}

/* Each nonce is removed once, so this is O(1) for each that was issued. */
static void expired_remove(struct nonce_table *t, struct timestamp now)
{
    while (t->oldest != NONE && now.ms >= t->slots[t->oldest].expires_ms)
        slot_remove(t, t->oldest);
}

enum err nonce_issue(struct nonce_table *t, const uint8_t owner[32], struct timestamp now,
                     uint8_t out[NONCE_SIZE])
{
    uint8_t fresh[NONCE_SIZE];
    enum err e = ERR_OVERLOADED;
    uint32_t i;

    random_bytes(fresh, sizeof fresh);
    (void)pthread_mutex_lock(&t->lock);
    expired_remove(t, now);
    i = t->free_slot != NONE ? owner_take(t, owner) : NONE;
    if (i != NONE && t->owners[i].live < NONCES_PER_OWNER) {
        slot_add(t, i, fresh, now.ms + NONCE_LIFETIME_MS);
        memcpy(out, fresh, sizeof fresh);
        e = ERR_NONE;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return e;
}

static uint32_t slot_find(const struct nonce_table *t, const uint8_t nonce[NONCE_SIZE])
{
    uint32_t i = t->slot_buckets[bucket_of(nonce, NONCES_MAX)];

    while (i != NONE && !bytes_equal_ct(t->slots[i].nonce, nonce, NONCE_SIZE))
        i = t->slots[i].chain;
    return i;
}

enum err nonce_use(struct nonce_table *t, const uint8_t owner[32], const uint8_t nonce[NONCE_SIZE],
                   struct timestamp now)
{
    enum err e = ERR_REPLAYED;
    uint32_t i;

    (void)pthread_mutex_lock(&t->lock);
    i = slot_find(t, nonce);
    /* another owner's stays: who overhears a nonce must not be able to use it up */
    if (i != NONE && bytes_equal_ct(t->owners[t->slots[i].owner].id, owner, 32)) {
        e = now.ms < t->slots[i].expires_ms ? ERR_NONE : ERR_EXPIRED;
        slot_remove(t, i);
    }
    (void)pthread_mutex_unlock(&t->lock);
    return e;
}

void nonce_table_free(struct nonce_table **t)
{
    if (*t)
        (void)pthread_mutex_destroy(&(*t)->lock);
    free(*t);
    *t = NULL;
}
