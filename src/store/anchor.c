#include "store/anchor.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/store.h"

enum {
    US_PER_MS = 1000,
    HOLD_US = 200 * US_PER_MS, /* of one wait of anchors_hold() */
    RETRY_MS = 1000,           /* between two attempts of a move */
};

struct slot {
    struct anchors *all;
    struct anchor anchor;
    pthread_t thread;
    bool has_thread;
    bool checked;     /* the check of the start was made */
    uint64_t moved;   /* the newest move that is done */
    int64_t since_us; /* the oldest commit of the moves that are not done; 0: none */
    struct timestamp moved_at;
    int64_t tried_us; /* the last attempt */
    bool failing, conflict;
    uint64_t moves, failures;
    struct anchor_problem problem;
};

struct anchors {
    struct anchor_settings settings;
    uint64_t stored; /* the counter that the state named at the start */
    struct store *store;

    pthread_mutex_t mutex; /* guards what follows, and the slots but their anchors */
    pthread_cond_t changed;
    struct slot slots[ANCHORS_MAX];
    uint64_t counter; /* of the last durable state */
    uint64_t begun;   /* moves that commits have begun */
    uint64_t commits; /* since the last of them */
    int64_t dirty_us; /* the first commit since the last of them; 0: none */
    int64_t begun_us; /* the oldest commit of the newest move */
    bool said_late;
    bool stopping;
};

void anchor_problem_set(struct anchor_problem *p, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    (void)vsnprintf(p->text, sizeof p->text, format, arguments);
    va_end(arguments);
}

enum err anchors_new(const struct anchor_settings *settings, struct anchors **out)
{
    struct anchors *a = calloc(1, sizeof *a);

    if (!a)
        return ERR_MEMORY;
    a->settings = *settings;
    for (size_t i = 0; i < settings->count; i++) {
        a->slots[i].all = a;
        a->slots[i].anchor = settings->list[i];
    }
    (void)pthread_mutex_init(&a->mutex, NULL);
    clock_cond_init(&a->changed);
    *out = a;
    return ERR_NONE;
}

void anchors_free(struct anchors **anchors)
{
    struct anchors *a = *anchors;

    if (!a)
        return;
    (void)pthread_cond_destroy(&a->changed);
    (void)pthread_mutex_destroy(&a->mutex);
    free(a);
    *anchors = NULL;
}

static bool is_counting(const struct anchors *a)
{
    for (size_t i = 0; i < a->settings.count; i++)
        if (a->settings.list[i].counts)
            return true;
    return false;
}

/* An answer that proves the database old, or the anchor another one; no retry changes it. */
static bool is_conflict(enum err e)
{
    return e == ERR_ROLLED_BACK || e == ERR_TAMPERED || e == ERR_NOT_FOUND || e == ERR_CONFIG;
}

/* ---- one attempt ---- */

static void failure_tell(const struct slot *s, enum err e, const struct anchor_problem *problem)
{
    if (is_conflict(e))
        log_write(LOG_ERROR, "store", "ROLLED_BACK", LOG_STRING("anchor", s->anchor.name),
                  LOG_STRING("code", err_code(e)), LOG_STRING("found", problem->text),
                  LOG_STRING("effect", "nothing is released any more"));
    else
        log_write(LOG_WARN, "store", "anchor_unavailable", LOG_STRING("anchor", s->anchor.name),
                  LOG_STRING("reason", problem->text),
                  LOG_STRING("effect", "a rollback to a copy of the database from now on would "
                                       "not be noticed until the anchor answers"));
}

