#include "daemon/collateral.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "codec/json.h"

#define CACHE_NAME "/collateral"

struct daemon_collateral {
    struct collateral_store *store;
    struct collateral_refresh *refresh;
    struct server *server;
    char cache[PATH_MAX];
    const char *directories[COLLATERAL_DIRECTORIES_MAX];
};

size_t daemon_collateral_detail(const char *change, const struct collateral_item *item,
                                char out[DAEMON_COLLATERAL_DETAIL_MAX])
{
    struct writer w = writer_over(out, DAEMON_COLLATERAL_DETAIL_MAX);
    struct json_writer j = json_writer_over(&w);
    char issued[TIMESTAMP_TEXT_SIZE];
    char expires[TIMESTAMP_TEXT_SIZE];

    timestamp_write(item->issued, issued);
    json_open_object(&j, NULL);
    json_put_string(&j, "change", span_string(change));
    json_put_string(&j, "name", span_string(item->name));
    json_put_string(&j, "source", span_string(item->source));
    if (item->kind == COLLATERAL_INTEL)
        json_put_int(&j, "evaluation_number", item->evaluation_number);
    json_put_string(&j, "issued", span_string(issued));
    if (item->expires.ms != INT64_MAX) {
        timestamp_write(item->expires, expires);
        json_put_string(&j, "expires", span_string(expires));
    }
    json_put_hex(&j, "sha256", SPAN_OF(item->sha256));
    json_close_object(&j);
    return writer_finish(&w, NULL) == ERR_NONE ? w.size : 0;
}

static void on_change(void *context, const struct collateral_change *change)
{
    const struct daemon_collateral *c = context;
    char detail[DAEMON_COLLATERAL_DETAIL_MAX];
    const struct collateral_item *item = change->item;
    size_t size = daemon_collateral_detail(collateral_put_code(change->put), item, detail);
    char expires[TIMESTAMP_TEXT_SIZE] = "never";

    if (item->expires.ms != INT64_MAX)
        timestamp_write(item->expires, expires);
    log_write(LOG_INFO, "collateral", collateral_put_code(change->put),
              LOG_STRING("name", item->name), LOG_STRING("source", item->source),
              LOG_NUMBER("evaluation", item->evaluation_number), LOG_STRING("expires", expires));
    if (c->server) /* before there is one, main() logs what is held at the start */
        server_event(c->server, SPAN_LITERAL("collateral"), span_of(detail, size), clock_now());
}

static bool is_change(enum collateral_put put)
{
    return put == COLLATERAL_ADDED || put == COLLATERAL_REPLACED;
}

static void tell(struct daemon_collateral *c, const struct collateral_put_result *result)
{
    if (is_change(result->put))
        on_change(c, &(struct collateral_change){result->put, result->item});
    else if (!collateral_put_is_good(result->put))
        log_write(LOG_WARN, "collateral", "file_passed_over",
                  LOG_STRING("name", result->item->name),
                  LOG_STRING("code", collateral_put_code(result->put)),
                  LOG_STRING("reason", "what is held stays"));
}

size_t daemon_collateral_changes(const struct collateral_stage *stage)
{
    size_t changes = 0;

    for (size_t i = 0; i < stage->count; i++)
        changes += is_change(stage->results[i].put);
    return changes;
}

void daemon_collateral_adopt(struct daemon_collateral *c, struct collateral_stage *stage)
{
    collateral_store_adopt(stage);
    for (size_t i = 0; i < stage->count; i++)
        tell(c, &stage->results[i]);
}

MUST_CHECK static enum err files_use(struct daemon_collateral *c,
                                     const struct collateral_files *files, struct timestamp now)
{
    struct collateral_stage stage = {0};
    enum err e = collateral_store_stage(c->store, files->items, files->count, now, &stage);

    if (e == ERR_NONE)
        daemon_collateral_adopt(c, &stage);
    collateral_stage_clear(&stage);
    return e;
}

