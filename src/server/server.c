#include "server/server.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "server/admission.h"

enum {
    DRAIN_MS = 5000,
    COMMITTING_MAX = 128 * 1024 * 1024 /* bytes of calls that wait for the log */
};

/* ---- dispatch ---- */

static void run_route(struct executor_job *job, struct service_thread *thread)
{
    struct call *c = (struct call *)((char *)job - offsetof(struct call, job));

    if (atomic_load(&c->flags) & CALL_GONE) { /* the caller left while it waited */
        call_refuse(c, 503, "timeout", "The answer took too long");
        call_finish(c);
        return;
    }
    c->route->run(c, thread);
}

/* There is no memory for it, or the server is stopping. */
static void turn_back(struct server *s, struct http_exchange *x)
{
    static const struct http_refusal why = {503, "overloaded",
                                            "The server cannot take it; try again"};
    struct http_reply reply;

    admission_refusal(s, http_exchange_request(x)->loop, REFUSED_OTHER, &why, 1000, &reply);
    reply.close = true;
    http_exchange_reply(x, &reply);
}

/* admit() has let it in. What it found holds for the request that it let in last, no other. */
MUST_CHECK static enum err authenticate(struct call *c)
{
    const char *why;

    if (authorize_is_public(c->route->action))
        return ERR_NONE;
    if (!c->request->just_admitted)
        return admission_authenticate(c->server, c->request, &c->principal, &why);
    c->principal = c->server->loops[c->loop].admitted;
    return ERR_NONE;
}

static void handle(void *context, struct http_exchange *x)
{
    struct server *s = context;
    struct call *c =
        atomic_load_explicit(&s->stopping, memory_order_relaxed) ? NULL : calloc(1, sizeof *c);
    bool path_known;

    if (!c) {
        turn_back(s, x);
        return;
    }
    atomic_fetch_add_explicit(&s->pending, 1, memory_order_relaxed);
    c->server = s;
    c->exchange = x;
    c->request = http_exchange_request(x);
    http_exchange_set_state(x, c);
    c->loop = c->request->loop;
    c->now = clock_now();
    c->now_us = clock_monotonic_us();
    c->route = admission_route(s, c->request, &path_known);
    request_id_write(c->now, c->request_id);
    if (!c->route || authenticate(c) != ERR_NONE) {
        call_refuse(c, 401, "unauthenticated", "Invalid token");
        call_reveal(c);
        return;
    }
    if (!authorize_admits(&c->principal, c->route->action)) { /* a reload changed its role */
        call_refuse(c, 403, "role_not_allowed", ROLE_NOT_ALLOWED);
        call_reveal(c);
        return;
    }
    if (c->route->executor == ON_LOOP)
        c->route->run(c, &s->loops[c->loop].thread);
    else
        call_submit(c, c->route->executor, run_route);
}

/* ---- the summary ---- */

