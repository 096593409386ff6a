/*
 * Shares of something that many owners use together, such as memory or places in a table. An owner
 * may hold at most as much as is left free: one owner gets half, two get a third each, n get
 * 1/(n+1) each. So an owner that comes later always finds room, and a quiet system lends its room
 * out. Thread-safe.
 */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include "base/span.h"

#define QUOTA_OWNER_SIZE 16 /* bytes */

struct quota;

struct quota_owner {
    uint8_t key[QUOTA_OWNER_SIZE]; /* an address, or the first bytes of a hash */
};

/* `max` is in the units of quota_take(). ERR_MEMORY */
MUST_CHECK enum err quota_new(size_t max, struct quota **out);
/* Everything was given back before. */
void quota_free(struct quota **q);

/* False when the owner would hold more than its share, or out of memory: then nothing was taken. */
MUST_CHECK bool quota_take(struct quota *q, const struct quota_owner *owner, size_t size);
/* At most what the owner holds. */
void quota_give(struct quota *q, const struct quota_owner *owner, size_t size);

/* What all owners hold now. */
size_t quota_held(struct quota *q);

#endif
