#include "auth/rate.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/random.h"

enum { WAYS = 8 };

/* `arrival` is the theoretical arrival time of the next request (GCRA), in ns. */
struct bucket {
    _Atomic uint64_t tag; /* 0: free; only set_admit() writes it, under the set's flag */
    _Atomic int64_t arrival;
};

struct set {
    struct bucket ways[WAYS];
    atomic_flag admitting;
};

struct rate_table {
    int64_t interval;  /* between requests at the sustained rate, ns; 0: no limit */
    int64_t allowance; /* interval * burst */
    size_t set_mask;
    uint8_t hash_key[SIPHASH_KEY_SIZE];
    struct set *sets;
};

enum err rate_table_new(struct rate_limit limit, size_t capacity, struct rate_table **out)
{
    struct rate_table *t = calloc(1, sizeof *t);
    size_t count = 1;

    if (!t)
        return ERR_MEMORY;
    while (count < capacity / WAYS + (capacity % WAYS != 0) && count <= SIZE_MAX / 4)
        count *= 2;
    t->sets = calloc(count, sizeof *t->sets);
    if (!t->sets) {
        free(t);
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++)
        atomic_flag_clear(&t->sets[i].admitting);
    t->set_mask = count - 1;
    random_bytes(t->hash_key, sizeof t->hash_key);
    if (limit.per_second > 0) { /* rounded up: never more than the limit */
        t->interval = (1000000000 + (int64_t)limit.per_second - 1) / limit.per_second;
        t->allowance = t->interval * (limit.burst > 0 ? limit.burst : 1);
    }
    *out = t;
    return ERR_NONE;
}

/* The random key prevents callers from choosing addresses that share a set. */
static struct set *set_of(struct rate_table *t, struct span key, uint64_t *tag)
{
    const uint64_t hash = siphash24(t->hash_key, key);

    *tag = hash | 1; /* never the tag of a free bucket */
    return &t->sets[hash >> 32 & t->set_mask];
}

static struct bucket *set_find(struct set *s, uint64_t tag)
{
    for (size_t i = 0; i < WAYS; i++)
        if (atomic_load_explicit(&s->ways[i].tag, memory_order_acquire) == tag)
            return &s->ways[i];
    return NULL;
}

/* Takes a free bucket, or the one with most of its burst left, because that loses least. */
static struct bucket *set_victim(struct set *s)
{
    struct bucket *best = &s->ways[0];

    for (size_t i = 0; i < WAYS; i++) {
        struct bucket *b = &s->ways[i];

        if (atomic_load_explicit(&b->tag, memory_order_relaxed) == 0)
            return b;
        if (atomic_load_explicit(&b->arrival, memory_order_relaxed) <
            atomic_load_explicit(&best->arrival, memory_order_relaxed))
            best = b;
    }
    return best;
}

/*
 * Makes a bucket for a new key. One thread at a time does this for each set, because two buckets
 * for one key would be two allowances. Known keys do not reach this function.
 */
static struct bucket *set_admit(struct set *s, uint64_t tag, int64_t now)
{
    struct bucket *b;

    while (atomic_flag_test_and_set_explicit(&s->admitting, memory_order_acquire))
        (void)sched_yield();
    b = set_find(s, tag);
    if (!b) {
        b = set_victim(s);
        atomic_store_explicit(&b->arrival, now, memory_order_relaxed);
        atomic_store_explicit(&b->tag, tag, memory_order_release);
    }
    atomic_flag_clear_explicit(&s->admitting, memory_order_release);
    return b;
}

int64_t rate_take_cost(struct rate_table *t, struct span key, uint32_t cost, int64_t now_us)
{
    int64_t now = now_us * 1000;
    int64_t took;
    struct bucket *b;
    struct set *s;
    uint64_t tag;
    int64_t arrival;
    int64_t next;

    if (t->interval == 0)
        return 0;
    took = cost > t->allowance / t->interval ? t->allowance : t->interval * cost;
    s = set_of(t, key, &tag);
    b = set_find(s, tag);
    if (!b)
        b = set_admit(s, tag, now);
    arrival = atomic_load_explicit(&b->arrival, memory_order_relaxed);
    do {
        next = (arrival > now ? arrival : now) + took;
        if (next - now > t->allowance)
            return (next - now - t->allowance + 999999) / 1000000;
    } while (!atomic_compare_exchange_weak_explicit(&b->arrival, &arrival, next,
                                                    memory_order_relaxed, memory_order_relaxed));
    return 0;
}

int64_t rate_take(struct rate_table *t, struct span key, int64_t now_us)
{
    return rate_take_cost(t, key, 1, now_us);
}

int64_t rate_wait(struct rate_table *t, struct span key, int64_t now_us)
{
    int64_t now = now_us * 1000;
    const struct bucket *b;
    struct set *s;
    uint64_t tag;
    int64_t arrival;

    if (t->interval == 0)
        return 0;
    s = set_of(t, key, &tag);
    b = set_find(s, tag);
    if (!b)
        return 0;
    arrival = atomic_load_explicit(&b->arrival, memory_order_relaxed);
    if (arrival < now)
        arrival = now;
    arrival += t->interval;
    return arrival - now > t->allowance ? (arrival - now - t->allowance + 999999) / 1000000 : 0;
}

void rate_table_free(struct rate_table **t)
{
    if (*t)
        free((*t)->sets);
    free(*t);
    *t = NULL;
}
