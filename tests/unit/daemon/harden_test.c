/* Calls that the filter forbids, and calls that providers of evidence need. Runs in children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sev-guest.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/gramine.h"
#include "daemon/harden.h"

/* The exit status of `run` in a child: 0, or the line that failed. */
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

enum { SKIPPED = 255 };

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

/* Each has arguments that would fail in another way if the filter allowed the call. */
static const struct {
    const char *name;
    long number;
    long arguments[4];
    int error;
} forbidden[] = {
    {"clone3",                                         SYS_clone3,            {0, 0, 0, 0},                          ENOSYS},
    {"clone",                                          SYS_clone,             {SIGCHLD, 0, 0, 0},                    EPERM },
    {"clone, a namespace",                             SYS_clone,             {CLONE_THREAD | CLONE_NEWNS, 0, 0, 0}, EPERM },
    {"execve",                                         SYS_execve,            {0, 0, 0, 0},                          EPERM },
    {"execveat",                                       SYS_execveat,          {-1, 0, 0, 0},                         EPERM },
    {"ptrace",                                         SYS_ptrace,            {0, 0, 0, 0},                          EPERM },
    {"kill",                                           SYS_kill,              {1, 0, 0, 0},                          EPERM },
    {"process_vm_readv",                               SYS_process_vm_readv,  {1, 0, 0, 0},                          EPERM },
    {"process_madvise",                                SYS_process_madvise,   {-1, 0, 0, 0},                         EPERM },
    {"pidfd_open",                                     SYS_pidfd_open,        {1, 0, 0, 0},                          EPERM },
    {"pidfd_getfd",                                    SYS_pidfd_getfd,       {-1, 0, 0, 0},                         EPERM },
    {"pidfd_send_signal",                              SYS_pidfd_send_signal, {-1, 0, 0, 0},                         EPERM },
    {"mount",                                          SYS_mount,             {0, 0, 0, 0},                          EPERM },
    {"fsopen",                                         SYS_fsopen,            {0, 0, 0, 0},                          EPERM },
    {"fsmount",                                        SYS_fsmount,           {-1, 0, 0, 0},                         EPERM },
    {"open_tree",                                      SYS_open_tree,         {-1, 0, 0, 0},                         EPERM },
    {"move_mount",                                     SYS_move_mount,        {-1, 0, -1, 0},                        EPERM },
    {"mount_setattr",                                  SYS_mount_setattr,     {-1, 0, 0, 0},                         EPERM },
    {"open_by_handle_at",                              SYS_open_by_handle_at, {-1, 0, 0, 0},                         EPERM },
    {"unshare",                                        SYS_unshare,           {0, 0, 0, 0},                          EPERM },
    {"setns",                                          SYS_setns,             {-1, 0, 0, 0},                         EPERM },
    {"chroot",                                         SYS_chroot,            {0, 0, 0, 0},                          EPERM },
    {"setuid",                                         SYS_setuid,            {0, 0, 0, 0},                          EPERM },
    {"capset",                                         SYS_capset,            {0, 0, 0, 0},                          EPERM },
    {"bpf",                                            SYS_bpf,               {-1, 0, 0, 0},                         EPERM },
    {"io_uring_setup",                                 SYS_io_uring_setup,    {0, 0, 0, 0},                          EPERM },
    {"userfaultfd",                                    SYS_userfaultfd,       {-1, 0, 0, 0},                         EPERM },
    {"perf_event_open",                                SYS_perf_event_open,   {0, 0, 0, 0},                          EPERM },
    {"add_key",                                        SYS_add_key,           {0, 0, 0, 0},                          EPERM },
    {"memfd_create",                                   SYS_memfd_create,      {0, 0, 0, 0},                          EPERM },
    {"prctl, dumpable",                                SYS_prctl,             {PR_SET_DUMPABLE, 1, 0, 0},            EPERM },
    {"prlimit64, other",                               SYS_prlimit64,         {1, RLIMIT_CORE, 0, 0},                EPERM },
    {"socket, netlink is for routes, packets are not",
     SYS_socket,                                                              {AF_PACKET, SOCK_RAW, 0, 0},
     EPERM                                                                                                                 },
    {"socket, AF_ALG",                                 SYS_socket,            {AF_ALG, SOCK_SEQPACKET, 0, 0},        EPERM },
    {"socket, AF_VSOCK",                               SYS_socket,            {AF_VSOCK, SOCK_STREAM, 0, 0},         EPERM },
    {"socketpair, INET",                               SYS_socketpair,        {AF_INET, SOCK_STREAM, 0, 0},          EPERM },
    {"ioctl, TIOCSTI",                                 SYS_ioctl,             {-1, TIOCSTI, 0, 0},                   EPERM },
    {"a call of the future",                           1000,                  {0, 0, 0, 0},                          EPERM },
};

