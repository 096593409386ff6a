/* A parent that holds no keys and starts the daemon again when it dies. */
#ifndef DAEMON_SUPERVISE_H
#define DAEMON_SUPERVISE_H

/*
 * Forks. Returns in the child with -1, to go on as the daemon. The parent stays inside. It restarts
 * the child when a signal ends it (after 0.1 s, doubling to 5 s while it keeps dying within 10 s),
 * passes SIGTERM, SIGINT, SIGHUP and SIGUSR1 on, and returns the exit status when the child ends by
 * itself: 0, or a refusal to start, which a restart would not change.
 *
 * The parent wipes the secrets in `environment` as soon as the first child has its own copy. A
 * child that is restarted does not get those secrets: the root is sealed by then.
 */
int supervise(char **environment);

#endif
