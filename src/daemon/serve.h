/*
 * The main thread while the daemon serves: it handles signals, makes checks once a second, and
 * notifies the service manager.
 */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

#include "daemon/reload.h"
#include "server/server.h"

/* Blocks the signals that the main thread waits for. Call it before there are other threads. */
void serve_block_signals(void);

/*
 * For a start that has to wait: waits for `seconds`, and tells the service manager that the start
 * needs longer. True when SIGTERM or SIGINT came meanwhile.
 */
bool serve_told_to_stop(unsigned seconds);

struct serving {
    struct reload reload; /* also: settings, service, TLS */
    struct server *server;
    struct collateral_refresh *refresh;
};

/*
 * Runs until SIGTERM or SIGINT. SIGHUP reloads (daemon/reload.h) and reads collateral again.
 * SIGUSR1 writes the state of the daemon to the operational log.
 */
void serve_until_told(const struct serving *s);

#endif
