#include "net/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/writer.h"
#include "crypto/tls.h"
#include "net/exchange.h"
#include "net/http_parse.h"
#include "net/output.h"

enum {
    LINGER_MS = 2000,              /* for the peer to read a refusal before the socket is gone */
    LINGER_MAX_SIZE = 1024 * 1024, /* and what it may send meanwhile, bytes */
    REPLY_HEAD_MAX_SIZE = 320,     /* without the extra headers */
    REFUSAL_MAX_SIZE = 256,
};

enum state {
    STATE_HANDSHAKE,
    STATE_IDLE,    /* no byte of a request yet */
    STATE_HEAD,    /* some bytes of a head */
    STATE_BODY,    /* the head was admitted, its body is incomplete */
    STATE_SERVING, /* with the handler */
    STATE_WRITING, /* the reply */
    STATE_LINGER,  /* the last reply is out; what the peer still sends is dropped */
    STATE_CLOSED,
    STATE_COUNT
};

#define MAY(state) (1u << STATE_##state)

static const unsigned next_states[STATE_COUNT] = {
    [STATE_HANDSHAKE] = MAY(IDLE) | MAY(CLOSED),
    [STATE_IDLE] = MAY(HEAD) | MAY(CLOSED),
    [STATE_HEAD] = MAY(BODY) | MAY(SERVING) | MAY(WRITING) | MAY(CLOSED),
    [STATE_BODY] = MAY(SERVING) | MAY(WRITING) | MAY(CLOSED),
    [STATE_SERVING] = MAY(WRITING) | MAY(CLOSED),
    [STATE_WRITING] = MAY(IDLE) | MAY(LINGER) | MAY(CLOSED),
    [STATE_LINGER] = MAY(CLOSED),
    [STATE_CLOSED] = 0,
};

struct connection {
    struct loop *loop;
    struct connection *next, *previous; /* in the loop's list */
    struct tls_stream *tls;             /* NULL: plain */
    struct http_exchange *exchange;     /* with the handler, or NULL */
    struct output *output;              /* what the socket did not take, or NULL */
    struct buffer in;                   /* received and not used yet */
    struct http_scan scan;              /* of the head that `in` begins with */
    size_t needed;                      /* STATE_BODY: size of the whole request */
    size_t reserved;                    /* bytes counted in the server's `receiving` */
    size_t lingered;                    /* STATE_LINGER: bytes dropped */
    int64_t first_byte_us;              /* of the present request */
    int64_t deadline_us;                /* of the present state */
    int64_t armed_us;                   /* when `timer` will fire: not after deadline_us */
    struct event readable, writable, timer;
    int fd;
    enum state state;
    bool reading;     /* `readable` is added */
    bool in_callback; /* one of its events is being handled: it must not be freed yet */
    bool close_after; /* the reply */
    bool unread;      /* part of the present request will not be read */
    struct peer_key key;
    char peer[PEER_TEXT_SIZE];
};

/* Deadlines */

static int64_t state_deadline(const struct connection *c)
{
    const struct http_server_options *o = &c->loop->server->options;
    int64_t now = c->loop->now_us;
    int64_t head = c->first_byte_us + (int64_t)o->head_timeout_ms * 1000;
    int64_t request = c->first_byte_us + (int64_t)o->request_timeout_ms * 1000;

    switch (c->state) {
    case STATE_HANDSHAKE:
        return now + (int64_t)o->handshake_timeout_ms * 1000;
    case STATE_IDLE:
        return now + (int64_t)o->idle_timeout_ms * 1000;
    case STATE_HEAD:
        return head < request ? head : request;
    case STATE_BODY:
    case STATE_SERVING:
        return request;
    case STATE_WRITING:
        return now + (int64_t)o->request_timeout_ms * 1000;
    case STATE_LINGER:
    case STATE_CLOSED:
    case STATE_COUNT:
        break;
    }
    return now + (int64_t)LINGER_MS * 1000;
}

