/*
 * Listening sockets, opened from a text or inherited, for the second listener and for socket
 * activation.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "base/span.h"

#define LISTENERS_INHERITED_MAX 16

/*
 * Opens a listening socket: "192.0.2.1:9090", "[2001:db8::1]:9090", or the absolute path of a Unix
 * socket, which the owner and the group of the process may then use. A socket file without a
 * listening process is replaced. ERR_MALFORMED another text; ERR_IO the address is in use or not
 * available
 */
MUST_CHECK enum err listener_open(const char *text, int *out);

/* Whether the text has a form that can be opened. */
bool listener_is_valid(const char *text);
/* A Unix socket or a loopback address: its traffic stays on this machine. */
bool listener_is_local(const char *text);

/* Sockets that a service manager opened (sd_listen_fds(3)). */
struct inherited_sockets {
    int sockets[LISTENERS_INHERITED_MAX]; /* for the public listener */
    unsigned count;
    int admin; /* the one named "admin" in LISTEN_FDNAMES, or -1 */
};

/*
 * Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. If they are absent or for another process, no
 * socket is inherited. Each must be a listening stream socket; it becomes non-blocking and
 * close-on-exec.
 * ERR_CONFIG with a sentence in `*why`
 */
MUST_CHECK enum err listener_inherit(struct inherited_sockets *out, const char **why);

#endif
