/*
 * What is saved: the log (and, later, keys). One table of operations, so that a second engine can
 * stand beside SQLite and pass the same tests. The disk is not trusted: store_open() recomputes the
 * tree from the entries and compares it with the last signed checkpoint.
 *
 * Reading functions may be called from any thread (a connection of their own, read-only); writing
 * is the writer thread's alone (store/writer.h).
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "audit/checkpoint.h"

struct store;

struct store_options {
    const char *path;        /* the database file; its directory must exist */
    const char *origin;      /* of the log's checkpoints */
    const uint8_t *log_seed; /* Ed25519 seed, 32 bytes in guarded memory; must outlive the store */
    bool create;             /* make a new database; ERR_CONFLICT when there is one */
};

/*
 * ERR_NOT_FOUND  there is no database    ERR_CONFLICT  another process has it, or create found one
 * ERR_TAMPERED   entries, nodes and the stored checkpoint disagree; the log line says at which
 *                entries. Also another log's key or origin, or tables that are not ours
 * ERR_UNSUPPORTED a schema newer than this program    ERR_IO  anything else the engine reports
 */
MUST_CHECK enum err store_open(const struct store_options *options, struct store **out);

/*
 * The same, and calls `each` (may be NULL) for every entry in order as it is verified. An error of
 * `each` is returned. What it gathered is the log's only if this succeeds: entries are checked
 * against the signed checkpoint at the end.
 */
typedef MUST_CHECK enum err store_each_entry(void *context, uint64_t index, struct span entry);
MUST_CHECK enum err store_open_each(const struct store_options *options, store_each_entry *each,
                                    void *context, struct store **out);
void store_close(struct store **store);

/*
 * Appends `count` entries and the checkpoint over them as one transaction, durable on return.
 * `*first` is the index of the first. Only one thread may call it. On any error nothing was
 * appended: ERR_IO; ERR_MEMORY; ERR_TAMPERED a row is where we left none; ERR_TOO_LARGE an entry
 * beyond AUDIT_ENTRY_MAX.
 *
 * ERR_TAMPERED also when a file of the log was deleted, replaced or cut since the last append, or
 * while this one ran (its entries are then in a file that no longer is the log). The operational
 * log gets one alarm, and every later append fails: only a new start can open the log again.
 */
MUST_CHECK enum err store_append(struct store *store, const struct span *entries, size_t count,
                                 uint64_t *first);

/*
 * Looks at the files without appending, as store_append() does; on the same thread.
 * ERR_TAMPERED a file was deleted, replaced or cut; ERR_IO
 */
MUST_CHECK enum err store_check(struct store *store);

/* The last committed checkpoint as signed text (CHECKPOINT_TEXT_MAX); any thread. */
void store_checkpoint(struct store *store, struct checkpoint *out, char text[CHECKPOINT_TEXT_MAX]);

/*
 * Calls `each` for up to `count` entries from `first`, in order; stops when it returns an error,
 * and returns that. No connection is held meanwhile: `each` may call the store. ERR_IO,
 * ERR_TAMPERED when an entry has gone since the store was opened
 */
MUST_CHECK enum err store_entries(struct store *store, uint64_t first, uint64_t count,
                                  store_each_entry *each, void *context);

/* Proofs against any committed size. ERR_NOT_FOUND out of range, ERR_IO */
MUST_CHECK enum err store_prove_inclusion(struct store *store, uint64_t index, uint64_t size,
                                          struct merkle_proof *out);
MUST_CHECK enum err store_prove_consistency(struct store *store, uint64_t from, uint64_t to,
                                            struct merkle_proof *out);

/*
 * Entries that carry this request id (UUIDv7: its first 48 bits are milliseconds, and entries are
 * nearly in the order of time, so this is a binary search and a short scan, without an index that
 * each insert would pay for). None is not an error. ERR_MALFORMED when it is no UUIDv7 in lower
 * case.
 */
MUST_CHECK enum err store_find_request(struct store *store, struct span request_id,
                                       store_each_entry *each, void *context);

#endif
