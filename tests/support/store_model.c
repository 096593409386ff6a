#include "support/store_model.h"

#include <stdio.h>
#include <string.h>

static const char *const ids[MODEL_IDS] = {"a", "b", "key-3", "key-4", "a longer name of a row",
                                           "f"};
static const char *const lookups[MODEL_LOOKUPS] = {"one", "two", "three", "a"};

struct span model_id(int number)
{
    return span_string(ids[number]);
}

struct span model_lookup(int number)
{
    return number < 0 ? (struct span){0} : span_string(lookups[number]);
}

static int number_of(const char *const *names, int count, struct span name)
{
    for (int i = 0; i < count; i++)
        if (span_equal_string(name, names[i]))
            return i;
    return -1;
}

int model_id_number(struct span id)
{
    return number_of(ids, MODEL_IDS, id);
}

int model_lookup_number(struct span lookup)
{
    return number_of(lookups, MODEL_LOOKUPS, lookup);
}

static bool lookup_is_taken(const struct model *m, int table, int lookup, int id)
{
    for (int i = 0; i < MODEL_IDS; i++)
        if (i != id && m->rows[table][i].there && m->rows[table][i].lookup == lookup)
            return true;
    return false;
}

static uint64_t lookup_version(const struct model *m, int table, int lookup)
{
    for (int i = 0; i < MODEL_IDS; i++)
        if (m->rows[table][i].there && m->rows[table][i].lookup == lookup)
            return m->rows[table][i].version;
    return 0;
}

static enum transaction_status effect_run(struct model *m, const struct effect *f, int64_t now,
                                          uint64_t version, struct transaction_result *out)
{
    int table = (int)f->table - 1;
    int id = model_id_number(f->id);
    struct model_row *row = &m->rows[table][id];
    int lookup = f->lookup.size > 0 ? model_lookup_number(f->lookup) : -1;

    if (f->kind == EFFECT_DELETE) {
        *row = (struct model_row){0};
    } else if (f->kind == EFFECT_REQUIRE) {
        if ((row->there ? row->version : 0) != f->version) {
            out->version = row->there ? row->version : 0;
            return TRANSACTION_CONFLICT;
        }
    } else if (f->kind == EFFECT_PUT) {
        if (lookup >= 0 && lookup_is_taken(m, table, lookup, id)) {
            out->version = lookup_version(m, table, lookup);
            return TRANSACTION_CONFLICT;
        }
        *row = (struct model_row){
            .there = true, .version = version, .lookup = lookup, .value_size = f->value.size};
        if (f->value.size > 0)
            memcpy(row->value, f->value.data, f->value.size);
    } else {
        int64_t start = f->window_ms > 0 ? now / f->window_ms * f->window_ms : 0;
        uint64_t used = start > row->window_start_ms ? 0 : row->used;

        out->used = used;
        if (used + f->uses > f->limit)
            return TRANSACTION_LIMIT;
        out->used = used + f->uses;
        *row = (struct model_row){
            .there = true,
            .version = version,
            .lookup = -1,
            .used = used + f->uses,
            .window_start_ms = start > row->window_start_ms ? start : row->window_start_ms,
        };
    }
    return TRANSACTION_DONE;
}

void model_run(struct model *m, const struct transaction *t, struct transaction_result *out)
{
    const struct model before = *m;
    uint64_t version = m->log_size << TRANSACTION_NODE_BITS | m->node;
    struct span entry = t->entry;

    *out = (struct transaction_result){.version = version};
    for (size_t i = 0; i < t->count && out->status == TRANSACTION_DONE; i++) {
        out->status = effect_run(m, &t->effects[i], t->time.ms, version, out);
        out->effect = out->status == TRANSACTION_DONE ? 0 : i;
    }
    if (out->status != TRANSACTION_DONE)
        *m = before;
    if (out->status == TRANSACTION_LIMIT) {
        out->version = 0;
        entry = t->entry_limit;
    } else if (out->status == TRANSACTION_CONFLICT) {
        entry = t->entry_conflict;
    }
    if (entry.size > 0) {
        out->logged = true;
        out->index = m->log_size++;
    }
}

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014. */
uint64_t generator_below(struct generator *g, uint64_t limit)
{
    uint64_t z = g->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % limit;
}

static int below(struct generator *g, int limit)
{
    return (int)generator_below(g, (uint64_t)limit);
}

static void effect_generate(struct generator *g, const struct model *now, struct effect *out,
                            uint8_t value[MODEL_VALUE_MAX])
{
    static const enum effect_kind kinds[] = {EFFECT_PUT,     EFFECT_PUT,   EFFECT_DELETE,
                                             EFFECT_REQUIRE, EFFECT_COUNT, EFFECT_COUNT};
    static const int64_t windows_ms[] = {0, 1000, 60000};
    int id = below(g, MODEL_IDS);
    int table;

    *out = (struct effect){.kind = kinds[below(g, COUNT_OF(kinds))], .id = model_id(id)};
    table = out->kind == EFFECT_COUNT ? 0
            : out->kind == EFFECT_PUT ? 1 + below(g, MODEL_TABLES - 1)
                                      : below(g, MODEL_TABLES);
    out->table = (enum store_table)(table + 1);
    out->uses = 1 + generator_below(g, 3);
    out->limit = generator_below(g, 8);
    out->window_ms = windows_ms[id % (int)COUNT_OF(windows_ms)];
    if (out->kind == EFFECT_REQUIRE) {
        const struct model_row *row = &now->rows[table][id];

        out->version = below(g, 4) == 0 ? generator_below(g, 3) : row->there ? row->version : 0;
    }
    if (out->kind != EFFECT_PUT)
        return;
    out->lookup = model_lookup(below(g, MODEL_LOOKUPS + 3) - 3 < 0 ? -1 : below(g, MODEL_LOOKUPS));
    out->value = span_of(value, generator_below(g, MODEL_VALUE_MAX + 1));
    for (size_t i = 0; i < out->value.size; i++)
        value[i] = (uint8_t)generator_below(g, 256);
}

static struct span entry_generate(char out[MODEL_ENTRY_MAX], uint64_t number, char outcome)
{
    int size = snprintf(out, MODEL_ENTRY_MAX, "%llu%c", (unsigned long long)number, outcome);

    return span_of(out, (size_t)size);
}

void generate(struct generator *g, const struct model *now, struct generated *out)
{
    struct transaction *t = &out->transaction;

    g->time_ms += below(g, 400) - 100; /* the clock goes back at times */
    *t = (struct transaction){.time = {g->time_ms},
                              .effects = out->effects,
                              .count = generator_below(g, MODEL_EFFECTS_MAX + 1)};
    for (size_t i = 0; i < t->count; i++)
        effect_generate(g, now, &out->effects[i], out->values[i]);
    t->entry = entry_generate(out->entries[0], g->made, 'd');
    if (below(g, 4) > 0)
        t->entry_limit = entry_generate(out->entries[1], g->made, 'l');
    if (below(g, 2) > 0)
        t->entry_conflict = entry_generate(out->entries[2], g->made, 'c');
    g->made++;
}
