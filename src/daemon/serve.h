/*
 * The main thread while the daemon serves: signals, the ticks of once a second, what is watched,
 * and what the service manager is told.
 */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

#include "daemon/reload.h"
#include "server/server.h"

/* Signals that are for the main thread's loop; to be called before there are other threads. */
void serve_block_signals(void);

struct serving {
    struct reload reload; /* also: settings, service, TLS */
    struct server *server;
    struct collateral_refresh *refresh;
};

/*
 * Until SIGTERM or SIGINT. SIGHUP reloads (daemon/reload.h) and reads collateral again; SIGUSR1
 * writes the state of the daemon to the operational log.
 */
void serve_until_told(const struct serving *s);

#endif
