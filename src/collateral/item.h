/*
 * An item of collateral: its document (collateral/parts.h), and what attest/ made of it after it
 * had verified it. Immutable but for the count of those who hold it.
 */
#ifndef COLLATERAL_ITEM_H
#define COLLATERAL_ITEM_H

#include <stdatomic.h>

#include "collateral/key.h"
#include "collateral/parts.h"

#define COLLATERAL_SOURCE_SIZE 64 /* of a source's name, with the terminator */

struct collateral_item {
    _Atomic unsigned holders;
    enum collateral_kind kind;
    char name[COLLATERAL_NAME_SIZE];
    char source[COLLATERAL_SOURCE_SIZE]; /* where it came from */
    struct timestamp fetched;
    struct timestamp issued;     /* TCB info's; as fetched for other kinds */
    struct timestamp expires;    /* INT64_MAX: never */
    uint32_t evaluation_number;  /* tcbEvaluationDataNumber; 0 for other kinds */
    uint8_t sha256[SHA256_SIZE]; /* of the document */
    struct buffer document;
    struct attest_collateral_facts facts; /* Intel */
    bool has_crl;                         /* AMD */
    /* by kind, the others NULL */
    struct attest_collateral *intel;
    struct attest_amd *amd;
    struct attest_vek *vek;
    struct attest_arm_key *arm_key;
};

/*
 * Verifies a document and makes an item of it, with one holder.
 *
 * source   for the record; cut if too long
 * fetched  when it was received
 *
 * ERR_DENIED   `*reason` is the code: signature, chain, pin, form ... ERR_TOO_LARGE, ERR_MEMORY
 */
MUST_CHECK enum err collateral_item_new(const struct attest_trust *trust, struct span document,
                                        const char *source, struct timestamp fetched,
                                        struct collateral_item **out, enum attest_reason *reason);
struct collateral_item *collateral_item_hold(struct collateral_item *item);
/* One holder less; the last one frees it. Sets to NULL. */
void collateral_item_release(struct collateral_item **item);

/*
 * Whether `candidate` may take the place of `held`, of the same name. Nothing goes back: a source
 * that replays what was true once is told from one that has news.
 */
enum collateral_order {
    COLLATERAL_NEWER,
    COLLATERAL_SAME,
    COLLATERAL_OLDER, /* a lower evaluation number, an earlier date of issue of any part, an earlier
                         end (AMD), no CRL where there was one */
};
enum collateral_order collateral_item_compare(const struct collateral_item *held,
                                              const struct collateral_item *candidate);

#endif
