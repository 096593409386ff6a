#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif
#ifndef __has_feature
#define __has_feature(name) 0 /* clang's way to name a sanitizer */
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SIZES_ARE_REAL 0
#else
#define SIZES_ARE_REAL (!RUNNING_ON_VALGRIND)
#endif

#include "base/clock.h"
#include "certificate.h"
#include "net/http_server.h"
#include "net/listener.h"
#include "net/proxy.h"

enum {
    LATE_MAX = 16,
    WAIT_MS = 10000,  /* for one answer */
    TEST_MAX_S = 270, /* for all of it: a test that hangs is ended by SIGALRM */
};

/* A server whose handler acts according to the path. */
struct fixture {
    struct http_server *server;
    struct http_server_options options;
    struct tls_server *tls;
    struct buffer pem;
    /* exchanges of /late, answered by a task of the test's; written on the loop's thread */
    struct http_exchange *late[LATE_MAX];
    atomic_uint late_count;
    atomic_uint refused_count;
    atomic_uint gone_count;
    atomic_uint handshakes;
    unsigned handshakes_max;
    atomic_uint tasks_run;
    atomic_uint loops_begun, loops_ended;
    atomic_uint handled;          /* requests so far */
    atomic_uint marked_at;        /* what `handled` was when /mark came */
    atomic_bool halted, released; /* /halt stops its loop in between */
    char refused_code[32];
    const char *peer;         /* what the clients' address must be */
    const char *refusal_body; /* what refused() replaces net/'s own with, or NULL */
};

static unsigned admit(void *context, const struct http_request *r, size_t body_size,
                      struct http_owner *owner, struct http_reply *reply)
{
    struct span token;

    if (http_header(r, "authorization", &token)) { /* one letter names the caller */
        owner->authenticated = true;
        memset(&owner->key, token.data[0], sizeof owner->key);
    }
    (void)context;
    assert_int_equal(r->body.size, 0);
    if (!span_equal_string(r->path, "/denied"))
        return 0;
    (void)body_size;
    reply->content_type = "text/plain";
    reply->body = SPAN_LITERAL("no");
    reply->extra_headers = "WWW-Authenticate: Bearer\r\n";
    return 401;
}

static size_t query_size(const struct http_request *r)
{
    char text[16] = "";
    size_t size = 0;

    if (http_query(r->query, "size", text, sizeof text - 1, &size) != ERR_NONE)
        return 0;
    return strtoul(text, NULL, 10);
}

/* `size` bytes 0, 1, 2, ... 250, 0, ... */
static void fill(uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(i % 251);
}

static void reply_secret(struct http_exchange *x)
{
    struct http_reply reply = {.status = 200, .content_type = "application/octet-stream"};
    size_t size = query_size(http_exchange_request(x));

    assert_int_equal(secret_new(size, &reply.secret), ERR_NONE);
    fill(secret_data(reply.secret), size);
    http_exchange_reply(x, &reply);
}

static void reply_large(struct http_exchange *x)
{
    struct http_reply reply = {.status = 200, .content_type = "application/octet-stream"};
    size_t size = query_size(http_exchange_request(x));
    uint8_t *bytes = malloc(size + 1);

    assert_non_null(bytes);
    fill(bytes, size);
    reply.body = span_of(bytes, size);
    http_exchange_reply(x, &reply);
    free(bytes); /* the reply was copied */
}

static void handle(void *context, struct http_exchange *x)
{
    struct fixture *f = context;
    const struct http_request *r = http_exchange_request(x);
    struct http_reply reply = {.status = 200, .content_type = "text/plain", .body = r->body};

    assert_null(http_exchange_state(x));
    if (span_equal_string(r->path, "/mark"))
        atomic_store(&f->marked_at, atomic_load(&f->handled));
    atomic_fetch_add(&f->handled, 1);
    if (span_equal_string(r->path, "/halt")) {
        atomic_store(&f->halted, true);
        while (!atomic_load(&f->released))
            (void)poll(NULL, 0, 1);
    }
    if (span_equal_string(r->path, "/late")) {
        http_exchange_set_state(x, f);
        f->late[atomic_load(&f->late_count)] = x;
        atomic_fetch_add(&f->late_count, 1);
        return;
    }
    if (span_equal_string(r->path, "/secret")) {
        reply_secret(x);
        return;
    }
    if (span_equal_string(r->path, "/large")) {
        reply_large(x);
        return;
    }
    if (span_equal_string(r->path, "/target"))
        reply.body = r->target;
    if (span_equal_string(r->path, "/admin"))
        reply.body = r->admin ? SPAN_LITERAL("admin") : SPAN_LITERAL("public");
    if (span_equal_string(r->path, "/admitted"))
        reply.body = r->just_admitted ? SPAN_LITERAL("now") : SPAN_LITERAL("earlier");
    if (span_equal_string(r->path, "/peer"))
        reply.body = span_string(r->peer);
    if (span_equal_string(r->path, "/peer-key"))
        reply.body = SPAN_OF(r->peer_key);
    if (span_equal_string(r->path, "/certificate"))
        reply.body = r->client_certificate;
    if (span_equal_string(r->path, "/empty"))
        reply = (struct http_reply){.status = 204};
    if (span_equal_string(r->path, "/redirect"))
        reply = (struct http_reply){.status = 302, .extra_headers = "Location: /target\r\n"};
    http_exchange_reply(x, &reply);
}

static bool handshake(void *context, const uint8_t peer_key[16])
{
    struct fixture *f = context;

    (void)peer_key;
    return atomic_fetch_add(&f->handshakes, 1) < f->handshakes_max;
}

static void gone(void *context, struct http_exchange *x)
{
    (void)x;
    atomic_fetch_add(&((struct fixture *)context)->gone_count, 1);
}

static void refused(void *context, unsigned loop, const char *peer, const struct http_refusal *why,
                    struct http_reply *reply)
{
    struct fixture *f = context;

    assert_true(loop < f->options.loops);
    assert_string_equal(peer, f->peer);
    (void)snprintf(f->refused_code, sizeof f->refused_code, "%s", why->code);
    if (f->refusal_body)
        reply->body = span_string(f->refusal_body);
    if (f->refusal_body)
        reply->extra_headers = "X-Request-Id: id-9\r\n";
    atomic_fetch_add(&f->refused_count, 1);
}

static void loop_begin(void *context, unsigned loop)
{
    (void)loop;
    atomic_fetch_add(&((struct fixture *)context)->loops_begun, 1);
}

static void loop_end(void *context, unsigned loop)
{
    (void)loop;
    atomic_fetch_add(&((struct fixture *)context)->loops_ended, 1);
}

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->peer = "127.0.0.1";
    f->handshakes_max = UINT_MAX;
    f->options = (struct http_server_options){
        .host = "127.0.0.1",
        .loops = 2,
        .body_max = 1 << 20,
        .connections_max = 64,
        .head_timeout_ms = 20000,
        .request_timeout_ms = 20000,
        .idle_timeout_ms = 20000,
        .handshake_timeout_ms = 20000,
    };
}

static void fixture_start(struct fixture *f)
{
    const struct http_handler handler = {admit,   handle,     gone,     handshake,
                                         refused, loop_begin, loop_end, f};

    f->options.tls = f->tls;
    assert_int_equal(http_server_start(&f->options, &handler, &f->server), ERR_NONE);
}

static void fixture_stop(struct fixture *f)
{
    http_server_stop(&f->server, 2000);
    assert_int_equal(atomic_load(&f->loops_begun), f->options.loops);
    assert_int_equal(atomic_load(&f->loops_ended), f->options.loops);
    tls_server_free(&f->tls);
    buffer_clear(&f->pem);
}

/* The client's side */

/* A connected socket, or -1. */
static int dial_address(const struct sockaddr *address, socklen_t size)
{
    const struct timeval limit = {WAIT_MS / 1000, 0};
    const int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    /* the limit for sending is connect()'s too */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, address, size) == 0)
        return fd;
    close(fd);
    return -1;
}

static int dial_port(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

    (void)inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    return dial_address((struct sockaddr *)&address, sizeof address);
}

static int dial_port_v6(uint16_t port)
{
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    return dial_address((struct sockaddr *)&address, sizeof address);
}

static int dial(const struct fixture *f)
{
    int fd = dial_port(http_server_port(f->server));

    assert_true(fd >= 0);
    return fd;
}

static void say_bytes(int fd, const void *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t put = send(fd, (const uint8_t *)bytes + done, size - done, MSG_NOSIGNAL);

        assert_true(put > 0);
        done += (size_t)put;
    }
}

static void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

struct answer {
    unsigned status;
    char head[2048];
    struct buffer body;
    bool closed; /* no answer, only the end */
};

