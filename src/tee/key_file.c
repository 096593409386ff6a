#include "tee/key_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* Fewer than `size` bytes only at the end of the file; -1 on failure. */
static ssize_t read_all(int file, uint8_t *out, size_t size)
{
    size_t total = 0;

    while (total < size) {
        ssize_t done = read(file, out + total, size - total);

        if (done < 0 && errno != EINTR)
            return -1;
        if (done == 0)
            break;
        if (done > 0)
            total += (size_t)done;
    }
    return (ssize_t)total;
}

MUST_CHECK static enum err open_private(const char *path, int *file, struct tee_failure *failure)
{
    char why[FILE_WHY_SIZE] = "";
    enum err e = file_open_trusted(path, FILE_STATE, file, why);

    if (e != ERR_NONE)
        tee_failure_set(failure, "%s: %s", path, why);
    return e == ERR_DENIED ? ERR_CONFIG : e;
}

MUST_CHECK static enum err check_private(int file, const char *path, size_t size,
                                         struct tee_failure *failure)
{
    struct stat status;

    if (fstat(file, &status) != 0)
        return ERR_IO;
    if (status.st_size != (off_t)size) {
        tee_failure_set(failure, "%s has %lld bytes instead of %zu", path,
                        (long long)status.st_size, size);
        return ERR_TAMPERED;
    }
    return ERR_NONE;
}

enum err key_file_read(const char *path, uint8_t *out, size_t size, struct tee_failure *failure)
{
    int file = -1;
    enum err e = open_private(path, &file, failure);

    if (e != ERR_NONE)
        return e;
    e = check_private(file, path, size, failure);
    if (e == ERR_NONE && read_all(file, out, size) != (ssize_t)size) {
        tee_failure_set(failure, "%s cannot be read", path);
        e = ERR_IO;
    }
    (void)close(file);
    if (e != ERR_NONE)
        bytes_wipe(out, size);
    return e;
}
