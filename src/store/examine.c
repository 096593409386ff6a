#include "store/examine.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "store/examine_inside.h"

static const struct {
    const char *code, *text;
} faults[FAULT_KINDS] = {
#define FAULT_ROW(name, code, text) [name] = {code, text},
    FAULTS(FAULT_ROW)
#undef FAULT_ROW
};

const char *fault_code(enum fault_kind kind)
{
    return faults[kind].code;
}

const char *fault_text(enum fault_kind kind)
{
    return faults[kind].text;
}

enum err examining_report(const struct examining *x, const struct fault *fault)
{
    x->out->faults[fault->kind]++;
    x->out->fault_count++;
    return x->options->each ? x->options->each(x->options->context, fault) : ERR_NONE;
}

MUST_CHECK static enum err engine_fault(void *context, const char *what, const char *text)
{
    const struct examining *x = context;
    struct fault fault = {.kind = FAULT_PAGE, .text = text};

    for (enum fault_kind kind = FAULT_PAGE; kind <= FAULT_MODE; kind++)
        if (strcmp(what, faults[kind].code) == 0)
            fault.kind = kind;
    return examining_report(x, &fault);
}

/* All rows, and what the nodes have recorded of them. */
struct rows_examination {
    struct examining *x;
    struct secret *plain;
    struct row_set recorded, found;
    uint64_t edited; /* rows that do not open */
    struct row_key edited_row;
    bool no_sum; /* a node's state does not open: what it recorded is not known */
};

/* A list of the states of all nodes, to look at their logs. */
struct state_entry {
    uint32_t node;
    struct node_state state;
    struct state_entry *next;
};

struct node_examination {
    struct examining *x;
    struct rows_examination *rows;
    struct state_entry **end; /* of the list */
};

MUST_CHECK static enum err state_add(struct node_examination *n, uint32_t node,
                                     const struct node_state *state)
{
    struct state_entry *entry = malloc(sizeof *entry);

    if (!entry)
        return ERR_MEMORY;
    entry->node = node;
    entry->state = *state;
    entry->next = NULL;
    *n->end = entry;
    n->end = &entry->next;
    return ERR_NONE;
}

static void states_free(struct state_entry *first)
{
    while (first) {
        struct state_entry *next = first->next;

        bytes_wipe(first, sizeof *first);
        free(first);
        first = next;
    }
}

MUST_CHECK static enum err state_judge(const struct examining *x,
                                       const struct stored_node_state *node,
                                       const struct node_state *state)
{
    const struct store_ops *ops = x->options->engine->ops;
    struct fault fault = {.node = node->node};
    enum err e = ERR_NONE;

    if (node->node != x->options->node)
        return ERR_NONE;
    x->out->has_state = true;
    x->out->state = *state;
    if (state->running && ops->journal_found && !ops->journal_found(x->options->engine)) {
        fault.kind = FAULT_JOURNAL_LOST;
        e = examining_report(x, &fault);
    }
    if (e == ERR_NONE && strcmp(node->origin, x->options->origin) != 0) {
        fault.kind = FAULT_NODE_ORIGIN;
        fault.text = node->origin;
        e = examining_report(x, &fault);
    }
    if (e == ERR_NONE && state->commits == NODE_STATE_UNFINISHED) {
        fault.kind = FAULT_NODE_UNFINISHED;
        fault.text = NULL;
        e = examining_report(x, &fault);
    }
    return e;
}

MUST_CHECK static enum err node_take(void *context, const struct stored_node_state *node)
{
    struct node_examination *n = context;
    const struct fault fault = {.kind = FAULT_NODE_STATE, .node = node->node};
    struct node_state state = {0};
    enum err e = node_state_open(n->x->options->keys, node->node, node->origin,
                                 span_of(node->state, node->size), &state);

    if (e != ERR_NONE) {
        n->rows->no_sum = true;
        return examining_report(n->x, &fault);
    }
    row_set_add(&n->rows->recorded, &state.rows);
    e = state_add(n, node->node, &state);
    if (e == ERR_NONE)
        e = state_judge(n->x, node, &state);
    bytes_wipe(&state, sizeof state);
    return e;
}

MUST_CHECK static enum err row_report(const struct rows_examination *r, enum fault_kind kind,
                                      const struct row_key *row, uint64_t version,
                                      uint64_t recorded)
{
    const struct fault fault = {
        .kind = kind, .row = *row, .version = version, .recorded = recorded};

    return examining_report(r->x, &fault);
}

MUST_CHECK static enum err row_take(void *context, const struct stored_row *row)
{
    struct node_examination *n = context;
    struct rows_examination *r = n->rows;
    struct row_view view;
    struct row_set one;
    enum err e = row_open(r->x->options->keys, row, secret_data(r->plain), &view);

    if (e != ERR_NONE) {
        r->edited++;
        r->edited_row = row->key;
        return row_report(r, FAULT_ROW_EDITED, &row->key, row->version, 0);
    }
    bytes_wipe(secret_data(r->plain), row_plain_size(row));
    row_set_of(r->x->options->keys, row, &one);
    row_set_add(&r->found, &one);
    bytes_wipe(&one, sizeof one);
    r->x->out->rows++;
    return ERR_NONE;
}

/* Finds the one row that explains a difference. */
struct search {
    const struct rows_keys *keys;
    const struct row_set *difference;
    size_t found;
    struct row_set sum; /* of that row, as it is */
    struct row_key row;
    uint64_t version, recorded;
};

static void search_found(struct search *s, const struct stored_row *row, uint64_t recorded)
{
    s->found++;
    row_set_of(s->keys, row, &s->sum);
    s->row = row->key;
    s->version = row->version;
    s->recorded = recorded;
}

