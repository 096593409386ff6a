#include "store/scrub.h"

#include "base/log.h"
#include "store/inside.h"
#include "store/log_end.h"

enum { BLOCK = 1 << LOG_LEVEL_STEP };

/* One piece of work. */
enum scrub_kind { SCRUB_NOTHING, SCRUB_SUSPECT, SCRUB_NEW, SCRUB_PASS, SCRUB_PASS_END };
struct scrub_step {
    enum scrub_kind kind;
    uint64_t first, count;
};

static uint64_t block_of(uint64_t index)
{
    return index - index % BLOCK;
}

/* A clock that was set back makes no pass wait for years. */
static bool pass_is_due(const struct scrub *k, int64_t pause_ms, struct timestamp now)
{
    const int64_t since_ms = now.ms - (int64_t)k->progress.pass_ms;

    return k->progress.scrubbed > 0 || k->progress.pass_ms == 0 || since_ms >= pause_ms ||
           since_ms < 0;
}

/* Entries that were never read back; only whole blocks, else each new entry would be one. */
static bool new_is_there(const struct scrub *k, uint64_t size)
{
    return block_of(size) > block_of(k->progress.verified);
}

static struct scrub_step pass_step(const struct scrub *k, uint64_t size)
{
    const uint64_t first = block_of(k->progress.scrubbed);

    if (first >= block_of(size))
        return (struct scrub_step){SCRUB_PASS_END, first, size - first};
    return (struct scrub_step){SCRUB_PASS, first, BLOCK};
}

/* New entries and the pass take turns: load that never ends must not stop the pass. */
static struct scrub_step step_choose(struct store *s, const struct scrub_limits *l,
                                     struct timestamp now)
{
    struct scrub *k = &s->scrub;
    struct scrub_step step = {SCRUB_NOTHING, 0, 0};
    const uint64_t size = s->committed.size;
    const bool due = size > 0 && pass_is_due(k, l->pause_ms, now);

    if (k->suspected) {
        step = (struct scrub_step){SCRUB_SUSPECT, block_of(k->suspect), SCRUB_SUSPECT_ENTRIES};
    } else if (new_is_there(k, size) && (!due || !k->new_was_last)) {
        step = (struct scrub_step){SCRUB_NEW, block_of(k->progress.verified), BLOCK};
    } else if (due) {
        step = pass_step(k, size);
    }
    k->new_was_last = step.kind == SCRUB_NEW;
    return step;
}

static void step_done(struct scrub *k, const struct scrub_step *step, struct timestamp now)
{
    const uint64_t end = step->first + step->count;

    k->entries += step->count;
    switch (step->kind) {
    case SCRUB_NOTHING:
        break;
    case SCRUB_SUSPECT:
        k->suspected = false;
        break;
    case SCRUB_NEW:
        k->progress.verified = end;
        break;
    case SCRUB_PASS:
        k->progress.scrubbed = end;
        if (step->first <= k->progress.verified && end > k->progress.verified)
            k->progress.verified = end;
        break;
    case SCRUB_PASS_END:
        k->progress.scrubbed = 0;
        k->progress.pass_ms = (uint64_t)now.ms;
        k->passes++;
        break;
    }
}

MUST_CHECK static enum err step_look(struct store *s, const struct scrub_step *step)
{
    const struct log_reader r = store_log_reader(s);
    enum err e = log_entries_verify(&r, step->first, step->count);

    return e == ERR_NONE && step->kind == SCRUB_PASS_END ? log_edge_verify(&r) : e;
}

/* From here on nothing is written but the place, which the next start reads first. */
static void alarm_raise(struct store *s, const struct scrub_step *step)
{
    struct scrub *k = &s->scrub;

    (void)pthread_mutex_lock(&s->mutex);
    k->tampered = true;
    k->bad = step->first;
    if (k->progress.verified > step->first)
        k->progress.verified = step->first;
    (void)pthread_mutex_unlock(&s->mutex);
    log_write(LOG_ERROR, "store", "LOG_TAMPERED", LOG_NUMBER("index", step->first),
              LOG_NUMBER("last", step->first + step->count - 1),
              LOG_STRING("found", "entries of the log, or the hashes over them, were changed"),
              LOG_STRING("effect", "no secret is released from now on"),
              LOG_STRING("next", "stop the daemon, keep a copy of the database as evidence, find "
                                 "out who changed it, then restore it from a backup"));
}

