/* What the process gives up, as early as it can. */
#ifndef DAEMON_HARDEN_H
#define DAEMON_HARDEN_H

#include "base/err.h"

/* The first lines of main: no core dumps, no ptrace by others, no new privileges. ERR_INTERNAL */
MUST_CHECK enum err harden_first(void);

/* Becomes `user` (all ids, no supplementary groups). ERR_NOT_FOUND no such user, ERR_DENIED */
MUST_CHECK enum err harden_become(const char *user);

/*
 * The last step before serving: a seccomp filter that forbids what a keystore never does: running
 * programs, tracing, mounting, loading kernel code, new namespaces. Applies to all threads.
 * ERR_INTERNAL
 */
MUST_CHECK enum err harden_last(void);

#endif
