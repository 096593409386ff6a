#include "store/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "audit/entry.h"
#include "base/log.h"
#include "crypto/random.h"
#include "store/executor.h"
#include "store/inside.h"
#include "store/log_end.h"
#include "store/log_walk.h"
#include "store/verify.h"

enum { LEASE_MS = 30000, RENEW_US = LEASE_MS / 3 * 1000, NAMED_MAX = 1000000 };

MUST_CHECK static enum err store_new(const struct store_options *options, struct store **out)
{
    struct store *s = calloc(1, sizeof *s);
    enum err e;

    if (!s)
        return ERR_MEMORY;
    (void)pthread_mutex_init(&s->mutex, NULL);
    s->ops = options->engine ? options->engine : &store_sqlite;
    s->node = s->ops->shared && options->node > 0 ? options->node : 1;
    if (options->holder)
        memcpy(s->holder, options->holder, sizeof s->holder);
    else
        random_bytes(s->holder, sizeof s->holder);
    s->keys = options->keys;
    s->log_seed = options->log_seed;
    ed25519_public(s->log_seed, s->public_key);
    *out = s;
    e = span_to_string(span_string(options->origin), s->origin, sizeof s->origin);
    if (e == ERR_NONE && options->archive && *options->archive)
        e = archive_new(options->archive, &s->archive);
    return e;
}

/* What readers see from now on. */
static void publish(struct store *s)
{
    const struct merkle_frontier *f = &executor_state(s->executor)->log;
    struct merkle_hash root;

    merkle_root(f, &root);
    (void)pthread_mutex_lock(&s->mutex);
    s->committed.size = f->size;
    s->committed.root = root;
    (void)pthread_mutex_unlock(&s->mutex);
    atomic_store(&s->archived, executor_state(s->executor)->log_archived);
}

/* This process's node, if it is there. */
struct node_look {
    const struct store *s;
    bool found;
    size_t others; /* nodes of a shared database */
    char origin[STORE_ORIGIN_MAX + 1];
};

/* Nodes of one database have the same root: so each can open every row. */
MUST_CHECK static enum err other_check(const struct store *s, const struct stored_node_state *node)
{
    struct node_state state = {0};
    enum err e = node_state_open(s->keys, node->node, node->origin,
                                 span_of(node->state, node->size), &state);

    bytes_wipe(&state, sizeof state);
    if (e != ERR_NONE)
        log_write(LOG_ERROR, "store", "tampered",
                  LOG_STRING("what", "the state of another node does not open with this root's "
                                     "key: it belongs to a keystore with another root"),
                  LOG_NUMBER("node", node->node), LOG_STRING("origin", node->origin));
    return e == ERR_NONE ? e : ERR_TAMPERED;
}

MUST_CHECK static enum err node_look(void *context, const struct stored_node_state *node)
{
    struct node_look *look = context;

    if (look->s->ops->shared && node->node != look->s->node) {
        look->others++;
        return other_check(look->s, node);
    }
    look->found = true;
    if (node->node == look->s->node)
        memcpy(look->origin, node->origin, sizeof look->origin);
    return ERR_NONE;
}

/*
 * A log of release 0.1.0 ends at its signed checkpoint. The node begins with that log's tree, if it
 * is whole. Repeated from the beginning when it was interrupted.
 */
MUST_CHECK static enum err old_log_take(struct store *s, struct span note)
{
    struct node_state first = {0};
    struct checkpoint checkpoint;
    enum err e = checkpoint_verify(note, s->origin, s->public_key, &checkpoint);

    if (e != ERR_NONE) {
        log_write(LOG_ERROR, "store", "tampered",
                  LOG_STRING("what", "the old log's checkpoint is not signed by this log's key, or "
                                     "is of another origin"),
                  LOG_STRING("origin_expected", s->origin));
        return ERR_TAMPERED;
    }
    e = log_walk(s->engine, s->node, &checkpoint, &first.log);
    first.log_verified = checkpoint.size;
    if (e == ERR_NONE)
        e = executor_node_create(s->engine, s->keys, s->node, s->origin, &first);
    if (e == ERR_NONE)
        log_write(LOG_INFO, "store", "log of release 0.1.0 taken over",
                  LOG_NUMBER("entries", checkpoint.size));
    return e;
}

