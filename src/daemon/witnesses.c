#include "daemon/witnesses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/witness.h"
#include "base/log.h"
#include "crypto/random.h"
#include "net/fetch.h"
#include "net/http_client.h"
#include "store/store.h"

enum {
    TRIES = 3, /* for one checkpoint: an unknown size costs one more */
    REPLY_MAX = 64 * 1024,
    PATH_MAX_SIZE = 4096,
    WHY_SIZE = 256,
    CLOCKS_APART_S = 300, /* of a witness and this machine */
};

static const struct fetch_backoff backoff = {1000, 60000};

struct witness {
    struct settings_witness settings; /* borrows */
    char path[PATH_MAX_SIZE];
    struct http_client *http;
    struct fetch_source source;
    uint64_t size;          /* that it cosigned last, as far as is known */
    struct checkpoint seen; /* the one that `line` is for */
    char line[COSIGNATURE_LINE_MAX];
};

struct witnesses {
    const struct settings *settings;
    size_t quorum;
    size_t count;
    struct witness list[];
};

/* "https://host:port/prefix": the client takes the part before the path. ERR_CONFIG */
MUST_CHECK static enum err witness_open(struct witness *w, const struct settings *s,
                                        const char *text)
{
    struct http_client_options options = {
        .ca_file = *s->anchor.witness_ca_file ? s->anchor.witness_ca_file : NULL,
        .timeout_ms = s->anchor.timeout_ms,
        .body_max = REPLY_MAX,
    };
    char host[PATH_MAX_SIZE];
    const char *path;
    enum err e = settings_witness_parse(text, &w->settings);

    if (e != ERR_NONE)
        return e;
    path = strchr(strstr(w->settings.url, "://") + 3, '/');
    (void)snprintf(host, sizeof host, "%.*s",
                   (int)(path ? (size_t)(path - w->settings.url) : strlen(w->settings.url)),
                   w->settings.url);
    if (path && path[strlen(path) - 1] == '/')
        (void)snprintf(w->path, sizeof w->path, "%sadd-checkpoint", path);
    else
        (void)snprintf(w->path, sizeof w->path, "%s/add-checkpoint", path ? path : "");
    options.base_url = host;
    return http_client_new(&options, &w->http);
}

enum err witnesses_new(const struct settings *settings, struct witnesses **out)
{
    const size_t count = settings->anchor.witness_count;
    struct witnesses *w = calloc(1, sizeof *w + count * sizeof w->list[0]);
    enum err e = ERR_NONE;

    if (!w)
        return ERR_MEMORY;
    w->settings = settings;
    w->quorum = settings->anchor.quorum > 0 ? settings->anchor.quorum : count;
    for (; w->count < count && e == ERR_NONE; w->count++)
        e = witness_open(&w->list[w->count], settings, settings->anchor.witnesses[w->count]);
    if (e == ERR_NONE)
        *out = w;
    else
        witnesses_free(&w);
    return e;
}

void witnesses_free(struct witnesses **witnesses)
{
    struct witnesses *w = *witnesses;

    if (!w)
        return;
    for (size_t i = 0; i < w->count; i++)
        http_client_free(&w->list[i].http);
    free(w);
    *witnesses = NULL;
}

/* ---- one witness ---- */

/* The text of a signed checkpoint, with its last newline. */
static struct span text_of(const char *note)
{
    struct span text = {0};
    struct span signatures;

    return note_split(span_string(note), &text, &signatures) == ERR_NONE ? text : (struct span){0};
}

/* The witness cannot be used now. `retry_after_s` as in its reply. */
MUST_CHECK static enum err unavailable(struct witness *w, const char *why, unsigned retry_after_s,
                                       struct anchor_problem *problem)
{
    uint16_t dice;

    random_bytes(&dice, sizeof dice);
    fetch_source_failed(&w->source, &backoff, retry_after_s, dice, clock_now());
    anchor_problem_set(problem, "the witness %s at %s %s", w->settings.cosigner.name,
                       w->settings.url, why);
    return ERR_UNAVAILABLE;
}

