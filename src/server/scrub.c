/* The store's scrub: a part of it about once a second, on an executor of its own. */
#include "codec/json.h"
#include "server/call.h"

/* Between two blocks: the server that stops does not wait for the rest. */
MUST_CHECK static bool is_stopping(void *context)
{
    struct server *s = context;

    return atomic_load_explicit(&s->stopping, memory_order_relaxed);
}

/* Once, until it works again. ERR_TAMPERED has its own alarm. */
static void trouble_say(struct server_scrub *k, enum err e)
{
    const bool trouble = e != ERR_NONE && e != ERR_TAMPERED;

    if (trouble && !k->troubled)
        log_write(LOG_WARN, "store", "scrub_waits", LOG_STRING("error", err_code(e)),
                  LOG_STRING("effect", "old entries of the log are not read back for now; the "
                                       "scrub tries again"));
    k->troubled = trouble;
}

static void scrub_run(struct executor_job *job, struct service_thread *thread)
{
    struct server_scrub *k =
        (struct server_scrub *)((char *)job - offsetof(struct server_scrub, job));
    struct server *s = k->server;
    const struct scrub_limits limits = {
        .entries = s->options.scrub_per_second,
        .pause_ms = (int64_t)s->options.scrub_pause_hours * 3600 * 1000,
        .stop = is_stopping,
        .context = s,
    };

    (void)thread;
    trouble_say(k, store_scrub(service_store(s->svc), &limits, clock_now()));
    executor_release(job);
    atomic_store(&k->busy, false);
}

void scrub_tick(struct server *s)
{
    struct server_scrub *k = &s->scrub;

    if (s->options.scrub_per_second == 0 || atomic_exchange(&k->busy, true))
        return;
    k->server = s;
    k->job = (struct executor_job){.run = scrub_run, .bytes = sizeof *k, .exempt = true};
    if (executor_submit(s->executors[EXECUTOR_SCRUB], &k->job) != ERR_NONE)
        atomic_store(&k->busy, false); /* the server stops */
}

void scrub_status_write(const struct server *s, struct json_writer *j)
{
    struct scrub_figures f;
    char time[TIMESTAMP_TEXT_SIZE];

    store_scrub_figures(service_store(s->svc), &f);
    json_open_object(j, "log_scrub");
    json_put_int(j, "verified", (int64_t)f.verified);
    json_put_int(j, "position", (int64_t)f.position);
    if (f.pass.ms > 0) {
        timestamp_write(f.pass, time);
        json_put_string(j, "last_pass", span_string(time));
    }
    json_put_bool(j, "tampered", f.tampered);
    json_close_object(j);
}
