/* From an outcome to a reply: commit first, then reveal, on the loop the request came in on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "codec/json.h"
#include "server/call.h"
#include "server/status.h"
#include "service/journal.h"

void error_write(struct writer *w, const char *code, const char *text, const char *detail,
                 const char *request_id)
{
    struct json_writer j = json_writer_over(w);

    json_open_object(&j, NULL);
    json_put_string(&j, "error", span_string(text));
    json_put_string(&j, "code", span_string(code));
    json_put_string(&j, "request_id", span_string(request_id));
    if (detail && *detail)
        json_put_raw(&j, "detail", span_string(detail));
    json_close_object(&j);
}

static void refuse(struct call *c, unsigned status, const char *code, const char *text,
                   const char *detail)
{
    uint8_t body[OUTCOME_DETAIL_MAX + 4 * OUTCOME_MESSAGE_MAX + 512];
    struct writer w = writer_over(body, sizeof body);

    c->status = status;
    c->content_type = "application/json";
    buffer_clear(&c->body);
    secret_free(&c->secret_body);
    error_write(&w, code, text, detail, c->request_id);
    if (w.failed || buffer_append(&c->body, span_of(body, w.size)) != ERR_NONE)
        c->content_type = NULL; /* out of memory: the status alone */
}

void call_refuse(struct call *c, unsigned status, const char *code, const char *text)
{
    refuse(c, status, code, text, NULL);
}

void call_refuse_err(struct call *c, enum err e, const char *code, const char *text)
{
    refuse(c, status_of(e), code, text, NULL);
}

void call_answer(struct call *c, enum err e)
{
    if (e != ERR_NONE) {
        call_refuse_err(c, e, err_code(e), err_text(e));
        return;
    }
    c->status = 200;
    if (!c->content_type)
        c->content_type = "application/json";
}

static void call_free(struct call *c)
{
    outcome_clear(&c->outcome);
    buffer_clear(&c->scratch);
    buffer_clear(&c->quote);
    buffer_clear(&c->certificates);
    buffer_clear(&c->body);
    secret_free(&c->secret_body);
    call_place_give(c);
    atomic_fetch_sub_explicit(&c->server->pending, 1, memory_order_release);
    free(c);
}

void headers_write(char *out, size_t size, const char *request_id, unsigned retry_after_s)
{
    int used = snprintf(out, size, "X-Request-Id: %s\r\nCache-Control: no-store\r\n", request_id);

    if (retry_after_s > 0 && used > 0 && (size_t)used < size)
        (void)snprintf(out + used, size - (size_t)used, "Retry-After: %u\r\n", retry_after_s);
}

/* On the loop's thread: the only place a reply leaves. */
void call_reveal(void *argument)
{
    struct call *c = argument;
    char headers[192];
    struct http_reply reply = {
        .status = c->status,
        .content_type = c->content_type,
        .body = buffer_span(&c->body),
        .secret = c->secret_body,
        .extra_headers = headers,
    };

    headers_write(headers, sizeof headers, c->request_id, c->retry_after_s);
    atomic_fetch_add_explicit(&c->server->replies[c->status / 100 % 6], 1, memory_order_relaxed);
    c->secret_body = NULL; /* its ownership passes with the reply */
    http_exchange_reply(c->exchange, &reply);
    call_free(c);
}

static void post_reveal(struct call *c)
{
    c->task = (struct http_task){.call = call_reveal, .argument = c};
    http_server_post(c->server->http, c->loop, &c->task);
}

/* {...} becomes {...,"receipt":<receipt>} in guarded memory. */
MUST_CHECK static enum err append_receipt(struct call *c, struct span receipt)
{
    static const char name[] = ",\"receipt\":";
    struct span reply = secret_span(c->outcome.reply);
    struct secret *joined = NULL;
    struct writer w;
    enum err e = secret_new(reply.size + sizeof name + receipt.size, &joined);

    if (e != ERR_NONE)
        return e;
    w = writer_over(secret_data(joined), secret_size(joined));
    writer_put(&w, span_of(reply.data, reply.size - 1));
    writer_put(&w, SPAN_LITERAL(",\"receipt\":"));
    writer_put(&w, receipt);
    writer_u8(&w, '}');
    secret_shrink(joined, w.size);
    secret_free(&c->outcome.reply);
    c->outcome.reply = joined;
    return ERR_NONE;
}