MUST_CHECK static enum err rolled_back(const struct witness *w, const struct anchor_point *to,
                                       uint64_t size, struct anchor_problem *problem)
{
    struct span text = text_of(to->note);
    struct span origin = {0};

    (void)note_take_line(&text, &origin);
    if (size > to->checkpoint.size)
        anchor_problem_set(
            problem,
            "the witness %s at %s has cosigned %llu entries of the log %.*s, and this database has "
            "%llu: the database is an older copy. Put the newest copy back. If it is lost, remove "
            "this witness from anchor.witnesses, or give the log a new log.origin",
            w->settings.cosigner.name, w->settings.url, (unsigned long long)size, (int)origin.size,
            (const char *)origin.data, (unsigned long long)to->checkpoint.size);
    else
        anchor_problem_set(
            problem,
            "the witness %s at %s has cosigned another log %.*s: its first %llu entries are not "
            "those of this database, which has %llu. The database is a copy that was continued "
            "apart from the log that the witness saw. Put the right one back",
            w->settings.cosigner.name, w->settings.url, (int)origin.size, (const char *)origin.data,
            (unsigned long long)size, (unsigned long long)to->checkpoint.size);
    return ERR_ROLLED_BACK;
}

MUST_CHECK static enum err cosigned(struct witness *w, const struct anchor_point *to,
                                    struct span body, struct anchor_problem *problem)
{
    uint64_t seconds = 0;
    struct span line;
    enum err e =
        cosignature_verify(text_of(to->note), body, &w->settings.cosigner, &seconds, &line);

    if (e == ERR_NONE)
        e = span_to_string(line, w->line, sizeof w->line);
    if (e != ERR_NONE)
        return unavailable(w,
                           e == ERR_NOT_FOUND ? "gave no cosignature by its key"
                                              : "gave a cosignature that does not verify",
                           0, problem);
    if (llabs((long long)seconds - (long long)timestamp_seconds(clock_now())) > CLOCKS_APART_S)
        return unavailable(w,
                           "gave a cosignature of another time: it is an old one, or a clock is "
                           "wrong",
                           0, problem);
    fetch_source_answered(&w->source, FETCH_TAKEN);
    w->size = to->checkpoint.size;
    w->seen = to->checkpoint;
    return ERR_NONE;
}

struct answer {
    unsigned status, retry_after_s;
    bool is_size; /* the content type of a 409 */
    struct secret *body;
};

MUST_CHECK static enum err send(struct witness *w, const struct anchor_point *to, uint64_t old,
                                struct answer *out, struct anchor_problem *problem)
{
    struct http_client_header type = {.name = "Content-Type"};
    struct http_client_request request = {.method = "POST",
                                          .path = w->path,
                                          .content_type = "text/plain; charset=utf-8",
                                          .wanted = &type,
                                          .wanted_count = 1};
    struct http_client_reply reply = {0};
    struct merkle_proof proof = {0};
    struct buffer body = {0};
    char why[WHY_SIZE] = "";
    enum err e = ERR_NONE;

    if (old > 0 && old < to->checkpoint.size)
        e = store_prove_consistency(to->store, old, to->checkpoint.size, &proof);
    if (e == ERR_NONE)
        e = witness_request_write(old, &proof, span_string(to->note), &body);
    if (e != ERR_NONE) {
        anchor_problem_set(problem, "the proof for the witness %s could not be made: %s",
                           w->settings.cosigner.name, err_text(e));
        e = ERR_UNAVAILABLE;
        goto out;
    }
    request.body = buffer_span(&body);
    e = http_client_send(w->http, &request, &reply, why);
    if (e != ERR_NONE) {
        char text[WHY_SIZE + 32];

        (void)snprintf(text, sizeof text, "does not answer: %s", *why ? why : err_text(e));
        e = unavailable(w, text, 0, problem);
        goto out;
    }
    *out =
        (struct answer){reply.status, reply.retry_after_s,
                        span_equal_string(buffer_span(&type.value), WITNESS_SIZE_TYPE), reply.body};
out:
    buffer_clear(&type.value);
    buffer_clear(&body);
    return e;
}

/* Every other status than 200, 409 and 422. */
MUST_CHECK static enum err refused(struct witness *w, const struct answer *a,
                                   struct anchor_problem *problem)
{
    char text[64];

    if (a->status == 404)
        return unavailable(w, "does not know this log: its operator must add the log's key", 0,
                           problem);
    if (a->status == 403)
        return unavailable(w, "knows this log by another key: its operator must correct it", 0,
                           problem);
    (void)snprintf(text, sizeof text, "answered with status %u", a->status);
    return unavailable(w, text, a->retry_after_s, problem);
}

