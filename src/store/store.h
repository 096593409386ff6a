/*
 * What is saved: rows and the log, in one database. The disk is not trusted: rows are sealed, and
 * the state of the node (the tree of the log and a sum over all rows) is sealed with each commit.
 * store_open() compares all rows and the end of the log with that state. Older entries are compared
 * with the tree whenever they are read, and by the scrub (store/scrub.h).
 *
 * Reading functions may be called from any thread; writing is the writer thread's only
 * (store/writer.h).
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "audit/checkpoint.h"
#include "audit/tiles.h"
#include "store/anchor.h"
#include "store/rows.h"
#include "store/transaction.h"
#include "store/verify.h"

struct store;
struct store_ops; /* the engines: store_sqlite and store_postgres (store/store_ops.h) */

/*
 * What a start reads does not grow with the log: all rows once, the last 256 entries, the hashes of
 * the tree's right edge, and the entries that no start and no scrub has read back since they were
 * written. Of the last kind a start reads at most this many, also after a crash; the scrub reads
 * the others.
 */
#define STORE_START_ENTRIES 65536

struct store_options {
    const struct store_ops *engine; /* NULL: SQLite */
    const char *path;               /* SQLite: the database file; its directory must exist.
                                       PostgreSQL: the connection string (postgres/address.h) */
    uint32_t node;                  /* PostgreSQL: which node of the database this is; 0: 1 */
    const uint8_t *holder;          /* PostgreSQL: 16 random bytes that name who takes the lease on
                                       the node's log; NULL: new ones. The holder of a running
                                       lease may take it again at once */
    const char *origin;             /* of the log's checkpoints */
    const uint8_t *log_seed; /* Ed25519 seed, 32 bytes in guarded memory; must outlive the store */
    const struct rows_keys *keys; /* in guarded memory; must outlive the store */
    const char *archive;          /* directory of the log's archive; NULL or "": none. Copied */
    bool create;                  /* make a new database; ERR_CONFLICT when there is one */
    bool take_over;               /* a log of release 0.1.0, which has no state, is accepted */
    const struct anchor_settings *anchors; /* NULL: none; what they borrow must outlive the store */
    uint64_t adopt; /* not 0: take the database as it is; the anchors' counter has this value */
};

/*
 * With `take_over`, a database of release 0.1.0 is brought up to date: its log is compared with
 * its signed checkpoint, and continued. An interruption leaves it as it was. Checkpoints are
 * public: once a log has a state, `take_over` must be false, or any older checkpoint would do.
 *
 * ERR_NOT_FOUND  there is no database, or not this node
 * ERR_CONFLICT   another process has the file or the node's lease, or create found one
 * ERR_UNAVAILABLE the server does not answer    ERR_CONFIG  the connection string is refused
 * ERR_TAMPERED   rows, entries, hashes and the sealed state disagree; the log line says at which
 *                row or entries. Also another root or origin, or tables that are not ours
 * ERR_STALE      the last process did not stop by itself, and the write-ahead log with its newest
 *                commits is gone
 * ERR_ROLLED_BACK, and what an anchor returns: `anchors->problem` has the sentence
 * ERR_UNSUPPORTED a schema newer than this program    ERR_IO  anything else the engine reports
 */
MUST_CHECK enum err store_open(const struct store_options *options, struct store **out);
/* Records that the process has stopped by itself. */
void store_close(struct store **store);

/*
 * Runs a group of transactions (store/executor.h: results, and the errors that leave nothing
 * behind). Only one thread may call it.
 *
 * ERR_TAMPERED also when the scrub found a changed entry (store/scrub.h): nothing of the group is
 * stored. Also when a file of the database was deleted, replaced or cut since the last group, or
 * while this one ran: the group may then be stored, in a file that no longer is the database.
 * The operational log gets one alarm, and every later group fails: only a new start can open the
 * database again.
 *
 * ERR_UNAVAILABLE, and store_is_unsettled(): this group may be stored or not, and no other group
 * runs before store_settle() has found out. Keep what the transactions borrow until then.
 * ERR_IO also while the outcome of an earlier group is still unknown: this group has not run.
 */
MUST_CHECK enum err store_run(struct store *store, const struct transaction *const *list,
                              size_t count, struct transaction_result *results);
bool store_is_unsettled(const struct store *store);
/* ERR_NONE, ERR_DENIED: `*stored` says it for good. ERR_UNAVAILABLE: not known yet. ERR_TAMPERED */
MUST_CHECK enum err store_settle(struct store *store, bool *stored);

/* The same for 1 to STORE_GROUP_MAX entries without changes. `*first` is the index of the first. */
MUST_CHECK enum err store_append(struct store *store, const struct span *entries, size_t count,
                                 uint64_t *first);