MUST_CHECK static enum err entry_found(void *context, uint64_t index, struct span entry)
{
    (void)index;
    (void)entry;
    *(bool *)context = true;
    return ERR_NONE;
}

/* Tables without a node are those of a creation that was cut short, as long as nothing is there. */
MUST_CHECK static enum err node_missing(struct store *s)
{
    bool found = false;
    enum err e = s->engine->ops->entries(s->engine, s->node, 0, 1, entry_found, &found);

    if (e == ERR_NONE && found)
        log_write(LOG_ERROR, "store", "tampered",
                  LOG_STRING("what", "there is a log without its sealed state"));
    if (e == ERR_NONE)
        e = found ? ERR_TAMPERED : ERR_NOT_FOUND;
    return e;
}

/* Makes the node where there is none: of a new database, or of an old one. */
MUST_CHECK static enum err node_make(struct store *s, bool create, bool take_over)
{
    const struct node_state empty = {0};
    const struct store_ops *ops = s->engine->ops;
    struct node_look look = {.s = s};
    struct buffer note = {0};
    enum err e = ops->nodes(s->engine, node_look, &look);
    enum err old = ERR_NOT_FOUND;

    if (e != ERR_NONE)
        return e;
    if (!look.found && ops->old_checkpoint)
        old = ops->old_checkpoint(s->engine, &note);
    if (old != ERR_NONE && old != ERR_NOT_FOUND)
        e = old;
    else if (create)
        e = look.found || old == ERR_NONE
                ? ERR_CONFLICT
                : executor_node_create(s->engine, s->keys, s->node, s->origin, &empty);
    else if (!look.found)
        e = old == ERR_NONE && take_over ? old_log_take(s, buffer_span(&note)) : node_missing(s);
    else if (strcmp(look.origin, s->origin) != 0)
        e = ERR_TAMPERED;
    if (e == ERR_TAMPERED && look.found)
        log_write(LOG_ERROR, "store", "tampered", LOG_STRING("what", "the origin of the log"),
                  LOG_STRING("origin", look.origin), LOG_STRING("origin_expected", s->origin));
    buffer_clear(&note);
    return e;
}

MUST_CHECK static enum err executor_make(struct store *s)
{
    struct executor_options options = {s->engine, s->keys, s->node, 0};
    enum err e;

    e = s->engine->ops->lease_take(s->engine, s->node, s->holder, LEASE_MS, &options.token);
    s->token = options.token;
    s->renewed_us = clock_monotonic_us();
    if (e == ERR_NONE)
        e = executor_open(&options, &s->executor);
    if (e == ERR_NONE && executor_state(s->executor)->commits == NODE_STATE_UNFINISHED) {
        log_write(LOG_ERROR, "store", "unfinished", LOG_STRING("what", "an import was interrupted"),
                  LOG_STRING("next", "run `vouchsafe state import` again"));
        e = ERR_UNSUPPORTED;
    }
    if (e == ERR_TAMPERED)
        log_write(LOG_ERROR, "store", "tampered",
                  LOG_STRING("what", "the state of the node does not open with this root's key"));
    return e;
}

/* The end of the log, and the entries that were never read back: STORE_START_ENTRIES at most. */
MUST_CHECK static enum err log_verify(struct store *s)
{
    const struct node_state *state = executor_state(s->executor);
    const struct log_reader r = store_log_reader(s);
    /* what is in the archive was read back there, and the archive may be elsewhere now */
    const uint64_t from =
        state->log_archived > state->log_verified ? state->log_archived : state->log_verified;
    const uint64_t left = r.size - from;
    const uint64_t count = left < STORE_START_ENTRIES ? left : STORE_START_ENTRIES;
    struct log_progress progress = {from + count, state->log_scrubbed, state->log_pass_ms};
    enum err e = log_bounds_verify(s->engine, s->node, r.size);

    if (e == ERR_NONE)
        e = log_edge_verify(&r);
    if (e == ERR_NONE && r.size > state->log_archived)
        e = log_entries_verify(&r, r.size - 1, 1);
    if (e == ERR_NONE)
        e = log_entries_verify(&r, from, count);
    if (e == ERR_NONE) {
        s->scrub.progress = progress;
        executor_note_progress(s->executor, &progress);
    }
    return e;
}

