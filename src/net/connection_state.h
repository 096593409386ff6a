/*
 * The parts that the files of a connection share: its states, its memory, and the functions of each
 * file. connection.c has the states and deadlines, connection_io.c the bytes in and out,
 * connection_request.c the requests in the bytes, connection_reply.c the replies. Internal to net/.
 */
#ifndef NET_CONNECTION_STATE_H
#define NET_CONNECTION_STATE_H

#include "net/connection.h"
#include "net/exchange.h"
#include "net/http_parse.h"
#include "net/output.h"

enum state {
    STATE_PROXY, /* the proxy's header is incomplete */
    STATE_HANDSHAKE,
    STATE_IDLE,    /* no byte of a request yet */
    STATE_HEAD,    /* some bytes of a head */
    STATE_BODY,    /* the head was admitted; its body is incomplete */
    STATE_SERVING, /* the handler has it */
    STATE_WRITING, /* the reply is being written */
    STATE_LINGER,  /* the last reply was sent; all further bytes of the peer are dropped */
    STATE_CLOSED,
    STATE_COUNT
};

struct connection {
    struct loop *loop;
    struct connection *next, *previous; /* in the loop's list */
    struct tls_stream *tls;             /* NULL: plain */
    struct http_exchange *exchange;     /* with the handler, or NULL */
    struct output *output;              /* bytes that the socket did not take, or NULL */
    struct buffer in;                   /* received and not used yet */
    struct http_scan scan;              /* state of the scan over the head at the start of `in` */
    size_t needed;                      /* STATE_BODY: size of the whole request */
    /* `in` and `output`, charged to the account of the last request */
    struct held held;
    size_t lingered;        /* STATE_LINGER: bytes dropped */
    unsigned turn_requests; /* requests begun in this turn of the loop */
    int64_t first_byte_us;  /* of the present request */
    int64_t deadline_us;    /* of the present state */
    int64_t armed_us;       /* when `timer` fires: not after deadline_us */
    struct event readable, writable, timer;
    int fd;
    enum state state;
    bool reading;     /* `readable` is added */
    bool in_callback; /* one of its events is being handled, so it must not be freed yet */
    bool close_after; /* close after the reply */
    bool unread;      /* part of the present request will not be read */
    bool is_admin;    /* it came through the second listener */
    bool is_proxy;    /* the peer is a trusted proxy, so requests may name their client */
    bool has_asked;   /* it has sent a complete head */
    bool has_begun;   /* the TLS handshake has begun */
    bool is_warm;     /* it is in the loop's `warm`, at `warm_at` */
    size_t warm_at;
    bool has_place; /* it has one of the places of authenticated callers, in `place` */
    struct peer_key place;
    struct peer_key key;
    char peer[PEER_TEXT_SIZE];
};

/* States and deadlines: connection.c */

void connection_enter(struct connection *c, enum state state);
/* Frees the connection now, or when the event that is being handled is over. */
void connection_close(struct connection *c);
/* Call after a reply: continues with the next request, or ends. */
void connection_reply_done(struct connection *c);
void connection_output_free(struct connection *c);
/* Counts the memory that it holds now. False when that exceeds the share of its account. */
MUST_CHECK bool connection_count_held(struct connection *c);
/* Charges the new request to this account. An authenticated caller keeps its place from now on. */
void connection_set_owner(struct connection *c, const struct http_owner *owner);
/* The exchange's caller has left. */
void connection_leave_exchange(struct connection *c);
/* Brackets the handling of an event: the connection may end in between, and is freed at the end. */
void connection_callback_begin(struct connection *c);
void connection_callback_end(struct connection *c);

/* The proxy's header is complete, so the connection begins. AF_UNSPEC: `client` is not another
 * one. */
void connection_set_client(struct connection *c, const struct sockaddr_storage *client);

/* Bytes in and out: connection_io.c */

void connection_on_readable(int fd, short what, void *context);
void connection_on_writable(int fd, short what, void *context);
/* Call after a reply: reads on, also bytes that are already here. */
void connection_resume(struct connection *c);
/* Takes over `o`. On OUTPUT_WAIT it continues when the socket takes more. */
enum output_result connection_send(struct connection *c, struct output *o);

/* Requests: connection_request.c */

/* Whether the connection can use received bytes now. */
bool connection_may_receive(const struct connection *c);
/* Whether it had its share of this turn. The rest waits until other connections had theirs. */
bool connection_had_its_turn(const struct connection *c);
/* Uses as many of `bytes` as it can, and keeps the rest. They are c->in, or new while c->in is
 * empty. */
void connection_use(struct connection *c, struct span bytes);

/* Replies: connection_reply.c */

/* Takes over r->secret. */
void connection_reply(struct connection *c, const struct http_reply *r, bool head_only);
/* A refusal by net/ itself. The connection ends, because the start of the next request is
 * unknown. */
void connection_refuse(struct connection *c, const struct http_refusal *why);

#endif