static void arm(struct connection *c)
{
    int64_t wait = c->deadline_us - c->loop->now_us;
    struct timeval after;

    if (wait < 0)
        wait = 0;
    after = (struct timeval){wait / 1000000, wait % 1000000};
    /* fails only when out of memory; then the next state tries again */
    c->armed_us = event_add(&c->timer, &after) == 0 ? c->deadline_us : INT64_MAX;
}

/*
 * The timer is moved only when it would fire too late. One that fires too early arms itself again,
 * so on a busy connection it costs nothing.
 */
/*
 * Room for a body that has to be waited for, out of what all connections share: many small ones
 * cannot add up to more memory than there is. Given back when the request is over.
 */
static bool reserve(struct connection *c, size_t size)
{
    struct http_server *s = c->loop->server;
    size_t before = atomic_fetch_add_explicit(&s->receiving, size, memory_order_relaxed);

    c->reserved = size;
    return s->options.receiving_max == 0 || before + size <= s->options.receiving_max;
}

static void give_room_back(struct connection *c)
{
    atomic_fetch_sub_explicit(&c->loop->server->receiving, c->reserved, memory_order_relaxed);
    c->reserved = 0;
}

static void enter(struct connection *c, enum state state)
{
    assert(next_states[c->state] & 1u << state);
    c->state = state;
    if (c->reserved > 0 && (state == STATE_IDLE || state == STATE_LINGER || state == STATE_CLOSED))
        give_room_back(c);
    c->deadline_us = state_deadline(c);
    if (state != STATE_CLOSED && c->deadline_us < c->armed_us)
        arm(c);
}

/* The end */

static void connection_free(struct connection *c)
{
    buffer_clear(&c->in);
    free(c);
}

static void list_remove(struct connection *c)
{
    struct loop *l = c->loop;

    if (c->previous)
        c->previous->next = c->next;
    else
        l->connections = c->next;
    if (c->next)
        c->next->previous = c->previous;
    l->connection_count--;
}

/* Tells who waits in http_server_drain() when this loop has no connection left. */
static void tell_when_empty(struct loop *l)
{
    struct http_server *s = l->server;

    if (!l->draining || l->connection_count > 0)
        return;
    l->draining = false;
    (void)pthread_mutex_lock(&s->idle_lock);
    s->busy_loops--;
    (void)pthread_cond_signal(&s->idle_changed);
    (void)pthread_mutex_unlock(&s->idle_lock);
}

static void output_free(struct connection *c)
{
    if (!c->output)
        return;
    output_clear(c->output);
    free(c->output);
    c->output = NULL;
}

static void connection_close(struct connection *c)
{
    struct loop *l = c->loop;

    if (c->state == STATE_CLOSED)
        return;
    enter(c, STATE_CLOSED);
    if (c->exchange)
        c->exchange->connection = NULL; /* its reply will be dropped */
    c->exchange = NULL;
    (void)event_del(&c->readable);
    (void)event_del(&c->writable);
    (void)event_del(&c->timer);
    tls_stream_close(&c->tls);
    (void)close(c->fd);
    output_free(c);
    peers_leave(l->server->peers, &c->key);
    loop_count(l, FIGURE_CLOSED, 1);
    list_remove(c);
    tell_when_empty(l);
#ifndef __clang_analyzer__ /* it forgets in_callback at each call into libevent */
    if (!c->in_callback)
        connection_free(c);
#endif
}

/*
 * Closing a socket with unread bytes resets the connection, and the peer may then never see the
 * reply. So the sending side is closed and what still comes is dropped for a while (RFC 9112
 * section 9.6).
 */
static void linger(struct connection *c)
{
    tls_stream_close(&c->tls); /* says close_notify; what comes now is dropped unread */
    (void)shutdown(c->fd, SHUT_WR);
    buffer_clear(&c->in);
    enter(c, STATE_LINGER);
}

static void read_on(struct connection *c)
{
    if (!c->reading)
        c->reading = event_add(&c->readable, NULL) == 0;
    if (!c->reading)
        connection_close(c);
}

/* After a reply: bytes that are already here raise no event, so it is raised for them. */
static void resume(struct connection *c)
{
    read_on(c);
    if (c->state != STATE_CLOSED && c->state != STATE_LINGER &&
        (c->in.size > 0 || (c->tls && tls_stream_pending(c->tls))))
        event_active(&c->readable, EV_READ, 0);
}

