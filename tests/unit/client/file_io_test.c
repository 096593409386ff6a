/* Files of the library: which may hold credentials or decide about trust, and how files are
 * written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/client.h"

#define PATH_SIZE 256

static char folder[] = "/tmp/vouchsafe-file-io-XXXXXX";

static const char *at(const char *name)
{
    static char paths[4][PATH_SIZE];
    static unsigned next;
    char *path = paths[next++ % COUNT_OF(paths)];

    (void)snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    return path;
}

static void put(const char *name, mode_t mode)
{
    const int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "secret\n", 7), 7);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/vouchsafe-file-io-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void modes_of_credentials(void **state)
{
    static const struct {
        mode_t mode;
        enum vs_error e;
        const char *why;
    } cases[] = {
        {0600, VS_OK,            ""               },
        {0400, VS_OK,            ""               },
        {0440, VS_OK,            ""               }, /* Kubernetes with fsGroup */
        {0640, VS_OK,            ""               },
        {0660, VS_ERR_MALFORMED, "may write to it"},
        {0620, VS_ERR_MALFORMED, "may write to it"},
        {0602, VS_ERR_MALFORMED, "may write to it"},
        {0604, VS_ERR_MALFORMED, "every user"     },
        {0644, VS_ERR_MALFORMED, "every user"     },
        {0601, VS_ERR_MALFORMED, "every user"     },
        {0444, VS_ERR_MALFORMED, "every user"     },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vs_why why = {0};
        struct secret *s = NULL;

        put("token", cases[i].mode);
        assert_int_equal(vs_credential_check(at("token"), &why), cases[i].e);
        assert_non_null(strstr(why.text, cases[i].why));
        assert_int_equal(vs_credential_check(at("token"), NULL), cases[i].e);
        assert_int_equal(credential_read(at("token"), 7, &s, &why), cases[i].e);
        assert_true((s != NULL) == (cases[i].e == VS_OK));
        secret_free(&s);
    }
}

static void what_is_no_file_holds_no_credential(void **state)
{
    struct secret *s = NULL;
    struct vs_why why = {0};

    (void)state;
    put("token", 0600);
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    assert_int_equal(symlink("token", at("link")), 0);
    assert_int_equal(symlink("pipe", at("link-to-pipe")), 0);
    assert_int_equal(credential_read(at("link"), 7, &s, &why), VS_OK);
    secret_free(&s);
    /* each of them at once: opening a pipe must not wait for a writer */
    assert_int_equal(credential_read(at("pipe"), 7, &s, &why), VS_ERR_MALFORMED);
    assert_string_equal(why.text, "it is not a regular file");
    assert_int_equal(credential_read(at("link-to-pipe"), 7, &s, &why), VS_ERR_MALFORMED);
    assert_int_equal(credential_read(folder, 7, &s, &why), VS_ERR_MALFORMED);
    assert_int_equal(credential_read("/dev/null", 7, &s, &why), VS_ERR_MALFORMED);
    assert_int_equal(credential_read(at("none"), 7, &s, &why), VS_ERR_NOT_FOUND);
    assert_int_equal(credential_read(at("token"), 6, &s, &why), VS_ERR_TOO_LARGE);
    assert_int_equal(vs_credential_check(at("none"), &why), VS_ERR_NOT_FOUND);
    assert_int_equal(vs_credential_check(NULL, &why), VS_ERR_ARGUMENT);
    assert_null(s);
}

static void owners(void **state)
{
    struct vs_blob blob = {0};
    struct vs_why why = {0};

    (void)state;
    if (geteuid() != 0)
        skip();
    put("file", 0600);
    assert_int_equal(chown(at("file"), 1234, 0), 0);
    assert_int_equal(vs_credential_check(at("file"), &why), VS_ERR_MALFORMED);
    assert_non_null(strstr(why.text, "belongs to user 1234"));
    assert_int_equal(vs_trusted_file_read(at("file"), 100, &blob, &why), VS_ERR_UNTRUSTED);
    assert_int_equal(chown(at("file"), 0, 1234), 0);
    assert_int_equal(chmod(at("file"), 0640), 0);
    assert_int_equal(vs_credential_check(at("file"), &why), VS_ERR_MALFORMED);
    assert_non_null(strstr(why.text, "group 1234"));
    assert_int_equal(vs_trusted_file_read(at("file"), 100, &blob, &why), VS_OK); /* no secret */
    vs_blob_clear(&blob);
}

