#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/secret.h"

/* With the address sanitizer mlock() does nothing, so tests of it run without the sanitizer. */
#if defined(__SANITIZE_ADDRESS__)
#define HAVE_MLOCK false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_MLOCK false
#endif
#endif
#ifndef HAVE_MLOCK
#define HAVE_MLOCK true
#endif

/* The VmFlags line of the mapping that holds `address`, from /proc/self/smaps (proc(5)). */
static void vm_flags(const void *address, char *out, size_t size)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[512];
    bool inside = false;

    assert_non_null(file);
    out[0] = '\0';
    while (fgets(line, sizeof line, file)) {
        unsigned long low;
        unsigned long high;
        char dash;

        if (sscanf(line, "%lx%c%lx ", &low, &dash, &high) == 3 && dash == '-')
            inside = (uintptr_t)address >= low && (uintptr_t)address < high;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            (void)snprintf(out, size, "%s", line + 8);
    }
    (void)fclose(file);
}

/* Runs `touch` in a child; true when a signal ended it. */
static bool child_dies(void (*touch)(struct secret *s), struct secret *s)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGBUS, SIG_DFL);
        touch(s);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void test_is_locked_not_dumped_and_wiped_on_fork(void **state)
{
    static const size_t sizes[] = {0, 1, 32, 4096, 100000};
    static const char *const flags[] = {" dd", " wf", " lo"};
    const size_t flag_count = HAVE_MLOCK ? 3 : 2;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct secret *s = NULL;
        char found[512];

        assert_int_equal(secret_new(sizes[i], &s), ERR_NONE);
        for (size_t k = 0; k < flag_count; k++) {
            vm_flags(secret_data(s), found, sizeof found);
            assert_non_null(strstr(found, flags[k]));
            if (sizes[i] > 0)
                vm_flags(secret_data(s) + sizes[i] - 1, found, sizeof found);
            assert_non_null(strstr(found, flags[k]));
        }
        secret_free(&s);
    }
}

static void *stack_flags(void *found)
{
    char here = 0;

    secret_hide_stack();
    vm_flags(&here, found, 512);
    return NULL;
}

