/* Blobs and secrets, which carry bytes across the library's interface. Files: file_io.c. */
#include "client/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

enum vs_error fd_read_fully(int fd, uint8_t *out, size_t capacity, size_t *size)
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

/* Guarded memory does not grow in place, so its size is doubled and the old pages are wiped. */
MUST_CHECK static enum vs_error secret_grow(struct secret **s, size_t size)
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

enum vs_error fd_read_secret(int fd, size_t max, struct secret **out)
{
    struct secret *s = NULL;
    size_t used = 0;
    size_t got = 0;
    enum vs_error e = error_of(secret_new(max < 4095 ? max + 1 : 4096, &s));

    while (e == VS_OK) {
        e = fd_read_fully(fd, secret_data(s) + used, secret_size(s) - used, &got);
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
    e = fd_read_secret(fd, max, &s);
    if (e == VS_OK)
        *out = secret_to_public(s);
    return e;
}
