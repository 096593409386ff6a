#include "service/space.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

struct space {
    struct store *store;
    uint64_t limit;
    _Atomic uint64_t used;
    _Atomic bool full;
    unsigned level; /* the thread's */

    pthread_t thread;
    pthread_mutex_t mutex; /* guards `stopping` */
    pthread_cond_t changed;
    bool stopping;
};

unsigned space_level(uint64_t used, uint64_t limit)
{
    static const unsigned percents[] = {80, 90, 100};
    unsigned level = 0;

    while (limit > 0 && level < COUNT_OF(percents) && used / percents[level] >= limit / 100)
        level++;
    return level;
}

static void tell(const struct space *s, uint64_t used, unsigned level)
{
    static const char *const events[] = {"store_has_room", "store_fills", "store_fills",
                                         "store_full"};

    log_write(
        level == 0   ? LOG_INFO
        : level == 3 ? LOG_ERROR
                     : LOG_WARN,
        "store", events[level], LOG_NUMBER("used_bytes", used), LOG_NUMBER("limit_bytes", s->limit),
        LOG_STRING("effect", level == 3 ? "operations are refused with store_full" : "none yet"),
        LOG_STRING("next", level == 0 ? "nothing"
                                      : "move old entries to an archive, or raise "
                                        "store.max_mib"));
}

/* What cannot be measured stays as it was. */
static void measure(struct space *s)
{
    uint64_t used = 0;
    unsigned level;

    if (store_size(s->store, &used) != ERR_NONE)
        return;
    level = space_level(used, s->limit);
    atomic_store_explicit(&s->used, used, memory_order_relaxed);
    atomic_store_explicit(&s->full, level == 3, memory_order_relaxed);
    if (level != s->level)
        tell(s, used, level);
    s->level = level;
}

static void *space_main(void *context)
{
    struct space *s = context;

    (void)pthread_mutex_lock(&s->mutex);
    while (!s->stopping) {
        const struct timespec deadline = clock_deadline((int64_t)SPACE_INTERVAL_S * 1000000);
        int result = 0;

        while (!s->stopping && result == 0)
            result = pthread_cond_timedwait(&s->changed, &s->mutex, &deadline);
        if (s->stopping)
            break;
        (void)pthread_mutex_unlock(&s->mutex);
        measure(s);
        (void)pthread_mutex_lock(&s->mutex);
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static void space_free(struct space **space)
{
    (void)pthread_cond_destroy(&(*space)->changed);
    (void)pthread_mutex_destroy(&(*space)->mutex);
    free(*space);
    *space = NULL;
}

enum err space_start(struct store *store, uint64_t limit, struct space **out)
{
    struct space *s = calloc(1, sizeof *s);

    if (!s)
        return ERR_MEMORY;
    s->store = store;
    s->limit = limit;
    (void)pthread_mutex_init(&s->mutex, NULL);
    clock_cond_init(&s->changed);
    measure(s);
    if (pthread_create(&s->thread, NULL, space_main, s) != 0) {
        space_free(&s);
        return ERR_MEMORY;
    }
    *out = s;
    return ERR_NONE;
}

void space_stop(struct space **space)
{
    struct space *s = *space;

    if (!s)
        return;
    (void)pthread_mutex_lock(&s->mutex);
    s->stopping = true;
    (void)pthread_cond_signal(&s->changed);
    (void)pthread_mutex_unlock(&s->mutex);
    (void)pthread_join(s->thread, NULL);
    space_free(space);
}

void space_figures(const struct space *s, struct space_figures *out)
{
    *out = (struct space_figures){
        .used = atomic_load_explicit(&s->used, memory_order_relaxed),
        .limit = s->limit,
        .full = atomic_load_explicit(&s->full, memory_order_relaxed),
    };
}