/*
 * Checks, on the thread of store_append() and without appending, that a group could be written:
 * the files; of a shared database the server, the lease and the state. It also keeps the lease.
 * ERR_TAMPERED a file was deleted, replaced or cut, or the state is not the last one, or the scrub
 * found a changed entry; ERR_UNAVAILABLE no server answers; ERR_DENIED another process has the
 * lease; ERR_IO
 */
MUST_CHECK enum err store_check(struct store *store);

/* The bytes of disk that the database uses (store_ops.size); any thread. */
MUST_CHECK enum err store_size(struct store *store, uint64_t *bytes);

/* The process ends: no wait for a server is longer than a second from now on. Any thread. */
void store_hurry(struct store *store);

/*
 * Anchors (store/anchor.h), on the thread of store_append(). store_anchor_look(): begins a move
 * that is due. store_anchor_hold(): whether replies of the last group have to wait; waits up to
 * 200 ms. ERR_ROLLED_BACK: nothing may be released any more.
 */
void store_anchor_look(struct store *store);
MUST_CHECK enum err store_anchor_hold(struct store *store, bool *hold, bool *late);
/* Starts their threads; before that, and after the stop of the writer, nothing moves by itself. */
MUST_CHECK enum err store_anchors_start(struct store *store);
/* Any thread. Without anchors `count` is 0. */
void store_anchors_figures(struct store *store, struct anchors_figures *out);

/*
 * Keeps the cosigned form of a checkpoint, from any thread. store_checkpoint() gives it while it is
 * the last one. ERR_TOO_LARGE
 */
MUST_CHECK enum err store_cosigned_set(struct store *store, const struct checkpoint *checkpoint,
                                       struct span text);
/* The newest one. ERR_NOT_FOUND none yet */
MUST_CHECK enum err store_cosigned(struct store *store, char text[CHECKPOINT_TEXT_MAX]);

/* The last committed checkpoint as signed text (CHECKPOINT_TEXT_MAX); any thread. */
void store_checkpoint(struct store *store, struct checkpoint *out, char text[CHECKPOINT_TEXT_MAX]);

/*
 * Calls `each` for up to `count` entries from `first`, in order; stops when it returns an error,
 * and returns that. Entries are compared with the tree before `each` sees them. No connection is
 * held meanwhile: `each` may call the store. ERR_IO, ERR_TAMPERED; ERR_ARCHIVE the archive, or a
 * file of it, is missing or damaged
 */
typedef MUST_CHECK enum err store_each_entry(void *context, uint64_t index, struct span entry);
MUST_CHECK enum err store_entries(struct store *store, uint64_t first, uint64_t count,
                                  store_each_entry *each, void *context);

/*
 * Calls `each` for the rows of a table, in no order. `each` must not call the store.
 * ERR_TAMPERED a row differs from what was written; ERR_MEMORY, ERR_IO
 */
MUST_CHECK enum err store_rows(struct store *store, enum store_table table, each_row *each,
                               void *context);

/* Whether other nodes write to the same rows (PostgreSQL). */
bool store_is_shared(const struct store *store);
/* The number of this process's node. */
uint32_t store_node(const struct store *store);

/* The version of a row in the database now. ERR_NOT_FOUND; ERR_IO, ERR_UNAVAILABLE */
MUST_CHECK enum err store_row_version(struct store *store, enum store_table table, struct span id,
                                      uint64_t *version);

/* Proofs for any committed size. ERR_NOT_FOUND out of range, ERR_IO */
MUST_CHECK enum err store_prove_inclusion(struct store *store, uint64_t index, uint64_t size,
                                          struct merkle_proof *out);
MUST_CHECK enum err store_prove_consistency(struct store *store, uint64_t from, uint64_t to,
                                            struct merkle_proof *out);

/*
 * Finds the entries with this request id. The first 48 bits of a UUIDv7 are milliseconds, and
 * entries are almost in the order of time. So a binary search and a short scan are enough, without
 * an index that slows each insert. To find none is not an error. ERR_MALFORMED not a UUIDv7 in
 * lower case; ERR_TAMPERED an entry that the search used differs from what was appended.
 */
MUST_CHECK enum err store_find_request(struct store *store, struct span request_id,
                                       store_each_entry *each, void *context);

/* The first entry that is not earlier than `time`, by the same search; the log's size if none is.
 */
MUST_CHECK enum err store_find_time(struct store *store, struct timestamp time, uint64_t *index);

/* Appends a tile to `out`; see log_tile(). */
MUST_CHECK enum err store_tile(struct store *store, const struct tile *tile, struct buffer *out);

#endif
