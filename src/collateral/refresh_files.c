#include <string.h>

#include "base/log.h"
#include "collateral/directory.h"
#include "collateral/refresh_state.h"

/* ---- what changed ---- */

bool refresh_is_change(enum collateral_put put)
{
    return put == COLLATERAL_ADDED || put == COLLATERAL_REPLACED;
}

void refresh_tell_change(struct collateral_refresh *r, const struct collateral_put_result *result)
{
    if (r->options.changed)
        r->options.changed(r->options.context,
                           &(struct collateral_change){result->put, result->item});
}

/* ---- directories ---- */

struct reading {
    struct collateral_refresh *r;
    const struct directory_state *directory;
    struct timestamp now;
};

static void log_file(const char *path, const char *code, const char *reason)
{
    log_write(LOG_WARN, "collateral", "file_passed_over", LOG_STRING("file", path),
              LOG_STRING("code", code), LOG_STRING("reason", reason));
}

MUST_CHECK static enum err file_found(void *context, const char *path, struct timestamp modified,
                                      enum err e, struct span document)
{
    struct reading *reading = context;
    struct collateral_refresh *r = reading->r;
    struct collateral_put_result result = {0};

    if (e != ERR_NONE) {
        log_file(path, err_code(e), err_text(e));
        return e == ERR_MEMORY ? e : ERR_NONE;
    }
    if (collateral_store_has(r->store, document))
        return ERR_NONE;
    /* items in the cache were received when they were written */
    if (!reading->directory->is_cache || modified.ms > reading->now.ms)
        modified = reading->now;
    e = collateral_store_put_received(r->store, document,
                                      reading->directory->is_cache ? "cache" : "directory", NULL,
                                      modified, reading->now, &result);
    if (e != ERR_NONE)
        return e;
    if (refresh_is_change(result.put))
        refresh_tell_change(r, &result);
    else if (result.put == COLLATERAL_REFUSED)
        log_file(path, attest_reason_code(result.reason), collateral_refusal_text(result.reason));
    else if (!collateral_put_is_good(result.put))
        log_file(path, collateral_put_code(result.put), "what is held stays");
    collateral_item_release(&result.item);
    return ERR_NONE;
}

static void directory_look(struct collateral_refresh *r, struct directory_state *d,
                           struct timestamp now)
{
    struct reading reading = {r, d, now};
    uint8_t fingerprint[SHA256_SIZE];
    enum err e = collateral_directory_state(d->path, fingerprint);

    if (e == ERR_NONE && span_equal(SPAN_OF(fingerprint), SPAN_OF(d->fingerprint)))
        return;
    if (e == ERR_NONE)
        e = collateral_directory_read(d->path, file_found, &reading);
    if (e == ERR_NONE)
        memcpy(d->fingerprint, fingerprint, sizeof fingerprint);
    else if (!(d->is_cache && e == ERR_NOT_FOUND))
        log_file(d->path, err_code(e), err_text(e));
}

void refresh_read_directories(struct collateral_refresh *r, struct timestamp now)
{
    int64_t age = now.ms - r->last_read.ms;

    if (age >= 0 && age < r->options.reread_s * 1000)
        return;
    r->last_read = now;
    for (size_t i = 0; i < r->directory_count; i++)
        directory_look(r, &r->directories[i], now);
}

void refresh_cache_write(struct collateral_refresh *r, const struct collateral_item *item)
{
    enum err e;

    if (!r->options.cache || !*r->options.cache)
        return;
    e = collateral_directory_write(r->options.cache, item->name, buffer_span(&item->document));
    if (e != ERR_NONE)
        log_write(LOG_WARN, "collateral", "not_cached", LOG_STRING("name", item->name),
                  LOG_STRING("reason", err_text(e)));
}
