/*
 * Which parts of an item are the newest. Sources are not trusted, and two edges of one service may
 * disagree, so each part is ordered by itself: by its issuer's number and time of issue, never by
 * its expiry (attest/attest.h, struct attest_part). What is kept is the newest of every part.
 */
#ifndef COLLATERAL_MERGE_H
#define COLLATERAL_MERGE_H

#include "collateral/item.h"

/* Parts as bits. A part that is the same in both is in neither. */
struct collateral_difference {
    unsigned newer; /* the candidate's takes the place of the one held */
    unsigned older; /* the one held stays */
    unsigned early; /* those of `older` that only lose because they are not valid yet */
};

/*
 * Compares two items of one name. A part whose issuer the newest root CRL lists loses against one
 * whose issuer it does not list; a part that is not valid yet at `now` loses against one that is.
 * Intel parts under different roots are never mixed: then the TCB info decides for all.
 */
void collateral_compare(const struct collateral_item *held, const struct collateral_item *candidate,
                        struct timestamp now, struct collateral_difference *out);

/*
 * Makes an item of the parts `newer` of `candidate` and of the other parts of `held`, and verifies
 * the whole again. ERR_DENIED: the parts do not fit together; `*reason`. ERR_MEMORY
 */
MUST_CHECK enum err collateral_merge(const struct attest_trust *trust,
                                     const struct collateral_item *held,
                                     const struct collateral_item *candidate, unsigned newer,
                                     struct collateral_item **out, enum attest_reason *reason);

#endif