typedef ssize_t (*receive_call)(void *source, void *out, size_t size);

static ssize_t from_socket(void *source, void *out, size_t size)
{
    return recv(*(int *)source, out, size, 0);
}

/* One answer, and not one byte more. */
static void hear_from(receive_call receive, void *source, bool head_only, struct answer *a)
{
    size_t size = 0;
    const char *length;
    size_t body_size = 0;

    *a = (struct answer){0};
    while (size < 4 || memcmp(a->head + size - 4, "\r\n\r\n", 4) != 0) {
        ssize_t got = receive(source, a->head + size, 1);

        if (got <= 0) {
            assert_int_equal(size, 0); /* never a part of an answer */
            a->closed = true;
            return;
        }
        size++;
        assert_true(size < sizeof a->head - 1);
    }
    assert_int_equal(sscanf(a->head, "HTTP/1.1 %u ", &a->status), 1);
    length = strstr(a->head, "\r\nContent-Length: ");
    if (length)
        body_size = strtoul(length + 18, NULL, 10);
    else
        assert_true(a->status == 204 || a->status == 100);
    if (head_only)
        return;
    assert_int_equal(buffer_reserve(&a->body, body_size + 1), ERR_NONE);
    while (a->body.size < body_size) {
        ssize_t got = receive(source, a->body.data + a->body.size, body_size - a->body.size);

        assert_true(got > 0);
        a->body.size += (size_t)got;
    }
}

static void hear(int fd, struct answer *a)
{
    hear_from(from_socket, &fd, false, a);
}

/* A server that closes before it read all that was sent resets the connection. */
static void assert_ended(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);

    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
}

static void assert_answer(int fd, unsigned status, const char *body)
{
    struct answer a;

    hear(fd, &a);
    assert_int_equal(a.status, status);
    assert_true(span_equal_string(buffer_span(&a.body), body));
    buffer_clear(&a.body);
}

static void assert_answer_status(int fd, unsigned status)
{
    struct answer a;

    hear(fd, &a);
    assert_int_equal(a.status, status);
    buffer_clear(&a.body);
}

static void assert_filled(const struct answer *a, size_t size)
{
    assert_int_equal(a->body.size, size);
    for (size_t i = 0; i < size; i++)
        if (a->body.data[i] != (uint8_t)(i % 251))
            fail_msg("byte %zu differs", i);
}

/* Waits until `*value` is at least `least`. Only a broken server reaches the deadline. */
static void await(const atomic_uint *value, unsigned least)
{
    for (int i = 0; i < WAIT_MS && atomic_load(value) < least; i++)
        (void)poll(NULL, 0, 1);
    assert_true(atomic_load(value) >= least);
}

/* Until at least `accepted` connections were accepted and `open` are open. */
static void await_connections(const struct fixture *f, uint64_t accepted, uint64_t open)
{
    struct http_figures figures;

    for (int i = 0; i < WAIT_MS; i++) {
        http_server_figures(f->server, &figures);
        if (figures.accepted >= accepted && figures.open_connections == open)
            return;
        (void)poll(NULL, 0, 1);
    }
    fail_msg("%llu connections were accepted, %llu are open", (unsigned long long)figures.accepted,
             (unsigned long long)figures.open_connections);
}

static void await_open(const struct fixture *f, uint64_t count)
{
    await_connections(f, 0, count);
}

static void await_tls_failures(const struct fixture *f, uint64_t count)
{
    struct http_figures figures = {0};

    for (int i = 0; i < WAIT_MS && figures.tls_failures < count; i++) {
        http_server_figures(f->server, &figures);
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(figures.tls_failures, count);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST(path, size, body)                                                                     \
    "POST " path " HTTP/1.1\r\nHost: h\r\nContent-Length: " size "\r\n\r\n" body

static void a_connection_serves_many_requests(void **state)
{
    struct fixture f;
    int fd;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    fd = dial(&f);
    for (int i = 0; i < 100; i++) {
        say(fd, POST("/echo", "5", "hello"));
        assert_answer(fd, 200, "hello");
        say(fd, GET("/target?a=b"));
        assert_answer(fd, 200, "/target?a=b");
        say(fd, GET("/empty"));
        assert_answer(fd, 204, "");
    }
    close(fd);
    await_open(&f, 0);
    fixture_stop(&f);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture f;
    struct buffer all = {0};
    char expected[32];
    int fd;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    fd = dial(&f);
    for (int i = 0; i < 500; i++)
        assert_int_equal(buffer_printf(&all,
                                       "GET /target?%d HTTP/1.1\r\nHost: h\r\n\r\n"
                                       "POST /echo HTTP/1.1\r\nHost: h\r\n"
                                       "Content-Length: 4\r\n\r\n%04d",
                                       i, i),
                         ERR_NONE);
    say_bytes(fd, all.data, all.size);
    for (int i = 0; i < 500; i++) {
        (void)snprintf(expected, sizeof expected, "/target?%d", i);
        assert_answer(fd, 200, expected);
        (void)snprintf(expected, sizeof expected, "%04d", i);
        assert_answer(fd, 200, expected);
    }
    close(fd);
    buffer_clear(&all);
    fixture_stop(&f);
}

/* One connection has many requests ready, another has one, which is served after a few of the
 * others. */
static void connections_take_turns(void **state)
{
    struct fixture f;
    struct buffer all = {0};
    int greedy;
    int other;

    (void)state;
    fixture_init(&f);
    f.options.loops = 1;
    fixture_start(&f);
    greedy = dial(&f);
    other = dial(&f);
    say(other, GET("/target")); /* the loop knows it */
    assert_answer(other, 200, "/target");
    say(greedy, GET("/halt"));
    while (!atomic_load(&f.halted))
        (void)poll(NULL, 0, 1);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buffer_append(&all, SPAN_LITERAL(GET("/target"))), ERR_NONE);
    say_bytes(greedy, all.data, all.size);
    say(other, GET("/mark"));
    atomic_store(&f.released, true);
    assert_answer(other, 200, "");
    assert_true(atomic_load(&f.marked_at) < 100);
    assert_answer(greedy, 200, "");
    for (int i = 0; i < 1000; i++)
        assert_answer(greedy, 200, "/target");
    close(greedy);
    close(other);
    buffer_clear(&all);
    fixture_stop(&f);
}

static void bytes_may_come_one_at_a_time(void **state)
{
    static const char text[] = POST("/echo", "5", "hello") GET("/target");
    struct fixture f;
    int fd;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    fd = dial(&f);
    for (size_t i = 0; i < sizeof text - 1; i++)
        say_bytes(fd, text + i, 1);
    assert_answer(fd, 200, "hello");
    assert_answer(fd, 200, "/target");
    close(fd);
    fixture_stop(&f);
}

static void half_closed_connection_gets_its_answer(void **state)
{
    struct fixture f;
    int fd;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    fd = dial(&f);
    say(fd, POST("/echo", "2", "hi") GET("/target"));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_answer(fd, 200, "hi");
    assert_answer(fd, 200, "/target");
    assert_ended(fd);
    close(fd);
    fixture_stop(&f);
}

static void the_connection_ends_when_asked(void **state)
{
    static const char *const requests[] = {
        "GET /target HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "GET /target HTTP/1.0\r\n\r\n",
        "GET /target HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        struct answer a;
        int fd = dial(&f);

        say(fd, requests[i]);
        hear(fd, &a);
        assert_int_equal(a.status, 200);
        assert_non_null(strstr(a.head, "\r\nConnection: close\r\n"));
        assert_ended(fd);
        buffer_clear(&a.body);
        close(fd);
    }
    fixture_stop(&f);
}

static void head_is_answered_without_a_body(void **state)
{
    struct fixture f;
    struct answer a;
    int fd;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    fd = dial(&f);
    say(fd, "HEAD /target HTTP/1.1\r\nHost: h\r\n\r\n");
    hear_from(from_socket, &fd, true, &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.head, "\r\nContent-Length: 7\r\n"));
    say(fd, "HEAD /secret?size=9 HTTP/1.1\r\nHost: h\r\n\r\n");
    hear_from(from_socket, &fd, true, &a);
    assert_non_null(strstr(a.head, "\r\nContent-Length: 9\r\n"));
    say(fd, GET("/target"));
    assert_answer(fd, 200, "/target");
    close(fd);
    fixture_stop(&f);
}

