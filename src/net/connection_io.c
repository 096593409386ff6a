#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/secret.h"
#include "crypto/tls.h"
#include "net/connection_state.h"
#include "net/proxy.h"

enum { LINGER_MAX_SIZE = 1024 * 1024 }; /* bytes that a peer may send after the last reply */

/* Writing */

/* Takes over `o`. On OUTPUT_WAIT it continues when the socket takes more. */
enum output_result connection_send(struct connection *c, struct output *o)
{
    enum output_result result = output_write(c->loop, c->fd, c->tls, o);

    if (result == OUTPUT_WAIT) {
        c->output = malloc(sizeof *c->output);
        if (c->output && output_keep(o) == ERR_NONE) {
            *c->output = *o; /* the connection owns it now */
            *o = (struct output){0};
            if (connection_count_held(c) && event_add(&c->writable, NULL) == 0)
                return OUTPUT_WAIT;
        }
        connection_output_free(c);
        result = OUTPUT_FAILED;
    }
    output_clear(o);
    if (result == OUTPUT_FAILED)
        connection_close(c);
    return result;
}

/* Reading */

static void read_on(struct connection *c)
{
    if (!c->reading)
        c->reading = event_add(&c->readable, NULL) == 0;
    if (!c->reading)
        connection_close(c);
}

/* Call after a reply: bytes that are already here raise no event, so it is activated for them. */
void connection_resume(struct connection *c)
{
    read_on(c);
    if (c->state != STATE_CLOSED && c->state != STATE_LINGER &&
        (c->in.size > 0 || (c->tls && tls_stream_pending(c->tls))))
        event_active(&c->readable, EV_READ, 0);
}

static void take_received(struct connection *c, size_t size)
{
    struct loop *l = c->loop;
    struct span bytes = span_of(l->scratch, size);

    loop_count(l, FIGURE_BYTES_IN, size);
    if (c->in.size == 0)
        connection_use(c, bytes);
    else if (buffer_append(&c->in, bytes) == ERR_NONE)
        connection_use(c, buffer_span(&c->in));
    else
        connection_close(c);
    bytes_wipe(l->scratch, size); /* the next request may come much later */
    registers_wipe();
}

/* False when no bytes came, or the connection is closed now. */
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
        return true; /* if this call also met the end, the next read meets it again */
    /* a read that must write answers KeyUpdates of a peer that does not read the answers */
    if (want != TLS_DONE && want != TLS_WANT_READ)
        connection_close(c);
    return false;
}

static bool may_receive_now(const struct connection *c)
{
    return connection_may_receive(c) && !connection_had_its_turn(c);
}

/*
 * One turn: handles the rest of the last turn, then new bytes. Other connections wait meanwhile. So
 * a turn has limits for requests and for bytes (the scratch; with TLS also records, see
 * crypto/tls.h).
 */
static void receive(struct connection *c)
{
    size_t got = 0;

    if (c->in.size > 0 && c->state == STATE_IDLE) /* pipelined after the last request */
        connection_use(c, buffer_span(&c->in));
    while (may_receive_now(c) && (c->tls ? receive_tls(c, &got) : receive_plain(c, &got))) {
        take_received(c, got);
        if (!c->tls || !may_receive_now(c) || !tls_stream_pending(c->tls))
            break;
    }
    if (connection_may_receive(c) && connection_had_its_turn(c))
        connection_resume(c);
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

/*
 * The header is examined before it is taken from the socket, because the bytes after it must stay
 * there. While the header is incomplete, the socket becomes readable only when more of it comes.
 */
static void read_proxy_header(struct connection *c)
{
    uint8_t bytes[PROXY_HEADER_MAX];
    struct sockaddr_storage client = {0};
    ssize_t size = recv(c->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    size_t used = 0;
    enum proxy_parsed parsed;
    int least = (int)size + 1;

    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    parsed =
        size > 0 ? proxy_header_parse(span_of(bytes, (size_t)size), &client, &used) : PROXY_REFUSED;
    if (parsed == PROXY_INCOMPLETE && (size_t)size > c->needed) {
        c->needed = (size_t)size; /* no more than that again: the peer closed its side */
        (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
        return;
    }
    least = 1;
    if (parsed != PROXY_COMPLETE || recv(c->fd, bytes, used, MSG_DONTWAIT) != (ssize_t)used ||
        setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least) != 0) {
        loop_count(c->loop, FIGURE_REFUSED_CONNECTIONS, 1);
        connection_close(c);
        return;
    }
    connection_set_client(c, &client);
}

/* Whether the address may make one more handshake. */
static bool may_begin_handshake(struct connection *c)
{
    const struct http_handler *h = &c->loop->server->handler;

    if (c->has_begun || c->is_proxy || !h->handshake)
        return true;
    c->has_begun = true;
    return h->handshake(h->context, c->key.bytes);
}

static void handshake(struct connection *c)
{
    enum tls_want want;

    if (!may_begin_handshake(c)) {
        loop_count(c->loop, FIGURE_REFUSED_CONNECTIONS, 1);
        connection_close(c);
        return;
    }
    want = tls_stream_handshake(c->tls);
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
    (void)event_del(&c->writable); /* an earlier step may have waited for it */
    connection_enter(c, STATE_IDLE);
    if (tls_stream_pending(c->tls))
        receive(c);
}

static void pause_reading(struct connection *c)
{
    if (c->reading)
        (void)event_del(&c->readable);
    c->reading = false;
}

void connection_on_readable(int fd, short what, void *context)
{
    struct connection *c = context;

    (void)fd;
    (void)what;
    connection_callback_begin(c);
    if (c->state == STATE_PROXY)
        read_proxy_header(c);
    else if (c->state == STATE_HANDSHAKE)
        handshake(c);
    else if (c->state == STATE_LINGER)
        drop_received(c);
    else if (connection_may_receive(c))
        receive(c);
    else
        pause_reading(c); /* the next request, or the end, waits until this request is answered */
    if (connection_may_receive(c) && !c->reading)
        connection_resume(c);
    connection_callback_end(c);
}

void connection_on_writable(int fd, short what, void *context)
{
    struct connection *c = context;
    enum output_result result;

    (void)fd;
    (void)what;
    connection_callback_begin(c);
    if (c->state == STATE_HANDSHAKE) {
        handshake(c);
        connection_callback_end(c);
        return;
    }
    result = output_write(c->loop, c->fd, c->tls, c->output);
    if (result == OUTPUT_WAIT && event_add(&c->writable, NULL) == 0) {
        connection_callback_end(c);
        return;
    }
    connection_output_free(c);
    if (result != OUTPUT_DONE)
        connection_close(c);
    else if (c->state == STATE_WRITING)
        connection_reply_done(c);
    if (c->state != STATE_CLOSED)
        connection_resume(c);
    connection_callback_end(c);
}
