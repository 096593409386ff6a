/* Whole files, with limits. Paths come from the operator, never from requests. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/span.h"

/*
 * The rule for every file whose contents decide what this program does, and for every credential.
 * The file is opened once, links are followed (Kubernetes mounts secrets as links), and what was
 * opened is judged:
 *
 *   it is a regular file, of root or of the user of this process
 *   only its owner may write to it
 *   a secret is closed to all other users; the process's own groups may read it (mode 0440, 0640)
 *   no directory on the way to it may be written by all users, unless it is sticky like /tmp
 */
enum file_trust {
    FILE_INPUT,  /* settings, policies, certificates, collateral: others may read it */
    FILE_SECRET, /* tokens, private keys, master secrets, variables with such */
    FILE_STATE,  /* a secret that this program wrote: its own groups may write, as fsGroup has it */
};

#define FILE_WHY_SIZE                                                                              \
    400 /* of a sentence that says what is wrong and what to do, without the path */

/*
 * Opens a file under the rule, for reading. The caller closes `*fd`.
 * ERR_NOT_FOUND; ERR_DENIED the rule is broken; ERR_IO; with `why` each time
 */
MUST_CHECK enum err file_open_trusted(const char *path, enum file_trust trust, int *fd,
                                      char why[FILE_WHY_SIZE]);

/* The same, and appends its contents to `out`. ERR_TOO_LARGE beyond `max` bytes, ERR_MEMORY */
MUST_CHECK enum err file_read_trusted(const char *path, size_t max, enum file_trust trust,
                                      struct buffer *out, char why[FILE_WHY_SIZE]);

/* A directory of this program's own: of root or its user, and nobody else may write to it. */
MUST_CHECK enum err directory_check_trusted(const char *path, char why[FILE_WHY_SIZE]);

/* Who reads: the rule as a pure function. */
struct file_reader {
    uid_t user;
    size_t group_count;
    const gid_t *groups; /* also the effective one */
};
MUST_CHECK enum err file_judge(const struct stat *status, enum file_trust trust,
                               const struct file_reader *reader, char why[FILE_WHY_SIZE]);

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