/* Notes the result of an attempt for the move `target`; with the lock. */
static void attempt_note(struct slot *s, enum err e, uint64_t target,
                         const struct anchor_problem *problem)
{
    const bool news = s->failing != (e != ERR_NONE) || (is_conflict(e) && !s->conflict);

    s->failing = e != ERR_NONE;
    s->conflict |= is_conflict(e);
    if (e == ERR_NONE) {
        s->moved = target;
        s->since_us = target == s->all->begun ? 0 : s->all->begun_us;
        s->moves++;
        s->moved_at = clock_now();
        s->problem.text[0] = '\0';
    } else {
        s->failures++;
        s->problem = *problem;
    }
    if (news && e != ERR_NONE)
        failure_tell(s, e, problem);
    else if (news)
        log_write(LOG_INFO, "store", "anchor_recovered", LOG_STRING("anchor", s->anchor.name));
}

static bool is_done(const struct anchors *a)
{
    for (size_t i = 0; i < a->settings.count; i++)
        if (a->slots[i].moved < a->begun)
            return false;
    return true;
}

/* A counter must be where the state says before a state may say more. */
static bool may_begin(const struct anchors *a)
{
    for (size_t i = 0; i < a->settings.count; i++)
        if (a->slots[i].anchor.counts && (!a->slots[i].checked || a->slots[i].moved < a->begun))
            return false;
    return true;
}

bool anchors_may_begin(struct anchors *a)
{
    bool may;

    (void)pthread_mutex_lock(&a->mutex);
    may = may_begin(a);
    (void)pthread_mutex_unlock(&a->mutex);
    return may;
}

/* Makes the check of the start if it is missing, then the newest move; called with the lock. */
static void attempt(struct slot *s)
{
    struct anchors *a = s->all;
    const uint64_t target = a->begun;
    struct anchor_point to = {.counter = a->counter, .store = a->store};
    struct anchor_problem problem = {""};
    char note[CHECKPOINT_TEXT_MAX];
    const bool checked = s->checked;
    enum err e = ERR_NONE;

    s->tried_us = clock_monotonic_us();
    (void)pthread_mutex_unlock(&a->mutex);
    store_checkpoint(to.store, &to.checkpoint, note);
    to.note = note;
    if (!checked) {
        struct anchor_point stored = to; /* the checkpoint is newer than that of the start */

        stored.counter = a->stored;
        e = s->anchor.check(s->anchor.context, &stored, &problem);
    }
    if (e == ERR_NONE)
        e = s->anchor.move(s->anchor.context, &to, &problem);
    (void)pthread_mutex_lock(&a->mutex);
    s->checked |= e == ERR_NONE;
    attempt_note(s, e, target, &problem);
    (void)pthread_cond_broadcast(&a->changed);
}

/* ---- the check of the start ---- */

MUST_CHECK static enum err slot_check(struct slot *s, const struct anchor_point *stored)
{
    struct anchors *a = s->all;
    struct anchor_problem problem = {""};
    enum err e = s->anchor.check(s->anchor.context, stored, &problem);

    if (e != ERR_NONE && a->settings.problem)
        *a->settings.problem = problem;
    if (e == ERR_UNAVAILABLE && !a->settings.refuse) {
        s->failing = true;
        s->failures++;
        s->problem = problem;
        log_write(LOG_WARN, "store", "anchor_not_checked", LOG_STRING("anchor", s->anchor.name),
                  LOG_STRING("reason", problem.text),
                  LOG_STRING("effect", "it is not known whether the database is an older copy; "
                                       "the check is made when the anchor answers"));
        return ERR_NONE;
    }
    if (e == ERR_NONE) {
        s->checked = true;
        s->moved_at = clock_now();
    }
    return e;
}

enum err anchors_check(struct anchors *a, const struct anchor_point *stored, uint64_t adopt)
{
    enum err e = ERR_NONE;

    a->stored = stored->counter;
    a->counter = adopt != 0 ? adopt : stored->counter;
    a->store = stored->store;
    for (size_t i = 0; e == ERR_NONE && i < a->settings.count; i++)
        if (adopt != 0 && a->slots[i].anchor.counts)
            a->slots[i].checked = true;
        else
            e = slot_check(&a->slots[i], stored);
    return e;
}

/* ---- commits ---- */

