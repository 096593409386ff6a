#include "tee/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

enum { PATH_SIZE = 4096, CHUNK = 4096 };

/* The table */

static int full_path(const char *root, const char *path, char out[PATH_SIZE])
{
    int size = snprintf(out, PATH_SIZE, "%s%s", root ? root : "", path);

    if (size > 0 && size < PATH_SIZE)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

static int linux_open(void *context, const char *path, int flags)
{
    char full[PATH_SIZE];

    return full_path(context, path, full) == 0 ? open(full, flags | O_CLOEXEC) : -1;
}

static int linux_close(void *context, int file)
{
    (void)context;
    return close(file);
}

static ssize_t linux_read(void *context, int file, void *out, size_t size)
{
    (void)context;
    return read(file, out, size);
}

static ssize_t linux_write(void *context, int file, const void *bytes, size_t size)
{
    (void)context;
    return write(file, bytes, size);
}

static int linux_mkdir(void *context, const char *path)
{
    char full[PATH_SIZE];

    return full_path(context, path, full) == 0 ? mkdir(full, 0700) : -1;
}

static int linux_rmdir(void *context, const char *path)
{
    char full[PATH_SIZE];

    return full_path(context, path, full) == 0 ? rmdir(full) : -1;
}

static int linux_ioctl(void *context, int file, unsigned long request, void *argument)
{
    (void)context;
    return ioctl(file, request, argument);
}

static void linux_pause(void *context, unsigned ms)
{
    const struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};

    (void)context;
    (void)nanosleep(&time, NULL);
}

const struct tee_system tee_system_linux = {
    .open = linux_open,
    .close = linux_close,
    .read = linux_read,
    .write = linux_write,
    .mkdir = linux_mkdir,
    .rmdir = linux_rmdir,
    .ioctl = linux_ioctl,
    .pause = linux_pause,
};

const struct tee_system *tee_system_of(const struct tee_settings *settings)
{
    return settings->system ? settings->system : &tee_system_linux;
}

/* Its use */

enum err system_failed(const char *doing, const char *path, struct tee_failure *failure)
{
    static const struct {
        int number;
        enum err e;
    } known[] = {
        {ENOENT,  ERR_NOT_FOUND },
        {ENXIO,   ERR_NOT_FOUND },
        {ENODEV,  ERR_NOT_FOUND },
        {ENODATA, ERR_NOT_FOUND },
        {EACCES,  ERR_DENIED    },
        {EPERM,   ERR_DENIED    },
        {EROFS,   ERR_DENIED    },
        {EBUSY,   ERR_OVERLOADED},
        {EAGAIN,  ERR_OVERLOADED},
    };
    int number = errno;
    const char *words = strerrordesc_np(number);

    tee_failure_set(failure, "%s %s: %s", doing, path, words ? words : "unknown error");
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (known[i].number == number)
            return known[i].e;
    return ERR_IO;
}

static ssize_t read_on(const struct tee_system *s, int file, void *out, size_t size)
{
    ssize_t got;

    do
        got = s->read(s->context, file, out, size);
    while (got < 0 && errno == EINTR);
    return got;
}

MUST_CHECK static enum err read_all(const struct tee_system *s, int file, const char *path,
                                    size_t max, struct buffer *out, struct tee_failure *failure)
{
    size_t start = out->size;

    for (;;) {
        ssize_t got;
        enum err e = buffer_reserve(out, CHUNK);

        if (e != ERR_NONE)
            return e;
        got = read_on(s, file, out->data + out->size, CHUNK);
        if (got < 0)
            return system_failed("reading", path, failure);
        if (got == 0)
            return ERR_NONE;
        out->size += (size_t)got;
        if (out->size - start > max) {
            tee_failure_set(failure, "%s holds more than %zu bytes", path, max);
            return ERR_TOO_LARGE;
        }
    }
}

enum err system_read(const struct tee_system *s, const char *path, size_t max, struct buffer *out,
                     struct tee_failure *failure)
{
    size_t start = out->size;
    int file = s->open(s->context, path, O_RDONLY);
    enum err e;

    if (file < 0)
        return system_failed("opening", path, failure);
    e = read_all(s, file, path, max, out, failure);
    (void)s->close(s->context, file);
    if (e != ERR_NONE)
        out->size = start;
    return e;
}

/* Reads up to `size` bytes; -1 with errno. */
static ssize_t read_fully(const struct tee_system *s, int file, uint8_t *out, size_t size)
{
    size_t have = 0;

    while (have < size) {
        ssize_t got = read_on(s, file, out + have, size - have);

        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

enum err system_read_exactly(const struct tee_system *s, const char *path, uint8_t *out,
                             size_t size, struct tee_failure *failure)
{
    int file = s->open(s->context, path, O_RDONLY);
    uint8_t beyond = 0;
    enum err e = ERR_NONE;
    ssize_t got;

    if (file < 0)
        return system_failed("opening", path, failure);
    got = read_fully(s, file, out, size);
    if (got == (ssize_t)size)
        got += read_fully(s, file, &beyond, 1);
    if (got < 0)
        e = system_failed("reading", path, failure);
    (void)s->close(s->context, file);
    bytes_wipe(&beyond, 1);
    if (e == ERR_NONE && got != (ssize_t)size) {
        tee_failure_set(failure, "%s does not hold %zu bytes", path, size);
        e = ERR_MALFORMED;
    }
    if (e != ERR_NONE)
        bytes_wipe(out, size);
    return e;
}

enum err system_read_line(const struct tee_system *s, const char *path, char *out, size_t out_size,
                          struct tee_failure *failure)
{
    struct buffer bytes = {0};
    struct span line;
    enum err e = system_read(s, path, CHUNK, &bytes, failure);

    line = buffer_span(&bytes);
    if (line.size > 0 && line.data[line.size - 1] == '\n')
        line.size--;
    if (e == ERR_NONE && span_to_string(line, out, out_size) != ERR_NONE) {
        tee_failure_set(failure, "%s does not hold a short line", path);
        e = ERR_MALFORMED;
    }
    buffer_clear(&bytes);
    return e;
}

enum err system_read_number(const struct tee_system *s, const char *path, uint64_t *out,
                            struct tee_failure *failure)
{
    char text[24];
    enum err e = system_read_line(s, path, text, sizeof text, failure);

    /* the kernel writes numbers without leading zeros */
    if (e == ERR_NONE && decimal_read(span_string(text), out) != ERR_NONE) {
        tee_failure_set(failure, "%s does not hold a number", path);
        e = ERR_MALFORMED;
    }
    return e;
}

enum err system_write(const struct tee_system *s, const char *path, struct span bytes,
                      struct tee_failure *failure)
{
    int file = s->open(s->context, path, O_WRONLY);
    enum err e = ERR_NONE;
    ssize_t put;

    if (file < 0)
        return system_failed("opening", path, failure);
    do
        put = s->write(s->context, file, bytes.data, bytes.size);
    while (put < 0 && errno == EINTR);
    if (put < 0) {
        e = system_failed("writing", path, failure);
    } else if ((size_t)put != bytes.size) {
        tee_failure_set(failure, "writing %s: only a part was taken", path);
        e = ERR_IO;
    }
    /* Gramine and configfs act on the data when the file is closed */
    if (s->close(s->context, file) != 0 && e == ERR_NONE)
        e = system_failed("closing", path, failure);
    return e;
}
