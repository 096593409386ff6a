/*
 * The archive of a log: a directory in the form of C2SP tlog-tiles (audit/tiles.h) with a signed
 * checkpoint. Files are for their owner only, because entries are as sensitive as the database.
 * Nothing is reached through a symbolic link, and no file of another content is replaced.
 *
 * This module moves bytes. store/archiver.h decides what is written, and store/log.h compares what
 * is read with the tree. The directory is opened again for each file, so an archive that was not
 * mounted is in use again once it is. Each fault is told in the operational log, with the file.
 *
 * Reading is thread-safe; one thread writes.
 */
#ifndef STORE_ARCHIVE_H
#define STORE_ARCHIVE_H

#include "audit/entry.h"
#include "audit/tiles.h"

#define ARCHIVE_FILE_MAX ((size_t)TILE_WIDTH * (2 + AUDIT_ENTRY_MAX)) /* bytes: a full bundle */

#define ARCHIVE_WHY_SIZE 400 /* bytes of a sentence, with a terminator */

struct archive;

/* Copies `path`. Looks at nothing. ERR_MEMORY */
MUST_CHECK enum err archive_new(const char *path, struct archive **out);
void archive_free(struct archive **archive);
const char *archive_path(const struct archive *a);

/*
 * Makes the directory if it is missing and `make` (mode 0700; its parent must exist), and
 * checks that no other user may write to it. ERR_DENIED, ERR_IO, ERR_NOT_FOUND it is
 * missing: `why` has the reason
 */
MUST_CHECK enum err archive_prepare(const struct archive *a, bool make, char why[ARCHIVE_WHY_SIZE]);

/*
 * Appends a file's bytes to `out`. ERR_ARCHIVE it, or the directory, is missing; ERR_TAMPERED it is
 * not a regular file, or is larger than any of ours; ERR_IO, ERR_MEMORY
 */
MUST_CHECK enum err archive_read(struct archive *a, const struct tile *tile, struct buffer *out);

/*
 * A file is written in steps, so that many files can share the work of the disk: archive_write()
 * for each, under another name; archive_place() for each, which makes it durable and gives it its
 * name; archive_sync() for each directory. After an interruption all steps can be done again.
 * ERR_CONFLICT a file of another content has that name; ERR_TAMPERED a part of the path is no
 * directory; ERR_IO, for example because the disk is full
 */
MUST_CHECK enum err archive_write(struct archive *a, const struct tile *tile, struct span bytes);
MUST_CHECK enum err archive_place(struct archive *a, const struct tile *tile);
MUST_CHECK enum err archive_sync(struct archive *a, const struct tile *tile);

/* Removes a partial tile that is not needed any more, if it is there. */
void archive_remove(struct archive *a, const struct tile *tile);

/* The signed checkpoint of what is in the directory. Reading: ERR_NOT_FOUND there is none */
MUST_CHECK enum err archive_checkpoint_read(struct archive *a, struct buffer *out);
MUST_CHECK enum err archive_checkpoint_write(struct archive *a, struct span note);

/* The sum of the sizes of all files; takes as long as there are files. ERR_ARCHIVE, ERR_IO */
MUST_CHECK enum err archive_measure(struct archive *a, uint64_t *bytes);

/* Says in the operational log, at most a few times a second, what is wrong with a file. */
void archive_tell(struct archive *a, const struct tile *tile, const char *what);

#endif
