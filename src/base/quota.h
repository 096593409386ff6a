/*
 * Divides a resource between many owners, such as memory or places in a table. An owner may hold at
 * most as much as remains free: one owner gets half, two owners get a third each, n owners get
 * 1/(n+1) each. So a later owner always finds room, and on a quiet system one owner may use much of
 * the resource. Thread-safe.
 */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include "base/span.h"

#define QUOTA_OWNER_SIZE 16 /* bytes */

struct quota;

struct quota_owner {
    uint8_t key[QUOTA_OWNER_SIZE]; /* an address, or the first bytes of a hash */
};

/* `max` is the size of the resource, in the units of quota_take(). ERR_MEMORY */
MUST_CHECK enum err quota_new(size_t max, struct quota **out);
/* All owners must have returned everything before this call. */
void quota_free(struct quota **q);

/* Takes `size` units. On false nothing is taken: the share is used up, or memory is out. */
MUST_CHECK bool quota_take(struct quota *q, const struct quota_owner *owner, size_t size);
/* Returns `size` units. `size` is at most what the owner holds. */
void quota_give(struct quota *q, const struct quota_owner *owner, size_t size);

/* The units that all owners together hold now. */
size_t quota_held(struct quota *q);

#endif
