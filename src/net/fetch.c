#include "net/fetch.h"

enum { DOUBLINGS_MAX = 16, DICE_MIDDLE = 32768 };

/* ---- arithmetic that stays within int64_t: times come from documents of others ---- */

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? (b < 0 ? INT64_MIN : INT64_MAX) : sum;
}

static int64_t subtract(int64_t a, int64_t b)
{
    int64_t difference;

    return __builtin_sub_overflow(a, b, &difference) ? (b > 0 ? INT64_MIN : INT64_MAX) : difference;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- waits ---- */

int64_t fetch_backoff_ms(const struct fetch_backoff *b, unsigned failures, uint16_t dice)
{
    const unsigned doublings = failures < DOUBLINGS_MAX ? failures : DOUBLINGS_MAX;
    const int64_t first_ms = earlier(b->first_ms, FETCH_BACKOFF_MAX_MS);
    const int64_t max_ms = earlier(b->max_ms, FETCH_BACKOFF_MAX_MS);
    const int64_t wait_ms = earlier(first_ms << doublings, max_ms);

    return wait_ms + wait_ms / 4 * (dice - DICE_MIDDLE) / DICE_MIDDLE;
}

bool fetch_wait_is_over(const struct fetch_wait *w, struct timestamp now)
{
    return w->until.ms <= now.ms || now.ms < w->since.ms;
}

void fetch_wait_extend(struct fetch_wait *w, const struct fetch_backoff *b, unsigned retry_after_s,
                       uint16_t dice, struct timestamp now)
{
    const int64_t max_ms = later(FETCH_RETRY_AFTER_MAX_MS, b->max_ms);
    const int64_t asked_ms = earlier((int64_t)retry_after_s * 1000, max_ms);

    w->since = now;
    w->until.ms = add(now.ms, later(fetch_backoff_ms(b, w->failures, dice), asked_ms));
    if (w->failures < DOUBLINGS_MAX)
        w->failures++;
}

void fetch_wait_clear(struct fetch_wait *w)
{
    *w = (struct fetch_wait){.failures = 0};
}

/* ---- sources ---- */

static void publish(struct fetch_source *s)
{
    atomic_store_explicit(&s->since_ms, s->wait.since.ms, memory_order_relaxed);
    atomic_store_explicit(&s->until_ms, s->wait.until.ms, memory_order_relaxed);
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void fetch_source_answered(struct fetch_source *s, enum fetch_outcome outcome)
{
    fetch_source_hurry(s);
    count(outcome == FETCH_TAKEN     ? &s->fetched
          : outcome == FETCH_REFUSED ? &s->refused
                                     : &s->failed);
}

void fetch_source_failed(struct fetch_source *s, const struct fetch_backoff *b,
                         unsigned retry_after_s, uint16_t dice, struct timestamp now)
{
    fetch_wait_extend(&s->wait, b, retry_after_s, dice, now);
    publish(s);
    count(&s->failed);
}

void fetch_source_hurry(struct fetch_source *s)
{
    fetch_wait_clear(&s->wait);
    publish(s);
}

struct fetch_figures fetch_source_figures(const struct fetch_source *s, struct timestamp now)
{
    const struct fetch_wait wait = {
        .since = {atomic_load_explicit(&s->since_ms, memory_order_relaxed)},
        .until = {atomic_load_explicit(&s->until_ms, memory_order_relaxed)},
    };

    return (struct fetch_figures){
        .fetched = atomic_load_explicit(&s->fetched, memory_order_relaxed),
        .failed = atomic_load_explicit(&s->failed, memory_order_relaxed),
        .refused = atomic_load_explicit(&s->refused, memory_order_relaxed),
        .left_alone = !fetch_wait_is_over(&wait, now),
    };
}

/* ---- due times ---- */

struct timestamp fetch_due_at(const struct fetch_schedule *s, const struct fetch_times *t)
{
    const int64_t lifetime_ms = subtract(t->expires.ms, t->issued.ms);
    int64_t at = add(t->issued.ms, lifetime_ms / 100 * (int64_t)s->percent);

    if (s->max_age_ms > 0)
        at = earlier(at, add(t->fetched.ms, s->max_age_ms));
    return (struct timestamp){at};
}

struct timestamp fetch_look_at(const struct fetch_schedule *s, struct timestamp expires,
                               struct timestamp now)
{
    int64_t wait_ms = subtract(expires.ms, now.ms) / 10;

    wait_ms = earlier(later(wait_ms, s->look_min_ms), s->look_max_ms);
    /* what may only be so old is asked for as often, whether or not there was news */
    if (s->max_age_ms > 0)
        wait_ms = earlier(wait_ms, s->max_age_ms);
    return (struct timestamp){add(now.ms, wait_ms)};
}
