#include "daemon/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

/* "/path" or "@abstract"; sd_notify(3). False for other texts. */
static bool address_set(struct notify *n, const char *name)
{
    size_t size = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || size < 2 || size >= sizeof n->address.sun_path)
        return false;
    n->address.sun_family = AF_UNIX;
    memcpy(n->address.sun_path, name, size);
    if (name[0] == '@')
        n->address.sun_path[0] = '\0';
    /* an abstract name has no terminator, a path may have one */
    n->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    return true;
}

static int64_t half_of(const char *usec)
{
    uint64_t whole = 0;

    if (!usec || decimal_read(span_string(usec), &whole) != ERR_NONE || whole > INT64_MAX)
        return 0;
    return (int64_t)(whole / 2);
}

void notify_open(struct notify *n, const char *socket_name, const char *watchdog_usec)
{
    *n = (struct notify){.socket = -1};
    if (!socket_name || !address_set(n, socket_name))
        return;
    n->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    n->watchdog_us = half_of(watchdog_usec);
}

void notify_close(struct notify *n)
{
    if (n->socket >= 0)
        (void)close(n->socket);
    n->socket = -1;
}

/* A message may be lost: then the service manager did not read it. */
static void send_text(const struct notify *n, const char *text)
{
    if (n->socket >= 0)
        (void)sendto(n->socket, text, strlen(text), MSG_NOSIGNAL,
                     (const struct sockaddr *)(const void *)&n->address, n->address_size);
}

void notify_ready(const struct notify *n, const char *status)
{
    char text[256];

    (void)snprintf(text, sizeof text, "READY=1\nMAINPID=%ld\nSTATUS=%s\n", (long)getpid(), status);
    send_text(n, text);
}

void notify_starting(const struct notify *n, const char *status)
{
    char text[256];

    (void)snprintf(text, sizeof text, "EXTEND_TIMEOUT_USEC=60000000\nSTATUS=%s\n", status);
    send_text(n, text);
}

void notify_reloading(const struct notify *n)
{
    char text[128];

    (void)snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld\n",
                   (long long)clock_monotonic_us());
    send_text(n, text);
}

void notify_stopping(const struct notify *n)
{
    send_text(n, "STOPPING=1\n");
}

void notify_status(const struct notify *n, const char *status)
{
    char text[256];

    (void)snprintf(text, sizeof text, "STATUS=%s\n", status);
    send_text(n, text);
}

void notify_alive(struct notify *n, int64_t monotonic_us)
{
    if (n->watchdog_us == 0 || monotonic_us - n->last_alive_us < n->watchdog_us)
        return;
    n->last_alive_us = monotonic_us;
    send_text(n, "WATCHDOG=1\n");
}
