/*
 * One connection: reads requests from its bytes, one at a time and in order, and writes the
 * replies. All functions run on its loop's thread.
 */
#ifndef NET_CONNECTION_H
#define NET_CONNECTION_H

#include "net/loop.h"

/* Takes over `fd` and the place that `key` holds among the peers. An `admin` connection has no
 * place. */
void connection_begin(struct loop *l, int fd, const struct peer_key *key,
                      const struct sockaddr_storage *address, bool admin);

/*
 * Makes room for a new connection: closes the oldest one of this loop that never authenticated a
 * caller. False when there is none.
 */
MUST_CHECK bool connection_evict(struct loop *l);

/* Closes connections that wait for a request. All others end after their reply. */
void connection_drain_all(struct loop *l);
void connection_end_all(struct loop *l);

#endif
