/* Whole files, with limits. Paths come from the operator, never from requests. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/span.h"

/*
 * Appends a file's contents to `out`.
 * ERR_NOT_FOUND, ERR_TOO_LARGE beyond `max` bytes, ERR_IO, ERR_MEMORY
 */
MUST_CHECK enum err file_read(const char *path, size_t max, struct buffer *out);

/*
 * Writes a file so that after a crash there is either the old one or the new one: temporary file in
 * the same directory, fsync, rename, fsync of the directory. `mode` such as 0600.
 * ERR_CONFLICT when it exists and `replace` is false; ERR_IO; ERR_TOO_LARGE (path)
 */
MUST_CHECK enum err file_write(const char *path, struct span bytes, unsigned mode, bool replace);

/* Makes a directory (0700) if there is none; its parent must exist. ERR_IO */
MUST_CHECK enum err directory_make(const char *path);

#endif
