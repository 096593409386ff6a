/* /health, /healthz, /readyz, /metrics, /openapi.json, /v1/status: for operators and
 * orchestrators. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "codec/json.h"
#include "crypto/tls.h"
#include "server/call.h"
#include "service/archive.h"
#include "service/sealing.h"

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void route_health(struct call *c, struct service_thread *thread)
{
    char hex[2 * X25519_SIZE + 1];
    struct service_facts facts;

    (void)thread;
    service_facts(c->server->svc, &facts);
    hex_write(span_of(facts.global_key, X25519_SIZE), hex);
    call_answer(c, buffer_printf(&c->body,
                                 "{\"status\":\"ok\",\"public_key\":\"%s\",\"tee_mode\":\"%s\"}",
                                 hex, facts.tee_mode));
    call_finish(c);
}

void route_healthz(struct call *c, struct service_thread *thread)
{
    (void)thread;
    c->content_type = "text/plain; charset=utf-8";
    call_answer(c, buffer_append_string(&c->body, "ok\n"));
    call_finish(c);
}

/* Ready, with a second line about a problem of the next start. It must not be "not ready": an
 * orchestrator would restart the keystore, and the keystore could not open its root. */
MUST_CHECK static enum err write_ready(struct call *c)
{
    struct sealing_status sealing;

    sealing_status_get(c->server->svc, &sealing);
    if (sealing.state != SEALING_CHANGED && sealing.state != SEALING_MISSING)
        return buffer_append_string(&c->body, "ready\n");
    return buffer_printf(&c->body,
                         "ready\nwarning: the next start will fail: the sealed root is %s\n",
                         sealing_state_name(sealing.state));
}

static const char *trouble(const struct call *c, const struct writer_figures *f)
{
    struct scrub_figures scrub;

    store_scrub_figures(service_store(c->server->svc), &scrub);
    return f->fenced ? "Another process has taken over this node's log; the operator must stop one "
                       "of the two, and start this one again"
           : scrub.tampered
               ? "Entries of the log were changed; the operator must find out who changed them, "
                 "restore the log and start the keystore again"
           : f->lost ? "The log's files were deleted, replaced or cut; the operator must restore "
                       "the log and start the keystore again"
           : f->unreachable ? "The database server does not answer"
                            : "The log cannot be written";
}

/* Ready means that the log takes entries. While its commits fail, nothing can be revealed. */
void route_readyz(struct call *c, struct service_thread *thread)
{
    struct writer_figures figures;
    struct space_figures space;

    (void)thread;
    space_figures(c->server->space, &space);
    store_writer_figures(c->server->writer, &figures);
    if (figures.failing) {
        c->retry_after_s = 1;
        call_refuse(c, 503, figures.fenced ? "lease_lost" : "log_unavailable",
                    trouble(c, &figures));
    } else if (space.full) {
        c->retry_after_s = 60;
        call_refuse(c, 503, "store_full", "The store has reached the limit of its size");
    } else if (figures.queue_length >= WRITER_QUEUE_MAX / 2) {
        c->retry_after_s = 1;
        call_refuse(c, 503, "overloaded", "The log's queue is more than half full");
    } else {
        c->content_type = "text/plain; charset=utf-8";
        call_answer(c, write_ready(c));
    }
    call_finish(c);
}

void route_openapi(struct call *c, struct service_thread *thread)
{
    (void)thread;
    call_answer(c, buffer_append(&c->body, span_of(openapi_json, openapi_json_size)));
    call_finish(c);
}

struct metric {
    const char *name; /* includes labels */
    uint64_t value;
};

MUST_CHECK static enum err write_metrics(struct buffer *out, const char *family, const char *kind,
                                         const char *help, const struct metric *metrics,
                                         size_t count)
{
    enum err e = buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family, help, family, kind);

    for (size_t i = 0; i < count && e == ERR_NONE; i++)
        e = buffer_printf(out, "%s%s %llu\n", family, metrics[i].name,
                          (unsigned long long)metrics[i].value);
    return e;
}

