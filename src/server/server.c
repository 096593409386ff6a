#include "server/server.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "codec/json.h"
#include "server/call.h"
#include "server/status.h"
#include "service/journal.h"

enum {
    ADDRESSES_MAX = 65536,
    EXPENSIVE_PER_SECOND = 50, /* of one address: own evidence, proofs */
    EXPENSIVE_BURST = 100,
    DRAIN_MS = 5000,
};

static void count_refusal(struct server *s, enum refusal kind)
{
    atomic_fetch_add_explicit(&s->refused[kind], 1, memory_order_relaxed);
}

/* ---- replies ---- */

static void write_error(struct writer *w, const char *code, const char *text, const char *detail,
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
    write_error(&w, code, text, detail, c->request_id);
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
    buffer_clear(&c->body);
    secret_free(&c->secret_body);
    atomic_fetch_sub_explicit(&c->server->pending, 1, memory_order_release);
    free(c);
}

static void headers_write(char *out, size_t size, const char *request_id, unsigned retry_after_s)
{
    int used = snprintf(out, size, "X-Request-Id: %s\r\nCache-Control: no-store\r\n", request_id);

    if (retry_after_s > 0 && used > 0 && (size_t)used < size)
        (void)snprintf(out + used, size - (size_t)used, "Retry-After: %u\r\n", retry_after_s);
}

/* On the loop's thread: the only place a reply leaves. */
static void reveal(void *argument)
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
    c->task = (struct http_task){.call = reveal, .argument = c};
    http_server_post(c->server->http, c->loop, &c->task);
}

/* ---- commit ---- */

/* {...} becomes {...,"receipt":<receipt>} in guarded memory. */
static enum err append_receipt(struct call *c, struct span receipt)
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
        reveal(c);
        return;
    }
    if (c->outcome.wants_receipt && c->outcome.reply) {
        c->job.run = receipt_then_reveal;
        if (pool_submit(c->server->pool, &c->job) == ERR_NONE)
            return;
    }
    take_reply(c);
    reveal(c);
}

