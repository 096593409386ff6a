#include "collateral/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "collateral/merge.h"
#include "net/fetch.h"

#define MINUTE_MS 60000

struct fetch_request {
    struct collateral_key key;
    char name[COLLATERAL_NAME_SIZE];
    uint8_t caller[SHA256_SIZE];
    bool is_signed;
};

/* Counts how often one caller presented evidence without a valid signature in this minute. */
struct stranger {
    uint8_t caller[SHA256_SIZE];
    unsigned count;
};

struct absence {
    char name[COLLATERAL_NAME_SIZE];
    struct fetch_wait wait;
};

struct collateral_store {
    struct attest_trust trust;
    pthread_mutex_t write_lock; /* held by the one thread that changes the items */
    struct snapshot_cell cell;  /* of struct collateral_snapshot */
    _Atomic uint64_t rollbacks;
    bool no_sources;
    pthread_mutex_t queue_lock; /* guards all fields below */
    pthread_cond_t queue_changed;
    bool woken;
    size_t request_count;
    struct fetch_request requests[COLLATERAL_QUEUE_MAX];
    struct timestamp minute; /* the minute for which strangers are counted */
    unsigned strangers;      /* of all callers */
    size_t caller_count;     /* at most the limit for strangers */
    struct stranger callers[COLLATERAL_STRANGERS_PER_MINUTE];
    /* names that were taken from the queue and not forgotten yet; a ring */
    size_t next_taken;
    char taken[COLLATERAL_TAKEN_MAX][COLLATERAL_NAME_SIZE];
    size_t next_absence; /* a ring: the oldest one goes first */
    struct absence absences[COLLATERAL_ABSENT_MAX];
    uint64_t queued, dropped;
};

static const char *const put_codes[COLLATERAL_PUTS] = {
    [COLLATERAL_ADDED] = "added",         [COLLATERAL_REPLACED] = "replaced",
    [COLLATERAL_UNCHANGED] = "unchanged", [COLLATERAL_ROLLBACK] = "rollback",
    [COLLATERAL_NOT_VALID] = "not_valid", [COLLATERAL_OTHER] = "not_what_was_asked",
    [COLLATERAL_REFUSED] = "refused",     [COLLATERAL_FULL] = "full",
};

const char *collateral_put_code(enum collateral_put p)
{
    assert((unsigned)p < COLLATERAL_PUTS);
    return put_codes[p];
}

bool collateral_put_is_good(enum collateral_put p)
{
    return p == COLLATERAL_ADDED || p == COLLATERAL_REPLACED || p == COLLATERAL_UNCHANGED;
}

/* ---- snapshots ---- */

static void snapshot_free(struct snapshot *snapshot)
{
    struct collateral_snapshot *s = (struct collateral_snapshot *)snapshot;

    for (size_t i = 0; i < s->count; i++)
        collateral_item_release(&s->items[i]);
    free(s->items);
    free((void *)s->set.items);
    free((void *)s->early.items);
    free((void *)s->set.amd);
    free((void *)s->set.veks);
    free((void *)s->set.arm_keys);
    free(s);
}

void collateral_snapshot_release(struct collateral_snapshot **snapshot)
{
    struct snapshot *s = *snapshot ? &(*snapshot)->snapshot : NULL;

    *snapshot = NULL;
    snapshot_release(&s);
}

/* Room for `count` pointers of any kind, and one more. */
static void *pointers_new(size_t count)
{
    return calloc(count + 1, sizeof(void *));
}

/* Room for `count` items; the arrays of the set are filled by snapshot_fill(). */
static struct collateral_snapshot *snapshot_new(size_t count)
{
    struct collateral_snapshot *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    snapshot_init(&s->snapshot, snapshot_free);
    s->items = pointers_new(count);
    s->set.items = pointers_new(count);
    s->early.items = pointers_new(count);
    s->set.amd = pointers_new(count);
    s->set.veks = pointers_new(count);
    s->set.arm_keys = pointers_new(count);
    if (!s->items || !s->set.items || !s->early.items || !s->set.amd || !s->set.veks ||
        !s->set.arm_keys)
        collateral_snapshot_release(&s);
    return s;
}

