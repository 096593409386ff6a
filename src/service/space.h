/*
 * The disk that the store uses, measured now and then on a thread of its own, because a database
 * server may be slow to answer. Above a limit nothing is recorded any more, and so nothing is
 * released; nothing is deleted either.
 */
#ifndef SERVICE_SPACE_H
#define SERVICE_SPACE_H

#include "store/store.h"

struct space;

struct space_figures {
    uint64_t used, limit; /* bytes; the limit is 0 without one; 0 used: not measured yet */
    bool full;
};

/* Measures once, then every SPACE_INTERVAL_S seconds. `limit` is in bytes, 0 for none. ERR_MEMORY
 */
enum { SPACE_INTERVAL_S = 5 };
MUST_CHECK enum err space_start(struct store *store, uint64_t limit, struct space **out);
/* Accepts NULL. The store must be there until then. */
void space_stop(struct space **s);

/* Any thread, without waiting. */
void space_figures(const struct space *s, struct space_figures *out);

/*
 * What the operational log says, each time when the use passes one of them: 80 % and 90 % of the
 * limit, and the limit. Pure: 0 to 3.
 */
unsigned space_level(uint64_t used, uint64_t limit);

#endif
