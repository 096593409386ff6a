/* From an outcome to a reply: commit first, then reveal, on the loop the request came in on. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "server/call.h"
#include "server/render.h"
#include "server/status.h"
#include "service/log_read.h"

enum {
    ERROR_MAX = 8192,
    COMMITTING_LEAST_SIZE =
        16 * 1024 /* a call counts for at least this much, which also bounds their number */
};

static void take_error(struct call *c, unsigned status, const struct writer *w)
{
    c->status = status;
    c->content_type = "application/json";
    c->cache_control = NULL;
    buffer_clear(&c->body);
    secret_free(&c->secret_body);
    secret_free(&c->reply);
    if (w->failed || buffer_append(&c->body, span_of(w->data, w->size)) != ERR_NONE)
        c->content_type = NULL; /* out of memory: only the status */
}

void call_refuse(struct call *c, unsigned status, const char *code, const char *text)
{
    uint8_t body[ERROR_MAX];
    struct writer w = writer_over(body, sizeof body);

    render_error(code, text, c->request_id, &w);
    take_error(c, status, &w);
}

void call_refuse_err(struct call *c, enum err e, const char *code, const char *text)
{
    call_refuse(c, status_of(e), code, text);
}

/* Adds the operation's own refusal. */
static void refuse_outcome(struct call *c)
{
    const struct refusal *why = &c->outcome.refusal;
    uint8_t body[ERROR_MAX];
    struct writer w = writer_over(body, sizeof body);

    render_refusal(why, c->request_id, &w);
    c->retry_after_s = why->retry_after_s;
    take_error(c, status_of(why->error), &w);
}

void call_answer(struct call *c, enum err e)
{
    if (e != ERR_NONE) {
        if (e == ERR_UNAVAILABLE)
            c->retry_after_s = 1;
        call_refuse_err(c, e, err_code(e), err_text(e));
        return;
    }
    c->status = 200;
    if (!c->content_type)
        c->content_type = "application/json";
}

static struct quota_owner owner_of(const struct call *c)
{
    struct quota_owner o;

    memcpy(o.key, c->principal.id, sizeof o.key);
    return o;
}

/* Counts `size` bytes until the commit, or as many as the limit allows. */
MUST_CHECK static bool committing_take(struct call *c)
{
    const struct quota_owner owner = owner_of(c);
    size_t size =
        COMMITTING_LEAST_SIZE + c->outcome.entry.capacity + (c->reply ? secret_size(c->reply) : 0);

    if (!quota_take(c->server->committing, &owner, size))
        return false;
    c->committing_size = size;
    return true;
}

static void committing_give(struct call *c, size_t size)
{
    const struct quota_owner owner = owner_of(c);

    quota_give(c->server->committing, &owner, size);
    c->committing_size -= size;
}

/* Wipes and frees a reply that will not be sent; the entry is still committed. */
static void drop_reply(struct call *c)
{
    size_t size = c->reply ? secret_size(c->reply) : 0;

    secret_free(&c->reply);
    if (c->committing_size > 0)
        committing_give(c, size);
}

void call_gone(void *context, struct http_exchange *x)
{
    struct call *c = http_exchange_state(x);

    (void)context;
    if (c && (atomic_fetch_or(&c->flags, CALL_GONE) & CALL_COMMITTING))
        drop_reply(c);
}

static void call_free(struct call *c)
{
    if (c->committing_size > 0)
        committing_give(c, c->committing_size);
    outcome_clear(&c->outcome);
    secret_free(&c->reply);
    call_memory_free(c);
    buffer_clear(&c->body);
    secret_free(&c->secret_body);
    executor_release(&c->job);
    atomic_fetch_sub_explicit(&c->server->pending, 1, memory_order_release);
    free(c);
}

void headers_write(char *out, size_t size, const char *request_id, unsigned retry_after_s,
                   const char *cache_control)
{
    struct writer w = writer_over(out, size - 1);
    char digits[DECIMAL_MAX_SIZE];

    writer_put(&w, SPAN_LITERAL("X-Request-Id: "));
    writer_put(&w, span_string(request_id));
    writer_put(&w, SPAN_LITERAL("\r\nCache-Control: "));
    writer_put(&w, span_string(cache_control ? cache_control : "no-store"));
    writer_put(&w, SPAN_LITERAL("\r\n"));
    if (retry_after_s > 0) {
        writer_put(&w, SPAN_LITERAL("Retry-After: "));
        writer_put(&w, span_of(digits, decimal_write(retry_after_s, digits)));
        writer_put(&w, SPAN_LITERAL("\r\n"));
    }
    assert(!w.failed); /* callers have room for the longest */
    out[w.size] = '\0';
}

