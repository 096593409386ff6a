#include "net/http_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/connection.h"
#include "net/exchange.h"
#include "net/loop.h"

enum {
    LISTEN_BACKLOG = 4096,
    DESCRIPTORS_SPARE = 64, /* for the log's files, fetches, and other files of the process */
};

/* Each connection needs a descriptor, and the soft limit is usually 1024. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_write(LOG_WARN, "net", "cannot raise the limit of open files");
}

/* Accepts only numeric addresses, without a lookup. */
MUST_CHECK static enum err address_parse(const char *host, uint16_t port,
                                         struct sockaddr_storage *out, socklen_t *size)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;

    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return ERR_IO;
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *size = found->ai_addrlen;
    freeaddrinfo(found);
    /* the port has the same place in both kinds of address */
    ((struct sockaddr_in *)(void *)out)->sin_port = htons(port);
    return ERR_NONE;
}

static bool set_option(int fd, int level, int option)
{
    const int on = 1;

    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

/* A bound socket, or -1. */
static int bound_socket(const struct sockaddr_storage *address, socklen_t size, bool share_port)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    /* accepted sockets inherit TCP_NODELAY */
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR) &&
        (!share_port || set_option(fd, SOL_SOCKET, SO_REUSEPORT)) &&
        set_option(fd, IPPROTO_TCP, TCP_NODELAY) &&
        bind(fd, (const struct sockaddr *)address, size) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/*
 * With SO_REUSEPORT a second server of the same user could share the port unnoticed. A socket
 * without it can be bound only when no process listens there.
 */
static bool port_is_free(const struct sockaddr_storage *address, socklen_t size)
{
    int fd = bound_socket(address, size, false);

    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}

MUST_CHECK static enum err listen_at(struct http_server *s, int *out)
{
    struct sockaddr_storage address;
    socklen_t size;
    enum err e = address_parse(s->options.host, s->port, &address, &size);
    int fd;

    if (e != ERR_NONE)
        return e;
    if (s->loop_count == 0 && s->port != 0 && !port_is_free(&address, size))
        return ERR_IO;
    fd = bound_socket(&address, size, true);
    if (fd < 0)
        return ERR_IO;
    size = sizeof address;
    if (listen(fd, LISTEN_BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        (void)close(fd);
        return ERR_IO;
    }
    s->port = ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
    *out = fd;
    return ERR_NONE;
}

/* The loops share the inherited sockets, each with its own descriptor. */
MUST_CHECK static enum err listen_inherited(struct http_server *s, int *out)
{
    const struct http_server_options *o = &s->options;
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    int fd = fcntl(o->sockets[s->loop_count % o->socket_count], F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return ERR_IO;
    if (s->loop_count == 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
        (address.ss_family == AF_INET || address.ss_family == AF_INET6))
        s->port = ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
    *out = fd;
    return ERR_NONE;
}

MUST_CHECK static enum err loop_add(struct http_server *s)
{
    struct loop *l = &s->loops[s->loop_count];
    const int *admin = s->loop_count == 0 ? s->options.admin_socket : NULL;
    int admin_fd = admin ? fcntl(*admin, F_DUPFD_CLOEXEC, 0) : -1;
    int fd = -1;
    enum err e = admin && admin_fd < 0 ? ERR_IO : ERR_NONE;

    if (e == ERR_NONE)
        e = s->options.socket_count > 0 ? listen_inherited(s, &fd) : listen_at(s, &fd);
    if (e != ERR_NONE) {
        if (admin_fd >= 0)
            (void)close(admin_fd);
        return e;
    }
    e = loop_init(l, s, s->loop_count, fd, admin_fd);
    if (e == ERR_NONE)
        s->loop_count++;
    else
        loop_clear(l);
    return e;
}

static void server_free(struct http_server *s)
{
    for (unsigned i = 0; i < s->loop_count; i++)
        loop_clear(&s->loops[i]);
    peers_free(&s->peers);
    peers_free(&s->owners);
    quota_free(&s->strangers);
    quota_free(&s->authenticated);
    (void)pthread_cond_destroy(&s->idle_changed);
    (void)pthread_mutex_destroy(&s->idle_lock);
    free(s);
}

/* The descriptors that the process has open now; 0 when unknown. */
static unsigned open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    if (!directory)
        return 0;
    while (readdir(directory))
        count++;
    (void)closedir(directory);
    return count;
}

/* Limits the places to the descriptors that are available. So accepting never fails for lack of
 * one. */
static unsigned places(const struct http_server_options *options)
{
    struct rlimit limit;
    unsigned used = open_descriptors() + DESCRIPTORS_SPARE + 4 * options->loops +
                    (options->admin_socket ? ADMIN_CONNECTIONS_MAX : 0);

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur >= (rlim_t)used + options->connections_max)
        return options->connections_max;
    used = limit.rlim_cur > used ? (unsigned)limit.rlim_cur - used : 0;
    log_write(LOG_WARN, "net", "the limit of open files allows fewer connections than set",
              LOG_NUMBER("open_files", limit.rlim_cur),
              LOG_NUMBER("connections_max", options->connections_max), LOG_NUMBER("allowed", used));
    return used;
}

