/*
 * The store of collateral. Readers see an immutable snapshot, which writers replace. So one state
 * judges a request from start to end, and a request never waits. The store also has the queue of
 * collateral that refused evidence needs: a request never fetches by itself.
 */
#ifndef COLLATERAL_STORE_H
#define COLLATERAL_STORE_H

#include "base/snapshot.h"
#include "collateral/item.h"

#define COLLATERAL_ITEMS_MAX 1024 /* beyond it, the VEK that was fetched first is removed */

struct collateral_store;

/* `trust` is copied. ERR_MEMORY */
MUST_CHECK enum err collateral_store_new(const struct attest_trust *trust,
                                         struct collateral_store **out);
/* No view may be in use any more, but views may be cleared afterwards. */
void collateral_store_free(struct collateral_store **s);

struct collateral_snapshot {
    struct snapshot snapshot; /* see base/snapshot.h */
    struct attest_collateral_set set;
    /* the set that would judge if the early sets were standard; without early sets, the same */
    struct attest_collateral_set early;
    size_t count;
    struct collateral_item **items; /* sorted by name */
};

/* The current snapshot, through a view of the thread (base/snapshot.h). */
const struct collateral_snapshot *collateral_store_view(struct collateral_store *s,
                                                        struct snapshot_view *view);

/* For callers without a view, which must call collateral_snapshot_release(). */
struct collateral_snapshot *collateral_store_hold(struct collateral_store *s);
void collateral_snapshot_release(struct collateral_snapshot **snapshot);

/* The item of that name, or NULL. */
struct collateral_item *collateral_snapshot_find(const struct collateral_snapshot *snapshot,
                                                 struct span name);
/* Whether the store has an item of exactly this document. */
bool collateral_store_has(struct collateral_store *s, struct span document);

/*
 * The mark of a verdict, for code that stores verdicts. It is NAME:CONTENT: the item that judged
 * the platform, and 16 hex digits of its content. "" when the evidence needs no collateral.
 */
#define COLLATERAL_MARK_SIZE 64
void collateral_mark(const struct collateral_snapshot *snapshot, const struct attest_result *result,
                     char out[COLLATERAL_MARK_SIZE]);
/*
 * Whether a verdict of the time `at` with this mark is still valid. It is if the content is the
 * same, or if it is another keystore's content and our item did not change since. After a change of
 * a list or a level, the evidence must be judged again.
 */
bool collateral_mark_holds(const struct collateral_snapshot *snapshot, const char *mark,
                           struct timestamp at);

enum collateral_put {
    COLLATERAL_ADDED,
    COLLATERAL_REPLACED,
    COLLATERAL_UNCHANGED,
    COLLATERAL_ROLLBACK,  /* refused: no part is newer than the held one */
    COLLATERAL_NOT_VALID, /* refused: the newer parts are not valid yet */
    COLLATERAL_OTHER,     /* refused: good, but not the requested item */
    COLLATERAL_REFUSED,   /* refused: it did not verify; see `reason` */
    COLLATERAL_FULL,
    COLLATERAL_PUTS
};
const char *collateral_put_code(enum collateral_put p); /* "added", "rollback", ... */
/* Whether the item is in the store now, new or old. */
bool collateral_put_is_good(enum collateral_put p);

struct collateral_put_result {
    enum collateral_put put;
    enum attest_reason reason; /* COLLATERAL_REFUSED */
    /* the stored item, or the refused candidate, with a reference; NULL when the form was
     * refused */
    struct collateral_item *item;
};

/*
 * Verifies a document and keeps the newest of each part (collateral/merge.h).
 *
 * expected  the name it must have, or NULL
 * now       detects parts that are not valid yet; also the time of receipt
 *
 * ERR_MEMORY; else ERR_NONE and `*result`, whose item the caller releases.
 */
MUST_CHECK enum err collateral_store_put(struct collateral_store *s, struct span document,
                                         const char *source, const char *expected,
                                         struct timestamp now,
                                         struct collateral_put_result *result);