static void continue_is_sent_only_after_admission(void **state)
{
    struct fixture f;
    struct answer a;
    int fd;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    fd = dial(&f);
    say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    hear(fd, &a);
    assert_int_equal(a.status, 100);
    buffer_clear(&a.body);
    say(fd, "hello");
    assert_answer(fd, 200, "hello");
    say(fd,
        "POST /denied HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_answer(fd, 401, "no");
    assert_ended(fd);
    close(fd);
    fixture_stop(&f);
}

/* What admit() found of the caller may be used only before the loop admits another request. */
static void a_request_whose_body_comes_later_was_not_just_admitted(void **state)
{
    struct fixture f;
    struct answer a;
    int first, second;

    (void)state;
    fixture_init(&f);
    f.options.loops = 1;
    fixture_start(&f);
    first = dial(&f);
    second = dial(&f);
    say(first, POST("/admitted", "2", "hi"));
    assert_answer(first, 200, "now");
    say(first, "POST /admitted HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
               "Expect: 100-continue\r\n\r\n");
    hear(first, &a);
    assert_int_equal(a.status, 100);
    buffer_clear(&a.body);
    say(second, POST("/admitted", "2", "hi"));
    assert_answer(second, 200, "now");
    say(first, "hello");
    assert_answer(first, 200, "earlier");
    close(first);
    close(second);
    fixture_stop(&f);
}

static void refused_by_the_handler_before_the_body(void **state)
{
    struct fixture f;
    struct answer a;
    int fd;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    fd = dial(&f);
    say(fd, POST("/denied", "2", "hi")); /* read whole: the connection may go on */
    hear(fd, &a);
    assert_int_equal(a.status, 401);
    assert_non_null(strstr(a.head, "\r\nWWW-Authenticate: Bearer\r\n"));
    buffer_clear(&a.body);
    say(fd, GET("/target"));
    assert_answer(fd, 200, "/target");
    say(fd, "POST /denied HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nx");
    assert_answer(fd, 401, "no");
    assert_ended(fd);
    assert_int_equal(atomic_load(&f.refused_count), 0); /* the gate did not refuse it */
    close(fd);
    fixture_stop(&f);
}

/* http_parse_test has the table of the gate. Here the answer arrives, the connection ends, and
 * the bytes after the refused request are not read as another. */
static void refused_by_the_gate(void **state)
{
    static const struct {
        const char *request;
        unsigned status;
        const char *code;
    } cases[] = {
        {"GET /\r\n",                                                                 400, "bad_request_line"     },
        {"GET / HTTP/1.1\n\n",                                                        400, "bad_request_line"     },
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",                                          400, "version_not_supported"},
        {"GET / HTTP/1.1\r\n\r\n",                                                    400, "missing_host"         },
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
         "bad_framing"                                                                                            },
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n",             413, "body_too_large"       },
        {"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",                              400, "duplicate_header"     },
    };
    struct fixture f;
    struct http_figures figures;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct answer a;
        int fd = dial(&f);
        char code[64];

        say(fd, cases[i].request);
        say(fd, GET("/target"));
        hear(fd, &a);
        assert_int_equal(a.status, cases[i].status);
        (void)snprintf(code, sizeof code, "\"code\":\"%s\"}", cases[i].code);
        assert_int_equal(buffer_append(&a.body, span_of("", 1)), ERR_NONE);
        assert_non_null(strstr((const char *)a.body.data, code));
        assert_ended(fd);
        await(&f.refused_count, (unsigned)i + 1);
        assert_string_equal(f.refused_code, cases[i].code);
        buffer_clear(&a.body);
        close(fd);
    }
    http_server_figures(f.server, &figures);
    assert_int_equal(figures.requests, 0);
    assert_int_equal(figures.refused_requests, COUNT_OF(cases));
    fixture_stop(&f);
}

/* All errors have one form, from net/ and from the handler. net/ sets status and the end of the
 * connection. */
static void the_handler_may_word_refusals(void **state)
{
    static const char *const requests[] = {"GET / HTTP/2.0\r\n", "GET / HTTP/1.1\r\nHost:"};
    static const unsigned statuses[] = {400, 408};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    f.refusal_body = "{\"request_id\":\"id-9\"}";
    f.options.head_timeout_ms = 50;
    fixture_start(&f);
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        struct answer a;
        int fd = dial(&f);

        say(fd, requests[i]);
        hear(fd, &a);
        assert_int_equal(a.status, statuses[i]);
        assert_non_null(strstr(a.head, "\r\nX-Request-Id: id-9\r\n"));
        assert_non_null(strstr(a.head, "\r\nConnection: close\r\n"));
        assert_true(span_equal_string(buffer_span(&a.body), f.refusal_body));
        assert_ended(fd);
        buffer_clear(&a.body);
        close(fd);
    }
    fixture_stop(&f);
}

static void a_refusal_reaches_a_peer_that_is_still_sending(void **state)
{
    struct fixture f;
    uint8_t junk[65536] = {0};
    int fd;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    fd = dial(&f);
    say(fd, "POST /denied HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n");
    for (int i = 0; i < 7; i++)
        say_bytes(fd, junk, sizeof junk);
    assert_answer(fd, 401, "no");
    assert_ended(fd);
    close(fd);
    fixture_stop(&f);
}

static void answer_all_late(struct fixture *f, struct http_task *tasks);
static pid_t fork_bounded(void);

static void fixture_start_tls(struct fixture *f);

/* Sends a head that announces 1,000,000 bytes, and the first `size` of them. */
static int begin_body(const struct fixture *f, const char *authorization, size_t size)
{
    static const uint8_t bytes[1000000];
    struct buffer head = {0};
    int fd = dial(f);

    assert_int_equal(buffer_printf(&head,
                                   "POST /late HTTP/1.1\r\nHost: h\r\n%s"
                                   "Content-Length: 1000000\r\n\r\n",
                                   authorization),
                     ERR_NONE);
    say_bytes(fd, head.data, head.size);
    buffer_clear(&head);
    if (size > 0) /* it may be refused in between */
        (void)!send(fd, bytes, size, MSG_NOSIGNAL);
    return fd;
}

static uint64_t held_by(const struct fixture *f, bool authenticated)
{
    struct http_figures figures;

    http_server_figures(f->server, &figures);
    return authenticated ? figures.held_by_authenticated : figures.held_by_strangers;
}

static void await_held(const struct fixture *f, bool authenticated, uint64_t least, uint64_t most)
{
    for (int i = 0; i < WAIT_MS; i++) {
        uint64_t held = held_by(f, authenticated);

        if (held >= least && held <= most)
            return;
        (void)poll(NULL, 0, 1);
    }
    fail_msg("%llu bytes are held", (unsigned long long)held_by(f, authenticated));
}

static void an_announcement_takes_no_memory_from_others(void **state)
{
    enum { COUNT = 50 };
    struct fixture f;
    struct http_task tasks[LATE_MAX];
    int announced[COUNT];
    int fd;

    (void)state;
    fixture_init(&f);
    f.options.loops = 1;
    f.options.memory_max = 12u << 20;
    fixture_start(&f);
    for (size_t i = 0; i < COUNT; i++)
        announced[i] = begin_body(&f, "", 0);
    fd = begin_body(&f, "", 1000000);
    await(&f.late_count, 1);
    answer_all_late(&f, tasks);
    await(&f.tasks_run, 1);
    for (size_t i = 0; i < COUNT; i++)
        close(announced[i]);
    close(fd);
    fixture_stop(&f);
}

/* Strangers have a share of their own pot; authenticated callers have another pot. */
static void memory_is_shared_by_held_bytes(void **state)
{
    struct fixture f;
    struct http_task tasks[LATE_MAX];
    int stranger;
    int a, b, refused;

    (void)state;
    fixture_init(&f);
    f.options.loops = 1;
    f.options.request_timeout_ms = 3000;
    f.options.memory_max = 4u << 20; /* 1 MiB for strangers: one address gets half */
    fixture_start(&f);
    stranger = begin_body(&f, "", 200000);
    await_held(&f, false, 200000, 512 * 1024);
    refused = begin_body(&f, "", 600000);
    assert_answer_status(refused, 503);
    close(refused);
    a = begin_body(&f, "Authorization: a\r\n", 1000000); /* 3 MiB: one of them gets half */
    await(&f.late_count, 1);
    await_held(&f, true, 1000000, 1536 * 1024);
    refused = begin_body(&f, "Authorization: a\r\n", 999999);
    assert_answer_status(refused, 503);
    close(refused);
    b = begin_body(&f, "Authorization: b\r\n", 400000); /* another owner still finds room */
    await_held(&f, true, 1400000, 3u << 20);
    close(b);
    await_held(&f, true, 1000000, 1100000);
    close(stranger);
    await_held(&f, false, 0, 0);
    assert_answer_status(a, 503); /* the request is still with the handler, and so is its memory */
    assert_int_equal(atomic_load(&f.gone_count), 1);
    close(a);
    await_held(&f, true, 1000000, 1100000);
    answer_all_late(&f, tasks);
    await(&f.tasks_run, 1);
    await_held(&f, true, 0, 0);
    fixture_stop(&f);
}

