/* The memory of one request until it is answered. A loop keeps used ones for the next requests. */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include "net/loop.h"

struct http_exchange {
    struct http_request request;
    struct buffer bytes; /* the request's own; its spans borrow from here */
    struct buffer certificate;
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
 * ERR_MEMORY
 */
MUST_CHECK enum err exchange_adopt(struct http_exchange *x, struct span from, size_t size,
                                   struct buffer *owned);

/* All of them, answered or not; for the end of a loop. */
void exchange_free_all(struct loop *l);

#endif
