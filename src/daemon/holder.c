#include "daemon/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "crypto/random.h"

enum { PATH_SIZE = 4096 };

/* A file that is still empty was just made, or its first writer was interrupted. */
MUST_CHECK static enum err holder_read(int fd, uint8_t out[HOLDER_SIZE])
{
    uint8_t bytes[HOLDER_SIZE + 1];
    ssize_t size = pread(fd, bytes, sizeof bytes, 0);

    if (size == 0) {
        random_bytes(out, HOLDER_SIZE);
        return pwrite(fd, out, HOLDER_SIZE, 0) == HOLDER_SIZE && fsync(fd) == 0 ? ERR_NONE : ERR_IO;
    }
    if (size != HOLDER_SIZE)
        return size < 0 ? ERR_IO : ERR_MALFORMED;
    for (size_t i = 0; i < HOLDER_SIZE; i++)
        out[i] = bytes[i];
    return ERR_NONE;
}

enum err holder_open(const char *directory, uint8_t out[HOLDER_SIZE], int *lock)
{
    char path[PATH_SIZE];
    enum err e;
    int fd;

    (void)snprintf(path, sizeof path, "%s/" HOLDER_FILE, directory);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return ERR_IO;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        e = errno == EWOULDBLOCK ? ERR_CONFLICT : ERR_IO;
    else
        e = holder_read(fd, out);
    if (e == ERR_NONE)
        *lock = fd;
    else
        (void)close(fd);
    return e;
}
