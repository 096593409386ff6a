#include "collateral/refresh.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "collateral/refresh_state.h"

enum {
    TURN_MS = 1000, /* interval of the checks of the clock */
};

/* ---- directories ---- */

struct collateral_watch {
    size_t count;
    char *paths[COLLATERAL_DIRECTORIES_MAX];
};

enum err collateral_watch_new(const char *const *directories, size_t count,
                              struct collateral_watch **out)
{
    struct collateral_watch *w;

    if (count > COLLATERAL_DIRECTORIES_MAX)
        return ERR_TOO_LARGE;
    w = calloc(1, sizeof *w);
    for (size_t i = 0; w && i < count; i++) {
        w->paths[w->count++] = strdup(directories[i]);
        if (!w->paths[i])
            collateral_watch_free(&w);
    }
    *out = w;
    return w ? ERR_NONE : ERR_MEMORY;
}

void collateral_watch_free(struct collateral_watch **w)
{
    for (size_t i = 0; *w && i < (*w)->count; i++)
        free((*w)->paths[i]);
    free(*w);
    *w = NULL;
}

void collateral_watch_replace(struct collateral_refresh *r, struct collateral_watch **w)
{
    struct collateral_watch *unseen = atomic_exchange(&r->next_watch, *w);

    *w = NULL;
    collateral_watch_free(&unseen);
}

static void directories_set(struct collateral_refresh *r, const char *const *paths, size_t count)
{
    r->directory_count = 0;
    if (r->options.cache && *r->options.cache)
        r->directories[r->directory_count++] =
            (struct directory_state){.path = r->options.cache, .is_cache = true};
    for (size_t i = 0; i < count; i++)
        r->directories[r->directory_count++] = (struct directory_state){.path = paths[i]};
}

static void watch_take_over(struct collateral_refresh *r)
{
    struct collateral_watch *next = atomic_exchange(&r->next_watch, NULL);

    if (!next)
        return;
    directories_set(r, (const char *const *)next->paths, next->count);
    collateral_watch_free(&r->watch);
    r->watch = next;
}

/* ---- turns ---- */

static void hurry_if_told(struct collateral_refresh *r)
{
    if (!atomic_exchange(&r->hurry, false))
        return;
    r->last_read = (struct timestamp){INT64_MIN / 2};
    for (size_t i = 0; i < r->source_count; i++)
        fetch_source_hurry(&r->sources[i].asked);
    for (size_t i = 0; i < r->target_count; i++) {
        for (size_t j = 0; j < r->source_count; j++)
            fetch_wait_clear(&r->targets[i].waits[j]);
        fetch_wait_clear(&r->targets[i].next_look);
    }
}

bool collateral_refresh_step(struct collateral_refresh *r, struct timestamp now)
{
    watch_take_over(r);
    hurry_if_told(r);
    refresh_read_directories(r, now);
    refresh_targets_update(r, now);
    for (size_t i = 0; i < r->target_count; i++) {
        struct target *t = &r->targets[(r->next_target + i) % r->target_count];

        if (refresh_target_is_due(r, t, now) && refresh_target_fetch(r, t, now)) {
            r->next_target = (r->next_target + i + 1) % r->target_count;
            return true;
        }
    }
    return false;
}

static void *run(void *context)
{
    struct collateral_refresh *r = context;

    (void)pthread_setname_np(pthread_self(), "collateral");
    while (!atomic_load(&r->stop))
        if (!collateral_refresh_step(r, r->options.clock()))
            collateral_store_wait(r->store, TURN_MS);
    secret_cache_clear();
    return NULL;
}

/* ---- life ---- */

MUST_CHECK static enum err sources_open(struct collateral_refresh *r, char why[256])
{
    for (size_t i = 0; i < r->options.source_count; i++) {
        struct collateral_source_options o = r->options.sources[i];
        enum err e;

        o.stop = &r->stop;
        e = collateral_source_new(&o, &r->sources[i].source);
        if (e != ERR_NONE) {
            (void)snprintf(why, 256, "the collateral source %s cannot be used: %s", o.name,
                           e == ERR_CONFIG ? "it has no URL, or an empty token" : err_text(e));
            return e;
        }
        r->source_count++;
    }
    return ERR_NONE;
}

