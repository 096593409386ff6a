#include "net/exchange.h"

#include <assert.h>
#include <stdlib.h>

/* The number of exchanges that a loop keeps: enough for usual load, not for the peak. */
enum { KEPT_MAX_COUNT = 128, KEPT_MAX_SIZE = 16384 };

struct http_exchange *exchange_take(struct loop *l)
{
    struct http_exchange *x = l->exchanges;

    if (x) {
        l->exchanges = x->next;
        l->exchange_count--;
    } else {
        x = calloc(1, sizeof *x);
        if (!x)
            return NULL;
    }
    x->loop = l;
    x->connection = NULL;
    x->state = NULL;
    x->is_live = true;
    x->head_only = false;
    x->bytes.size = 0;
    x->request.client_certificate = (struct span){0};
    x->previous = NULL;
    x->next = l->live;
    if (l->live)
        l->live->previous = x;
    l->live = x;
    return x;
}

static void exchange_free(struct http_exchange *x)
{
    buffer_clear(&x->bytes);
    buffer_clear(&x->certificate);
    free(x);
}

void exchange_give(struct http_exchange *x)
{
    struct loop *l = x->loop;

    assert(x->is_live && !x->previous == (l->live == x));
    x->is_live = false;
    buffer_clear(&x->certificate);
    held_shrink(&x->held, 0);
    if (x->previous)
        x->previous->next = x->next;
    else
        l->live = x->next;
    if (x->next)
        x->next->previous = x->previous;
    if (l->exchange_count == KEPT_MAX_COUNT) {
        exchange_free(x);
        return;
    }
    if (x->bytes.capacity > KEPT_MAX_SIZE)
        buffer_clear(&x->bytes);
    else /* requests contain credentials, and POST /pubkey the user's secrets */
        bytes_wipe(x->bytes.data, x->bytes.size);
    registers_wipe();
    x->next = l->exchanges;
    l->exchanges = x;
    l->exchange_count++;
}

static void rebase(struct span *s, const uint8_t *from, const uint8_t *to)
{
    s->data = to + (s->data - from);
}

static void request_rebase(struct http_request *r, const uint8_t *from, const uint8_t *to)
{
    rebase(&r->method, from, to);
    rebase(&r->target, from, to);
    rebase(&r->path, from, to);
    rebase(&r->query, from, to);
    rebase(&r->body, from, to);
    for (size_t i = 0; i < r->header_count; i++) {
        rebase(&r->headers[i].name, from, to);
        rebase(&r->headers[i].value, from, to);
    }
}

enum err exchange_adopt(struct http_exchange *x, struct span from, size_t size,
                        struct buffer *owned, struct held *held)
{
    enum err e;

    x->held = (struct held){held->pot, held->owner, 0};
    if (owned && owned->size == size && owned->data == from.data) {
        buffer_clear(&x->bytes);
        x->bytes = *owned;
        x->held = *held;
        held->size = 0;
        *owned = (struct buffer){0};
        return ERR_NONE;
    }
    x->bytes.size = 0;
    e = buffer_append(&x->bytes, span_of(from.data, size));
    if (e != ERR_NONE)
        return e;
    request_rebase(&x->request, from.data, x->bytes.data);
    return held_grow(&x->held, x->bytes.capacity) ? ERR_NONE : ERR_OVERLOADED;
}

void exchange_free_all(struct loop *l)
{
    struct http_exchange *next;

    for (struct http_exchange *x = l->live; x; x = next) {
        next = x->next;
        exchange_give(x);
    }
    while (l->exchanges) {
        struct http_exchange *x = l->exchanges;

        l->exchanges = x->next;
        exchange_free(x);
    }
    l->exchange_count = 0;
}

void http_exchange_release(struct http_exchange *x)
{
    struct http_request *r = &x->request;

    if (x->held.size == 0)
        return;
    r->method = r->target = r->path = r->query = r->body = (struct span){0};
    r->header_count = 0;
    buffer_clear(&x->bytes);
    held_shrink(&x->held, 0);
}

const struct http_request *http_exchange_request(const struct http_exchange *x)
{
    return &x->request;
}

void http_exchange_set_state(struct http_exchange *x, void *state)
{
    x->state = state;
}

void *http_exchange_state(const struct http_exchange *x)
{
    return x->state;
}