/* Index of the name, or of the place to insert it. */
static size_t position_of(const struct collateral_snapshot *s, struct span name, bool *found)
{
    size_t low = 0;
    size_t high = s->count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *there = s->items[middle]->name;
        size_t size = strlen(there);
        int order = memcmp(there, name.data, size < name.size ? size : name.size); /* public */

        if (order == 0)
            order = size < name.size ? -1 : size > name.size;
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct collateral_item *collateral_snapshot_find(const struct collateral_snapshot *snapshot,
                                                 struct span name)
{
    bool found;
    size_t at = position_of(snapshot, name, &found);

    return found ? snapshot->items[at] : NULL;
}

static bool has_early(const struct collateral_snapshot *s, const struct collateral_item *item)
{
    char name[COLLATERAL_NAME_SIZE + sizeof "-early"];

    (void)snprintf(name, sizeof name, "%s-early", item->name);
    return collateral_snapshot_find(s, span_string(name)) != NULL;
}

/* The items by kind, in the order of names, as attest_verify() takes them. */
static void snapshot_fill(struct collateral_snapshot *s)
{
    const struct attest_collateral **items = (const struct attest_collateral **)s->set.items;
    const struct attest_collateral **early = (const struct attest_collateral **)s->early.items;
    const struct attest_amd **amd = (const struct attest_amd **)s->set.amd;
    const struct attest_vek **veks = (const struct attest_vek **)s->set.veks;
    const struct attest_arm_key **arm_keys = (const struct attest_arm_key **)s->set.arm_keys;
    size_t early_count = 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct collateral_item *item = s->items[i];

        assert(item); /* a snapshot has no gaps */
        if (item->intel && !item->early)
            items[s->set.count++] = item->intel;
        if (item->intel && (item->early || !has_early(s, item)))
            early[early_count++] = item->intel;
        if (item->amd)
            amd[s->set.amd_count++] = item->amd;
        if (item->vek)
            veks[s->set.vek_count++] = item->vek;
        if (item->arm_key)
            arm_keys[s->set.arm_key_count++] = item->arm_key;
    }
    s->early = s->set;
    s->early.items = (const struct attest_collateral *const *)early;
    s->early.count = early_count;
}

/* ---- marks */

enum { MARK_DIGEST_SIZE = 8 };

static void mark_write(const struct collateral_item *item, char out[COLLATERAL_MARK_SIZE])
{
    char digest[2 * MARK_DIGEST_SIZE + 1];

    hex_write(span_of(item->content, MARK_DIGEST_SIZE), digest);
    (void)snprintf(out, COLLATERAL_MARK_SIZE, "%.40s:%s", item->name, digest);
}

void collateral_mark(const struct collateral_snapshot *snapshot, const struct attest_result *result,
                     char out[COLLATERAL_MARK_SIZE])
{
    struct collateral_key keys[COLLATERAL_MISSING_MAX];
    char name[COLLATERAL_NAME_SIZE];
    const struct collateral_item *item;

    out[0] = '\0';
    if (collateral_keys_missing(result, keys) == 0)
        return;
    collateral_key_name(&keys[0], name); /* the platform's or the product's key, never one chip's */
    item = collateral_snapshot_find(snapshot, span_string(name));
    if (item)
        mark_write(item, out);
}

bool collateral_mark_holds(const struct collateral_snapshot *snapshot, const char *mark,
                           struct timestamp at)
{
    const char *colon = strchr(mark, ':');
    const struct collateral_item *item;
    char now[COLLATERAL_MARK_SIZE];

    if (!colon)
        return mark[0] == '\0';
    item = collateral_snapshot_find(snapshot, span_of(mark, (size_t)(colon - mark)));
    if (!item)
        return true; /* another keystore's item; without it, our store judges no such platform */
    mark_write(item, now);
    return strcmp(now, mark) == 0 || timestamp_seconds(item->content_since) < timestamp_seconds(at);
}

/* The item to remove when there is no room; COLLATERAL_ITEMS_MAX when none may be removed. */
static size_t victim_of(const struct collateral_snapshot *s)
{
    size_t victim = COLLATERAL_ITEMS_MAX;

    for (size_t i = 0; i < s->count; i++)
        if (s->items[i]->kind == COLLATERAL_VEK &&
            (victim == COLLATERAL_ITEMS_MAX ||
             s->items[i]->fetched.ms < s->items[victim]->fetched.ms))
            victim = i;
    return victim;
}

/* Makes a snapshot with `item` in it; leaves out `victim` (an index, or a larger number for
 * none). */
static struct collateral_snapshot *snapshot_with(const struct collateral_snapshot *old,
                                                 struct collateral_item *item, size_t victim)
{
    bool found;
    size_t at = position_of(old, span_string(item->name), &found);
    struct collateral_snapshot *s = snapshot_new(old->count + 1);

