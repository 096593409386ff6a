#include "service/policies.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/entry.h"
#include "base/log.h"
#include "base/text.h"
#include "codec/json.h"

struct policy_store {
    struct policy_set configured;
    const struct attest_trust *trust;
    struct snapshot_cell cell; /* of struct policy_snapshot */
};

/* ---- values ---- */

void reference_values_clear(struct reference_values *v)
{
    free(v->items);
    *v = (struct reference_values){0};
}

MUST_CHECK static enum err values_append(struct reference_values *v,
                                         const struct reference_value *value)
{
    if (v->count == v->capacity) {
        const size_t capacity = 2 * v->capacity + 8;
        struct reference_value *grown = reallocarray(v->items, capacity, sizeof *grown);

        if (!grown)
            return ERR_MEMORY;
        v->items = grown;
        v->capacity = capacity;
    }
    v->items[v->count++] = *value;
    return ERR_NONE;
}

/* Index of the value; `count` when absent. */
static size_t values_find(const struct reference_values *v, const struct policy_change *change)
{
    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->items[i].policy, change->policy) == 0 &&
            strcmp(v->items[i].field, change->field) == 0 &&
            span_equal(span_of(v->items[i].bytes, v->items[i].size),
                       span_of(change->bytes, change->size)))
            return i;
    return v->count;
}

static void values_remove(struct reference_values *v, size_t at)
{
    memmove(&v->items[at], &v->items[at + 1], (v->count - at - 1) * sizeof v->items[0]);
    v->count--;
}

MUST_CHECK static enum err values_copy(const struct reference_values *from,
                                       struct reference_values *to)
{
    *to = (struct reference_values){
        .changed = from->changed, .changes = from->changes, .stored = from->stored};
    for (size_t i = 0; i < from->count; i++)
        if (values_append(to, &from->items[i]) != ERR_NONE) {
            reference_values_clear(to);
            return ERR_MEMORY;
        }
    return ERR_NONE;
}

MUST_CHECK static enum err values_apply(struct reference_values *v,
                                        const struct policy_change *change, const char *principal,
                                        struct timestamp now, uint64_t index)
{
    struct reference_value value = {.size = change->size, .added = now, .index = index};
    const size_t at = values_find(v, change);

    if (change->removes) {
        if (at < v->count)
            values_remove(v, at);
        return ERR_NONE;
    }
    if (at < v->count)
        return ERR_NONE;
    (void)snprintf(value.policy, sizeof value.policy, "%s", change->policy);
    (void)snprintf(value.field, sizeof value.field, "%s", change->field);
    (void)snprintf(value.principal, sizeof value.principal, "%s", principal);
    memcpy(value.bytes, change->bytes, change->size);
    return values_append(v, &value);
}

/* ---- replay ---- */

MUST_CHECK static enum err read_text(struct json_value value, char *out, size_t size)
{
    size_t length = 0;
    enum err e = json_string(value, out, size - 1, &length);

    if (e == ERR_NONE)
        out[length] = '\0';
    return e;
}

MUST_CHECK static enum err read_change(struct json_value detail, struct policy_change *out)
{
    struct json_value policy, field, value, action;
    struct span hex;
    const struct json_field fields[] = {
        {"policy", JSON_STRING, true, &policy},
        {"field",  JSON_STRING, true, &field },
        {"value",  JSON_STRING, true, &value },
        {"action", JSON_STRING, true, &action},
    };

    *out = (struct policy_change){0};
    if (json_object_read(detail, fields, COUNT_OF(fields), false, NULL) != ERR_NONE ||
        read_text(policy, out->policy, sizeof out->policy) != ERR_NONE ||
        read_text(field, out->field, sizeof out->field) != ERR_NONE ||
        json_string_plain(value, &hex) != ERR_NONE || hex.size / 2 > sizeof out->bytes)
        return ERR_MALFORMED;
    out->size = hex.size / 2;
    out->removes = json_string_equal(action, "remove");
    if (!out->removes && !json_string_equal(action, "add"))
        return ERR_MALFORMED;
    return hex_read(hex, out->bytes, out->size);
}

/* Reads an allowed change; ERR_NOT_FOUND another entry. */
MUST_CHECK static enum err read_entry(struct span line, struct policy_change *change,
                                      char principal[PRINCIPAL_NAME_MAX + 1],
                                      struct timestamp *time)
{
    struct json_value document, op, decision, name, detail;
    struct audit_entry_view view;

