/* Reads and writes files, and checks which of them may hold credentials. */
#include "client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define FILE_PIECE 65536
#define FILE_HASHED_MAX (512u * 1024 * 1024)

MUST_CHECK static enum vs_error open_for_reading(const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (*fd >= 0)
        return VS_OK;
    return errno == ENOENT ? VS_ERR_NOT_FOUND : VS_ERR_IO;
}

/* Applies the rule of base/file.h; `refused` names the fault of a file that breaks it. */
MUST_CHECK static enum vs_error open_trusted(const char *path, enum file_trust trust,
                                             enum vs_error refused, int *fd, struct vs_why *why)
{
    char sentence[FILE_WHY_SIZE] = "";
    const enum err e = file_open_trusted(path, trust, fd, sentence);

    if (e == ERR_NONE)
        return VS_OK;
    return why_fail(why, e == ERR_DENIED ? refused : error_of(e), "%s", sentence);
}

enum vs_error vs_credential_check(const char *path, struct vs_why *why)
{
    int fd = -1;
    enum vs_error e;

    if (path == NULL)
        return VS_ERR_ARGUMENT;
    e = open_trusted(path, FILE_SECRET, VS_ERR_MALFORMED, &fd, why);
    if (e == VS_OK)
        (void)close(fd);
    return e;
}

/* ---- reading ---- */

enum vs_error credential_read(const char *path, size_t max, struct secret **out, struct vs_why *why)
{
    int fd = -1;
    enum vs_error e = open_trusted(path, FILE_SECRET, VS_ERR_MALFORMED, &fd, why);

    if (e != VS_OK)
        return e;
    if ((e = fd_read_secret(fd, max, out)) != VS_OK)
        e = why_fail(why, e, "%s", vs_error_text(e));
    (void)close(fd);
    return e;
}

MUST_CHECK static enum vs_error read_blob(int fd, size_t max, struct vs_blob *out)
{
    struct buffer b = {0};
    size_t got = 0;
    enum vs_error e;

    do {
        e = error_of(buffer_reserve(&b, FILE_PIECE));
        if (e == VS_OK)
            e = fd_read_fully(fd, b.data + b.size, FILE_PIECE, &got);
        if (e == VS_OK)
            b.size += got;
        if (e == VS_OK && b.size > max)
            e = VS_ERR_TOO_LARGE;
    } while (e == VS_OK && got == FILE_PIECE);
    if (e == VS_OK)
        e = blob_copy(buffer_span(&b), out);
    buffer_clear(&b);
    return e;
}

enum vs_error vs_file_read(const char *path, size_t max, struct vs_blob *out)
{
    int fd = -1;
    enum vs_error e;

    if (path == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    e = open_for_reading(path, &fd);
    if (e != VS_OK)
        return e;
    e = read_blob(fd, max, out);
    (void)close(fd);
    return e;
}

enum vs_error vs_trusted_file_read(const char *path, size_t max, struct vs_blob *out,
                                   struct vs_why *why)
{
    int fd = -1;
    enum vs_error e;

    if (path == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    if ((e = open_trusted(path, FILE_INPUT, VS_ERR_UNTRUSTED, &fd, why)) != VS_OK)
        return e;
    if ((e = read_blob(fd, max, out)) != VS_OK)
        e = why_fail(why, e, "%s", vs_error_text(e));
    (void)close(fd);
    return e;
}

/* ---- writing ---- */

MUST_CHECK static enum vs_error write_fully(int fd, struct span bytes)
{
    while (bytes.size > 0) {
        ssize_t n = write(fd, bytes.data, bytes.size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return VS_ERR_IO;
        bytes.data += n;
        bytes.size -= (size_t)n;
    }
    return VS_OK;
}

/* link() does not replace another file; rename() replaces it in one step. */
MUST_CHECK static enum vs_error put_in_place(const char *temporary, const char *path, bool replace)
{
    if (replace)
        return rename(temporary, path) == 0 ? VS_OK : VS_ERR_IO;
    if (link(temporary, path) != 0)
        return errno == EEXIST ? VS_ERR_EXISTS : VS_ERR_IO;
    return unlink(temporary) == 0 ? VS_OK : VS_ERR_IO;
}

MUST_CHECK static enum vs_error replace_whole(const char *path, struct span bytes, unsigned mode,
                                              bool replace)
{
    struct buffer temporary = {0};
    uint8_t random[8];
    char suffix[2 * sizeof random + 1];
    int fd = -1;
    enum vs_error e;

    random_bytes(random, sizeof random);
    hex_write(SPAN_OF(random), suffix);
    e = error_of(buffer_printf(&temporary, "%s.%s.tmp%c", path, suffix, '\0'));
    if (e != VS_OK)
        goto out;
    fd = open((const char *)temporary.data, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
              (mode_t)mode);
    if (fd < 0) {
        e = VS_ERR_IO;
        goto out;
    }
    e = write_fully(fd, bytes);
    if (e == VS_OK && fsync(fd) != 0)
        e = VS_ERR_IO;
    if (close(fd) != 0 && e == VS_OK)
        e = VS_ERR_IO;
    if (e == VS_OK)
        e = put_in_place((const char *)temporary.data, path, replace);
    if (e != VS_OK)
        (void)unlink((const char *)temporary.data);
out:
    buffer_clear(&temporary);
    return e;
}

/* Writes to a device, a pipe, or the target of a link. A file behind a link must not have a
 * wider mode than requested: other users could read a secret there. */
MUST_CHECK static enum vs_error write_through(const char *path, struct span bytes, unsigned mode)
{
    struct stat status;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, (mode_t)mode);
    enum vs_error e = VS_OK;

    if (fd < 0)
        return VS_ERR_IO;
    if (fstat(fd, &status) != 0 ||
        (S_ISREG(status.st_mode) &&
         (fchmod(fd, status.st_mode & mode & 0777) != 0 || ftruncate(fd, 0) != 0)))
        e = VS_ERR_IO;
    if (e == VS_OK)
        e = write_fully(fd, bytes);
    if (close(fd) != 0 && e == VS_OK)
        e = VS_ERR_IO;
    return e;
}

enum vs_error vs_file_write(const char *path, struct vs_bytes bytes, unsigned mode, bool replace)
{
    struct stat status;

    if (path == NULL || path[0] == '\0' || (bytes.data == NULL && bytes.size > 0))
        return VS_ERR_ARGUMENT;
    if (lstat(path, &status) != 0 || S_ISREG(status.st_mode))
        return replace_whole(path, span_of_bytes(bytes), mode, replace);
    if (S_ISDIR(status.st_mode) || S_ISSOCK(status.st_mode))
        return VS_ERR_IO;
    if (S_ISLNK(status.st_mode) && !replace)
        return VS_ERR_EXISTS;
    return write_through(path, span_of_bytes(bytes), mode);
}

enum vs_error vs_file_sha256(const char *path, uint8_t out[VS_HASH_SIZE])
{
    struct vs_blob file = {0};
    enum vs_error e;

    if (out == NULL)
        return VS_ERR_ARGUMENT;
    e = vs_file_read(path, FILE_HASHED_MAX, &file);
    if (e == VS_OK)
        sha256(span_of(file.data, file.size), out);
    vs_blob_clear(&file);
    return e;
}
