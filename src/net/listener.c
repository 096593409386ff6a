#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

enum { BACKLOG = 64, FIRST_INHERITED = 3 }; /* SD_LISTEN_FDS_START */

struct place {
    struct sockaddr_storage address;
    socklen_t size;
};

/* At most `max`. Leading zeros are refused, because some programs read them as octal. */
MUST_CHECK static enum err number_parse(const char *text, unsigned max, unsigned *out)
{
    uint64_t number = 0;

    if (decimal_read(span_string(text), &number) != ERR_NONE || number > max)
        return ERR_MALFORMED;
    *out = (unsigned)number;
    return ERR_NONE;
}

MUST_CHECK static enum err path_parse(const char *path, struct place *out)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof a.sun_path)
        return ERR_MALFORMED;
    memcpy(a.sun_path, path, strlen(path) + 1);
    memcpy(&out->address, &a, sizeof a);
    out->size = sizeof a;
    return ERR_NONE;
}

MUST_CHECK static enum err place_parse(const char *text, struct place *out)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2] = "";
    size_t size;
    unsigned port;

    *out = (struct place){0};
    if (text[0] == '/')
        return path_parse(text, out);
    size = colon ? (size_t)(colon - text) : 0;
    if (size == 0 || size >= sizeof host || number_parse(colon + 1, 65535, &port) != ERR_NONE)
        return ERR_MALFORMED;
    memcpy(host, text, size);
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        v4.sin_port = htons((uint16_t)port);
        memcpy(&out->address, &v4, sizeof v4);
        out->size = sizeof v4;
        return ERR_NONE;
    }
    if (host[0] != '[' || host[size - 1] != ']')
        return ERR_MALFORMED;
    host[size - 1] = '\0';
    if (inet_pton(AF_INET6, host + 1, &v6.sin6_addr) != 1)
        return ERR_MALFORMED;
    v6.sin6_port = htons((uint16_t)port);
    memcpy(&out->address, &v6, sizeof v6);
    out->size = sizeof v6;
    return ERR_NONE;
}

bool listener_is_valid(const char *text)
{
    struct place p;

    return place_parse(text, &p) == ERR_NONE;
}

bool listener_is_local(const char *text)
{
    return text[0] == '/' || strncmp(text, "127.", 4) == 0 || strncmp(text, "[::1]:", 6) == 0;
}

/* A socket file without a listening process is left over from a killed process. */
static void remove_stale(const char *path, const struct place *p)
{
    struct stat status;
    int probe;

    if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return;
    if (connect(probe, (const struct sockaddr *)&p->address, p->size) != 0 && errno == ECONNREFUSED)
        (void)unlink(path);
    (void)close(probe);
}

enum err listener_open(const char *text, int *out)
{
    const int on = 1;
    struct place p;
    enum err e = place_parse(text, &p);
    bool is_path = text[0] == '/';
    int fd;

    if (e != ERR_NONE)
        return e;
    if (is_path)
        remove_stale(text, &p);
    fd = socket(p.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return ERR_IO;
    /* the mode of a socket before bind() becomes that of its file, so the file is never open to
     * others */
    if ((is_path ? fchmod(fd, S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP) == 0
                 : setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                       setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0) &&
        bind(fd, (const struct sockaddr *)&p.address, p.size) == 0 && listen(fd, BACKLOG) == 0) {
        *out = fd;
        return ERR_NONE;
    }
    (void)close(fd);
    return ERR_IO;
}

/* Socket activation */

static bool is_listening_stream(int fd)
{
    int value = 0;
    socklen_t size = sizeof value;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size) != 0 || value != SOCK_STREAM)
        return false;
    size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value == 1;
}

static bool prepare(int fd)
{
    const int on = 1;
    int flags = fcntl(fd, F_GETFL);

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on Unix sockets */
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* Whether the first name of the colon list is "admin"; removes that name from the list. */
static bool take_name_is_admin(const char **names)
{
    static const char admin[] = "admin";
    size_t size = strcspn(*names, ":");
    bool is_admin = size == sizeof admin - 1 && memcmp(*names, admin, size) == 0; /* public */

    *names += size + ((*names)[size] == ':');
    return is_admin;
}

enum err listener_inherit(struct inherited_sockets *out, const char **why)
{
    const char *pid_text = getenv("LISTEN_PID");
    const char *count_text = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    unsigned pid = 0;
    unsigned count = 0;

    *out = (struct inherited_sockets){.admin = -1};
    if (!pid_text || !count_text || number_parse(pid_text, INT32_MAX, &pid) != ERR_NONE ||
        (pid_t)pid != getpid())
        return ERR_NONE;
    *why = "LISTEN_FDS names more sockets than can be taken over";
    if (number_parse(count_text, LISTENERS_INHERITED_MAX, &count) != ERR_NONE)
        return ERR_CONFIG;
    if (!names)
        names = "";
    for (unsigned i = 0; i < count; i++) {
        int fd = FIRST_INHERITED + (int)i;

        *why = "LISTEN_FDS has a descriptor that is not a listening stream socket";
        if (!is_listening_stream(fd) || !prepare(fd))
            return ERR_CONFIG;
        *why = "LISTEN_FDNAMES has the name admin twice";
        if (!take_name_is_admin(&names))
            out->sockets[out->count++] = fd;
        else if (out->admin < 0)
            out->admin = fd;
        else
            return ERR_CONFIG;
    }
    return ERR_NONE;
}
