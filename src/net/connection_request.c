#include <string.h>

#include "crypto/tls.h"
#include "net/connection_state.h"
#include "net/proxy.h"

/* A connection may begin at most this many requests in a turn of its loop. */
enum { TURN_REQUESTS_MAX = 8 };

static void refuse_for_memory(struct connection *c)
{
    static const struct http_refusal out_of_memory = {503, "overloaded", "out of memory"};

    connection_refuse(c, &out_of_memory);
}

/* Whether the handler accepts it. If not, it was refused, and `unread` tells whether bytes are
 * left. */
static bool admit(struct connection *c, const struct http_exchange *x, const struct http_framing *f,
                  size_t available)
{
    const struct http_handler *h = &c->loop->server->handler;
    struct http_reply reply = {0};
    struct http_owner owner = {0};
    unsigned status = 0;

    memcpy(owner.key.key, x->request.peer_key, sizeof owner.key.key);
    if (h->admit)
        status = h->admit(h->context, &x->request, f->body_size, &owner, &reply);
    c->has_asked = true;
    connection_set_owner(c, &owner);
    if (status == 0)
        return true;
    loop_count(c->loop, FIGURE_REFUSED_REQUESTS, 1);
    reply.status = status;
    if (available < f->head_size + f->body_size) {
        reply.close = true;
        c->unread = true;
    }
    connection_reply(c, &reply, x->head_only);
    return false;
}

static void refuse_for_room(struct connection *c)
{
    static const struct http_refusal no_room = {
        503, "overloaded", "requests and replies in flight hold all memory of this caller's share"};

    connection_refuse(c, &no_room);
}

/* The body is still to come. */
static void wait_for_body(struct connection *c, const struct http_framing *f, size_t available)
{
    struct output o = {.parts = {SPAN_LITERAL("HTTP/1.1 100 Continue\r\n\r\n")}};

    c->needed = f->head_size + f->body_size;
    connection_enter(c, STATE_BODY);
    if (f->expect_continue && available == f->head_size)
        (void)connection_send(c, &o);
}

/*
 * Keeps the buffers of the last connections that were served, so that busy ones do not allocate
 * and clear them for each request, and idle ones hold no memory for long.
 */
static void keep_warm(struct connection *c)
{
    struct loop *l = c->loop;
    struct connection **place = &l->warm[l->next_warm];

    if (c->is_warm)
        return;
    if (*place) {
        (*place)->is_warm = false;
        if ((*place)->tls)
            tls_stream_keep_buffers((*place)->tls, false);
    }
    *place = c;
    c->is_warm = true;
    c->warm_at = l->next_warm;
    l->next_warm = (l->next_warm + 1) % WARM_CONNECTIONS_MAX;
    tls_stream_keep_buffers(c->tls, true);
}

static void serve(struct connection *c, struct http_exchange *x)
{
    const struct http_handler *h = &c->loop->server->handler;

    loop_count(c->loop, FIGURE_REQUESTS, 1);
    /* the exchange may outlive the connection. Out of memory is treated like no certificate */
    if (c->tls && tls_stream_peer_certificate(c->tls, &x->certificate) == ERR_NONE)
        x->request.client_certificate = buffer_span(&x->certificate);
    if (c->tls)
        keep_warm(c);
    x->connection = c;
    c->exchange = x;
    connection_enter(c, STATE_SERVING);
    h->handle(h->context, x);
}

static void request_begin(struct connection *c, struct http_exchange *x)
{
    struct http_request *r = &x->request;

    memcpy(r->peer, c->peer, sizeof r->peer);
    memcpy(r->peer_key, c->key.bytes, sizeof r->peer_key);
    r->tls = c->tls != NULL;
    r->admin = c->is_admin;
    r->loop = c->loop->index;
    r->body = (struct span){0};
    r->just_admitted = false;
}

/* The request came through a trusted proxy, which names the client. */
static void find_client(const struct connection *c, struct http_request *r)
{
    const struct http_server_options *o = &c->loop->server->options;
    struct sockaddr_storage client = {.ss_family = AF_UNSPEC};
    struct peer_key key;
    bool more = true;

    for (size_t i = r->header_count; i > 0 && more; i--)
        if (http_name_equal(r->headers[i - 1].name, "x-forwarded-for"))
            more =
                proxy_forwarded_for(r->headers[i - 1].value, o->proxies, o->proxy_count, &client);
    if (client.ss_family == AF_UNSPEC)
        return;
    peer_key_of(&client, &key);
    peer_text(&client, r->peer);
    memcpy(r->peer_key, key.bytes, sizeof r->peer_key);
}

/*
 * Handles one request at the start of `bytes` with this exchange. Returns the number of used bytes,
 * 0 when more are needed. Sets `*taken` when the handler has the exchange.
 */
static size_t step(struct connection *c, struct span bytes, struct http_exchange *x, bool *taken)
{
    const struct http_refusal *refusal = NULL;
    struct http_framing f = {0};
    size_t body_max = c->loop->server->options.body_max;
    bool in_body = c->state == STATE_BODY;
    enum http_parsed parsed;
    enum err e;
    size_t size;

    request_begin(c, x);
    parsed = http_head_parse(bytes, body_max, &c->scan, &x->request, &f, &refusal);
    if (parsed == HTTP_INCOMPLETE)
        return 0;
    c->turn_requests++;
    c->scan = (struct http_scan){0};
    if (parsed == HTTP_REFUSED) {
        connection_refuse(c, refusal);
        return bytes.size;
    }
    size = f.head_size + f.body_size;
    x->head_only = span_equal_string(x->request.method, "HEAD");
    c->close_after = f.close;
    c->unread = false;
    if (c->is_proxy)
        find_client(c, &x->request);
    if (!in_body && !admit(c, x, &f, bytes.size))
        return size < bytes.size ? size : bytes.size;
    if (bytes.size < size) {
        wait_for_body(c, &f, bytes.size);
        return 0;
    }
    x->request.body = span_of(bytes.data + f.head_size, f.body_size);
    e = exchange_adopt(x, bytes, size, bytes.data == c->in.data ? &c->in : NULL, &c->held);
    if (e != ERR_NONE) {
        if (e == ERR_OVERLOADED)
            refuse_for_room(c);
        else
            refuse_for_memory(c);
        return bytes.size;
    }
    *taken = true;
    x->request.just_admitted = !in_body;
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
        connection_enter(c, STATE_HEAD);
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

/* Whether the connection can use received bytes now. */
bool connection_may_receive(const struct connection *c)
{
    return !c->output &&
           (c->state == STATE_IDLE || c->state == STATE_HEAD || c->state == STATE_BODY);
}

bool connection_had_its_turn(const struct connection *c)
{
    return c->turn_requests >= TURN_REQUESTS_MAX;
}

/* Uses as many of `bytes` as it can, and keeps the rest. They are c->in, or new while c->in is
 * empty. */
void connection_use(struct connection *c, struct span bytes)
{
    bool kept = bytes.data == c->in.data;
    size_t used = 0;

    while (used < bytes.size && connection_may_receive(c) && !connection_had_its_turn(c)) {
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
            buffer_clear(&c->in); /* an idle connection has no buffer */
    } else if (used < bytes.size &&
               buffer_append(&c->in, span_of(bytes.data + used, bytes.size - used)) != ERR_NONE) {
        connection_close(c);
        return;
    }
    if (connection_count_held(c))
        return;
    if (c->state == STATE_HEAD || c->state == STATE_BODY)
        refuse_for_room(c);
    else
        connection_close(c);
}