static void reply_done(struct connection *c)
{
    if (!c->close_after)
        enter(c, STATE_IDLE);
    else if (c->unread || c->in.size > 0)
        linger(c);
    else
        connection_close(c);
}

/* Writing */

static void on_writable(int fd, short what, void *context);

/* Takes over `o`; on OUTPUT_WAIT it goes on when the socket takes more. */
static enum output_result send_output(struct connection *c, struct output *o)
{
    enum output_result result = output_write(c->loop, c->fd, c->tls, o);

    if (result == OUTPUT_WAIT) {
        c->output = malloc(sizeof *c->output);
        if (c->output && output_keep(o) == ERR_NONE && event_add(&c->writable, NULL) == 0) {
            *c->output = *o; /* the connection owns it now */
            return OUTPUT_WAIT;
        }
        free(c->output);
        c->output = NULL;
        result = OUTPUT_FAILED;
    }
    output_clear(o);
    if (result == OUTPUT_FAILED)
        connection_close(c);
    return result;
}

static const char *reason_phrase(unsigned status)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } phrases[] = {
        {200, "OK"                             },
        {201, "Created"                        },
        {202, "Accepted"                       },
        {204, "No Content"                     },
        {400, "Bad Request"                    },
        {401, "Unauthorized"                   },
        {403, "Forbidden"                      },
        {404, "Not Found"                      },
        {405, "Method Not Allowed"             },
        {408, "Request Timeout"                },
        {409, "Conflict"                       },
        {410, "Gone"                           },
        {412, "Precondition Failed"            },
        {413, "Content Too Large"              },
        {414, "URI Too Long"                   },
        {415, "Unsupported Media Type"         },
        {417, "Expectation Failed"             },
        {422, "Unprocessable Content"          },
        {429, "Too Many Requests"              },
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"          },
        {501, "Not Implemented"                },
        {502, "Bad Gateway"                    },
        {503, "Service Unavailable"            },
        {504, "Gateway Timeout"                },
    };

    for (size_t i = 0; i < COUNT_OF(phrases); i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return ""; /* RFC 9112 section 4: it may be empty */
}

static void put_number(struct writer *w, size_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    writer_put(w, span_of(digits + at, sizeof digits - at));
}

static struct span reply_head(const struct http_reply *r, size_t body_size, bool close, char *out)
{
    struct writer w = writer_over(out, REPLY_HEAD_MAX_SIZE);
    struct span head = {0};
    enum err e;

    writer_put(&w, SPAN_LITERAL("HTTP/1.1 "));
    put_number(&w, r->status);
    writer_put(&w, SPAN_LITERAL(" "));
    writer_put(&w, span_string(reason_phrase(r->status)));
    if (r->content_type) {
        writer_put(&w, SPAN_LITERAL("\r\nContent-Type: "));
        writer_put(&w, span_string(r->content_type));
    }
    if (r->status != 204) { /* RFC 9110 section 8.6 */
        writer_put(&w, SPAN_LITERAL("\r\nContent-Length: "));
        put_number(&w, body_size);
    }
    writer_put(&w, close ? SPAN_LITERAL("\r\nConnection: close\r\n") : SPAN_LITERAL("\r\n"));
    /* status, media type and size are ours: that they fit is ours to keep */
    e = writer_finish(&w, &head);
    assert(e == ERR_NONE);
    return head;
}

/* Takes over r->secret. */
static void send_reply(struct connection *c, const struct http_reply *r, bool head_only)
{
    char head[REPLY_HEAD_MAX_SIZE];
    struct span body = r->secret ? secret_span(r->secret) : r->body;
    struct output o = {.secret = r->secret};

    if (r->close || c->loop->draining)
        c->close_after = true;
    if (r->status == 204)
        body = (struct span){0};
    o.parts[0] = reply_head(r, body.size, c->close_after, head);
    o.parts[1] = span_string(r->extra_headers);
    o.parts[2] = SPAN_LITERAL("\r\n");
    if (!head_only)
        o.parts[3] = body;
    enter(c, STATE_WRITING);
    if (send_output(c, &o) == OUTPUT_DONE)
        reply_done(c);
}

