#include "store/repair.h"

#include <string.h>

#include "base/secret.h"
#include "store/build.h"
#include "store/log.h"

static const struct {
    const char *word, *text;
} losses[REPAIR_LOSS_COUNT] = {
#define LOSS_ROW(name, word, text) [name] = {word, text},
    REPAIR_LOSSES(LOSS_ROW)
#undef LOSS_ROW
};

const char *repair_loss_word(enum repair_loss loss)
{
    return losses[loss].word;
}

const char *repair_loss_text(enum repair_loss loss)
{
    return losses[loss].text;
}

#define BIT(loss) (1u << (loss))

/* What a fault of each kind makes necessary. */
static const struct {
    unsigned losses;
    bool new_log, rebuilds;
    const char *why_not;
} remedies[FAULT_KINDS] = {
    [FAULT_PAGE] = {.rebuilds = true                                               },
    [FAULT_INDEX] = {.rebuilds = true                                               },
    [FAULT_SCHEMA] = {.rebuilds = true                                               },
    [FAULT_MODE] = {.rebuilds = true                                               },
    [FAULT_JOURNAL_LOST] = {.losses = BIT(LOSS_NEWEST)                                     },
    [FAULT_NODE_MISSING] = {.losses = BIT(LOSS_LOG) | BIT(LOSS_PROOF),                       .new_log = true},
    [FAULT_NODE_STATE] = {.losses = BIT(LOSS_LOG) | BIT(LOSS_PROOF),                                                               .new_log = true},
    [FAULT_NODE_ORIGIN] = {.why_not = "set log.origin to the origin that the database has"},
    [FAULT_NODE_UNFINISHED] = {.why_not = "run the import again"},
    [FAULT_ROWS_UNREADABLE] = {.losses = BIT(LOSS_ROWS) | BIT(LOSS_PROOF)                              },
    [FAULT_ROW_EDITED] = {.losses = BIT(LOSS_ROWS) | BIT(LOSS_PROOF)                     },
    [FAULT_ROW_MISSING] = {.losses = BIT(LOSS_ROWS) | BIT(LOSS_PROOF)                     },
    [FAULT_ROW_ADDED] = {.rebuilds = true                     },
    [FAULT_ROW_OLDER] = {.losses = BIT(LOSS_ROWS)                                               },
    [FAULT_ROWS_UNPROVEN] = {.losses = BIT(LOSS_ROWS) | BIT(LOSS_PROOF)                                       },
    [FAULT_ENTRY_MISSING] = {.losses = BIT(LOSS_LOG),                      .new_log = true},
    [FAULT_ENTRY_CHANGED] = {.losses = BIT(LOSS_LOG),                                         .new_log = true},
    [FAULT_ENTRY_EXTRA] = {.rebuilds = true                                                              },
    [FAULT_HASH] = {.rebuilds = true       },
    [FAULT_CHECKPOINT] = {.losses = BIT(LOSS_NEWEST)                                               },
};

void repair_plan(const struct examination *x, struct repair_plan *out)
{
    *out = (struct repair_plan){.needed = x->fault_count > 0, .possible = true};
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        if (x->faults[i] == 0)
            continue;
        out->losses |= remedies[i].losses;
        out->new_log |= remedies[i].new_log;
        out->rebuilds |= remedies[i].rebuilds;
        if (remedies[i].why_not) {
            out->possible = false;
            out->why = remedies[i].why_not;
        }
    }
}

struct repairing {
    const struct repair_options *options;
    struct builder *builder;
    struct secret *plain;
    bool wrong_row_seen;
    bool failed; /* a row that was read could not be kept or set aside */
    struct repair_result result;
};

/* The row that must not be there, and not another copy of it; once, if there are equal ones. */
static bool is_wrong(struct repairing *r, const struct stored_row *row)
{
    const struct examination *x = r->options->examination;
    struct row_set sum;
    bool found;

    if (!x->has_wrong_row || r->wrong_row_seen)
        return false;
    row_set_of(r->options->from->keys, row, &sum);
    row_set_subtract(&sum, &x->wrong_row);
    found = row_set_is_empty(&sum);
    bytes_wipe(&sum, sizeof sum);
    r->wrong_row_seen = found;
    return found;
}

