/*
 * Anchors find a rollback of everything at once. The sealed state (store/node_state.h) finds every
 * change of a part of the database. It cannot find that the whole database, with its files, was
 * replaced by an older copy of itself: that copy is whole. An anchor is something outside the disk
 * that only moves forward, and that the start compares with the database:
 *
 *   tpm2     a counter of the TPM. The state names the value that the counter must have
 *   witness  another keystore, or any C2SP witness, that keeps the last checkpoint it saw
 *
 * An anchor is a small table of functions (struct anchor), so that the store needs no TPM and no
 * network. The daemon connects the two (daemon/anchors.h).
 *
 * The order of a move, for a state with counter A and an anchor at A:
 *
 *   1. a commit seals the state with A + 1, and is durable
 *   2. the anchor moves to A + 1: the TPM counts, or the witnesses cosign the durable checkpoint
 *   3. the move is done; the next one may begin
 *
 * The start accepts a state at A (no move was under way), or at A + 1 while the counter is at A (a
 * crash came between 1 and 2), and then finishes that move. It refuses every other state:
 *
 *   the counter is ahead of the state        ERR_ROLLED_BACK: an older copy of the database
 *   the counter is two or more behind        ERR_TAMPERED: it is another counter
 *   a witness knows a larger log             ERR_ROLLED_BACK
 *   a witness knows another log of that size ERR_ROLLED_BACK: the log was forked
 *
 * So a crash at any moment leaves a start that succeeds. A witness never learns of a log that is
 * not durable, so it needs no counter in the state.
 *
 * When an anchor moves: `commits` commits after the last move, `interval_ms` after the first commit
 * that no move covers, at the start, and at the stop. With `commits` 1, the replies of each group
 * wait until its move is done.
 *
 * The window: a copy of the database that was made after the last move that is done is not found to
 * be old. So the commits that can be taken back without notice are the last `commits`, or those of
 * the last `interval_ms`, and those of a move that is under way or that the anchor cannot make now
 * (`lag_ms` in the figures). With `commits` 1 and `refuse` it is empty: no reply has left whose
 * commit can be taken back. A TPM counter finds only rollbacks on a machine whose TPM is not rolled
 * back with the disk (a virtual TPM can be). A witness finds them only if the start can ask it, and
 * only changes that have an entry in the log: all of them but the marks of a start and a stop.
 *
 * When an anchor does not answer, `refuse` decides. True: the start is refused; and while a commit
 * waits for its move for more than `interval_ms` and `grace_ms`, replies are held. False: both go
 * on with one warning, and the window grows until the anchor answers. Then the check of the start
 * is made first; if it fails, nothing is released any more.
 */
#ifndef STORE_ANCHOR_H
#define STORE_ANCHOR_H

#include "audit/checkpoint.h"
#include "base/clock.h"

struct store;

/* A sentence about a failure: what was asked, what was found, what to do next. */
struct anchor_problem {
    char text[768];
};
void anchor_problem_set(struct anchor_problem *p, const char *format, ...) PRINTF_LIKE(2, 3);

/* A durable state of the database. */
struct anchor_point {
    uint64_t counter;             /* that the state names; 0: none was ever adopted */
    struct checkpoint checkpoint; /* of the log */
    const char *note;             /* that checkpoint, signed */
    struct store *store;          /* for store_prove_consistency() */
};

/*
 * One anchor. The functions run on a thread of the anchor's own, or on that of store_open() and
 * store_close(); never two at once. They may take long, but must end: a TPM or a witness that hangs
 * holds only its own thread, and the stop.
 *
 * ERR_UNAVAILABLE  no answer, or an answer that proves nothing
 * ERR_ROLLED_BACK  the database is older than the anchor     ERR_TAMPERED  it is another anchor
 * ERR_NOT_FOUND    the anchor is gone                        ERR_CONFIG  it was never adopted
 * After any of the last four nothing is released. `problem` has a sentence.
 */
struct anchor {
    const char *name; /* "tpm2", "witness" */
    void *context;
    bool counts;        /* the state names the value of its counter */
    int64_t refresh_ms; /* move again after this time, also without a commit; 0: never */
    /* The check of the start; finishes a move that a crash interrupted. */
    MUST_CHECK enum err (*check)(void *context, const struct anchor_point *stored,
                                 struct anchor_problem *problem);
    MUST_CHECK enum err (*move)(void *context, const struct anchor_point *to,
                                struct anchor_problem *problem);
};

#define ANCHORS_MAX 2

struct anchor_settings {
    struct anchor list[ANCHORS_MAX];
    size_t count;
    int64_t interval_ms;
    uint64_t commits; /* 0: only `interval_ms` counts */
    int64_t grace_ms;
    bool refuse;
    struct anchor_problem *problem; /* of store_open(); borrowed, may be NULL */
};

/* ---- for store.c ---- */

struct anchors;

MUST_CHECK enum err anchors_new(const struct anchor_settings *settings, struct anchors **out);
void anchors_free(struct anchors **a); /* accepts NULL; after anchors_stop() */

/*
 * The check of the start. Errors as struct anchor's; the last problem is in `settings.problem`.
 * `adopt`: not 0: no counter is checked, and this is its value.
 */
MUST_CHECK enum err anchors_check(struct anchors *a, const struct anchor_point *stored,
                                  uint64_t adopt);

/*
 * On the thread that commits. anchors_may_begin(): no counter is in the way of a new move.
 * anchors_begin(): whether the next commit begins a move; its state then names the counter that
 * anchors_next() gives. anchors_committed(): that commit is durable, and names `counter`. `quiet`:
 * a commit that by itself needs no move soon. anchors_due(): whether something waits for a move,
 * and no commit has begun one in time.
 */
bool anchors_may_begin(struct anchors *a);
bool anchors_begin(struct anchors *a, int64_t now_us);
uint64_t anchors_next(const struct anchors *a, uint64_t counter, bool begins);
void anchors_committed(struct anchors *a, uint64_t counter, bool began, bool quiet, int64_t now_us);
bool anchors_due(struct anchors *a, int64_t now_us);

/*
 * Whether replies of the last commit have to wait. Waits up to 200 ms for a change. `*late` says
 * that the wait is not an ordinary one.
 */
bool anchors_hold(struct anchors *a, bool *late);
/* ERR_ROLLED_BACK after an anchor has found that the database is old: nothing may be released. */
MUST_CHECK enum err anchors_state(struct anchors *a);

/* Starts the threads. ERR_MEMORY */
MUST_CHECK enum err anchors_start(struct anchors *a);
/* Ends the threads, and tries to make the moves that are left. It may be called again. */
void anchors_stop(struct anchors *a);

/* ---- for everyone ---- */

struct anchor_figures {
    const char *name;
    bool failing;           /* the last attempt failed */
    bool conflict;          /* it found that the database is old: nothing is released */
    struct timestamp moved; /* the last move or check that was done; 0: none since the start */
    uint64_t moves, failures;
    struct anchor_problem problem; /* of the last failure; "" after a success */
};
struct anchors_figures {
    size_t count;
    struct anchor_figures list[ANCHORS_MAX];
    uint64_t counter;
    int64_t lag_ms; /* age of the oldest commit whose move is not done; 0: none */
    bool late;      /* `lag_ms` is more than interval and grace */
};
void anchors_figures(struct anchors *a, int64_t now_us, struct anchors_figures *out);

#endif
