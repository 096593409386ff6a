#include "daemon/anchors.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/witnesses.h"
#include "service/keyring.h"
#include "tee/tpm2_counter.h"

/* A cosignature says as of when its log is the largest: idle keystores ask for a new one. */
enum { COSIGNATURE_AGE_MS = 3600 * 1000 };

#define WAY_OUT                                                                                    \
    "Put the newest copy back. If it is lost, compare the database with the newest checkpoint "    \
    "that you keep (`vouchsafe log checkpoint --kept`), and accept it as it is with "              \
    "`vouchsafe init --new-anchor`, which an entry of the log records"

struct daemon_anchors {
    struct anchor_settings settings;
    struct tpm2_counter counter;
    bool has_counter;
    struct secret *auth;
    struct witnesses *witnesses;
};

MUST_CHECK static enum err from_tee(const struct tee_failure *failure, enum err e,
                                    struct anchor_problem *problem)
{
    anchor_problem_set(problem, "the counter of anchor.tpm2: %s",
                       *failure->text ? failure->text : err_text(e));
    return e == ERR_CONFLICT ? ERR_TAMPERED : e;
}

MUST_CHECK static enum err counter_missing(const struct tee_failure *failure,
                                           struct anchor_problem *problem)
{
    anchor_problem_set(problem,
                       "the counter of anchor.tpm2: %s. Without it a rollback cannot be noticed. "
                       "If that was intended, accept the database as it is with `vouchsafe init "
                       "--new-anchor`, which makes a new counter",
                       failure->text);
    return ERR_NOT_FOUND;
}

/* What the counter says about the state of the start. */
MUST_CHECK static enum err counter_judge(const struct tpm2_counter *c, uint64_t stored,
                                         uint64_t value, struct anchor_problem *problem)
{
    const unsigned long long s = stored;
    const unsigned long long v = value;

    if (stored == 0) {
        anchor_problem_set(problem,
                           "anchor.tpm2 is set, but the database has adopted no counter. If this "
                           "keystore had none until now, adopt one with `vouchsafe init "
                           "--new-anchor`. Else the database is older than its anchor");
        return ERR_CONFIG;
    }
    if (stored < value) {
        anchor_problem_set(problem,
                           "the TPM's counter at index 0x%08x is at %llu, and the database is of "
                           "the time when it was at %llu: the database is an older copy, or the "
                           "counter was deleted and made again. " WAY_OUT,
                           c->index, v, s);
        return ERR_ROLLED_BACK;
    }
    if (stored > value + 1) {
        anchor_problem_set(problem,
                           "the TPM's counter at index 0x%08x is at %llu, and the database needs "
                           "%llu or %llu: it is the counter of another TPM, or the TPM was rolled "
                           "back. Put the right TPM into place, or accept the database as it is "
                           "with `vouchsafe init --new-anchor`",
                           c->index, v, s - 1, s);
        return ERR_TAMPERED;
    }
    return ERR_NONE;
}

MUST_CHECK static enum err counter_move(void *context, const struct anchor_point *to,
                                        struct anchor_problem *problem)
{
    const struct daemon_anchors *a = context;
    struct tee_failure failure = {""};
    uint64_t value = 0;
    enum err e = tpm2_counter_move(&a->counter, to->counter, &value, &failure);

    if (e == ERR_CONFLICT) {
        e = counter_judge(&a->counter, to->counter, value, problem);
        return e == ERR_NONE ? from_tee(&failure, ERR_TAMPERED, problem) : e;
    }
    if (e == ERR_NOT_FOUND)
        return counter_missing(&failure, problem);
    return e == ERR_NONE ? e : from_tee(&failure, e, problem);
}

MUST_CHECK static enum err counter_check(void *context, const struct anchor_point *stored,
                                         struct anchor_problem *problem)
{
    const struct daemon_anchors *a = context;
    struct tee_failure failure = {""};
    uint64_t value = 0;
    enum err e = tpm2_counter_read(&a->counter, &value, &failure);

    if (e == ERR_NOT_FOUND && stored->counter == 0)
        return counter_judge(&a->counter, 0, 0, problem);
    if (e == ERR_NOT_FOUND)
        return counter_missing(&failure, problem);
    if (e != ERR_NONE)
        return from_tee(&failure, e, problem);
    e = counter_judge(&a->counter, stored->counter, value, problem);
    if (e == ERR_NONE && stored->counter != value)
        e = counter_move(context, stored, problem); /* a crash interrupted it */
    return e;
}

