#include "store/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

enum {
    PATH_SIZE = 4096,
    NAME_SIZE = TILE_PATH_SIZE + 8, /* with ".new" */
    DEPTH_MAX = 12,                 /* of directories */
};

_Static_assert(ARCHIVE_WHY_SIZE >= FILE_WHY_SIZE, "the reason of base/file.h fits");

static const char checkpoint_name[] = "checkpoint";

struct archive {
    char path[PATH_SIZE];
    struct log_limit told;
};

enum err archive_new(const char *path, struct archive **out)
{
    struct archive *a = calloc(1, sizeof *a);
    enum err e = a ? span_to_string(span_string(path), a->path, sizeof a->path) : ERR_MEMORY;

    if (e == ERR_NONE)
        *out = a;
    else
        free(a);
    return e;
}

void archive_free(struct archive **archive)
{
    free(*archive);
    *archive = NULL;
}

const char *archive_path(const struct archive *a)
{
    return a->path;
}

static void tell(struct archive *a, const char *name, const char *what)
{
    uint64_t left_out = 0;

    if (log_limit_take(&a->told, clock_monotonic_us(), &left_out))
        log_write(LOG_ERROR, "store", "archive_fault", LOG_STRING("archive", a->path),
                  LOG_STRING("file", name), LOG_STRING("found", what),
                  LOG_STRING("next", "mount the archive, or restore the file from a backup"),
                  LOG_NUMBER("left_out", left_out));
}

void archive_tell(struct archive *a, const struct tile *tile, const char *what)
{
    char name[TILE_PATH_SIZE];

    (void)tile_path_write(tile, name);
    tell(a, name, what);
}

/* The error of a system call, and a line that names the file. */
MUST_CHECK static enum err failed(struct archive *a, const char *name, int number)
{
    enum err e = ERR_IO;

    if (number == ENOENT)
        e = ERR_ARCHIVE;
    else if (number == ELOOP || number == ENOTDIR || number == EISDIR)
        e = ERR_TAMPERED;
    tell(a, name,
         e == ERR_ARCHIVE    ? "no such file"
         : e == ERR_TAMPERED ? "a link or another kind of file is in its place"
                             : strerror(number));
    return e;
}

/* Keeps the errno of an earlier call. */
static void close_quietly(int fd)
{
    const int number = errno;

    (void)close(fd);
    errno = number;
}

/* Calls that return a descriptor, or -1 with errno. */