/* What the start found is named more exactly, if that takes no longer than a few seconds. */
static void log_name(struct store *s)
{
    struct merkle_frontier frontier;

    if (s->committed.size <= NAMED_MAX && executor_state(s->executor)->log_archived == 0)
        (void)!log_walk(s->engine, s->node, &s->committed, &frontier);
}

/* The rows and the end of the log, against the state. */
MUST_CHECK static enum err state_verify(struct store *s)
{
    enum err e = store_verify_rows(s->engine, s->keys, NULL, NULL);

    if (e != ERR_NONE)
        return e;
    e = log_verify(s);
    if (e == ERR_TAMPERED)
        log_name(s);
    return e;
}

/* The newest commits of a process that did not stop by itself are in the journal. */
MUST_CHECK static enum err journal_check(const struct store *s)
{
    const struct store_ops *ops = s->engine->ops;

    if (!executor_state(s->executor)->running || !ops->journal_found ||
        ops->journal_found(s->engine))
        return ERR_NONE;
    log_write(LOG_ERROR, "store", "LOG_FILES_LOST", LOG_STRING("file", "write-ahead log"),
              LOG_STRING("found", "it was deleted or emptied, and the last process did not stop "
                                  "by itself: what it wrote last was in that file"),
              LOG_NUMBER("entries_left", executor_state(s->executor)->log.size));
    return ERR_STALE;
}

static struct anchor_point point_of(struct store *s)
{
    return (struct anchor_point){.counter = executor_state(s->executor)->anchor,
                                 .checkpoint = s->committed,
                                 .note = s->note,
                                 .store = s};
}

/* The check of the start. */
MUST_CHECK static enum err anchors_open(struct store *s, const struct store_options *options)
{
    const struct anchor_point stored = point_of(s);
    enum err e;

    executor_anchor(s->executor, options->adopt != 0 ? options->adopt : stored.counter);
    if (!options->anchors || options->anchors->count == 0)
        return ERR_NONE;
    e = anchors_new(options->anchors, &s->anchors);
    return e == ERR_NONE ? anchors_check(s->anchors, &stored, options->adopt) : e;
}

/* Tells the anchors of a commit, which is durable. */
static void anchors_tell(struct store *s, bool began, bool quiet)
{
    const uint64_t counter = executor_state(s->executor)->anchor;

    if (s->anchors)
        anchors_committed(s->anchors, counter, began, quiet, clock_monotonic_us());
}

/* Records a start or a stop, or nothing new, and begins a move if one may begin. */
MUST_CHECK static enum err mark(struct store *s, bool running)
{
    const uint64_t counter = executor_state(s->executor)->anchor;
    const bool begins = s->anchors && anchors_may_begin(s->anchors);
    enum err e;

    if (begins)
        executor_anchor(s->executor, anchors_next(s->anchors, counter, true));
    e = executor_mark(s->executor, running);
    if (e == ERR_NONE)
        anchors_tell(s, begins, false);
    return e;
}

/* From here on the newest commits may be only in the journal. The database itself must record this,
 * so the mark is flushed. */
MUST_CHECK static enum err run_begin(struct store *s, bool adopts)
{
    const struct store_ops *ops = s->engine->ops;
    enum err e = adopts ? executor_mark(s->executor, true) : mark(s, true);

    s->running = e == ERR_NONE;
    return e == ERR_NONE && ops->flush ? ops->flush(s->engine) : e;
}

/* Other processes cannot take the lease while this one renews it. Each group checks the token, so
 * a lease that was not renewed in time costs nothing as long as no other process took it. */
static void lease_keep(struct store *s)
{
    int64_t now_us = clock_monotonic_us();

    if (!s->ops->shared || now_us - s->renewed_us < RENEW_US)
        return;
    if (s->ops->lease_renew(s->engine, s->node, s->token, LEASE_MS) == ERR_NONE)
        s->renewed_us = now_us;
}

