/* What the filter forbids, and what providers of evidence need all the same. In children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sev-guest.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/gramine.h"
#include "daemon/harden.h"

/* The exit status of `run` in a child: 0, or the line that was not as it should be. */
static int in_child(int (*run)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(run());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)

static int evidence_is_possible(void)
{
    static const unsigned long requests[] = {SNP_GET_REPORT, SNP_GET_DERIVED_KEY,
                                             SNP_GET_EXT_REPORT};
    char dir[] = "/tmp/vouchsafe-harden-XXXXXX";
    char path[64];
    uint8_t argument[64] = {0};
    int device = open("/dev/null", O_RDWR | O_CLOEXEC);

    REQUIRE(mkdtemp(dir));
    REQUIRE(harden_first() == ERR_NONE);
    REQUIRE(harden_last() == ERR_NONE);
    (void)snprintf(path, sizeof path, "%s/report", dir);
    REQUIRE(mkdir(path, 0700) == 0); /* as in configfs */
    REQUIRE(rmdir(path) == 0);
    for (size_t i = 0; i < COUNT_OF(requests); i++)
        REQUIRE(ioctl(device, requests[i], argument) == -1 && errno == ENOTTY); /* not EPERM */
    REQUIRE(rmdir(dir) == 0);
    return 0;
}

static int programs_are_not(void)
{
    char *const arguments[] = {(char *)"true", NULL};

    REQUIRE(harden_first() == ERR_NONE);
    REQUIRE(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    REQUIRE(harden_last() == ERR_NONE);
    REQUIRE(execv("/bin/true", arguments) == -1 && errno == EPERM);
    REQUIRE(mount("none", "/nowhere", "tmpfs", 0, NULL) == -1 && errno == EPERM);
    REQUIRE(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2); /* a filter */
    return 0;
}

/* As under Gramine, but without its files: no excuse. */
static int a_missing_prctl_is_no_excuse(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    REQUIRE(filter && seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(prctl), 0) == 0);
    REQUIRE(seccomp_load(filter) == 0);
    seccomp_release(filter);
    REQUIRE(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == -1 && errno == ENOSYS);
    REQUIRE(!gramine_is_here());
    REQUIRE(harden_first() == ERR_INTERNAL);
    REQUIRE(harden_last() != ERR_NONE);
    return 0;
}

static void test_the_filter_leaves_what_evidence_needs(void **state)
{
    (void)state;
    assert_int_equal(in_child(evidence_is_possible), 0);
}

static void test_the_filter_forbids_programs(void **state)
{
    (void)state;
    assert_int_equal(in_child(programs_are_not), 0);
}

static void test_a_kernel_without_prctl_is_refused(void **state)
{
    (void)state;
    if (access("/dev/attestation/attestation_type", F_OK) == 0)
        skip();
    assert_int_equal(in_child(a_missing_prctl_is_no_excuse), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_filter_leaves_what_evidence_needs),
        cmocka_unit_test(test_the_filter_forbids_programs),
        cmocka_unit_test(test_a_kernel_without_prctl_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
