/*
 * Moves old entries of the log into the archive. A piece is moved in three steps, in this order:
 *
 *   1. store_archive_copy() writes the files, syncs them, reads them back and compares them with
 *      the tree, then writes a signed checkpoint of what the archive has. Not on the writer's
 *      thread.
 *   2. A transaction with `archived` records it in the log and in the sealed state. Readers take
 *      these entries from the archive from then on.
 *   3. store_archive_drop() removes the entries from the database, a few at a time, between groups.
 *
 * An interruption before 2 leaves files that the next copy finds to be right; after 2, the next
 * process goes on with 3 by itself.
 */
#ifndef STORE_ARCHIVER_H
#define STORE_ARCHIVER_H

#include "store/archive.h"
#include "store/store.h"

/* Entries of one piece: a copy holds no more of them back. A multiple of 256. */
#define STORE_ARCHIVE_PIECE 16384

/* Entries before this one are in the archive. Any thread. */
uint64_t store_archived(struct store *store);
/* The directory, or NULL. */
const char *store_archive_path(const struct store *store);

/*
 * At the start: makes the archive's directory while the archive is empty, and checks that no other
 * user may write to it. ERR_NOT_FOUND it is missing, and should have entries: they cannot be read
 * until it is back; ERR_DENIED, ERR_IO. `why` has the reason. Without an archive: ERR_NONE
 */
MUST_CHECK enum err store_archive_prepare(struct store *store, char why[ARCHIVE_WHY_SIZE]);

/*
 * Copies the entries from store_archived() up to `end`, a multiple of 256, at most
 * STORE_ARCHIVE_PIECE later, and not beyond the log. One thread at a time. A line of the
 * operational log names the file of every fault.
 * ERR_UNSUPPORTED no archive is configured; ERR_ARCHIVE the directory is missing, or what was read
 * back differs; ERR_CONFLICT a file of other content, or the checkpoint of another log, is there;
 * ERR_MALFORMED `end` is none; ERR_TAMPERED the database; ERR_IO, ERR_MEMORY
 */
MUST_CHECK enum err store_archive_copy(struct store *store, uint64_t end);

/* The sum of the sizes of the archive's files; takes as long as there are files. */
MUST_CHECK enum err store_archive_measure(struct store *store, uint64_t *bytes);

/* (writer) Entries are in the archive and still in the database, and may be removed now. */
bool store_archive_has_rest(const struct store *store);
/* (writer) Removes some of them. After a failure it does nothing for a second. */
void store_archive_drop(struct store *store);

#endif
