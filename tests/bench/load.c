/*
 * A small load generator: many keep-alive connections, one request at a time on each, every reply
 * checked.
 *
 *   load --port P --cases FILE [--host A] [--connections N] [--requests N] [--tls] [--acks FILE]
 * [--until-failure]
 *
 * FILE has one case a line, tab-separated: bearer token, session (or "-"), JSON body, what is
 * expected, reply key of the session in hex (or "-"). With a key the reply must be sealed and open
 * to exactly what is expected; without one it must contain it. Connection i works on case i modulo
 * their number. --acks appends the request id of each good reply, one write each, so that they
 * survive whatever happens next.
 * --until-failure: a connection that breaks ends the run quietly (the server was killed on
 * purpose). Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/aead.h"

enum { REPLY_MAX = 65536, LINE_MAX_SIZE = 65536, CASES_MAX = 4096, EVENTS = 256 };
enum { REQUEST_ID_SIZE = 36 };

#define REPLY_DOMAIN "vouchsafe-reply-v2" /* with its NUL */

struct test_case {
    char *request;
    size_t request_size;
    char *expected;
    bool sealed;
    unsigned char key[AEAD_KEY_SIZE];
    unsigned char body_hash[SHA256_DIGEST_LENGTH];
};

struct connection {
    int fd;
    SSL *ssl;
    const struct test_case *work;
    size_t sent, got;
    uint64_t began_us;
    char reply[REPLY_MAX];
};

struct run {
    const char *host;
    int port;
    long connections, requests;
    bool tls, until_failure;
    int acks;
    struct test_case cases[CASES_MAX];
    size_t case_count;
    SSL_CTX *context;
    uint32_t *latencies_us;
    long started, finished, wrong, broken;
    bool stop;
};

static uint64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(2);
}

static char *field(char **line)
{
    char *start = *line;
    char *end = strpbrk(start, "\t\n");

    if (!end)
        die("case file: five fields a line");
    *end = '\0';
    *line = end + 1;
    return start;
}

static void read_key(struct test_case *c, const char *hex)
{
    c->sealed = strcmp(hex, "-") != 0;
    if (c->sealed && hex_read(span_string(hex), c->key, sizeof c->key) != ERR_NONE)
        die("case file: a reply key is 64 hex digits");
}

static void add_case(struct run *r, char *line)
{
    struct test_case *c = &r->cases[r->case_count++];
    const char *token = field(&line);
    const char *session = field(&line);
    const char *body = field(&line);
    bool has_session = strcmp(session, "-") != 0;
    int size;

    c->expected = strdup(field(&line));
    read_key(c, field(&line));
    (void)SHA256((const unsigned char *)body, strlen(body), c->body_hash);
    size = asprintf(&c->request,
                    "POST /decrypt HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n%s%s%s"
                    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                    r->host, token, has_session ? "X-TEE-Session: " : "",
                    has_session ? session : "", has_session ? "\r\n" : "", strlen(body), body);
    if (size < 0 || !c->expected)
        die("memory");
    c->request_size = (size_t)size;
}

static void load_cases(struct run *r, const char *path)
{
    FILE *file = fopen(path, "r");
    static char line[LINE_MAX_SIZE];

    if (!file)
        die(path);
    while (r->case_count < CASES_MAX && fgets(line, sizeof line, file))
        add_case(r, line);
    (void)fclose(file);
    if (r->case_count == 0)
        die("no cases");
}

static bool open_connection(struct run *r, struct connection *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r->port)};
    int one = 1;

    (void)inet_pton(AF_INET, r->host, &address.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
        return false;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (r->tls) {
        c->ssl = SSL_new(r->context);
        if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1)
            return false;
        (void)SSL_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
    }
    return fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0;
}