MUST_CHECK static enum err decision_metrics(struct call *c)
{
    static const char *const decisions[] = {"deny", "allow"};
    char labels[OPERATION_COUNT][COUNT_OF(decisions)][64];
    struct metric metrics[OPERATION_COUNT * COUNT_OF(decisions)];
    size_t count = 0;

    for (unsigned id = 0; id < OPERATION_COUNT; id++)
        for (unsigned allowed = 0; allowed < COUNT_OF(decisions); allowed++) {
            (void)snprintf(labels[id][allowed], sizeof labels[id][allowed],
                           "{op=\"%s\",decision=\"%s\"}", operation_of((enum operation_id)id)->name,
                           decisions[allowed]);
            metrics[count++] = (struct metric){
                labels[id][allowed],
                operation_count(c->server->svc, (enum operation_id)id, allowed != 0)};
        }
    return write_metrics(&c->body, "vouchsafe_operations_total", "counter",
                         "Operations decided, by decision.", metrics, count);
}

MUST_CHECK static enum err operation_metrics(struct call *c)
{
    struct service_facts facts;
    const struct metric refused[] = {
        {"{reason=\"bad_framing\"}",  read_counter(&c->server->refused[REFUSED_FRAMING])},
        {"{reason=\"bad_token\"}",    read_counter(&c->server->refused[REFUSED_TOKEN])  },
        {"{reason=\"wrong_role\"}",   read_counter(&c->server->refused[REFUSED_ROLE])   },
        {"{reason=\"rate_limited\"}", read_counter(&c->server->refused[REFUSED_RATE])   },
        {"{reason=\"log_quota\"}",    read_counter(&c->server->refused[REFUSED_QUOTA])  },
        {"{reason=\"other\"}",        read_counter(&c->server->refused[REFUSED_OTHER])  },
    };
    struct metric sessions[] = {
        {"{result=\"hit\"}",  0},
        {"{result=\"miss\"}", 0}
    };
    enum err e = decision_metrics(c);

    service_facts(c->server->svc, &facts);
    sessions[0].value = facts.session_cache_hits;
    sessions[1].value = facts.session_cache_misses;
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_admission_refused_total", "counter",
                          "Requests refused before authentication was complete.", refused,
                          COUNT_OF(refused));
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_session_cache_total", "counter",
                          "Look-ups of verified sessions.", sessions, COUNT_OF(sessions));
    return e;
}

MUST_CHECK static enum err http_metrics(struct call *c)
{
    struct server *s = c->server;
    struct http_figures f;
    struct metric replies[] = {
        {"{status=\"2xx\"}", read_counter(&s->replies[2])},
        {"{status=\"4xx\"}", read_counter(&s->replies[4])},
        {"{status=\"5xx\"}", read_counter(&s->replies[5])},
    };
    enum err e;

    http_server_figures(s->http, &f);
    e = write_metrics(&c->body, "vouchsafe_http_replies_total", "counter", "Replies by status.",
                      replies, COUNT_OF(replies));
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_http_open_connections", "gauge",
                          "Connections open now.", &(struct metric){"", f.open_connections}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_http_refused_connections_total", "counter",
                          "Connections closed at once because of a cap.",
                          &(struct metric){"", f.refused_connections}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_http_evicted_connections_total", "counter",
                          "Connections of strangers that gave way to new ones.",
                          &(struct metric){"", f.evicted}, 1);
    if (e == ERR_NONE) {
        struct metric held[] = {
            {"{caller=\"stranger\"}",      f.held_by_strangers    },
            {"{caller=\"authenticated\"}", f.held_by_authenticated}
        };

        e = write_metrics(&c->body, "vouchsafe_http_held_bytes", "gauge",
                          "Memory of requests and replies in flight beyond 4 KiB each.", held,
                          COUNT_OF(held));
    }
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_http_timeouts_total", "counter",
                          "Connections closed because a deadline passed.",
                          &(struct metric){"", f.timeouts}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_tls_handshake_failures_total", "counter",
                          "TLS handshakes that failed.", &(struct metric){"", f.tls_failures}, 1);
    if (e == ERR_NONE && s->options.http.tls)
        e = write_metrics(&c->body, "vouchsafe_tls_certificate_expiry_timestamp_seconds", "gauge",
                          "When the certificate that is served expires.",
                          &(struct metric){"", (uint64_t)timestamp_seconds(
                                                   tls_server_not_after(s->options.http.tls))},
                          1);
    return e;
}

