#include <string.h>

#include "collateral/refresh_state.h"

enum {
    /* time for which a missing item is kept after the last request for it */
    FORGET_MS = 3600 * 1000,
    LOOK_AGAIN_MAX_MS = 86400000,
    NO_SOURCE_MS = 60 * 1000, /* before it is looked again whether any source could have it */
};

static struct target *target_find(struct collateral_refresh *r, const char *name)
{
    for (size_t i = 0; i < r->target_count; i++)
        if (strcmp(r->targets[i].name, name) == 0)
            return &r->targets[i];
    return NULL;
}

static struct collateral_item *item_hold(struct collateral_refresh *r, const char *name)
{
    struct collateral_snapshot *held = collateral_store_hold(r->store);
    struct collateral_item *item = collateral_snapshot_find(held, span_string(name));

    if (item)
        (void)collateral_item_hold(item);
    collateral_snapshot_release(&held);
    return item;
}

static bool source_could(const struct collateral_refresh *r, const struct collateral_key *key)
{
    for (size_t i = 0; i < r->source_count; i++)
        if (collateral_source_has(r->sources[i].source, key))
            return true;
    return false;
}

/* The target of this key, created if necessary; NULL when there is no room or no source for it. */
struct target *refresh_target_of(struct collateral_refresh *r, const struct collateral_key *key)
{
    char name[COLLATERAL_NAME_SIZE];
    struct target *t;

    collateral_key_name(key, name);
    t = target_find(r, name);
    if (t)
        return t;
    if (r->target_count == COLLATERAL_TARGETS_MAX || !source_could(r, key))
        return NULL;
    t = &r->targets[r->target_count++];
    *t = (struct target){.key = *key};
    memcpy(t->name, name, sizeof name);
    return t;
}

/* For a held platform the early set is wanted, too, if a source has it. */
static void early_target(struct collateral_refresh *r, const struct collateral_key *key)
{
    struct collateral_key early = *key;
    struct target *t;

    if (key->kind != COLLATERAL_INTEL || key->early)
        return;
    early.early = true;
    for (size_t i = 0; i < r->source_count; i++)
        if (r->options.sources[i].type != COLLATERAL_SOURCE_PEER &&
            collateral_source_has(r->sources[i].source, &early) &&
            (t = refresh_target_of(r, &early)) != NULL)
            t->prefetch = true;
}

static void targets_from_store(struct collateral_refresh *r)
{
    struct collateral_snapshot *held = collateral_store_hold(r->store);
    struct collateral_key key;

    if (held->snapshot.generation != r->generation)
        for (size_t i = 0; i < held->count; i++)
            if (collateral_key_parse(span_string(held->items[i]->name), &key) == ERR_NONE) {
                (void)refresh_target_of(r, &key);
                early_target(r, &key);
            }
    r->generation = held->snapshot.generation;
    collateral_snapshot_release(&held);
}

/* No source can have the item, or the list of targets is full. So callers are not told to wait for
 * it. */
static void no_target(struct collateral_refresh *r, const struct collateral_key *key,
                      struct timestamp now)
{
    char name[COLLATERAL_NAME_SIZE];

    collateral_key_name(key, name);
    collateral_store_forget(r->store, name);
    collateral_store_absent(r->store, name, now, (struct timestamp){now.ms + NO_SOURCE_MS});
}

static void targets_from_queue(struct collateral_refresh *r, struct timestamp now)
{
    struct collateral_key key;

    while (collateral_store_take(r->store, &key)) {
        struct target *t = refresh_target_of(r, &key);

        if (!t) {
            no_target(r, &key, now);
            continue;
        }
        t->requested = true;
        t->requested_at = now;
    }
}

static void targets_forget(struct collateral_refresh *r, struct timestamp now)
{
    for (size_t i = 0; i < r->target_count;) {
        struct target *t = &r->targets[i];
        struct collateral_item *item = item_hold(r, t->name);
        const int64_t age_ms = now.ms - t->requested_at.ms; /* negative: the clock was set back */
        const bool keep =
            item || t->prefetch || (t->requested && age_ms >= 0 && age_ms < FORGET_MS);

        collateral_item_release(&item);
        if (keep) {
            i++;
            continue;
        }
        collateral_store_forget(r->store, t->name);
        *t = r->targets[--r->target_count];
    }
}

/* A VEK stays the same for years, so its age has no limit. */
struct fetch_schedule refresh_schedule(const struct collateral_refresh *r,
                                       const struct collateral_item *item)
{
    return (struct fetch_schedule){
        .percent = r->options.refresh_percent,
        .max_age_ms = item->kind == COLLATERAL_VEK ? 0 : r->options.max_age_s * 1000,
        .look_min_ms = r->backoff.first_ms,
        .look_max_ms = LOOK_AGAIN_MAX_MS,
    };
}

/* The age of an item from the future is unknown, because the clock was set back. */
static bool item_is_due(const struct collateral_refresh *r, const struct target *t,
                        const struct collateral_item *item, struct timestamp now)
{
    const struct fetch_schedule schedule = refresh_schedule(r, item);
    const struct fetch_times times = {item->issued, item->expires, item->fetched};

    const bool was_set_back = schedule.max_age_ms > 0 && now.ms < item->fetched.ms;

    return (was_set_back || now.ms >= fetch_due_at(&schedule, &times).ms) &&
           fetch_wait_is_over(&t->next_look, now);
}

bool refresh_target_is_due(struct collateral_refresh *r, const struct target *t,
                           struct timestamp now)
{
    struct collateral_item *item = item_hold(r, t->name);
    bool due = item ? item_is_due(r, t, item, now) : t->requested || t->prefetch;

    collateral_item_release(&item);
    return due;
}

void refresh_targets_update(struct collateral_refresh *r, struct timestamp now)
{
    targets_from_queue(r, now);
    targets_from_store(r);
    targets_forget(r, now);
}
