/* Reads and writes whole files, with size limits. Paths come from the operator, never from
 * requests. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/span.h"

/*
 * This rule protects every file that controls this program, and every credential. The program opens
 * the file once and follows links, because Kubernetes mounts secrets as links. Then it checks the
 * open file:
 *
 *   The file is a regular file. Its owner is root or the user of this process.
 *   Only the owner may write to the file.
 *   Other users may not read a secret. The groups of the process may read it (mode 0440, 0640).
 *   No directory in the path is writable by all users, unless it is sticky like /tmp.
 */
enum file_trust {
    FILE_INPUT,  /* settings, policies, certificates, collateral: other users may read it */
    FILE_SECRET, /* tokens, private keys, master secrets, and environment files with secrets */
    FILE_STATE,  /* a secret that this program wrote: its groups may write (Kubernetes fsGroup) */
};

#define FILE_WHY_SIZE                                                                              \
    400 /* bytes of a sentence that says what is wrong and what to do, without the path */

/*
 * Opens a file for reading and checks the rule. The caller closes `*fd`. Every error fills `why`.
 * ERR_NOT_FOUND; ERR_DENIED the file breaks the rule; ERR_IO
 */
MUST_CHECK enum err file_open_trusted(const char *path, enum file_trust trust, int *fd,
                                      char why[FILE_WHY_SIZE]);

/*
 * Opens a file like file_open_trusted() and appends its contents to `out`. Further errors:
 * ERR_TOO_LARGE the file has more than `max` bytes; ERR_MEMORY
 */
MUST_CHECK enum err file_read_trusted(const char *path, size_t max, enum file_trust trust,
                                      struct buffer *out, char why[FILE_WHY_SIZE]);

/*
 * Checks a directory that belongs to this program. Its owner is root or the user of this process,
 * and no other user may write to it.
 */
MUST_CHECK enum err directory_check_trusted(const char *path, char why[FILE_WHY_SIZE]);

/* The process that reads the file. file_judge() is the rule as a pure function. */
struct file_reader {
    uid_t user;
    size_t group_count;
    const gid_t *groups; /* includes the effective group */
};
MUST_CHECK enum err file_judge(const struct stat *status, enum file_trust trust,
                               const struct file_reader *reader, char why[FILE_WHY_SIZE]);

/*
 * Appends a file's contents to `out`.
 * ERR_NOT_FOUND; ERR_TOO_LARGE the file has more than `max` bytes; ERR_IO; ERR_MEMORY
 */
MUST_CHECK enum err file_read(const char *path, size_t max, struct buffer *out);

/*
 * Writes a file. After a crash either the old file or the new file exists, never a mixture: the
 * function writes a temporary file in the same directory, syncs it, renames it, and syncs the
 * directory. `mode` is the file mode, such as 0600.
 * ERR_CONFLICT the file exists and `replace` is false; ERR_IO; ERR_TOO_LARGE the path is too long
 */
MUST_CHECK enum err file_write(const char *path, struct span bytes, unsigned mode, bool replace);

/* Makes a directory (mode 0700) if it does not exist. Its parent must exist. ERR_IO */
MUST_CHECK enum err directory_make(const char *path);

#endif