/* Like an event of the connection's: it may end here, and is freed only when all is done with it.
 */
static void send_late_reply(struct connection *c, const struct http_reply *r, bool head_only)
{
    c->in_callback = true;
    send_reply(c, r, head_only);
    if (c->state == STATE_IDLE || c->state == STATE_LINGER)
        resume(c);
    c->in_callback = false;
    if (c->state == STATE_CLOSED)
        connection_free(c);
}

void http_exchange_reply(struct http_exchange *x, const struct http_reply *reply)
{
    struct connection *c = x->connection;
    struct secret *secret = reply->secret;

    assert(x->is_live && pthread_equal(x->loop->self, pthread_self()));
    if (c) {
        c->exchange = NULL;
        if (c->in_callback)
            send_reply(c, reply, x->head_only);
        else
            send_late_reply(c, reply, x->head_only);
    } else {
        secret_free(&secret);
    }
    exchange_give(x); /* last: the body may borrow from the request */
}

/* A refusal of net/'s own. The connection ends: where the next request begins is not known. */
static void refuse(struct connection *c, const struct http_refusal *why)
{
    const struct http_handler *h = &c->loop->server->handler;
    char body[REFUSAL_MAX_SIZE];
    struct writer w = writer_over(body, sizeof body);
    struct http_reply reply = {.content_type = "application/json"};
    enum err e;

    writer_put(&w, SPAN_LITERAL("{\"error\":\""));
    writer_put(&w, span_string(why->text));
    writer_put(&w, SPAN_LITERAL("\",\"code\":\""));
    writer_put(&w, span_string(why->code));
    writer_put(&w, SPAN_LITERAL("\"}"));
    e = writer_finish(&w, &reply.body);
    assert(e == ERR_NONE);
    loop_count(c->loop, FIGURE_REFUSED_REQUESTS, 1);
    if (h->refused)
        h->refused(h->context, c->loop->index, c->peer, why, &reply);
    reply.status = why->status;
    reply.close = true;
    c->unread = true;
    send_reply(c, &reply, false);
}

/* Requests */

static void refuse_for_memory(struct connection *c)
{
    static const struct http_refusal out_of_memory = {503, "overloaded", "out of memory"};

    refuse(c, &out_of_memory);
}

/* Whether the handler wants it; else it was refused, and `unread` tells if bytes were left. */
static bool admit(struct connection *c, const struct http_exchange *x, const struct http_framing *f,
                  size_t available)
{
    const struct http_handler *h = &c->loop->server->handler;
    struct http_reply reply = {0};
    unsigned status = h->admit ? h->admit(h->context, &x->request, f->body_size, &reply) : 0;

    if (status == 0)
        return true;
    loop_count(c->loop, FIGURE_REFUSED_REQUESTS, 1);
    reply.status = status;
    if (available < f->head_size + f->body_size) {
        reply.close = true;
        c->unread = true;
    }
    send_reply(c, &reply, x->head_only);
    return false;
}

/* The body is still to come. False when there is no room for it: the request was refused. */
static bool wait_for_body(struct connection *c, const struct http_framing *f, size_t available)
{
    static const struct http_refusal no_room = {503, "overloaded",
                                                "too many bodies are being received"};
    struct output o = {.parts = {SPAN_LITERAL("HTTP/1.1 100 Continue\r\n\r\n")}};

    c->needed = f->head_size + f->body_size;
    if (!reserve(c, c->needed)) {
        refuse(c, &no_room);
        return false;
    }
    enter(c, STATE_BODY);
    if (f->expect_continue && available == f->head_size)
        (void)send_output(c, &o);
    return true;
}

static void serve(struct connection *c, struct http_exchange *x)
{
    const struct http_handler *h = &c->loop->server->handler;

    loop_count(c->loop, FIGURE_REQUESTS, 1);
    /* the exchange may outlive the connection. Out of memory: as if there was no certificate */
    if (c->tls && tls_stream_peer_certificate(c->tls, &x->certificate) == ERR_NONE)
        x->request.client_certificate = buffer_span(&x->certificate);
    x->connection = c;
    c->exchange = x;
    enter(c, STATE_SERVING);
    h->handle(h->context, x);
}