MUST_CHECK static enum err clock_metrics(struct call *c)
{
    struct server *s = c->server;
    struct metric jumps[] = {
        {"{direction=\"backward\"}",
         atomic_load_explicit(&s->clock_jumps[0],                             memory_order_relaxed)},
        {"{direction=\"forward\"}",  atomic_load_explicit(&s->clock_jumps[1], memory_order_relaxed)},
    };

    return write_metrics(&c->body, "vouchsafe_clock_jumps_total", "counter",
                         "How often this machine's clock was set by 2 seconds or more.", jumps,
                         COUNT_OF(jumps));
}

MUST_CHECK static enum err executor_metrics(struct call *c)
{
    char labels[EXECUTORS][48];
    struct metric waiting[EXECUTORS];
    struct metric held[EXECUTORS];
    struct metric refused[EXECUTORS];
    enum err e;

    for (unsigned i = 0; i < EXECUTORS; i++) {
        struct executor_figures f;

        executor_figures(c->server->executors[i], &f);
        (void)snprintf(labels[i], sizeof labels[i], "{executor=\"%s\"}", f.name);
        waiting[i] = (struct metric){labels[i], f.waiting};
        held[i] = (struct metric){labels[i], f.bytes};
        refused[i] = (struct metric){labels[i], f.refused};
    }
    e = write_metrics(&c->body, "vouchsafe_executor_waiting_jobs", "gauge",
                      "Requests that wait for a thread of this executor.", waiting, EXECUTORS);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_executor_held_bytes", "gauge",
                          "Memory of the requests that this executor has accepted.", held,
                          EXECUTORS);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_executor_refused_total", "counter",
                          "Requests refused because the executor or the caller's share was full.",
                          refused, EXECUTORS);
    return e;
}

MUST_CHECK static enum err archive_metrics(struct call *c)
{
    struct archiver_figures f;
    enum err e;

    archiver_figures(c->server->archiver, &f);
    e = write_metrics(&c->body, "vouchsafe_log_archived_entries", "gauge",
                      "Entries of the log that are in the archive.",
                      &(struct metric){"", store_archived(service_store(c->server->svc))}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_log_archive_bytes", "gauge",
                          "Size of the archive's files, as of the last run.",
                          &(struct metric){"", f.bytes}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_log_archive_failures_total", "counter",
                          "Runs of the archiver that failed.", &(struct metric){"", f.errors}, 1);
    return e;
}

MUST_CHECK static enum err space_metrics(struct call *c)
{
    struct space_figures f;
    enum err e;

    space_figures(c->server->space, &f);
    e = write_metrics(&c->body, "vouchsafe_store_bytes", "gauge", "Disk that the store uses.",
                      &(struct metric){"", f.used}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_store_limit_bytes", "gauge",
                          "The limit of the store's size; 0 without one.",
                          &(struct metric){"", f.limit}, 1);
    return e == ERR_NONE ? write_metrics(&c->body, "vouchsafe_store_full", "gauge",
                                         "1 while the limit is reached: operations are refused.",
                                         &(struct metric){"", f.full}, 1)
                         : e;
}