/* Directories of both settings; files are read again when they change, too. */
static size_t directories_of(const struct settings *s, const char *out[COLLATERAL_DIRECTORIES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < s->attestation.collateral_count; i++)
        if (count < COLLATERAL_DIRECTORIES_MAX)
            out[count++] = s->attestation.collateral[i];
    for (size_t i = 0; i < s->collateral.directory_count; i++)
        if (count < COLLATERAL_DIRECTORIES_MAX)
            out[count++] = s->collateral.directories[i];
    return count;
}

enum err daemon_collateral_open(const struct settings *s, const struct attest_trust *trust,
                                const struct collateral_files *files, struct timestamp now,
                                char why[DAEMON_COLLATERAL_WHY], struct daemon_collateral **out)
{
    struct daemon_collateral *c = calloc(1, sizeof *c);
    struct collateral_refresh_options options = {
        .source_count = s->collateral.offline ? 0 : s->collateral.source_count,
        .sources = s->collateral.sources,
        .prefetch_count = s->collateral.offline ? 0 : s->collateral.prefetch_count,
        .prefetch = (const char *const *)s->collateral.prefetch,
        .refresh_percent = s->collateral.refresh_percent,
        .max_age_s = s->collateral.max_age_s,
        .backoff_s = s->collateral.backoff_s,
        .backoff_max_s = s->collateral.backoff_max_s,
        .reread_s = s->collateral.reread_s,
        .clock = clock_now,
        .context = c,
        .changed = on_change,
    };
    int size;
    enum err e;

    (void)snprintf(why, DAEMON_COLLATERAL_WHY, "out of memory");
    if (!c)
        return ERR_MEMORY;
    size = snprintf(c->cache, sizeof c->cache, "%s%s", s->state.dir, CACHE_NAME);
    if (size < 0 || (size_t)size >= sizeof c->cache) {
        free(c);
        (void)snprintf(why, DAEMON_COLLATERAL_WHY, "state.dir is too long");
        return ERR_CONFIG;
    }
    options.cache = c->cache;
    options.directory_count = directories_of(s, c->directories);
    options.directories = c->directories;
    /* without state.dir a later step of the start fails with a better message */
    if (directory_make(c->cache) != ERR_NONE)
        log_write(LOG_WARN, "daemon", "collateral_cache", LOG_STRING("directory", c->cache),
                  LOG_STRING("reason", "it cannot be made; what is fetched is not kept"));
    if ((e = collateral_store_new(trust, &c->store)) != ERR_NONE ||
        (e = files_use(c, files, now)) != ERR_NONE ||
        (e = collateral_refresh_new(&options, c->store, now, why, &c->refresh)) != ERR_NONE) {
        daemon_collateral_close(&c);
        return e;
    }
    *out = c;
    return ERR_NONE;
}

void daemon_collateral_close(struct daemon_collateral **collateral)
{
    struct daemon_collateral *c = *collateral;

    *collateral = NULL;
    if (!c)
        return;
    collateral_refresh_free(&c->refresh);
    collateral_store_free(&c->store);
    free(c);
}

enum err daemon_collateral_watch(const struct settings *s, struct collateral_watch **out)
{
    const char *directories[COLLATERAL_DIRECTORIES_MAX];
    size_t count = directories_of(s, directories);

    return collateral_watch_new(directories, count, out);
}

struct collateral_store *daemon_collateral_store(struct daemon_collateral *c)
{
    return c->store;
}

struct collateral_refresh *daemon_collateral_refresh(struct daemon_collateral *c)
{
    return c->refresh;
}

enum err daemon_collateral_start(struct daemon_collateral *c, struct server *server)
{
    struct collateral_snapshot *held = collateral_store_hold(c->store);
    struct timestamp now = clock_now();
    char detail[DAEMON_COLLATERAL_DETAIL_MAX];

    for (size_t i = 0; i < held->count; i++) {
        size_t size = daemon_collateral_detail("held", held->items[i], detail);

        server_event(server, SPAN_LITERAL("collateral"), span_of(detail, size), now);
    }
    collateral_snapshot_release(&held);
    c->server = server;
    return collateral_refresh_start(c->refresh);
}

void daemon_collateral_stop(struct daemon_collateral *c)
{
    if (c)
        collateral_refresh_stop(c->refresh);
}
