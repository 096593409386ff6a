#include "fake_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 262144

struct fake_server {
    int listener;
    char url[64];
    pthread_t thread;
    _Atomic(fake_handler) handler;
};

static size_t body_size(const char *request)
{
    const char *length = strcasestr(request, "\r\nContent-Length:");

    return length == NULL ? 0 : strtoul(length + 17, NULL, 10);
}

/* One request; false when the peer is gone. */
static int read_request(int fd, char *request)
{
    size_t got = 0;

    while (got < REQUEST_MAX - 1) {
        ssize_t n = read(fd, request + got, REQUEST_MAX - 1 - got);

        if (n <= 0)
            return 0;
        got += (size_t)n;
        request[got] = '\0';
        const char *end = strstr(request, "\r\n\r\n");
        if (end != NULL && got >= (size_t)(end + 4 - request) + body_size(request))
            return 1;
    }
    return 0;
}

static void send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        data += n;
        size -= (size_t)n;
    }
}

static void answer(int fd, const struct fake_reply *reply)
{
    char head[512];
    size_t size = reply->size == 0 ? strlen(reply->body) : reply->size;

    (void)snprintf(head, sizeof head,
                   "HTTP/1.1 %u X\r\nContent-Length: %zu\r\nX-Request-Id: %s\r\n"
                   "Connection: close\r\n\r\n",
                   reply->status == 0 ? 200 : reply->status, size,
                   reply->request_id == NULL ? FAKE_REQUEST_ID : reply->request_id);
    if (reply->head != NULL)
        (void)snprintf(head, sizeof head, "%s", reply->head);
    send_all(fd, head, strlen(head));
    send_all(fd, reply->body, size);
}

static void *serve(void *argument)
{
    struct fake_server *s = argument;
    char *request = malloc(REQUEST_MAX);
    struct fake_reply *reply = malloc(sizeof *reply);
    int fd;

    assert(request && reply);
    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        fake_handler handler = s->handler;

        if (handler == NULL) {
            (void)close(fd);
            break;
        }
        if (read_request(fd, request)) {
            memset(reply, 0, sizeof *reply);
            handler(request, reply);
            answer(fd, reply);
        }
        (void)close(fd);
    }
    free(request);
    free(reply);
    return NULL;
}

struct fake_server *fake_server_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct fake_server *s = calloc(1, sizeof *s);

    assert(s);
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert(s->listener >= 0);
    assert(bind(s->listener, (struct sockaddr *)&address, sizeof address) == 0);
    assert(listen(s->listener, 8) == 0);
    assert(getsockname(s->listener, (struct sockaddr *)&address, &size) == 0);
    (void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    return s;
}

const char *fake_server_url(const struct fake_server *s)
{
    return s->url;
}

void fake_server_answer(struct fake_server *s, fake_handler handler)
{
    const fake_handler before = s->handler;

    s->handler = handler;
    if (before == NULL)
        assert(pthread_create(&s->thread, NULL, serve, s) == 0);
}

void fake_server_stop(struct fake_server *s)
{
    if (s->handler != NULL) {
        s->handler = (fake_handler)0; /* clang takes NULL for an object pointer here */
        (void)shutdown(s->listener, SHUT_RDWR);
        (void)pthread_join(s->thread, NULL);
    }
    (void)close(s->listener);
    free(s);
}
