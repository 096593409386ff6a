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

/* A full disk, or a limit: the old file stays whole, and no half of a new one is left behind. */
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
        cmocka_unit_test(directories_are_made_once_and_private),
    };

    (void)umask(0022);
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
