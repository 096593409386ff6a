/* The archive's directory: what is written, and what is refused. */
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/archive.h"
#include "support.h"

static const struct tile bundle = {true, 0, 1234, TILE_WIDTH};
static const struct tile edge = {false, 1, 4, 210};
static char root[400];
static struct archive *archive;

static void path_of(const char *name, char out[600])
{
    (void)snprintf(out, 600, "%s/%s", root, name);
}

/* A command about the directory $A. */
static void shell(const char *text)
{
    char *const arguments[] = {(char *)"sh", (char *)"-ec", (char *)text, NULL};
    pid_t child = -1;
    int status = -1;

    assert_int_equal(setenv("A", root, 1), 0);
    assert_int_equal(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int setup(void **state)
{
    if (directory_make(state) != 0)
        return -1;
    (void)snprintf(root, sizeof root, "%s/archive", directory);
    return archive_new(root, &archive) == ERR_NONE ? 0 : -1;
}

static int teardown(void **state)
{
    archive_free(&archive);
    shell("rm -rf $A");
    return directory_remove(state);
}

static void prepare(void)
{
    char why[ARCHIVE_WHY_SIZE] = "";

    if (archive_prepare(archive, true, why) != ERR_NONE)
        fail_msg("%s", why);
}

static void put(const struct tile *tile, const char *text)
{
    assert_int_equal(archive_write(archive, tile, span_string(text)), ERR_NONE);
    assert_int_equal(archive_place(archive, tile), ERR_NONE);
    assert_int_equal(archive_sync(archive, tile), ERR_NONE);
}

static void expect(const struct tile *tile, const char *text)
{
    struct buffer found = {0};

    assert_int_equal(archive_read(archive, tile, &found), ERR_NONE);
    assert_true(span_equal_string(buffer_span(&found), text));
    buffer_clear(&found);
}

static void expect_error(const struct tile *tile, enum err e)
{
    struct buffer found = {0};

    assert_int_equal(archive_read(archive, tile, &found), e);
    buffer_clear(&found);
}

static void what_was_written_is_read(void **state)
{
    char path[600];
    struct stat status;
    uint64_t size = 0;

    (void)state;
    prepare();
    put(&bundle, "entries");
    put(&edge, "hashes");
    expect(&bundle, "entries");
    expect(&edge, "hashes");
    path_of("tile/entries/x001/234", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_nlink, 1); /* and nothing under another name */
    path_of("tile/entries", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    path_of("tile/1/004.p/210", path);
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(archive_measure(archive, &size), ERR_NONE);
    assert_int_equal(size, strlen("entries") + strlen("hashes"));
    archive_remove(archive, &edge);
    archive_remove(archive, &edge);
    expect_error(&edge, ERR_ARCHIVE);
}

static void writing_again_changes_nothing(void **state)
{
    (void)state;
    prepare();
    prepare();
    put(&bundle, "entries");
    put(&bundle, "entries");
    shell("printf half > $A/tile/entries/x001/234.new"); /* of an interrupted run */
    put(&bundle, "entries");
    expect(&bundle, "entries");
    shell("test \"$(ls $A/tile/entries/x001)\" = 234");
}

static void another_content_is_never_replaced(void **state)
{
    (void)state;
    prepare();
    put(&bundle, "entries");
    assert_int_equal(archive_write(archive, &bundle, SPAN_LITERAL("other")), ERR_NONE);
    assert_int_equal(archive_place(archive, &bundle), ERR_CONFLICT);
    expect(&bundle, "entries");
    shell("test \"$(ls $A/tile/entries/x001)\" = 234");
}

static void a_missing_archive_is_named(void **state)
{
    struct buffer found = {0};
    uint64_t size = 0;

    (void)state;
    expect_error(&bundle, ERR_ARCHIVE);
    assert_int_equal(archive_measure(archive, &size), ERR_ARCHIVE);
    assert_int_equal(archive_checkpoint_read(archive, &found), ERR_NOT_FOUND);
    prepare(); /* it is looked at again each time */
    put(&bundle, "entries");
    expect(&bundle, "entries");
}

static void links_and_other_kinds_are_refused(void **state)
{
    struct buffer found = {0};

    (void)state;
    prepare();
    put(&bundle, "entries");
    shell("cd $A/tile/entries/x001 && mv 234 235 && ln -s 235 234");
    expect_error(&bundle, ERR_TAMPERED);
    assert_int_equal(archive_write(archive, &bundle, SPAN_LITERAL("entries")), ERR_NONE);
    assert_int_equal(archive_place(archive, &bundle), ERR_TAMPERED);
    shell("cd $A/tile/entries/x001 && rm 234 && mkdir 234");
    expect_error(&bundle, ERR_TAMPERED);
    shell("cd $A/tile/entries/x001 && rmdir 234 && mkfifo 234");
    expect_error(&bundle, ERR_TAMPERED);
    shell("cd $A/tile/entries/x001 && rm 234 && truncate -s 3M 234");
    expect_error(&bundle, ERR_TAMPERED);
    shell("cd $A/tile && mv entries other && ln -s other entries");
    expect_error(&bundle, ERR_TAMPERED);
    assert_int_equal(archive_write(archive, &bundle, SPAN_LITERAL("entries")), ERR_TAMPERED);
    shell("cd $A && ln -s tile checkpoint");
    assert_int_equal(archive_checkpoint_read(archive, &found), ERR_TAMPERED);
    shell("mv $A $A.real"); /* the directory itself */
    shell("ln -s archive.real $A");
    expect_error(&edge, ERR_TAMPERED);
    shell("rm $A && rm -rf $A.real");
}

static void others_must_not_write_to_it(void **state)
{
    char why[ARCHIVE_WHY_SIZE] = "";

    (void)state;
    prepare();
    shell("chmod 0777 $A");
    assert_int_equal(archive_prepare(archive, true, why), ERR_DENIED);
    assert_non_null(strstr(why, "chmod"));
    shell("rmdir $A && touch $A");
    assert_int_equal(archive_prepare(archive, true, why), ERR_DENIED);
}

static void the_checkpoint_is_replaced(void **state)
{
    struct buffer found = {0};

    (void)state;
    prepare();
    assert_int_equal(archive_checkpoint_read(archive, &found), ERR_NOT_FOUND);
    assert_int_equal(archive_checkpoint_write(archive, SPAN_LITERAL("one")), ERR_NONE);
    assert_int_equal(archive_checkpoint_write(archive, SPAN_LITERAL("two")), ERR_NONE);
    assert_int_equal(archive_checkpoint_read(archive, &found), ERR_NONE);
    assert_true(span_equal_string(buffer_span(&found), "two"));
    shell("test \"$(ls $A)\" = checkpoint");
    buffer_clear(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(writing_again_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(another_content_is_never_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_archive_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(links_and_other_kinds_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(others_must_not_write_to_it, setup, teardown),
        cmocka_unit_test_setup_teardown(the_checkpoint_is_replaced, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
