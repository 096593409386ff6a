#include "daemon/harden.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/gramine.h"
#include "base/secret.h"

enum err harden_first(void)
{
    struct rlimit none = {0, 0};

    /* a lost peer is an error of write(), not a signal */
    static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2};

    for (size_t i = 0; i < COUNT_OF(ignored); i++)
        if (signal(ignored[i], SIG_IGN) == SIG_ERR)
            return ERR_INTERNAL;
    if (setrlimit(RLIMIT_CORE, &none) != 0)
        return ERR_INTERNAL;
    if ((prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) &&
        !gramine_is_here())
        return ERR_INTERNAL;
    secret_hide_stack();
    return ERR_NONE;
}

/* False when this process may lock only a part of its memory without CAP_IPC_LOCK. */
static bool memory_lock_unlimited(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0)
        return true;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        return false;
    limit.rlim_cur = limit.rlim_max; /* the maximum */
    return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_max == RLIM_INFINITY;
}

enum err harden_become(const char *user)
{
    struct passwd *p = getpwnam(user);

    if (!p)
        return ERR_NOT_FOUND;
    (void)memory_lock_unlimited();
    if (initgroups(p->pw_name, p->pw_gid) != 0 || setresgid(p->pw_gid, p->pw_gid, p->pw_gid) != 0 ||
        setresuid(p->pw_uid, p->pw_uid, p->pw_uid) != 0)
        return ERR_DENIED;
    if (p->pw_uid != 0 && setuid(0) == 0) /* the change must be irreversible */
        return ERR_DENIED;
    /* a change of ids makes the process dumpable again if the kernel's suid_dumpable says so */
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? ERR_NONE : ERR_INTERNAL;
}

/* Capabilities */

#define CAPABILITY(number) (UINT64_C(1) << (number))

MUST_CHECK static enum err capabilities_get(struct __user_cap_data_struct sets[2])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

    return syscall(SYS_capget, &header, sets) == 0 ? ERR_NONE : ERR_INTERNAL;
}

MUST_CHECK static enum err capabilities_set(uint64_t kept)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {{0}};

    for (size_t i = 0; i < COUNT_OF(sets); i++)
        sets[i].permitted = sets[i].effective = (uint32_t)(kept >> (32 * i));
    return syscall(SYS_capset, &header, sets) == 0 ? ERR_NONE : ERR_INTERNAL;
}

/* Needs CAP_SETPCAP, so it comes first. Without it the set gives no rights either, because of
 * PR_SET_NO_NEW_PRIVS. */
static void bounding_drop(uint64_t kept)
{
    for (unsigned long i = 0; i < 64 && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        if (!(kept & CAPABILITY(i)))
            (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

enum err harden_capabilities(uint64_t keep)
{
    struct __user_cap_data_struct sets[2] = {{0}};
    bool unlimited = memory_lock_unlimited();
    uint64_t kept;
    enum err e;

    if (gramine_is_here()) /* Gramine has no capabilities */
        return ERR_NONE;
    if ((e = capabilities_get(sets)) != ERR_NONE)
        return e;
    if (!unlimited)
        keep |= CAPABILITY(CAP_IPC_LOCK);
    kept = keep & ((uint64_t)sets[1].permitted << 32 | sets[0].permitted);
    bounding_drop(kept);
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return ERR_INTERNAL;
    return capabilities_set(kept);
}

/* System calls */

/* The calls that the daemon makes through the C library, OpenSSL, SQLite, libevent, libcurl and
 * tpm2-tss. */
static const int allowed[] = {
    /* reading, writing, waiting */
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(preadv),
    SCMP_SYS(pwritev),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(close_range),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(fcntl),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    /* files */
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),
    SCMP_SYS(getcwd),
    SCMP_SYS(umask),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchown),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(fadvise64),
    SCMP_SYS(flock),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir),
    /* memory */
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(mlock),
    SCMP_SYS(mlock2),
    SCMP_SYS(munlock),
    SCMP_SYS(membarrier),
    /* threads and signals; clone has its own rule */
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    /* time, random numbers, facts about the process */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(times),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getgroups), /* to check who may read a credential */
    SCMP_SYS(capget),
    /* the network; socket and socketpair have their own rules */
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(connect),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmmsg),
};

/* A call that is allowed when one argument, masked with `mask`, has this value. */
static const struct {
    int call;
    unsigned argument;
    uint64_t mask, value;
} allowed_when[] = {
  /* threads, without new namespaces */
    {SCMP_SYS(clone),      0,
     CLONE_THREAD | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
         CLONE_NEWPID | CLONE_NEWNET,
     CLONE_THREAD                                        },
    {SCMP_SYS(socket),     0, UINT64_MAX, AF_UNIX        },
    {SCMP_SYS(socket),     0, UINT64_MAX, AF_INET        },
    {SCMP_SYS(socket),     0, UINT64_MAX, AF_INET6       },
    {SCMP_SYS(socket),     0, UINT64_MAX, AF_NETLINK     }, /* getaddrinfo() */
    {SCMP_SYS(socketpair), 0, UINT64_MAX, AF_UNIX        },
    {SCMP_SYS(prctl),      0, UINT64_MAX, PR_SET_NAME    },
    {SCMP_SYS(prctl),      0, UINT64_MAX, PR_GET_NAME    },
    {SCMP_SYS(prctl),      0, UINT64_MAX, PR_GET_DUMPABLE},
    {SCMP_SYS(prctl),      0, UINT64_MAX, PR_GET_SECCOMP },
    {SCMP_SYS(prctl),      0, UINT64_MAX, PR_CAPBSET_READ},
    {SCMP_SYS(prlimit64),  0, UINT64_MAX, 0              }, /* only of this process */
};

MUST_CHECK static enum err rules_add(scmp_filter_ctx filter)
{
    int result = 0;

    /* -EDOM: this architecture does not have the call */
    for (size_t i = 0; i < COUNT_OF(allowed) && (result == 0 || result == -EDOM); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; i < COUNT_OF(allowed_when) && (result == 0 || result == -EDOM); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_when[i].call, 1,
                                  SCMP_CMP(allowed_when[i].argument, SCMP_CMP_MASKED_EQ,
                                           allowed_when[i].mask, allowed_when[i].value));
    /* devices of TEEs; not TIOCSTI, which types into a terminal */
    if (result == 0 || result == -EDOM)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                  SCMP_A1(SCMP_CMP_NE, TIOCSTI, 0));
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return result == 0 ? ERR_NONE : ERR_INTERNAL;
}

enum err harden_last(void)
{
    scmp_filter_ctx filter;
    enum err e = ERR_INTERNAL;

    if (gramine_is_here()) /* its manifest restricts system calls: sys.disallowed_syscalls */
        return ERR_NONE;
    filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter && rules_add(filter) == ERR_NONE &&
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 && seccomp_load(filter) == 0)
        e = ERR_NONE;
    seccomp_release(filter);
    return e;
}
