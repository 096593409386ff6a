#include "daemon/collateral.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    size_t size = daemon_collateral_detail(collateral_put_code(change->put), change->item, detail);

    if (c->server) /* before there is one, main() logs what is held at the start */
        server_event(c->server, SPAN_LITERAL("collateral"), span_of(detail, size), clock_now());
}

/* A bundle that the configuration names: what is wrong with it stops the start. */
MUST_CHECK static enum err bundle_load(struct daemon_collateral *c, const char *path,
                                       struct timestamp now, char why[DAEMON_COLLATERAL_WHY])
{
    struct collateral_put_result result = {0};
    struct buffer bytes = {0};
    char text[FILE_WHY_SIZE] = "";
    enum err e = file_read_trusted(path, COLLATERAL_DOCUMENT_MAX, FILE_INPUT, &bytes, text);

    if (e == ERR_NONE) {
        e = collateral_store_put(c->store, buffer_span(&bytes), "file", NULL, now, &result);
        (void)snprintf(text, sizeof text, "%s", err_text(e));
    }
    if (e == ERR_NONE && result.put == COLLATERAL_REFUSED) {
        (void)snprintf(text, sizeof text, "%s (%s)", attest_reason_text(result.reason),
                       attest_reason_code(result.reason));
        e = ERR_DENIED;
    }
    if (e != ERR_NONE)
        (void)snprintf(why, DAEMON_COLLATERAL_WHY, "attestation.collateral: %.500s: %s", path,
                       text);
    collateral_item_release(&result.item);
    buffer_clear(&bytes);
    return e == ERR_NONE || e == ERR_MEMORY ? e : ERR_CONFIG;
}

MUST_CHECK static enum err bundles_load(struct daemon_collateral *c, const struct settings *s,
                                        struct timestamp now, char why[DAEMON_COLLATERAL_WHY])
{
    enum err e = ERR_NONE;

    for (size_t i = 0; i < s->attestation.collateral_count && e == ERR_NONE; i++) {
        const char *path = s->attestation.collateral[i];
        struct stat status;

        if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
            e = bundle_load(c, path, now, why);
    }
    return e;
}

/* NULL for a file that is not named. */
MUST_CHECK static enum err source_file_check(const char *source, const char *key, const char *path,
                                             enum file_trust trust, char why[DAEMON_COLLATERAL_WHY])
{
    char text[FILE_WHY_SIZE] = "";
    int fd = -1;

    if (!path || !*path)
        return ERR_NONE;
    if (file_open_trusted(path, trust, &fd, text) == ERR_NONE) {
        (void)close(fd);
        return ERR_NONE;
    }
    (void)snprintf(why, DAEMON_COLLATERAL_WHY, "collateral.sources: %s: %s %.400s: %s", source, key,
                   path, text);
    return ERR_CONFIG;
}

/* The files that sources need: a wrong one stops the start rather than the first fetch. */
MUST_CHECK static enum err source_files_check(const struct settings *s,
                                              char why[DAEMON_COLLATERAL_WHY])
{
    enum err e = ERR_NONE;

    for (size_t i = 0; i < s->collateral.source_count && e == ERR_NONE; i++) {
        const struct collateral_source_options *o = &s->collateral.sources[i];

        e = source_file_check(o->name, "ca_file", o->ca_file, FILE_INPUT, why);
        if (e == ERR_NONE)
            e = source_file_check(o->name, "token_file", o->token_file, FILE_SECRET, why);
    }
    return e;
}

/* Directories of both settings; files are read again when they change, too. */
static size_t directories_of(struct daemon_collateral *c, const struct settings *s)
{
    size_t count = 0;

    for (size_t i = 0; i < s->attestation.collateral_count; i++)
        if (count < COLLATERAL_DIRECTORIES_MAX)
            c->directories[count++] = s->attestation.collateral[i];
    for (size_t i = 0; i < s->collateral.directory_count; i++)
        if (count < COLLATERAL_DIRECTORIES_MAX)
            c->directories[count++] = s->collateral.directories[i];
    return count;
}

enum err daemon_collateral_open(const struct settings *s, const struct attest_trust *trust,
                                struct timestamp now, char why[DAEMON_COLLATERAL_WHY],
                                struct daemon_collateral **out)
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
    options.directory_count = directories_of(c, s);
    options.directories = c->directories;
    /* without state.dir the start fails where that is told better */
    if (directory_make(c->cache) != ERR_NONE)
        log_write(LOG_WARN, "daemon", "collateral_cache", LOG_STRING("directory", c->cache),
                  LOG_STRING("reason", "it cannot be made; what is fetched is not kept"));
    if ((e = collateral_store_new(trust, &c->store)) != ERR_NONE ||
        (e = bundles_load(c, s, now, why)) != ERR_NONE ||
        (e = source_files_check(s, why)) != ERR_NONE ||
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
