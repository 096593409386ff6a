#include <stdlib.h>
#include <string.h>

#include "auth/session.h"
#include "auth/share.h"

#define NONE UINT32_MAX

/* An entry keeps its place; the index, at most half full, refers to it by number. */
struct entry {
    uint8_t hash[SHA256_SIZE]; /* of the token */
    uint32_t newer, older;     /* of the same owner, in the order of use */
    uint32_t owner;            /* row of `owners` */
    uint64_t used;             /* time of the last use, counted in uses of the cache */
    struct session session;
};

struct session_cache {
    uint32_t capacity, count;
    uint64_t uses;
    struct share_table *owners;
    struct use_order {
        uint32_t newest, oldest;
    } * orders; /* of the entries of each owner, by its row */
    uint32_t mask;
    uint32_t *index; /* open addressing, linear probing */
    struct entry *entries;
};

enum err session_cache_new(size_t capacity, struct session_cache **out)
{
    struct session_cache *c = NULL;
    size_t places = 4;

    if (capacity == 0 || capacity > 1u << 20)
        return ERR_TOO_LARGE;
    while (places < 2 * capacity)
        places *= 2;
    c = calloc(1, sizeof *c);
    if (c) {
        c->index = malloc(places * sizeof *c->index);
        c->entries = calloc(capacity, sizeof *c->entries);
        c->orders = malloc(capacity * sizeof *c->orders);
    }
    if (!c || !c->index || !c->entries || !c->orders ||
        share_table_new(capacity, &c->owners) != ERR_NONE) {
        session_cache_free(&c);
        return ERR_MEMORY;
    }
    memset(c->index, 0xff, places * sizeof *c->index); /* NONE */
    memset(c->orders, 0xff, capacity * sizeof *c->orders);
    c->capacity = (uint32_t)capacity;
    c->mask = (uint32_t)places - 1;
    *out = c;
    return ERR_NONE;
}

static uint32_t home_of(const struct session_cache *c, const uint8_t hash[SHA256_SIZE])
{
    uint32_t value;

    memcpy(&value, hash, sizeof value);
    return value & c->mask;
}

/* The place of this hash in the index, or the free place for it. */
static uint32_t place_of(const struct session_cache *c, const uint8_t hash[SHA256_SIZE])
{
    uint32_t place = home_of(c, hash);

    while (c->index[place] != NONE &&
           !bytes_equal_ct(c->entries[c->index[place]].hash, hash, SHA256_SIZE))
        place = (place + 1) & c->mask;
    return place;
}

/* Backward shift, so that no deletion marks accumulate (Knuth, TAOCP 6.4, algorithm R). */
static void place_clear(struct session_cache *c, uint32_t hole)
{
    for (uint32_t at = (hole + 1) & c->mask; c->index[at] != NONE; at = (at + 1) & c->mask) {
        uint32_t home = home_of(c, c->entries[c->index[at]].hash);

        if (((at - home) & c->mask) >= ((at - hole) & c->mask)) {
            c->index[hole] = c->index[at];
            hole = at;
        }
    }
    c->index[hole] = NONE;
}

static void unlink_entry(struct session_cache *c, uint32_t i)
{
    struct entry *e = &c->entries[i];
    struct use_order *order = &c->orders[e->owner];

    *(e->newer != NONE ? &c->entries[e->newer].older : &order->newest) = e->older;
    *(e->older != NONE ? &c->entries[e->older].newer : &order->oldest) = e->newer;
}

static void link_newest(struct session_cache *c, uint32_t i)
{
    struct entry *e = &c->entries[i];
    struct use_order *order = &c->orders[e->owner];

    e->newer = NONE;
    e->older = order->newest;
    e->used = ++c->uses;
    *(order->newest != NONE ? &c->entries[order->newest].newer : &order->oldest) = i;
    order->newest = i;
}

const struct session *session_cache_find(struct session_cache *c, struct span token)
{
    uint8_t hash[SHA256_SIZE];
    uint32_t i;

    if (token.size > SESSION_TOKEN_MAX) /* never put, so not hashed */
        return NULL;
    sha256(token, hash);
    i = c->index[place_of(c, hash)];
    if (i == NONE)
        return NULL;
    unlink_entry(c, i);
    link_newest(c, i);
    return &c->entries[i].session;
}

/* The least recently used entry of the owner with most entries. */
static uint32_t victim(const struct session_cache *c)
{
    uint32_t found = NONE;
    uint32_t most = 0;

    for (uint32_t row = 0; row < share_rows(c->owners); row++) {
        const uint32_t held = share_held(c->owners, row);

        if (held < most || held == 0)
            continue;
        const uint32_t i = c->orders[row].oldest;

        if (held > most || c->entries[i].used < c->entries[found].used)
            found = i;
        most = held;
    }
    return found;
}

/* The number of the entry to fill: a new one, or a removed one. */
static uint32_t entry_take(struct session_cache *c)
{
    uint32_t i;

    if (c->count < c->capacity)
        return c->count++;
    i = victim(c);
    place_clear(c, place_of(c, c->entries[i].hash));
    unlink_entry(c, i);
    share_give(c->owners, c->entries[i].owner);
    return i;
}

void session_cache_put(struct session_cache *c, struct span token, const struct session *s)
{
    uint8_t hash[SHA256_SIZE];
    uint32_t i;

    sha256(token, hash);
    i = c->index[place_of(c, hash)];
    if (i != NONE) {
        unlink_entry(c, i);
        share_give(c->owners, c->entries[i].owner);
    } else {
        i = entry_take(c);
        c->index[place_of(c, hash)] = i; /* after the eviction, which may move places */
        memcpy(c->entries[i].hash, hash, sizeof hash);
    }
    c->entries[i].session = *s;
    c->entries[i].owner = share_take(c->owners, s->token_hash, c->capacity);
    link_newest(c, i);
}

void session_cache_free(struct session_cache **c)
{
    if (*c) {
        free((*c)->index);
        free((*c)->entries);
        free((*c)->orders);
        share_table_free(&(*c)->owners);
    }
    free(*c);
    *c = NULL;
}