/* On the loop's thread: the only place that sends a reply. */
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

    headers_write(headers, sizeof headers, c->request_id, c->retry_after_s, c->cache_control);
    atomic_fetch_add_explicit(&c->server->replies[c->status / 100 % 6], 1, memory_order_relaxed);
    if (c->route)
        latency_observe(&c->server->loops[c->loop].latency, c->route,
                        clock_monotonic_us() - c->now_us);
    c->secret_body = NULL; /* its ownership passes with the reply */
    http_exchange_reply(c->exchange, &reply);
    call_free(c);
}

static void post(struct call *c, void (*call)(void *))
{
    c->task = (struct http_task){.call = call, .argument = c};
    http_server_post(c->server->http, c->loop, &c->task);
}

static void post_reveal(struct call *c)
{
    post(c, call_reveal);
}

/* On the loop: the outcome did not reach the writer. */
static void not_committed(void *argument)
{
    struct call *c = argument;

    (void)atomic_fetch_and(&c->flags, ~(unsigned)CALL_COMMITTING);
    secret_free(&c->reply);
    c->retry_after_s = 1;
    if (c->outcome.commit.result == ERR_IO)
        call_refuse(c, 503, "log_unavailable",
                    "The log cannot be written, so nothing was released; try again");
    else
        call_refuse(c, 503, "overloaded",
                    "The log's queue is full; nothing was released; try again");
    call_reveal(c);
}

/* Turns {...} into {...,"receipt":<receipt>} in guarded memory. */
MUST_CHECK static enum err append_receipt(struct call *c, struct span receipt)
{
    static const char name[] = ",\"receipt\":";
    struct span reply = secret_span(c->reply);
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
    secret_free(&c->reply);
    c->reply = joined;
    return ERR_NONE;
}

/* The outcome is durable, so its reply may be sent. */
static void take_reply(struct call *c)
{
    if (c->outcome.refusal.error != ERR_NONE) {
        refuse_outcome(c);
        return;
    }
    c->status = 200;
    c->content_type = "application/json";
    c->secret_body = c->reply;
    c->reply = NULL;
}

static void receipt_then_reveal(struct executor_job *job, struct service_thread *thread)
{
    struct call *c = (struct call *)((char *)job - offsetof(struct call, job));
    struct buffer receipt = {0};

    (void)thread;
    /* the entry already says that the secret was released. So the reply is sent without a
     * receipt, which can be fetched by the request's id */
    if (log_read_receipt(service_store(c->server->svc), c->outcome.commit.index, &receipt) ==
            ERR_NONE &&
        append_receipt(c, buffer_span(&receipt)) != ERR_NONE)
        log_write(LOG_WARN, "server", "receipt_left_out", LOG_STRING("request_id", c->request_id));
    buffer_clear(&receipt);
    take_reply(c);
    post_reveal(c);
}

static const char stale_text[] =
    "Another keystore of this database changed the policies at the same time, so nothing was "
    "released or changed; try again";

/* Nothing of the call is stored. The next one finds the policies as they are now. */
static void refuse_stale(struct call *c)
{
    server_refresh_policies(c->server);
    c->retry_after_s = 1;
    call_refuse(c, 503, "policies_changed", stale_text);
}

/* On the loop, after the commit. */
static void committed(void *argument)
{
    struct call *c = argument;

    (void)atomic_fetch_and(&c->flags, ~(unsigned)CALL_COMMITTING);
    if (c->outcome.commit.result != ERR_NONE) {
        c->retry_after_s = 1;
        call_refuse(c, 503, "log_unavailable",
                    c->outcome.commit.result == ERR_UNAVAILABLE
                        ? "The keystore stops. Nothing was released, although the log may say so; "
                          "try again"
                        : "The log cannot be written, so nothing was released; try again");
        call_reveal(c);
        return;
    }
    if (outcome_is_stale(&c->outcome)) {
        refuse_stale(c);
        call_reveal(c);
        return;
    }
    operation_committed(c->server->svc, &c->outcome);
    if (c->outcome.wants_receipt && c->reply &&
        call_continue(c, EXECUTOR_READ, receipt_then_reveal) == ERR_NONE)
        return;
    take_reply(c);
    call_reveal(c);
}