static void test_the_stack_of_a_thread_can_be_left_out_of_dumps(void **state)
{
    char before[512];
    char found[512];
    pthread_t thread;

    (void)state;
    vm_flags(before, before, sizeof before);
    assert_null(strstr(before, " dd"));
    assert_int_equal(pthread_create(&thread, NULL, stack_flags, found), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_non_null(strstr(found, " dd"));
    (void)stack_flags(found); /* the main thread's */
    assert_non_null(strstr(found, " dd"));
}

static uintptr_t page_of(const void *address)
{
    return (uintptr_t)address & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

static void touch_before(struct secret *s)
{
    *(volatile uint8_t *)(page_of(secret_data(s)) - 1) = 1;
}

static void touch_after(struct secret *s)
{
    uintptr_t last = page_of(secret_data(s));

    *(volatile uint8_t *)(last + (uintptr_t)sysconf(_SC_PAGESIZE)) = 1;
}

static void read_before(struct secret *s)
{
    (void)*(volatile uint8_t *)(page_of(secret_data(s)) - 1);
}

static void touch_inside(struct secret *s)
{
    *(volatile uint8_t *)secret_data(s) = 1;
}

static void test_guard_pages_fault(void **state)
{
    struct secret *s = NULL;

    (void)state;
    assert_int_equal(secret_new(32, &s), ERR_NONE);
    assert_false(child_dies(touch_inside, s));
    assert_true(child_dies(touch_before, s));
    assert_true(child_dies(read_before, s));
    assert_true(child_dies(touch_after, s));
    secret_free(&s);
}

/* Exits with 1 unless the child finds nothing of its parent's, and can continue with its own. */
static void use_in_child(struct secret *s)
{
    struct secret *own = NULL;
    struct secret *more[SECRET_CACHE_COUNT] = {0};

    for (size_t i = 0; i < 32; i++)
        if (secret_data(s)[i] != 0)
            _exit(1);
    for (size_t i = 0; i < SECRET_CACHE_COUNT; i++)
        if (secret_new(32, &more[i]) != ERR_NONE || secret_size(more[i]) != 32)
            _exit(1);
    for (size_t i = 0; i < SECRET_CACHE_COUNT; i++)
        secret_free(&more[i]);
    secret_free(&s);
    if (secret_copy(SPAN_LITERAL("child"), &own) != ERR_NONE)
        _exit(1);
    secret_free(&own);
    secret_cache_clear();
}

static void test_a_forked_child_sees_nothing_and_can_go_on(void **state)
{
    struct secret *s = NULL;
    struct secret *cached[3] = {0};

    (void)state;
    assert_int_equal(secret_copy(SPAN_LITERAL("0123456789abcdef0123456789abcdef"), &s), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(cached); i++)
        assert_int_equal(secret_new(8, &cached[i]), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(cached); i++)
        secret_free(&cached[i]);
    assert_false(child_dies(use_in_child, s));
    assert_true(span_equal_string(secret_span(s), "0123456789abcdef0123456789abcdef"));
    secret_free(&s);
}

static void test_new_ones_are_zero_even_when_reused(void **state)
{
    static const uint8_t marks[200] = {0xa5, 0xa5, 0x5a};

    (void)state;
    for (size_t i = 0; i < 3 * SECRET_CACHE_COUNT; i++) {
        struct secret *s = NULL;

        assert_int_equal(secret_copy(SPAN_OF(marks), &s), ERR_NONE);
        assert_true(span_equal(secret_span(s), SPAN_OF(marks)));
        secret_shrink(s, i % 200);
        assert_int_equal(secret_size(s), i % 200);
        secret_free(&s);
        assert_null(s);
        assert_int_equal(secret_new(3000, &s), ERR_NONE);
        assert_int_equal(secret_size(s), 3000);
        assert_true(span_is_zero(secret_span(s)));
        secret_free(&s);
    }
}

static void test_shrinking_wipes_the_cut_bytes(void **state)
{
    struct secret *s = NULL;

    (void)state;
    assert_int_equal(secret_copy(SPAN_LITERAL("keep-cut"), &s), ERR_NONE);
    secret_shrink(s, 4);
    assert_true(span_equal_string(secret_span(s), "keep"));
    assert_true(span_is_zero(span_of(secret_data(s) + 4, 4)));
    secret_free(&s);
}

static void test_limits_and_nothing(void **state)
{
    struct secret *s = NULL;

    (void)state;
    assert_int_equal(secret_new((size_t)SECRET_MAX_SIZE + 1, &s), ERR_TOO_LARGE);
    assert_int_equal(secret_new(SIZE_MAX, &s), ERR_TOO_LARGE);
    assert_null(s);
    secret_free(&s);
    assert_int_equal(secret_new(0, &s), ERR_NONE);
    assert_int_equal(secret_size(s), 0);
    secret_free(&s);
}

/* Many more secrets than the cache holds live at once, and each has its own memory. */
static void test_many_at_once(void **state)
{
    struct secret *all[3 * SECRET_CACHE_COUNT] = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        assert_int_equal(secret_new(16, &all[i]), ERR_NONE);
        memset(secret_data(all[i]), (int)i, 16);
    }
    for (size_t i = 0; i < COUNT_OF(all); i++)
        for (size_t k = 0; k < 16; k++)
            assert_int_equal(secret_data(all[i])[k], (uint8_t)i);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        secret_free(&all[i]);
    secret_cache_clear();
    secret_cache_clear();
}

static void run_out_of_lockable_memory(struct secret *s)
{
    struct rlimit none = {0, 0};
    struct secret *fresh = NULL;

    (void)s;
    /* root may lock beyond the limit (CAP_IPC_LOCK); nobody (65534 on Debian) may not */
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && setuid(65534) != 0))
        _exit(1);
    if (secret_new(5000, &fresh) != ERR_MEMORY || fresh)
        _exit(1);
}

static void test_memory_that_cannot_be_locked_is_refused(void **state)
{
    (void)state;
    if (!HAVE_MLOCK)
        skip();
    assert_false(child_dies(run_out_of_lockable_memory, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_locked_not_dumped_and_wiped_on_fork),
        cmocka_unit_test(test_the_stack_of_a_thread_can_be_left_out_of_dumps),
        cmocka_unit_test(test_guard_pages_fault),
        cmocka_unit_test(test_a_forked_child_sees_nothing_and_can_go_on),
        cmocka_unit_test(test_new_ones_are_zero_even_when_reused),
        cmocka_unit_test(test_shrinking_wipes_the_cut_bytes),
        cmocka_unit_test(test_limits_and_nothing),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_memory_that_cannot_be_locked_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
