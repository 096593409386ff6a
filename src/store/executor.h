/*
 * Runs groups of transactions on an engine. One thread at a time. A group is read, decided in
 * memory in the order of its transactions, and written with one commit; so results are as if the
 * transactions had run one after the other, and a limit holds exactly.
 */
#ifndef STORE_EXECUTOR_H
#define STORE_EXECUTOR_H

#include "store/node_state.h"

struct executor;

struct executor_options {
    struct store_engine *engine;  /* outlives the executor */
    const struct rows_keys *keys; /* in guarded memory; outlives the executor */
    uint32_t node;
    uint64_t token; /* of the lease on the node's log */
};

/*
 * Makes the state of a new node. The node has no entries and no rows.
 * ERR_CONFLICT the number or the origin is taken; errors of the engine
 */
MUST_CHECK enum err executor_node_create(struct store_engine *engine, const struct rows_keys *keys,
                                         uint32_t node, const char *origin,
                                         const struct node_state *first);

/* ERR_NOT_FOUND no such node; ERR_TAMPERED its state is not ours; errors of the engine */
MUST_CHECK enum err executor_open(const struct executor_options *options, struct executor **out);
void executor_close(struct executor **x);

/*
 * Runs 1 to STORE_GROUP_MAX transactions. On ERR_NONE results[i] is the result of list[i], and
 * everything is durable. A group that changes nothing and logs nothing is not written.
 *
 * On every error except ERR_UNAVAILABLE nothing of the group is stored, and `results` has no
 * meaning:
 *   ERR_MALFORMED, ERR_TOO_LARGE  transaction_check() refuses one of them
 *   ERR_DENIED      another process has the lease on the log: this one can append no more
 *   ERR_TAMPERED    another program changed a row (the operational log names it) or the files; or
 *                   the stored state is older than the last one that this process wrote. If it is
 *                   the files, the group may be in one that no longer is the database
 *   ERR_OVERLOADED  other nodes changed the same rows each time it was tried
 *   ERR_IO, ERR_MEMORY
 *
 * ERR_UNAVAILABLE: the engine cannot be reached. When executor_is_unsettled(), the group may be
 * stored or not: the caller keeps the transactions and calls executor_settle(), until it says.
 *
 * The group is found by its commit number in the sealed state, not by the request ids of its
 * entries: one number tells for all transactions of the group, also for those without an entry, and
 * the server cannot forge it. The results, with the index of each entry, are then those of this
 * group. When another process has the lease, the entries themselves are compared.
 */
MUST_CHECK enum err executor_run(struct executor *x, const struct transaction *const *list,
                                 size_t count, struct transaction_result *results);

/* The value of `anchor` (store/node_state.h) in the states of the groups that follow. */
void executor_anchor(struct executor *x, uint64_t anchor);

/*
 * Records in the state that a process is running from now on, or that it has stopped. A start that
 * finds `running` knows that the last process did not stop by itself. Errors as executor_run().
 */
MUST_CHECK enum err executor_mark(struct executor *x, bool running);

/*
 * Begins a group and ends it without writing, so that lost servers and leases are noticed without
 * work. Not while unsettled: then ERR_UNAVAILABLE. Errors as executor_run(), none of them settles
 * anything
 */
MUST_CHECK enum err executor_check(struct executor *x);

/*
 * How much of the log was read back and compared with the tree (store/node_state.h). The next
 * commit stores it. No number may exceed the log's size.
 */
struct log_progress {
    uint64_t verified, scrubbed, pass_ms;
};
void executor_note_progress(struct executor *x, const struct log_progress *progress);

bool executor_is_unsettled(const struct executor *x);

/*
 * Finds the result of the last group. ERR_NONE: `*stored` is final. If it is true, the results of
 * executor_run() are valid. A group that was not stored can be run again. ERR_UNAVAILABLE: still
 * not known, call again later. ERR_DENIED: as for executor_run(), and `*stored` says what happened
 * before the lease was lost. ERR_TAMPERED
 */
MUST_CHECK enum err executor_settle(struct executor *x, bool *stored);

/* The node's state after the last durable group. */
const struct node_state *executor_state(const struct executor *x);

#endif
