#include "service/sealing.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "codec/json.h"
#include "service/inside.h"
#include "service/operations.h"

enum { PATH_SIZE = 4200, FRESH_US = 1000 * 1000 };

struct sealing {
    char path[PATH_SIZE - 16];
    pthread_mutex_t device; /* serialises the use of the TEE and the files */
    pthread_mutex_t lock;   /* guards the fields below */
    struct sealing_status status;
    int64_t looked_us; /* monotonic; 0: never */
};

const char *sealing_state_name(enum sealing_state state)
{
    static const char *const names[SEALING_STATES] = {
        [SEALING_UNKNOWN] = "unknown",         [SEALING_READY] = "ready",
        [SEALING_CHANGED] = "changed",         [SEALING_MISSING] = "missing",
        [SEALING_UNAVAILABLE] = "unavailable",
    };

    assert(state < SEALING_STATES);
    return names[state];
}

enum err sealing_new(const char *path, struct sealing **out)
{
    struct sealing *s = calloc(1, sizeof *s);

    if (!s)
        return ERR_MEMORY;
    if (span_to_string(span_string(path), s->path, sizeof s->path) != ERR_NONE) {
        free(s);
        return ERR_TOO_LARGE;
    }
    (void)pthread_mutex_init(&s->device, NULL);
    (void)pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return ERR_NONE;
}

void sealing_free(struct sealing **s)
{
    if (*s) {
        (void)pthread_mutex_destroy(&(*s)->device);
        (void)pthread_mutex_destroy(&(*s)->lock);
        free(*s);
    }
    *s = NULL;
}

/* ---- the preflight ---- */

static enum sealing_state state_of(enum err e)
{
    switch ((int)e) {
    case ERR_NONE:
        return SEALING_READY;
    case ERR_NOT_FOUND:
        return SEALING_MISSING;
    case ERR_DENIED:
    case ERR_MALFORMED:
    case ERR_TOO_LARGE:
        return SEALING_CHANGED;
    default:
        return SEALING_UNAVAILABLE;
    }
}

MUST_CHECK static enum err look(struct service *svc, struct tee_failure *failure)
{
    struct buffer sealed = {0};
    enum err e = file_read(svc->sealing->path, TEE_SEALED_MAX, &sealed);

    if (e != ERR_NONE)
        tee_failure_set(failure, "%s: %s", svc->sealing->path, err_text(e));
    else if (svc->tee->ops->preflight)
        e = svc->tee->ops->preflight(svc->tee, buffer_span(&sealed), failure);
    buffer_clear(&sealed);
    return e;
}

/* Logs one line when the state changes, not one for each check. */
static void tell(const struct sealing_status *before, const struct sealing_status *now)
{
    if (before->state == now->state && strcmp(before->text, now->text) == 0)
        return;
    if (now->state == SEALING_READY)
        log_write(LOG_INFO, "tee", "sealed_root_ready");
    else
        log_write(LOG_WARN, "tee", "sealed_root_not_ready",
                  LOG_STRING("state", sealing_state_name(now->state)),
                  LOG_STRING("found", now->text),
                  LOG_STRING("effect", "this keystore goes on, but its next start would fail"),
                  LOG_STRING("next", "run `vouchsafe reseal` before the next start"));
}

static void check_now(struct service *svc)
{
    struct sealing *s = svc->sealing;
    struct tee_failure failure = {""};
    struct sealing_status before, now = {0};

    (void)pthread_mutex_lock(&s->device);
    now.state = state_of(look(svc, &failure));
    (void)pthread_mutex_unlock(&s->device);
    now.checked_us = clock_monotonic_us();
    memcpy(now.text, failure.text, sizeof now.text);
    (void)pthread_mutex_lock(&s->lock);
    before = s->status;
    s->status = now;
    (void)pthread_mutex_unlock(&s->lock);
    tell(&before, &now);
}

/* A caller that asks often gets the last result. */
static bool is_fresh(struct sealing *s)
{
    int64_t now_us = clock_monotonic_us();
    bool fresh;

    (void)pthread_mutex_lock(&s->lock);
    fresh = s->looked_us != 0 && now_us - s->looked_us < FRESH_US;
    if (!fresh)
        s->looked_us = now_us;
    (void)pthread_mutex_unlock(&s->lock);
    return fresh;
}