/* A reply that the peer does not read is held, too. */
static void replies_that_wait_are_counted(void **state)
{
    struct fixture f;
    int fd;

    (void)state;
    fixture_init(&f);
    f.options.memory_max = 64u << 20;
    fixture_start(&f);
    fd = dial(&f);
    say(fd, GET("/large?size=8000000"));
    await_held(&f, false, 1000000, 8u << 20);
    close(fd);
    await_held(&f, false, 0, 0);
    fd = dial(&f);
    say(fd, GET("/secret?size=8000000"));
    await_held(&f, false, 1000000, 9u << 20);
    close(fd);
    await_held(&f, false, 0, 0);
    fd = dial(&f);
    say(fd, GET("/large?size=40000000")); /* more than a stranger may hold */
    await_open(&f, 0);
    close(fd);
    fixture_stop(&f);
}

static void a_released_request_is_not_held(void **state)
{
    struct fixture f;
    struct http_task tasks[LATE_MAX];
    int fd;

    (void)state;
    fixture_init(&f);
    f.options.loops = 1;
    fixture_start(&f);
    fd = begin_body(&f, "", 1000000);
    await(&f.late_count, 1);
    await_held(&f, false, 1000000, 1100000);
    http_exchange_release(f.late[0]);
    assert_int_equal(held_by(&f, false), 0);
    assert_int_equal(http_exchange_request(f.late[0])->body.size, 0);
    assert_int_equal(http_exchange_request(f.late[0])->header_count, 0);
    answer_all_late(&f, tasks);
    assert_answer_status(fd, 200);
    close(fd);
    fixture_stop(&f);
}

static void large_bodies_pass_in_both_directions(void **state)
{
    enum { SIZE = 1 << 20 };
    struct fixture f;
    struct answer a;
    uint8_t *body = malloc(SIZE);
    int fd;

    (void)state;
    assert_non_null(body);
    fill(body, SIZE);
    fixture_init(&f);
    fixture_start(&f);
    fd = dial(&f);
    for (int i = 0; i < 2; i++) {
        say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n");
        say_bytes(fd, body, SIZE);
        hear(fd, &a);
        assert_filled(&a, SIZE);
        buffer_clear(&a.body);
    }
    free(body);
    close(fd);
    fixture_stop(&f);
}

static void slow_readers_get_all_of_a_large_reply(void **state)
{
    enum { SIZE = 8000000 };
    static const char *const paths[] = {"/large", "/secret"};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        char request[128];
        struct answer a;
        int fd = dial(&f);

        (void)snprintf(request, sizeof request,
                       "GET %s?size=%d HTTP/1.1\r\nHost: h\r\n\r\n" GET("/target"), paths[i], SIZE);
        say(fd, request);
        hear(fd, &a); /* the head byte by byte, then the body: slower than the server writes */
        assert_filled(&a, SIZE);
        assert_answer(fd, 200, "/target"); /* it waited behind the large one */
        buffer_clear(&a.body);
        close(fd);
    }
    fixture_stop(&f);
}

static void secrets_arrive_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 32, 4000, 5000, 16000, 16384, 16385, 100000};
    struct fixture f;
    int fd;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    fd = dial(&f);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char request[128];
        struct answer a;

        (void)snprintf(request, sizeof request, "GET /secret?size=%zu HTTP/1.1\r\nHost: h\r\n\r\n",
                       sizes[i]);
        say(fd, request);
        hear(fd, &a);
        assert_filled(&a, sizes[i]);
        buffer_clear(&a.body);
    }
    close(fd);
    fixture_stop(&f);
}

/* Late answers */

static void answer_late(void *argument)
{
    struct http_exchange *x = argument;
    struct fixture *f = http_exchange_state(x);
    struct http_reply reply = {.status = 200, .content_type = "text/plain"};

    reply.body = http_exchange_request(x)->body;
    http_exchange_reply(x, &reply);
    atomic_fetch_add(&f->tasks_run, 1);
}

/* Answers all exchanges of /late with one posted list; the server has one loop. */
static void answer_all_late(struct fixture *f, struct http_task *tasks)
{
    unsigned count = atomic_load(&f->late_count);

    for (unsigned i = 0; i < count; i++)
        tasks[i] =
            (struct http_task){i + 1 < count ? &tasks[i + 1] : NULL, answer_late, f->late[i]};
    http_server_post_list(f->server, 0, &tasks[0], &tasks[count - 1]);
}

static void answers_may_come_late_from_another_thread(void **state)
{
    struct fixture f;
    struct http_task tasks[LATE_MAX];
    int fds[LATE_MAX];
    char text[2] = "a";

    (void)state;
    fixture_init(&f);
    f.options.loops = 1;
    fixture_start(&f);
    for (size_t i = 0; i < LATE_MAX; i++) {
        fds[i] = dial(&f);
        say(fds[i], "POST /late HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n");
        text[0] = (char)('a' + i);
        say(fds[i], text);
        say(fds[i], GET("/target")); /* waits its turn */
        await(&f.late_count, (unsigned)i + 1);
    }
    answer_all_late(&f, tasks);
    for (size_t i = 0; i < LATE_MAX; i++) {
        text[0] = (char)('a' + i);
        assert_answer(fds[i], 200, text);
        assert_answer(fds[i], 200, "/target");
        close(fds[i]);
    }
    fixture_stop(&f);
}

static void a_peer_that_left_is_no_harm_to_a_late_answer(void **state)
{
    const struct linger reset = {1, 0};
    struct fixture f;
    struct http_task tasks[LATE_MAX];

    (void)state;
    fixture_init(&f);
    f.options.loops = 1;
    f.options.request_timeout_ms = 50; /* this one ends the connection under the exchange */
    fixture_start(&f);
    for (unsigned i = 0; i < 4; i++) {
        int fd = dial(&f);

        say(fd, POST("/late", "2", "hi"));
        await(&f.late_count, i + 1);
        if (i % 2 == 0)
            assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
        close(fd);
    }
    await_open(&f, 0);
    answer_all_late(&f, tasks);
    await(&f.tasks_run, 4);
    fixture_stop(&f);
}

struct poster {
    struct fixture *f;
    struct http_task tasks[200];
};

static void count_task(void *argument)
{
    atomic_fetch_add(&((struct fixture *)argument)->tasks_run, 1);
}

static void *post_tasks(void *argument)
{
    struct poster *p = argument;

    for (unsigned i = 0; i < COUNT_OF(p->tasks); i++) {
        p->tasks[i] = (struct http_task){NULL, count_task, p->f};
        http_server_post(p->f->server, i % 2, &p->tasks[i]);
    }
    return NULL;
}

