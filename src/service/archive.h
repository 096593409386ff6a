/* Asking for old entries of the log to be moved into the archive. server/archiver.h moves them. */
#ifndef SERVICE_ARCHIVE_H
#define SERVICE_ARCHIVE_H

#include "service/service.h"
#include "store/archiver.h"

/* The request of OPERATION_ARCHIVE. */
#define ARCHIVE_DIRECTORY_MAX 4096 /* with a terminator */
struct archive_request {
    const char *directory; /* that the caller expects; "": any */
    uint64_t before;       /* entries before this one, from archive_end() */
};

/*
 * The end of what may move: entries older than `days` days before `now`, in whole blocks of 256.
 * The newest entry always stays in the database. ERR_ARCHIVE, ERR_TAMPERED, ERR_IO
 */
MUST_CHECK enum err archive_end(struct store *store, uint64_t days, struct timestamp now,
                                uint64_t *before);

#endif
