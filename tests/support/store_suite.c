#include "support/store_suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "store/log.h"
#include "store/verify.h"
#include "support/store_model.h"

enum {
    GROUPS_MAX = 4,
    GROUP_MAX = 9,
    REOPEN_EVERY = 500,
    CALLERS = 64,
    LIMIT = 5,
    LEASE_MS = 60000,
};

static const uint8_t holder[16] = {7};

void suite_open(struct suite *s, const struct store_ops *ops, const char *address, bool create)
{
    static const struct node_state fresh;
    const struct engine_options options = {.address = address, .create = create};
    struct executor_options x = {.node = 1};

    *s = (struct suite){
        .ops = ops, .address = address, .keys = {1, {1}, {2}, {3}, {4}}
    };
    assert_int_equal(ops->open(&options, &s->engine), ERR_NONE);
    if (create)
        assert_int_equal(executor_node_create(s->engine, &s->keys, 1, SUITE_ORIGIN, &fresh),
                         ERR_NONE);
    assert_int_equal(ops->lease_take(s->engine, 1, holder, LEASE_MS, &s->token), ERR_NONE);
    x.engine = s->engine;
    x.keys = &s->keys;
    x.token = s->token;
    assert_int_equal(executor_open(&x, &s->executor), ERR_NONE);
}

void suite_close(struct suite *s)
{
    executor_close(&s->executor);
    if (s->engine && s->ops->flush && s->ops->flush(s->engine) != ERR_NONE)
        print_message("the write-ahead log stays\n"); /* as after a fault */
    s->ops->close(&s->engine);
}

/* ---- generated sequences ---- */

struct sequences {
    struct suite suite;
    struct model model;
    struct generator generator;
    struct buffer log; /* all entries that the model has appended, each with a newline */
    uint64_t statuses[3];
    struct buffer answers; /* of one sequence, for the digest */
};

static void answer_note(struct sequences *q, const struct transaction_result *r)
{
    uint8_t bytes[64];
    struct writer w = writer_over(bytes, sizeof bytes);

    writer_u8(&w, (uint8_t)r->status);
    writer_u64le(&w, r->effect);
    writer_u64le(&w, r->version);
    writer_u64le(&w, r->used);
    writer_u8(&w, r->logged);
    writer_u64le(&w, r->index);
    assert_int_equal(buffer_append(&q->answers, span_of(bytes, w.size)), ERR_NONE);
}

static void answer_compare(const struct transaction_result *is,
                           const struct transaction_result *expected, uint64_t number)
{
    if (is->status != expected->status || is->effect != expected->effect ||
        is->version != expected->version || is->used != expected->used ||
        is->logged != expected->logged || is->index != expected->index)
        fail_msg("transaction %llu: status %d, effect %zu, version %llu, used %llu, index %llu; "
                 "expected %d, %zu, %llu, %llu, %llu",
                 (unsigned long long)number, is->status, is->effect,
                 (unsigned long long)is->version, (unsigned long long)is->used,
                 (unsigned long long)is->index, expected->status, expected->effect,
                 (unsigned long long)expected->version, (unsigned long long)expected->used,
                 (unsigned long long)expected->index);
}

static struct span entry_of(const struct transaction *t, enum transaction_status status)
{
    return status == TRANSACTION_DONE    ? t->entry
           : status == TRANSACTION_LIMIT ? t->entry_limit
                                         : t->entry_conflict;
}

static void group_run(struct sequences *q)
{
    static struct generated made[GROUP_MAX];
    const struct transaction *list[GROUP_MAX];
    struct transaction_result expected[GROUP_MAX];
    struct transaction_result results[GROUP_MAX];
    size_t count = 1 + generator_below(&q->generator, GROUP_MAX);
    uint64_t first = q->generator.made;

    for (size_t i = 0; i < count; i++) {
        generate(&q->generator, &q->model, &made[i]);
        list[i] = &made[i].transaction;
        model_run(&q->model, list[i], &expected[i]);
        q->statuses[expected[i].status]++;
        if (expected[i].logged) {
            assert_int_equal(buffer_append(&q->log, entry_of(list[i], expected[i].status)),
                             ERR_NONE);
            assert_int_equal(buffer_append_string(&q->log, "\n"), ERR_NONE);
        }
    }
    assert_int_equal(executor_run(q->suite.executor, list, count, results), ERR_NONE);
    for (size_t i = 0; i < count; i++) {
        answer_compare(&results[i], &expected[i], first + i);
        answer_note(q, &results[i]);
    }
}