MUST_CHECK static enum err counter_open(struct daemon_anchors *a, const struct settings *s,
                                        const struct root *root)
{
    enum err e = keyring_anchor_auth(root, &a->auth);

    /* tpm2-tss prints its own line for every failure, past our log */
    (void)setenv("TSS2_LOG", "all+NONE", 0);
    a->counter.tcti = s->tee.tpm2_tcti;
    if (e == ERR_NONE)
        e = settings_index_parse(s->anchor.tpm2_index, &a->counter.index);
    if (e != ERR_NONE)
        return e;
    a->counter.auth = secret_data(a->auth);
    a->has_counter = true;
    a->settings.list[a->settings.count++] = (struct anchor){
        .name = "tpm2",
        .context = a,
        .counts = true,
        .check = counter_check,
        .move = counter_move,
    };
    return ERR_NONE;
}

MUST_CHECK static enum err witnesses_open(struct daemon_anchors *a, const struct settings *s)
{
    enum err e = witnesses_new(s, &a->witnesses);

    if (e == ERR_NONE)
        a->settings.list[a->settings.count++] = (struct anchor){
            .name = "witness",
            .context = a->witnesses,
            .refresh_ms = COSIGNATURE_AGE_MS,
            .check = witnesses_move, /* a submission finds what the start must know */
            .move = witnesses_move,
        };
    return e;
}

enum err daemon_anchors_open(const struct settings *s, const struct root *root,
                             enum anchors_use use, struct daemon_anchors **out,
                             struct anchor_problem *problem)
{
    const bool witnesses = use == ANCHORS_START && s->anchor.witness_count > 0;
    struct daemon_anchors *a;
    enum err e = ERR_NONE;

    *out = NULL;
    if (!s->anchor.tpm2 && !witnesses)
        return ERR_NONE;
    a = calloc(1, sizeof *a);
    if (!a)
        return ERR_MEMORY;
    a->settings.interval_ms = (int64_t)s->anchor.interval_s * 1000;
    a->settings.commits = s->anchor.commits;
    a->settings.grace_ms = (int64_t)s->anchor.grace_s * 1000;
    a->settings.refuse = s->anchor.unavailable == ANCHOR_REFUSE;
    if (s->anchor.tpm2)
        e = counter_open(a, s, root);
    if (e == ERR_NONE && witnesses)
        e = witnesses_open(a, s);
    if (e == ERR_NONE) {
        *out = a;
        return e;
    }
    anchor_problem_set(problem, "the anchors could not be set up: %s", err_text(e));
    daemon_anchors_close(&a);
    return e;
}

void daemon_anchors_close(struct daemon_anchors **anchors)
{
    struct daemon_anchors *a = *anchors;

    if (!a)
        return;
    witnesses_free(&a->witnesses);
    secret_free(&a->auth);
    free(a);
    *anchors = NULL;
}

const struct anchor_settings *daemon_anchors_settings(struct daemon_anchors *a,
                                                      struct anchor_problem *problem)
{
    if (!a)
        return NULL;
    a->settings.problem = problem;
    return &a->settings;
}

enum err daemon_anchors_adopt(struct daemon_anchors *a, uint64_t *value,
                              struct anchor_problem *problem)
{
    struct tee_failure failure = {""};
    enum err e;

    *value = 0;
    if (!a || !a->has_counter)
        return ERR_NONE;
    e = tpm2_counter_read(&a->counter, value, &failure);
    if (e == ERR_NOT_FOUND) {
        failure.text[0] = '\0';
        e = tpm2_counter_create(&a->counter, value, &failure);
    }
    return e == ERR_NONE ? e : from_tee(&failure, e, problem);
}

enum err daemon_anchors_look(const struct settings *s, struct anchor_problem *problem)
{
    struct tee_failure failure = {""};
    uint32_t index = 0;
    enum err e;

    if (!s->anchor.tpm2)
        return ERR_NONE;
    (void)setenv("TSS2_LOG", "all+NONE", 0);
    e = settings_index_parse(s->anchor.tpm2_index, &index);
    if (e == ERR_NONE)
        e = tpm2_counter_look(s->tee.tpm2_tcti, index, &failure);
    if (e == ERR_NOT_FOUND)
        return counter_missing(&failure, problem);
    return e == ERR_NONE ? e : from_tee(&failure, e, problem);
}

void daemon_anchors_warn(const struct settings *s)
{
    if (!s->anchor.tpm2 && s->anchor.witness_count == 0)
        log_write(LOG_WARN, "daemon", "no_anchor",
                  LOG_STRING("effect",
                             "an older copy of the whole database would not be noticed, and "
                             "the changes since that copy would be undone"),
                  LOG_STRING("next", "set anchor.tpm2 or anchor.witnesses"));
}