static void many_threads_may_post(void **state)
{
    enum { THREADS = 4 };
    static struct poster posters[THREADS];
    pthread_t threads[THREADS];
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    for (size_t i = 0; i < THREADS; i++) {
        posters[i].f = &f;
        assert_int_equal(pthread_create(&threads[i], NULL, post_tasks, &posters[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    /* what is posted is run, at the latest when the server stops */
    http_server_stop(&f.server, 0);
    assert_int_equal(atomic_load(&f.tasks_run), THREADS * COUNT_OF(posters[0].tasks));
    fixture_stop(&f);
}

/* Deadlines and caps */

static void deadlines_are_total(void **state)
{
    struct fixture f;
    struct answer a;
    int64_t begun;
    int fd;

    (void)state;
    fixture_init(&f);
    f.options.head_timeout_ms = 150;
    fixture_start(&f);
    fd = dial(&f);
    begun = clock_monotonic_us();
    /* a byte every 10 ms is activity, but does not extend the deadline */
    say(fd, "GET / HTTP/1.1\r\nHost: ");
    for (struct pollfd p = {fd, POLLIN, 0}; poll(&p, 1, 10) == 0;) {
        assert_true(clock_monotonic_us() - begun < (int64_t)WAIT_MS * 1000);
        (void)!send(fd, "h", 1, MSG_NOSIGNAL);
    }
    hear(fd, &a);
    assert_int_equal(a.status, 408);
    assert_string_equal(f.refused_code, "head_timeout");
    buffer_clear(&a.body);
    assert_ended(fd);
    close(fd);
    fixture_stop(&f);
}

static void each_phase_has_its_deadline(void **state)
{
    static const struct {
        const char *request;
        unsigned status; /* 0: closed without an answer */
    } cases[] = {
        {"",                                                                0  },
        {"GET / HT",                                                        408},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell", 408},
        {GET("/late"),                                                      503},
    };
    struct fixture f;
    struct http_task tasks[LATE_MAX];
    struct http_figures figures;

    (void)state;
    fixture_init(&f);
    f.options.loops = 1;
    f.options.head_timeout_ms = 500; /* more than a busy machine needs between dial() and say() */
    f.options.request_timeout_ms = 800;
    f.options.idle_timeout_ms = WAIT_MS * 2; /* only after a request */
    fixture_start(&f);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct answer a;
        int fd = dial(&f);

        say(fd, cases[i].request);
        hear(fd, &a);
        assert_int_equal(a.closed, cases[i].status == 0);
        assert_int_equal(a.status, cases[i].status);
        assert_ended(fd);
        buffer_clear(&a.body);
        close(fd);
    }
    http_server_figures(f.server, &figures);
    assert_int_equal(figures.timeouts, 3);
    answer_all_late(&f, tasks); /* too late, and dropped */
    await(&f.tasks_run, 1);
    fixture_stop(&f);
}

static void a_peer_that_does_not_read_is_left(void **state)
{
    struct fixture f;
    int fd;

    (void)state;
    fixture_init(&f);
    f.options.request_timeout_ms = 100;
    fixture_start(&f);
    fd = dial(&f);
    say(fd, GET("/secret?size=16000000"));
    await_connections(&f, 1, 0);
    close(fd);
    fixture_stop(&f);
}

static void caps_hold(void **state)
{
    static const struct {
        unsigned in_all, per_address;
    } cases[] = {
        {8, 3},
        {3, 0},
    };
    static const char known[] = "GET /target HTTP/1.1\r\nHost: h\r\nAuthorization: %c\r\n\r\n";
    char request[100];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;
        struct http_figures figures;
        int fds[3];
        int one_more;

        fixture_init(&f);
        f.options.connections_max = cases[i].in_all;
        f.options.connections_per_address = cases[i].per_address;
        fixture_start(&f);
        for (size_t j = 0; j < COUNT_OF(fds); j++) {
            fds[j] = dial(&f);
            (void)snprintf(request, sizeof request, known,
                           (char)('a' + j)); /* each has its place */
            say(fds[j], request);
            assert_answer(fds[j], 200, "/target");
        }
        one_more = dial(&f);
        assert_ended(one_more);
        close(one_more);
        http_server_figures(f.server, &figures);
        assert_int_equal(figures.refused_connections, 1);
        close(fds[0]);
        await_open(&f, 2);
        fds[0] = dial(&f); /* its place is free again */
        say(fds[0], GET("/target"));
        assert_answer(fds[0], 200, "/target");
        for (size_t j = 0; j < COUNT_OF(fds); j++)
            close(fds[j]);
        fixture_stop(&f);
    }
}

/* The oldest connection of a stranger is closed; those of authenticated callers stay. */
static void strangers_give_way_when_all_places_are_taken(void **state)
{
    enum { PLACES = 8, NEWCOMERS = 20 };
    static const char known[] = "GET /target HTTP/1.1\r\nHost: h\r\nAuthorization: %c\r\n\r\n";
    struct fixture f;
    struct http_figures figures;
    char request[100];
    int kept[2];
    int silent[PLACES];
    int newcomers[NEWCOMERS];

    (void)state;
    fixture_init(&f);
    f.options.loops = 1;
    f.options.connections_max = PLACES;
    fixture_start(&f);
    for (int i = 0; i < 2; i++) {
        kept[i] = dial(&f);
        (void)snprintf(request, sizeof request, known, 'a' + i);
        say(kept[i], request);
        assert_answer(kept[i], 200, "/target");
    }
    for (int i = 0; i < PLACES - 2; i++)
        silent[i] = dial(&f);
    await_connections(&f, PLACES, PLACES);
    for (int i = 0; i < NEWCOMERS; i++) {
        newcomers[i] = dial(&f);
        say(newcomers[i], GET("/target"));
        assert_answer(newcomers[i], 200, "/target");
    }
    for (int i = 0; i < PLACES - 2; i++) {
        assert_ended(silent[i]);
        close(silent[i]);
    }
    say(newcomers[NEWCOMERS - 1], GET("/target"));
    assert_answer(newcomers[NEWCOMERS - 1], 200, "/target");
    for (int i = 0; i < 2; i++) {
        (void)snprintf(request, sizeof request, known, 'a' + i);
        say(kept[i], request);
        assert_answer(kept[i], 200, "/target");
    }
    http_server_figures(f.server, &figures);
    assert_int_equal(figures.evicted, NEWCOMERS);
    assert_int_equal(figures.refused_connections, 0);
    /* one owner has its share of places (1 + 8 / 4); beyond it, its connections are closed, too */
    for (int i = 0; i < PLACES; i++) {
        int fd = newcomers[i];

        close(fd);
        newcomers[i] = dial(&f);
        (void)snprintf(request, sizeof request, known, 'a');
        say(newcomers[i], request);
        assert_answer(newcomers[i], 200, "/target");
    }
    silent[0] = dial(&f);
    say(silent[0], GET("/target"));
    assert_answer(silent[0], 200, "/target");
    close(silent[0]);
    for (int i = 0; i < NEWCOMERS; i++)
        close(newcomers[i]);
    close(kept[0]);
    close(kept[1]);
    fixture_stop(&f);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

/* Sockets opened before, and a second listener that answers when all places are taken. */
static void the_second_listener_has_places_of_its_own(void **state)
{
    struct fixture f;
    uint16_t admin_port;
    int public_socket = -1;
    int admin_socket = -1;
    int fds[3];
    int fd;

    (void)state;
    fixture_init(&f);
    assert_int_equal(listener_open("127.0.0.1:0", &public_socket), ERR_NONE);
    assert_int_equal(listener_open("127.0.0.1:0", &admin_socket), ERR_NONE);
    admin_port = port_of(admin_socket);
    f.options.sockets = &public_socket;
    f.options.socket_count = 1;
    f.options.admin_socket = &admin_socket;
    f.options.admin_plain = true;
    f.options.connections_max = 3;
    fixture_start_tls(&f); /* of the public listener */
    assert_true(http_server_port(f.server) != 0 && http_server_port(f.server) != admin_port);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = dial(&f);
    await_connections(&f, 3, 3);
    fd = dial_port(admin_port);
    assert_true(fd >= 0);
    say(fd, GET("/admin"));
    assert_answer(fd, 200, "admin");
    await_connections(&f, 4, 4); /* none of the others was closed */
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
    await_open(&f, 1);
    say(fd, GET("/admin"));
    assert_answer(fd, 200, "admin");
    close(fd);
    await_open(&f, 0);
    fixture_stop(&f);
    assert_int_equal(dial_port(admin_port), -1);
}

/* In a separate process, because a lowered limit stays. */
static _Noreturn void serve_with_few_descriptors(void)
{
    const struct rlimit few = {150, 150};
    struct fixture f;
    struct http_figures figures;
    int fds[100];
    int fd;

    fixture_init(&f);
    f.options.connections_max = 10000;
    if (setrlimit(RLIMIT_NOFILE, &few) != 0)
        _exit(10);
    fixture_start(&f);
    http_server_figures(f.server, &figures);
    if (figures.connections_max == 0 || figures.connections_max > 150 - 64)
        _exit(11);
    /* both ends are in this process: the server's limit is not reached, and nothing is shed */
    for (int i = 0; i < 20; i++)
        fds[i] = dial(&f);
    fd = dial(&f);
    say(fd, GET("/target"));
    assert_answer(fd, 200, "/target");
    for (int i = 0; i < 20; i++)
        close(fds[i]);
    close(fd);
    fixture_stop(&f);
    _exit(0);
}

static void places_are_as_many_as_descriptors_allow(void **state)
{
    pid_t child = fork_bounded();
    int status = 0;

    (void)state;
    if (child == 0)
        serve_with_few_descriptors();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        close(fd);
    return bound;
}

/* A peer is counted and named in the same way for both kinds of socket. */
static void peers_over_ipv6(void **state)
{
    static const struct {
        const char *host;
        int (*dial)(uint16_t port);
        const char *peer;
        uint8_t key[16];
    } cases[] = {
        {"::1", dial_port_v6, "::1",       {0}                                             }, /* the first half of it */
        {"::",  dial_port_v6, "::1",       {0}                                             },
        {"::",  dial_port,    "127.0.0.1", {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}},
    };

    (void)state;
    if (!has_ipv6()) {
        print_message("SKIPPED: no IPv6 here\n");
        skip();
    }
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;
        struct answer a;
        int first;
        int second;

        fixture_init(&f);
        f.peer = cases[i].peer;
        f.options.host = cases[i].host;
        f.options.connections_per_address = 1;
        fixture_start(&f);
        first = cases[i].dial(http_server_port(f.server));
        assert_true(first >= 0);
        say(first, GET("/peer"));
        assert_answer(first, 200, cases[i].peer);
        say(first, GET("/peer-key"));
        hear(first, &a);
        assert_true(span_equal(buffer_span(&a.body), SPAN_OF(cases[i].key)));
        buffer_clear(&a.body);
        second = cases[i].dial(http_server_port(f.server));
        assert_true(second >= 0);
        assert_ended(second); /* one too many */
        close(second);
        say(first, "GET / HTTP/1.1\r\n\r\n"); /* refused, and the handler is told by whom */
        await(&f.refused_count, 1);
        close(first);
        fixture_stop(&f);
    }
}

static void a_drained_server_answers_begun_requests(void **state)
{
    struct fixture f;
    struct http_task tasks[LATE_MAX];
    int idle;
    int busy;

    (void)state;
    fixture_init(&f);
    f.options.loops = 1;
    fixture_start(&f);
    idle = dial(&f);
    say(idle, GET("/target"));
    assert_answer(idle, 200, "/target");
    busy = dial(&f);
    say(busy, POST("/late", "2", "hi"));
    await(&f.late_count, 1);
    http_server_drain(f.server, 20); /* not answered in time: the exchange is still alive */
    assert_ended(idle);
    assert_int_equal(dial_port(http_server_port(f.server)), -1);
    answer_all_late(&f, tasks);
    assert_answer(busy, 200, "hi");
    assert_ended(busy);
    close(idle);
    close(busy);
    fixture_stop(&f);
}

static void unanswered_requests_do_not_outlive_the_server(void **state)
{
    struct fixture f;
    int fd;

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    fd = dial(&f);
    say(fd, GET("/late"));
    await(&f.late_count, 1);
    http_server_stop(&f.server, 10);
    assert_ended(fd);
    close(fd);
    fixture_stop(&f);
}

static void a_taken_port_is_an_error(void **state)
{
    struct fixture f;
    struct fixture second;
    const struct http_handler handler = {admit,   handle, gone, handshake,
                                         refused, NULL,   NULL, &second};

    (void)state;
    fixture_init(&f);
    fixture_start(&f);
    fixture_init(&second);
    second.options.port = http_server_port(f.server);
    assert_int_equal(http_server_start(&second.options, &handler, &second.server), ERR_IO);
    second.options.port = 0;
    second.options.host = "localhost"; /* not numeric */
    assert_int_equal(http_server_start(&second.options, &handler, &second.server), ERR_IO);
    second.options.host = "127.0.0.1";
    second.options.loops = 0;
    assert_int_equal(http_server_start(&second.options, &handler, &second.server), ERR_CONFIG);
    second.options.loops = HTTP_LOOPS_MAX + 1;
    assert_int_equal(http_server_start(&second.options, &handler, &second.server), ERR_CONFIG);
    fixture_stop(&f);
}

/* At an address that no other program here uses, so no other program takes the port in between. */
static void a_port_that_is_named_is_taken(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    struct fixture f;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    fixture_init(&f);
    f.options.host = "127.41.7.3";
    assert_int_equal(inet_pton(AF_INET, f.options.host, &address.sin_addr), 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    f.options.port = ntohs(address.sin_port);
    fixture_start(&f);
    assert_int_equal(http_server_port(f.server), f.options.port);
    fixture_stop(&f);
}

/* Many connections */

static size_t resident_size(void)
{
    unsigned long total = 0;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &total, &resident), 2);
    (void)fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static bool raise_limit(rlim_t needed)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < needed)
        return false;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

/* A child ends with its parent, and by itself when it takes too long. */
static pid_t fork_bounded(void)
{
    pid_t parent = getpid();
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(TEST_MAX_S);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
            _exit(1);
    }
    return child;
}