MUST_CHECK static enum err other_search(void *context, const struct stored_row *row)
{
    struct search *s = context;
    uint64_t recorded = 0;

    if (row_set_is_other(s->difference, row, &recorded))
        search_found(s, row, recorded);
    return ERR_NONE;
}

/* Without this row nothing differs, the keyed hash included: so the row is there, and is extra. */
MUST_CHECK static enum err added_search(void *context, const struct stored_row *row)
{
    struct search *s = context;
    struct row_set sum;

    row_set_of(s->keys, row, &sum);
    row_set_add(&sum, s->difference);
    if (row_set_is_empty(&sum))
        search_found(s, row, 0);
    bytes_wipe(&sum, sizeof sum);
    return ERR_NONE;
}

MUST_CHECK static enum err unproven(const struct rows_examination *r)
{
    const struct fault fault = {.kind = FAULT_ROWS_UNPROVEN};

    return examining_report(r->x, &fault);
}

/* One row must not be there: it is added, or another copy of itself. */
MUST_CHECK static enum err wrong_row_find(const struct rows_examination *r, enum fault_kind kind,
                                          const struct row_set *difference)
{
    struct store_engine *engine = r->x->options->engine;
    struct examination *out = r->x->out;
    struct search s = {.keys = r->x->options->keys, .difference = difference};
    enum err e = engine->ops->scan(engine, 0, NULL,
                                   kind == FAULT_ROW_ADDED ? added_search : other_search, &s);

    if (e == ERR_TAMPERED)
        e = ERR_NONE;
    /* copies of an added row are equal; which one is removed makes no difference */
    if (e == ERR_NONE && (s.found == 1 || (s.found > 1 && kind == FAULT_ROW_ADDED))) {
        out->has_wrong_row = true;
        out->wrong_row = s.sum;
        e = row_report(r, kind, &s.row, s.version, s.recorded);
    } else if (e == ERR_NONE) {
        e = unproven(r);
    }
    bytes_wipe(&s.sum, sizeof s.sum);
    return e;
}

/* Rows that do not open account for a part of the difference: for one row, if it is one. */
MUST_CHECK static enum err difference_judge(const struct rows_examination *r,
                                            const struct row_set *difference)
{
    struct row_key row = {0};
    uint64_t version = 0;

    switch (row_set_compare(difference, &row, &version)) {
    case ROWS_SAME:
        return ERR_NONE;
    case ROWS_ONE_MISSING:
        if (r->edited == 1 && row.table == r->edited_row.table &&
            span_equal(SPAN_OF(row.id), SPAN_OF(r->edited_row.id)))
            return ERR_NONE; /* reported as edited; the hash of what it was is not known */
        return row_report(r, FAULT_ROW_MISSING, &row, 0, version);
    case ROWS_ONE_TOO_MANY:
        return wrong_row_find(r, FAULT_ROW_ADDED, difference);
    case ROWS_ONE_OTHER:
        return wrong_row_find(r, FAULT_ROW_OLDER, difference);
    case ROWS_SEVERAL:
        break;
    }
    return unproven(r);
}

MUST_CHECK static enum err rows_judge(struct rows_examination *r, bool all_read)
{
    const struct fault unreadable = {.kind = FAULT_ROWS_UNREADABLE};
    struct row_set difference = r->recorded;
    enum err e = ERR_NONE;

    row_set_subtract(&difference, &r->found);
    if (!all_read)
        e = examining_report(r->x, &unreadable);
    if (e == ERR_NONE && (r->no_sum || !all_read))
        e = r->x->out->rows + r->edited > 0 || !all_read ? unproven(r) : ERR_NONE;
    else if (e == ERR_NONE)
        e = difference_judge(r, &difference);
    bytes_wipe(&difference, sizeof difference);
    return e;
}

MUST_CHECK static enum err rows_examine(struct examining *x, struct state_entry **states)
{
    struct rows_examination rows = {.x = x};
    struct node_examination n = {x, &rows, states};
    const struct fault missing = {.kind = FAULT_NODE_MISSING, .node = x->options->node};
    struct store_engine *engine = x->options->engine;
    enum err e = secret_new(ROWS_PLAIN_MAX, &rows.plain);
    bool all_read;

    if (e == ERR_NONE)
        e = engine->ops->scan(engine, 0, node_take, row_take, &n);
    all_read = e == ERR_NONE;
    if (e == ERR_IO && x->out->faults[FAULT_SCHEMA] > 0)
        e = ERR_UNSUPPORTED; /* there are no such tables to read */
    if (e == ERR_TAMPERED)   /* the reader's: the callbacks report what is wrong, and go on */
        e = ERR_NONE;
    if (e == ERR_NONE && !x->out->has_state && x->out->faults[FAULT_NODE_STATE] == 0)
        e = examining_report(x, &missing);
    if (e == ERR_NONE && !x->out->has_state)
        rows.no_sum = true;
    if (e == ERR_NONE)
        e = rows_judge(&rows, all_read);
    bytes_wipe(&rows.recorded, sizeof rows.recorded);
    bytes_wipe(&rows.found, sizeof rows.found);
    secret_free(&rows.plain);
    return e;
}

enum err examine(const struct examine_options *options, struct examination *out)
{
    struct examining x = {options, out};
    struct state_entry *states = NULL;
    struct store_engine *engine = options->engine;
    enum err e = ERR_NONE;

    *out = (struct examination){0};
    if (engine->ops->examine)
        e = engine->ops->examine(engine, engine_fault, &x);
    if (e == ERR_NONE)
        e = rows_examine(&x, &states);
    for (const struct state_entry *s = states; e == ERR_NONE && s; s = s->next)
        e = examine_log(&x, s->node, &s->state);
    states_free(states);
    return e;
}