static bool is_forbidden(size_t i)
{
    const long *a = forbidden[i].arguments;
    long result = syscall(forbidden[i].number, a[0], a[1], a[2], a[3]);

    if (result == -1 && errno == forbidden[i].error)
        return true;
    (void)fprintf(stderr, "%s: %ld, %s\n", forbidden[i].name, result, strerror(errno));
    return false;
}

static void *all_forbidden(void *context)
{
    sem_t *go = context;

    while (sem_wait(go) != 0)
        continue;
    for (size_t i = 0; i < COUNT_OF(forbidden); i++)
        if (!is_forbidden(i))
            return context;
    return NULL;
}

/* Also in a thread that was there before the filter, and in one that is started after it. */
static int calls_are_refused_in_every_thread(void)
{
    pthread_t before, after;
    void *wrong = NULL;
    sem_t go;

    REQUIRE(sem_init(&go, 0, 0) == 0);
    REQUIRE(harden_first() == ERR_NONE);
    REQUIRE(pthread_create(&before, NULL, all_forbidden, &go) == 0);
    REQUIRE(harden_last() == ERR_NONE);
    REQUIRE(pthread_create(&after, NULL, all_forbidden, &go) == 0);
    for (size_t i = 0; i < 3; i++)
        REQUIRE(sem_post(&go) == 0);
    REQUIRE(pthread_join(before, &wrong) == 0 && !wrong);
    REQUIRE(pthread_join(after, &wrong) == 0 && !wrong);
    REQUIRE(!all_forbidden(&go));
    return 0;
}

static int sockets_of_services_are_possible(void)
{
    static const int domains[] = {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK};

    REQUIRE(harden_last() == ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(domains); i++) {
        int s = socket(domains[i], SOCK_DGRAM | SOCK_CLOEXEC, 0);

        REQUIRE(s >= 0 || errno == EAFNOSUPPORT); /* a kernel without IPv6 */
        REQUIRE(s < 0 || close(s) == 0);
    }
    return 0;
}

/* "CapEff:" and the others of this thread. */
static uint64_t capability_set(const char *name)
{
    FILE *file = fopen("/proc/thread-self/status", "r");
    unsigned long long value = UINT64_MAX;
    char line[256];

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoull(line + strlen(name), NULL, 16);
    if (file)
        (void)fclose(file);
    return value;
}

/* The rights that must stay if CAP_SYS_RESOURCE is missing, which would raise the limit of
 * locked memory. */
static uint64_t kept_anyway(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 ? 0 : UINT64_C(1) << CAP_IPC_LOCK;
}