static int root_open(const struct archive *a)
{
    return open(a->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* The directory is durable in its parent before a file in it is. */
static int directory_add(int parent, const char *name)
{
    if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST)
        return -1;
    if (fsync(parent) != 0)
        return -1;
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static int directory_open(int parent, const char *name, bool make)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 && errno == ENOENT && make ? directory_add(parent, name) : fd;
}

/* Opens the directory of a file. `*last` is set to the file's own name, inside `path`. */
static int way_open(const struct archive *a, char *path, bool make, const char **last)
{
    int fd = root_open(a);
    char *part = path;
    char *slash;

    while (fd >= 0 && (slash = strchr(part, '/')) != NULL) {
        int next;

        *slash = '\0';
        next = directory_open(fd, part, make);
        *slash = '/';
        close_quietly(fd);
        fd = next;
        part = slash + 1;
    }
    *last = part;
    return fd;
}

enum err archive_prepare(const struct archive *a, bool make, char why[ARCHIVE_WHY_SIZE])
{
    enum err e = directory_check_trusted(a->path, why);

    if (e != ERR_NOT_FOUND || !make)
        return e;
    if (directory_make(a->path) != ERR_NONE) {
        (void)snprintf(why, ARCHIVE_WHY_SIZE, "it cannot be made: %s", strerror(errno));
        return ERR_IO;
    }
    return directory_check_trusted(a->path, why);
}

/* O_NONBLOCK: a pipe is refused, not waited for. */
static int file_open(const struct archive *a, const char *name)
{
    char path[NAME_SIZE];
    const char *last;
    int directory, fd;

    (void)snprintf(path, sizeof path, "%s", name);
    directory = way_open(a, path, false, &last);
    if (directory < 0)
        return -1;
    fd = openat(directory, last, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    close_quietly(directory);
    return fd;
}

MUST_CHECK static enum err read_exactly(int fd, size_t size, struct buffer *out)
{
    enum err e = buffer_reserve(out, size);

    while (e == ERR_NONE && size > 0) {
        const ssize_t got = read(fd, out->data + out->size, size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            e = ERR_IO;
        else
            out->size += (size_t)got;
        size -= e == ERR_NONE ? (size_t)got : 0;
    }
    return e;
}

MUST_CHECK static enum err open_file_read(struct archive *a, const char *name, int fd,
                                          struct buffer *out)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return failed(a, name, errno);
    if (!S_ISREG(status.st_mode) || status.st_size < 0 ||
        (uintmax_t)status.st_size > ARCHIVE_FILE_MAX) {
        tell(a, name, "it is not a regular file, or is larger than any file of an archive");
        return ERR_TAMPERED;
    }
    return read_exactly(fd, (size_t)status.st_size, out);
}

MUST_CHECK static enum err file_get(struct archive *a, const char *name, struct buffer *out)
{
    const int fd = file_open(a, name);
    enum err e;

    if (fd < 0)
        return failed(a, name, errno);
    e = open_file_read(a, name, fd, out);
    (void)close(fd);
    return e;
}

enum err archive_read(struct archive *a, const struct tile *tile, struct buffer *out)
{
    char name[TILE_PATH_SIZE];

    (void)tile_path_write(tile, name);
    return file_get(a, name, out);
}

/* ---- writing ---- */

static int write_all(int fd, struct span bytes)
{
    while (bytes.size > 0) {
        const ssize_t put = write(fd, bytes.data, bytes.size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        bytes = span_slice(bytes, (size_t)put, bytes.size);
    }
    return 0;
}

/* 0, or -1 with errno. What an interruption left of the same name is removed. */
static int new_file_write(int directory, const char *name, struct span bytes)
{
    int fd, result;

    if (unlinkat(directory, name, 0) != 0 && errno != ENOENT)
        return -1;
    fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -1;
    result = write_all(fd, bytes);
    if (result == 0)
        return close(fd);
    close_quietly(fd);
    return result;
}

static int file_sync(int directory, const char *name)
{
    const int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int result;

    if (fd < 0)
        return -1;
    result = fsync(fd);
    close_quietly(fd);
    return result;
}

/* The directory of a tile's file, and the file's names in it: "234" and "234.new". */
struct place {
    char path[TILE_PATH_SIZE];
    const char *name;
    char fresh[NAME_SIZE];
    int directory;
};

MUST_CHECK static enum err place_open(struct archive *a, const struct tile *tile, struct place *out)
{
    (void)tile_path_write(tile, out->path);
    out->directory = way_open(a, out->path, true, &out->name);
    if (out->directory < 0)
        return failed(a, out->path, errno);
    (void)snprintf(out->fresh, sizeof out->fresh, "%s.new", out->name);
    return ERR_NONE;
}

enum err archive_write(struct archive *a, const struct tile *tile, struct span bytes)
{
    struct place p;
    enum err e = place_open(a, tile, &p);

    if (e != ERR_NONE)
        return e;
    if (new_file_write(p.directory, p.fresh, bytes) != 0)
        e = failed(a, p.path, errno);
    (void)close(p.directory);
    return e;
}

/* A file that is there already must be what an earlier, interrupted run wrote. */
MUST_CHECK static enum err existing_compare(struct archive *a, const struct place *p)
{
    char fresh[NAME_SIZE];
    struct buffer there = {0};
    struct buffer ours = {0};
    enum err e = file_get(a, p->path, &there);

    (void)snprintf(fresh, sizeof fresh, "%s.new", p->path);
    if (e == ERR_NONE)
        e = file_get(a, fresh, &ours);
    if (e == ERR_NONE && !span_equal(buffer_span(&there), buffer_span(&ours))) {
        tell(a, p->path, "a file of another content is there already, and is not replaced");
        e = ERR_CONFLICT;
    }
    if (e == ERR_NONE && file_sync(p->directory, p->name) != 0)
        e = failed(a, p->path, errno);
    buffer_clear(&there);
    buffer_clear(&ours);
    return e;
}

enum err archive_place(struct archive *a, const struct tile *tile)
{
    struct place p;
    enum err e = place_open(a, tile, &p);

    if (e != ERR_NONE)
        return e;
    if (file_sync(p.directory, p.fresh) != 0)
        e = failed(a, p.path, errno);
    else if (linkat(p.directory, p.fresh, p.directory, p.name, 0) != 0)
        e = errno == EEXIST ? existing_compare(a, &p) : failed(a, p.path, errno);
    (void)unlinkat(p.directory, p.fresh, 0);
    (void)close(p.directory);
    return e;
}

enum err archive_sync(struct archive *a, const struct tile *tile)
{
    struct place p;
    enum err e = place_open(a, tile, &p);

    if (e != ERR_NONE)
        return e;
    if (fsync(p.directory) != 0)
        e = failed(a, p.path, errno);
    (void)close(p.directory);
    return e;
}

void archive_remove(struct archive *a, const struct tile *tile)
{
    char path[TILE_PATH_SIZE];
    const char *name;
    int directory;

    (void)tile_path_write(tile, path);
    directory = way_open(a, path, false, &name);
    if (directory < 0)
        return;
    (void)unlinkat(directory, name, 0);
    (void)close(directory);
}

enum err archive_checkpoint_read(struct archive *a, struct buffer *out)
{
    const int fd = file_open(a, checkpoint_name);
    enum err e;

    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : failed(a, checkpoint_name, errno);
    e = open_file_read(a, checkpoint_name, fd, out);
    (void)close(fd);
    return e;
}

enum err archive_checkpoint_write(struct archive *a, struct span note)
{
    static const char fresh[] = "checkpoint.new";
    const int directory = root_open(a);
    enum err e = ERR_NONE;

    if (directory < 0)
        return failed(a, checkpoint_name, errno);
    if (new_file_write(directory, fresh, note) != 0 || file_sync(directory, fresh) != 0 ||
        renameat(directory, fresh, directory, checkpoint_name) != 0 || fsync(directory) != 0)
        e = failed(a, checkpoint_name, errno);
    (void)close(directory);
    return e;
}

/* ---- measuring ---- */

/* Takes ownership of `fd`. The depth is bounded: an archive has a few levels only. */
MUST_CHECK static enum err measure(int fd, unsigned depth, uint64_t *bytes)
{
    DIR *directory = fdopendir(fd);
    struct dirent *entry;
    struct stat status;
    enum err e = ERR_NONE;

    if (!directory) {
        (void)close(fd);
        return ERR_IO;
    }
    while (e == ERR_NONE && (entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(status.st_mode))
            *bytes += (uint64_t)status.st_size;
        if (!S_ISDIR(status.st_mode) || depth == DEPTH_MAX)
            continue;
        fd = directory_open(dirfd(directory), entry->d_name, false);
        e = fd < 0 ? ERR_IO : measure(fd, depth + 1, bytes);
    }
    (void)closedir(directory);
    return e;
}

enum err archive_measure(struct archive *a, uint64_t *bytes)
{
    const int fd = root_open(a);
    uint64_t sum = 0;
    enum err e;

    if (fd < 0)
        return errno == ENOENT ? ERR_ARCHIVE : ERR_IO;
    e = measure(fd, 0, &sum);
    if (e == ERR_NONE)
        *bytes = sum;
    return e;
}