MUST_CHECK static enum err log_metrics(struct call *c)
{
    char note[CHECKPOINT_TEXT_MAX];
    struct checkpoint checkpoint;
    struct writer_figures f;
    struct scrub_figures scrub;
    enum err e;

    store_checkpoint(service_store(c->server->svc), &checkpoint, note);
    store_writer_figures(c->server->writer, &f);
    store_scrub_figures(service_store(c->server->svc), &scrub);
    if ((e = archive_metrics(c)) != ERR_NONE)
        return e;
    e = write_metrics(&c->body, "vouchsafe_log_entries", "gauge", "Entries in the log.",
                      &(struct metric){"", checkpoint.size}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_log_commits_total", "counter",
                          "Transactions committed.", &(struct metric){"", f.batches}, 1);
    if (e == ERR_NONE)
        e = buffer_printf(&c->body,
                          "# HELP vouchsafe_log_commit_seconds_total Time spent in commits.\n"
                          "# TYPE vouchsafe_log_commit_seconds_total counter\n"
                          "vouchsafe_log_commit_seconds_total %llu.%06llu\n",
                          (unsigned long long)(f.commit_us / 1000000),
                          (unsigned long long)(f.commit_us % 1000000));
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_log_failures_total", "counter",
                          "Requests whose commit failed.", &(struct metric){"", f.failures}, 1);
    if (e == ERR_NONE)
        e = write_metrics(
            &c->body, "vouchsafe_log_files_lost", "gauge",
            "1 when a file of the log was deleted, replaced or cut while it was open.",
            &(struct metric){"", f.lost && !scrub.tampered}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_log_server_unreachable", "gauge",
                          "1 while the database server does not answer.",
                          &(struct metric){"", f.unreachable}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_log_server_outages_total", "counter",
                          "Times that the database server stopped answering.",
                          &(struct metric){"", f.outages}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_log_lease_lost", "gauge",
                          "1 when another process has taken over this node's log.",
                          &(struct metric){"", f.fenced}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_log_queue_length", "gauge",
                          "Outcomes waiting to be committed.", &(struct metric){"", f.queue_length},
                          1);
    return e;
}

/* A change of the machine since then is not in the status. */
static int64_t sealing_age_s(const struct sealing_status *sealing)
{
    return (clock_monotonic_us() - sealing->checked_us) / 1000000;
}

MUST_CHECK static enum err scrub_metrics(struct call *c)
{
    struct scrub_figures f;
    enum err e;

    store_scrub_figures(service_store(c->server->svc), &f);
    e = write_metrics(&c->body, "vouchsafe_log_tampered", "gauge",
                      "1 when entries of the log were found changed.",
                      &(struct metric){"", f.tampered}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_log_verified_entries", "gauge",
                          "Entries that were read back since they were written.",
                          &(struct metric){"", f.verified}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_log_scrub_position_entries", "gauge",
                          "Entries that the scrub's present pass has read.",
                          &(struct metric){"", f.position}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_log_scrub_entries_total", "counter",
                          "Entries that the scrub has read.", &(struct metric){"", f.entries}, 1);
    if (e == ERR_NONE)
        e = write_metrics(&c->body, "vouchsafe_log_scrub_last_pass_timestamp_seconds", "gauge",
                          "When the scrub last came to the end of the log, since 1970; 0 before.",
                          &(struct metric){"", (uint64_t)timestamp_seconds(f.pass)}, 1);
    return e;
}

/* The metrics are absent unless the TEE's seal depends on a state. */
MUST_CHECK static enum err sealing_metrics(struct call *c)
{
    struct sealing_status sealing;
    enum err e;

    sealing_status_get(c->server->svc, &sealing);
    if (sealing.state == SEALING_UNKNOWN || sealing.state == SEALING_UNAVAILABLE)
        return ERR_NONE;
    e = write_metrics(&c->body, "vouchsafe_sealed_root_check_age_seconds", "gauge",
                      "Time since the sealed root was compared with the machine.",
                      &(struct metric){"", (uint64_t)sealing_age_s(&sealing)}, 1);
    if (e != ERR_NONE)
        return e;
    return write_metrics(&c->body, "vouchsafe_sealed_root_ready", "gauge",
                         "1 when the next start can open the sealed root, 0 when it cannot.",
                         &(struct metric){"", sealing.state == SEALING_READY}, 1);
}

