/*
 * Counts the connections of each address, over all loops. IPv6 addresses count by /64, because one
 * peer usually has a whole /64.
 */
#ifndef NET_PEERS_H
#define NET_PEERS_H

#include <sys/socket.h>

#include "base/span.h"

#define PEER_TEXT_SIZE 46

struct peers;

struct peer_key {
    uint8_t bytes[16]; /* IPv6, IPv4 mapped into it */
};

/* count_max: total connections. per_address: of one address; 0: no limit. ERR_MEMORY */
MUST_CHECK enum err peers_new(unsigned count_max, unsigned per_address, struct peers **out);
void peers_free(struct peers **p);

void peer_key_of(const struct sockaddr_storage *address, struct peer_key *out);
/* Numeric, terminated; IPv4 mapped into IPv6 as IPv4; "" for other families. */
void peer_text(const struct sockaddr_storage *address, char out[PEER_TEXT_SIZE]);

enum peers_entered {
    PEERS_ENTERED,
    PEERS_SHARE_USED, /* connections of that address use it up */
    PEERS_FULL
};
/* Thread-safe, like peers_leave(). */
/* exempt: from the share of an address, for a trusted proxy */
MUST_CHECK enum peers_entered peers_enter(struct peers *p, const struct peer_key *key, bool exempt);
void peers_leave(struct peers *p, const struct peer_key *key);

#endif