/* The rows of a model, ticked off. */
struct comparison {
    const struct model *model;
    size_t rows_seen;
};

static bool counter_is(struct span value, const struct model_row *row)
{
    struct reader r = reader_over(value);
    int64_t start = (int64_t)reader_u64le(&r);
    uint64_t used = reader_u64le(&r);

    return reader_finish(&r) == ERR_NONE && start == row->window_start_ms && used == row->used;
}

/* ERR_CONFLICT when the row is not the model's. */
MUST_CHECK static enum err row_compare(void *context, enum store_table table, uint64_t version,
                                       const struct row_view *view)
{
    struct comparison *c = context;
    int id = model_id_number(view->id);
    const struct model_row *row;
    bool same;

    if (id < 0 || table < 1 || (int)table > MODEL_TABLES)
        return ERR_CONFLICT;
    row = &c->model->rows[table - 1][id];
    c->rows_seen++;
    if (!row->there || row->version != version)
        return ERR_CONFLICT;
    if (table == TABLE_COUNTER)
        same = counter_is(view->value, row);
    else
        same = span_equal(view->lookup, model_lookup(row->lookup)) &&
               span_equal(view->value, span_of(row->value, row->value_size));
    return same ? ERR_NONE : ERR_CONFLICT;
}

static bool rows_are_as(struct suite *s, const struct model *m)
{
    struct comparison c = {m, 0};
    size_t expected = 0;
    enum err e;

    for (int table = 0; table < MODEL_TABLES; table++)
        for (int id = 0; id < MODEL_IDS; id++)
            expected += m->rows[table][id].there;
    e = store_verify_rows(s->engine, &s->keys, row_compare, &c);
    if (e != ERR_NONE && e != ERR_CONFLICT)
        fail_msg("the rows do not verify: %s", err_code(e));
    return e == ERR_NONE && c.rows_seen == expected;
}

static struct log_reader log_reader_of(const struct suite *s)
{
    struct log_reader r = {.engine = s->engine, .node = 1};

    r.size = executor_state(s->executor)->log.size;
    merkle_root(&executor_state(s->executor)->log, &r.root);
    return r;
}

MUST_CHECK static enum err entry_count(void *context, uint64_t index, struct span entry)
{
    (void)index;
    (void)entry;
    ++*(uint64_t *)context;
    return ERR_NONE;
}

bool suite_is_as(struct suite *s, const struct model *m)
{
    struct log_reader r = log_reader_of(s);
    uint64_t entries = 0;

    assert_int_equal(log_entries(&r, 0, UINT64_MAX, entry_count, &entries), ERR_NONE);
    return rows_are_as(s, m) && entries == m->log_size;
}

MUST_CHECK static enum err entry_gather(void *context, uint64_t index, struct span entry)
{
    enum err e = buffer_append(context, entry);

    (void)index;
    return e == ERR_NONE ? buffer_append_string(context, "\n") : e;
}

static void log_compare(struct sequences *q)
{
    struct log_reader r = log_reader_of(&q->suite);
    struct buffer found = {0};

    assert_true(r.size == q->model.log_size);
    assert_int_equal(log_entries(&r, 0, UINT64_MAX, entry_gather, &found), ERR_NONE);
    assert_true(span_equal(buffer_span(&found), buffer_span(&q->log)));
    buffer_clear(&found);
}

static void digest_add(struct sequences *q, uint8_t digest[SHA256_SIZE])
{
    const struct span parts[] = {
        {digest, SHA256_SIZE},
        buffer_span(&q->answers)
    };
    uint8_t next[SHA256_SIZE];

    sha256_parts(parts, COUNT_OF(parts), next);
    memcpy(digest, next, sizeof next);
    q->answers.size = 0;
}