/* Judges one answer. ERR_CONFLICT: ask again with `*old`. */
MUST_CHECK static enum err judge(struct witness *w, const struct anchor_point *to,
                                 const struct answer *a, uint64_t *old,
                                 struct anchor_problem *problem)
{
    const struct span body = a->body ? secret_span(a->body) : (struct span){0};
    const uint64_t sent = *old;
    char note[CHECKPOINT_TEXT_MAX];
    struct checkpoint newest;
    uint64_t size = 0;

    if (a->status == 200)
        return cosigned(w, to, body, problem);
    if (a->status == 422 && sent > 0)
        return rolled_back(w, to, sent, problem);
    if (a->status != 409)
        return refused(w, a, problem);
    if (!a->is_size || witness_size_parse(body, &size) != ERR_NONE)
        return sent == to->checkpoint.size
                   ? rolled_back(w, to, sent, problem)
                   : unavailable(w, "answered with 409, but not with a size", 0, problem);
    store_checkpoint(to->store, &newest, note);
    if (size > newest.size || (size == sent && sent == to->checkpoint.size))
        return rolled_back(w, to, size, problem);
    if (size >
        to->checkpoint.size) { /* checkpoints are public: a stranger can give it a newer one */
        anchor_problem_set(problem,
                           "the witness %s at %s has a newer checkpoint of this log already",
                           w->settings.cosigner.name, w->settings.url);
        return ERR_UNAVAILABLE;
    }
    if (size == sent)
        return unavailable(w, "refuses the size that it says it has", 0, problem);
    *old = w->size = size;
    return ERR_CONFLICT;
}

MUST_CHECK static enum err submit(struct witness *w, const struct anchor_point *to,
                                  struct anchor_problem *problem)
{
    uint64_t old = w->size <= to->checkpoint.size ? w->size : 0;
    enum err e = ERR_CONFLICT;

    if (!fetch_wait_is_over(&w->source.wait, clock_now())) {
        anchor_problem_set(problem, "the witness %s at %s did not answer, and is asked again later",
                           w->settings.cosigner.name, w->settings.url);
        return ERR_UNAVAILABLE;
    }
    for (unsigned i = 0; i < TRIES && e == ERR_CONFLICT; i++) {
        struct answer answer = {0};

        e = send(w, to, old, &answer, problem);
        if (e == ERR_NONE)
            e = judge(w, to, &answer, &old, problem);
        secret_free(&answer.body);
    }
    return e == ERR_CONFLICT ? unavailable(w, "answers with another size each time", 0, problem)
                             : e;
}

/* ---- all of them ---- */

/* The checkpoint with the log's own signature, which is the first one. */
MUST_CHECK static enum err own_note_append(const char *note, struct buffer *out)
{
    const struct span all = span_string(note);
    struct span text = {0};
    struct span rest = {0};
    struct span line = {0};
    enum err e = note_split(all, &text, &rest);

    if (e == ERR_NONE && !note_take_line(&rest, &line))
        e = ERR_MALFORMED;
    return e == ERR_NONE ? buffer_append(out, span_of(all.data, all.size - rest.size)) : e;
}

/* Puts the cosignatures of this checkpoint below its signature, in place of older ones. */
static void cosignatures_give(struct witnesses *w, const struct anchor_point *to)
{
    struct buffer text = {0};
    enum err e = own_note_append(to->note, &text);

    for (size_t i = 0; i < w->count && e == ERR_NONE; i++)
        if (w->list[i].seen.size == to->checkpoint.size && *w->list[i].line)
            e = buffer_append_string(&text, w->list[i].line);
    if (e == ERR_NONE)
        e = store_cosigned_set(to->store, &to->checkpoint, buffer_span(&text));
    if (e != ERR_NONE)
        log_write(LOG_WARN, "daemon", "cosignatures_not_kept", LOG_STRING("error", err_code(e)));
    buffer_clear(&text);
}

enum err witnesses_move(void *context, const struct anchor_point *to,
                        struct anchor_problem *problem)
{
    struct witnesses *w = context;
    size_t good = 0;

    for (size_t i = 0; i < w->count; i++) {
        enum err e = submit(&w->list[i], to, problem);

        if (e != ERR_NONE && e != ERR_UNAVAILABLE)
            return e;
        good += e == ERR_NONE;
    }
    if (good > 0)
        cosignatures_give(w, to);
    return good >= w->quorum ? ERR_NONE : ERR_UNAVAILABLE;
}