/* A fault of the archive was named, and loses nothing. The pass goes on behind the archive. */
static void archive_skip(struct store *s, struct scrub_step *step)
{
    const uint64_t archived = atomic_load(&s->archived);

    if (step->kind == SCRUB_PASS && step->first + step->count < archived)
        step->count = archived - step->first;
}

MUST_CHECK static enum err step_run(struct store *s, struct scrub_step *step, struct timestamp now)
{
    enum err e = step_look(s, step);

    if (e == ERR_ARCHIVE) {
        archive_skip(s, step);
        e = ERR_NONE;
    }
    if (e == ERR_TAMPERED) /* entries that were moved meanwhile are found at the second look */
        e = step_look(s, step);
    if (e == ERR_TAMPERED) {
        alarm_raise(s, step);
    } else if (e == ERR_NONE) {
        (void)pthread_mutex_lock(&s->mutex);
        step_done(&s->scrub, step, now);
        (void)pthread_mutex_unlock(&s->mutex);
    }
    if (e == ERR_NONE && step->kind == SCRUB_PASS_END)
        log_write(LOG_INFO, "store", "scrub_pass_done",
                  LOG_NUMBER("entries", step->first + step->count));
    return e;
}

enum err store_scrub(struct store *s, const struct scrub_limits *l, struct timestamp now)
{
    uint64_t done = 0;
    enum err e = ERR_NONE;

    while (e == ERR_NONE && done < l->entries && !l->stop(l->context)) {
        struct scrub_step step;

        (void)pthread_mutex_lock(&s->mutex);
        step = step_choose(s, l, now);
        e = s->scrub.tampered ? ERR_TAMPERED : ERR_NONE;
        (void)pthread_mutex_unlock(&s->mutex);
        if (e == ERR_NONE && step.kind == SCRUB_NOTHING)
            break;
        if (e == ERR_NONE)
            e = step_run(s, &step, now);
        done += BLOCK;
    }
    return e;
}

void store_scrub_figures(struct store *s, struct scrub_figures *out)
{
    const struct scrub *k = &s->scrub;

    (void)pthread_mutex_lock(&s->mutex);
    *out = (struct scrub_figures){
        .size = s->committed.size,
        .verified = k->progress.verified,
        .position = k->progress.scrubbed,
        .pass = {(int64_t)k->progress.pass_ms},
        .entries = k->entries,
        .passes = k->passes,
        .tampered = k->tampered,
        .index = k->bad,
    };
    (void)pthread_mutex_unlock(&s->mutex);
}

void store_suspect(struct store *s, uint64_t index)
{
    (void)pthread_mutex_lock(&s->mutex);
    s->scrub.suspected = true;
    s->scrub.suspect = index;
    (void)pthread_mutex_unlock(&s->mutex);
}

void store_progress_take(struct store *s)
{
    struct log_progress progress;

    (void)pthread_mutex_lock(&s->mutex);
    progress = s->scrub.progress;
    (void)pthread_mutex_unlock(&s->mutex);
    executor_note_progress(s->executor, &progress);
}

enum err store_tampering_check(struct store *s)
{
    bool tampered;
    enum err e;

    (void)pthread_mutex_lock(&s->mutex);
    tampered = s->scrub.tampered;
    (void)pthread_mutex_unlock(&s->mutex);
    if (!tampered)
        return ERR_NONE;
    if (s->tampering_stored)
        return ERR_TAMPERED;
    store_progress_take(s);
    executor_anchor(s->executor, executor_state(s->executor)->anchor); /* no move begins here */
    e = executor_mark(s->executor, true);
    s->tampering_stored = e == ERR_NONE;
    return ERR_TAMPERED;
}
