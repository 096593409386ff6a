/*
 * Verifies an exported log in one pass. Signed checkpoints are the fixed points: the root of the
 * first n lines must equal the root in a checkpoint of size n. The fault lies between the last
 * point that agrees and the first point that does not.
 */
#include "client/client.h"

#include <stdlib.h>
#include <string.h>

#include "audit/checkpoint.h"
#include "audit/entry.h"

#define NONE UINT64_MAX

struct vs_log_verifier {
    char origin[VS_ORIGIN_SIZE];
    uint8_t key[ED25519_PUBLIC_SIZE];
    struct checkpoint head;
    size_t count; /* number of points, the newest included; sorted when reading begins */
    struct checkpoint points[VS_LOG_KEPT_MAX + 1];
    bool reading;

    struct merkle_frontier tree;
    size_t next;     /* the point to compare with next */
    uint64_t intact; /* size of the last point that agreed */
    bool differs;    /* a point did not agree, so nothing after it can */
    uint64_t differs_at;
    uint64_t malformed; /* first line after `intact` that is not an entry, or NONE */
    /* first line after `intact` that is earlier than the line before it, or NONE */
    uint64_t suspect;
    struct timestamp newest;

    size_t line_size;
    bool line_too_long;
    uint8_t line[AUDIT_ENTRY_MAX];
};

MUST_CHECK static enum vs_error note_read(const struct vs_log_verifier *v, struct vs_bytes note,
                                          struct checkpoint *out)
{
    enum err e = checkpoint_verify(span_of_bytes(note), v->origin, v->key, out);

    return e == ERR_CRYPTO ? VS_ERR_UNTRUSTED : error_of(e);
}

enum vs_error vs_log_verifier_new(struct vs_bytes checkpoint, const char *vkey,
                                  struct vs_log_verifier **out)
{
    struct vs_log_verifier *v;
    enum vs_error e;

    if (vkey == NULL || out == NULL || checkpoint.data == NULL)
        return VS_ERR_ARGUMENT;
    v = calloc(1, sizeof *v);
    if (v == NULL)
        return VS_ERR_MEMORY;
    e = checkpoint_vkey_parse(span_string(vkey), v->origin, sizeof v->origin, v->key) == ERR_NONE
            ? note_read(v, checkpoint, &v->head)
            : VS_ERR_MALFORMED;
    if (e != VS_OK) {
        free(v);
        return e;
    }
    v->points[v->count++] = v->head;
    v->malformed = v->suspect = NONE;
    *out = v;
    return VS_OK;
}

void vs_log_verifier_free(struct vs_log_verifier **v)
{
    if (v == NULL)
        return;
    free(*v);
    *v = NULL;
}

enum vs_error vs_log_verifier_keep(struct vs_log_verifier *v, struct vs_bytes note)
{
    struct checkpoint point = {0};
    enum vs_error e;

    if (v == NULL || note.data == NULL || v->reading)
        return VS_ERR_ARGUMENT;
    if (v->count == COUNT_OF(v->points))
        return VS_ERR_TOO_LARGE;
    e = note_read(v, note, &point);
    if (e == VS_OK)
        v->points[v->count++] = point;
    return e;
}

static int by_size(const void *a, const void *b)
{
    const struct checkpoint *left = a;
    const struct checkpoint *right = b;

    return (left->size > right->size) - (left->size < right->size);
}

static bool same_root(const struct merkle_hash *a, const struct merkle_hash *b)
{
    return span_equal(SPAN_OF(a->bytes), SPAN_OF(b->bytes));
}

/* Compares the tree so far with every point of its size. */
static void compare_points(struct vs_log_verifier *v)
{
    struct merkle_hash root;

    while (!v->differs && v->next < v->count && v->points[v->next].size == v->tree.size) {
        merkle_root(&v->tree, &root);
        if (!same_root(&root, &v->points[v->next].root)) {
            v->differs = true;
            v->differs_at = v->tree.size;
            return;
        }
        v->next++;
        v->intact = v->tree.size;
        /* these lines are proven to be the logged ones, whatever their form is */
        v->malformed = v->suspect = NONE;
    }
}

static void begin_reading(struct vs_log_verifier *v)
{
    if (v->reading)
        return;
    v->reading = true;
    qsort(v->points, v->count, sizeof v->points[0], by_size);
    compare_points(v); /* checkpoints of the empty log */
}

static void note_oddities(struct vs_log_verifier *v, struct span line, uint64_t index)
{
    struct audit_entry_view view;

    if (v->line_too_long || audit_entry_view(line, &view) != ERR_NONE) {
        if (v->malformed == NONE)
            v->malformed = index;
        return;
    }
    if (view.time.ms < v->newest.ms && v->suspect == NONE)
        v->suspect = index;
    if (view.time.ms > v->newest.ms)
        v->newest = view.time;
}

static void end_line(struct vs_log_verifier *v)
{
    const struct span line = span_of(v->line, v->line_size);
    struct merkle_hash leaf;

    if (!v->differs)
        note_oddities(v, line, v->tree.size);
    merkle_leaf(line, &leaf);
    merkle_append(&v->tree, &leaf);
    /* only the beginning of the line was hashed, but the logged entry may be exactly that */
    if (v->line_too_long && !v->differs) {
        v->differs = true;
        v->differs_at = v->tree.size;
    }
    compare_points(v);
    v->line_size = 0;
    v->line_too_long = false;
}

/* A line beyond the limit is not from us: its rest is dropped, and end_line() refuses it. */
static void add_to_line(struct vs_log_verifier *v, struct span part)
{
    const size_t room = sizeof v->line - v->line_size;

    if (part.size > room) {
        v->line_too_long = true;
        part.size = room;
    }
    if (part.size > 0)
        memcpy(v->line + v->line_size, part.data, part.size);
    v->line_size += part.size;
}

