#include "net/peers.h"

#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct peer {
    struct peer_key key;
    unsigned count;
    struct peer *next; /* in its bucket, or in the list of unused entries */
};

struct peers {
    pthread_mutex_t lock;
    unsigned count, count_max, per_address;
    uint64_t hash_key; /* random, so that peers cannot choose their buckets */
    size_t bucket_mask;
    struct peer **buckets;
    struct peer *all;
    struct peer *unused;
};

enum err peers_new(unsigned count_max, unsigned per_address, struct peers **out)
{
    struct peers *p = calloc(1, sizeof *p);
    size_t buckets = 16;

    if (!p)
        return ERR_MEMORY;
    (void)pthread_mutex_init(&p->lock, NULL);
    while (buckets < count_max)
        buckets *= 2;
    p->count_max = count_max;
    p->per_address = per_address > 0 && per_address < count_max ? per_address : UINT_MAX;
    p->bucket_mask = buckets - 1;
    p->buckets = calloc(buckets, sizeof(struct peer *));
    p->all = calloc(count_max ? count_max : 1, sizeof *p->all);
    if (!p->buckets || !p->all ||
        getrandom(&p->hash_key, sizeof p->hash_key, 0) != (ssize_t)sizeof p->hash_key) {
        peers_free(&p);
        return ERR_MEMORY;
    }
    for (unsigned i = 0; i < count_max; i++) {
        p->all[i].next = p->unused;
        p->unused = &p->all[i];
    }
    *out = p;
    return ERR_NONE;
}

void peers_free(struct peers **p)
{
    if (!*p)
        return;
    (void)pthread_mutex_destroy(&(*p)->lock);
    free((*p)->buckets);
    free((*p)->all);
    free(*p);
    *p = NULL;
}

void peer_key_of(const struct sockaddr_storage *address, struct peer_key *out)
{
    *out = (struct peer_key){0};
    if (address->ss_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, address, sizeof v4);
        out->bytes[10] = 0xff;
        out->bytes[11] = 0xff;
        memcpy(out->bytes + 12, &v4.sin_addr, 4);
    } else if (address->ss_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, address, sizeof v6);
        memcpy(out->bytes, &v6.sin6_addr, IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) ? 16 : 8);
    }
}

static const char *text_of(const struct sockaddr_storage *address, char out[INET6_ADDRSTRLEN])
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->ss_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        return inet_ntop(AF_INET, &v4.sin_addr, out, INET6_ADDRSTRLEN);
    }
    if (address->ss_family != AF_INET6)
        return NULL;
    memcpy(&v6, address, sizeof v6);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) /* one spelling for both kinds of socket */
        return inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, out, INET6_ADDRSTRLEN);
    return inet_ntop(AF_INET6, &v6.sin6_addr, out, INET6_ADDRSTRLEN);
}

void peer_text(const struct sockaddr_storage *address, char out[PEER_TEXT_SIZE])
{
    char text[INET6_ADDRSTRLEN];

    memset(out, 0, PEER_TEXT_SIZE);
    if (text_of(address, text))
        memcpy(out, text, strlen(text));
}

static struct peer **find(struct peers *p, const struct peer_key *key)
{
    uint64_t half[2];
    uint64_t h;
    struct peer **at;

    memcpy(half, key->bytes, sizeof half);
    h = (half[0] ^ p->hash_key) * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 32) ^ half[1]) * 0x9e3779b97f4a7c15u;
    at = &p->buckets[(h >> 32) & p->bucket_mask];
    while (*at && memcmp((*at)->key.bytes, key->bytes, sizeof half) != 0) /* public */
        at = &(*at)->next;
    return at;
}

static enum peers_entered enter_locked(struct peers *p, const struct peer_key *key, bool exempt)
{
    struct peer **at = find(p, key);

    if (!exempt && *at && (*at)->count >= p->per_address)
        return PEERS_SHARE_USED;
    if (p->count == p->count_max)
        return PEERS_FULL;
    if (!*at) {
        *at = p->unused; /* there is one: there are as many entries as connections */
        p->unused = (*at)->next;
        **at = (struct peer){.key = *key};
    }
    (*at)->count++;
    p->count++;
    return PEERS_ENTERED;
}

enum peers_entered peers_enter(struct peers *p, const struct peer_key *key, bool exempt)
{
    enum peers_entered entered;

    (void)pthread_mutex_lock(&p->lock);
    entered = enter_locked(p, key, exempt);
    (void)pthread_mutex_unlock(&p->lock);
    return entered;
}

void peers_leave(struct peers *p, const struct peer_key *key)
{
    struct peer **at;

    (void)pthread_mutex_lock(&p->lock);
    at = find(p, key);
    assert(*at && (*at)->count > 0);
    p->count--;
    if (--(*at)->count == 0) {
        struct peer *gone = *at;

        *at = gone->next;
        gone->next = p->unused;
        p->unused = gone;
    }
    (void)pthread_mutex_unlock(&p->lock);
}
