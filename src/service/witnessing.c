#include "service/witnessing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "codec/json.h"
#include "service/inside.h"

enum { FORMAT = 1, DETAIL_MAX = 512 };

struct known_log {
    struct witnessing_log log;
    struct checkpoint last; /* size 0: none */
    uint64_t version;       /* of its row; 0: none */
};

struct witnessing {
    struct store *store; /* borrowed */
    struct cosigner self;
    char vkey[NOTE_VKEY_SIZE];
    struct secret *seed;
    bool stale; /* the rows have to be read again */
    size_t count;
    struct known_log logs[];
};

MUST_CHECK static enum err row_take(void *context, enum store_table table, uint64_t version,
                                    const struct row_view *row)
{
    struct witnessing *w = context;
    struct reader r = reader_over(row->value);
    const uint8_t format = reader_u8(&r);
    struct checkpoint last = {.size = reader_u64le(&r)};

    (void)table;
    reader_copy(&r, last.root.bytes, sizeof last.root.bytes);
    if (format != FORMAT || reader_finish(&r) != ERR_NONE)
        return ERR_UNSUPPORTED;
    for (size_t i = 0; i < w->count; i++)
        if (span_equal_string(row->id, w->logs[i].log.origin)) {
            if (last.size < w->logs[i].last.size)
                return ERR_TAMPERED; /* an older copy of the row was put back */
            w->logs[i].last = last;
            w->logs[i].version = version;
        }
    return ERR_NONE;
}

MUST_CHECK static enum err rows_read(struct witnessing *w)
{
    enum err e = store_rows(w->store, TABLE_WITNESS, row_take, w);

    w->stale = e != ERR_NONE;
    return e;
}

enum err service_witness_start(struct service *svc, const char *name,
                               const struct witnessing_log *logs, size_t count)
{
    struct witnessing *w = calloc(1, sizeof *w + count * sizeof w->logs[0]);
    enum err e;

    if (!w)
        return ERR_MEMORY;
    w->store = svc->store;
    w->count = count;
    for (size_t i = 0; i < count; i++)
        w->logs[i].log = logs[i];
    e = span_to_string(span_string(name), w->self.name, sizeof w->self.name);
    if (e == ERR_NONE)
        e = keyring_witness_seed(svc->keys.root, &w->seed);
    if (e == ERR_NONE) {
        ed25519_public(secret_data(w->seed), w->self.public_key);
        e = cosigner_write(&w->self, w->vkey, sizeof w->vkey);
    }
    if (e == ERR_NONE)
        e = rows_read(w);
    if (e == ERR_NONE)
        svc->witnessing = w;
    else
        witnessing_free(&w);
    return e;
}

void witnessing_free(struct witnessing **witnessing)
{
    struct witnessing *w = *witnessing;

    if (!w)
        return;
    secret_free(&w->seed);
    free(w);
    *witnessing = NULL;
}

struct witnessing *service_witnessing(const struct service *svc)
{
    return svc->witnessing;
}

void witnessing_facts(const struct witnessing *w, const char **name, const char **vkey,
                      size_t *logs)
{
    *name = w->self.name;
    *vkey = w->vkey;
    *logs = w->count;
}

static void answer(struct witnessing_answer *a, uint16_t status, const char *code, const char *text)
{
    a->status = status;
    a->code = code;
    a->text = text;
}

/* What C2SP lets a witness do with a request whose signature is good. */
static void answer_judgement(struct witnessing_answer *a, enum witness_answer judgement,
                             const struct known_log *log)
{
    switch (judgement) {
    case WITNESS_COSIGN:
        a->commits = true;
        answer(a, 200, "ok", "");
        break;
    case WITNESS_SAME:
        answer(a, 200, "ok", "");
        break;
    case WITNESS_BAD_OLD:
        answer(a, 400, "bad_old_size", "The old size is larger than the checkpoint's");
        break;
    case WITNESS_OTHER_OLD:
        answer(a, 409, "other_size", "");
        a->has_size = true;
        a->size = log->last.size;
        break;
    case WITNESS_OTHER_ROOT:
        answer(a, 409, "other_root",
               "Another checkpoint of that size was cosigned: the log was forked");
        break;
    case WITNESS_BAD_PROOF:
        answer(a, 422, "bad_proof", "The consistency proof does not verify");
        break;
    }
}