/* The things that callers share: places and memory. */
MUST_CHECK static enum err accounts_new(struct http_server *s)
{
    struct http_server_options *o = &s->options;
    size_t memory = o->memory_max > 0 ? o->memory_max : SIZE_MAX / 2;
    enum err e;

    o->connections_max = places(o);
    if (o->connections_max == 0)
        return ERR_CONFIG;
    if ((e = peers_new(o->connections_max, o->connections_per_address, &s->peers)) != ERR_NONE ||
        (e = peers_new(o->connections_max, 1 + o->connections_max / 4, &s->owners)) != ERR_NONE ||
        (e = quota_new(memory / 4, &s->strangers)) != ERR_NONE)
        return e;
    return quota_new(memory - memory / 4, &s->authenticated);
}

/* The loops have their own descriptors of the caller's sockets. */
static void close_given(struct http_server_options *o)
{
    for (unsigned i = 0; i < o->socket_count; i++)
        (void)close(o->sockets[i]);
    if (o->admin_socket)
        (void)close(*o->admin_socket);
    o->sockets = NULL;
    o->socket_count = 0;
    o->admin_socket = NULL;
}

MUST_CHECK static enum err server_new(const struct http_server_options *options,
                                      const struct http_handler *handler, struct http_server **out)
{
    struct http_server *s;
    enum err e;

    if (options->loops == 0 || options->loops > HTTP_LOOPS_MAX || options->connections_max == 0)
        return ERR_CONFIG;
    s = calloc(1, sizeof *s + options->loops * sizeof s->loops[0]);
    if (!s)
        return ERR_MEMORY;
    s->options = *options;
    s->options.host = NULL; /* the caller's string, which is not needed after binding */
    s->handler = *handler;
    s->port = options->port;
    (void)pthread_mutex_init(&s->idle_lock, NULL);
    clock_cond_init(&s->idle_changed);
    s->options.host = options->host;
    e = accounts_new(s);
    while (e == ERR_NONE && s->loop_count < options->loops)
        e = loop_add(s);
    s->options.host = NULL;
    close_given(&s->options);
    if (e == ERR_NONE)
        *out = s;
    else
        server_free(s);
    return e;
}

/* Runs `call` on each loop's thread, with the loop. The tasks must stay valid until it has run. */
static void post_to_all(struct http_server *s, unsigned count, struct http_task *tasks,
                        void (*call)(void *))
{
    for (unsigned i = 0; i < count; i++) {
        tasks[i] = (struct http_task){NULL, call, &s->loops[i]};
        loop_post(&s->loops[i], &tasks[i], &tasks[i]);
    }
}

