/*
 * What the HTTP server itself costs: an empty 200 to clients that keep their connections, server
 * and clients in one process. Prints
 *
 *   cpu_us_per_request     of the server's loop thread
 *   client_us_per_request  of the clients' thread, for comparison: the same system calls, bare
 *   requests_per_second    with both at work
 *
 *   http_bench [connections [seconds]]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/http_server.h"

enum { CONNECTIONS_MAX = 1024, EVENTS = 256, WARM_UP_US = 200000 };

static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
static const char expected[] = "HTTP/1.1 200 OK\r\n";

struct bench {
    struct http_server *server;
    clockid_t loop_clock; /* CPU time of the loop's thread */
    int fds[CONNECTIONS_MAX];
    int poll;
    unsigned connections;
    uint64_t replies;
};

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(2);
}

static void handle(void *context, struct http_exchange *x)
{
    (void)context;
    http_exchange_reply(x, &(struct http_reply){.status = 200});
}

static void loop_begin(void *context, unsigned loop)
{
    struct bench *b = context;

    (void)loop;
    if (pthread_getcpuclockid(pthread_self(), &b->loop_clock) != 0)
        die("pthread_getcpuclockid");
}

static void serve(struct bench *b)
{
    const struct http_server_options options = {.host = "127.0.0.1",
                                                .loops = 1,
                                                .body_max = 1024,
                                                .connections_max = CONNECTIONS_MAX,
                                                .head_timeout_ms = 10000,
                                                .request_timeout_ms = 10000,
                                                .idle_timeout_ms = 60000,
                                                .handshake_timeout_ms = 10000};
    const struct http_handler handler = {.handle = handle, .loop_begin = loop_begin, .context = b};

    if (http_server_start(&options, &handler, &b->server) != ERR_NONE)
        die("http_server_start");
}

static void ask(int fd)
{
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1)
        die("send");
}

static void dial(struct bench *b, unsigned i)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(http_server_port(b->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        epoll_ctl(b->poll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("connect");
    b->fds[i] = fd;
    ask(fd);
}

/* A reply without a body comes in one piece. */
static void hear(struct bench *b, int fd)
{
    char reply[1024];
    ssize_t got = recv(fd, reply, sizeof reply, 0);

    if (got < (ssize_t)sizeof expected || strncmp(reply, expected, sizeof expected - 1) != 0 ||
        strncmp(reply + got - 4, "\r\n\r\n", 4) != 0)
        die("the reply is not an empty 200");
    b->replies++;
}

static void run_until(struct bench *b, int64_t end_us)
{
    struct epoll_event events[EVENTS];

    while (clock_monotonic_us() < end_us) {
        int count = epoll_wait(b->poll, events, EVENTS, 1000);

        if (count <= 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < count; i++) {
            int fd = b->fds[events[i].data.u32];

            hear(b, fd);
            ask(fd);
        }
    }
}

static double clock_us(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) != 0)
        die("clock_gettime");
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void measure(struct bench *b, unsigned seconds)
{
    int64_t begun = clock_monotonic_us();
    double server_us = clock_us(b->loop_clock);
    double client_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
    uint64_t before = b->replies;
    double count;

    run_until(b, begun + (int64_t)seconds * 1000000);
    count = (double)(b->replies - before);
    printf("cpu_us_per_request %.2f\n", (clock_us(b->loop_clock) - server_us) / count);
    printf("client_us_per_request %.2f\n", (clock_us(CLOCK_THREAD_CPUTIME_ID) - client_us) / count);
    printf("requests_per_second %.0f\n", count * 1e6 / (double)(clock_monotonic_us() - begun));
}

static unsigned argument(int count, char **arguments, int at, unsigned otherwise, unsigned most)
{
    unsigned long value = count > at ? strtoul(arguments[at], NULL, 10) : otherwise;

    if (value == 0 || value > most) {
        (void)fprintf(stderr, "usage: http_bench [connections [seconds]]\n");
        exit(2);
    }
    return (unsigned)value;
}

int main(int count, char **arguments)
{
    static struct bench b;
    unsigned seconds = argument(count, arguments, 2, 3, 3600);

    b.connections = argument(count, arguments, 1, 64, CONNECTIONS_MAX);
    b.poll = epoll_create1(EPOLL_CLOEXEC);
    serve(&b);
    for (unsigned i = 0; i < b.connections; i++)
        dial(&b, i);
    run_until(&b, clock_monotonic_us() + WARM_UP_US);
    measure(&b, seconds);
    for (unsigned i = 0; i < b.connections; i++)
        (void)close(b.fds[i]);
    (void)close(b.poll);
    http_server_stop(&b.server, 1000);
    return 0;
}