void sealing_check(struct service *svc)
{
    if (svc->sealing && svc->tee && !is_fresh(svc->sealing))
        check_now(svc);
}

void sealing_status_get(const struct service *svc, struct sealing_status *out)
{
    struct sealing *s = svc->sealing;

    *out = (struct sealing_status){0};
    if (!s)
        return;
    (void)pthread_mutex_lock(&s->lock);
    *out = s->status;
    (void)pthread_mutex_unlock(&s->lock);
}

/* ---- sealing again ---- */

static void path_with(const struct sealing *s, const char *suffix, char out[PATH_SIZE])
{
    (void)snprintf(out, PATH_SIZE, "%s%s", s->path, suffix);
}

MUST_CHECK static enum err authorise(struct operation_context *x)
{
    return operation_authorize(x, ACTION_RESEAL, (struct span){0}, false);
}

/* Writes the new blob next to the old one, complete and durable. */
MUST_CHECK static enum err seal_beside(struct service *svc, const char *pcrs,
                                       struct tee_failure *failure)
{
    char path[PATH_SIZE];
    struct secret *plain = NULL;
    struct buffer sealed = {0};
    enum err e;

    path_with(svc->sealing, ".next", path);
    (void)pthread_mutex_lock(&svc->sealing->device);
    if ((e = root_write(svc->keys.root, &plain)) == ERR_NONE &&
        (e = svc->tee->ops->seal_for(svc->tee, secret_span(plain), pcrs, &sealed, failure)) ==
            ERR_NONE)
        e = file_write(path, buffer_span(&sealed), 0600, true);
    (void)pthread_mutex_unlock(&svc->sealing->device);
    secret_free(&plain);
    buffer_clear(&sealed);
    return e;
}

MUST_CHECK static enum err compute(struct operation_context *x)
{
    const struct reseal_request *r = x->request;
    struct service *svc = x->svc;
    struct tee_failure failure = {""};
    enum err e;

    if (!svc->sealing || !svc->tee || !svc->tee->ops->seal_for)
        return refusal_set(x->why, ERR_UNSUPPORTED, "reseal_unsupported");
    e = seal_beside(svc, r->pcrs, &failure);
    if (e == ERR_NONE)
        return e;
    log_write(LOG_WARN, "tee", "reseal_failed", LOG_STRING("code", err_code(e)),
              LOG_STRING("reason", *failure.text ? failure.text : err_text(e)));
    if (e == ERR_CONFIG)
        return refusal_set(x->why, ERR_MALFORMED, "bad_pcrs");
    return refusal_set(x->why, ERR_UNAVAILABLE, "reseal_failed");
}

static void describe(const struct operation_context *x, struct audit_entry *entry,
                     struct writer *scratch)
{
    const struct reseal_request *r = x->request;
    struct json_writer j = json_writer_over(scratch);

    json_open_object(&j, NULL);
    json_put_string(&j, "pcrs", span_string(*r->pcrs ? "given" : "present"));
    json_close_object(&j);
    assert(!scratch->failed);
    entry->detail = span_of(scratch->data, scratch->size);
}

/* There is always a complete file with the root's name. The previous file stays next to it, in
 * case the PCRs do not get the expected values. */
static void committed(struct service *svc, struct outcome *o)
{
    struct sealing *s = svc->sealing;
    char next[PATH_SIZE], previous[PATH_SIZE];

    (void)o;
    path_with(s, ".next", next);
    path_with(s, ".previous", previous);
    (void)pthread_mutex_lock(&s->device);
    (void)unlink(previous);
    if (link(s->path, previous) != 0 && errno != ENOENT)
        log_write(LOG_WARN, "tee", "previous_root_not_kept", LOG_STRING("path", previous),
                  LOG_STRING("reason", strerror(errno)));
    if (rename(next, s->path) != 0)
        log_write(LOG_ERROR, "tee", "reseal_not_finished", LOG_STRING("path", next),
                  LOG_STRING("reason", strerror(errno)),
                  LOG_STRING("next", "rename it to root.sealed by hand"));
    (void)pthread_mutex_unlock(&s->device);
    check_now(svc);
}

const struct operation operation_reseal = {
    .name = "reseal",
    .rule = "administration",
    .authorise = authorise,
    .compute = compute,
    .describe = describe,
    .committed = committed,
};