/* Bytes moved; 0 to wait; -1 broken. */
static ssize_t move(struct connection *c, bool out, void *data, size_t size)
{
    int result;
    int why;

    if (!c->ssl) {
        ssize_t n = out ? send(c->fd, data, size, MSG_NOSIGNAL) : recv(c->fd, data, size, 0);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        return n <= 0 ? -1 : n;
    }
    result = out ? SSL_write(c->ssl, data, (int)size) : SSL_read(c->ssl, data, (int)size);
    if (result > 0)
        return result;
    why = SSL_get_error(c->ssl, result);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static bool send_rest(struct connection *c)
{
    while (c->sent < c->work->request_size) {
        ssize_t n = move(c, true, c->work->request + c->sent, c->work->request_size - c->sent);

        if (n < 0)
            return false;
        if (n == 0)
            return true;
        c->sent += (size_t)n;
    }
    return true;
}

static bool next_request(struct run *r, struct connection *c)
{
    c->sent = c->got = 0;
    if (r->started >= r->requests) {
        c->began_us = 0;
        return true;
    }
    r->started++;
    c->began_us = now_us();
    return send_rest(c);
}

/* Size of the whole reply once it is known, else 0. */
static size_t reply_size(const struct connection *c)
{
    const char *end = strstr(c->reply, "\r\n\r\n");
    const char *length = strcasestr(c->reply, "content-length:");

    if (!end || !length || length > end)
        return 0;
    return (size_t)(end + 4 - c->reply) + strtoul(length + 15, NULL, 10);
}

static const char *request_id(const struct connection *c)
{
    const char *id = strcasestr(c->reply, "x-request-id: ");

    return id ? id + 14 : NULL;
}

/* The bytes of a string member in base64; 0 when there is none. */
static size_t read_member(const struct connection *c, const char *name, unsigned char *out,
                          size_t capacity)
{
    const char *start = strstr(c->reply, name);
    const char *end = start ? strchr(start + strlen(name), '"') : NULL;
    size_t size = 0;

    if (!end || base64_read(span_of(start + strlen(name), (size_t)(end - start) - strlen(name)),
                            out, capacity, &size) != ERR_NONE)
        return 0;
    return size;
}

/* As a worker opens it; see docs/protocol.md. */
static bool opens_to_expected(const struct connection *c)
{
    static unsigned char sealed[REPLY_MAX], plain[REPLY_MAX];
    unsigned char aad[sizeof REPLY_DOMAIN + REQUEST_ID_SIZE + SHA256_DIGEST_LENGTH];
    unsigned char nonce[AEAD_XNONCE_SIZE];
    const char *id = request_id(c);
    size_t size = read_member(c, "\"ciphertext\":\"", sealed, sizeof sealed);
    size_t plain_size;

    if (!id || size < AEAD_TAG_SIZE ||
        read_member(c, "\"sealed_secrets\":{\"nonce\":\"", nonce, sizeof nonce) != sizeof nonce)
        return false;
    memcpy(aad, REPLY_DOMAIN, sizeof REPLY_DOMAIN);
    memcpy(aad + sizeof REPLY_DOMAIN, id, REQUEST_ID_SIZE);
    memcpy(aad + sizeof REPLY_DOMAIN + REQUEST_ID_SIZE, c->work->body_hash, SHA256_DIGEST_LENGTH);
    plain_size = size - AEAD_TAG_SIZE;
    return aead_open(AEAD_XCHACHA20_POLY1305, c->work->key, nonce, SPAN_OF(aad),
                     span_of(sealed, size), plain) == ERR_NONE &&
           plain_size == strlen(c->work->expected) &&
           memcmp(plain, c->work->expected, plain_size) == 0;
}

static void acknowledge(const struct run *r, const struct connection *c)
{
    const char *id = request_id(c);
    char line[REQUEST_ID_SIZE + 1];

    if (r->acks < 0 || !id)
        return;
    memcpy(line, id, REQUEST_ID_SIZE);
    line[REQUEST_ID_SIZE] = '\n';
    if (write(r->acks, line, sizeof line) != sizeof line)
        die("acks");
}

static void check(struct run *r, struct connection *c)
{
    bool good =
        strncmp(c->reply, "HTTP/1.1 200 ", 13) == 0 &&
        (c->work->sealed ? opens_to_expected(c) : strstr(c->reply, c->work->expected) != NULL);

    r->latencies_us[r->finished++] = (uint32_t)(now_us() - c->began_us);
    if (good) {
        acknowledge(r, c);
    } else if (r->wrong++ < 3) {
        (void)fprintf(stderr, "unexpected reply: %.600s\n", c->reply);
    }
}

static bool receive(struct run *r, struct connection *c)
{
    while (c->began_us) {
        ssize_t n = move(c, false, c->reply + c->got, REPLY_MAX - 1 - c->got);
        size_t whole;

        if (n < 0)
            return false;
        if (n == 0)
            return true;
        c->got += (size_t)n;
        c->reply[c->got] = '\0';
        whole = reply_size(c);
        if (whole == 0 || c->got < whole)
            continue;
        check(r, c);
        if (!next_request(r, c))
            return false;
    }
    return true;
}

static void serve(struct run *r, int poll_fd, struct connection *c, uint32_t events)
{
    bool good = !(events & EPOLLERR) && send_rest(c) && receive(r, c);

    if (good)
        return;
    (void)epoll_ctl(poll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    r->broken++;
    r->stop |= r->until_failure;
    if (c->began_us)
        r->started--; /* another connection may send it */
    c->began_us = 0;
}

static void run_load(struct run *r, struct connection *all)
{
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS];

    for (long i = 0; i < r->connections; i++) {
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &all[i]};

        all[i].work = &r->cases[(size_t)i % r->case_count];
        if (!open_connection(r, &all[i])) {
            r->broken++;
            if (r->until_failure)
                return;
            die("connect");
        }
        (void)epoll_ctl(poll_fd, EPOLL_CTL_ADD, all[i].fd, &e);
    }
    for (long i = 0; i < r->connections; i++)
        if (!next_request(r, &all[i]))
            r->broken++;
    while (!r->stop && r->finished < r->requests && r->broken < r->connections) {
        int n = epoll_wait(poll_fd, events, EVENTS, 5000);

        if (n == 0)
            break; /* nothing for five seconds: report what is missing */
        for (int i = 0; i < n; i++)
            serve(r, poll_fd, events[i].data.ptr, events[i].events);
    }
    (void)close(poll_fd);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void report(struct run *r, uint64_t elapsed_us)
{
    uint32_t p50 = 0;
    uint32_t p99 = 0;
    struct rusage u;

    qsort(r->latencies_us, (size_t)r->finished, sizeof *r->latencies_us, by_size);
    if (r->finished > 0) {
        p50 = r->latencies_us[r->finished / 2];
        p99 = r->latencies_us[r->finished * 99 / 100];
    }
    (void)getrusage(RUSAGE_SELF, &u);
    (void)printf("{\"finished\":%ld,\"wrong\":%ld,\"broken\":%ld,\"seconds\":%.3f,"
                 "\"per_second\":%.0f,\"p50_us\":%u,\"p99_us\":%u}\n",
                 r->finished, r->wrong, r->broken, (double)elapsed_us / 1e6,
                 (double)r->finished * 1e6 / (double)(elapsed_us ? elapsed_us : 1), p50, p99);
}

int main(int argc, char **argv)
{
    static struct run r = {.host = "127.0.0.1", .connections = 64, .requests = 10000, .acks = -1};
    static const struct option options[] = {
        {"host",          required_argument, NULL, 'h'},
        {"port",          required_argument, NULL, 'p'},
        {"cases",         required_argument, NULL, 'c'},
        {"connections",   required_argument, NULL, 'n'},
        {"requests",      required_argument, NULL, 'r'},
        {"tls",           no_argument,       NULL, 't'},
        {"acks",          required_argument, NULL, 'a'},
        {"until-failure", no_argument,       NULL, 'u'},
        {NULL,            0,                 NULL, 0  },
    };
    struct connection *all;
    const char *cases = NULL;
    uint64_t began;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'h':
            r.host = optarg;
            break;
        case 'p':
            r.port = (int)strtol(optarg, NULL, 10);
            break;
        case 'c':
            cases = optarg;
            break;
        case 'n':
            r.connections = strtol(optarg, NULL, 10);
            break;
        case 'r':
            r.requests = strtol(optarg, NULL, 10);
            break;
        case 't':
            r.tls = true;
            break;
        case 'a':
            r.acks = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
            break;
        case 'u':
            r.until_failure = true;
            break;
        default:
            return 2;
        }
    }
    if (!cases || r.port == 0 || r.connections < 1 || r.requests < 1)
        return 2;
    (void)signal(SIGPIPE, SIG_IGN);
    load_cases(&r, cases);
    /* certificates are not checked: this measures a server of our own on this machine */
    r.context = r.tls ? SSL_CTX_new(TLS_client_method()) : NULL;
    r.latencies_us = calloc((size_t)r.requests + (size_t)r.connections, sizeof *r.latencies_us);
    all = calloc((size_t)r.connections, sizeof *all);
    if (!r.latencies_us || !all)
        die("memory");
    began = now_us();
    run_load(&r, all);
    report(&r, now_us() - began);
    return r.until_failure || (r.wrong == 0 && r.broken == 0 && r.finished == r.requests) ? 0 : 1;
}
