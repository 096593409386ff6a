/*
 * The few system calls through which a TEE's kernel interface is used, as a table: tests put a
 * kernel of their own in its place. Each member returns as the call does, with errno.
 */
#ifndef TEE_SYSTEM_H
#define TEE_SYSTEM_H

#include <sys/types.h>

#include "tee/tee.h"

struct tee_system {
    void *context; /* of tee_system_linux: put before every path, a string; NULL for none */
    int (*open)(void *context, const char *path, int flags);
    int (*close)(void *context, int file);
    ssize_t (*read)(void *context, int file, void *out, size_t size);
    ssize_t (*write)(void *context, int file, const void *bytes, size_t size);
    int (*mkdir)(void *context, const char *path);
    int (*rmdir)(void *context, const char *path);
    int (*ioctl)(void *context, int file, unsigned long request, void *argument);
    void (*pause)(void *context, unsigned ms);
};

extern const struct tee_system tee_system_linux;

/* The one that `settings` names, else this machine's. */
const struct tee_system *tee_system_of(const struct tee_settings *settings);

/*
 * What errno tells a caller; `failure` gets the path and the kernel's words.
 *
 * ERR_NOT_FOUND   no such file or device, or nothing behind it (ENOENT, ENXIO, ENODEV, ENODATA)
 * ERR_DENIED      EACCES, EPERM, EROFS
 * ERR_OVERLOADED  EBUSY, EAGAIN: worth another attempt
 * ERR_IO          the rest
 */
MUST_CHECK enum err system_failed(const char *doing, const char *path, struct tee_failure *failure);

/* Appends what `path` holds. As system_failed(); ERR_TOO_LARGE beyond `max` bytes; ERR_MEMORY */
MUST_CHECK enum err system_read(const struct tee_system *s, const char *path, size_t max,
                                struct buffer *out, struct tee_failure *failure);

/* Exactly `size` bytes, which pass through no other memory. ERR_MALFORMED when there are more or
 * fewer; `out` is then zero. */
MUST_CHECK enum err system_read_exactly(const struct tee_system *s, const char *path, uint8_t *out,
                                        size_t size, struct tee_failure *failure);

/* A line without its end, as a string. ERR_MALFORMED when it does not fit */
MUST_CHECK enum err system_read_line(const struct tee_system *s, const char *path, char *out,
                                     size_t out_size, struct tee_failure *failure);

/* A line that is a decimal number. ERR_MALFORMED */
MUST_CHECK enum err system_read_number(const struct tee_system *s, const char *path, uint64_t *out,
                                       struct tee_failure *failure);

/* Writes all of `bytes` at once into a file that is there; what close() says counts. */
MUST_CHECK enum err system_write(const struct tee_system *s, const char *path, struct span bytes,
                                 struct tee_failure *failure);

#endif
