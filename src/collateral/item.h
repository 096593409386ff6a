/*
 * An item of collateral: its document (collateral/parts.h), and its verified form from attest/.
 * Immutable except for its reference count.
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
    char source[COLLATERAL_SOURCE_SIZE]; /* the source of the item */
    struct timestamp fetched;
    struct timestamp issued;     /* of the TCB info; for other kinds the time of the fetch */
    struct timestamp expires;    /* INT64_MAX: never */
    bool early;                  /* Intel: of the early set */
    uint32_t evaluation_number;  /* tcbEvaluationDataNumber; 0 for other kinds */
    uint8_t sha256[SHA256_SIZE]; /* of the document */
    struct buffer document;
    struct attest_collateral_facts facts; /* Intel */
    size_t part_count;                    /* 0: an Arm key, which has no age */
    struct attest_part parts[COLLATERAL_PARTS_MAX];
    uint8_t content[SHA256_SIZE];   /* of the parts without their dates */
    struct timestamp content_since; /* the time at which this content arrived here */
    /* the one for its kind; the others are NULL */
    struct attest_collateral *intel;
    struct attest_amd *amd;
    struct attest_vek *vek;
    struct attest_arm_key *arm_key;
};

/*
 * Verifies a document and makes an item of it, with one reference.
 *
 * source   for the record; cut if too long
 * fetched  when it was received
 *
 * ERR_DENIED   `*reason` has the code: signature, chain, pin, form ... ERR_TOO_LARGE, ERR_MEMORY
 */
MUST_CHECK enum err collateral_item_new(const struct attest_trust *trust, struct span document,
                                        const char *source, struct timestamp fetched,
                                        struct collateral_item **out, enum attest_reason *reason);
/* A sentence for such a reason: of a document, where attest_reason_text() speaks of evidence. */
const char *collateral_refusal_text(enum attest_reason reason);
struct collateral_item *collateral_item_hold(struct collateral_item *item);
/* Releases a reference; the last one frees the item. Sets the pointer to NULL. */
void collateral_item_release(struct collateral_item **item);

#endif