    if (json_parse(line, &document, NULL) != ERR_NONE ||
        json_member(document, "op", &op) != ERR_NONE || !json_string_equal(op, "policy") ||
        json_member(document, "decision", &decision) != ERR_NONE ||
        !json_string_equal(decision, "allow"))
        return ERR_NOT_FOUND;
    if (audit_entry_view(line, &view) != ERR_NONE ||
        json_member(document, "principal", &name) != ERR_NONE ||
        read_text(name, principal, PRINCIPAL_NAME_MAX + 1) != ERR_NONE ||
        json_member(document, "detail", &detail) != ERR_NONE ||
        read_change(detail, change) != ERR_NONE)
        return ERR_MALFORMED;
    *time = view.time;
    return ERR_NONE;
}

enum err reference_values_replay(void *values, uint64_t index, struct span entry)
{
    static const char mark[] = "\"op\":\"policy\""; /* quotes inside texts are escaped */
    struct reference_values *v = values;
    struct policy_change change;
    char principal[PRINCIPAL_NAME_MAX + 1];
    struct timestamp time;
    enum err e;

    if (!memmem(entry.data, entry.size, mark, sizeof mark - 1))
        return ERR_NONE;
    e = read_entry(entry, &change, principal, &time);
    if (e == ERR_NOT_FOUND)
        return ERR_NONE;
    if (e != ERR_NONE) {
        log_write(LOG_ERROR, "service", "policy_change_not_understood", LOG_NUMBER("index", index));
        return ERR_UNSUPPORTED;
    }
    v->changed = true;
    v->changes = index;
    return values_apply(v, &change, principal, time, index);
}

/* ---- snapshots ---- */

static struct appraisal_rule *rule_named(const struct policy_snapshot *s, const char *name)
{
    for (size_t i = 0; i < s->policies.count; i++)
        if (strcmp(s->policies.policies[i].rule.name, name) == 0)
            return &s->policies.policies[i].rule;
    return NULL;
}

MUST_CHECK static enum policy_extension extend(struct policy_snapshot *s,
                                               struct reference_value *value)
{
    struct appraisal_rule *rule = rule_named(s, value->policy);
    const enum policy_extension done =
        rule ? appraisal_rule_extend(rule, value->field, span_of(value->bytes, value->size))
             : EXTENSION_FIELD;

    value->used = done == EXTENSION_DONE;
    return done;
}

static void snapshot_free(struct snapshot *snapshot)
{
    struct policy_snapshot *s = (struct policy_snapshot *)snapshot;

    reference_values_clear(&s->added);
    policy_set_clear(&s->policies);
    free(s);
}

void policy_snapshot_release(struct policy_snapshot **snapshot)
{
    struct snapshot *s = *snapshot ? &(*snapshot)->snapshot : NULL;

    *snapshot = NULL;
    snapshot_release(&s);
}

/* The current snapshot, without a reference: only for the thread that prepares and swaps. */
static const struct policy_snapshot *current(const struct policy_store *store)
{
    return (const struct policy_snapshot *)store->cell.current;
}

struct ordered {
    struct reference_value *value;
};

static int by_content(const void *a, const void *b)
{
    const struct reference_value *x = ((const struct ordered *)a)->value;
    const struct reference_value *y = ((const struct ordered *)b)->value;
    int order = strcmp(x->policy, y->policy);

    if (order == 0)
        order = strcmp(x->field, y->field);
    if (order == 0)
        order = memcmp(x->bytes, y->bytes, sizeof x->bytes); /* public */
    if (order == 0)
        order = (x->size > y->size) - (x->size < y->size);
    return order;
}

/*
 * In an order that does not depend on who added which value first: nodes of one database, which
 * learn of changes in different ways, get the same version.
 */
MUST_CHECK static enum err values_extend(struct policy_snapshot *s)
{
    struct ordered *order = calloc(s->added.count + 1, sizeof *order);
    enum err e = order ? ERR_NONE : ERR_MEMORY;

    for (size_t i = 0; order && i < s->added.count; i++)
        order[i].value = &s->added.items[i];
    if (order)
        qsort(order, s->added.count, sizeof *order, by_content);
    for (size_t i = 0; e == ERR_NONE && i < s->added.count; i++)
        if (extend(s, order[i].value) == EXTENSION_MEMORY)
            e = ERR_MEMORY;
    free(order);
    return e;
}

/* The configuration's rules with a copy of `added`; without a version yet. */
MUST_CHECK static enum err snapshot_new(const struct policy_set *configured,
                                        const struct reference_values *added,
                                        struct policy_snapshot **out)
{
    struct policy_snapshot *s = calloc(1, sizeof *s);

    if (!s)
        return ERR_MEMORY;
    snapshot_init(&s->snapshot, snapshot_free);
    if (policy_set_copy(configured, &s->policies) != ERR_NONE ||
        values_copy(added, &s->added) != ERR_NONE) {
        policy_snapshot_release(&s);
        return ERR_MEMORY;
    }
    if (values_extend(s) != ERR_NONE) {
        policy_snapshot_release(&s);
        return ERR_MEMORY;
    }
    *out = s;
    return ERR_NONE;
}