    if (!s)
        return NULL;
    for (size_t i = 0; i <= old->count; i++) {
        if (i == at)
            s->items[s->count++] = collateral_item_hold(item);
        if (i < old->count && i != victim && !(found && i == at))
            s->items[s->count++] = collateral_item_hold(old->items[i]);
    }
    snapshot_fill(s);
    return s;
}

/* ---- the store ---- */

static void publish(struct collateral_store *s, struct collateral_snapshot **made)
{
    struct snapshot *next = &(*made)->snapshot;

    *made = NULL;
    snapshot_publish(&s->cell, &next);
}

/* The caller holds the lock of writers. */
static const struct collateral_snapshot *current(const struct collateral_store *s)
{
    return (const struct collateral_snapshot *)s->cell.current;
}

enum err collateral_store_new(const struct attest_trust *trust, struct collateral_store **out)
{
    struct collateral_store *s = calloc(1, sizeof *s);
    struct collateral_snapshot *empty = snapshot_new(0);

    if (!s || !empty) {
        collateral_snapshot_release(&empty);
        free(s);
        return ERR_MEMORY;
    }
    s->trust = *trust;
    snapshot_cell_init(&s->cell);
    publish(s, &empty);
    (void)pthread_mutex_init(&s->write_lock, NULL);
    (void)pthread_mutex_init(&s->queue_lock, NULL);
    clock_cond_init(&s->queue_changed);
    *out = s;
    return ERR_NONE;
}

void collateral_store_free(struct collateral_store **store)
{
    struct collateral_store *s = *store;

    *store = NULL;
    if (!s)
        return;
    snapshot_cell_clear(&s->cell);
    (void)pthread_cond_destroy(&s->queue_changed);
    (void)pthread_mutex_destroy(&s->queue_lock);
    (void)pthread_mutex_destroy(&s->write_lock);
    free(s);
}

struct collateral_snapshot *collateral_store_hold(struct collateral_store *s)
{
    return (struct collateral_snapshot *)snapshot_hold(&s->cell);
}

bool collateral_store_has(struct collateral_store *s, struct span document)
{
    struct collateral_snapshot *held = collateral_store_hold(s);
    uint8_t digest[SHA256_SIZE];
    bool is = false;

    sha256(document, digest);
    for (size_t i = 0; i < held->count && !is; i++)
        is = span_equal(SPAN_OF(held->items[i]->sha256), SPAN_OF(digest));
    collateral_snapshot_release(&held);
    return is;
}

const struct collateral_snapshot *collateral_store_view(struct collateral_store *s,
                                                        struct snapshot_view *view)
{
    return (const struct collateral_snapshot *)snapshot_view_of(&s->cell, view);
}

static bool in_its_time(const struct collateral_item *item, struct timestamp now)
{
    return now.ms <= item->expires.ms && (!item->intel || item->facts.valid_from.ms <= now.ms);
}

/* Makes `*next` from `from` plus the result's item. */
MUST_CHECK static enum err make_next(const struct collateral_snapshot *from,
                                     const struct collateral_put_result *result, size_t victim,
                                     struct collateral_snapshot **next)
{
    *next = snapshot_with(from, result->item, victim);
    return *next ? ERR_NONE : ERR_MEMORY;
}

/* The store has no item of that name. */
MUST_CHECK static enum err item_add(const struct collateral_snapshot *from,
                                    struct collateral_put_result *result,
                                    struct collateral_snapshot **next)
{
    size_t victim = SIZE_MAX;

    result->put = COLLATERAL_ADDED;
    if (from->count == COLLATERAL_ITEMS_MAX && (victim = victim_of(from)) == COLLATERAL_ITEMS_MAX) {
        result->put = COLLATERAL_FULL;
        return ERR_NONE;
    }
    return make_next(from, result, victim, next);
}

/* The newest of each part replaces the held one. */
MUST_CHECK static enum err item_replace(struct collateral_store *s,
                                        const struct collateral_snapshot *from,
                                        const struct collateral_item *held, struct timestamp now,
                                        struct collateral_put_result *result,
                                        struct collateral_snapshot **next)
{
    struct collateral_difference d;
    struct collateral_item *merged = NULL;
    enum err e;