/* On the writer's thread: hands each loop its part of the batch with one wake. */
static void batch_done(void *context, struct writer_request *batch, size_t count)
{
    struct server *s = context;
    struct http_task *first[HTTP_LOOPS_MAX] = {0};
    struct http_task *last[HTTP_LOOPS_MAX] = {0};

    (void)count;
    while (batch) {
        struct writer_request *next = batch->next;
        struct call *c = batch->owner;

        if (c) {
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
    c->outcome.commit.owner = c;
    e = store_writer_submit(c->server->writer, &c->outcome.commit);
    if (e == ERR_NONE)
        return;
    secret_free(&c->outcome.reply);
    c->retry_after_s = 1;
    call_refuse(c, 503, "overloaded", "The log's queue is full; nothing was released; try again");
    post_reveal(c);
}

/* ---- the door ---- */

static const struct route *find_route(const struct http_request *r, bool *path_known)
{
    bool is_head = span_equal_string(r->method, "HEAD");

    *path_known = false;
    for (size_t i = 0; i < route_count; i++) {
        if (!span_equal_string(r->path, routes[i].path))
            continue;
        *path_known = true;
        if (span_equal_string(r->method, routes[i].method) ||
            (is_head && strcmp(routes[i].method, "GET") == 0))
            return &routes[i];
    }
    return NULL;
}

static const char *allowed_methods(const struct http_request *r)
{
    bool get = false;
    bool post = false;

    for (size_t i = 0; i < route_count; i++) {
        if (span_equal_string(r->path, routes[i].path)) {
            get |= strcmp(routes[i].method, "GET") == 0;
            post |= strcmp(routes[i].method, "POST") == 0;
        }
    }
    return get && post ? "GET, HEAD, POST" : get ? "GET, HEAD" : "POST";
}

/* A refusal that gets no log entry, only a count. What it says stays until the loop's next one. */
static void write_refusal(struct server *s, unsigned loop, enum refusal kind,
                          const struct http_refusal *why, int64_t wait_ms, struct http_reply *reply)
{
    struct loop_state *l = &s->loops[loop];
    char request_id[REQUEST_ID_SIZE + 1] = {0};
    struct writer w = writer_over(l->reply, sizeof l->reply);

    count_refusal(s, kind);
    atomic_fetch_add_explicit(&s->replies[why->status / 100 % 6], 1, memory_order_relaxed);
    request_id_write(clock_now(), request_id);
    write_error(&w, why->code, why->text, NULL, request_id);
    headers_write(l->headers, sizeof l->headers, request_id,
                  wait_ms > 0 ? (unsigned)((wait_ms + 999) / 1000) : 0);
    *reply = (struct http_reply){.status = why->status,
                                 .content_type = "application/json",
                                 .body = span_of(l->reply, w.size),
                                 .extra_headers = l->headers};
}

/* Refuses at the door. */
static unsigned turn_away(struct server *s, const struct http_request *r, enum refusal kind,
                          unsigned status, const char *code, const char *text, int64_t wait_ms,
                          struct http_reply *reply)
{
    char *headers = s->loops[r->loop].headers;
    size_t capacity = sizeof s->loops[r->loop].headers;
    size_t used;

    write_refusal(s, r->loop, kind, &(struct http_refusal){status, code, text}, wait_ms, reply);
    used = strlen(headers);
    if (status == 405)
        (void)snprintf(headers + used, capacity - used, "Allow: %s\r\n", allowed_methods(r));
    if (status == 401)
        (void)snprintf(headers + used, capacity - used, "WWW-Authenticate: Bearer\r\n");
    return status;
}

static int64_t rates_before_token(struct server *s, const struct http_request *r, bool expensive,
                                  int64_t now_us)
{
    int64_t wait = rate_take(s->total, SPAN_LITERAL("total"), now_us);

    if (wait == 0)
        wait = rate_take(s->per_address, SPAN_OF(r->peer_key), now_us);
    if (wait == 0 && expensive)
        wait = rate_take(s->expensive, SPAN_OF(r->peer_key), now_us);
    return wait;
}

static bool is_json(const struct http_request *r)
{
    struct span type;
    struct span wanted = SPAN_LITERAL("application/json");

    if (!http_header(r, "content-type", &type) || type.size < wanted.size)
        return false;
    for (size_t i = 0; i < wanted.size; i++)
        if ((type.data[i] | 0x20) != wanted.data[i] && type.data[i] != wanted.data[i])
            return false;
    return type.size == wanted.size || type.data[wanted.size] == ';' ||
           type.data[wanted.size] == ' ';
}

static enum err authenticate(const struct server *s, const struct http_request *r,
                             const struct token_entry **token, const char **why)
{
    struct span value = {0};
    bool present = http_header(r, "authorization", &value);

    return token_check(s->svc->tokens, value, !present, token, why);
}

static unsigned admit(void *context, const struct http_request *r, size_t body_size,
                      struct http_reply *reply)
{
    struct server *s = context;
    const struct token_entry *token = NULL;
    const char *why = "";
    bool path_known;
    const struct route *route = find_route(r, &path_known);
    int64_t now_us = clock_monotonic_us();
    int64_t wait = rates_before_token(s, r, route && route->expensive, now_us);

    if (wait > 0)
        return turn_away(s, r, REFUSED_RATE, 429, "rate_limited", "Too many requests", wait, reply);
    if (!path_known)
        return turn_away(s, r, REFUSED_OTHER, 404, "no_such_path", "No such path", 0, reply);
    if (!route)
        return turn_away(s, r, REFUSED_OTHER, 405, "method_not_allowed", "Method not allowed", 0,
                         reply);
    if (route->roles != 0) {
        if (authenticate(s, r, &token, &why) != ERR_NONE)
            return turn_away(s, r, REFUSED_TOKEN, 401, "unauthenticated", why, 0, reply);
        if (!(route->roles & (unsigned)token->role))
            return turn_away(s, r, REFUSED_TOKEN, 403, "role_not_allowed",
                             "This token's role does not allow this request", 0, reply);
        wait = rate_take(s->per_token, SPAN_OF(token->hash), now_us);
        if (wait > 0)
            return turn_away(s, r, REFUSED_RATE, 429, "rate_limited", "Too many requests", wait,
                             reply);
    }
    if (route->takes_json && !is_json(r))
        return turn_away(s, r, REFUSED_OTHER, 415, "content_type",
                         "Expected request with `Content-Type: application/json`", 0, reply);
    if (!route->takes_json && body_size > 0 && strcmp(route->method, "GET") == 0)
        return turn_away(s, r, REFUSED_OTHER, 400, "unexpected_body", "A GET has no body", 0,
                         reply);
    return 0;
}

/* What net/ refuses: bad framing, and deadlines that passed. */
static void refused(void *context, unsigned loop, const char *peer, const struct http_refusal *why,
                    struct http_reply *reply)
{
    write_refusal(context, loop, REFUSED_FRAMING, why, 0, reply);
    log_write(LOG_DEBUG, "net", "request_refused", LOG_STRING("peer", peer),
              LOG_STRING("code", why->code));
}

/* ---- dispatch ---- */

static void run_on_pool(struct pool_job *job, struct service_thread *thread)
{
    struct call *c = (struct call *)((char *)job - offsetof(struct call, job));

    c->route->run(c, thread);
}

/* No memory for it, or the server is stopping. */
static void turn_back(struct server *s, struct http_exchange *x)
{
    static const struct http_refusal why = {503, "overloaded",
                                            "The server cannot take it; try again"};
    struct http_reply reply;

    write_refusal(s, http_exchange_request(x)->loop, REFUSED_OTHER, &why, 1000, &reply);
    reply.close = true;
    http_exchange_reply(x, &reply);
}

static void handle(void *context, struct http_exchange *x)
{
    struct server *s = context;
    struct call *c =
        atomic_load_explicit(&s->stopping, memory_order_relaxed) ? NULL : calloc(1, sizeof *c);
    const char *why;
    bool path_known;

    if (!c) {
        turn_back(s, x);
        return;
    }
    atomic_fetch_add_explicit(&s->pending, 1, memory_order_relaxed);
    c->server = s;
    c->exchange = x;
    c->request = http_exchange_request(x);
    c->loop = c->request->loop;
    c->now = clock_now();
    c->route = find_route(c->request, &path_known);
    request_id_write(c->now, c->request_id);
    /* admit() has let it in; what it found is found again here rather than carried along */
    if (!c->route ||
        (c->route->roles != 0 && authenticate(s, c->request, &c->token, &why) != ERR_NONE)) {
        call_refuse(c, 401, "unauthenticated", "Invalid token");
        reveal(c);
        return;
    }
    if (c->route->place == ON_LOOP) {
        c->route->run(c, &s->loops[c->loop].thread);
        return;
    }
    c->job.run = run_on_pool;
    if (pool_submit(s->pool, &c->job) != ERR_NONE) {
        c->retry_after_s = 1;
        call_refuse(c, 503, "overloaded", "Too much work is waiting; try again");
        reveal(c);
    }
}

/* ---- the summary ---- */

static enum err summary_detail(struct server *s, struct writer *w, bool *any)
{
    static const char *const names[REFUSALS] = {"bad_framing", "bad_token", "rate_limited",
                                                "other"};
    struct json_writer j = json_writer_over(w);

    *any = false;
    json_open_object(&j, NULL);
    for (size_t i = 0; i < REFUSALS; i++) {
        uint64_t now = atomic_load_explicit(&s->refused[i], memory_order_relaxed);
        uint64_t since = now - s->summarised[i];

        s->summarised[i] = now;
        *any |= since > 0;
        if (since > 0)
            json_put_int(&j, names[i], (int64_t)since);
    }
    json_close_object(&j);
    return writer_finish(w, NULL);
}

/* An entry about the keystore itself; batch_done() frees it. Lost only with memory or a full queue.
 */
static void submit_event(struct server *s, struct span op, struct span detail, struct timestamp now)
{
    char request_id[REQUEST_ID_SIZE];
    struct outcome *o = calloc(1, sizeof *o);

    if (!o)
        return;
    request_id_write(now, request_id);
    if (journal_event(s->svc, op, detail, SPAN_OF(request_id), now, o) != ERR_NONE ||
        store_writer_submit(s->writer, &o->commit) != ERR_NONE) {
        outcome_clear(o);
        free(o);
    }
}

/*
 * While commits fail /readyz says so and nobody may send requests any more, so somebody has to try:
 * the entry that succeeds ends the outage and marks it in the log.
 */
static void try_log_again(struct server *s, struct timestamp now)
{
    char detail[64];
    struct writer_figures figures;
    int size;

    store_writer_figures(s->writer, &figures);
    if (!figures.failing || figures.queue_length > 0)
        return;
    size = snprintf(detail, sizeof detail, "{\"failures\":%llu}",
                    (unsigned long long)figures.failures);
    submit_event(s, SPAN_LITERAL("log-recovered"), span_of(detail, (size_t)size), now);
}

void server_tick(struct server *s, struct timestamp now)
{
    uint8_t text[256];
    struct writer w = writer_over(text, sizeof text);
    bool any;

    try_log_again(s, now);

    if (now.ms - s->last_summary.ms < (int64_t)s->options.summary_interval_s * 1000 &&
        now.ms >= s->last_summary.ms)
        return;
    s->last_summary = now;
    if (summary_detail(s, &w, &any) == ERR_NONE && any)
        submit_event(s, SPAN_LITERAL("refused-summary"), span_of(text, w.size), now);
}

/* ---- life ---- */

static void loop_begin(void *context, unsigned loop)
{
    (void)context;
    (void)loop;
    (void)pthread_setname_np(pthread_self(), "loop"); /* for those who look at threads */
}

static void loop_end(void *context, unsigned loop)
{
    (void)context;
    (void)loop;
    secret_cache_clear();
}

static enum err rates_new(struct server *s)
{
    struct rate_limit expensive = {EXPENSIVE_PER_SECOND, EXPENSIVE_BURST};
    enum err e;

    if ((e = rate_table_new(s->options.per_token, 4 * TOKENS_MAX, &s->per_token)) != ERR_NONE ||
        (e = rate_table_new(s->options.per_address, ADDRESSES_MAX, &s->per_address)) != ERR_NONE ||
        (e = rate_table_new(expensive, ADDRESSES_MAX, &s->expensive)) != ERR_NONE)
        return e;
    return rate_table_new(s->options.total, 4, &s->total);
}

static enum err loops_new(struct server *s)
{
    enum err e = ERR_NONE;

    s->loops = calloc(s->options.http.loops, sizeof *s->loops);
    if (!s->loops)
        return ERR_MEMORY;
    for (unsigned i = 0; i < s->options.http.loops && e == ERR_NONE; i++)
        e = service_thread_init(&s->loops[i].thread);
    return e;
}

enum err server_start(const struct server_options *options, struct service *svc,
                      struct server **out)
{
    struct server *s = calloc(1, sizeof *s);
    struct http_handler handler = {admit, handle, refused, loop_begin, loop_end, s};
    enum err e;

    if (!s)
        return ERR_MEMORY;
    s->options = *options;
    s->svc = svc;
    s->last_summary = svc->started;
    if ((e = rates_new(s)) != ERR_NONE || (e = loops_new(s)) != ERR_NONE ||
        (e = pool_start(options->pool_threads, &s->pool)) != ERR_NONE ||
        (e = store_writer_start(svc->store, batch_done, s, &s->writer)) != ERR_NONE ||
        (e = http_server_start(&options->http, &handler, &s->http)) != ERR_NONE) {
        server_stop(&s);
        return e;
    }
    *out = s;
    return ERR_NONE;
}

uint16_t server_port(const struct server *s)
{
    return http_server_port(s->http);
}

static void pass_barrier(void *argument)
{
    (void)sem_post(argument);
}

/* Afterwards no loop begins a call: each has finished the one it was in and seen `stopping`. */
static void stop_calls(struct server *s)
{
    struct http_task tasks[HTTP_LOOPS_MAX];
    sem_t passed;

    atomic_store(&s->stopping, true);
    (void)sem_init(&passed, 0, 0);
    for (unsigned i = 0; i < s->options.http.loops; i++) {
        tasks[i] = (struct http_task){.call = pass_barrier, .argument = &passed};
        http_server_post(s->http, i, &tasks[i]);
    }
    for (unsigned i = 0; i < s->options.http.loops; i++)
        while (sem_wait(&passed) != 0)
            continue;
    (void)sem_destroy(&passed);
}

void server_stop(struct server **server)
{
    struct server *s = *server;

    *server = NULL;
    if (!s)
        return;
    /* in the order of the work: no new calls, no new jobs, no new commits; the loops run until
     * the end, since the others post replies to them */
    if (s->http) {
        http_server_drain(s->http, DRAIN_MS);
        stop_calls(s);
    }
    pool_stop(s->pool);
    store_writer_stop(&s->writer);
    if (s->http)
        http_server_stop(&s->http, 0);
    pool_free(&s->pool);
    for (unsigned i = 0; s->loops && i < s->options.http.loops; i++)
        service_thread_clear(&s->loops[i].thread);
    free(s->loops);
    rate_table_free(&s->per_token);
    rate_table_free(&s->per_address);
    rate_table_free(&s->total);
    rate_table_free(&s->expensive);
    free(s);
}
