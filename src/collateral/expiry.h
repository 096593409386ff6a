/*
 * Which collateral is near its end, for a warning once a day for each item. Pure: the caller reads
 * the clock and writes the operational log. Early sets judge no request, so they are left out.
 */
#ifndef COLLATERAL_EXPIRY_H
#define COLLATERAL_EXPIRY_H

#include "collateral/store.h"

#define COLLATERAL_EXPIRY_SOON_S (7 * 86400)

/* What was warned of. */
struct collateral_warning {
    char name[COLLATERAL_NAME_SIZE];
    bool expired;        /* what the last warning said */
    struct timestamp at; /* when */
};

/* Zero-initialise; collateral_expiry_clear() it. */
struct collateral_expiry {
    struct collateral_warning *items;
    size_t count;
};
void collateral_expiry_clear(struct collateral_expiry *e);

typedef void collateral_expiry_tell(void *context, const struct collateral_item *item,
                                    bool expired);

/*
 * Calls `tell` for each item that has expired, or expires within COLLATERAL_EXPIRY_SOON_S: when
 * that is news, and then once a day. Forgets items that are held no more or were replaced.
 * ERR_MEMORY: `tell` was not called
 */
MUST_CHECK enum err collateral_expiry_look(struct collateral_expiry *e,
                                           const struct collateral_snapshot *held,
                                           struct timestamp now, collateral_expiry_tell *tell,
                                           void *context);

#endif