static void request_begin(struct connection *c, struct http_exchange *x)
{
    struct http_request *r = &x->request;

    memcpy(r->peer, c->peer, sizeof r->peer);
    memcpy(r->peer_key, c->key.bytes, sizeof r->peer_key);
    r->tls = c->tls != NULL;
    r->loop = c->loop->index;
    r->body = (struct span){0};
}

/*
 * One request from the front of `bytes`, with an exchange at hand. Returns the bytes used, 0 when
 * more are needed. `*taken` when the exchange went to the handler.
 */
static size_t step(struct connection *c, struct span bytes, struct http_exchange *x, bool *taken)
{
    const struct http_refusal *refusal = NULL;
    struct http_framing f = {0};
    size_t body_max = c->loop->server->options.body_max;
    bool in_body = c->state == STATE_BODY;
    enum http_parsed parsed;
    size_t size;

    request_begin(c, x);
    parsed = http_head_parse(bytes, body_max, &c->scan, &x->request, &f, &refusal);
    if (parsed == HTTP_INCOMPLETE)
        return 0;
    c->scan = (struct http_scan){0};
    if (parsed == HTTP_REFUSED) {
        refuse(c, refusal);
        return bytes.size;
    }
    size = f.head_size + f.body_size;
    x->head_only = span_equal_string(x->request.method, "HEAD");
    c->close_after = f.close;
    c->unread = false;
    if (!in_body && !admit(c, x, &f, bytes.size))
        return size < bytes.size ? size : bytes.size;
    if (bytes.size < size)
        return wait_for_body(c, &f, bytes.size) ? 0 : bytes.size;
    x->request.body = span_of(bytes.data + f.head_size, f.body_size);
    if (exchange_adopt(x, bytes, size, bytes.data == c->in.data ? &c->in : NULL) != ERR_NONE) {
        refuse_for_memory(c);
        return bytes.size;
    }
    *taken = true;
    serve(c, x);
    return size;
}

static size_t use_request(struct connection *c, struct span bytes)
{
    struct http_exchange *x;
    bool taken = false;
    size_t used;

    if (c->state == STATE_IDLE) {
        c->first_byte_us = c->loop->now_us;
        enter(c, STATE_HEAD);
    }
    if (c->state == STATE_BODY && bytes.size < c->needed)
        return 0;
    x = exchange_take(c->loop);
    if (!x) {
        refuse_for_memory(c);
        return bytes.size;
    }
    used = step(c, bytes, x, &taken);
    if (!taken)
        exchange_give(x);
    return used;
}

/* Whether bytes received now can be used now. */
static bool may_receive(const struct connection *c)
{
    return !c->output &&
           (c->state == STATE_IDLE || c->state == STATE_HEAD || c->state == STATE_BODY);
}

/* Uses what it can of `bytes`, which are either c->in or new while c->in is empty; keeps the rest.
 */
static void use_bytes(struct connection *c, struct span bytes)
{
    bool kept = bytes.data == c->in.data;
    size_t used = 0;

    while (used < bytes.size && may_receive(c)) {
        size_t step_size = use_request(c, span_of(bytes.data + used, bytes.size - used));

        if (step_size == 0)
            break;
        used += step_size;
    }
    if (c->state == STATE_CLOSED || c->state == STATE_LINGER)
        return;
    if (kept && c->in.data) {
        buffer_drop(&c->in, used);
        if (c->in.size == 0)
            buffer_clear(&c->in); /* an idle connection holds no buffer */
    } else if (used < bytes.size &&
               buffer_append(&c->in, span_of(bytes.data + used, bytes.size - used)) != ERR_NONE) {
        connection_close(c);
    }
}

