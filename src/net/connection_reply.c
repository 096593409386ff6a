#include <assert.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/writer.h"
#include "net/connection_state.h"

enum {
    REPLY_HEAD_MAX_SIZE = 320, /* without the extra headers */
    REFUSAL_MAX_SIZE = 256,
};

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
    return ""; /* RFC 9112 section 4: the reason phrase may be empty */
}

static void put_number(struct writer *w, uint64_t number)
{
    char digits[DECIMAL_MAX_SIZE];

    writer_put(w, span_of(digits, decimal_write(number, digits)));
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
    /* status, media type and size are ours, so they always fit */
    e = writer_finish(&w, &head);
    assert(e == ERR_NONE);
    return head;
}

/* Takes over r->secret. */
void connection_reply(struct connection *c, const struct http_reply *r, bool head_only)
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
    connection_enter(c, STATE_WRITING);
    if (connection_send(c, &o) == OUTPUT_DONE)
        connection_reply_done(c);
}

/* Like handling an event: the connection may end here, and is freed at the very end. */
static void send_late_reply(struct connection *c, const struct http_reply *r, bool head_only)
{
    c->in_callback = true;
    connection_reply(c, r, head_only);
    if (c->state == STATE_IDLE || c->state == STATE_LINGER)
        connection_resume(c);
    connection_callback_end(c);
}

void http_exchange_reply(struct http_exchange *x, const struct http_reply *reply)
{
    struct connection *c = x->connection;
    struct secret *secret = reply->secret;

    assert(x->is_live && pthread_equal(x->loop->self, pthread_self()));
    if (c) {
        c->exchange = NULL;
        if (c->in_callback)
            connection_reply(c, reply, x->head_only);
        else
            send_late_reply(c, reply, x->head_only);
    } else {
        secret_free(&secret);
    }
    exchange_give(x); /* last: the body may borrow from the request */
}

/* A refusal by net/ itself. The connection ends, because the start of the next request is
 * unknown. */
void connection_refuse(struct connection *c, const struct http_refusal *why)
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
    connection_reply(c, &reply, false);
}