/* The version covers everything that sessions were judged by: the rules, the trusted roots, and
 * the changes. */
static void version_make(const struct policy_store *store, struct policy_snapshot *s)
{
    uint8_t last[16] = {0};
    uint8_t digest[SHA256_SIZE];
    struct writer w = writer_over(last, sizeof last);

    policy_set_version(&s->policies);
    writer_u64be(&w, s->added.changes);
    if (s->added.stored % (TRANSACTION_NODE_MAX + 1) > 1) /* the index is of another node's log */
        writer_u64be(&w, s->added.stored);
    const struct span parts[] = {
        SPAN_OF(s->policies.version),
        span_of(store->trust->roots, store->trust->count * sizeof store->trust->roots[0]),
        span_of(last, s->added.changed ? w.size : 0)};
    sha256_parts(parts, COUNT_OF(parts), digest);
    memcpy(s->policies.version, digest, sizeof s->policies.version);
}

static void publish(struct policy_store *store, struct policy_snapshot *s)
{
    struct snapshot *next = &s->snapshot;

    version_make(store, s);
    snapshot_publish(&store->cell, &next);
}

/* ---- the store ---- */

enum err policy_store_new(const struct policy_set *configured, const struct attest_trust *trust,
                          struct policy_store **out)
{
    const struct reference_values none = {0};
    struct policy_store *store = calloc(1, sizeof *store);
    struct policy_snapshot *first = NULL;

    if (!store)
        return ERR_MEMORY;
    store->trust = trust;
    snapshot_cell_init(&store->cell);
    if (policy_set_copy(configured, &store->configured) != ERR_NONE ||
        snapshot_new(&store->configured, &none, &first) != ERR_NONE) {
        policy_store_free(&store);
        return ERR_MEMORY;
    }
    publish(store, first);
    *out = store;
    return ERR_NONE;
}

void policy_store_free(struct policy_store **store)
{
    struct policy_store *s = *store;

    *store = NULL;
    if (!s)
        return;
    snapshot_cell_clear(&s->cell);
    policy_set_clear(&s->configured);
    free(s);
}

static void warn_unused(const struct policy_snapshot *s)
{
    char hex[2 * POLICY_BYTES_MAX + 1];

    for (size_t i = 0; i < s->added.count; i++) {
        const struct reference_value *v = &s->added.items[i];

        if (v->used)
            continue;
        hex_write(span_of(v->bytes, v->size), hex);
        log_write(LOG_WARN, "service", "reference_value_not_used", LOG_STRING("policy", v->policy),
                  LOG_STRING("field", v->field), LOG_STRING("value", hex),
                  LOG_NUMBER("index", v->index));
    }
}

enum err policy_store_restore(struct policy_store *store, struct reference_values *added)
{
    struct policy_snapshot *s = NULL;
    enum err e = snapshot_new(&store->configured, added, &s);

    reference_values_clear(added);
    if (e != ERR_NONE)
        return e;
    warn_unused(s);
    publish(store, s);
    return ERR_NONE;
}

enum err policy_store_stage(struct policy_store *store, const struct policy_set *configured,
                            struct policy_stage *out)
{
    struct policy_stage stage = {0};

    if (policy_set_copy(configured, &stage.configured) != ERR_NONE ||
        snapshot_new(configured, &current(store)->added, &stage.next) != ERR_NONE) {
        policy_stage_clear(&stage);
        return ERR_MEMORY;
    }
    warn_unused(stage.next);
    version_make(store, stage.next);
    *out = stage;
    return ERR_NONE;
}

void policy_store_adopt(struct policy_store *store, struct policy_stage *stage)
{
    publish(store, stage->next);
    stage->next = NULL;
    policy_set_clear(&store->configured);
    store->configured = stage->configured;
    stage->configured = (struct policy_set){0};
}

void policy_stage_clear(struct policy_stage *stage)
{
    policy_set_clear(&stage->configured);
    policy_snapshot_release(&stage->next);
}

struct policy_snapshot *policy_store_hold(struct policy_store *s)
{
    return (struct policy_snapshot *)snapshot_hold(&s->cell);
}

const struct policy_snapshot *policy_store_view(struct policy_store *s, struct snapshot_view *view)
{
    return (const struct policy_snapshot *)snapshot_view_of(&s->cell, view);
}

/* ---- changes ---- */