MUST_CHECK static enum err prefetch_read(struct collateral_refresh *r, char why[256])
{
    for (size_t i = 0; i < r->options.prefetch_count; i++) {
        struct collateral_key key;
        struct target *t;

        if (collateral_key_parse(span_string(r->options.prefetch[i]), &key) != ERR_NONE) {
            (void)snprintf(why, 256, "%.120s is not the name of collateral that can be fetched",
                           r->options.prefetch[i]);
            return ERR_CONFIG;
        }
        t = refresh_target_of(r, &key);
        if (!t) {
            (void)snprintf(why, 256, "no source could have %.120s", r->options.prefetch[i]);
            return ERR_CONFIG;
        }
        t->prefetch = true;
    }
    return ERR_NONE;
}

enum err collateral_refresh_new(const struct collateral_refresh_options *options,
                                struct collateral_store *store, struct timestamp now, char why[256],
                                struct collateral_refresh **out)
{
    struct collateral_refresh *r;
    enum err e;

    (void)snprintf(why, 256, "out of memory");
    if (options->source_count > COLLATERAL_SOURCES_MAX ||
        options->directory_count > COLLATERAL_DIRECTORIES_MAX ||
        options->prefetch_count > COLLATERAL_PREFETCH_MAX) {
        (void)snprintf(why, 256, "too many sources, directories or names of collateral");
        return ERR_CONFIG;
    }
    r = calloc(1, sizeof *r);
    if (!r)
        return ERR_MEMORY;
    r->options = *options;
    r->backoff = (struct fetch_backoff){options->backoff_s * 1000, options->backoff_max_s * 1000};
    r->store = store;
    r->last_read = (struct timestamp){INT64_MIN / 2};
    r->targets = calloc(COLLATERAL_TARGETS_MAX, sizeof *r->targets);
    if (!r->targets)
        e = ERR_MEMORY;
    else if ((e = sources_open(r, why)) == ERR_NONE)
        e = prefetch_read(r, why);
    if (e != ERR_NONE) {
        collateral_refresh_free(&r);
        return e;
    }
    directories_set(r, options->directories, options->directory_count);
    refresh_read_directories(r, now);
    if (r->source_count == 0)
        collateral_store_no_sources(store);
    why[0] = '\0';
    *out = r;
    return ERR_NONE;
}

enum err collateral_refresh_start(struct collateral_refresh *r)
{
    r->started = pthread_create(&r->thread, NULL, run, r) == 0;
    return r->started ? ERR_NONE : ERR_MEMORY;
}

void collateral_refresh_hurry(struct collateral_refresh *r)
{
    atomic_store(&r->hurry, true);
    collateral_store_wake(r->store);
}

void collateral_refresh_stop(struct collateral_refresh *r)
{
    atomic_store(&r->stop, true);
    if (!r->started)
        return;
    collateral_store_wake(r->store);
    (void)pthread_join(r->thread, NULL);
    r->started = false;
}

void collateral_refresh_free(struct collateral_refresh **refresh)
{
    struct collateral_refresh *r = *refresh;

    *refresh = NULL;
    if (!r)
        return;
    collateral_refresh_stop(r);
    for (size_t i = 0; i < r->source_count; i++)
        collateral_source_free(&r->sources[i].source);
    collateral_watch_replace(r, &(struct collateral_watch *){NULL});
    collateral_watch_free(&r->watch);
    free(r->targets);
    free(r);
}

size_t collateral_refresh_figures(struct collateral_refresh *r, struct timestamp now,
                                  struct collateral_source_figures *out)
{
    for (size_t i = 0; i < r->source_count; i++) {
        const struct source_state *s = &r->sources[i];
        const struct fetch_figures f = fetch_source_figures(&s->asked, now);

        out[i] = (struct collateral_source_figures){.name = collateral_source_name(s->source),
                                                    .fetched = f.fetched,
                                                    .failed = f.failed,
                                                    .refused = f.refused,
                                                    .left_alone = f.left_alone};
    }
    return r->source_count;
}
