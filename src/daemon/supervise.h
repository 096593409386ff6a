/* A parent that holds no keys and starts the daemon again when it dies. */
#ifndef DAEMON_SUPERVISE_H
#define DAEMON_SUPERVISE_H

/*
 * Forks. Returns in the child with -1, to go on as the daemon; the parent stays inside, restarts
 * the child when a signal ends it (after 0.1 s, doubling to 5 s while it keeps dying
 * within 10 s), passes SIGTERM, SIGINT and SIGHUP on, and returns the exit status once the child
 * ended by itself: 0, or a refusal to start, which a restart would not mend.
 */
int supervise(void);

#endif