    collateral_compare(held, result->item, now, &d);
    if (d.older != 0)
        atomic_fetch_add_explicit(&s->rollbacks, 1, memory_order_relaxed);
    if (d.newer == 0) {
        result->put = d.older == 0         ? COLLATERAL_UNCHANGED
                      : d.older == d.early ? COLLATERAL_NOT_VALID
                                           : COLLATERAL_ROLLBACK;
        return ERR_NONE;
    }
    if (d.older != 0) {
        e = collateral_merge(&s->trust, held, result->item, d.newer, &merged, &result->reason);
        if (e == ERR_DENIED)
            return ERR_NONE; /* refused; parts that verified can only fail by their size */
        if (e != ERR_NONE)
            return e;
        collateral_item_release(&result->item);
        result->item = merged;
    }
    if (span_equal(SPAN_OF(held->content), SPAN_OF(result->item->content)))
        result->item->content_since = held->content_since;
    result->put = COLLATERAL_REPLACED;
    return make_next(from, result, SIZE_MAX, next);
}

/* The caller holds the lock of writers. `*next` is `from` plus the result's item; NULL when
 * nothing changes. */
MUST_CHECK static enum err item_place(struct collateral_store *s,
                                      const struct collateral_snapshot *from, struct timestamp now,
                                      struct collateral_put_result *result,
                                      struct collateral_snapshot **next)
{
    const struct collateral_item *held =
        collateral_snapshot_find(from, span_string(result->item->name));

    *next = NULL;
    return held ? item_replace(s, from, held, now, result, next) : item_add(from, result, next);
}

enum err collateral_store_put_received(struct collateral_store *s, struct span document,
                                       const char *source, const char *expected,
                                       struct timestamp received, struct timestamp now,
                                       struct collateral_put_result *result)
{
    struct collateral_put_result made = {.put = COLLATERAL_REFUSED, .reason = ATTEST_OK};
    struct collateral_snapshot *next = NULL;
    enum err e =
        collateral_item_new(&s->trust, document, source, received, &made.item, &made.reason);

    if (e == ERR_DENIED) {
        *result = made;
        return ERR_NONE;
    }
    if (e != ERR_NONE)
        return e;
    if (expected && strcmp(expected, made.item->name) != 0) {
        made.put = COLLATERAL_OTHER;
    } else {
        (void)pthread_mutex_lock(&s->write_lock);
        e = item_place(s, current(s), now, &made, &next);
        if (next)
            publish(s, &next);
        (void)pthread_mutex_unlock(&s->write_lock);
    }
    if (e != ERR_NONE) {
        collateral_item_release(&made.item);
        return e;
    }
    *result = made;
    return ERR_NONE;
}

enum err collateral_store_put(struct collateral_store *s, struct span document, const char *source,
                              const char *expected, struct timestamp now,
                              struct collateral_put_result *result)
{
    return collateral_store_put_received(s, document, source, expected, now, now, result);
}

/* The caller holds the lock of writers. Adds this item to the stage's next snapshot. */
MUST_CHECK static enum err stage_item(struct collateral_stage *stage, struct collateral_item *item,
                                      struct timestamp now)
{
    const struct collateral_snapshot *from = stage->next ? stage->next : current(stage->store);
    struct collateral_put_result result = {
        .put = COLLATERAL_REFUSED, .reason = ATTEST_OK, .item = collateral_item_hold(item)};
    struct collateral_snapshot *next = NULL;
    enum err e = item_place(stage->store, from, now, &result, &next);

    stage->results[stage->count++] = result;
    if (!next)
        return e;
    collateral_snapshot_release(&stage->next);
    stage->next = next;
    return e;
}

enum err collateral_store_stage(struct collateral_store *s, struct collateral_item *const *items,
                                size_t count, struct timestamp now, struct collateral_stage *out)
{
    struct collateral_stage stage = {.store = s,
                                     .results = calloc(count + 1, sizeof *out->results)};
    enum err e = ERR_NONE;

    if (!stage.results)
        return ERR_MEMORY;
    (void)pthread_mutex_lock(&s->write_lock);
    for (size_t i = 0; i < count && e == ERR_NONE; i++)
        e = stage_item(&stage, items[i], now);
    if (e == ERR_NONE)
        *out = stage; /* the stage keeps the lock */
    else
        collateral_stage_clear(&stage);
    return e;
}

void collateral_store_adopt(struct collateral_stage *stage)
{
    struct collateral_store *s = stage->store;

    if (stage->next)
        publish(s, &stage->next);
    stage->store = NULL;
    (void)pthread_mutex_unlock(&s->write_lock);
}