/* Says once that this process can append no more. */
MUST_CHECK static enum err lease_judge(struct store *s, enum err e)
{
    if (e != ERR_DENIED || s->fenced)
        return e;
    s->fenced = true;
    log_write(LOG_ERROR, "store", "LEASE_LOST", LOG_NUMBER("node", s->node),
              LOG_STRING("origin", s->origin),
              LOG_STRING("what", "another process has taken over this node's log, so this process "
                                 "appends nothing and releases nothing any more"),
              LOG_STRING("next", "stop one of the two processes, or give them different numbers "
                                 "(store.node); this one serves again after a restart"));
    return e;
}

/* If this fails, the journal stays, and the next start finds everything in it. */
static void run_end(struct store *s)
{
    const struct store_ops *ops = s->engine->ops;
    enum err e;

    store_progress_take(s);
    e = mark(s, false);
    if (e == ERR_TAMPERED && ops->journal_rescue && ops->journal_rescue(s->engine))
        e = mark(s, false);
    if (e == ERR_NONE && ops->flush)
        e = ops->flush(s->engine);
    if (e == ERR_NONE && s->ops->shared)
        e = ops->lease_release(s->engine, s->node, s->token);
    if (e != ERR_NONE)
        log_write(
            LOG_WARN, "store", "not_stopped_cleanly", LOG_STRING("error", err_code(e)),
            LOG_STRING("next", ops->flush
                                   ? "keep the write-ahead log: the next start needs it"
                                   : "nothing: the next start finds what was committed, and the "
                                     "lease runs out by itself"));
}

/* Of a start that failed, so that the next one does not wait for the end of its lease. */
static void lease_return(const struct store *s)
{
    if (s->ops->shared && s->token != 0 &&
        s->ops->lease_release(s->engine, s->node, s->token) != ERR_NONE)
        log_write(LOG_WARN, "store", "lease_not_released", LOG_NUMBER("node", s->node),
                  LOG_STRING("effect", "it ends by itself"));
}

enum err store_open(const struct store_options *options, struct store **out)
{
    const struct engine_options engine = {.address = options->path, .create = options->create};
    struct store *s = NULL;
    enum err e = store_new(options, &s);

    if (e == ERR_NONE)
        e = s->ops->open(&engine, &s->engine);
    if (e == ERR_NONE)
        e = node_make(s, options->create, options->take_over);
    if (e == ERR_NONE)
        e = executor_make(s);
    if (e == ERR_NONE)
        e = journal_check(s);
    if (e == ERR_NONE) {
        publish(s);
        e = state_verify(s);
    }
    if (e == ERR_NONE)
        e = checkpoint_sign_with(&s->committed, s->origin, s->log_seed, s->public_key, s->note,
                                 sizeof s->note);
    if (e == ERR_NONE)
        e = anchors_open(s, options);
    if (e == ERR_NONE)
        e = run_begin(s, options->adopt != 0);
    if (e == ERR_NONE) {
        s->noted = s->committed.size;
        *out = s;
        s = NULL; /* the caller owns it now */
    }
    store_close(&s);
    return e;
}

void store_close(struct store **store)
{
    struct store *s = *store;

    if (!s)
        return;
    if (s->anchors && s->running)
        anchors_stop(s->anchors); /* a move that is under way would keep the stop from its own */
    if (s->running)
        run_end(s);
    if (s->anchors && s->running)
        anchors_stop(s->anchors);
    anchors_free(&s->anchors);
    executor_close(&s->executor);
    if (s->engine && !s->running)
        lease_return(s);
    if (s->engine)
        s->engine->ops->close(&s->engine);
    archive_free(&s->archive);
    (void)pthread_mutex_destroy(&s->mutex);
    free(s);
    *store = NULL;
}

/*
 * A group whose outcome was unknown comes first. ERR_UNAVAILABLE is for the caller of that group:
 * of the next group, which has not run, it would say that it may be stored.
 */