static bool is_over(int64_t since_us, int64_t wait_ms, int64_t now_us)
{
    return since_us != 0 && now_us - since_us >= wait_ms * US_PER_MS;
}

bool anchors_begin(struct anchors *a, int64_t now_us)
{
    bool begins;

    (void)pthread_mutex_lock(&a->mutex);
    begins = may_begin(a) && ((a->settings.commits > 0 && a->commits + 1 >= a->settings.commits) ||
                              is_over(a->dirty_us, a->settings.interval_ms, now_us));
    (void)pthread_mutex_unlock(&a->mutex);
    return begins;
}

bool anchors_due(struct anchors *a, int64_t now_us)
{
    bool due;

    (void)pthread_mutex_lock(&a->mutex);
    due = may_begin(a) && is_over(a->dirty_us, a->settings.interval_ms, now_us);
    (void)pthread_mutex_unlock(&a->mutex);
    return due;
}

uint64_t anchors_next(const struct anchors *a, uint64_t counter, bool begins)
{
    return begins && is_counting(a) ? counter + 1 : counter;
}

void anchors_committed(struct anchors *a, uint64_t counter, bool began, bool quiet, int64_t now_us)
{
    (void)pthread_mutex_lock(&a->mutex);
    /* a commit whose outcome was unknown may have begun a move, too */
    began |= counter > a->counter;
    a->counter = counter;
    if (began) {
        a->begun++;
        a->begun_us = a->dirty_us != 0 ? a->dirty_us : now_us;
        for (size_t i = 0; i < a->settings.count; i++)
            if (a->slots[i].since_us == 0)
                a->slots[i].since_us = a->begun_us;
        a->dirty_us = 0;
        a->commits = 0;
    } else if (!quiet) {
        a->commits++;
        a->dirty_us = a->dirty_us != 0 ? a->dirty_us : now_us;
    }
    (void)pthread_cond_broadcast(&a->changed);
    (void)pthread_mutex_unlock(&a->mutex);
}

/* ---- waiting for moves ---- */

/* The oldest commit whose move is not done; 0: none. */
static int64_t oldest_us(const struct anchors *a)
{
    int64_t oldest = a->dirty_us;

    for (size_t i = 0; i < a->settings.count; i++)
        if (a->slots[i].since_us != 0 && (oldest == 0 || a->slots[i].since_us < oldest))
            oldest = a->slots[i].since_us;
    return oldest;
}

static bool is_late(const struct anchors *a, int64_t now_us)
{
    return is_over(oldest_us(a), a->settings.interval_ms + a->settings.grace_ms, now_us);
}

/* Says once that moves are late, and once that they are not any more. */
static void late_tell(struct anchors *a, bool late)
{
    if (late == a->said_late)
        return;
    a->said_late = late;
    if (late)
        log_write(LOG_WARN, "store", "anchor_late",
                  LOG_STRING("effect", a->settings.refuse
                                           ? "replies are held until the anchor answers"
                                           : "the commits since then could be taken back without "
                                             "notice"),
                  LOG_STRING("next", "find out why the anchor does not answer"));
    else
        log_write(LOG_INFO, "store", "anchor_on_time");
}

/* Whether the state of the anchors lets replies leave; with the lock. */
static bool must_hold(struct anchors *a, bool *late)
{
    const bool waits = !is_done(a);

    *late = is_late(a, clock_monotonic_us());
    late_tell(a, *late);
    if (a->settings.commits == 1)
        return waits && (a->settings.refuse || !*late);
    return *late && a->settings.refuse;
}

static bool has_conflict(const struct anchors *a)
{
    for (size_t i = 0; i < a->settings.count; i++)
        if (a->slots[i].conflict)
            return true;
    return false;
}

bool anchors_hold(struct anchors *a, bool *late)
{
    const struct timespec deadline = clock_deadline(HOLD_US);
    int result = 0;
    bool hold;

    (void)pthread_mutex_lock(&a->mutex);
    hold = must_hold(a, late);
    while (hold && !has_conflict(a) && result == 0) {
        result = pthread_cond_timedwait(&a->changed, &a->mutex, &deadline);
        hold = must_hold(a, late);
    }
    hold = hold && !has_conflict(a);
    (void)pthread_mutex_unlock(&a->mutex);
    return hold;
}