static void files_that_decide_about_trust(void **state)
{
    static const struct {
        mode_t mode;
        enum vs_error e;
    } cases[] = {
        {0600, VS_OK           },
        {0644, VS_OK           },
        {0664, VS_ERR_UNTRUSTED},
        {0646, VS_ERR_UNTRUSTED}
    };
    struct vs_blob blob = {0};
    struct vs_why why = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        put("profile", cases[i].mode);
        assert_int_equal(vs_trusted_file_read(at("profile"), 7, &blob, &why), cases[i].e);
        assert_int_equal(blob.size, cases[i].e == VS_OK ? 7 : 0);
        vs_blob_clear(&blob);
    }
    put("profile", 0600);
    assert_int_equal(vs_trusted_file_read(at("profile"), 6, &blob, &why), VS_ERR_TOO_LARGE);
    assert_int_equal(vs_trusted_file_read(at("none"), 6, &blob, NULL), VS_ERR_NOT_FOUND);
    assert_int_equal(vs_trusted_file_read(folder, 6, &blob, NULL), VS_ERR_UNTRUSTED);
}

static mode_t mode_of(const char *name)
{
    struct stat status;

    assert_int_equal(lstat(at(name), &status), 0);
    return status.st_mode;
}

static void writing(void **state)
{
    static const struct vs_bytes bytes = {"new", 3};
    struct vs_blob blob = {0};

    (void)state;
    put("file", 0644);
    assert_int_equal(vs_file_write(at("file"), bytes, 0600, false), VS_ERR_EXISTS);
    assert_int_equal(vs_file_write(at("file"), bytes, 0600, true), VS_OK);
    assert_int_equal(mode_of("file"), S_IFREG | 0600);
    assert_int_equal(vs_file_write(at("fresh"), bytes, 0600, false), VS_OK);
    /* through a link, which stays; a secret does not go into a file that all users can read */
    put("target", 0644);
    assert_int_equal(symlink("target", at("link")), 0);
    assert_int_equal(vs_file_write(at("link"), bytes, 0600, false), VS_ERR_EXISTS);
    assert_int_equal(vs_file_write(at("link"), bytes, 0600, true), VS_OK);
    assert_true(S_ISLNK(mode_of("link")));
    assert_int_equal(mode_of("target"), S_IFREG | 0600);
    assert_int_equal(vs_file_read(at("target"), 10, &blob), VS_OK);
    assert_int_equal(blob.size, 3); /* no bytes of the longer old content */
    vs_blob_clear(&blob);
    assert_int_equal(symlink("made", at("dangling")), 0);
    assert_int_equal(vs_file_write(at("dangling"), bytes, 0600, true), VS_OK);
    assert_int_equal(mode_of("made"), S_IFREG | 0600);
    /* neither a directory nor a file that cannot be opened */
    assert_int_equal(vs_file_write(folder, bytes, 0600, true), VS_ERR_IO);
    assert_int_equal(vs_file_write(at("no/such/folder"), bytes, 0600, true), VS_ERR_IO);
    assert_int_equal(vs_file_write("", bytes, 0600, true), VS_ERR_ARGUMENT);
}

static void pipes_and_devices_are_written_through(void **state)
{
    static const struct vs_bytes bytes = {"new", 3};
    char text[8] = "";

    (void)state;
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    const int reader = open(at("pipe"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(vs_file_write(at("pipe"), bytes, 0600, true), VS_OK);
    assert_int_equal(vs_file_write(at("pipe"), bytes, 0600, false), VS_OK); /* overwrites nothing */
    assert_int_equal(read(reader, text, sizeof text), 6);
    assert_int_equal(close(reader), 0);
    assert_true(S_ISFIFO(mode_of("pipe")));
    if (mknod(at("null"), S_IFCHR | 0666, (dev_t)(1 << 8 | 3)) != 0)
        skip(); /* needs root */
    const int probe = open(at("null"), O_WRONLY | O_CLOEXEC);
    if (probe < 0)
        skip(); /* a file system without devices */
    assert_int_equal(close(probe), 0);
    assert_int_equal(vs_file_write(at("null"), bytes, 0600, true), VS_OK);
    assert_int_equal(mode_of("null") & S_IFMT, S_IFCHR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(modes_of_credentials, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_is_no_file_holds_no_credential, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(owners, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(files_that_decide_about_trust, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(writing, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(pipes_and_devices_are_written_through, make_folder,
                                        remove_folder),
    };

    return vs_start() == VS_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
