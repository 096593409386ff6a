/*
 * HTTP/1.1 server: one event loop per thread (libevent), each with its own listening socket
 * (SO_REUSEPORT), plain or TLS 1.3. Its parser is strict: input that is not exactly one request is
 * refused, and the connection is closed. It supports only Content-Length framing. It refuses
 * Transfer-Encoding, duplicate, signed or non-decimal Content-Length, duplicate Host or
 * Authorization, bare CR or LF, NUL and other control bytes, white space before the colon, folded
 * lines, absolute-form targets of another host than the Host header's, HTTP versions other than 1.1
 * and 1.0.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "base/quota.h"
#include "base/secret.h"

#define HTTP_HEADERS_MAX 64
#define HTTP_HEAD_MAX_SIZE 16384 /* request line and headers, bytes */
#define HTTP_LOOPS_MAX 64

struct http_header {
    struct span name;  /* as received; compare with http_header() */
    struct span value; /* without surrounding white space */
};

struct http_request {
    struct span method, target, path, query; /* query without '?' */
    struct span body;
    size_t header_count;
    struct http_header headers[HTTP_HEADERS_MAX];
    char peer[46]; /* numeric address of the client, terminated */
    /* equal for addresses that count as one peer: the IPv4 address, or the IPv6 /64 */
    uint8_t peer_key[16];
    bool tls;
    bool admin; /* it came through the second listener */
    /* DER, empty without a certificate. The peer holds its key; nothing else in it was checked. */
    struct span client_certificate;
    unsigned loop; /* index of the loop it is served by */
    /*
     * handle() runs at once after admit() let this very request in, and the loop did nothing else
     * between. False when the body came later.
     */
    bool just_admitted;
};

/* Ignores case; the first header of that name. False when absent. */
bool http_header(const struct http_request *r, const char *name, struct span *value);

/*
 * Decodes one query parameter (percent-decoding, '+' as space) into `out`.
 * ERR_NOT_FOUND; ERR_MALFORMED bad escape, or given twice; ERR_TOO_LARGE
 */
MUST_CHECK enum err http_query(struct span query, const char *name, char *out, size_t capacity,
                               size_t *size);

/* One request until it is answered. It belongs to the loop on which it arrived: reply on that
 * thread only. */
struct http_exchange;

const struct http_request *http_exchange_request(const struct http_exchange *x);
/* A pointer for the handler's use, NULL at first. */
void http_exchange_set_state(struct http_exchange *x, void *state);
void *http_exchange_state(const struct http_exchange *x);

/*
 * Frees the bytes of the request before it is answered. Small requests are kept, because they are
 * not counted. Do not use the spans of the request after this. Call it on the thread that works on
 * the exchange.
 */
void http_exchange_release(struct http_exchange *x);

struct http_reply {
    unsigned status;
    const char *content_type; /* NULL: none, and an empty body */
    struct span body;         /* copied, unless `secret` is set */
    struct secret *secret;    /* the body in guarded memory; ownership passes; wiped once sent */
    /* NULL, or "Name: value\r\n"...; built by us, never copied from input */
    const char *extra_headers;
    bool close; /* close the connection after the reply */
};

/* Answers exactly once, now or later. The exchange ends with it. Works also when the peer has
 * left. */
void http_exchange_reply(struct http_exchange *x, const struct http_reply *reply);

/* The reason why net/ itself refuses a request. `code` is stable; `text` is a sentence for a
 * person. */
struct http_refusal {
    unsigned status;
    const char *code, *text;
};

/*
 * The account to which the memory of a request is charged. Authenticated callers and strangers use
 * different pots. When all places are taken, connections of strangers are closed for new ones.
 */
struct http_owner {
    bool authenticated;
    struct quota_owner key; /* the peer's address, unless admit() writes another key */
};

struct http_handler {
    /*
     * Called when the head is complete, before the body is read: `body` is empty, and `body_size`
     * is the announced size. It checks credentials, rates and sizes. It returns 0 to continue, or a
     * status to refuse, and then fills `*reply`. An authenticated caller gets its own account: fill
     * `*owner`.
     */
    unsigned (*admit)(void *context, const struct http_request *r, size_t body_size,
                      struct http_owner *owner, struct http_reply *reply);
    /* The whole request. Must lead to one http_exchange_reply(). Spans live until then. */
    void (*handle)(void *context, struct http_exchange *x);
    /*
     * The caller of an exchange has left, or got an answer about a timeout. Its reply will be
     * dropped, so memory for it may be freed. http_exchange_reply() must still be called. Runs on
     * the loop's thread. May be NULL.
     */
    void (*gone)(void *context, struct http_exchange *x);
    /*
     * A TLS handshake is about to begin; it costs as much as many requests. False closes the
     * connection instead. Not called for trusted proxies. Runs on the loop's thread. May be NULL.
     */
    bool (*handshake)(void *context, const uint8_t peer_key[16]);
    /*
     * net/ refused a request because of its framing or a deadline; for the metrics and the summary.
     * `*reply` is net/'s own, {"error","code"}. The function may replace its media type, body and
     * extra headers, so that all errors have one form. They must stay valid until the loop calls
     * again. May be NULL.
     */
    void (*refused)(void *context, unsigned loop, const char *peer, const struct http_refusal *why,
                    struct http_reply *reply);
    /* Called on each loop's thread when it begins (before any request) and ends. May be NULL. */
    void (*loop_begin)(void *context, unsigned loop);
    void (*loop_end)(void *context, unsigned loop);
    void *context;
};