MUST_CHECK static enum err earlier_settle(struct store *s)
{
    bool stored = false;
    enum err e = ERR_NONE;

    if (executor_is_unsettled(s->executor))
        e = store_settle(s, &stored);
    return e == ERR_UNAVAILABLE ? ERR_IO : e;
}

/* Whether the next group begins a move. Its state then says so. */
static bool anchors_prepare(struct store *s)
{
    const uint64_t counter = executor_state(s->executor)->anchor;
    const bool begins = s->anchors && anchors_begin(s->anchors, clock_monotonic_us());

    if (s->anchors)
        executor_anchor(s->executor, anchors_next(s->anchors, counter, begins));
    return begins;
}

static bool is_quiet(const struct transaction *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!list[i]->quiet)
            return false;
    return true;
}

enum err store_run(struct store *s, const struct transaction *const *list, size_t count,
                   struct transaction_result *results)
{
    enum err e = s->anchors ? anchors_state(s->anchors) : ERR_NONE;
    bool begins;

    if (e == ERR_NONE)
        e = earlier_settle(s);
    lease_keep(s);
    if (e == ERR_NONE)
        e = store_tampering_check(s);
    store_progress_take(s);
    begins = anchors_prepare(s);
    if (e == ERR_NONE)
        e = executor_run(s->executor, list, count, results);
    if (e == ERR_NONE) {
        publish(s);
        anchors_tell(s, begins, is_quiet(list, count));
    }
    return lease_judge(s, e);
}

void store_anchor_look(struct store *s)
{
    if (!s->anchors || executor_is_unsettled(s->executor) ||
        !anchors_due(s->anchors, clock_monotonic_us()))
        return;
    if (mark(s, true) != ERR_NONE)
        log_write(LOG_WARN, "store", "anchor_not_begun",
                  LOG_STRING("why", "the state could not be written"));
}

enum err store_anchor_hold(struct store *s, bool *hold, bool *late)
{
    *hold = *late = false;
    if (!s->anchors)
        return ERR_NONE;
    *hold = anchors_hold(s->anchors, late);
    return anchors_state(s->anchors);
}

enum err store_anchors_start(struct store *s)
{
    return s->anchors ? anchors_start(s->anchors) : ERR_NONE;
}

void store_anchors_figures(struct store *s, struct anchors_figures *out)
{
    *out = (struct anchors_figures){0};
    if (s->anchors)
        anchors_figures(s->anchors, clock_monotonic_us(), out);
}

bool store_is_unsettled(const struct store *s)
{
    return executor_is_unsettled(s->executor);
}

enum err store_settle(struct store *s, bool *stored)
{
    enum err e = executor_settle(s->executor, stored);

    publish(s);
    if (*stored)
        anchors_tell(s, false, false);
    return lease_judge(s, e);
}

/* The transactions of one store_append(). */
struct plain_group {
    struct transaction made[STORE_GROUP_MAX];
    const struct transaction *list[STORE_GROUP_MAX];
    struct transaction_result results[STORE_GROUP_MAX];
};

enum err store_append(struct store *s, const struct span *entries, size_t count, uint64_t *first)
{
    struct plain_group *g;
    enum err e;

    if (count == 0 || count > STORE_GROUP_MAX)
        return count == 0 ? ERR_MALFORMED : ERR_TOO_LARGE;
    g = malloc(sizeof *g);
    if (!g)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        g->made[i] = (struct transaction){.entry = entries[i]};
        g->list[i] = &g->made[i];
    }
    e = store_run(s, g->list, count, g->results);
    if (e == ERR_NONE)
        *first = g->results[0].index;
    free(g);
    return e;
}

enum err store_size(struct store *s, uint64_t *bytes)
{
    return s->engine->ops->size(s->engine, bytes);
}

enum err store_check(struct store *s)
{
    enum err e = store_tampering_check(s);

    if (e != ERR_NONE)
        return e;
    if (!s->ops->shared)
        return s->ops->files_check(s->engine);
    lease_keep(s);
    return lease_judge(s, executor_check(s->executor));
}

void store_hurry(struct store *s)
{
    if (s->ops->hurry)
        s->ops->hurry(s->engine);
}