/* A process of its own, since its descriptors count as well: opens `count` connections, says so,
 * and holds them until its end of the pipe is closed. */
static void hold_connections(int control, unsigned count)
{
    uint16_t port;
    char done = 1;

    if (!raise_limit(count + 100) || read(control, &port, sizeof port) != sizeof port)
        _exit(1);
    for (unsigned i = 0; i < count; i++)
        if (dial_port(port) < 0)
            _exit(1);
    (void)!write(control, &done, 1);
    (void)!read(control, &done, 1);
    _exit(0);
}

static void ten_thousand_idle_connections(void **state)
{
    enum { COUNT = 10000, EACH_MAX_SIZE = 2048 };
    struct fixture f;
    int ends[2];
    uint16_t port;
    char done;
    size_t before;
    pid_t child;
    int fd;

    (void)state;
    if (RUNNING_ON_VALGRIND || !raise_limit(COUNT + 1000)) {
        print_message("SKIPPED: the limit of open files is too low, or valgrind too slow\n");
        skip();
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    child = fork_bounded();
    if (child == 0) {
        close(ends[0]);
        hold_connections(ends[1], COUNT);
    }
    close(ends[1]);
    fixture_init(&f);
    f.options.connections_max = COUNT + 10;
    f.options.head_timeout_ms = /* the first must outlast the making of the last */
        TEST_MAX_S * 1000;
    fixture_start(&f);
    fd = dial(&f);
    say(fd, GET("/target"));
    assert_answer(fd, 200, "/target");
    before = resident_size();
    port = http_server_port(f.server);
    assert_int_equal(write(ends[0], &port, sizeof port), sizeof port);
    assert_int_equal(read(ends[0], &done, 1), 1);
    await_open(&f, COUNT + 1);
    print_message("%d idle connections: %zu bytes each\n", COUNT,
                  (resident_size() - before) / COUNT);
    assert_true(!SIZES_ARE_REAL || resident_size() - before < (size_t)COUNT * EACH_MAX_SIZE);
    for (int i = 0; i < 100; i++) {
        say(fd, POST("/echo", "5", "hello"));
        assert_answer(fd, 200, "hello");
    }
    close(fd);
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    await_open(&f, 0);
    fixture_stop(&f);
}

static void without_descriptors_connections_are_shed(void **state)
{
    struct fixture f;
    struct rlimit limit;
    struct rlimit low;
    struct http_figures figures = {0};
    int fd;
    int waiting[4];
    int probe;

    (void)state;
    fixture_init(&f);
    f.options.loops = 1;
    fixture_start(&f);
    fd = dial(&f);
    say(fd, GET("/target"));
    assert_answer(fd, 200, "/target");
    for (size_t i = 0; i < COUNT_OF(waiting); i++) /* made while there are descriptors */
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    probe = dup(fd);
    assert_true(probe >= 0);
    close(probe);
    low = (struct rlimit){(rlim_t)probe, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (size_t i = 0; i < COUNT_OF(waiting); i++) {
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(http_server_port(f.server))};

        (void)inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
        assert_int_equal(connect(waiting[i], (struct sockaddr *)&to, sizeof to), 0);
        assert_ended(waiting[i]);
    }
    say(fd, GET("/target")); /* a connected client is served */
    assert_answer(fd, 200, "/target");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    http_server_figures(f.server, &figures);
    assert_true(figures.refused_connections >= 1);
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        close(waiting[i]);
    waiting[0] = dial(&f); /* and later all are */
    say(waiting[0], GET("/target"));
    assert_answer(waiting[0], 200, "/target");
    close(waiting[0]);
    close(fd);
    fixture_stop(&f);
}

/* TLS */

static void fixture_start_tls(struct fixture *f)
{
    certificate_server(&f->tls, &f->pem);
    fixture_start(f);
}

static ssize_t from_tls(void *source, void *out, size_t size)
{
    return SSL_read(source, out, (int)size);
}

/* NULL when the handshake fails. */
static SSL *tls_dial(const struct fixture *f, SSL_CTX *context)
{
    SSL *ssl = SSL_new(context);

    assert_non_null(ssl);
    assert_int_equal(SSL_set_fd(ssl, dial(f)), 1);
    if (SSL_connect(ssl) == 1)
        return ssl;
    close(SSL_get_fd(ssl));
    SSL_free(ssl);
    return NULL;
}

static void tls_hang_up(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);

    (void)SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

static void tls_say(SSL *ssl, const void *bytes, size_t size)
{
    assert_int_equal(SSL_write(ssl, bytes, (int)size), (int)size);
}

static void tls_assert_filled(SSL *ssl, const char *path, size_t size)
{
    struct answer a;
    char request[128];

    (void)snprintf(request, sizeof request, "GET %s?size=%zu HTTP/1.1\r\nHost: h\r\n\r\n", path,
                   size);
    tls_say(ssl, request, strlen(request));
    hear_from(from_tls, ssl, false, &a);
    assert_int_equal(a.status, 200);
    assert_filled(&a, size);
    buffer_clear(&a.body);
}

static void tls_serves_like_plain(void **state)
{
    static const size_t sizes[] = {0, 1, 5000, 16000, 16384, 16385, 40000, 3000000};
    static const char pipelined[] = GET("/target") POST("/echo", "2", "hi") GET("/target");
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct fixture f;
    struct answer a;
    struct http_figures figures;
    SSL *ssl;

    (void)state;
    fixture_init(&f);
    fixture_start_tls(&f);
    ssl = tls_dial(&f, context);
    assert_non_null(ssl);
    assert_string_equal(SSL_get_version(ssl), "TLSv1.3");
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        tls_assert_filled(ssl, "/secret", sizes[i]);
        tls_assert_filled(ssl, "/large", sizes[i]);
    }
    tls_say(ssl, pipelined, sizeof pipelined - 1);
    for (int i = 0; i < 3; i++) {
        hear_from(from_tls, ssl, false, &a);
        assert_true(span_equal_string(buffer_span(&a.body), i == 1 ? "hi" : "/target"));
        buffer_clear(&a.body);
    }
    for (size_t i = 0; i < sizeof pipelined - 1; i++) /* a record for each byte */
        tls_say(ssl, pipelined + i, 1);
    for (int i = 0; i < 3; i++) {
        hear_from(from_tls, ssl, false, &a);
        assert_int_equal(a.status, 200);
        buffer_clear(&a.body);
    }
    tls_hang_up(ssl);
    await_open(&f, 0);
    http_server_figures(f.server, &figures);
    assert_int_equal(figures.tls_handshakes, 1);
    assert_int_equal(figures.tls_failures, 0);
    SSL_CTX_free(context);
    fixture_stop(&f);
}

