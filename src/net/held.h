/* Memory held for one caller. It is counted against the share of its owner until it is freed. */
#ifndef NET_HELD_H
#define NET_HELD_H

#include "base/quota.h"

/* This much is not counted. The number of connections bounds it, and most requests need no more. */
#define HELD_FREE_SIZE 4096 /* bytes */

struct held {
    struct quota *pot; /* the pot of strangers, or of authenticated callers */
    struct quota_owner owner;
    size_t size; /* bytes that were taken from the pot */
};

/*
 * Counts `size` bytes from now on. False when that exceeds the owner's share; then the old size
 * stays counted. A smaller size is always possible.
 */
MUST_CHECK bool held_grow(struct held *h, size_t size);
void held_shrink(struct held *h, size_t size);

#endif
