/*
 * A VFS of SQLite for a connection that writes. SQLite writes each page of its write-ahead log with
 * two writes, which is about 16 for a commit. This VFS keeps writes that follow one another, up to
 * 128 KiB, and hands them on as one: when the log is synced, read, cut, measured or closed, or when
 * the next write belongs elsewhere. SQLite syncs the log before it tells other connections of a
 * commit, so `PRAGMA synchronous` must be FULL or EXTRA: other connections read the file itself.
 *
 * The database is not gathered. A checkpoint that stops half-way tells other connections to read
 * its pages there without a sync.
 */
#ifndef STORE_SQLITE_GATHER_H
#define STORE_SQLITE_GATHER_H

#include "base/compiler.h"
#include "base/err.h"

struct gather;

/* ERR_MEMORY; ERR_INTERNAL SQLite has no default VFS */
MUST_CHECK enum err gather_new(struct gather **out);

/* For sqlite3_open_v2(). */
const char *gather_name(const struct gather *g);

/* After the last connection that uses it was closed. */
void gather_free(struct gather **g);

#endif
