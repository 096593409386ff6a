#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char directory[] = "/tmp/vouchsafe-file-test-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void assert_holds(const char *name, struct span expected)
{
    struct buffer got = {0};

    assert_int_equal(file_read(path_of(name), 1 << 20, &got), ERR_NONE);
    assert_true(span_equal(buffer_span(&got), expected));
    buffer_clear(&got);
}

static unsigned entries(void)
{
    DIR *d = opendir(directory);
    unsigned count = 0;

    assert_non_null(d);
    while (readdir(d))
        count++;
    (void)closedir(d);
    return count - 2; /* "." and ".." */
}

static void what_is_written_is_read(void **state)
{
    static uint8_t large[100000];
    struct stat status;

    (void)state;
    memset(large, 0x5a, sizeof large);
    assert_int_equal(file_write(path_of("empty"), (struct span){0}, 0600, false), ERR_NONE);
    assert_holds("empty", (struct span){0});
    assert_int_equal(file_write(path_of("large"), SPAN_OF(large), 0640, false), ERR_NONE);
    assert_holds("large", SPAN_OF(large));
    assert_int_equal(stat(path_of("large"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
}

static void nothing_is_replaced_unasked(void **state)
{
    (void)state;
    assert_int_equal(file_write(path_of("once"), SPAN_LITERAL("first"), 0600, false), ERR_NONE);
    assert_int_equal(file_write(path_of("once"), SPAN_LITERAL("second"), 0600, false),
                     ERR_CONFLICT);
    assert_holds("once", SPAN_LITERAL("first"));
    assert_int_equal(file_write(path_of("once"), SPAN_LITERAL("second"), 0600, true), ERR_NONE);
    assert_holds("once", SPAN_LITERAL("second"));
}

static void limits_hold(void **state)
{
    struct buffer got = {0};

    (void)state;
    assert_int_equal(file_write(path_of("ten"), SPAN_LITERAL("0123456789"), 0600, true), ERR_NONE);
    assert_int_equal(file_read(path_of("ten"), 9, &got), ERR_TOO_LARGE);
    assert_int_equal(file_read(path_of("ten"), 10, &got), ERR_NONE);
    assert_int_equal(got.size, 10);
    buffer_clear(&got);
    assert_int_equal(file_read(path_of("absent"), 10, &got), ERR_NOT_FOUND);
    assert_int_equal(file_read(path_of("ten/below"), 10, &got), ERR_NOT_FOUND);
    assert_int_equal(file_read(directory, 10, &got), ERR_IO);
    assert_int_equal(file_write(path_of("absent/below"), SPAN_LITERAL("x"), 0600, false), ERR_IO);
    buffer_clear(&got);
}

/* On a full disk or at a limit, the old file stays complete, and no part of the new one remains. */
static void a_failed_write_leaves_the_old_file(void **state)
{
    static const uint8_t large[65536];
    struct rlimit old, small;
    unsigned before;

    (void)state;
    assert_int_equal(file_write(path_of("kept"), SPAN_LITERAL("old"), 0600, true), ERR_NONE);
    before = entries();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){4096, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(file_write(path_of("kept"), SPAN_OF(large), 0600, true), ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_holds("kept", SPAN_LITERAL("old"));
    assert_int_equal(entries(), before);
}

/* Nothing is left behind, and what stood there stays. */
static void what_cannot_be_put_in_place_is_an_error(void **state)
{
    static char endless[8192];
    struct stat status;
    unsigned before;

    (void)state;
    assert_int_equal(mkdir(path_of("folder"), 0700), 0);
    before = entries();
    assert_int_equal(file_write(path_of("folder"), SPAN_LITERAL("x"), 0600, true), ERR_IO);
    assert_int_equal(file_write(path_of("folder"), SPAN_LITERAL("x"), 0600, false), ERR_CONFLICT);
    assert_int_equal(stat(path_of("folder"), &status), 0);
    assert_true(S_ISDIR(status.st_mode));
    assert_int_equal(entries(), before);
    memset(endless, 'x', sizeof endless - 1);
    assert_int_equal(file_write(endless, SPAN_LITERAL("x"), 0600, true), ERR_TOO_LARGE);
    endless[300] = '\0'; /* a path, but no name: names have 255 bytes */
    assert_int_equal(file_write(endless, SPAN_LITERAL("x"), 0600, true), ERR_IO);
    assert_int_equal(rmdir(path_of("folder")), 0);
}

/* No file can be opened: not the same as a file that is not there. */
static void without_descriptors_nothing_is_found_missing(void **state)
{
    struct buffer got = {0};
    struct rlimit old, none;
    char why[FILE_WHY_SIZE] = "";
    enum err results[4];
    int fd = -1;

    (void)state;
    assert_int_equal(file_write(path_of("there"), SPAN_LITERAL("x"), 0600, true), ERR_NONE);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = (struct rlimit){0, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    results[0] = file_read(path_of("there"), 10, &got);
    results[1] = file_open_trusted(path_of("there"), FILE_INPUT, &fd, why);
    results[2] = file_write(path_of("there"), SPAN_LITERAL("y"), 0600, true);
    results[3] = directory_make(path_of("unsynced")); /* made, but perhaps not for long */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (size_t i = 0; i < COUNT_OF(results); i++)
        assert_int_equal(results[i], ERR_IO);
    assert_string_equal(why, "Too many open files");
    assert_int_equal(fd, -1);
    assert_holds("there", SPAN_LITERAL("x"));
    assert_int_equal(unlink(path_of("there")), 0);
    (void)rmdir(path_of("unsynced"));
}

static void paths_that_lead_nowhere_are_told_apart(void **state)
{
    static char endless[8192];
    char why[FILE_WHY_SIZE];
    struct buffer got = {0};
    int fd = -1;

    (void)state;
    memset(endless, 'x', sizeof endless - 1);
    assert_int_equal(file_read(endless, 10, &got), ERR_IO);
    assert_int_equal(file_open_trusted(endless, FILE_INPUT, &fd, why), ERR_IO);
    assert_string_equal(why, "File name too long");
    assert_int_equal(directory_check_trusted(endless, why), ERR_IO);
    assert_string_equal(why, "File name too long");
    assert_int_equal(directory_check_trusted(path_of("absent"), why), ERR_NOT_FOUND);
    assert_int_equal(file_open_trusted(path_of("absent"), FILE_INPUT, &fd, why), ERR_NOT_FOUND);
    assert_string_equal(why, "no such file");
    assert_int_equal(symlink("loop", path_of("loop")), 0);
    assert_int_equal(file_open_trusted(path_of("loop"), FILE_INPUT, &fd, why), ERR_IO);
    assert_int_equal(directory_check_trusted(path_of("loop"), why), ERR_IO);
    assert_int_equal(unlink(path_of("loop")), 0);
    assert_int_equal(fd, -1);
}

static void directories_are_made_once_and_private(void **state)
{
    struct stat status;

    (void)state;
    assert_int_equal(directory_make(path_of("made")), ERR_NONE);
    assert_int_equal(directory_make(path_of("made")), ERR_NONE);
    assert_int_equal(stat(path_of("made"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(directory_make(path_of("missing/made")), ERR_IO);
    assert_int_equal(file_write(path_of("plain"), SPAN_LITERAL("x"), 0600, true), ERR_NONE);
    assert_int_equal(directory_make(path_of("plain")), ERR_IO);
    (void)rmdir(path_of("made"));
}

/* ---- the rule */

enum { ME = 1000, MY_GROUP = 100, MOUNT_GROUP = 2000, OTHER = 1234 };

static void a_file_is_trusted_by_owner_and_mode(void **state)
{
    static const struct {
        enum file_trust trust;
        uid_t user;
        gid_t group;
        unsigned mode;
        const char *why; /* NULL: trusted */
    } cases[] = {
        {FILE_INPUT,  ME,    MY_GROUP,    0644, NULL                                },
        {FILE_INPUT,  0,     0,           0644, NULL                                },
        {FILE_INPUT,  0,     0,           0444, NULL                                },
        {FILE_INPUT,  OTHER, MY_GROUP,    0644, "it belongs to user 1234"           },
        {FILE_INPUT,  OTHER, MY_GROUP,    0600, "it belongs to user 1234"           },
        {FILE_INPUT,  ME,    MY_GROUP,    0664, "other users may write to it"       },
        {FILE_INPUT,  ME,    MY_GROUP,    0646, "other users may write to it"       },
        {FILE_INPUT,  0,     0,           0666, "chmod go-w"                        },
        {FILE_SECRET, ME,    MY_GROUP,    0600, NULL                                },
        {FILE_SECRET, ME,    MY_GROUP,    0400, NULL                                },
        {FILE_SECRET, ME,    MY_GROUP,    0640, NULL                                },
        {FILE_SECRET, 0,     MY_GROUP,    0440, NULL                                },
 /* the mode that fsGroup sets */
        {FILE_SECRET, 0,     MOUNT_GROUP, 0440, NULL                                },
        {FILE_SECRET, 0,     OTHER,       0440, "group 1234 may read it (mode 0440)"},
        {FILE_SECRET, ME,    OTHER,       0640, "group 1234 may read it"            },
        {FILE_SECRET, ME,    OTHER,       0610, "group 1234 may read it"            },
        {FILE_SECRET, ME,    MY_GROUP,    0644, "every user may read it (mode 0644)"},
        {FILE_SECRET, ME,    MY_GROUP,    0604, "chmod 600"                         },
        {FILE_SECRET, ME,    MY_GROUP,    0601, "every user may read it"            },
        {FILE_SECRET, 0,     0,           0444, "every user may read it"            },
        {FILE_SECRET, ME,    MY_GROUP,    0660, "other users may write to it"       },
        {FILE_SECRET, OTHER, MY_GROUP,    0600, "it belongs to user 1234"           },
        {FILE_STATE,  ME,    MOUNT_GROUP, 0660, NULL                                },
        {FILE_STATE,  ME,    OTHER,       0660, "other users may write to it"       },
        {FILE_STATE,  ME,    MOUNT_GROUP, 0662, "other users may write to it"       },
        {FILE_STATE,  ME,    MOUNT_GROUP, 0664, "every user may read it"            },
        {FILE_STATE,  OTHER, MOUNT_GROUP, 0660, "it belongs to user 1234"           },
    };
    static const gid_t groups[] = {MY_GROUP, MOUNT_GROUP};
    const struct file_reader reader = {ME, COUNT_OF(groups), groups};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct stat status = {
            .st_mode = S_IFREG | cases[i].mode, .st_uid = cases[i].user, .st_gid = cases[i].group};
        char why[FILE_WHY_SIZE] = "";

        assert_int_equal(file_judge(&status, cases[i].trust, &reader, why),
                         cases[i].why ? ERR_DENIED : ERR_NONE);
        if (!strstr(why, cases[i].why ? cases[i].why : ""))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, why, cases[i].why);
    }
}

MUST_CHECK static enum err read_trusted(const char *name, enum file_trust trust,
                                        char why[FILE_WHY_SIZE])
{
    struct buffer bytes = {0};
    enum err e = file_read_trusted(path_of(name), 10, trust, &bytes, why);

    assert_int_equal(bytes.size > 0, e == ERR_NONE);
    buffer_clear(&bytes);
    return e;
}

static void files_are_judged_as_they_are_opened(void **state)
{
    char why[FILE_WHY_SIZE] = "";

    (void)state;
    assert_int_equal(file_write(path_of("ten"), SPAN_LITERAL("0123456789"), 0600, true), ERR_NONE);
    assert_int_equal(read_trusted("ten", FILE_SECRET, why), ERR_NONE);
    assert_int_equal(chmod(path_of("ten"), 0644), 0);
    assert_int_equal(read_trusted("ten", FILE_INPUT, why), ERR_NONE);
    assert_int_equal(read_trusted("ten", FILE_SECRET, why), ERR_DENIED);
    assert_non_null(strstr(why, "chmod 600"));
    assert_int_equal(chmod(path_of("ten"), 0666), 0);
    assert_int_equal(read_trusted("ten", FILE_INPUT, why), ERR_DENIED);
    assert_int_equal(chmod(path_of("ten"), 0440), 0); /* of the process's own group */
    assert_int_equal(read_trusted("ten", FILE_SECRET, why), ERR_NONE);
    assert_int_equal(symlink("ten", path_of("link")), 0); /* Kubernetes mounts are links */
    assert_int_equal(read_trusted("link", FILE_SECRET, why), ERR_NONE);
    assert_int_equal(read_trusted("none", FILE_SECRET, why), ERR_NOT_FOUND);
    assert_string_equal(why, "no such file");
    assert_int_equal(read_trusted(".", FILE_INPUT, why), ERR_DENIED);
    assert_string_equal(why, "it is not a regular file");
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    assert_int_equal(read_trusted("pipe", FILE_SECRET, why), ERR_DENIED); /* and does not wait */
    assert_int_equal(file_write(path_of("large"), SPAN_LITERAL("0123456789a"), 0600, true),
                     ERR_NONE);
    assert_int_equal(file_read_trusted(path_of("large"), 10, FILE_INPUT, &(struct buffer){0}, why),
                     ERR_TOO_LARGE);
    assert_string_equal(why, "it is larger than 10 bytes");
    (void)unlink(path_of("link"));
    (void)unlink(path_of("pipe"));
}

/* A user who can write to a directory can replace its files; /tmp is sticky. */
static void directories_on_the_way_are_judged(void **state)
{
    char why[FILE_WHY_SIZE] = "";

    (void)state;
    assert_int_equal(directory_make(path_of("made")), ERR_NONE);
    assert_int_equal(file_write(path_of("made/f"), SPAN_LITERAL("x"), 0600, true), ERR_NONE);
    assert_int_equal(symlink("made/f", path_of("link")), 0);
    assert_int_equal(chmod(path_of("made"), 0777), 0);
    assert_int_equal(read_trusted("made/f", FILE_INPUT, why), ERR_DENIED);
    assert_non_null(strstr(why, "every user may write to the directory"));
    assert_int_equal(read_trusted("link", FILE_INPUT, why), ERR_DENIED);
    assert_int_equal(directory_check_trusted(path_of("made"), why), ERR_DENIED);
    assert_int_equal(chmod(path_of("made"), 01777), 0);
    assert_int_equal(read_trusted("made/f", FILE_INPUT, why), ERR_NONE);
    assert_int_equal(read_trusted("link", FILE_INPUT, why), ERR_NONE);
    assert_int_equal(directory_check_trusted(path_of("made"), why), ERR_DENIED);
    assert_int_equal(chmod(path_of("made"), 02770), 0); /* the mode that fsGroup gives a volume */
    assert_int_equal(directory_check_trusted(path_of("made"), why), ERR_NONE);
    assert_int_equal(chmod(path_of("made"), 0755), 0);
    assert_int_equal(directory_check_trusted(path_of("made"), why), ERR_NONE);
    assert_int_equal(directory_check_trusted(path_of("made/f"), why), ERR_DENIED);
    assert_int_equal(directory_check_trusted(path_of("none"), why), ERR_NOT_FOUND);
    (void)unlink(path_of("link"));
    (void)unlink(path_of("made/f"));
    (void)rmdir(path_of("made"));
}

static int group_begin(void **state)
{
    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    return mkdtemp(directory) ? 0 : -1;
}

static int group_end(void **state)
{
    static const char *const names[] = {"empty", "large", "once", "ten", "kept", "plain"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)unlink(path_of(names[i]));
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(nothing_is_replaced_unasked),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(what_cannot_be_put_in_place_is_an_error),
        cmocka_unit_test(without_descriptors_nothing_is_found_missing),
        cmocka_unit_test(paths_that_lead_nowhere_are_told_apart),
        cmocka_unit_test(directories_are_made_once_and_private),
        cmocka_unit_test(a_file_is_trusted_by_owner_and_mode),
        cmocka_unit_test(files_are_judged_as_they_are_opened),
        cmocka_unit_test(directories_on_the_way_are_judged),
    };

    (void)umask(0022);
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
