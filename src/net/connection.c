#include "net/connection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "crypto/tls.h"
#include "net/connection_state.h"
#include "net/proxy.h"

enum {
    LINGER_MS = 2000, /* time for the peer to read a refusal before the socket is closed */
    EVICT_LOOK_MAX = 16,
};

#define MAY(state) (1u << STATE_##state)

static const unsigned next_states[STATE_COUNT] = {
    [STATE_PROXY] = MAY(HANDSHAKE) | MAY(IDLE) | MAY(CLOSED),
    [STATE_HANDSHAKE] = MAY(IDLE) | MAY(CLOSED),
    [STATE_IDLE] = MAY(HEAD) | MAY(CLOSED),
    [STATE_HEAD] = MAY(BODY) | MAY(SERVING) | MAY(WRITING) | MAY(CLOSED),
    [STATE_BODY] = MAY(SERVING) | MAY(WRITING) | MAY(CLOSED),
    [STATE_SERVING] = MAY(WRITING) | MAY(CLOSED),
    [STATE_WRITING] = MAY(IDLE) | MAY(LINGER) | MAY(CLOSED),
    [STATE_LINGER] = MAY(CLOSED),
    [STATE_CLOSED] = 0,
};

/* Deadlines */

static int64_t state_deadline(const struct connection *c)
{
    const struct http_server_options *o = &c->loop->server->options;
    int64_t now = c->loop->now_us;
    int64_t head = c->first_byte_us + (int64_t)o->head_timeout_ms * 1000;
    int64_t request = c->first_byte_us + (int64_t)o->request_timeout_ms * 1000;

    switch (c->state) {
    case STATE_PROXY:
    case STATE_HANDSHAKE:
        return now + (int64_t)o->handshake_timeout_ms * 1000;
    case STATE_IDLE:
        return now + (int64_t)(c->has_asked ? o->idle_timeout_ms : o->head_timeout_ms) * 1000;
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

/* Accounts */

bool connection_count_held(struct connection *c)
{
    size_t size = c->in.capacity;

    if (c->output)
        size += c->output->kept_size + (c->output->secret ? secret_size(c->output->secret) : 0);
    return held_grow(&c->held, size);
}

static struct connection_list *list_of(const struct connection *c)
{
    return c->has_place || c->is_admin ? &c->loop->authenticated : &c->loop->strangers;
}

static void list_remove(struct connection *c)
{
    struct connection_list *list = list_of(c);

    *(c->previous ? &c->previous->next : &list->first) = c->next;
    *(c->next ? &c->next->previous : &list->last) = c->previous;
}

static void list_add(struct connection *c)
{
    struct connection_list *list = list_of(c);

    c->previous = NULL;
    c->next = list->first;
    *(c->next ? &c->next->previous : &list->last) = c;
    list->first = c;
}

/*
 * One owner cannot have all places. Beyond its share, its connections can be closed like those of
 * strangers.
 */
static void take_place(struct connection *c, const struct quota_owner *owner)
{
    struct peer_key key;

    memcpy(key.bytes, owner->key, sizeof key.bytes);
    if (c->has_place || c->is_admin ||
        peers_enter(c->loop->server->owners, &key, false) != PEERS_ENTERED)
        return;
    list_remove(c);
    c->has_place = true;
    c->place = key;
    list_add(c);
}

void connection_set_owner(struct connection *c, const struct http_owner *owner)
{
    struct http_server *s = c->loop->server;
    struct quota *pot = owner->authenticated ? s->authenticated : s->strangers;

    if (owner->authenticated)
        take_place(c, &owner->key);
    if (c->held.pot == pot && span_equal(SPAN_OF(c->held.owner.key), SPAN_OF(owner->key.key)))
        return;
    held_shrink(&c->held, 0);
    c->held = (struct held){pot, owner->key, 0};
}

void connection_leave_exchange(struct connection *c)
{
    const struct http_handler *h = &c->loop->server->handler;
    struct http_exchange *x = c->exchange;

    c->exchange = NULL;
    x->connection = NULL; /* its reply will be dropped */
    if (h->gone)
        h->gone(h->context, x);
}

/*
 * The timer is moved only when it would fire too late. If it fires too early, it is armed again. So
 * a busy connection has no cost for it.
 */
void connection_enter(struct connection *c, enum state state)
{
    assert(next_states[c->state] & 1u << state);
    c->state = state;
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

/* Signals http_server_drain() when this loop has no connection left. */
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

void connection_output_free(struct connection *c)
{
    if (!c->output)
        return;
    output_clear(c->output);
    free(c->output);
    c->output = NULL;
    held_shrink(&c->held, c->in.capacity);
}

void connection_close(struct connection *c)
{
    struct loop *l = c->loop;

    if (c->state == STATE_CLOSED)
        return;
    connection_enter(c, STATE_CLOSED);
    if (c->exchange)
        connection_leave_exchange(c);
    (void)event_del(&c->readable);
    (void)event_del(&c->writable);
    (void)event_del(&c->timer);
    tls_stream_close(&c->tls);
    (void)close(c->fd);
    connection_output_free(c);
    buffer_clear(&c->in);
    held_shrink(&c->held, 0);
    list_remove(c);
    if (c->is_warm)
        l->warm[c->warm_at] = NULL;
    l->connection_count--;
    if (c->has_place)
        peers_leave(l->server->owners, &c->place);
    if (c->is_admin)
        l->admin_connections--;
    else
        peers_leave(l->server->peers, &c->key);
    loop_count(l, FIGURE_CLOSED, 1);
    tell_when_empty(l);
#ifndef __clang_analyzer__ /* it forgets in_callback at each call into libevent */
    if (!c->in_callback)
        connection_free(c);
#endif
}

/*
 * If a socket with unread bytes is closed, the connection is reset, and the peer may not see the
 * reply. So the sending side is closed, and received bytes are dropped for a while (RFC 9112
 * section 9.6).
 */
static void connection_linger(struct connection *c)
{
    /* sends close_notify; bytes received from now on are dropped unread */
    tls_stream_close(&c->tls);
    (void)shutdown(c->fd, SHUT_WR);
    buffer_clear(&c->in);
    held_shrink(&c->held, 0);
    connection_enter(c, STATE_LINGER);
}

void connection_reply_done(struct connection *c)
{
    if (!c->close_after)
        connection_enter(c, STATE_IDLE);
    else if (c->unread || c->in.size > 0)
        connection_linger(c);
    else
        connection_close(c);
}

/* Events */

void connection_callback_begin(struct connection *c)
{
    c->loop->now_us = clock_monotonic_us();
    c->in_callback = true;
    c->turn_requests = 0;
    if (c->tls)
        tls_stream_begin_turn(c->tls);
}

void connection_callback_end(struct connection *c)
{
    c->in_callback = false;
    if (c->state == STATE_CLOSED)
        connection_free(c);
}

static void expire(struct connection *c)
{
    static const struct http_refusal head_timeout = {408, "head_timeout",
                                                     "the headers took too long"};
    static const struct http_refusal body_timeout = {408, "body_timeout", "the body took too long"};
    static const struct http_refusal reply_timeout = {503, "timeout", "the answer took too long"};

    if (c->state != STATE_IDLE && c->state != STATE_LINGER)
        loop_count(c->loop, FIGURE_TIMEOUTS, 1);
    /* NOLINTNEXTLINE(bugprone-branch-clone): the order of the checks matters */
    if (c->output) { /* the peer does not even take the earlier output */
        connection_close(c);
    } else if (c->state == STATE_HEAD) {
        connection_refuse(c, &head_timeout);
    } else if (c->state == STATE_BODY) {
        connection_refuse(c, &body_timeout);
    } else if (c->state == STATE_SERVING) {
        connection_leave_exchange(c);
        connection_refuse(c, &reply_timeout);
    } else {
        connection_close(c);
    }
    if (c->state == STATE_LINGER)
        connection_resume(c);
}

static void on_timer(int fd, short what, void *context)
{
    struct connection *c = context;

    (void)fd;
    (void)what;
    connection_callback_begin(c);
    c->armed_us = INT64_MAX;
    if (c->loop->now_us >= c->deadline_us)
        expire(c);
    if (c->state != STATE_CLOSED && c->armed_us == INT64_MAX)
        arm(c);
    connection_callback_end(c);
}

/* The beginning */

static struct connection *connection_new(struct loop *l, int fd, bool admin)
{
    struct connection *c = calloc(1, sizeof *c);
    const struct http_server_options *o = &l->server->options;
    struct tls_server *tls = admin && o->admin_plain ? NULL : o->tls;

    if (!c)
        return NULL;
    c->loop = l;
    c->fd = fd;
    if ((tls && tls_stream_new(tls, fd, &c->tls) != ERR_NONE) ||
        event_assign(&c->readable, l->base, fd, EV_READ | EV_PERSIST, connection_on_readable, c) !=
            0 ||
        event_assign(&c->writable, l->base, fd, EV_WRITE, connection_on_writable, c) != 0 ||
        event_assign(&c->timer, l->base, -1, 0, on_timer, c) != 0 ||
        event_add(&c->readable, NULL) != 0) {
        tls_stream_close(&c->tls);
        free(c);
        return NULL;
    }
    c->reading = true;
    return c;
}

void connection_set_client(struct connection *c, const struct sockaddr_storage *client)
{
    const struct http_server_options *o = &c->loop->server->options;
    struct peers *peers = c->loop->server->peers;
    struct peer_key key;

    connection_enter(c, c->tls ? STATE_HANDSHAKE : STATE_IDLE);
    if (client->ss_family == AF_UNSPEC)
        return;
    peer_key_of(client, &key);
    /* there may be several proxies in a row */
    c->is_proxy = network_has(o->proxies, o->proxy_count, client);
    if (peers_enter(peers, &key, c->is_proxy) == PEERS_SHARE_USED) {
        loop_count(c->loop, FIGURE_REFUSED_CONNECTIONS, 1);
        connection_close(c);
        return;
    }
    peers_leave(peers, &c->key);
    c->key = key;
    peer_text(client, c->peer);
    memcpy(c->held.owner.key, key.bytes, sizeof key.bytes);
}

void connection_begin(struct loop *l, int fd, const struct peer_key *key,
                      const struct sockaddr_storage *address, bool admin)
{
    const struct http_server_options *o = &l->server->options;
    struct connection *c = connection_new(l, fd, admin);

    if (!c) {
        loop_count(l, FIGURE_CLOSED, 1);
        if (!admin)
            peers_leave(l->server->peers, key);
        (void)close(fd);
        return;
    }
    c->key = *key;
    peer_text(address, c->peer);
    c->held.pot = l->server->strangers;
    memcpy(c->held.owner.key, key->bytes, sizeof key->bytes);
    c->is_admin = admin;
    l->admin_connections += admin;
    list_add(c);
    l->connection_count++;
    c->is_proxy = !admin && network_has(o->proxies, o->proxy_count, address);
    c->state = o->proxy_protocol && !admin ? STATE_PROXY : c->tls ? STATE_HANDSHAKE : STATE_IDLE;
    c->deadline_us = state_deadline(c);
    arm(c);
}

/*
 * Skips a connection that is being answered, because work was done for it; unless all examined ones
 * are.
 */
bool connection_evict(struct loop *l)
{
    struct connection *c = l->strangers.last;

    for (int i = 0; c && i < EVICT_LOOK_MAX; i++, c = c->previous)
        if (c->state != STATE_SERVING && c->state != STATE_WRITING)
            break;
    if (!c || c->state == STATE_SERVING || c->state == STATE_WRITING)
        c = l->strangers.last;
    if (!c || c->in_callback)
        return false;
    loop_count(l, FIGURE_EVICTED, 1);
    connection_close(c);
    return true;
}

static void drain_list(const struct connection_list *list)
{
    struct connection *next;

    for (struct connection *c = list->first; c; c = next) {
        next = c->next;
        if (c->state == STATE_PROXY || c->state == STATE_HANDSHAKE || c->state == STATE_IDLE)
            connection_close(c);
        else
            c->close_after = true;
    }
}

void connection_drain_all(struct loop *l)
{
    l->draining = true;
    drain_list(&l->strangers);
    drain_list(&l->authenticated);
    tell_when_empty(l);
}

void connection_end_all(struct loop *l)
{
    while (l->strangers.first)
        connection_close(l->strangers.first);
    while (l->authenticated.first)
        connection_close(l->authenticated.first);
    exchange_free_all(l);
}