MUST_CHECK static enum err refuse_extension(enum policy_extension found, struct refusal *why)
{
    switch (found) {
    case EXTENSION_DONE:
        return ERR_NONE;
    case EXTENSION_FIELD:
        return refusal_set(why, ERR_MALFORMED, "field_not_addable");
    case EXTENSION_VALUE:
        return refusal_set(why, ERR_MALFORMED, "bad_value");
    case EXTENSION_EXISTS:
        return refusal_set(why, ERR_CONFLICT, "value_exists");
    case EXTENSION_MEMORY:
        return refusal_failed(why, ERR_MEMORY);
    case EXTENSION_FULL:
        break;
    }
    return refusal_set(why, ERR_CONFLICT, "too_many_values");
}

/* Tries the change on the new snapshot's rule, which has all values except this one. */
MUST_CHECK static enum err check_add(struct policy_snapshot *next,
                                     const struct policy_change *change, struct refusal *why)
{
    struct appraisal_rule *rule = rule_named(next, change->policy);
    enum err e;

    if (values_find(&next->added, change) < next->added.count)
        return refuse_extension(EXTENSION_EXISTS, why);
    if (next->added.count >= REFERENCE_VALUES_MAX)
        return refuse_extension(EXTENSION_FULL, why);
    e = refuse_extension(
        appraisal_rule_extend(rule, change->field, span_of(change->bytes, change->size)), why);
    if (e == ERR_NONE)
        next->added.changed = true;
    return e;
}

MUST_CHECK static enum err check_remove(const struct policy_store *store,
                                        const struct policy_snapshot *next,
                                        const struct policy_change *change, struct refusal *why)
{
    const struct policy *configured = policy_find(&store->configured, change->policy);
    const struct appraisal_rule *rule = configured ? &configured->rule : NULL;

    if (change->size == 0)
        return refuse_extension(EXTENSION_VALUE, why);
    if (values_find(&next->added, change) < next->added.count)
        return ERR_NONE;
    if (rule && appraisal_rule_lists(rule, change->field, span_of(change->bytes, change->size)))
        return refusal_set(why, ERR_CONFLICT, "value_is_configured");
    if (!rule)
        return refusal_set(why, ERR_NOT_FOUND, "policy_not_found");
    return refusal_set(why, ERR_NOT_FOUND, "value_not_found");
}

MUST_CHECK static enum err prepare(struct policy_store *store, const struct policy_change *change,
                                   const char *principal, struct timestamp now,
                                   struct policy_snapshot *next, struct refusal *why)
{
    enum err e;

    if (!change->removes && !rule_named(next, change->policy))
        return refusal_set(why, ERR_NOT_FOUND, "policy_not_found");
    e = change->removes ? check_remove(store, next, change, why) : check_add(next, change, why);
    if (e != ERR_NONE)
        return e;
    if (values_apply(&next->added, change, principal, now, 0) != ERR_NONE)
        return refusal_failed(why, ERR_MEMORY);
    return ERR_NONE;
}

enum err policy_store_prepare(struct policy_store *store, const struct policy_change *change,
                              const char *principal, struct timestamp now,
                              struct policy_snapshot **next, struct refusal *why)
{
    struct policy_snapshot *tried = NULL;
    struct policy_snapshot *made = NULL;
    enum err e = snapshot_new(&store->configured, &current(store)->added, &tried);

    if (e == ERR_NONE && (e = prepare(store, change, principal, now, tried, why)) != ERR_NONE) {
        policy_snapshot_release(&tried);
        return e;
    }
    /* as after a restart */
    if (e == ERR_NONE)
        e = snapshot_new(&store->configured, &tried->added, &made);
    policy_snapshot_release(&tried);
    if (e != ERR_NONE)
        return refusal_failed(why, e);
    *next = made;
    return ERR_NONE;
}

enum err policy_store_refresh(struct policy_store *store, struct reference_values *values,
                              bool *differs)
{
    uint8_t before[sizeof current(store)->policies.version];
    struct policy_snapshot *s = NULL;
    enum err e = snapshot_new(&store->configured, values, &s);

    reference_values_clear(values);
    if (e != ERR_NONE)
        return e;
    memcpy(before, current(store)->policies.version, sizeof before);
    warn_unused(s);
    publish(store, s);
    *differs = !span_equal(SPAN_OF(before), SPAN_OF(s->policies.version));
    return ERR_NONE;
}

void policy_store_swap(struct policy_store *store, struct policy_snapshot **next, uint64_t index,
                       uint64_t version)
{
    struct policy_snapshot *s = *next;
    struct reference_values *added = &s->added;

    *next = NULL;
    added->changed = true;
    added->changes = index;
    added->stored = version;
    if (added->count > current(store)->added.count) /* a value just added is the last one */
        added->items[added->count - 1].index = index;
    publish(store, s);
}