MUST_CHECK static enum err summary_detail(struct server *s, struct writer *w, bool *any)
{
    static const char *const names[REFUSALS] = {"bad_framing",  "bad_token", "wrong_role",
                                                "rate_limited", "log_quota", "other"};
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

void server_clock_jumped(struct server *s, int64_t by_ms)
{
    atomic_fetch_add_explicit(&s->clock_jumps[by_ms > 0], 1, memory_order_relaxed);
}

/*
 * While commits fail, /readyz says so, and there may be no more requests. So the server tries an
 * entry of its own. When that succeeds, it ends the outage and marks it in the log.
 */
static void try_log_again(struct server *s, const struct writer_figures *figures,
                          struct timestamp now)
{
    char detail[64];
    int size;

    if (figures->queue_length > 0)
        return;
    size = snprintf(detail, sizeof detail, "{\"failures\":%llu}",
                    (unsigned long long)figures->failures);
    event_try(s, SPAN_LITERAL("log-recovered"), span_of(detail, (size_t)size), now);
}

static void summarise(struct server *s, struct timestamp now)
{
    uint8_t text[256];
    struct writer w = writer_over(text, sizeof text);
    bool any;

    if (now.ms - s->last_summary.ms < (int64_t)s->options.summary_interval_s * 1000 &&
        now.ms >= s->last_summary.ms)
        return;
    s->last_summary = now;
    if (summary_detail(s, &w, &any) == ERR_NONE && any)
        server_event(s, SPAN_LITERAL("refused-summary"), span_of(text, w.size), now);
}

void server_tick(struct server *s, struct timestamp now)
{
    struct writer_figures figures;

    store_writer_figures(s->writer, &figures);
    if (figures.failing) { /* the counts of refusals go on, and their summary waits, too */
        try_log_again(s, &figures, now);
        return;
    }
    events_try_again(s);
    summarise(s, now);
    if (store_is_shared(service_store(s->svc)))
        server_refresh_policies(s);
    scrub_tick(s);
}

/* ---- life ---- */

void server_hurry(struct server *s)
{
    store_writer_hurry(s->writer);
}

static void loop_begin(void *context, unsigned loop)
{
    (void)context;
    (void)loop;
    (void)pthread_setname_np(pthread_self(), "loop"); /* visible in lists of threads */
}

static void loop_end(void *context, unsigned loop)
{
    (void)context;
    (void)loop;
    secret_cache_clear();
}

MUST_CHECK static enum err loops_new(struct server *s)
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
    struct service_facts facts;
    struct http_handler handler = {
        .admit = admission_check,
        .handle = handle,
        .gone = call_gone,
        .handshake = admission_handshake,
        .refused = admission_net_refused,
        .loop_begin = loop_begin,
        .loop_end = loop_end,
        .context = s,
    };
    enum err e;

    if (!s)
        return ERR_MEMORY;
    s->options = *options;
    s->svc = svc;
    service_facts(svc, &facts);
    s->last_summary = facts.started;
    s->simulated = facts.simulated;
    s->has_admin_listener = options->http.admin_socket != NULL;
    denial_counters_init(&s->denied);
    events_init(s);
    if ((e = admission_rates_new(s)) != ERR_NONE || (e = loops_new(s)) != ERR_NONE ||
        (e = executors_start(s)) != ERR_NONE ||
        (e = quota_new(COMMITTING_MAX, &s->committing)) != ERR_NONE ||
        (e = space_start(service_store(svc), options->store_max_bytes, &s->space)) != ERR_NONE ||
        (e = store_writer_start(service_store(svc), batch_done, s, &s->writer)) != ERR_NONE ||
        (e = archiver_start(s, options->archive_after_days, &s->archiver)) != ERR_NONE ||
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

/* After this no loop begins a call: each has finished its last one and seen `stopping`. */
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

/* Calls that wait for a database server which does not answer would use up the time to drain. */
static void hurry_without_server(struct server *s)
{
    struct writer_figures figures = {0};

    if (s->writer)
        store_writer_figures(s->writer, &figures);
    if (figures.unreachable)
        store_writer_hurry(s->writer);
}

void server_stop(struct server **server)
{
    struct server *s = *server;

    *server = NULL;
    if (!s)
        return;
    /* in the order of the work: no new calls, no new jobs, no new commits. The loops run until
     * the end, because the others post replies to them */
    if (s->http) {
        hurry_without_server(s);
        http_server_drain(s->http, DRAIN_MS);
        stop_calls(s);
    }
    if (s->writer)
        store_writer_hurry(s->writer); /* a change waits for its commit, and would not end */
    executors_stop(s);
    archiver_stop(&s->archiver);
    if (s->writer)
        events_try_again(s);
    store_writer_stop(&s->writer);
    space_stop(&s->space);
    if (s->http)
        http_server_stop(&s->http, 0);
    executors_free(s);
    quota_free(&s->committing);
    for (unsigned i = 0; s->loops && i < s->options.http.loops; i++)
        service_thread_clear(&s->loops[i].thread);
    denial_counters_clear(&s->denied);
    events_clear(s);
    free(s->loops);
    admission_rates_free(s);
    free(s);
}
