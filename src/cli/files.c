#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

#define TRUSTED_MAX (16u << 20) /* a bundle of collateral, or of CA certificates */
#define PEM_MAX 65536u

bool is_standard(const char *path)
{
    return path == NULL || strcmp(path, "-") == 0;
}

int read_file(const struct cli *cli, const char *path, size_t max, struct vs_blob *out)
{
    enum vs_error e = vs_file_read(is_standard(path) ? "/dev/stdin" : path, max, out);

    if (e == VS_OK)
        return PARSED;
    return fail(cli, e, "cannot read %s: %s", is_standard(path) ? "standard input" : path,
                vs_error_text(e));
}

int read_trusted(const struct cli *cli, const char *path, size_t max, struct vs_blob *out)
{
    struct vs_why why = {0};
    enum vs_error e;

    if (is_standard(path))
        return read_file(cli, path, max, out);
    e = vs_trusted_file_read(path, max, out, &why);
    return e == VS_OK ? PARSED : fail(cli, e, "cannot use %s: %s", path, why.text);
}

/* The rule lets only the owner change the file, so it is the same file when it is read again. */
int check_trusted(const struct cli *cli, const char *path)
{
    struct vs_blob contents = {0};
    int code = read_trusted(cli, path, TRUSTED_MAX, &contents);

    vs_blob_clear(&contents);
    return code;
}

int add_root(const struct cli *cli, const char *path, struct vs_verifier *v)
{
    struct vs_blob root = {0};
    int code = PARSED;

    if (path == NULL)
        return PARSED;
    if ((code = read_trusted(cli, path, PEM_MAX, &root)) == PARSED) {
        const enum vs_error e =
            vs_verifier_add_root(v, VS_VENDOR_SIMULATED, (struct vs_bytes){root.data, root.size});

        if (e != VS_OK)
            code = fail(cli, e, "%s is not a root certificate", path);
    }
    vs_blob_clear(&root);
    return code;
}

static bool is_directory(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int check_collateral(const struct cli *cli, const char *path)
{
    return is_directory(path) ? PARSED : check_trusted(cli, path);
}

int read_secret(const struct cli *cli, const char *path, size_t max, struct vs_secret **out)
{
    int fd = is_standard(path) ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    enum vs_error e;

    if (fd < 0)
        return fail(cli, errno == ENOENT ? VS_ERR_NOT_FOUND : VS_ERR_IO, "cannot read %s: %s", path,
                    strerror(errno));
    if (fd == STDIN_FILENO && isatty(fd) && !cli->json)
        say(stderr, "Reading from the terminal; end with Ctrl-D.\n");
    e = vs_secret_read(fd, max, out);
    if (fd != STDIN_FILENO)
        (void)close(fd);
    if (e == VS_OK)
        return PARSED;
    return fail(cli, e, "cannot read %s: %s", is_standard(path) ? "standard input" : path,
                vs_error_text(e));
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

/* Writes directly to standard output, so that stdio's buffer has no copy of a plaintext. */
int write_output(const struct cli *cli, const char *path, struct vs_bytes bytes, unsigned mode)
{
    enum vs_error e;

    if (is_standard(path)) {
        if (fflush(stdout) == 0 && write_all(STDOUT_FILENO, bytes.data, bytes.size))
            return PARSED;
        return fail(cli, VS_ERR_IO, "cannot write to standard output");
    }
    e = vs_file_write(path, bytes, mode, true);
    return e == VS_OK ? PARSED : fail(cli, e, "cannot write %s: %s", path, vs_error_text(e));
}

int fail_credential(const struct cli *cli, enum vs_error e, const char *path, const char *what)
{
    struct vs_why why = {0};

    if (vs_credential_check(path, &why) != VS_OK)
        return fail(cli, e, "cannot use %s: %s", path, why.text);
    return fail(cli, e, "%s is not %s", path, what);
}

int open_worker_key(const struct cli *cli, const char *path, struct vs_worker_key **out)
{
    enum vs_error e;

    if (path != NULL) {
        e = vs_worker_key_load(path, out);
        if (e == VS_ERR_MALFORMED)
            return fail_credential(cli, e, path, "the file of a worker key");
        if (e != VS_ERR_NOT_FOUND)
            return e == VS_OK ? PARSED : fail(cli, e, "cannot read %s: %s", path, vs_error_text(e));
    }
    e = vs_worker_key_generate(out);
    if (e == VS_OK && path != NULL)
        e = vs_worker_key_save(*out, path);
    return e == VS_OK ? PARSED : fail(cli, e, "cannot make a worker key: %s", vs_error_text(e));
}