enum err anchors_state(struct anchors *a)
{
    bool conflict;

    (void)pthread_mutex_lock(&a->mutex);
    conflict = has_conflict(a);
    (void)pthread_mutex_unlock(&a->mutex);
    return conflict ? ERR_ROLLED_BACK : ERR_NONE;
}

/* ---- threads ---- */

/* How long the thread may sleep; 0: there is work; with the lock. */
static int64_t sleep_ms(const struct slot *s)
{
    const struct anchors *a = s->all;
    const int64_t since_ms = (clock_monotonic_us() - s->tried_us) / US_PER_MS;
    const int64_t refresh_ms = s->anchor.refresh_ms;

    if (s->conflict)
        return INT32_MAX;
    if (s->failing)
        return since_ms < RETRY_MS ? RETRY_MS - since_ms : 0;
    if (s->moved < a->begun || !s->checked)
        return 0;
    if (refresh_ms == 0)
        return INT32_MAX;
    return since_ms < refresh_ms ? refresh_ms - since_ms : 0;
}

static void *slot_main(void *argument)
{
    struct slot *s = argument;
    struct anchors *a = s->all;

    (void)pthread_setname_np(pthread_self(), "anchor");
    (void)pthread_mutex_lock(&a->mutex);
    while (!a->stopping) {
        const int64_t ms = sleep_ms(s);
        const struct timespec deadline = clock_deadline(ms * US_PER_MS);

        if (ms == 0)
            attempt(s);
        else
            (void)pthread_cond_timedwait(&a->changed, &a->mutex, &deadline);
    }
    (void)pthread_mutex_unlock(&a->mutex);
    return NULL;
}

/* The loops handle signals: the threads start with all of them blocked. */
enum err anchors_start(struct anchors *a)
{
    sigset_t all, before;
    enum err e = ERR_NONE;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < a->settings.count && e == ERR_NONE; i++) {
        struct slot *s = &a->slots[i];

        s->has_thread = pthread_create(&s->thread, NULL, slot_main, s) == 0;
        e = s->has_thread ? ERR_NONE : ERR_MEMORY;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return e;
}

void anchors_stop(struct anchors *a)
{
    (void)pthread_mutex_lock(&a->mutex);
    a->stopping = true;
    (void)pthread_cond_broadcast(&a->changed);
    (void)pthread_mutex_unlock(&a->mutex);
    for (size_t i = 0; i < a->settings.count; i++)
        if (a->slots[i].has_thread)
            (void)pthread_join(a->slots[i].thread, NULL);
    (void)pthread_mutex_lock(&a->mutex);
    for (size_t i = 0; i < a->settings.count; i++) {
        struct slot *s = &a->slots[i];

        s->has_thread = false;
        if (s->moved < a->begun && !s->conflict)
            attempt(s);
    }
    (void)pthread_mutex_unlock(&a->mutex);
}

void anchors_figures(struct anchors *a, int64_t now_us, struct anchors_figures *out)
{
    int64_t since_us;

    *out = (struct anchors_figures){.count = a->settings.count};
    (void)pthread_mutex_lock(&a->mutex);
    for (size_t i = 0; i < a->settings.count; i++) {
        const struct slot *s = &a->slots[i];

        out->list[i] =
            (struct anchor_figures){s->anchor.name, s->failing,  s->conflict, s->moved_at,
                                    s->moves,       s->failures, s->problem};
    }
    out->counter = is_counting(a) ? a->counter : 0;
    since_us = oldest_us(a);
    out->lag_ms = since_us != 0 ? (now_us - since_us) / US_PER_MS : 0;
    out->late = is_late(a, now_us);
    (void)pthread_mutex_unlock(&a->mutex);
}