static void quit(void *loop)
{
    (void)event_base_loopbreak(((struct loop *)loop)->base);
}

/* Ends and joins the first `count` threads. */
static void join(struct http_server *s, unsigned count)
{
    struct http_task tasks[HTTP_LOOPS_MAX];

    post_to_all(s, count, tasks, quit);
    for (unsigned i = 0; i < count; i++)
        (void)pthread_join(s->loops[i].thread, NULL);
}

enum err http_server_start(const struct http_server_options *options,
                           const struct http_handler *handler, struct http_server **out)
{
    struct http_server *s = NULL;
    enum err e;

    raise_descriptor_limit();
    e = server_new(options, handler, &s);
    if (e != ERR_NONE)
        return e;
    /* before any thread starts: the first request may come before the last thread has begun */
    *out = s;
    for (unsigned i = 0; i < s->loop_count; i++) {
        e = loop_thread_start(&s->loops[i]);
        if (e != ERR_NONE) {
            join(s, i);
            *out = NULL;
            server_free(s);
            return e;
        }
    }
    return ERR_NONE;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

void http_server_post_list(struct http_server *s, unsigned loop, struct http_task *first,
                           struct http_task *last)
{
    loop_post(&s->loops[loop], first, last);
}

void http_server_post(struct http_server *s, unsigned loop, struct http_task *task)
{
    loop_post(&s->loops[loop], task, task);
}

static uint64_t sum(const struct http_server *s, enum figure f)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < s->loop_count; i++)
        total += loop_figure(&s->loops[i], f);
    return total;
}

void http_server_figures(const struct http_server *s, struct http_figures *out)
{
    *out = (struct http_figures){
        /* before `accepted`, so that the difference is never negative */
        .closed = sum(s, FIGURE_CLOSED),
        .refused_connections = sum(s, FIGURE_REFUSED_CONNECTIONS),
        .evicted = sum(s, FIGURE_EVICTED),
        .connections_max = s->options.connections_max,
        .held_by_strangers = quota_held(s->strangers),
        .held_by_authenticated = quota_held(s->authenticated),
        .requests = sum(s, FIGURE_REQUESTS),
        .refused_requests = sum(s, FIGURE_REFUSED_REQUESTS),
        .timeouts = sum(s, FIGURE_TIMEOUTS),
        .bytes_in = sum(s, FIGURE_BYTES_IN),
        .bytes_out = sum(s, FIGURE_BYTES_OUT),
        .tls_handshakes = sum(s, FIGURE_TLS_HANDSHAKES),
        .tls_failures = sum(s, FIGURE_TLS_FAILURES),
    };
    out->accepted = sum(s, FIGURE_ACCEPTED);
    out->open_connections = out->accepted > out->closed ? out->accepted - out->closed : 0;
}

static void drain_loop(void *loop)
{
    loop_stop_accepting(loop);
    connection_drain_all(loop);
}

void http_server_drain(struct http_server *s, unsigned drain_ms)
{
    struct timespec deadline = clock_deadline((int64_t)drain_ms * 1000);

    if (s->drained)
        return;
    s->drained = true;
    (void)pthread_mutex_lock(&s->idle_lock);
    s->busy_loops = s->loop_count;
    (void)pthread_mutex_unlock(&s->idle_lock);
    post_to_all(s, s->loop_count, s->drain_tasks, drain_loop);
    (void)pthread_mutex_lock(&s->idle_lock);
    while (s->busy_loops > 0 &&
           pthread_cond_timedwait(&s->idle_changed, &s->idle_lock, &deadline) != ETIMEDOUT)
        continue;
    (void)pthread_mutex_unlock(&s->idle_lock);
}

void http_server_stop(struct http_server **s, unsigned drain_ms)
{
    if (!*s)
        return;
    http_server_drain(*s, drain_ms);
    join(*s, (*s)->loop_count);
    server_free(*s);
    *s = NULL;
}
