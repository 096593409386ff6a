#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

MUST_CHECK static enum err read_all(int fd, size_t max, struct buffer *out)
{
    uint8_t chunk[16384];
    ssize_t got;
    size_t total = 0;
    enum err e = ERR_NONE;

    while (e == ERR_NONE && (got = read(fd, chunk, sizeof chunk)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            e = ERR_IO;
        else if ((size_t)got > max - total)
            e = ERR_TOO_LARGE;
        else
            e = buffer_append(out, span_of(chunk, (size_t)got));
        total += e == ERR_NONE ? (size_t)got : 0;
    }
    bytes_wipe(chunk, sizeof chunk);
    return e;
}

enum err file_read(const char *path, size_t max, struct buffer *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    enum err e;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    e = read_all(fd, max, out);
    (void)close(fd);
    return e;
}

MUST_CHECK static enum err write_all(int fd, struct span bytes)
{
    while (bytes.size > 0) {
        ssize_t put = write(fd, bytes.data, bytes.size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return ERR_IO;
        bytes = span_of(bytes.data + put, bytes.size - (size_t)put);
    }
    return ERR_NONE;
}

MUST_CHECK static enum err sync_directory_of(const char *path)
{
    char copy[PATH_MAX];
    int fd;
    int failed;

    (void)snprintf(copy, sizeof copy, "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ERR_IO;
    failed = fsync(fd);
    (void)close(fd);
    return failed ? ERR_IO : ERR_NONE;
}

/* link() refuses where rename() would replace. */
MUST_CHECK static enum err move_into_place(const char *temporary, const char *path, bool replace)
{
    if (replace)
        return rename(temporary, path) == 0 ? ERR_NONE : ERR_IO;
    if (link(temporary, path) != 0)
        return errno == EEXIST ? ERR_CONFLICT : ERR_IO;
    (void)unlink(temporary);
    return ERR_NONE;
}

enum err file_write(const char *path, struct span bytes, unsigned mode, bool replace)
{
    char temporary[PATH_MAX];
    int size = snprintf(temporary, sizeof temporary, "%s.%ld.new", path, (long)getpid());
    enum err e;
    int fd;

    if (size < 0 || (size_t)size >= sizeof temporary)
        return ERR_TOO_LARGE;
    (void)unlink(temporary);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
    if (fd < 0)
        return ERR_IO;
    e = write_all(fd, bytes);
    if (e == ERR_NONE && fsync(fd) != 0)
        e = ERR_IO;
    if (close(fd) != 0 && e == ERR_NONE)
        e = ERR_IO;
    if (e == ERR_NONE)
        e = move_into_place(temporary, path, replace);
    if (e != ERR_NONE) {
        (void)unlink(temporary);
        return e;
    }
    return sync_directory_of(path);
}

enum err directory_make(const char *path)
{
    struct stat s;

    if (mkdir(path, 0700) == 0)
        return sync_directory_of(path);
    return errno == EEXIST && stat(path, &s) == 0 && S_ISDIR(s.st_mode) ? ERR_NONE : ERR_IO;
}
