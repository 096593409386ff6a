/*
 * One connection: bytes to requests, one at a time and in order, and replies back. All on its
 * loop's thread.
 */
#ifndef NET_CONNECTION_H
#define NET_CONNECTION_H

#include "net/loop.h"

/* Takes over `fd` and the place `key` holds among the peers; with `admin` it holds none. */
void connection_begin(struct loop *l, int fd, const struct peer_key *key,
                      const struct sockaddr_storage *address, bool admin);

/*
 * Closes the oldest connection of this loop that never authenticated a caller, for a new one. False
 * when it has none.
 */
MUST_CHECK bool connection_evict(struct loop *l);

/* Closes connections that wait for a request; the others end after their reply. */
void connection_drain_all(struct loop *l);
void connection_end_all(struct loop *l);

#endif