/* On the writer's thread: gives each loop its part of the batch with one wake-up. */
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
            (void)sem_post(c->awaited); /* that thread owns the call again */
        } else if (c) {
            c->task = (struct http_task){.call = committed, .argument = c};
            if (last[c->loop])
                last[c->loop]->next = &c->task;
            else
                first[c->loop] = &c->task;
            last[c->loop] = &c->task;
        } else {
            event_done(s, batch);
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

struct caller call_caller(const struct call *c)
{
    return (struct caller){.principal = &c->principal,
                           .request_id = span_of(c->request_id, REQUEST_ID_SIZE),
                           .now_us = c->now_us};
}

/* For operators; the evidence is in the log of operations. Only names and codes. */
static void log_denial(struct call *c)
{
    const struct refusal *why = &c->outcome.refusal;
    const char *op = c->outcome.operation ? c->outcome.operation->name : "none";
    const char *code = why->code ? why->code : err_code(why->error);
    uint64_t left_out = 0;

    denial_count(&c->server->denied, op, code, why->rule);
    if (log_limit_take(&c->server->denials_logged, clock_monotonic_us(), &left_out))
        log_write(LOG_INFO, "service", "denied", LOG_STRING("op", op), LOG_STRING("code", code),
                  LOG_STRING("policy", why->rule), LOG_STRING("principal", c->principal.name),
                  LOG_STRING("request_id", c->request_id), LOG_NUMBER("left_out", left_out));
}

/* Each operation is an entry of the log, so a token must not fill the disk with them. */
MUST_CHECK static enum err growth_check(struct call *c)
{
    struct server *s = c->server;
    const int64_t wait = growth_wait(s->growth, SPAN_OF(c->principal.id), clock_monotonic_us());

    if (wait == 0)
        return ERR_NONE;
    atomic_fetch_add_explicit(&s->refused[REFUSED_QUOTA], 1, memory_order_relaxed);
    c->retry_after_s = (unsigned)((wait + 999) / 1000);
    call_refuse(c, 429, "log_quota_exceeded",
                "This token has used up its share of the log for this hour");
    return ERR_RATE_LIMITED;
}

/* What an operator does may free space, so it goes on when the others are refused. */
enum err call_space_check(struct call *c)
{
    struct space_figures f;

    space_figures(c->server->space, &f);
    if (!f.full || authorize_is_administrative(c->route->action))
        return ERR_NONE;
    c->retry_after_s = 60;
    call_refuse(c, 503, "store_full", "The store has reached the limit of its size");
    return ERR_UNAVAILABLE;
}

/* The outcome is recorded, refused or not, unless there is no memory. */
MUST_CHECK static enum err operate(struct call *c, struct service_thread *thread,
                                   enum operation_id id, const void *request)
{
    const struct caller caller = call_caller(c);
    enum err e = call_space_check(c);

    if (e == ERR_NONE)
        e = growth_check(c);
    if (e != ERR_NONE)
        return e;
    e = operation_run(c->server->svc, thread, id, &caller, request, c->now, &c->outcome);
    c->recorded = c->outcome.entry.size > 0;
    if (c->recorded)
        growth_count(c->server->growth, SPAN_OF(c->principal.id), c->outcome.entry.size,
                     clock_monotonic_us());
    if (!c->recorded)
        refuse_outcome(c);
    if (e != ERR_NONE)
        log_denial(c);
    return e;
}

void call_operate(struct call *c, struct service_thread *thread, enum operation_id id,
                  const void *request)
{
    enum err e = operate(c, thread, id, request);

    if (e != ERR_NONE)
        return;
    e = render_result(&c->outcome, &c->reply);
    operation_result_clear(&c->outcome.result);
    if (e != ERR_NONE) { /* without a reply nothing is released, and no entry says that it was */
        c->recorded = false;
        call_answer(c, e);
    }
}

enum err call_operate_and_commit(struct call *c, struct service_thread *thread,
                                 enum operation_id id, const void *request)
{
    enum err e = operate(c, thread, id, request);

    if (e != ERR_NONE)
        return e;
    c->recorded = false; /* call_finish() has nothing to commit any more */
    if ((e = call_commit(c)) != ERR_NONE) {
        c->retry_after_s = 1;
        call_refuse(c, 503, "log_unavailable", render_not_committed(e));
        return e;
    }
    if (outcome_is_stale(&c->outcome)) {
        refuse_stale(c);
        return ERR_CONFLICT;
    }
    operation_committed(c->server->svc, &c->outcome);
    return ERR_NONE;
}

void call_finish(struct call *c)
{
    enum err e;

    if (!c->recorded) {
        post_reveal(c);
        return;
    }
    if (c->outcome.refusal.error != ERR_NONE) /* admission refuses a token with too many of these */
        (void)rate_take(c->server->denials, SPAN_OF(c->principal.id), clock_monotonic_us());
    /* the work is done: its memory is freed now, because the commit may take long */
    http_exchange_release(c->exchange);
    call_memory_free(c);
    executor_release(&c->job);
    c->outcome.commit.owner = c;
    if (!committing_take(c)) {
        post(c, not_committed);
        return;
    }
    if (atomic_fetch_or(&c->flags, CALL_COMMITTING) & CALL_GONE)
        drop_reply(c); /* call_gone() came before, so only this frees it */
    e = store_writer_submit(c->server->writer, &c->outcome.commit);
    if (e != ERR_NONE) {
        c->outcome.commit.result = e;
        post(c, not_committed);
    }
}
