/* Gives up rights of the process as early as possible. */
#ifndef DAEMON_HARDEN_H
#define DAEMON_HARDEN_H

#include "base/err.h"

#include <stdint.h>

/* Call first in main: no core dumps, no ptrace by others, no new privileges. ERR_INTERNAL */
MUST_CHECK enum err harden_first(void);

/*
 * Changes to `user`: all ids, and the user's supplementary groups from the group database, so that
 * the TPM's group stays. First raises the limit of locked memory, if allowed. ERR_NOT_FOUND no such
 * user, ERR_DENIED
 */
MUST_CHECK enum err harden_become(const char *user);

/*
 * Drops all capabilities except those in `keep` (bits 1 << CAP_...): bounding, ambient, permitted,
 * effective and inheritable. It never adds a capability. First raises the limit of locked memory.
 * If that fails, CAP_IPC_LOCK stays, because secrets could not be locked without it. Applies to the
 * calling thread and the threads that it starts, so call it before there are others. ERR_INTERNAL
 */
MUST_CHECK enum err harden_capabilities(uint64_t keep);

/*
 * Installs a seccomp filter that allows the system calls of the daemon and its libraries; the last
 * step before serving. All other calls fail with EPERM; clone3 fails with ENOSYS, so that the C
 * library starts threads with clone, whose flags a filter can read. The filter refuses programs,
 * processes, and all sockets except IP, Unix and the routing table's. It applies to all threads.
 * ERR_INTERNAL
 */
MUST_CHECK enum err harden_last(void);

#endif
