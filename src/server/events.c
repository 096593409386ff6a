/* Entries about the keystore itself: events that are kept until they are durable, and events that
 * a thread waits for. */
#include <stdlib.h>

#include "base/log.h"
#include "base/text.h"
#include "server/call.h"

enum { EVENTS_KEPT_MAX = 4096 };

struct event {
    struct event *next; /* in the list of kept events */
    struct outcome outcome;
    sem_t *awaited; /* a thread waits for the commit; else NULL */
    bool kept;      /* until it is durable */
};

static void event_free(struct event *v)
{
    outcome_clear(&v->outcome);
    free(v);
}

static void say_lost(enum err e, const char *effect)
{
    log_write(LOG_ERROR, "server", "event_lost", LOG_STRING("code", err_code(e)),
              LOG_STRING("effect", effect));
}

#define IS_LOST "an entry about the keystore itself is not in its log"
#define MAY_BE_LOST                                                                                \
    "an entry about the keystore itself may be missing in its log: the daemon stops, and it is "   \
    "not "                                                                                         \
    "known whether the entry is stored"

/* Takes ownership. */
static void keep(struct server *s, struct event *v, enum err e)
{
    bool full;

    v->next = NULL;
    (void)pthread_mutex_lock(&s->events.lock);
    full = s->events.count == EVENTS_KEPT_MAX;
    if (!full) {
        if (s->events.last)
            s->events.last->next = v;
        else
            s->events.first = v;
        s->events.last = v;
        s->events.count++;
    }
    (void)pthread_mutex_unlock(&s->events.lock);
    if (full) {
        say_lost(e, IS_LOST);
        event_free(v);
    }
}

/* Takes ownership of an event that was not committed, or of which that is not known. */
static void not_durable(struct server *s, struct event *v, enum err e, const char *effect)
{
    const bool can_be_repeated = e != ERR_TOO_LARGE && e != ERR_MALFORMED && e != ERR_UNAVAILABLE;

    if (v->kept && can_be_repeated) {
        keep(s, v, e);
        return;
    }
    if (v->kept)
        say_lost(e, effect);
    event_free(v);
}

void event_done(struct server *s, struct writer_request *request)
{
    struct outcome *o = (struct outcome *)((char *)request - offsetof(struct outcome, commit));
    struct event *v = (struct event *)((char *)o - offsetof(struct event, outcome));

    if (v->awaited)
        (void)sem_post(v->awaited); /* that thread owns the event again */
    else if (request->result == ERR_NONE)
        event_free(v);
    else
        not_durable(s, v, request->result,
                    request->result == ERR_UNAVAILABLE ? MAY_BE_LOST : IS_LOST);
}

static void event_submit(struct server *s, struct event *v)
{
    enum err e = store_writer_submit(s->writer, &v->outcome.commit);

    if (e != ERR_NONE)
        not_durable(s, v, e, IS_LOST);
}

MUST_CHECK static enum err event_new(const struct server *s, struct span op, struct span detail,
                                     struct timestamp now, struct event **out)
{
    char request_id[REQUEST_ID_SIZE];
    struct event *v = calloc(1, sizeof *v);
    enum err e;

    if (!v)
        return ERR_MEMORY;
    request_id_write(now, request_id);
    e = outcome_event(&v->outcome, s->simulated, op, detail, SPAN_OF(request_id), now);
    if (e == ERR_NONE)
        *out = v;
    else
        event_free(v);
    return e;
}

void server_event(struct server *s, struct span op, struct span detail, struct timestamp now)
{
    struct event *v = NULL;
    enum err e = event_new(s, op, detail, now, &v);

    if (e != ERR_NONE) {
        say_lost(e, IS_LOST);
        return;
    }
    v->kept = true;
    event_submit(s, v);
}

void event_try(struct server *s, struct span op, struct span detail, struct timestamp now)
{
    struct event *v = NULL;

    if (event_new(s, op, detail, now, &v) == ERR_NONE)
        event_submit(s, v);
}

enum err event_commit_archived(struct server *s, struct span op, struct span detail,
                               uint64_t archived, struct timestamp now)
{
    struct event *v = NULL;
    struct transaction transaction = {.time = now, .archived = archived};
    sem_t committed;
    enum err e = event_new(s, op, detail, now, &v);

    if (e != ERR_NONE)
        return e;
    transaction.entry = v->outcome.commit.entry;
    v->outcome.commit.transaction = &transaction;
    (void)sem_init(&committed, 0, 0);
    v->awaited = &committed;
    if ((e = store_writer_submit(s->writer, &v->outcome.commit)) == ERR_NONE) {
        while (sem_wait(&committed) != 0)
            continue;
        e = v->outcome.commit.result;
    }
    (void)sem_destroy(&committed);
    event_free(v);
    return e;
}

enum err server_event_commit(struct server *s, struct span op, struct span detail,
                             struct timestamp now)
{
    return event_commit_archived(s, op, detail, 0, now);
}

static struct event *take_all(struct server *s)
{
    struct event *first;

    (void)pthread_mutex_lock(&s->events.lock);
    first = s->events.first;
    s->events.first = s->events.last = NULL;
    s->events.count = 0;
    (void)pthread_mutex_unlock(&s->events.lock);
    return first;
}

void events_try_again(struct server *s)
{
    struct event *v = take_all(s);

    while (v) {
        struct event *next = v->next;

        event_submit(s, v);
        v = next;
    }
}

void events_init(struct server *s)
{
    (void)pthread_mutex_init(&s->events.lock, NULL);
}

void events_clear(struct server *s)
{
    struct event *v = take_all(s);

    while (v) {
        struct event *next = v->next;

        say_lost(v->outcome.commit.result, IS_LOST);
        event_free(v);
        v = next;
    }
    (void)pthread_mutex_destroy(&s->events.lock);
}