/* The same for documents received earlier, from a directory. */
MUST_CHECK enum err collateral_store_put_received(struct collateral_store *s, struct span document,
                                                  const char *source, const char *expected,
                                                  struct timestamp received, struct timestamp now,
                                                  struct collateral_put_result *result);

/*
 * Puts several items in two steps, so that they come into use together with other things or not at
 * all. One thread calls both steps; other writers wait meanwhile.
 *
 * stage  adds each item as collateral_store_put() does, to a snapshot that is not in use yet.
 *        `out->results` has one result for each item, in their order. ERR_MEMORY
 * adopt  publishes that snapshot. Cannot fail. The results stay.
 * clear  frees the results, and drops a snapshot that was not adopted.
 */
struct collateral_stage {
    struct collateral_store *store;   /* NULL: nothing is staged */
    struct collateral_snapshot *next; /* NULL: nothing changes */
    size_t count;
    struct collateral_put_result *results;
};
MUST_CHECK enum err collateral_store_stage(struct collateral_store *s,
                                           struct collateral_item *const *items, size_t count,
                                           struct timestamp now, struct collateral_stage *out);
void collateral_store_adopt(struct collateral_stage *stage);
void collateral_stage_clear(struct collateral_stage *stage);

/* The number of documents since the start with a part that is older than the held one. */
uint64_t collateral_store_rollbacks(const struct collateral_store *s);

/* ---- what is missing ---- */

#define COLLATERAL_QUEUE_MAX 64
#define COLLATERAL_QUEUE_SHARE 8           /* places in the queue that one caller may use */
#define COLLATERAL_RETRY_AFTER_S 5         /* told to callers: a fetch takes seconds */
#define COLLATERAL_STRANGERS_PER_MINUTE 12 /* accepted from evidence without a valid signature */
#define COLLATERAL_STRANGER_SHARE 4        /* of these, for one caller */
#define COLLATERAL_ABSENT_MAX 64           /* remembered names that no source has */

/*
 * Queues the collateral that `result` needs, a refusal for missing collateral. An item is queued
 * once, and not if the store has a valid one. Anyone with a token can invent chips, so evidence
 * whose signatures did not verify (for SGX and TDX its FMSPC is from a genuine PCK) has a small
 * share, and so has each caller. True when a fetch that can help is queued or possible. False also
 * while every source says that it does not have the item.
 *
 * caller  the presenter of the evidence (a principal's id); NULL: one share for all unknown callers
 */
bool collateral_store_request_fetch(struct collateral_store *s, const struct attest_result *result,
                                    const uint8_t caller[SHA256_SIZE], struct timestamp now);
/* No source has this item, so no caller is told to wait for it from `now` until `until`. The rule
 * of fetch_wait_is_over() ends this when the clock is set back. */
void collateral_store_absent(struct collateral_store *s, const char *name, struct timestamp now,
                             struct timestamp until);
/* Whether the reason of a refusal is missing or outdated collateral. */
bool collateral_is_missing(enum attest_reason reason);
/* Whether the reason is that the collateral is for another platform or another TCB. */
bool collateral_is_another(enum attest_reason reason);

/* No thread fetches: then collateral_store_request_fetch() returns false and queues nothing. Call
 * before threads start. */
void collateral_store_no_sources(struct collateral_store *s);

/*
 * The next missing item; false when there is none. Later requests for it are told that a fetch is
 * under way, and use no place and no share, until collateral_store_forget() ends that. The store
 * remembers the last COLLATERAL_TAKEN_MAX taken items.
 */
#define COLLATERAL_TAKEN_MAX 64
bool collateral_store_take(struct collateral_store *s, struct collateral_key *out);
void collateral_store_forget(struct collateral_store *s, const char *name);
/* Waits until something is missing, collateral_store_wake() is called, or the time has passed. */
void collateral_store_wait(struct collateral_store *s, unsigned timeout_ms);
void collateral_store_wake(struct collateral_store *s);

struct collateral_queue_figures {
    uint64_t queued, dropped; /* since the start */
    size_t waiting;
};
void collateral_store_queue_figures(struct collateral_store *s,
                                    struct collateral_queue_figures *out);

#endif
