/*
 * What collateral is at hand. Readers see an immutable snapshot; writers put a new one in its
 * place, so that a request is judged by one state from beginning to end and never waits. Also the
 * queue of what refused evidence needed: nothing is fetched in the path of a request.
 */
#ifndef COLLATERAL_STORE_H
#define COLLATERAL_STORE_H

#include "base/snapshot.h"
#include "collateral/item.h"

#define COLLATERAL_ITEMS_MAX 1024 /* beyond it the VEK that was fetched first makes room */

struct collateral_store;

/* `trust` is copied. ERR_MEMORY */
MUST_CHECK enum err collateral_store_new(const struct attest_trust *trust,
                                         struct collateral_store **out);
/* No view may be in use any more, but they may be cleared afterwards. */
void collateral_store_free(struct collateral_store **s);

struct collateral_snapshot {
    struct snapshot snapshot; /* see base/snapshot.h */
    struct attest_collateral_set set;
    /* what would judge if the early sets were the standard ones; where there is none, the same */
    struct attest_collateral_set early;
    size_t count;
    struct collateral_item **items; /* in order of their names */
};

/* The current snapshot, through a view of the thread's (base/snapshot.h). */
const struct collateral_snapshot *collateral_store_view(struct collateral_store *s,
                                                        struct snapshot_view *view);

/* For those without a view; collateral_snapshot_release() it. */
struct collateral_snapshot *collateral_store_hold(struct collateral_store *s);
void collateral_snapshot_release(struct collateral_snapshot **snapshot);

/* The item of that name, or NULL. */
struct collateral_item *collateral_snapshot_find(const struct collateral_snapshot *snapshot,
                                                 struct span name);

/*
 * What a verdict rested on, for those who remember verdicts: NAME:CONTENT, the item that judged
 * the platform and 16 hex digits of its content. "" when the evidence needs no collateral.
 */
#define COLLATERAL_MARK_SIZE 64
void collateral_mark(const struct collateral_snapshot *snapshot, const struct attest_result *result,
                     char out[COLLATERAL_MARK_SIZE]);
/*
 * Whether a verdict of `at` with this mark still stands: the content is the same, or it was that
 * of an item which another keystore held when ours did not change since. A list or a level that
 * changed afterwards may say otherwise of this platform: the evidence has to be judged again.
 */
bool collateral_mark_holds(const struct collateral_snapshot *snapshot, const char *mark,
                           struct timestamp at);

enum collateral_put {
    COLLATERAL_ADDED,
    COLLATERAL_REPLACED,
    COLLATERAL_UNCHANGED,
    COLLATERAL_ROLLBACK,  /* refused: no part is newer than the one held */
    COLLATERAL_NOT_VALID, /* refused: the parts that would be newer are not valid yet */
    COLLATERAL_OTHER,     /* refused: good, but not what was asked for */
    COLLATERAL_REFUSED,   /* refused: did not verify; `reason` */
    COLLATERAL_FULL,
    COLLATERAL_PUTS
};
const char *collateral_put_code(enum collateral_put p); /* "added", "rollback", ... */
/* Whether it is at hand now, be it from before. */
bool collateral_put_is_good(enum collateral_put p);

struct collateral_put_result {
    enum collateral_put put;
    enum attest_reason reason;    /* COLLATERAL_REFUSED */
    struct collateral_item *item; /* what is kept now, or the candidate that was refused. Held;
                                     NULL when the form was refused */
};

/*
 * Verifies a document and keeps the newest of each part (collateral/merge.h).
 *
 * expected  the name it must have, or NULL
 * now       to tell what is not valid yet; also the time of receipt
 *
 * ERR_MEMORY; else ERR_NONE and `*result`, whose item the caller releases.
 */
MUST_CHECK enum err collateral_store_put(struct collateral_store *s, struct span document,
                                         const char *source, const char *expected,
                                         struct timestamp now,
                                         struct collateral_put_result *result);

/* The same for what was received earlier: what a directory kept. */
MUST_CHECK enum err collateral_store_put_received(struct collateral_store *s, struct span document,
                                                  const char *source, const char *expected,
                                                  struct timestamp received, struct timestamp now,
                                                  struct collateral_put_result *result);

/*
 * Several items at once, in two steps, so that they come into use together with other things or not
 * at all. One thread calls both steps, and other writers wait from the first to the second.
 *
 * stage  places each item as collateral_store_put() does, in a snapshot that is not in use yet.
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

/* How often a document had a part that is older than the one held, since the start. */
uint64_t collateral_store_rollbacks(const struct collateral_store *s);

/* ---- what is missing ---- */

#define COLLATERAL_QUEUE_MAX 64
#define COLLATERAL_QUEUE_SHARE 8           /* places in it that one caller may hold */
#define COLLATERAL_RETRY_AFTER_S 5         /* what a caller is told: a fetch takes seconds */
#define COLLATERAL_STRANGERS_PER_MINUTE 12 /* taken from evidence of no valid signature */
#define COLLATERAL_STRANGER_SHARE 4        /* of them, of one caller */
#define COLLATERAL_ABSENT_MAX 64           /* names remembered that no source has */

/*
 * Queues what `result`, a refusal for want of collateral, needs: once, and not what is at hand and
 * in its time. Anybody with a token can invent chips, so evidence whose signatures did not verify
 * (with SGX and TDX the FMSPC is a genuine PCK's then) has a small share, and so has each caller.
 * True when a fetch that can help is on its way or may be; false also while every source says that
 * it does not have what is missing.
 *
 * caller  who presented the evidence (a principal's id); NULL: all of those together
 */
bool collateral_store_request_fetch(struct collateral_store *s, const struct attest_result *result,
                                    const uint8_t caller[SHA256_SIZE], struct timestamp now);
/* No source has this, so nobody is told to wait for it until `until`. */
void collateral_store_absent(struct collateral_store *s, const char *name, struct timestamp until);
/* Whether this refusal is one for want of (current) collateral. */
bool collateral_is_missing(enum attest_reason reason);
/* Whether it is one because what there is belongs to another platform or another TCB. */
bool collateral_is_another(enum attest_reason reason);

/* Nobody fetches: then want() answers false and queues nothing. Before threads start. */
void collateral_store_no_sources(struct collateral_store *s);

/*
 * The next missing one; false when there is none. Who asks for it again is told that it is on its
 * way, at no cost of a place or a share, until collateral_store_forget(): nobody looks after it any
 * more. Of those taken the last COLLATERAL_TAKEN_MAX are known.
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