void suite_sequences(const struct store_ops *ops, const char *address, uint64_t seed, size_t count,
                     uint8_t digest[SHA256_SIZE])
{
    struct sequences q = {
        .model.node = 1, .generator = {.state = seed, .time_ms = 1000000}
    };

    memset(digest, 0, SHA256_SIZE);
    suite_open(&q.suite, ops, address, true);
    for (size_t i = 0; i < count; i++) {
        for (uint64_t groups = 1 + generator_below(&q.generator, GROUPS_MAX); groups > 0; groups--)
            group_run(&q);
        assert_true(rows_are_as(&q.suite, &q.model));
        digest_add(&q, digest);
        if (i % REOPEN_EVERY == REOPEN_EVERY - 1) {
            suite_close(&q.suite);
            suite_open(&q.suite, ops, address, false);
            assert_true(rows_are_as(&q.suite, &q.model));
            log_compare(&q);
        }
    }
    log_compare(&q);
    print_message("# %s, seed %llu: %zu sequences, %llu transactions done, %llu at a limit, "
                  "%llu in conflict, %llu entries\n",
                  ops->name, (unsigned long long)seed, count, (unsigned long long)q.statuses[0],
                  (unsigned long long)q.statuses[1], (unsigned long long)q.statuses[2],
                  (unsigned long long)q.model.log_size);
    /* a generator that no longer reaches all outcomes tests nothing */
    for (size_t i = 0; i < COUNT_OF(q.statuses); i++)
        assert_true(q.statuses[i] > count / 2);
    suite_close(&q.suite);
    buffer_clear(&q.log);
    buffer_clear(&q.answers);
}

/* ---- counters ---- */

static void one_round(struct suite *s, size_t round, size_t group_size)
{
    struct effect effects[CALLERS];
    struct transaction made[CALLERS];
    struct transaction_result results[CALLERS];
    const struct transaction *list[CALLERS];
    size_t done = 0;
    size_t refused = 0;

    for (size_t i = 0; i < CALLERS; i++) {
        effects[i] = (struct effect){.kind = EFFECT_COUNT,
                                     .table = TABLE_COUNTER,
                                     .id = span_of(&round, sizeof round),
                                     .uses = 1,
                                     .limit = LIMIT};
        made[i] = (struct transaction){.effects = &effects[i],
                                       .count = 1,
                                       .entry = SPAN_LITERAL("used"),
                                       .entry_limit = SPAN_LITERAL("refused")};
        list[i] = &made[i];
    }
    for (size_t i = 0; i < CALLERS; i += group_size) {
        size_t count = CALLERS - i < group_size ? CALLERS - i : group_size;

        assert_int_equal(executor_run(s->executor, list + i, count, results + i), ERR_NONE);
    }
    for (size_t i = 0; i < CALLERS; i++) {
        done += results[i].status == TRANSACTION_DONE;
        refused += results[i].status == TRANSACTION_LIMIT;
        assert_true(results[i].used == (i < LIMIT ? i + 1 : LIMIT));
    }
    assert_true(done == LIMIT && refused == CALLERS - LIMIT);
}

void suite_limits(const struct store_ops *ops, const char *address, size_t rounds)
{
    struct suite s;

    suite_open(&s, ops, address, true);
    for (size_t round = 0; round < rounds; round++)
        one_round(&s, round, 1 + round % CALLERS);
    assert_int_equal(store_verify_rows(s.engine, &s.keys, NULL, NULL), ERR_NONE);
    suite_close(&s);
}

/* ---- fencing ---- */