void route_metrics(struct call *c, struct service_thread *thread)
{
    struct service_facts facts;
    enum err e;

    (void)thread;
    service_facts(c->server->svc, &facts);
    if ((e = operation_metrics(c)) == ERR_NONE && (e = http_metrics(c)) == ERR_NONE &&
        (e = executor_metrics(c)) == ERR_NONE && (e = clock_metrics(c)) == ERR_NONE &&
        (e = log_metrics(c)) == ERR_NONE && (e = space_metrics(c)) == ERR_NONE)
        e = collateral_metrics(c);
    if (e == ERR_NONE)
        e = scrub_metrics(c);
    if (e == ERR_NONE)
        e = sealing_metrics(c);
    if (e == ERR_NONE)
        e = anchor_metrics(c);
    if (e == ERR_NONE)
        e = latency_write(c->server, &c->body);
    if (e == ERR_NONE)
        e = denials_write(&c->server->denied, &c->body);
    if (e == ERR_NONE)
        e = process_write(c->server->options.version, facts.tee, facts.started, &c->body);
    c->content_type = "text/plain; version=0.0.4; charset=utf-8";
    call_answer(c, e);
    call_finish(c);
}

static void write_sealing(struct json_writer *j, const struct service *svc)
{
    struct sealing_status sealing;

    sealing_status_get(svc, &sealing);
    json_open_object(j, "sealed_root");
    json_put_string(j, "state", span_string(sealing_state_name(sealing.state)));
    if (sealing.checked_us != 0)
        json_put_int(j, "checked_s_ago", sealing_age_s(&sealing));
    if (*sealing.text)
        json_put_string(j, "detail", span_string(sealing.text));
    json_close_object(j);
}

static void write_status(struct call *c, const struct policy_set *set, struct writer *w)
{
    struct server *s = c->server;
    const struct service *svc = s->svc;
    struct json_writer j = json_writer_over(w);
    char note[CHECKPOINT_TEXT_MAX];
    struct checkpoint checkpoint;
    struct writer_figures figures;
    struct http_figures http;
    struct service_facts facts;

    service_facts(svc, &facts);
    store_checkpoint(service_store(svc), &checkpoint, note);
    store_writer_figures(s->writer, &figures);
    http_server_figures(s->http, &http);
    json_open_object(&j, NULL);
    json_put_string(&j, "version", span_string(s->options.version));
    json_put_int(&j, "uptime_s", (c->now.ms - facts.started.ms) / 1000);
    json_put_string(&j, "tee", span_string(facts.tee));
    json_put_bool(&j, "simulated", facts.simulated);
    json_put_int(&j, "epoch", facts.epoch);
    json_put_string(&j, "root_origin", span_string(facts.root_origin));
    json_put_int(&j, "log_size", (int64_t)checkpoint.size);
    json_put_int(&j, "open_connections", (int64_t)http.open_connections);
    json_put_int(&j, "queue_length", (int64_t)figures.queue_length);
    json_put_int(&j, "last_batch_size", (int64_t)figures.last_batch_size);
    json_put_int(&j, "decrypt_allowed", (int64_t)operation_count(svc, OPERATION_OPEN, true));
    json_put_int(&j, "decrypt_denied", (int64_t)operation_count(svc, OPERATION_OPEN, false));
    json_put_int(&j, "tokens", (int64_t)facts.tokens);
    json_put_int(&j, "collateral_count", (int64_t)collateral_count(c));
    json_put_int(&j, "collateral_seconds_left", (int64_t)collateral_seconds_left(c));
    write_sealing(&j, svc);
    scrub_status_write(s, &j);
    anchor_status_write(&j, svc);
    json_open_array(&j, "policies");
    for (size_t i = 0; i < set->count; i++)
        json_put_string(&j, NULL, span_string(set->policies[i].rule.name));
    json_close_array(&j);
    json_close_object(&j);
}

/* Not on a loop, because it asks the TPM. */
void route_status(struct call *c, struct service_thread *thread)
{
    const struct policy_set *set = &service_policies(c->server->svc, thread)->policies;
    size_t size = 2048 + 6 * TEE_FAILURE_SIZE + set->count * (6 * POLICY_NAME_MAX + 4);
    enum err e = buffer_reserve(&c->body, size);
    struct writer w;

    sealing_check(c->server->svc);
    if (e == ERR_NONE) {
        w = writer_over(c->body.data, c->body.capacity);
        write_status(c, set, &w);
        e = writer_finish(&w, NULL);
        c->body.size = e == ERR_NONE ? w.size : 0;
    }
    call_answer(c, e);
    call_finish(c);
}
