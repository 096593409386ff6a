#include "auth/nonce.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "auth/share.h"
#include "crypto/random.h"

/* The number of principals that can hold nonces at the same time: four times the maximum of
 * tokens. */
enum { OWNERS_MAX = 4096 };
#define NONE UINT32_MAX

struct slot {
    uint8_t nonce[NONCE_SIZE];
    int64_t expires_us;
    uint32_t owner;          /* row of `owners` */
    uint32_t chain;          /* next in the same bucket, or next free slot */
    uint32_t older, younger; /* in the order of issue, which is that of expiry */
};

struct nonce_table {
    pthread_mutex_t lock;
    struct share_table *owners;
    uint32_t free_slot, live;
    uint32_t oldest, youngest;
    uint32_t slot_buckets[NONCES_MAX];
    struct slot slots[NONCES_MAX];
};

/* Nonces are random, so their own first bytes spread them. */
static uint32_t bucket_of(const uint8_t nonce[NONCE_SIZE])
{
    uint32_t value;

    memcpy(&value, nonce, sizeof value);
    return value % NONCES_MAX;
}

enum err nonce_table_new(struct nonce_table **out)
{
    struct nonce_table *t = calloc(1, sizeof *t);

    if (!t)
        return ERR_MEMORY;
    if (share_table_new(OWNERS_MAX, &t->owners) != ERR_NONE ||
        pthread_mutex_init(&t->lock, NULL) != 0) {
        share_table_free(&t->owners);
        free(t);
        return ERR_MEMORY;
    }
    memset(t->slot_buckets, 0xff, sizeof t->slot_buckets); /* NONE */
    for (uint32_t i = 0; i < NONCES_MAX; i++)
        t->slots[i].chain = i + 1 < NONCES_MAX ? i + 1 : NONE;
    t->oldest = t->youngest = NONE;
    *out = t;
    return ERR_NONE;
}

static void slot_add(struct nonce_table *t, uint32_t owner, const uint8_t nonce[NONCE_SIZE],
                     int64_t expires_us)
{
    uint32_t i = t->free_slot;
    struct slot *s = &t->slots[i];
    uint32_t *bucket = &t->slot_buckets[bucket_of(nonce)];

    t->free_slot = s->chain;
    *s = (struct slot){.expires_us = expires_us,
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
    t->live++;
}

static void slot_remove(struct nonce_table *t, uint32_t i)
{
    struct slot *s = &t->slots[i];
    uint32_t *link = &t->slot_buckets[bucket_of(s->nonce)];

    while (*link != i)
        link = &t->slots[*link].chain;
    *link = s->chain;
    *(s->older != NONE ? &t->slots[s->older].younger : &t->oldest) = s->younger;
    *(s->younger != NONE ? &t->slots[s->younger].older : &t->youngest) = s->older;
    share_give(t->owners, s->owner);
    t->live--;
    s->chain = t->free_slot;
    t->free_slot = i;
}

/* Each nonce is removed once, so the cost is O(1) for each issued nonce. */
static void expired_remove(struct nonce_table *t, int64_t now_us)
{
    while (t->oldest != NONE && now_us >= t->slots[t->oldest].expires_us)
        slot_remove(t, t->oldest);
}

/* The maximum that `t` leaves to one principal. */
static uint32_t share_of(const struct nonce_table *t)
{
    const uint32_t free = NONCES_MAX - t->live;

    return free < NONCES_PER_OWNER ? free : NONCES_PER_OWNER;
}

enum err nonce_issue(struct nonce_table *t, const uint8_t owner[PRINCIPAL_ID_SIZE], int64_t now_us,
                     uint8_t out[NONCE_SIZE])
{
    uint8_t fresh[NONCE_SIZE];
    enum err e = ERR_OVERLOADED;
    uint32_t row;

    random_bytes(fresh, sizeof fresh);
    (void)pthread_mutex_lock(&t->lock);
    expired_remove(t, now_us);
    row = share_take(t->owners, owner, share_of(t));
    if (row != SHARE_NONE) {
        slot_add(t, row, fresh, now_us + NONCE_LIFETIME_MS * INT64_C(1000));
        memcpy(out, fresh, sizeof fresh);
        e = ERR_NONE;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return e;
}

static uint32_t slot_find(const struct nonce_table *t, const uint8_t nonce[NONCE_SIZE])
{
    uint32_t i = t->slot_buckets[bucket_of(nonce)];

    while (i != NONE && !bytes_equal_ct(t->slots[i].nonce, nonce, NONCE_SIZE))
        i = t->slots[i].chain;
    return i;
}

enum err nonce_use(struct nonce_table *t, const uint8_t owner[PRINCIPAL_ID_SIZE],
                   const uint8_t nonce[NONCE_SIZE], int64_t now_us)
{
    enum err e = ERR_REPLAYED;
    uint32_t i;

    (void)pthread_mutex_lock(&t->lock);
    i = slot_find(t, nonce);
    /* a nonce of another owner stays: a principal that saw it must not be able to use it up */
    if (i != NONE && share_is_of(t->owners, t->slots[i].owner, owner)) {
        e = now_us < t->slots[i].expires_us ? ERR_NONE : ERR_EXPIRED;
        slot_remove(t, i);
    }
    (void)pthread_mutex_unlock(&t->lock);
    return e;
}

void nonce_table_free(struct nonce_table **t)
{
    if (*t) {
        (void)pthread_mutex_destroy(&(*t)->lock);
        share_table_free(&(*t)->owners);
    }
    free(*t);
    *t = NULL;
}
