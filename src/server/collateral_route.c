/* GET /v1/collateral and /v1/collateral/item: the held collateral, for operators and for peers;
 * and its figures. */
#include <string.h>

#include "codec/json.h"
#include "server/requests.h"

#define ITEM_ROOM (COLLATERAL_NAME_SIZE + COLLATERAL_SOURCE_SIZE + 512u)
#define METRIC_ITEMS_MAX 128 /* items with their own figures; VEKs have none */

static const char *const kind_names[COLLATERAL_KINDS] = {
    [COLLATERAL_INTEL] = "intel",
    [COLLATERAL_AMD] = "amd",
    [COLLATERAL_VEK] = "vek",
    [COLLATERAL_ARM_KEY] = "arm-key",
};

static void put_time(struct json_writer *j, const char *name, struct timestamp t)
{
    char text[TIMESTAMP_TEXT_SIZE];

    if (t.ms == INT64_MAX)
        return;
    timestamp_write(t, text);
    json_put_string(j, name, span_string(text));
}

static void put_item(struct json_writer *j, const struct collateral_item *item)
{
    json_open_object(j, NULL);
    json_put_string(j, "name", span_string(item->name));
    json_put_string(j, "kind", span_string(kind_names[item->kind]));
    json_put_string(j, "source", span_string(item->source));
    put_time(j, "issued", item->issued);
    put_time(j, "fetched", item->fetched);
    put_time(j, "expires", item->expires);
    if (item->kind == COLLATERAL_INTEL)
        json_put_int(j, "evaluation_number", item->evaluation_number);
    json_put_hex(j, "sha256", SPAN_OF(item->sha256));
    json_put_int(j, "size", (int64_t)item->document.size);
    json_close_object(j);
}

MUST_CHECK static enum err list_write(const struct collateral_snapshot *held, struct timestamp now,
                                      struct buffer *out)
{
    size_t room = 256 + held->count * ITEM_ROOM;
    struct writer w;
    struct json_writer j;
    enum err e = buffer_reserve(out, room);

    if (e != ERR_NONE)
        return e;
    w = writer_over(out->data, room);
    j = json_writer_over(&w);
    json_open_object(&j, NULL);
    put_time(&j, "now", now);
    json_open_array(&j, "items");
    for (size_t i = 0; i < held->count; i++)
        put_item(&j, held->items[i]);
    json_close_array(&j);
    json_close_object(&j);
    if ((e = writer_finish(&w, NULL)) == ERR_NONE)
        out->size = w.size;
    return e;
}

void route_collateral(struct call *c, struct service_thread *thread)
{
    const struct collateral_snapshot *held =
        collateral_store_view(service_collateral(c->server->svc), &thread->verifier.collateral);

    call_answer(c, list_write(held, c->now, &c->body));
    call_finish(c);
}

enum err item_query_read(struct call *c, char name[COLLATERAL_NAME_SIZE])
{
    size_t size = 0;

    if (http_query(c->request->query, "name", name, COLLATERAL_NAME_SIZE - 1, &size) == ERR_NONE &&
        collateral_name_check(span_of(name, size))) {
        name[size] = '\0';
        return ERR_NONE;
    }
    call_refuse(c, 400, "bad_query", "Needed: name, as GET /v1/collateral lists it");
    return ERR_MALFORMED;
}

void route_collateral_item(struct call *c, struct service_thread *thread)
{
    const struct collateral_snapshot *held =
        collateral_store_view(service_collateral(c->server->svc), &thread->verifier.collateral);
    const struct collateral_item *item = NULL;
    char name[COLLATERAL_NAME_SIZE];

    if (item_query_read(c, name) == ERR_NONE) {
        item = collateral_snapshot_find(held, span_string(name));
        if (item)
            call_answer(c, buffer_append(&c->body, buffer_span(&item->document)));
        else
            call_refuse(c, 404, "not_found", "No collateral of that name is held");
    }
    call_finish(c);
}

/* ---- figures ---- */

size_t collateral_count(const struct call *c)
{
    struct collateral_snapshot *held = collateral_store_hold(service_collateral(c->server->svc));
    size_t count = held->count;

    collateral_snapshot_release(&held);
    return count;
}

uint64_t collateral_seconds_left(const struct call *c)
{
    struct collateral_snapshot *held = collateral_store_hold(service_collateral(c->server->svc));
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < held->count; i++)
        if (held->items[i]->expires.ms - c->now.ms < least)
            least = held->items[i]->expires.ms - c->now.ms;
    if (held->count == 0 || least < 0)
        least = 0;
    collateral_snapshot_release(&held);
    return (uint64_t)least / 1000;
}

