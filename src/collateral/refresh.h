/*
 * Keeps the store fresh. One thread reads directories when they change, fetches missing items and
 * items that will expire, verifies them, and reports changes. An item is fetched again
 *
 *   when `refresh_percent` of its validity has passed, or it is `max_age_s` old, or it is missing
 *
 * from the first source that has it and is not waiting. After a failure, a source waits for that
 * item: `backoff_s`, doubled each time up to `backoff_max_s`, plus or minus a quarter. After 429 or
 * 503 with Retry-After, it waits that long for all items. A held item stays until it is replaced.
 */
#ifndef COLLATERAL_REFRESH_H
#define COLLATERAL_REFRESH_H

#include "collateral/source.h"
#include "collateral/store.h"

#define COLLATERAL_SOURCES_MAX 16
#define COLLATERAL_DIRECTORIES_MAX 80
#define COLLATERAL_TARGETS_MAX 2048 /* items that the refresher manages, held or missing */
#define COLLATERAL_PREFETCH_MAX 64

/* A change, for the log. Borrowed. */
struct collateral_change {
    enum collateral_put put; /* COLLATERAL_ADDED or COLLATERAL_REPLACED */
    const struct collateral_item *item;
};

struct collateral_refresh_options {
    size_t source_count;
    const struct collateral_source_options *sources; /* in order of preference */
    size_t directory_count;
    const char *const *directories; /* read at the start, and again when they change */
    const char *cache;              /* directory for fetched items; NULL or "": none */
    size_t prefetch_count;
    const char *const *prefetch; /* names of items to fetch before evidence needs them */
    unsigned refresh_percent;    /* 1 to 99 */
    int64_t max_age_s;           /* 0: no limit */
    int64_t backoff_s, backoff_max_s;
    int64_t reread_s;                /* interval of the checks of directories */
    struct timestamp (*clock)(void); /* clock_now(), except in tests */
    void *context;
    void (*changed)(void *context,
                    const struct collateral_change *change); /* on the thread that
                              found it: that of new() or the refresher's. May be NULL */
};

struct collateral_refresh;

/*
 * Reads the cache and the directories; items that do not verify are logged and skipped. Options and
 * what they point to are borrowed. ERR_CONFIG with a sentence in `why`, ERR_MEMORY
 */
MUST_CHECK enum err collateral_refresh_new(const struct collateral_refresh_options *options,
                                           struct collateral_store *store, struct timestamp now,
                                           char why[256], struct collateral_refresh **out);
/* Starts the thread. ERR_MEMORY */
MUST_CHECK enum err collateral_refresh_start(struct collateral_refresh *r);

/*
 * Other directories for a refresher that runs, in two steps. new() copies the paths. replace()
 * cannot fail and takes the watch over; the refresher reads the new directories, and no other but
 * the cache, after the next collateral_refresh_hurry() at the latest.
 * ERR_TOO_LARGE more than COLLATERAL_DIRECTORIES_MAX; ERR_MEMORY
 */
struct collateral_watch;
MUST_CHECK enum err collateral_watch_new(const char *const *directories, size_t count,
                                         struct collateral_watch **out);
void collateral_watch_free(struct collateral_watch **w);
void collateral_watch_replace(struct collateral_refresh *r, struct collateral_watch **w);

/* Directories are read again at once, and what waits for backoff is tried again. Any thread. */
void collateral_refresh_hurry(struct collateral_refresh *r);
/* Ends the thread, if it runs, within about a second. */
void collateral_refresh_stop(struct collateral_refresh *r);
/* The same, and frees. */
void collateral_refresh_free(struct collateral_refresh **r);

/* One turn of the thread's work at `now`, for callers with their own thread; false when there
 * was nothing to fetch. */
bool collateral_refresh_step(struct collateral_refresh *r, struct timestamp now);

struct collateral_source_figures {
    const char *name;
    uint64_t fetched, failed, refused; /* items; refused: fetched, but not accepted */
    bool left_alone;                   /* it asked to wait */
};
/* Returns the count, at most COLLATERAL_SOURCES_MAX. Any thread. */
size_t collateral_refresh_figures(struct collateral_refresh *r, struct timestamp now,
                                  struct collateral_source_figures *out);

#endif
