/* The memory of one request until it is answered. A loop keeps used ones for the next requests. */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include "net/held.h"
#include "net/loop.h"

struct http_exchange {
    struct http_request request;
    struct buffer bytes; /* the request's own; its spans borrow from here */
    struct buffer certificate;
    struct held held; /* `bytes` */
    struct loop *loop;
    struct connection *connection; /* NULL once that is gone */
    struct http_exchange *next, *previous;
    void *state;
    bool is_live; /* handed out and not answered */
    bool head_only;
};

/* NULL when out of memory. */
struct http_exchange *exchange_take(struct loop *l);
void exchange_give(struct http_exchange *x);

/*
 * Makes the first `size` bytes of `from`, over which the request was parsed, the exchange's own.
 * owned  the buffer that `from` lies in, or NULL; it is emptied if the exchange could take it over
 * held   what the connection holds: the exchange counts on the same account, and takes over what
 * was counted if it takes over `owned` ERR_OVERLOADED when the owner's share is used up; ERR_MEMORY
 */
MUST_CHECK enum err exchange_adopt(struct http_exchange *x, struct span from, size_t size,
                                   struct buffer *owned, struct held *held);

/* All of them, answered or not; for the end of a loop. */
void exchange_free_all(struct loop *l);

#endif