void collateral_stage_clear(struct collateral_stage *stage)
{
    for (size_t i = 0; i < stage->count; i++)
        collateral_item_release(&stage->results[i].item);
    free(stage->results);
    collateral_snapshot_release(&stage->next);
    if (stage->store)
        (void)pthread_mutex_unlock(&stage->store->write_lock);
    *stage = (struct collateral_stage){0};
}

uint64_t collateral_store_rollbacks(const struct collateral_store *s)
{
    return atomic_load_explicit(&s->rollbacks, memory_order_relaxed);
}

/* ---- the queue ---- */

bool collateral_is_missing(enum attest_reason reason)
{
    return reason == ATTEST_COLLATERAL_MISSING || reason == ATTEST_COLLATERAL_EXPIRED ||
           reason == ATTEST_CRL_MISSING || reason == ATTEST_CRL_TIME;
}

bool collateral_is_another(enum attest_reason reason)
{
    return reason == ATTEST_TCB_INFO_MISMATCH || reason == ATTEST_CRL_ISSUER_MISMATCH ||
           reason == ATTEST_VEK_TCB_MISMATCH || reason == ATTEST_VEK_HWID_MISMATCH ||
           reason == ATTEST_VEK_TYPE_MISMATCH;
}

void collateral_store_no_sources(struct collateral_store *s)
{
    s->no_sources = true;
}

static bool is_at_hand(struct collateral_store *s, const char *name, struct timestamp now)
{
    struct collateral_snapshot *held = collateral_store_hold(s);
    const struct collateral_item *item = collateral_snapshot_find(held, span_string(name));
    bool is = item && in_its_time(item, now);

    collateral_snapshot_release(&held);
    return is;
}

/* The caller holds the queue's lock. Returns the caller's count for this minute; NULL when there
 * is no room. */
static struct stranger *stranger_of(struct collateral_store *s, const uint8_t caller[SHA256_SIZE],
                                    struct timestamp now)
{
    const int64_t age = now.ms - s->minute.ms;

    if (age < 0 || age >= MINUTE_MS) {
        s->minute = now;
        s->strangers = 0;
        s->caller_count = 0;
    }
    for (size_t i = 0; i < s->caller_count; i++)
        if (span_equal(SPAN_OF(s->callers[i].caller), span_of(caller, SHA256_SIZE)))
            return &s->callers[i];
    if (s->caller_count == COUNT_OF(s->callers))
        return NULL;
    s->callers[s->caller_count] = (struct stranger){.count = 0};
    memcpy(s->callers[s->caller_count].caller, caller, SHA256_SIZE);
    return &s->callers[s->caller_count++];
}

/* The caller holds the queue's lock. */
static bool stranger_passes(struct collateral_store *s, const struct fetch_request *request,
                            struct timestamp now)
{
    struct stranger *its = stranger_of(s, request->caller, now);

    if (!its || its->count == COLLATERAL_STRANGER_SHARE ||
        s->strangers == COLLATERAL_STRANGERS_PER_MINUTE)
        return false;
    its->count++;
    s->strangers++;
    return true;
}

/* The caller holds the queue's lock. */
static bool has_place(const struct collateral_store *s, const struct fetch_request *request)
{
    /* half of the queue is not for strangers */
    const size_t limit = request->is_signed ? COLLATERAL_QUEUE_MAX : COLLATERAL_QUEUE_MAX / 2;
    size_t held = 0;

    for (size_t i = 0; i < s->request_count; i++)
        held += span_equal(SPAN_OF(s->requests[i].caller), SPAN_OF(request->caller));
    return s->request_count < limit && held < COLLATERAL_QUEUE_SHARE;
}

/* The caller holds the queue's lock. */
static bool is_absent(const struct collateral_store *s, const char *name, struct timestamp now)
{
    for (size_t i = 0; i < COUNT_OF(s->absences); i++)
        if (strcmp(s->absences[i].name, name) == 0 &&
            !fetch_wait_is_over(&s->absences[i].wait, now))
            return true;
    return false;
}

void collateral_store_absent(struct collateral_store *s, const char *name, struct timestamp now,
                             struct timestamp until)
{
    size_t at;

    (void)pthread_mutex_lock(&s->queue_lock);
    at = s->next_absence;
    for (size_t i = 0; i < COUNT_OF(s->absences); i++)
        if (strcmp(s->absences[i].name, name) == 0)
            at = i;
    if (at == s->next_absence)
        s->next_absence = (s->next_absence + 1) % COUNT_OF(s->absences);
    (void)snprintf(s->absences[at].name, sizeof s->absences[at].name, "%s", name);
    s->absences[at].wait = (struct fetch_wait){.since = now, .until = until};
    (void)pthread_mutex_unlock(&s->queue_lock);
}

