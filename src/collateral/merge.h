/*
 * Finds the newest parts of an item. Sources are not trusted, and two servers of one service may
 * disagree. So each part is ordered separately: by its issuer's number and time of issue, never by
 * its expiry (attest/attest.h, struct attest_part). The store keeps the newest of every part.
 */
#ifndef COLLATERAL_MERGE_H
#define COLLATERAL_MERGE_H

#include "collateral/item.h"

/* Parts as bits. A part that is equal in both is in none of them. */
struct collateral_difference {
    unsigned newer; /* the candidate's part replaces the held one */
    unsigned older; /* the held part stays */
    unsigned early; /* those of `older` that lose only because they are not valid yet */
};

/*
 * Compares two items of one name. If the newest root CRL lists the issuer of only one part, that
 * part loses. If only one part is not valid yet at `now`, it loses. Intel parts under different
 * roots are never mixed: then the TCB info decides for all.
 */
void collateral_compare(const struct collateral_item *held, const struct collateral_item *candidate,
                        struct timestamp now, struct collateral_difference *out);

/*
 * Makes an item of the parts `newer` of `candidate` and of the other parts of `held`, and verifies
 * it again. ERR_DENIED the parts do not fit together; `*reason` has the code. ERR_MEMORY
 */
MUST_CHECK enum err collateral_merge(const struct attest_trust *trust,
                                     const struct collateral_item *held,
                                     const struct collateral_item *candidate, unsigned newer,
                                     struct collateral_item **out, enum attest_reason *reason);

#endif