enum vs_error vs_log_verifier_add(struct vs_log_verifier *v, struct vs_bytes bytes)
{
    struct span rest = span_of_bytes(bytes);

    if (v == NULL || (bytes.data == NULL && bytes.size > 0))
        return VS_ERR_ARGUMENT;
    begin_reading(v);
    while (rest.size > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        const size_t size = end == NULL ? rest.size : (size_t)(end - rest.data);

        add_to_line(v, span_slice(rest, 0, size));
        if (end != NULL)
            end_line(v);
        rest = span_slice(rest, size + (end != NULL), rest.size);
    }
    return VS_OK;
}

/* Finds two signed checkpoints of one size that differ: the log was forked. */
static bool find_fork(const struct vs_log_verifier *v, uint64_t *size)
{
    for (size_t i = 1; i < v->count; i++)
        if (v->points[i].size == v->points[i - 1].size &&
            !same_root(&v->points[i].root, &v->points[i - 1].root)) {
            *size = v->points[i].size;
            return true;
        }
    return false;
}

static void range(struct vs_log_report *r, enum vs_log_fault fault, uint64_t first, uint64_t last)
{
    r->fault = fault;
    r->first = first;
    r->last = last < first ? first : last;
}

MUST_CHECK static enum vs_error say_fork(struct vs_log_report *r, uint64_t size, struct vs_why *why)
{
    range(r, VS_LOG_FORKED, r->intact, size == 0 ? 0 : size - 1);
    return why_fail(why, VS_ERR_TAMPERED,
                    "two signed checkpoints of size %llu have different roots: the log was forked. "
                    "Keep both notes, they prove it",
                    (unsigned long long)size);
}

MUST_CHECK static enum vs_error say_changed(const struct vs_log_verifier *v,
                                            struct vs_log_report *r, struct vs_why *why)
{
    const uint64_t last = v->differs_at == 0 ? 0 : v->differs_at - 1;

    if (v->malformed != NONE) {
        range(r, VS_LOG_MALFORMED, v->malformed, v->malformed);
        return why_fail(why, VS_ERR_TAMPERED, "line %llu (entry %llu) is no log entry",
                        (unsigned long long)v->malformed + 1, (unsigned long long)v->malformed);
    }
    range(r, VS_LOG_CHANGED, v->intact, last);
    r->has_suspect = v->suspect != NONE;
    r->suspect = r->has_suspect ? v->suspect : 0;
    return why_fail(
        why, VS_ERR_TAMPERED,
        "the first %llu entries are intact; among entries %llu to %llu at least one was "
        "changed, removed, inserted or moved",
        (unsigned long long)r->intact, (unsigned long long)r->first, (unsigned long long)r->last);
}

MUST_CHECK static enum vs_error say_missing(const struct vs_log_verifier *v,
                                            struct vs_log_report *r, struct vs_why *why)
{
    range(r, VS_LOG_MISSING, r->intact, v->head.size - 1);
    r->has_suspect = v->suspect != NONE || v->malformed != NONE;
    r->suspect = v->malformed != NONE ? v->malformed : (r->has_suspect ? v->suspect : 0);
    return why_fail(why, VS_ERR_TAMPERED,
                    "the export has %llu entries, its checkpoint %llu: %llu are missing, the first "
                    "of them somewhere from entry %llu to entry %llu",
                    (unsigned long long)r->entries, (unsigned long long)r->size,
                    (unsigned long long)(r->size - r->entries), (unsigned long long)r->first,
                    (unsigned long long)r->entries);
}

MUST_CHECK static enum vs_error say_rolled_back(const struct vs_log_verifier *v,
                                                struct vs_log_report *r, struct vs_why *why)
{
    const uint64_t kept = v->points[v->count - 1].size;

    range(r, VS_LOG_ROLLED_BACK, v->head.size, kept - 1);
    return why_fail(why, VS_ERR_TAMPERED,
                    "a kept checkpoint proves %llu entries, this one states %llu: the log was "
                    "rolled back, entry %llu is the first that is gone",
                    (unsigned long long)kept, (unsigned long long)v->head.size,
                    (unsigned long long)v->head.size);
}

MUST_CHECK static enum vs_error say_uncovered(const struct vs_log_verifier *v,
                                              struct vs_log_report *r, struct vs_why *why)
{
    range(r, VS_LOG_UNCOVERED, v->head.size, r->entries - 1);
    return why_fail(why, VS_ERR_TAMPERED,
                    "entries from %llu on are not covered by the checkpoint, which has %llu; get a "
                    "newer checkpoint",
                    (unsigned long long)v->head.size, (unsigned long long)v->head.size);
}

enum vs_error vs_log_verifier_finish(struct vs_log_verifier *v, struct vs_log_report *report,
                                     struct vs_why *why)
{
    uint64_t size = 0;

    if (v == NULL || report == NULL)
        return VS_ERR_ARGUMENT;
    begin_reading(v);
    if (v->line_size > 0 || v->line_too_long)
        end_line(v);
    *report =
        (struct vs_log_report){.entries = v->tree.size, .size = v->head.size, .intact = v->intact};
    if (find_fork(v, &size))
        return say_fork(report, size, why);
    if (v->differs)
        return say_changed(v, report, why);
    if (v->points[v->count - 1].size > v->head.size)
        return say_rolled_back(v, report, why);
    if (v->tree.size < v->head.size)
        return say_missing(v, report, why);
    if (v->tree.size > v->head.size)
        return say_uncovered(v, report, why);
    return VS_OK;
}