static void take_received(struct connection *c, size_t size)
{
    struct loop *l = c->loop;
    struct span bytes = span_of(l->scratch, size);

    loop_count(l, FIGURE_BYTES_IN, size);
    if (c->in.size == 0)
        use_bytes(c, bytes);
    else if (buffer_append(&c->in, bytes) == ERR_NONE)
        use_bytes(c, buffer_span(&c->in));
    else
        connection_close(c);
    bytes_wipe(l->scratch, size); /* the next request may be long in coming */
    registers_wipe();
}

/* False when nothing came: no bytes yet, or the connection is closed now. */
static bool receive_plain(struct connection *c, size_t *got)
{
    ssize_t size = recv(c->fd, c->loop->scratch, LOOP_SCRATCH_SIZE, MSG_DONTWAIT);

    if (size > 0) {
        *got = (size_t)size;
        return true;
    }
    if (size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        connection_close(c);
    return false;
}

static bool receive_tls(struct connection *c, size_t *got)
{
    size_t size = 0;
    enum tls_want want;

    *got = 0;
    do { /* a call gives one record at most */
        size = 0;
        want = tls_stream_read(c->tls, c->loop->scratch + *got, LOOP_SCRATCH_SIZE - *got, &size);
        *got += size;
    } while (want == TLS_DONE && *got < LOOP_SCRATCH_SIZE && tls_stream_pending(c->tls));
    if (*got > 0)
        return true; /* an end that was met as well is met again by the next read */
    if (want == TLS_CLOSED || want == TLS_FAILED)
        connection_close(c);
    return false;
}

static void receive(struct connection *c)
{
    size_t got = 0;

    if (c->in.size > 0 && c->state == STATE_IDLE) /* pipelined behind the last request */
        use_bytes(c, buffer_span(&c->in));
    while (may_receive(c) && (c->tls ? receive_tls(c, &got) : receive_plain(c, &got))) {
        take_received(c, got);
        if (!c->tls || !may_receive(c) || !tls_stream_pending(c->tls))
            break;
    }
}

/* Events */

static void drop_received(struct connection *c)
{
    ssize_t size = recv(c->fd, c->loop->scratch, LOOP_SCRATCH_SIZE, MSG_DONTWAIT);

    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (size > 0) {
        bytes_wipe(c->loop->scratch, (size_t)size);
        c->lingered += (size_t)size;
    }
    if (size <= 0 || c->lingered > LINGER_MAX_SIZE)
        connection_close(c);
}

static void handshake(struct connection *c)
{
    enum tls_want want = tls_stream_handshake(c->tls);

    if (want == TLS_WANT_READ)
        return;
    if (want == TLS_WANT_WRITE) {
        if (event_add(&c->writable, NULL) != 0)
            connection_close(c);
        return;
    }
    if (want != TLS_DONE) {
        loop_count(c->loop, FIGURE_TLS_FAILURES, 1);
        connection_close(c);
        return;
    }
    loop_count(c->loop, FIGURE_TLS_HANDSHAKES, 1);
    (void)event_del(&c->writable); /* an earlier step may still wait for it: nothing does now */
    enter(c, STATE_IDLE);
    if (tls_stream_pending(c->tls))
        receive(c);
}

static void pause_reading(struct connection *c)
{
    if (c->reading)
        (void)event_del(&c->readable);
    c->reading = false;
}

static void callback_begin(struct connection *c)
{
    c->loop->now_us = clock_monotonic_us();
    c->in_callback = true;
}

static void callback_end(struct connection *c)
{
    c->in_callback = false;
    if (c->state == STATE_CLOSED)
        connection_free(c);
}

static void on_readable(int fd, short what, void *context)
{
    struct connection *c = context;

    (void)fd;
    (void)what;
    callback_begin(c);
    if (c->state == STATE_HANDSHAKE)
        handshake(c);
    else if (c->state == STATE_LINGER)
        drop_received(c);
    else if (may_receive(c))
        receive(c);
    else
        pause_reading(c); /* the next request, or the end, waits until this one is answered */
    if (may_receive(c) && !c->reading)
        resume(c);
    callback_end(c);
}

static void on_writable(int fd, short what, void *context)
{
    struct connection *c = context;
    enum output_result result;

    (void)fd;
    (void)what;
    callback_begin(c);
    if (c->state == STATE_HANDSHAKE) {
        handshake(c);
        callback_end(c);
        return;
    }
    result = output_write(c->loop, c->fd, c->tls, c->output);
    if (result == OUTPUT_WAIT && event_add(&c->writable, NULL) == 0) {
        callback_end(c);
        return;
    }
    output_free(c);
    if (result != OUTPUT_DONE)
        connection_close(c);
    else if (c->state == STATE_WRITING)
        reply_done(c);
    if (c->state != STATE_CLOSED)
        resume(c);
    callback_end(c);
}

static void expire(struct connection *c)
{
    static const struct http_refusal head_timeout = {408, "head_timeout",
                                                     "the headers took too long"};
    static const struct http_refusal body_timeout = {408, "body_timeout", "the body took too long"};
    static const struct http_refusal reply_timeout = {503, "timeout", "the answer took too long"};

    if (c->state != STATE_IDLE && c->state != STATE_LINGER)
        loop_count(c->loop, FIGURE_TIMEOUTS, 1);
    /* NOLINTNEXTLINE(bugprone-branch-clone): the order of the questions matters */
    if (c->output) { /* the peer does not even take what was sent before */
        connection_close(c);
    } else if (c->state == STATE_HEAD) {
        refuse(c, &head_timeout);
    } else if (c->state == STATE_BODY) {
        refuse(c, &body_timeout);
    } else if (c->state == STATE_SERVING) {
        c->exchange->connection = NULL; /* the late reply will be dropped */
        c->exchange = NULL;
        refuse(c, &reply_timeout);
    } else {
        connection_close(c);
    }
    if (c->state == STATE_LINGER)
        resume(c);
}

static void on_timer(int fd, short what, void *context)
{
    struct connection *c = context;

    (void)fd;
    (void)what;
    callback_begin(c);
    c->armed_us = INT64_MAX;
    if (c->loop->now_us >= c->deadline_us)
        expire(c);
    if (c->state != STATE_CLOSED && c->armed_us == INT64_MAX)
        arm(c);
    callback_end(c);
}

/* The beginning */

static struct connection *connection_new(struct loop *l, int fd)
{
    struct connection *c = calloc(1, sizeof *c);
    struct tls_server *tls = l->server->options.tls;

    if (!c)
        return NULL;
    c->loop = l;
    c->fd = fd;
    if ((tls && tls_stream_new(tls, fd, &c->tls) != ERR_NONE) ||
        event_assign(&c->readable, l->base, fd, EV_READ | EV_PERSIST, on_readable, c) != 0 ||
        event_assign(&c->writable, l->base, fd, EV_WRITE, on_writable, c) != 0 ||
        event_assign(&c->timer, l->base, -1, 0, on_timer, c) != 0 ||
        event_add(&c->readable, NULL) != 0) {
        tls_stream_close(&c->tls);
        free(c);
        return NULL;
    }
    c->reading = true;
    return c;
}

void connection_begin(struct loop *l, int fd, const struct peer_key *key,
                      const struct sockaddr_storage *address)
{
    struct connection *c = connection_new(l, fd);

    if (!c) {
        loop_count(l, FIGURE_CLOSED, 1);
        peers_leave(l->server->peers, key);
        (void)close(fd);
        return;
    }
    c->key = *key;
    peer_text(address, c->peer);
    c->next = l->connections;
    if (c->next)
        c->next->previous = c;
    l->connections = c;
    l->connection_count++;
    c->state = c->tls ? STATE_HANDSHAKE : STATE_IDLE;
    c->deadline_us = state_deadline(c);
    arm(c);
}

void connection_drain_all(struct loop *l)
{
    struct connection *next;

    l->draining = true;
    for (struct connection *c = l->connections; c; c = next) {
        next = c->next;
        if (c->state == STATE_HANDSHAKE || c->state == STATE_IDLE)
            connection_close(c);
        else
            c->close_after = true;
    }
    tell_when_empty(l);
}

void connection_end_all(struct loop *l)
{
    while (l->connections)
        connection_close(l->connections);
    exchange_free_all(l);
}