static bool has_figures(const struct collateral_item *item)
{
    return item->kind == COLLATERAL_INTEL || item->kind == COLLATERAL_AMD;
}

static int64_t age_s(const struct collateral_item *item, struct timestamp now)
{
    return (now.ms - item->issued.ms) / 1000;
}

static int64_t left_s(const struct collateral_item *item, struct timestamp now)
{
    return (item->expires.ms - now.ms) / 1000;
}

MUST_CHECK static enum err item_metrics(struct call *c, const struct collateral_snapshot *held)
{
    static const struct {
        const char *name, *help;
        int64_t (*value)(const struct collateral_item *item, struct timestamp now);
    } gauges[] = {
        {"vouchsafe_collateral_age_seconds",    "Since the collateral was issued.",        age_s },
        {"vouchsafe_collateral_expiry_seconds", "Until it expires; negative once it has.", left_s},
    };
    enum err e = ERR_NONE;

    for (size_t g = 0; g < COUNT_OF(gauges) && e == ERR_NONE; g++) {
        size_t written = 0;

        e = buffer_printf(&c->body, "# HELP %s %s\n# TYPE %s gauge\n", gauges[g].name,
                          gauges[g].help, gauges[g].name);
        for (size_t i = 0; i < held->count && e == ERR_NONE; i++) {
            const struct collateral_item *item = held->items[i];

            if (has_figures(item) && written++ < METRIC_ITEMS_MAX)
                e = buffer_printf(&c->body, "%s{name=\"%s\"} %lld\n", gauges[g].name, item->name,
                                  (long long)gauges[g].value(item, c->now));
        }
    }
    return e;
}

MUST_CHECK static enum err source_metrics(struct call *c)
{
    struct collateral_source_figures figures[COLLATERAL_SOURCES_MAX];
    size_t count = c->server->options.collateral
                       ? collateral_refresh_figures(c->server->options.collateral, c->now, figures)
                       : 0;
    enum err e = buffer_append_string(
        &c->body, "# HELP vouchsafe_collateral_fetches_total Items requested from a "
                  "source, by result.\n"
                  "# TYPE vouchsafe_collateral_fetches_total counter\n");

    for (size_t i = 0; i < count && e == ERR_NONE; i++)
        e = buffer_printf(
            &c->body,
            "vouchsafe_collateral_fetches_total{source=\"%s\",result=\"good\"} %llu\n"
            "vouchsafe_collateral_fetches_total{source=\"%s\",result=\"failed\"} %llu\n"
            "vouchsafe_collateral_fetches_total{source=\"%s\",result=\"refused\"} "
            "%llu\n",
            figures[i].name, (unsigned long long)figures[i].fetched, figures[i].name,
            (unsigned long long)figures[i].failed, figures[i].name,
            (unsigned long long)figures[i].refused);
    return e;
}

enum err collateral_metrics(struct call *c)
{
    struct collateral_snapshot *held = collateral_store_hold(service_collateral(c->server->svc));
    struct collateral_queue_figures queue;
    enum err e;

    collateral_store_queue_figures(service_collateral(c->server->svc), &queue);
    e = item_metrics(c, held);
    collateral_snapshot_release(&held);
    if (e == ERR_NONE)
        e = source_metrics(c);
    if (e == ERR_NONE)
        e = buffer_printf(
            &c->body,
            "# HELP vouchsafe_collateral_seconds_left Until the first of all collateral expires.\n"
            "# TYPE vouchsafe_collateral_seconds_left gauge\n"
            "vouchsafe_collateral_seconds_left %llu\n"
            "# HELP vouchsafe_collateral_missing_total Items of collateral that evidence needed "
            "and the "
            "keystore did not have, by whether their fetch was queued or dropped.\n"
            "# TYPE vouchsafe_collateral_missing_total counter\n"
            "vouchsafe_collateral_missing_total{result=\"queued\"} %llu\n"
            "vouchsafe_collateral_missing_total{result=\"dropped\"} %llu\n"
            "# HELP vouchsafe_collateral_fetch_waiting Missing items of collateral that wait for "
            "their "
            "fetch.\n"
            "# TYPE vouchsafe_collateral_fetch_waiting gauge\n"
            "vouchsafe_collateral_fetch_waiting %zu\n"
            "# HELP vouchsafe_collateral_rollbacks_total Documents with a part that is older than "
            "the one held.\n"
            "# TYPE vouchsafe_collateral_rollbacks_total counter\n"
            "vouchsafe_collateral_rollbacks_total %llu\n",
            (unsigned long long)collateral_seconds_left(c), (unsigned long long)queue.queued,
            (unsigned long long)queue.dropped, queue.waiting,
            (unsigned long long)collateral_store_rollbacks(service_collateral(c->server->svc)));
    return e;
}
