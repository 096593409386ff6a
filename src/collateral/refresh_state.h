/*
 * The state of the refresher, and the functions that its parts share. Only refresh*.c include this.
 */
#ifndef COLLATERAL_REFRESH_STATE_H
#define COLLATERAL_REFRESH_STATE_H

#include <pthread.h>

#include "collateral/refresh.h"
#include "net/fetch.h"

struct source_state {
    struct collateral_source *source;
    struct fetch_source asked; /* the source as a whole */
};

struct directory_state {
    const char *path; /* borrowed from the options or from `watch` */
    bool is_cache;
    uint8_t fingerprint[SHA256_SIZE];
};

/* An item that the refresher manages. */
struct target {
    struct collateral_key key;
    char name[COLLATERAL_NAME_SIZE];
    bool prefetch;
    bool requested;
    struct timestamp requested_at;
    struct fetch_wait next_look; /* after a success */
    /* a source that does not have it, or had an unacceptable one */
    struct fetch_wait waits[COLLATERAL_SOURCES_MAX];
};

struct collateral_refresh {
    struct collateral_refresh_options options;
    struct fetch_backoff backoff;
    struct collateral_store *store;
    size_t source_count;
    struct source_state sources[COLLATERAL_SOURCES_MAX];
    size_t directory_count;
    struct directory_state directories[COLLATERAL_DIRECTORIES_MAX + 1];
    struct collateral_watch *watch; /* of the refresher's thread; NULL: those of the options */
    _Atomic(struct collateral_watch *) next_watch; /* to be taken over; NULL: none */
    struct timestamp last_read;
    uint64_t generation; /* of the store, when targets were last made */
    size_t target_count;
    struct target *targets;
    size_t next_target; /* where the search continues, so that every target has its turn */
    _Atomic bool stop, hurry;
    bool started;
    pthread_t thread;
};

/* ---- refresh_files.c ---- */

/* Whether `put` added something new to the store. */
bool refresh_is_change(enum collateral_put put);
/* Tells the owner of a change. */
void refresh_tell_change(struct collateral_refresh *r, const struct collateral_put_result *result);
/* Reads the directories that changed, unless that was done less than `reread_s` ago. */
void refresh_read_directories(struct collateral_refresh *r, struct timestamp now);
/* Keeps fetched items in the cache, if there is one. */
void refresh_cache_write(struct collateral_refresh *r, const struct collateral_item *item);

/* ---- refresh_targets.c ---- */

/* The target of this key, created if necessary; NULL when there is no room or no source for it. */
struct target *refresh_target_of(struct collateral_refresh *r, const struct collateral_key *key);
/* Adds held and missing items; removes those that are neither held nor requested. */
void refresh_targets_update(struct collateral_refresh *r, struct timestamp now);
/* When an item is fetched again. A VEK stays the same for years, so its age has no limit. */
struct fetch_schedule refresh_schedule(const struct collateral_refresh *r,
                                       const struct collateral_item *item);
bool refresh_target_is_due(struct collateral_refresh *r, const struct target *t,
                           struct timestamp now);

/* ---- refresh_fetch.c ---- */

/* Asks the sources in turn until one has news. False when no source may be asked now. */
bool refresh_target_fetch(struct collateral_refresh *r, struct target *t, struct timestamp now);

#endif
