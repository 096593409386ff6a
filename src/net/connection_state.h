/*
 * What the files of a connection share: its states, its memory, and what each file does for the
 * others. connection.c has the states and deadlines, connection_io.c the bytes in and out,
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
    STATE_BODY,    /* the head was admitted, its body is incomplete */
    STATE_SERVING, /* with the handler */
    STATE_WRITING, /* the reply */
    STATE_LINGER,  /* the last reply is out; what the peer still sends is dropped */
    STATE_CLOSED,
    STATE_COUNT
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
    struct held held;                   /* `in` and `output`, on the account of the last request */
    size_t lingered;                    /* STATE_LINGER: bytes dropped */
    unsigned turn_requests;             /* begun in this turn of the loop */
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
    bool is_admin;    /* it came to the second listener */
    bool is_proxy;    /* the peer is a trusted proxy: requests may name their client */
    bool has_asked;   /* a head was complete once */
    bool has_begun;   /* the TLS handshake */
    bool has_place;   /* among those of `place`: it is one of an authenticated caller */
    struct peer_key place;
    struct peer_key key;
    char peer[PEER_TEXT_SIZE];
};

/* States and deadlines: connection.c */

void connection_enter(struct connection *c, enum state state);
/* The memory goes at once, or when the event that is being handled is over. */
void connection_close(struct connection *c);
/* After a reply: the next request, or the end. */
void connection_reply_done(struct connection *c);
void connection_output_free(struct connection *c);
/* Counts what it holds now. False when that is more than the share of its account. */
MUST_CHECK bool connection_count_held(struct connection *c);
/* The request that begins is on this account. An authenticated one keeps its place from now on. */
void connection_set_owner(struct connection *c, const struct http_owner *owner);
/* The exchange's caller is gone. */
void connection_leave_exchange(struct connection *c);
/* Around what an event of the connection's does: it may end in between, and is freed at the end. */
void connection_callback_begin(struct connection *c);
void connection_callback_end(struct connection *c);

/* The proxy's header was complete: the connection begins. `client` of family AF_UNSPEC: no other.
 */
void connection_set_client(struct connection *c, const struct sockaddr_storage *client);

/* Bytes in and out: connection_io.c */

void connection_on_readable(int fd, short what, void *context);
void connection_on_writable(int fd, short what, void *context);
/* After a reply: reads on, also what is here already. */
void connection_resume(struct connection *c);
/* Takes over `o`; on OUTPUT_WAIT it goes on when the socket takes more. */
enum output_result connection_send(struct connection *c, struct output *o);

/* Requests: connection_request.c */

/* Whether bytes received now can be used now. */
bool connection_may_receive(const struct connection *c);
/* Whether it had its share of this turn: the rest waits until other connections had theirs. */
bool connection_had_its_turn(const struct connection *c);
/* Uses what it can of `bytes`, which are either c->in or new while c->in is empty; keeps the rest.
 */
void connection_use(struct connection *c, struct span bytes);

/* Replies: connection_reply.c */

/* Takes over r->secret. */
void connection_reply(struct connection *c, const struct http_reply *r, bool head_only);
/* A refusal of net/'s own. The connection ends: where the next request begins is not known. */
void connection_refuse(struct connection *c, const struct http_refusal *why);

#endif
