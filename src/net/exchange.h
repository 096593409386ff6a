/* The memory of one request until it is answered. A loop keeps used exchanges for later
 * requests. */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include "net/held.h"
#include "net/loop.h"

struct http_exchange {
    struct http_request request;
    struct buffer bytes; /* the request's own; its spans borrow from it */
    struct buffer certificate;
    struct held held; /* `bytes` */
    struct loop *loop;
    struct connection *connection; /* NULL once the connection has ended */
    struct http_exchange *next, *previous;
    void *state;
    bool is_live; /* given to the handler and not answered */
    bool head_only;
};

/* NULL when out of memory. */
struct http_exchange *exchange_take(struct loop *l);
void exchange_give(struct http_exchange *x);

/*
 * Moves the first `size` bytes of `from`, which the parsed request borrows, into the exchange.
 * owned  the buffer that contains `from`, or NULL; it is emptied if the exchange takes it over
 * held   the memory of the connection: the exchange counts on the same account. If it takes over
 * `owned`, it takes over the count, too. ERR_OVERLOADED the owner's share is used up; ERR_MEMORY
 */
MUST_CHECK enum err exchange_adopt(struct http_exchange *x, struct span from, size_t size,
                                   struct buffer *owned, struct held *held);

/* Frees all exchanges, answered or not, at the end of a loop. */
void exchange_free_all(struct loop *l);

#endif
