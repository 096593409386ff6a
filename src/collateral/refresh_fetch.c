#include "base/log.h"
#include "collateral/refresh_state.h"
#include "crypto/random.h"

static uint16_t dice_roll(void)
{
    uint16_t dice;

    random_bytes(&dice, sizeof dice);
    return dice;
}

static void log_failure(const struct source_state *s, const struct target *t, const char *code,
                        const char *why, struct timestamp now, struct timestamp again)
{
    log_write(LOG_WARN, "collateral", "fetch_failed",
              LOG_STRING("source", collateral_source_name(s->source)), LOG_STRING("name", t->name),
              LOG_STRING("code", code), LOG_STRING("reason", why),
              LOG_NUMBER("again_in_s", (again.ms - now.ms) / 1000));
}

/* The source does not answer correctly at all. */
static void source_failed(struct collateral_refresh *r, struct source_state *s,
                          const struct target *t, enum err e, const struct collateral_failure *f,
                          struct timestamp now)
{
    fetch_source_failed(&s->asked, &r->backoff, f->retry_after_s, dice_roll(), now);
    log_failure(s, t, err_code(e), f->why, now, s->asked.wait.until);
}

/* This source does not have this item, or only an unacceptable one. */
static void target_failed(struct collateral_refresh *r, size_t index, struct target *t,
                          const char *code, const char *why, struct timestamp now)
{
    fetch_wait_extend(&t->waits[index], &r->backoff, 0, dice_roll(), now);
    log_failure(&r->sources[index], t, code, why, now, t->waits[index].until);
}

static void target_good(const struct collateral_refresh *r, size_t index, struct target *t,
                        const struct collateral_item *item, struct timestamp now)
{
    const struct fetch_schedule schedule = refresh_schedule(r, item);

    fetch_wait_clear(&t->waits[index]);
    t->requested = false;
    t->next_look = (struct fetch_wait){
        .since = now,
        .until = fetch_look_at(&schedule, item->expires, now),
    };
}

/* Puts the answer into the store. True when it is new. */
static bool document_take(struct collateral_refresh *r, size_t index, struct target *t,
                          struct span document, struct timestamp now)
{
    struct source_state *s = &r->sources[index];
    struct collateral_put_result result = {0};
    enum err e = collateral_store_put(r->store, document, collateral_source_name(s->source),
                                      t->name, now, &result);

    if (e != ERR_NONE) {
        target_failed(r, index, t, err_code(e), err_text(e), now);
        return false;
    }
    fetch_source_answered(&s->asked,
                          collateral_put_is_good(result.put) ? FETCH_TAKEN : FETCH_REFUSED);
    if (collateral_put_is_good(result.put)) {
        target_good(r, index, t, result.item, now);
    } else {
        target_failed(r, index, t, collateral_put_code(result.put),
                      result.put == COLLATERAL_REFUSED ? collateral_refusal_text(result.reason)
                                                       : "what is held stays",
                      now);
    }
    if (refresh_is_change(result.put)) {
        refresh_cache_write(r, result.item);
        refresh_tell_change(r, &result);
    }
    collateral_item_release(&result.item);
    return refresh_is_change(result.put);
}

/* Asks one source. True when it had news, or when the thread must end; then no other source is
 * asked. */
static bool fetch_from(struct collateral_refresh *r, size_t index, struct target *t,
                       bool *is_absent)
{
    struct source_state *s = &r->sources[index];
    struct collateral_failure failure;
    struct buffer document = {0};
    enum err e = collateral_source_fetch(s->source, &t->key, &document, &failure);
    struct timestamp now = r->options.clock(); /* the fetch took some time */
    bool done = e == ERR_UNAVAILABLE;

    *is_absent = e != ERR_NONE && failure.absent;
    if (e == ERR_NONE) {
        done = document_take(r, index, t, buffer_span(&document), now);
    } else if (e == ERR_MALFORMED || e == ERR_TOO_LARGE || failure.absent) {
        fetch_source_answered(&s->asked, failure.absent ? FETCH_ABSENT : FETCH_REFUSED);
        target_failed(r, index, t, err_code(e), failure.why, now);
    } else if (!done) {
        source_failed(r, s, t, e, &failure, now);
    }
    buffer_clear(&document);
    return done;
}

static bool may_ask(const struct collateral_refresh *r, size_t index, const struct target *t,
                    struct timestamp now)
{
    return collateral_source_has(r->sources[index].source, &t->key) &&
           fetch_wait_is_over(&r->sources[index].asked.wait, now) &&
           fetch_wait_is_over(&t->waits[index], now);
}

bool refresh_target_fetch(struct collateral_refresh *r, struct target *t, struct timestamp now)
{
    bool asked = false;
    bool done = false;
    bool all_absent = true;
    struct timestamp again = {INT64_MAX};

    for (size_t i = 0; i < r->source_count && !done && !atomic_load(&r->stop); i++) {
        bool is_absent = false;

        if (!collateral_source_has(r->sources[i].source, &t->key))
            continue;
        if (may_ask(r, i, t, now)) {
            asked = true;
            done = fetch_from(r, i, t, &is_absent);
        }
        all_absent = all_absent && is_absent;
        if (t->waits[i].until.ms < again.ms)
            again = t->waits[i].until;
    }
    if (asked && !done && all_absent)
        collateral_store_absent(r->store, t->name, now, again);
    return asked;
}
