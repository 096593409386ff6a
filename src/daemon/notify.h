/*
 * Tells the service manager about this process: sd_notify(3), a datagram to the socket that
 * NOTIFY_SOCKET names. Without a service manager every call does nothing.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include "base/clock.h"

#include <sys/socket.h>
#include <sys/un.h>

struct notify {
    int socket; /* -1: no service manager listens */
    struct sockaddr_un address;
    socklen_t address_size;
    int64_t watchdog_us; /* half of WATCHDOG_USEC; 0: no watchdog */
    int64_t last_alive_us;
};

/* `socket_name` and `watchdog_usec` are the values of NOTIFY_SOCKET and WATCHDOG_USEC, or NULL. */
void notify_open(struct notify *n, const char *socket_name, const char *watchdog_usec);
void notify_close(struct notify *n);

/* The service is ready. `status` is one line for people. */
void notify_ready(const struct notify *n, const char *status);
/* The start waits; it may take another minute from now on. */
void notify_starting(const struct notify *n, const char *status);
/* The service reads its configuration again; notify_ready() ends that state. */
void notify_reloading(const struct notify *n);
void notify_stopping(const struct notify *n);
void notify_status(const struct notify *n, const char *status);

/* Call it at least once a second while everything works. Sends WATCHDOG=1 when half of the
 * watchdog's time has passed. */
void notify_alive(struct notify *n, int64_t monotonic_us);

#endif