/* The outcome is durable: its reply may go out. */
static void take_reply(struct call *c)
{
    struct outcome *o = &c->outcome;

    if (o->result != ERR_NONE) {
        c->retry_after_s = o->retry_after_s;
        refuse(c, status_of(o->result), o->code, o->message, o->detail);
        return;
    }
    c->status = 200;
    c->content_type = "application/json";
    c->secret_body = o->reply;
    o->reply = NULL;
}

static void receipt_then_reveal(struct pool_job *job, struct service_thread *thread)
{
    struct call *c = (struct call *)((char *)job - offsetof(struct call, job));
    struct buffer receipt = {0};

    (void)thread;
    /* the secret is released already: without a receipt the reply still goes out, and the receipt
     * can be fetched by the request's id */
    if (journal_receipt(c->server->svc, c->outcome.commit.index, &receipt) == ERR_NONE &&
        append_receipt(c, buffer_span(&receipt)) != ERR_NONE)
        log_write(LOG_WARN, "server", "receipt_left_out", LOG_STRING("request_id", c->request_id));
    buffer_clear(&receipt);
    take_reply(c);
    post_reveal(c);
}

/* On the loop, after the commit. */
static void committed(void *argument)
{
    struct call *c = argument;

    if (c->outcome.commit.result != ERR_NONE) {
        secret_free(&c->outcome.reply);
        c->retry_after_s = 1;
        call_refuse(c, 503, "log_unavailable",
                    "The log cannot be written, so nothing was released; try again");
        call_reveal(c);
        return;
    }
    if (c->outcome.wants_receipt && c->outcome.reply) {
        c->job.run = receipt_then_reveal;
        if (pool_submit(c->server->pool, &c->job) == ERR_NONE)
            return;
    }
    take_reply(c);
    call_reveal(c);
}

/* On the writer's thread: hands each loop its part of the batch with one wake. */
void batch_done(void *context, struct writer_request *batch, size_t count)
{
    struct server *s = context;
    struct http_task *first[HTTP_LOOPS_MAX] = {0};
    struct http_task *last[HTTP_LOOPS_MAX] = {0};

    (void)count;
    while (batch) {
        struct writer_request *next = batch->next;
        struct call *c = batch->owner;

        if (c && c->awaited) {
            (void)sem_post(c->awaited); /* it belongs to that thread again */
        } else if (c) {
            c->task = (struct http_task){.call = committed, .argument = c};
            if (last[c->loop])
                last[c->loop]->next = &c->task;
            else
                first[c->loop] = &c->task;
            last[c->loop] = &c->task;
        } else { /* an entry about the keystore itself */
            struct outcome *o =
                (struct outcome *)((char *)batch - offsetof(struct outcome, commit));

            outcome_clear(o);
            free(o);
        }
        batch = next;
    }
    for (unsigned i = 0; i < s->options.http.loops; i++)
        if (first[i])
            http_server_post_list(s->http, i, first[i], last[i]);
}

enum err call_commit(struct call *c)
{
    sem_t committed;
    enum err e;

    (void)sem_init(&committed, 0, 0);
    c->outcome.commit.owner = c;
    c->awaited = &committed; /* cppcheck-suppress autoVariables; taken back below */
    e = store_writer_submit(c->server->writer, &c->outcome.commit);
    if (e == ERR_NONE) {
        while (sem_wait(&committed) != 0)
            continue;
        e = c->outcome.commit.result;
    }
    c->awaited = NULL;
    (void)sem_destroy(&committed);
    return e;
}

void call_committed(struct call *c)
{
    take_reply(c);
}

void call_record(struct call *c)
{
    c->recorded = true;
}

void call_finish(struct call *c)
{
    enum err e;

    if (!c->recorded) {
        post_reveal(c);
        return;
    }
    if (c->outcome.result != ERR_NONE) /* admission refuses a token with too many of these */
        (void)rate_take(c->server->denials, SPAN_OF(c->principal.id), clock_monotonic_us());
    c->outcome.commit.owner = c;
    e = store_writer_submit(c->server->writer, &c->outcome.commit);
    if (e == ERR_NONE)
        return;
    secret_free(&c->outcome.reply);
    c->retry_after_s = 1;
    call_refuse(c, 503, "overloaded", "The log's queue is full; nothing was released; try again");
    post_reveal(c);
}
