/* The anchors in GET /metrics and GET /v1/status. */
#include <string.h>

#include "codec/json.h"
#include "server/call.h"

static const char *state_name(const struct anchor_figures *f)
{
    return f->conflict ? "conflict" : f->failing ? "failing" : "good";
}

void anchor_status_write(struct json_writer *j, const struct service *svc)
{
    struct anchors_figures a;
    char moved[TIMESTAMP_TEXT_SIZE];

    store_anchors_figures(service_store(svc), &a);
    json_open_object(j, "anchors");
    if (a.counter != 0)
        json_put_int(j, "counter", (int64_t)a.counter);
    json_put_int(j, "lag_ms", a.lag_ms);
    json_put_bool(j, "late", a.late);
    json_open_array(j, "list");
    for (size_t i = 0; i < a.count; i++) {
        const struct anchor_figures *f = &a.list[i];

        json_open_object(j, NULL);
        json_put_string(j, "name", span_string(f->name));
        json_put_string(j, "state", span_string(state_name(f)));
        if (f->moved.ms != 0) {
            timestamp_write(f->moved, moved);
            json_put_string(j, "moved", span_string(moved));
        }
        json_put_int(j, "moves", (int64_t)f->moves);
        json_put_int(j, "failures", (int64_t)f->failures);
        if (*f->problem.text)
            json_put_string(j, "detail", span_string(f->problem.text));
        json_close_object(j);
    }
    json_close_array(j);
    json_close_object(j);
}

/* One line for each anchor. */
MUST_CHECK static enum err family(struct buffer *out, const struct anchors_figures *a,
                                  const char *name, const char *kind, const char *help,
                                  uint64_t (*value)(const struct anchor_figures *f))
{
    enum err e = buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);

    for (size_t i = 0; i < a->count && e == ERR_NONE; i++)
        e = buffer_printf(out, "%s{anchor=\"%s\"} %llu\n", name, a->list[i].name,
                          (unsigned long long)value(&a->list[i]));
    return e;
}

static uint64_t moved_s(const struct anchor_figures *f)
{
    return (uint64_t)timestamp_seconds(f->moved);
}

static uint64_t moves(const struct anchor_figures *f)
{
    return f->moves;
}

static uint64_t failures(const struct anchor_figures *f)
{
    return f->failures;
}

static uint64_t conflict(const struct anchor_figures *f)
{
    return f->conflict;
}

/* Without an anchor, the metrics have names and no values, so that rules can be checked. */
enum err anchor_metrics(struct call *c)
{
    struct anchors_figures a;
    struct buffer *out = &c->body;
    enum err e;

    store_anchors_figures(service_store(c->server->svc), &a);
    e = buffer_append_string(out,
                             "# HELP vouchsafe_anchor_lag_seconds Age of the oldest commit that "
                             "could be taken back without notice.\n"
                             "# TYPE vouchsafe_anchor_lag_seconds gauge\n");
    if (e == ERR_NONE && a.count > 0)
        e = buffer_printf(out, "vouchsafe_anchor_lag_seconds %lld.%03lld\n",
                          (long long)(a.lag_ms / 1000), (long long)(a.lag_ms % 1000));
    if (e == ERR_NONE)
        e = buffer_append_string(
            out, "# HELP vouchsafe_anchor_late 1 when an anchor has not moved in time.\n"
                 "# TYPE vouchsafe_anchor_late gauge\n");
    if (e == ERR_NONE && a.count > 0)
        e = buffer_printf(out, "vouchsafe_anchor_late %d\n", a.late);
    if (e == ERR_NONE)
        e = family(out, &a, "vouchsafe_anchor_moved_timestamp_seconds", "gauge",
                   "When the anchor moved last, as of a cosignature; 0: not since the start.",
                   moved_s);
    if (e == ERR_NONE)
        e = family(out, &a, "vouchsafe_anchor_moves_total", "counter", "Moves of the anchor.",
                   moves);
    if (e == ERR_NONE)
        e = family(out, &a, "vouchsafe_anchor_failures_total", "counter",
                   "Attempts to move or check the anchor that failed.", failures);
    if (e == ERR_NONE)
        e = family(out, &a, "vouchsafe_anchor_conflict", "gauge",
                   "1 when the anchor proves that the database is old: nothing is released.",
                   conflict);
    return e;
}