/* The row of the checkpoint, if the present row is still the one that was compared. */
static void transaction_make(struct witnessing_answer *a, const struct known_log *log)
{
    const struct span id = span_string(log->log.origin);
    struct writer w = writer_over(a->value, sizeof a->value);

    writer_u8(&w, FORMAT);
    writer_u64le(&w, a->request.checkpoint.size);
    writer_put(&w, SPAN_OF(a->request.checkpoint.root.bytes));
    assert(!w.failed);
    a->effects[0] = (struct effect){
        .kind = EFFECT_REQUIRE, .table = TABLE_WITNESS, .id = id, .version = log->version};
    a->effects[1] = (struct effect){
        .kind = EFFECT_PUT, .table = TABLE_WITNESS, .id = id, .value = SPAN_OF(a->value)};
}

enum err witnessing_judge(struct witnessing *w, struct span body, struct witnessing_answer *out)
{
    const struct known_log *log = NULL;
    enum err e;

    if (witness_request_parse(body, &out->request) != ERR_NONE) {
        answer(out, 400, "malformed", "The body is not a request of tlog-witness");
        return ERR_NONE;
    }
    for (size_t i = 0; i < w->count && !log; i++)
        if (span_equal_string(out->request.origin, w->logs[i].log.origin)) {
            log = &w->logs[i];
            out->log = i;
        }
    if (!log) {
        answer(out, 404, "unknown_log", "This witness does not know the log");
        return ERR_NONE;
    }
    e = note_verify(out->request.text, out->request.signatures, out->request.origin,
                    log->log.public_key);
    if (e != ERR_NONE) {
        if (e == ERR_MALFORMED)
            answer(out, 400, "malformed", "A signature line of the checkpoint is malformed");
        else
            answer(out, 403, "bad_signature", "The checkpoint is not signed by the log's key");
        return ERR_NONE;
    }
    /* Nodes of one database have the same key, and each sees what the others have cosigned. Only
     * a request that a known log signed can cause this read. */
    if ((w->stale || store_is_shared(w->store)) && (e = rows_read(w)) != ERR_NONE)
        return e;
    answer_judgement(out, witness_judge(&log->last, &out->request), log);
    if (out->commits)
        transaction_make(out, log);
    return ERR_NONE;
}

enum err witnessing_entry(const struct service *svc, struct witnessing_answer *a,
                          struct span request_id, struct timestamp now, struct outcome *o)
{
    uint8_t detail[DETAIL_MAX];
    struct writer w = writer_over(detail, sizeof detail);
    struct json_writer j = json_writer_over(&w);
    struct span written;
    enum err e;

    json_open_object(&j, NULL);
    json_put_string(&j, "origin", a->request.origin);
    json_put_int(&j, "size", (int64_t)a->request.checkpoint.size);
    json_put_hex(&j, "root", SPAN_OF(a->request.checkpoint.root.bytes));
    json_close_object(&j);
    e = writer_finish(&w, &written);
    if (e == ERR_NONE)
        e = outcome_event(o, svc->simulated, SPAN_LITERAL("cosign"), written, request_id, now);
    if (e != ERR_NONE)
        return e;
    a->transaction = (struct transaction){.time = now,
                                          .effects = a->effects,
                                          .count = COUNT_OF(a->effects),
                                          .entry = o->commit.entry,
                                          .quiet = true};
    o->commit.transaction = &a->transaction;
    return ERR_NONE;
}

void witnessing_committed(struct witnessing *w, struct witnessing_answer *a,
                          const struct writer_request *commit)
{
    struct known_log *log = &w->logs[a->log];

    if (commit->result != ERR_NONE || commit->outcome.status != TRANSACTION_DONE) {
        w->stale = true; /* it may be stored, or another process has written the row */
        answer(a, 503, commit->result == ERR_NONE ? "overloaded" : "log_unavailable",
               "The checkpoint could not be recorded, so it was not cosigned; try again");
        return;
    }
    log->last = a->request.checkpoint;
    log->version = commit->outcome.version;
}

enum err witnessing_finish(const struct witnessing *w, struct timestamp now,
                           struct witnessing_answer *a)
{
    return cosignature_sign(a->request.text, &w->self, secret_data(w->seed),
                            (uint64_t)timestamp_seconds(now), a->line);
}
