/* The holder of a lease: kept in the state directory, for one process at a time. */
#include "daemon/holder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[64];
static char path[128];

static int directory_make(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof directory, "/tmp/holder_test.XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    (void)snprintf(path, sizeof path, "%s/" HOLDER_FILE, directory);
    return 0;
}

static int directory_remove(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(directory);
}

static void test_it_stays_the_same(void **state)
{
    uint8_t first[HOLDER_SIZE], again[HOLDER_SIZE];
    uint8_t zeros[HOLDER_SIZE] = {0};
    int lock = -1;

    (void)state;
    assert_int_equal(holder_open(directory, first, &lock), ERR_NONE);
    assert_memory_not_equal(first, zeros, HOLDER_SIZE);
    (void)close(lock);
    assert_int_equal(holder_open(directory, again, &lock), ERR_NONE);
    assert_memory_equal(first, again, HOLDER_SIZE);
    (void)close(lock);
}

static void test_it_is_for_one_process(void **state)
{
    uint8_t out[HOLDER_SIZE];
    int first = -1;
    int second = -1;

    (void)state;
    assert_int_equal(holder_open(directory, out, &first), ERR_NONE);
    assert_int_equal(holder_open(directory, out, &second), ERR_CONFLICT);
    assert_int_equal(second, -1);
    (void)close(first);
    assert_int_equal(holder_open(directory, out, &second), ERR_NONE);
    (void)close(second);
}

static void test_a_damaged_file_is_refused(void **state)
{
    static const size_t sizes[] = {1, HOLDER_SIZE - 1, HOLDER_SIZE + 1, 4096};
    static const uint8_t bytes[4096] = {1};
    uint8_t out[HOLDER_SIZE];
    int lock = -1;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        assert_int_equal(write(fd, bytes, sizes[i]), sizes[i]);
        (void)close(fd);
        assert_int_equal(holder_open(directory, out, &lock), ERR_MALFORMED);
    }
    (void)unlink(path);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_int_equal(holder_open(directory, out, &lock), ERR_IO);
    assert_int_equal(holder_open("/nonexistent", out, &lock), ERR_IO);
    assert_int_equal(lock, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_stays_the_same, directory_make, directory_remove),
        cmocka_unit_test_setup_teardown(test_it_is_for_one_process, directory_make,
                                        directory_remove),
        cmocka_unit_test_setup_teardown(test_a_damaged_file_is_refused, directory_make,
                                        directory_remove),
    };

    return cmocka_run_group_tests_name("daemon/holder", tests, NULL, NULL);
}
