/*
 * The system calls that reach a TEE's kernel interface, as a table, so that tests can replace the
 * kernel. Each member returns like its call, with errno.
 */
#ifndef TEE_SYSTEM_H
#define TEE_SYSTEM_H

#include <sys/types.h>

#include "tee/tee.h"

struct tee_system {
    void *context; /* of tee_system_linux: a string to put before every path; NULL for none */
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

/* The system that `settings` names, else this machine's. */
const struct tee_system *tee_system_of(const struct tee_settings *settings);

/*
 * Converts errno to an error; `failure` gets the path and the kernel's message.
 *
 * ERR_NOT_FOUND   no such file or device, or no driver (ENOENT, ENXIO, ENODEV, ENODATA)
 * ERR_DENIED      EACCES, EPERM, EROFS
 * ERR_OVERLOADED  EBUSY, EAGAIN: worth another attempt
 * ERR_IO          all others
 */
MUST_CHECK enum err system_failed(const char *doing, const char *path, struct tee_failure *failure);

/* Appends the contents of `path`. Errors as system_failed(); ERR_TOO_LARGE beyond `max` bytes;
 * ERR_MEMORY */
MUST_CHECK enum err system_read(const struct tee_system *s, const char *path, size_t max,
                                struct buffer *out, struct tee_failure *failure);

/* Reads exactly `size` bytes straight into `out`, without a second copy. ERR_MALFORMED the size
 * differs; then `out` is zero. */
MUST_CHECK enum err system_read_exactly(const struct tee_system *s, const char *path, uint8_t *out,
                                        size_t size, struct tee_failure *failure);

/* Reads a line without its end, as a string. ERR_MALFORMED it does not fit */
MUST_CHECK enum err system_read_line(const struct tee_system *s, const char *path, char *out,
                                     size_t out_size, struct tee_failure *failure);

/* Reads a line with a decimal number. ERR_MALFORMED */
MUST_CHECK enum err system_read_number(const struct tee_system *s, const char *path, uint64_t *out,
                                       struct tee_failure *failure);

/* Writes all of `bytes` at once into an existing file. An error of close() counts, too. */
MUST_CHECK enum err system_write(const struct tee_system *s, const char *path, struct span bytes,
                                 struct tee_failure *failure);

#endif
