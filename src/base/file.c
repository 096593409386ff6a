#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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

/* ---- the rule for files that are trusted */

enum { GROUPS_MAX = 1024 };

static bool has_group(const struct file_reader *reader, gid_t group)
{
    for (size_t i = 0; i < reader->group_count; i++)
        if (reader->groups[i] == group)
            return true;
    return false;
}

MUST_CHECK static enum err refuse(char why[FILE_WHY_SIZE], const char *format, ...)
    PRINTF_LIKE(2, 3);

MUST_CHECK static enum err refuse(char why[FILE_WHY_SIZE], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(why, FILE_WHY_SIZE, format, arguments);
    va_end(arguments);
    return ERR_DENIED;
}

enum err file_judge(const struct stat *status, enum file_trust trust,
                    const struct file_reader *reader, char why[FILE_WHY_SIZE])
{
    const unsigned mode = (unsigned)status->st_mode & 07777u;
    const bool own_group = has_group(reader, status->st_gid);
    const unsigned writers =
        trust == FILE_STATE && own_group ? S_IWOTH : (unsigned)(S_IWGRP | S_IWOTH);

    if (status->st_uid != reader->user && status->st_uid != 0)
        return refuse(why,
                      "it belongs to user %u, who could change it; it must belong to root or to "
                      "user %u, which runs this program: run chown",
                      (unsigned)status->st_uid, (unsigned)reader->user);
    if ((mode & writers) != 0)
        return refuse(why, "other users may write to it (mode %04o); run chmod go-w", mode);
    if (trust != FILE_INPUT && (mode & S_IRWXO) != 0)
        return refuse(why, "it is secret, but every user may read it (mode %04o); run chmod 600",
                      mode);
    if (trust != FILE_INPUT && (mode & S_IRWXG) != 0 && !own_group)
        return refuse(why,
                      "it is secret, but group %u may read it (mode %04o), to which this program "
                      "does not belong; run chmod 600, or chgrp",
                      (unsigned)status->st_gid, mode);
    return ERR_NONE;
}

MUST_CHECK static enum err judge(const struct stat *status, enum file_trust trust,
                                 char why[FILE_WHY_SIZE])
{
    gid_t groups[GROUPS_MAX + 1] = {getegid()};
    const int count = getgroups(GROUPS_MAX, groups + 1);
    const struct file_reader reader = {
        .user = geteuid(), .group_count = 1 + (size_t)(count > 0 ? count : 0), .groups = groups};

    return file_judge(status, trust, &reader, why);
}

/* Checks all directories that lead to an absolute path, after links are resolved. */
MUST_CHECK static enum err judge_directories(const char *path, char why[FILE_WHY_SIZE])
{
    char part[PATH_MAX];

    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        const size_t size = slash == path ? 1 : (size_t)(slash - path);
        struct stat status;

        if (size >= sizeof part)
            return refuse(why, "its path is too long");
        memcpy(part, path, size);
        part[size] = '\0';
        if (stat(part, &status) == 0 && S_ISDIR(status.st_mode) &&
            (status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0)
            return refuse(why,
                          "every user may write to the directory %.200s on the way to it (mode "
                          "%04o); run chmod o-w on that",
                          part, (unsigned)status.st_mode & 07777u);
    }
    return ERR_NONE;
}

/* Checks both the written path and the target of its links. */
MUST_CHECK static enum err judge_way(const char *path, char why[FILE_WHY_SIZE])
{
    char written[PATH_MAX];
    char real[PATH_MAX];
    char directory[PATH_MAX] = "";
    enum err e;
    int size;

    if (*path != '/' && !getcwd(directory, sizeof directory))
        return ERR_NONE; /* it is gone or unreachable: no user reaches the file by this path */
    size = snprintf(written, sizeof written, "%s%s%s", directory, *path == '/' ? "" : "/", path);
    if (size < 0 || (size_t)size >= sizeof written)
        return refuse(why, "its path is too long");
    e = judge_directories(written, why);
    if (e == ERR_NONE && realpath(path, real))
        e = judge_directories(real, why);
    return e;
}

enum err directory_check_trusted(const char *path, char why[FILE_WHY_SIZE])
{
    struct stat status;
    enum err e;

    if (stat(path, &status) != 0) {
        (void)snprintf(why, FILE_WHY_SIZE, "%s", strerror(errno));
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    }
    if (!S_ISDIR(status.st_mode))
        return refuse(why, "it is not a directory");
    /* others may read the directory; its files have their own modes */
    status.st_mode &= ~(mode_t)(S_IROTH | S_IXOTH);
    if ((e = judge(&status, FILE_STATE, why)) != ERR_NONE)
        return e;
    return judge_way(path, why);
}

/* O_NONBLOCK: a pipe without a writer is refused, not waited for. */
enum err file_open_trusted(const char *path, enum file_trust trust, int *fd,
                           char why[FILE_WHY_SIZE])
{
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    enum err e = ERR_IO;

    if (file < 0) {
        const bool missing = errno == ENOENT || errno == ENOTDIR;

        (void)snprintf(why, FILE_WHY_SIZE, "%s", missing ? "no such file" : strerror(errno));
        return missing ? ERR_NOT_FOUND : ERR_IO;
    }
    if (fstat(file, &status) != 0)
        (void)snprintf(why, FILE_WHY_SIZE, "%s", strerror(errno));
    else if (!S_ISREG(status.st_mode))
        e = refuse(why, "it is not a regular file");
    else if ((e = judge(&status, trust, why)) == ERR_NONE)
        e = judge_way(path, why);
    if (e == ERR_NONE)
        *fd = file; /* the caller owns it now */
    else
        (void)close(file);
    return e;
}

enum err file_read_trusted(const char *path, size_t max, enum file_trust trust, struct buffer *out,
                           char why[FILE_WHY_SIZE])
{
    int fd = -1;
    enum err e = file_open_trusted(path, trust, &fd, why);

    if (e != ERR_NONE)
        return e;
    e = read_all(fd, max, out);
    (void)close(fd);
    if (e == ERR_TOO_LARGE)
        (void)snprintf(why, FILE_WHY_SIZE, "it is larger than %zu bytes", max);
    else if (e != ERR_NONE)
        (void)snprintf(why, FILE_WHY_SIZE, "it could not be read: %s", err_text(e));
    return e;
}

/* ---- writing */

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
