/* Blobs, secrets, files, and what else carries bytes across the library's edge. */
#include "client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define FILE_PIECE 65536
#define FILE_HASHED_MAX (512u * 1024 * 1024)

void vs_blob_clear(struct vs_blob *b)
{
    if (b == NULL)
        return;
    free(b->data);
    *b = (struct vs_blob){0};
}

enum vs_error blob_copy(struct span bytes, struct vs_blob *out)
{
    uint8_t *data = malloc(bytes.size + 1);

    if (data == NULL)
        return VS_ERR_MEMORY;
    if (bytes.size > 0)
        memcpy(data, bytes.data, bytes.size);
    data[bytes.size] = 0;
    out->data = data;
    out->size = bytes.size;
    return VS_OK;
}

enum vs_error blob_from_buffer(struct buffer *b, struct vs_blob *out)
{
    enum vs_error e = blob_copy(buffer_span(b), out);

    buffer_clear(b);
    return e;
}

const uint8_t *vs_secret_data(const struct vs_secret *s)
{
    return s == NULL ? NULL : secret_span((const struct secret *)s).data;
}

size_t vs_secret_size(const struct vs_secret *s)
{
    return s == NULL ? 0 : secret_size((const struct secret *)s);
}

void vs_secret_free(struct vs_secret **s)
{
    struct secret *inner;

    if (s == NULL)
        return;
    inner = (struct secret *)*s;
    secret_free(&inner);
    *s = NULL;
}

/* Reads until the end or until `capacity` is full. */
static enum vs_error read_fully(int fd, uint8_t *out, size_t capacity, size_t *size)
{
    size_t got = 0;

    while (got < capacity) {
        ssize_t n = read(fd, out + got, capacity - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return VS_ERR_IO;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *size = got;
    return VS_OK;
}

/* Guarded memory does not grow in place, so it doubles and the old pages are wiped. */
static enum vs_error secret_grow(struct secret **s, size_t size)
{
    struct secret *larger = NULL;
    enum err e = secret_new(size, &larger);

    if (e != ERR_NONE)
        return error_of(e);
    memcpy(secret_data(larger), secret_data(*s), secret_size(*s));
    secret_free(s);
    *s = larger;
    return VS_OK;
}

static enum vs_error read_secret(int fd, size_t max, struct secret **out)
{
    struct secret *s = NULL;
    size_t used = 0;
    size_t got = 0;
    enum vs_error e = error_of(secret_new(max < 4095 ? max + 1 : 4096, &s));

    while (e == VS_OK) {
        e = read_fully(fd, secret_data(s) + used, secret_size(s) - used, &got);
        if (e != VS_OK)
            break;
        used += got;
        if (used < secret_size(s))
            break; /* the end */
        if (used > max)
            e = VS_ERR_TOO_LARGE;
        else
            e = secret_grow(&s, used * 2 > max ? max + 1 : used * 2);
    }
    if (e == VS_OK && used > max)
        e = VS_ERR_TOO_LARGE;
    if (e != VS_OK) {
        secret_free(&s);
        return e;
    }
    secret_shrink(s, used);
    *out = s;
    return VS_OK;
}

enum vs_error vs_secret_read(int fd, size_t max, struct vs_secret **out)
{
    struct secret *s = NULL;
    enum vs_error e;

    if (fd < 0 || out == NULL || max >= SECRET_MAX_SIZE)
        return VS_ERR_ARGUMENT;
    e = read_secret(fd, max, &s);
    if (e == VS_OK)
        *out = secret_to_public(s);
    return e;
}

static enum vs_error open_for_reading(const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd >= 0)
        return VS_OK;
    return errno == ENOENT ? VS_ERR_NOT_FOUND : VS_ERR_IO;
}

enum vs_error file_read_secret(const char *path, size_t max, bool private, struct secret **out)
{
    struct stat status;
    int fd = -1;
    enum vs_error e = open_for_reading(path, &fd);

    if (e != VS_OK)
        return e;
    if (fstat(fd, &status) != 0 || S_ISDIR(status.st_mode))
        e = VS_ERR_IO;
    else if (private && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        e = VS_ERR_MALFORMED;
    else
        e = read_secret(fd, max, out);
    (void)close(fd);
    return e;
}

enum vs_error vs_file_read(const char *path, size_t max, struct vs_blob *out)
{
    struct buffer b = {0};
    size_t got = 0;
    int fd = -1;
    enum vs_error e;

    if (path == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    e = open_for_reading(path, &fd);
    if (e != VS_OK)
        return e;
    do {
        e = error_of(buffer_reserve(&b, FILE_PIECE));
        if (e == VS_OK)
            e = read_fully(fd, b.data + b.size, FILE_PIECE, &got);
        if (e == VS_OK)
            b.size += got;
        if (e == VS_OK && b.size > max)
            e = VS_ERR_TOO_LARGE;
    } while (e == VS_OK && got == FILE_PIECE);
    (void)close(fd);
    if (e == VS_OK)
        e = blob_copy(buffer_span(&b), out);
    buffer_clear(&b);
    return e;
}

static enum vs_error write_fully(int fd, struct span bytes)
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

/* link() refuses to take another file's place, rename() does it as one step. */
static enum vs_error put_in_place(const char *temporary, const char *path, bool replace)
{
    if (replace)
        return rename(temporary, path) == 0 ? VS_OK : VS_ERR_IO;
    if (link(temporary, path) != 0)
        return errno == EEXIST ? VS_ERR_EXISTS : VS_ERR_IO;
    return unlink(temporary) == 0 ? VS_OK : VS_ERR_IO;
}

enum vs_error vs_file_write(const char *path, struct vs_bytes bytes, unsigned mode, bool replace)
{
    struct buffer temporary = {0};
    uint8_t random[8];
    char suffix[2 * sizeof random + 1];
    int fd = -1;
    enum vs_error e;

    if (path == NULL || path[0] == '\0' || (bytes.data == NULL && bytes.size > 0))
        return VS_ERR_ARGUMENT;
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
    e = write_fully(fd, span_of_bytes(bytes));
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
