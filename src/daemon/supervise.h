/* A parent without keys that restarts the daemon when it dies. */
#ifndef DAEMON_SUPERVISE_H
#define DAEMON_SUPERVISE_H

/*
 * Forks. In the child it returns -1, and the child continues as the daemon. The parent stays
 * inside. It restarts a child that a signal ended (after 0.1 s, doubled up to 5 s while the child
 * keeps dying within 10 s). It forwards SIGTERM, SIGINT, SIGHUP and SIGUSR1. When the child exits
 * by itself, it returns the exit status: 0, or a refusal to start, which a restart would not
 * change.
 *
 * The parent wipes the secrets in `environment` once the first child has its own copy. A restarted
 * child does not need them, because the root is sealed by then.
 */
int supervise(char **environment);

#endif