/* How many of `count` KeyUpdates could be sent before the server ended the connection. */
static int tls_update_keys(SSL *ssl, int kind, int count)
{
    int sent = 0;

    while (sent < count && SSL_key_update(ssl, kind) == 1 && SSL_do_handshake(ssl) == 1)
        sent++;
    return sent;
}

static void tls_key_updates_without_data_end_the_connection(void **state)
{
    static const int kinds[] = {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED};
    static const char head[] = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct fixture f;

    (void)state;
    fixture_init(&f);
    f.options.loops = 1;
    fixture_start_tls(&f);
    (void)signal(SIGPIPE, SIG_IGN); /* the socket of the client's OpenSSL raises it */
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        SSL *ssl = tls_dial(&f, context);
        struct http_figures figures;

        assert_non_null(ssl);
        /* some are fine, as long as data comes with them */
        for (int round = 0; round < 3; round++) {
            assert_int_equal(tls_update_keys(ssl, kinds[i], 5), 5);
            tls_say(ssl, head, sizeof head - 1);
            for (int part = 0; part < 7; part++) {
                uint8_t bytes[10000] = {0};
                struct answer a;

                tls_say(ssl, bytes, sizeof bytes);
                if (part < 6)
                    continue;
                hear_from(from_tls, ssl, false, &a);
                assert_int_equal(a.status, 200);
                buffer_clear(&a.body);
            }
        }
        /* the server's end is met by SSL_read; what the client had sent until then is of no matter
         */
        (void)tls_update_keys(ssl, kinds[i], 100);
        assert_true(SSL_read(ssl, &figures, 1) <= 0);
        await_open(&f, 0);
        SSL_set_quiet_shutdown(ssl, 1);
        tls_hang_up(ssl);
    }
    SSL_CTX_free(context);
    fixture_stop(&f);
}

static void a_handshake_may_be_refused(void **state)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct fixture f;
    SSL *ssl;

    (void)state;
    fixture_init(&f);
    f.handshakes_max = 1;
    fixture_start_tls(&f);
    ssl = tls_dial(&f, context);
    assert_non_null(ssl);
    assert_null(tls_dial(&f, context));
    tls_say(ssl, GET("/empty"), strlen(GET("/empty"))); /* one for each connection */
    tls_hang_up(ssl);
    assert_int_equal(atomic_load(&f.handshakes), 2);
    SSL_CTX_free(context);
    fixture_stop(&f);
}

/* With TLS over it, so that a byte too many or too few is detected. */
static void the_proxy_protocol_stands_before_tls(void **state)
{
    static const char *const headers[] = {"PROXY TCP4 203.0.113.7 192.0.2.1 1234 443\r\n",
                                          "PROXY TCP6 2001:db8::7 2001:db8::1 1234 443\r\n",
                                          "PROXY UNKNOWN\r\n"};
    static const char *const peers[] = {"203.0.113.7", "2001:db8::7", "127.0.0.1"};
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct pollfd fds[3];
    struct network loopback;
    struct fixture f;

    (void)state;
    assert_int_equal(network_parse(SPAN_LITERAL("127.0.0.0/8"), &loopback), ERR_NONE);
    fixture_init(&f);
    f.options.proxies = &loopback;
    f.options.proxy_count = 1;
    f.options.proxy_protocol = true;
    f.options.connections_per_address = 2;
    fixture_start_tls(&f);
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        SSL *ssl = SSL_new(context);
        struct answer a;
        int fd = dial(&f);

        for (size_t at = 0; headers[i][at]; at++) {
            say_bytes(fd, &headers[i][at], 1);
            if (at % 9 == 0)
                (void)poll(NULL, 0, 2);
        }
        assert_int_equal(SSL_set_fd(ssl, fd), 1);
        assert_int_equal(SSL_connect(ssl), 1);
        tls_say(ssl, GET("/peer"), strlen(GET("/peer")));
        hear_from(from_tls, ssl, false, &a);
        assert_int_equal(a.status, 200);
        assert_true(span_equal_string(buffer_span(&a.body), peers[i]));
        buffer_clear(&a.body);
        tls_hang_up(ssl);
    }
    assert_null(tls_dial(&f, context)); /* without the header */
    /* Of one client two connections are allowed. Several loops read the headers, so any may be the
     * one too many. */
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = (struct pollfd){.fd = dial(&f), .events = POLLIN};
        say(fds[i].fd, headers[0]);
    }
    assert_true(poll(fds, COUNT_OF(fds), WAIT_MS) > 0);
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        if (fds[i].revents)
            assert_ended(fds[i].fd);
        close(fds[i].fd);
    }
    SSL_CTX_free(context);
    fixture_stop(&f);
}

static void trusted_proxies_name_the_client(void **state)
{
    static const struct {
        const char *network, *headers, *peer;
    } cases[] = {
        {"127.0.0.1",    "",                                                                 "127.0.0.1"  },
        {"127.0.0.1",    "X-Forwarded-For: 203.0.113.7\r\n",                                 "203.0.113.7"},
        {"127.0.0.1",    "X-Forwarded-For: 198.51.100.9, 203.0.113.7\r\n",                   "203.0.113.7"},
        {"127.0.0.1",    "x-forwarded-for: 203.0.113.7\r\nX-Forwarded-For: 127.0.0.1\r\n",
         "203.0.113.7"                                                                                    },
        {"127.0.0.1",    "X-Forwarded-For: 203.0.113.8\r\nX-Forwarded-For: 203.0.113.7\r\n",
         "203.0.113.7"                                                                                    },
        {"127.0.0.1",    "X-Forwarded-For: nonsense\r\n",                                    "127.0.0.1"  },
        {"192.0.2.0/24", "X-Forwarded-For: 203.0.113.7\r\n",                                 "127.0.0.1"  },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct network network;
        struct fixture f;
        char request[200];
        int fd;

        assert_int_equal(network_parse(span_string(cases[i].network), &network), ERR_NONE);
        fixture_init(&f);
        f.options.proxies = &network;
        f.options.proxy_count = 1;
        fixture_start(&f);
        fd = dial(&f);
        (void)snprintf(request, sizeof request, "GET /peer HTTP/1.1\r\nHost: h\r\n%s\r\n",
                       cases[i].headers);
        say(fd, request);
        assert_answer(fd, 200, cases[i].peer);
        close(fd);
        fixture_stop(&f);
    }
}

static void tls_takes_large_bodies_and_late_answers(void **state)
{
    enum { SIZE = 1 << 20 };
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    uint8_t *body = malloc(SIZE);
    struct http_task tasks[LATE_MAX];
    struct fixture f;
    struct answer a;
    SSL *ssl;

    (void)state;
    assert_non_null(body);
    fill(body, SIZE);
    fixture_init(&f);
    f.options.loops = 1;
    fixture_start_tls(&f);
    ssl = tls_dial(&f, context);
    assert_non_null(ssl);
    tls_say(ssl, "POST /late HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n", 57);
    tls_say(ssl, body, SIZE);
    await(&f.late_count, 1);
    tls_say(ssl, GET("/target"), strlen(GET("/target")));
    answer_all_late(&f, tasks);
    hear_from(from_tls, ssl, false, &a);
    assert_filled(&a, SIZE);
    buffer_clear(&a.body);
    hear_from(from_tls, ssl, false, &a);
    assert_true(span_equal_string(buffer_span(&a.body), "/target"));
    buffer_clear(&a.body);
    tls_hang_up(ssl);
    free(body);
    SSL_CTX_free(context);
    fixture_stop(&f);
}

