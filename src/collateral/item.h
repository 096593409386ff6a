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
#define COLLATERAL_PARTS_MAX 4

struct collateral_item {
    _Atomic unsigned holders;
    enum collateral_kind kind;
    char name[COLLATERAL_NAME_SIZE];
    char source[COLLATERAL_SOURCE_SIZE]; /* where it came from */
    struct timestamp fetched;
    struct timestamp issued;     /* TCB info's; as fetched for other kinds */
    struct timestamp expires;    /* INT64_MAX: never */
    bool early;                  /* Intel: of the early set */
    uint32_t evaluation_number;  /* tcbEvaluationDataNumber; 0 for other kinds */
    uint8_t sha256[SHA256_SIZE]; /* of the document */
    struct buffer document;
    struct attest_collateral_facts facts; /* Intel */
    size_t part_count;                    /* 0: an Arm key, which has no age */
    struct attest_part parts[COLLATERAL_PARTS_MAX];
    uint8_t content[SHA256_SIZE];   /* of what the parts say, without their dates */
    struct timestamp content_since; /* when this content came to be held here */
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
/* A sentence for such a reason: of a document, where attest_reason_text() speaks of evidence. */
const char *collateral_refusal_text(enum attest_reason reason);
struct collateral_item *collateral_item_hold(struct collateral_item *item);
/* One holder less; the last one frees it. Sets to NULL. */
void collateral_item_release(struct collateral_item **item);

#endif