MUST_CHECK static enum err row_take(void *context, const struct stored_row *row)
{
    struct repairing *r = context;
    const struct repair_options *o = r->options;
    struct row_view view;
    enum err e = row_open(o->from->keys, row, secret_data(r->plain), &view);

    if (e == ERR_NONE)
        bytes_wipe(secret_data(r->plain), row_plain_size(row));
    if (e == ERR_NONE && !is_wrong(r, row)) {
        r->result.rows_kept++;
        e = builder_row(r->builder, row);
    } else {
        r->result.rows_set_aside++;
        e = o->set_aside(o->context, row);
    }
    r->failed = e != ERR_NONE;
    return e;
}

/* A table that cannot be read to its end was reported: what can be read of it is kept. */
MUST_CHECK static enum err rows_copy(struct repairing *r)
{
    struct store_engine *from = r->options->from->engine;
    enum err e = from->ops->scan(from, 0, NULL, row_take, r);

    if (e == ERR_TAMPERED && !r->failed &&
        r->options->examination->faults[FAULT_ROWS_UNREADABLE] > 0)
        e = ERR_NONE;
    return e;
}

MUST_CHECK static enum err hash_take(void *context, uint64_t index, struct span hash)
{
    const struct repairing *r = context;
    struct merkle_hash block;

    (void)index;
    if (hash.size != sizeof block.bytes)
        return ERR_TAMPERED;
    memcpy(block.bytes, hash.data, hash.size);
    return builder_block(r->builder, &block);
}

MUST_CHECK static enum err entry_take(void *context, uint64_t index, struct span entry)
{
    struct repairing *r = context;

    if (index != builder_log(r->builder)->size)
        return ERR_TAMPERED;
    r->result.entries_kept++;
    return builder_entry(r->builder, entry);
}

/* The whole log, which must be the one of the sealed state. */
MUST_CHECK static enum err log_copy(struct repairing *r)
{
    const struct examine_options *from = r->options->from;
    const struct node_state *state = &r->options->examination->state;
    struct store_engine *engine = from->engine;
    struct merkle_hash root, expected;
    enum err e = ERR_NONE;

    if (state->log_archived > 0)
        e = engine->ops->subtrees(engine, from->node, LOG_LEVEL_STEP, 0,
                                  state->log_archived >> LOG_LEVEL_STEP, hash_take, r);
    if (e == ERR_NONE)
        e = engine->ops->entries(engine, from->node, state->log_archived,
                                 state->log.size - state->log_archived, entry_take, r);
    if (e != ERR_NONE)
        return e;
    merkle_root(builder_log(r->builder), &root);
    merkle_root(&state->log, &expected);
    return builder_log(r->builder)->size == state->log.size &&
                   span_equal(SPAN_OF(root.bytes), SPAN_OF(expected.bytes))
               ? ERR_NONE
               : ERR_TAMPERED;
}

MUST_CHECK static enum err entry_add(struct repairing *r)
{
    const struct repair_options *o = r->options;
    struct buffer entry = {0};
    enum err e = o->entry(o->context, &r->result, &entry);

    if (e == ERR_NONE)
        e = builder_entry(r->builder, buffer_span(&entry));
    buffer_clear(&entry);
    return e;
}

/* The number of commits goes on, so that an anchor sees no step back. */
MUST_CHECK static enum err finish(struct repairing *r)
{
    const struct examination *x = r->options->examination;
    struct node_state like = {.commits = 1};

    if (x->has_state) {
        like.commits = x->state.commits + 1;
        like.anchor = x->state.anchor;
    }
    if (!r->options->plan->new_log)
        like.log_archived = x->state.log_archived;
    return builder_end(r->builder, &like);
}

enum err repair_run(const struct repair_options *options, struct repair_result *out)
{
    struct repairing r = {.options = options};
    const struct builder_options builder = {
        .engine = options->into,
        .keys = options->from->keys,
        .node = options->from->node,
        .origin = options->from->origin,
    };
    enum err e = ERR_NONE;

    if (!options->plan->possible || (options->plan->losses & ~options->accepted) != 0)
        return ERR_DENIED;
    e = secret_new(ROWS_PLAIN_MAX, &r.plain);
    if (e == ERR_NONE)
        e = builder_new(&builder, &r.builder);
    if (e == ERR_NONE)
        e = rows_copy(&r);
    if (e == ERR_NONE && !options->plan->new_log)
        e = log_copy(&r);
    if (e == ERR_NONE)
        e = entry_add(&r);
    if (e == ERR_NONE)
        e = finish(&r);
    if (e == ERR_NONE)
        *out = r.result;
    builder_free(&r.builder);
    secret_free(&r.plain);
    return e;
}