static void tls_refuses_older_versions_and_plain_text(void **state)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct fixture f;
    struct http_figures figures;
    char bytes[64];
    int fd;

    (void)state;
    fixture_init(&f);
    f.options.handshake_timeout_ms = 100;
    fixture_start_tls(&f);
    assert_int_equal(SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION), 1);
    assert_null(tls_dial(&f, context));
    fd = dial(&f);
    say(fd, GET("/target"));
    while (recv(fd, bytes, sizeof bytes, 0) > 0) /* an alert, but no answer */
        assert_null(memmem(bytes, sizeof bytes, "HTTP", 4));
    close(fd);
    await_tls_failures(&f, 2);
    http_server_figures(f.server, &figures);
    assert_int_equal(figures.requests, 0);
    fd = dial(&f);
    say(fd, "\x16\x03\x01"); /* a handshake that never goes on */
    assert_ended(fd);
    close(fd);
    http_server_figures(f.server, &figures);
    assert_int_equal(figures.timeouts, 1);
    SSL_CTX_free(context);
    fixture_stop(&f);
}

/* A client with a self-signed certificate, as in RA-TLS. */
static X509 *client_credentials(SSL_CTX *context)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *c = X509_new();

    assert_true(key && c && X509_set_version(c, X509_VERSION_3) == 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(c), 7), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(c), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(c), 60));
    assert_int_equal(X509_set_pubkey(c, key), 1);
    assert_true(X509_sign(c, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(context, c), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    EVP_PKEY_free(key);
    return c;
}

static void tls_assert_certificate(const struct fixture *f, SSL_CTX *context, struct span expected)
{
    SSL *ssl = tls_dial(f, context);
    struct answer a;

    assert_non_null(ssl);
    for (int i = 0; i < 2; i++) { /* every request of the connection has it */
        tls_say(ssl, GET("/certificate"), strlen(GET("/certificate")));
        hear_from(from_tls, ssl, false, &a);
        assert_int_equal(a.status, 200);
        assert_true(span_equal(buffer_span(&a.body), expected));
        buffer_clear(&a.body);
        tls_say(ssl, GET("/target"), strlen(GET("/target")));
        hear_from(from_tls, ssl, false, &a);
        buffer_clear(&a.body);
    }
    tls_hang_up(ssl);
}

static void tls_client_certificates_reach_the_handler_if_asked_for(void **state)
{
    SSL_CTX *with = SSL_CTX_new(TLS_client_method());
    SSL_CTX *without = SSL_CTX_new(TLS_client_method());
    X509 *certificate = client_credentials(with);
    uint8_t *der = NULL;
    const int size = i2d_X509(certificate, &der);

    (void)state;
    assert_true(size > 0);
    for (int asks = 0; asks < 2; asks++) {
        struct fixture f;

        fixture_init(&f);
        certificate_server(&f.tls, &f.pem);
        if (asks)
            tls_server_ask_certificate(f.tls);
        fixture_start(&f);
        tls_assert_certificate(&f, without, (struct span){0});
        tls_assert_certificate(&f, with, asks ? span_of(der, (size_t)size) : (struct span){0});
        tls_assert_certificate(&f, without, (struct span){0}); /* and none is left from before */
        fixture_stop(&f);
    }
    OPENSSL_free(der);
    X509_free(certificate);
    SSL_CTX_free(with);
    SSL_CTX_free(without);
}

static void tls_idle_connections_are_small(void **state)
{
    enum { COUNT = 1000, EACH_MAX_SIZE = 40 * 1024 };
    SSL_CTX *context;
    static SSL *streams[COUNT];
    struct fixture f;
    size_t before;
    int ends[2];
    char done;
    uint16_t port;
    pid_t child;

    (void)state;
    if (RUNNING_ON_VALGRIND || !raise_limit(COUNT + 200)) {
        print_message("SKIPPED: the limit of open files is too low, or valgrind too slow\n");
        skip();
    }
    context = SSL_CTX_new(TLS_client_method());
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    fixture_init(&f);
    f.options.connections_max = COUNT;
    f.options.idle_timeout_ms = TEST_MAX_S * 1000;
    child = fork_bounded();
    if (child == 0) { /* the clients' memory is not to be measured */
        close(ends[0]);
        if (read(ends[1], &port, sizeof port) != sizeof port)
            _exit(1);
        for (size_t i = 0; i < COUNT; i++) {
            streams[i] = SSL_new(context);
            if (SSL_set_fd(streams[i], dial_port(port)) != 1 || SSL_connect(streams[i]) != 1 ||
                SSL_write(streams[i], GET("/target"), (int)strlen(GET("/target"))) <= 0 ||
                SSL_read(streams[i], &done, 1) != 1)
                _exit(1);
        }
        (void)!write(ends[1], &done, 1);
        (void)!read(ends[1], &done, 1);
        _exit(0);
    }
    close(ends[1]);
    fixture_start_tls(&f);
    before = resident_size();
    port = http_server_port(f.server);
    assert_int_equal(write(ends[0], &port, sizeof port), sizeof port);
    assert_int_equal(read(ends[0], &done, 1), 1);
    await_open(&f, COUNT);
    print_message("%d idle TLS connections: %zu bytes each\n", COUNT,
                  (resident_size() - before) / COUNT);
    assert_true(!SIZES_ARE_REAL || resident_size() - before < (size_t)COUNT * EACH_MAX_SIZE);
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    await_open(&f, 0);
    SSL_CTX_free(context);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_serves_many_requests),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(connections_take_turns),
        cmocka_unit_test(bytes_may_come_one_at_a_time),
        cmocka_unit_test(half_closed_connection_gets_its_answer),
        cmocka_unit_test(the_connection_ends_when_asked),
        cmocka_unit_test(head_is_answered_without_a_body),
        cmocka_unit_test(continue_is_sent_only_after_admission),
        cmocka_unit_test(a_request_whose_body_comes_later_was_not_just_admitted),
        cmocka_unit_test(refused_by_the_handler_before_the_body),
        cmocka_unit_test(refused_by_the_gate),
        cmocka_unit_test(the_handler_may_word_refusals),
        cmocka_unit_test(a_refusal_reaches_a_peer_that_is_still_sending),
        cmocka_unit_test(an_announcement_takes_no_memory_from_others),
        cmocka_unit_test(memory_is_shared_by_held_bytes),
        cmocka_unit_test(replies_that_wait_are_counted),
        cmocka_unit_test(a_released_request_is_not_held),
        cmocka_unit_test(large_bodies_pass_in_both_directions),
        cmocka_unit_test(slow_readers_get_all_of_a_large_reply),
        cmocka_unit_test(secrets_arrive_whole),
        cmocka_unit_test(answers_may_come_late_from_another_thread),
        cmocka_unit_test(a_peer_that_left_is_no_harm_to_a_late_answer),
        cmocka_unit_test(many_threads_may_post),
        cmocka_unit_test(deadlines_are_total),
        cmocka_unit_test(each_phase_has_its_deadline),
        cmocka_unit_test(a_peer_that_does_not_read_is_left),
        cmocka_unit_test(caps_hold),
        cmocka_unit_test(strangers_give_way_when_all_places_are_taken),
        cmocka_unit_test(the_second_listener_has_places_of_its_own),
        cmocka_unit_test(places_are_as_many_as_descriptors_allow),
        cmocka_unit_test(peers_over_ipv6),
        cmocka_unit_test(a_drained_server_answers_begun_requests),
        cmocka_unit_test(unanswered_requests_do_not_outlive_the_server),
        cmocka_unit_test(a_taken_port_is_an_error),
        cmocka_unit_test(a_port_that_is_named_is_taken),
        cmocka_unit_test(ten_thousand_idle_connections),
        cmocka_unit_test(without_descriptors_connections_are_shed),
        cmocka_unit_test(tls_serves_like_plain),
        cmocka_unit_test(tls_key_updates_without_data_end_the_connection),
        cmocka_unit_test(a_handshake_may_be_refused),
        cmocka_unit_test(the_proxy_protocol_stands_before_tls),
        cmocka_unit_test(trusted_proxies_name_the_client),
        cmocka_unit_test(tls_takes_large_bodies_and_late_answers),
        cmocka_unit_test(tls_refuses_older_versions_and_plain_text),
        cmocka_unit_test(tls_client_certificates_reach_the_handler_if_asked_for),
        cmocka_unit_test(tls_idle_connections_are_small),
    };

    (void)alarm(TEST_MAX_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