void suite_fencing(const struct store_ops *ops, const char *address)
{
    const struct transaction t = {.entry = SPAN_LITERAL("entry")};
    const struct transaction *list = &t;
    static const struct node_state fresh;
    struct transaction_result result;
    struct executor_options options;
    struct executor *second = NULL;
    struct suite s;
    uint64_t token = 0;

    suite_open(&s, ops, address, true);
    assert_int_equal(executor_run(s.executor, &list, 1, &result), ERR_NONE);
    assert_int_equal(executor_node_create(s.engine, &s.keys, 1, "other", &fresh), ERR_CONFLICT);
    assert_int_equal(executor_node_create(s.engine, &s.keys, 2, SUITE_ORIGIN, &fresh),
                     ERR_CONFLICT);
    assert_int_equal(executor_node_create(s.engine, &s.keys, 0, "other", &fresh), ERR_MALFORMED);
    assert_int_equal(
        executor_node_create(s.engine, &s.keys, TRANSACTION_NODE_MAX + 1, "other", &fresh),
        ERR_MALFORMED);
    assert_int_equal(ops->lease_take(s.engine, 9, holder, LEASE_MS, &token), ERR_NOT_FOUND);

    assert_int_equal(ops->lease_take(s.engine, 1, holder, LEASE_MS, &token), ERR_NONE);
    assert_true(token > s.token);
    assert_int_equal(executor_run(s.executor, &list, 1, &result), ERR_DENIED);
    options = (struct executor_options){s.engine, &s.keys, 1, token};
    assert_int_equal(executor_open(&options, &second), ERR_NONE);
    assert_int_equal(executor_run(second, &list, 1, &result), ERR_NONE);
    assert_true(result.index == 1); /* the demoted one left nothing */
    assert_int_equal(executor_run(s.executor, &list, 1, &result), ERR_DENIED);
    executor_close(&second);
    options.node = 9;
    assert_int_equal(executor_open(&options, &second), ERR_NOT_FOUND);
    assert_null(second);
    suite_close(&s);
}

/* ---- reads ---- */

enum { MANY = 1000, PER_GROUP = 8 };

static void many_put(struct suite *s)
{
    static uint8_t large[ROW_VALUE_MAX];
    struct effect effects[PER_GROUP];
    struct transaction made[PER_GROUP];
    struct transaction_result results[PER_GROUP];
    const struct transaction *list[PER_GROUP];
    char ids[PER_GROUP][16];

    memset(large, 'v', sizeof large);
    for (size_t n = 0; n < MANY; n += PER_GROUP) {
        for (size_t i = 0; i < PER_GROUP; i++) {
            int size = snprintf(ids[i], sizeof ids[i], "row %zu", n + i);

            effects[i] = (struct effect){.kind = EFFECT_PUT,
                                         .table = TABLE_KEY,
                                         .id = span_of(ids[i], (size_t)size),
                                         .lookup = span_of(ids[i] + 4, (size_t)size - 4),
                                         .value = span_of(large, n + i == 8 ? sizeof large : 3)};
            made[i] = (struct transaction){
                .effects = &effects[i], .count = 1, .entry = span_of(ids[i], (size_t)size)};
            list[i] = &made[i];
        }
        assert_int_equal(executor_run(s->executor, list, PER_GROUP, results), ERR_NONE);
    }
}

struct found {
    const struct suite *suite;
    uint8_t plain[ROWS_PLAIN_MAX];
    struct row_view view;
    uint64_t version;
    size_t count;
};

MUST_CHECK static enum err row_found(void *context, const struct stored_row *row)
{
    struct found *f = context;

    f->count++;
    f->version = row->version;
    return row_open(&f->suite->keys, row, f->plain, &f->view);
}

static void rows_find(struct suite *s)
{
    static struct found f;
    struct row_key key;
    struct row_wanted wanted = {.table = TABLE_KEY, .by_lookup = true};

    f = (struct found){.suite = s};
    row_lookup_of(&s->keys, TABLE_KEY, SPAN_LITERAL("8"), wanted.hash);
    assert_int_equal(s->ops->row_read(s->engine, &wanted, row_found, &f), ERR_NONE);
    assert_true(span_equal_string(f.view.id, "row 8") && f.view.value.size == ROW_VALUE_MAX);
    assert_true(f.version == (UINT64_C(8) << TRANSACTION_NODE_BITS | 1));
    row_key_of(&s->keys, TABLE_KEY, SPAN_LITERAL("row 999"), &key);
    wanted.by_lookup = false;
    memcpy(wanted.hash, key.id, sizeof wanted.hash);
    assert_int_equal(s->ops->row_read(s->engine, &wanted, row_found, &f), ERR_NONE);
    assert_true(span_equal_string(f.view.id, "row 999") && f.count == 2);
    wanted.by_lookup = true; /* an id is no lookup value */
    assert_int_equal(s->ops->row_read(s->engine, &wanted, row_found, &f), ERR_NOT_FOUND);
    wanted.by_lookup = false;
    wanted.table = TABLE_POLICY;
    assert_int_equal(s->ops->row_read(s->engine, &wanted, row_found, &f), ERR_NOT_FOUND);
}