static bool is_same(const struct checkpoint *a, const struct checkpoint *b)
{
    return a->size == b->size && span_equal(SPAN_OF(a->root.bytes), SPAN_OF(b->root.bytes));
}

void store_checkpoint(struct store *s, struct checkpoint *out, char text[CHECKPOINT_TEXT_MAX])
{
    char note[CHECKPOINT_TEXT_MAX];

    (void)pthread_mutex_lock(&s->mutex);
    /* signing succeeded when the store was opened, so it does not fail now */
    if (s->noted != s->committed.size &&
        checkpoint_sign_with(&s->committed, s->origin, s->log_seed, s->public_key, note,
                             sizeof note) == ERR_NONE) {
        memcpy(s->note, note, strlen(note) + 1);
        s->noted = s->committed.size;
    }
    *out = s->committed;
    memcpy(text,
           *s->cosigned && is_same(&s->cosigned_checkpoint, &s->committed) ? s->cosigned : s->note,
           sizeof s->note);
    (void)pthread_mutex_unlock(&s->mutex);
}

enum err store_cosigned_set(struct store *s, const struct checkpoint *checkpoint, struct span text)
{
    char copy[CHECKPOINT_TEXT_MAX] = "";
    enum err e = span_to_string(text, copy, sizeof copy);

    if (e != ERR_NONE)
        return e;
    (void)pthread_mutex_lock(&s->mutex);
    s->cosigned_checkpoint = *checkpoint;
    memcpy(s->cosigned, copy, sizeof copy);
    (void)pthread_mutex_unlock(&s->mutex);
    return ERR_NONE;
}

enum err store_cosigned(struct store *s, char text[CHECKPOINT_TEXT_MAX])
{
    (void)pthread_mutex_lock(&s->mutex);
    memcpy(text, s->cosigned, sizeof s->cosigned);
    (void)pthread_mutex_unlock(&s->mutex);
    return *text ? ERR_NONE : ERR_NOT_FOUND;
}

struct log_reader store_log_reader(struct store *s)
{
    struct log_reader r = {
        .engine = s->engine, .node = s->node, .archive = s->archive, .archived = &s->archived};

    (void)pthread_mutex_lock(&s->mutex);
    r.size = s->committed.size;
    r.root = s->committed.root;
    (void)pthread_mutex_unlock(&s->mutex);
    return r;
}

enum err store_entries(struct store *s, uint64_t first, uint64_t count, store_each_entry *each,
                       void *context)
{
    struct log_reader r = store_log_reader(s);
    enum err e = log_entries(&r, first, count, each, context);

    if (e == ERR_TAMPERED)
        store_suspect(s, first);
    return e;
}

enum err store_rows(struct store *s, enum store_table table, each_row *each, void *context)
{
    return store_read_rows(s->engine, s->keys, table, each, context);
}

bool store_is_shared(const struct store *s)
{
    return s->ops->shared;
}

uint32_t store_node(const struct store *s)
{
    return s->node;
}

MUST_CHECK static enum err version_take(void *context, const struct stored_row *row)
{
    *(uint64_t *)context = row->version;
    return ERR_NONE;
}

enum err store_row_version(struct store *s, enum store_table table, struct span id,
                           uint64_t *version)
{
    struct row_key key;
    struct row_wanted wanted = {.table = (uint8_t)table};

    row_key_of(s->keys, table, id, &key);
    memcpy(wanted.hash, key.id, sizeof wanted.hash);
    return s->engine->ops->row_read(s->engine, &wanted, version_take, version);
}

enum err store_prove_inclusion(struct store *s, uint64_t index, uint64_t size,
                               struct merkle_proof *out)
{
    struct log_reader r = store_log_reader(s);

    return log_prove_inclusion(&r, index, size, out);
}

enum err store_prove_consistency(struct store *s, uint64_t from, uint64_t to,
                                 struct merkle_proof *out)
{
    struct log_reader r = store_log_reader(s);

    return log_prove_consistency(&r, from, to, out);
}

enum err store_tile(struct store *s, const struct tile *tile, struct buffer *out)
{
    struct log_reader r = store_log_reader(s);

    return log_tile(&r, tile, out);
}