static int capabilities_are_gone(void)
{
    static const char *const sets[] = {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"};
    const uint64_t kept[] = {0, kept_anyway(), kept_anyway(), kept_anyway(), 0};

    REQUIRE(harden_capabilities(0) == ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(sets); i++)
        REQUIRE(capability_set(sets[i]) == kept[i]);
    REQUIRE(setgid(1) == -1 && errno == EPERM);
    return 0;
}

static int one_capability_stays(void)
{
    const uint64_t keep = UINT64_C(1) << CAP_NET_BIND_SERVICE | kept_anyway();

    REQUIRE(harden_capabilities(keep) == ERR_NONE);
    REQUIRE(capability_set("CapEff:") == keep && capability_set("CapPrm:") == keep);
    REQUIRE(capability_set("CapBnd:") == keep);
    REQUIRE(capability_set("CapInh:") == 0 && capability_set("CapAmb:") == 0);
    REQUIRE(harden_capabilities(UINT64_MAX) == ERR_NONE); /* no right returns */
    REQUIRE(capability_set("CapEff:") == keep);
    return 0;
}

static int locking_stays_where_the_limit_is_fixed(void)
{
    const struct rlimit low = {65536, 65536};
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];

    REQUIRE(setrlimit(RLIMIT_MEMLOCK, &low) == 0);
    REQUIRE(syscall(SYS_capget, &header, sets) == 0);
    sets[0].effective = sets[0].permitted = sets[0].permitted & ~(1u << CAP_SYS_RESOURCE);
    REQUIRE(syscall(SYS_capset, &header, sets) == 0);
    REQUIRE(harden_capabilities(0) == ERR_NONE);
    REQUIRE(capability_set("CapEff:") == UINT64_C(1) << CAP_IPC_LOCK);
    return 0;
}

enum { NOBODY_GROUP = 54321 };

/* `nobody` is in a group of /etc/group, as the TPM's users are in tss. */
static int groups_of_the_user_are_kept(void)
{
    char name[] = "/tmp/vouchsafe-group-XXXXXX";
    gid_t groups[64];
    int file, count;
    bool found = false;

    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return SKIPPED;
    file = mkstemp(name);
    REQUIRE(file >= 0 && fchmod(file, 0644) == 0);
    REQUIRE(dprintf(file, "root:x:0:\nnogroup:x:65534:\ntpm:x:%d:nobody\n", NOBODY_GROUP) > 0);
    if (mount(name, "/etc/group", NULL, MS_BIND, NULL) != 0) {
        (void)unlink(name);
        return SKIPPED;
    }
    REQUIRE(setgroups(1, (gid_t[]){12345}) == 0);
    REQUIRE(harden_become("nobody") == ERR_NONE);
    count = getgroups(COUNT_OF(groups), groups);
    for (int i = 0; i < count; i++) {
        found |= groups[i] == NOBODY_GROUP;
        REQUIRE(groups[i] != 12345 && groups[i] != 0);
    }
    REQUIRE(found && getuid() != 0 && geteuid() != 0);
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

/* As under Gramine, but without its files: the filter must still work. */
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

static void test_the_filter_allows_the_calls_for_evidence(void **state)
{
    (void)state;
    assert_int_equal(in_child(evidence_is_possible), 0);
}

static void test_the_filter_forbids_programs(void **state)
{
    (void)state;
    assert_int_equal(in_child(programs_are_not), 0);
}

static void test_the_filter_refuses_other_calls(void **state)
{
    (void)state;
    assert_int_equal(in_child(calls_are_refused_in_every_thread), 0);
}

static void test_the_filter_leaves_sockets_of_services(void **state)
{
    (void)state;
    assert_int_equal(in_child(sockets_of_services_are_possible), 0);
}

static void test_capabilities_are_dropped(void **state)
{
    (void)state;
    if (geteuid() != 0 || capability_set("CapEff:") == 0)
        skip();
    assert_int_equal(in_child(capabilities_are_gone), 0);
    assert_int_equal(in_child(one_capability_stays), 0);
    assert_int_equal(in_child(locking_stays_where_the_limit_is_fixed), 0);
}

static void test_a_user_keeps_its_groups(void **state)
{
    int status;

    (void)state;
    if (geteuid() != 0)
        skip();
    if ((status = in_child(groups_of_the_user_are_kept)) == SKIPPED)
        skip();
    assert_int_equal(status, 0);
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
        cmocka_unit_test(test_the_filter_allows_the_calls_for_evidence),
        cmocka_unit_test(test_the_filter_forbids_programs),
        cmocka_unit_test(test_the_filter_refuses_other_calls),
        cmocka_unit_test(test_the_filter_leaves_sockets_of_services),
        cmocka_unit_test(test_capabilities_are_dropped),
        cmocka_unit_test(test_a_user_keeps_its_groups),
        cmocka_unit_test(test_a_kernel_without_prctl_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