MUST_CHECK static enum err row_count(void *context, const struct stored_row *row)
{
    (void)row;
    ++*(size_t *)context;
    return ERR_NONE;
}

MUST_CHECK static enum err node_ignore(void *context, const struct stored_node_state *node)
{
    (void)context;
    return node->node == 1 ? ERR_NONE : ERR_INTERNAL;
}

MUST_CHECK static enum err row_stop(void *context, const struct stored_row *row)
{
    (void)row;
    ++*(size_t *)context;
    return ERR_OVERLOADED;
}

static void rows_scan(struct suite *s)
{
    size_t count = 0;

    assert_int_equal(s->ops->scan(s->engine, 0, node_ignore, row_count, &count), ERR_NONE);
    assert_true(count == MANY);
    assert_int_equal(s->ops->scan(s->engine, TABLE_KEY, NULL, row_count, &count), ERR_NONE);
    assert_true(count == 2 * MANY);
    assert_int_equal(s->ops->scan(s->engine, TABLE_POLICY, node_ignore, row_count, &count),
                     ERR_NONE);
    assert_true(count == 2 * MANY);
    /* an error of the callback ends the scan, and the connection is good for the next one */
    assert_int_equal(s->ops->scan(s->engine, 0, node_ignore, row_stop, &count), ERR_OVERLOADED);
    assert_true(count == 2 * MANY + 1);
    assert_int_equal(s->ops->scan(s->engine, 0, node_ignore, row_count, &count), ERR_NONE);
    assert_true(count == 3 * MANY + 1);
}

MUST_CHECK static enum err entry_proved(void *context, uint64_t index, struct span entry)
{
    const struct log_reader *r = context;
    struct merkle_proof proof;
    struct merkle_hash leaf;
    char expected[16];

    (void)snprintf(expected, sizeof expected, "row %llu", (unsigned long long)index);
    assert_true(span_equal_string(entry, expected));
    merkle_leaf(entry, &leaf);
    assert_int_equal(log_prove_inclusion(r, index, r->size, &proof), ERR_NONE);
    assert_int_equal(merkle_verify_inclusion(&leaf, index, r->size, &proof, &r->root), ERR_NONE);
    return ERR_NONE;
}

static void log_prove(struct suite *s)
{
    struct log_reader r = log_reader_of(s);
    struct merkle_proof proof;

    assert_true(r.size == MANY);
    assert_int_equal(log_entries(&r, 250, 10, entry_proved, &r), ERR_NONE);
    assert_int_equal(log_entries(&r, MANY - 1, 10, entry_proved, &r), ERR_NONE);
    assert_int_equal(log_entries(&r, MANY, 10, entry_proved, &r), ERR_NONE);
    assert_int_equal(log_prove_inclusion(&r, MANY, MANY, &proof), ERR_NOT_FOUND);
    assert_int_equal(log_prove_inclusion(&r, 0, MANY + 1, &proof), ERR_NOT_FOUND);
    assert_int_equal(log_prove_consistency(&r, 0, MANY, &proof), ERR_NOT_FOUND);
    assert_int_equal(log_prove_consistency(&r, 255, MANY, &proof), ERR_NONE);
}

void suite_reads(const struct store_ops *ops, const char *address)
{
    struct suite s;

    suite_open(&s, ops, address, true);
    many_put(&s);
    rows_find(&s);
    rows_scan(&s);
    log_prove(&s);
    suite_close(&s);
}