struct tls_server; /* crypto/tls.h */
struct network;    /* net/proxy.h */

struct http_server_options {
    const char *host; /* numeric address */
    uint16_t port;    /* 0: any; see http_server_port() */
    /* listening sockets to use instead of `host` and `port`; the server closes them. 0: none */
    const int *sockets;
    unsigned socket_count;
    /*
     * A listening socket for metrics and administration, or NULL; the server closes it. Its few
     * connections have their own places, so it answers even when all other places are taken. It
     * uses TLS unless `admin_plain`.
     */
    const int *admin_socket;
    bool admin_plain;
    unsigned loops;  /* 1..HTTP_LOOPS_MAX */
    size_t body_max; /* bytes; more is 413 */
    /*
     * Bytes of all requests and replies in memory. A quarter is for strangers, the rest for
     * authenticated callers. Each address and each owner has a share of that (base/quota.h). More
     * is 503. 0: no limit
     */
    size_t memory_max;
    /*
     * Total. Lowered when the limit of open files is too low for it. When all places are taken, the
     * oldest connection that never authenticated a caller is closed for a new one.
     */
    unsigned connections_max;
    /* More connections of one address are accepted and closed at once. 0: no limit. IPv6 counts
     * by /64 */
    unsigned connections_per_address;
    /* total, from the first byte of a head to its end; and to the first byte of a connection */
    unsigned head_timeout_ms;
    unsigned request_timeout_ms; /* total, from the first byte to the reply; and to send it */
    unsigned idle_timeout_ms;    /* between requests */
    unsigned handshake_timeout_ms;
    /*
     * Networks of proxies, which name the real client: by X-Forwarded-For, or by the PROXY
     * protocol, with which each connection must then begin. They must outlive the server.
     */
    const struct network *proxies;
    size_t proxy_count;
    bool proxy_protocol; /* only trusted proxies may connect */
    struct tls_server
        *tls; /* NULL: plain. crypto/tls.h decides whether clients are asked for certificates */
};

struct http_server;

/*
 * Binds and starts the threads. Raises the soft limit of open files to the hard limit, because each
 * connection is a descriptor. Reserves some descriptors for files of the process.
 * ERR_IO (address in use, ...), ERR_MEMORY, ERR_CONFIG (loops or connections_max out of range, or
 * the limit of open files is too low)
 */
MUST_CHECK enum err http_server_start(const struct http_server_options *options,
                                      const struct http_handler *handler, struct http_server **out);
uint16_t http_server_port(const struct http_server *s);

/*
 * Runs `call(argument)` on that loop's thread. Thread-safe; never blocks. Wakes the loop once for
 * all tasks posted before it runs. `task` is the caller's memory until it has run.
 */
struct http_task {
    struct http_task *next;
    void (*call)(void *argument);
    void *argument;
};
void http_server_post(struct http_server *s, unsigned loop, struct http_task *task);
/* Posts a whole list to one loop with one wake-up. */
void http_server_post_list(struct http_server *s, unsigned loop, struct http_task *first,
                           struct http_task *last);

struct http_figures {
    uint64_t accepted, closed, refused_connections, evicted, requests, refused_requests, timeouts;
    uint64_t bytes_in, bytes_out, tls_handshakes, tls_failures;
    uint64_t open_connections;
    uint64_t connections_max;                          /* number of places */
    uint64_t held_by_strangers, held_by_authenticated; /* bytes counted against `memory_max` */
};
void http_server_figures(const struct http_server *s, struct http_figures *out);

/*
 * Stops accepting, closes idle connections, and waits at most `drain_ms` until all requests are
 * answered. The loops continue to run tasks, so that the threads that post replies can be stopped
 * next.
 */
void http_server_drain(struct http_server *s, unsigned drain_ms);

/*
 * Drains unless that was done, runs the posted tasks, ends the threads, frees. Exchanges without an
 * answer are freed, too. So first stop all threads that hold exchanges or post tasks.
 */
void http_server_stop(struct http_server **s, unsigned drain_ms);

#endif
