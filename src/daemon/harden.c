#include "daemon/harden.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/gramine.h"
#include "base/secret.h"

enum err harden_first(void)
{
    struct rlimit none = {0, 0};

    /* a peer that has gone is an error of write(), not a signal */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return ERR_INTERNAL;
    if (setrlimit(RLIMIT_CORE, &none) != 0)
        return ERR_INTERNAL;
    if ((prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) &&
        !gramine_is_here())
        return ERR_INTERNAL;
    secret_hide_stack();
    return ERR_NONE;
}

enum err harden_become(const char *user)
{
    struct passwd *p = getpwnam(user);

    if (!p)
        return ERR_NOT_FOUND;
    if (setgroups(0, NULL) != 0 || setresgid(p->pw_gid, p->pw_gid, p->pw_gid) != 0 ||
        setresuid(p->pw_uid, p->pw_uid, p->pw_uid) != 0)
        return ERR_DENIED;
    if (p->pw_uid != 0 && setuid(0) == 0) /* it must not be possible to go back */
        return ERR_DENIED;
    /* a change of ids makes the process dumpable again when the kernel's suid_dumpable says so */
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? ERR_NONE : ERR_INTERNAL;
}

enum err harden_last(void)
{
    static const int forbidden[] = {
        SCMP_SYS(execve),
        SCMP_SYS(execveat),
        SCMP_SYS(ptrace),
        SCMP_SYS(fork),
        SCMP_SYS(vfork),
        SCMP_SYS(mount),
        SCMP_SYS(umount2),
        SCMP_SYS(pivot_root),
        SCMP_SYS(chroot),
        SCMP_SYS(unshare),
        SCMP_SYS(setns),
        SCMP_SYS(init_module),
        SCMP_SYS(bpf),
        SCMP_SYS(finit_module),
        SCMP_SYS(delete_module),
        SCMP_SYS(kexec_load),
        SCMP_SYS(kexec_file_load),
        SCMP_SYS(reboot),
        SCMP_SYS(swapon),
        SCMP_SYS(perf_event_open),
        SCMP_SYS(userfaultfd),
        SCMP_SYS(add_key),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(keyctl),
        SCMP_SYS(request_key),
        SCMP_SYS(process_vm_writev),
        SCMP_SYS(open_by_handle_at),
        SCMP_SYS(io_uring_setup),
    };
    scmp_filter_ctx filter;
    int failed;

    if (gramine_is_here()) /* its manifest says what is allowed: sys.disallowed_syscalls */
        return ERR_NONE;
    filter = seccomp_init(SCMP_ACT_ALLOW);
    failed = filter ? 0 : 1;

    for (size_t i = 0; i < COUNT_OF(forbidden) && !failed; i++) {
        int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0);

        failed = result != 0 && result != -EDOM; /* -EDOM: not a call of this architecture */
    }
    if (!failed)
        failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) || seccomp_load(filter);
    seccomp_release(filter);
    return failed ? ERR_INTERNAL : ERR_NONE;
}