/* The caller holds the queue's lock. True while a fetch runs, or waits for its source. */
static bool is_taken(const struct collateral_store *s, const char *name)
{
    for (size_t i = 0; i < COLLATERAL_TAKEN_MAX; i++)
        if (strcmp(s->taken[i], name) == 0)
            return true;
    return false;
}

void collateral_store_forget(struct collateral_store *s, const char *name)
{
    (void)pthread_mutex_lock(&s->queue_lock);
    for (size_t i = 0; i < COLLATERAL_TAKEN_MAX; i++)
        if (strcmp(s->taken[i], name) == 0)
            s->taken[i][0] = '\0';
    (void)pthread_mutex_unlock(&s->queue_lock);
}

/* With the queue's lock. */
static bool queue_add(struct collateral_store *s, const struct fetch_request *request,
                      struct timestamp now)
{
    if (is_absent(s, request->name, now))
        return false;
    if (is_taken(s, request->name))
        return true;
    for (size_t i = 0; i < s->request_count; i++)
        if (strcmp(s->requests[i].name, request->name) == 0)
            return true;
    if (!has_place(s, request) || (!request->is_signed && !stranger_passes(s, request, now))) {
        s->dropped++;
        return false;
    }
    s->requests[s->request_count++] = *request;
    s->queued++;
    (void)pthread_cond_signal(&s->queue_changed);
    return true;
}

bool collateral_store_request_fetch(struct collateral_store *s, const struct attest_result *result,
                                    const uint8_t caller[SHA256_SIZE], struct timestamp now)
{
    struct collateral_key keys[COLLATERAL_MISSING_MAX];
    size_t count = s->no_sources ? 0 : collateral_keys_missing(result, keys);
    /* the VEK itself cannot be fetched: it is a VLEK, or the VCEK of a chip with a masked id */
    const bool can_help = count > 1 || strcmp(result->step, "vek") != 0;
    bool coming = false;

    for (size_t i = 0; i < count; i++) {
        struct fetch_request request = {.key = keys[i], .is_signed = result->signatures_valid};

        if (caller)
            memcpy(request.caller, caller, sizeof request.caller);
        collateral_key_name(&request.key, request.name);
        if (is_at_hand(s, request.name, now))
            continue;
        (void)pthread_mutex_lock(&s->queue_lock);
        coming = queue_add(s, &request, now) || coming;
        (void)pthread_mutex_unlock(&s->queue_lock);
    }
    return coming && can_help;
}

bool collateral_store_take(struct collateral_store *s, struct collateral_key *out)
{
    bool any;

    (void)pthread_mutex_lock(&s->queue_lock);
    any = s->request_count > 0;
    if (any) {
        *out = s->requests[0].key;
        memcpy(s->taken[s->next_taken], s->requests[0].name, sizeof s->taken[0]);
        s->next_taken = (s->next_taken + 1) % COLLATERAL_TAKEN_MAX;
        s->request_count--;
        memmove(&s->requests[0], &s->requests[1], s->request_count * sizeof s->requests[0]);
    }
    (void)pthread_mutex_unlock(&s->queue_lock);
    return any;
}

void collateral_store_wait(struct collateral_store *s, unsigned timeout_ms)
{
    const struct timespec until = clock_deadline((int64_t)timeout_ms * 1000);
    int status = 0;

    (void)pthread_mutex_lock(&s->queue_lock);
    while (s->request_count == 0 && !s->woken && status == 0)
        status = pthread_cond_timedwait(&s->queue_changed, &s->queue_lock, &until);
    s->woken = false;
    (void)pthread_mutex_unlock(&s->queue_lock);
}

void collateral_store_wake(struct collateral_store *s)
{
    (void)pthread_mutex_lock(&s->queue_lock);
    s->woken = true;
    (void)pthread_cond_signal(&s->queue_changed);
    (void)pthread_mutex_unlock(&s->queue_lock);
}

void collateral_store_queue_figures(struct collateral_store *s,
                                    struct collateral_queue_figures *out)
{
    (void)pthread_mutex_lock(&s->queue_lock);
    *out = (struct collateral_queue_figures){
        .queued = s->queued, .dropped = s->dropped, .waiting = s->request_count};
    (void)pthread_mutex_unlock(&s->queue_lock);
}
