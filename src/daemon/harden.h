/* What the process gives up, as early as it can. */
#ifndef DAEMON_HARDEN_H
#define DAEMON_HARDEN_H

#include "base/err.h"

#include <stdint.h>

/* The first lines of main: no core dumps, no ptrace by others, no new privileges. ERR_INTERNAL */
MUST_CHECK enum err harden_first(void);

/*
 * Becomes `user`: all ids, and the supplementary groups that the user has in the group database, so
 * that a TPM's group is kept. Raises the limit of locked memory first, if it may.
 * ERR_NOT_FOUND no such user, ERR_DENIED
 */
MUST_CHECK enum err harden_become(const char *user);

/*
 * Drops all capabilities but those in `keep` (bits 1 << CAP_...): bounding, ambient, permitted,
 * effective and inheritable. What is in `keep` but not held is not gained. The limit of locked
 * memory is raised first; where it cannot be, CAP_IPC_LOCK is kept, because secrets could not be
 * locked without it. For the calling thread and those it starts, so call it before there are
 * others. ERR_INTERNAL
 */
MUST_CHECK enum err harden_capabilities(uint64_t keep);

/*
 * The last step before serving: a seccomp filter with a list of the system calls that the daemon
 * and its libraries make. All others end with EPERM; clone3 ends with ENOSYS, so that the C library
 * starts threads with clone, whose flags a filter can read. No programs, no processes, no other
 * sockets than IP, Unix and the routing table's. For all threads. ERR_INTERNAL
 */
MUST_CHECK enum err harden_last(void);

#endif
