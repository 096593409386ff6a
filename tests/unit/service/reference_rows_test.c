/* Reference values as rows: what a change writes is what a start reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/entry.h"
#include "crypto/random.h"
#include "service/reference_rows.h"

enum { MANY = 2 * REFERENCE_ROWS_PER_GROUP + 7 };

static const struct timestamp now = {1795302000123};
static const struct rows_keys keys = {1, {1}, {2}, {3}, {4}};
static const uint8_t seed[ED25519_SEED_SIZE] = {5};
static char directory[256], database[300];
static struct store *store;

static int setup(void **state)
{
    const char *base = getenv("TMPDIR");

    (void)state;
    (void)snprintf(directory, sizeof directory, "%s/reference_rows.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(directory))
        return -1;
    (void)snprintf(database, sizeof database, "%s/log.db", directory);
    return store_open(&(struct store_options){.path = database,
                                              .origin = "test.example",
                                              .log_seed = seed,
                                              .keys = &keys,
                                              .create = true},
                      &store) == ERR_NONE
               ? 0
               : -1;
}

static int teardown(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char path[320];

    (void)state;
    store_close(&store);
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(path, sizeof path, "%s%s", database, suffixes[i]);
        (void)unlink(path);
    }
    return rmdir(directory);
}

static struct policy_change change_of(unsigned number, bool removes)
{
    struct policy_change c = {
        .removes = removes, .policy = "worker", .field = "mrenclave", .size = 32};

    memset(c.bytes, (int)(number % 251), c.size);
    c.bytes[0] = (uint8_t)(number / 251);
    return c;
}

/* The entry of a change, as the operation writes it. */
static struct span line_of(const struct policy_change *c, char out[AUDIT_ENTRY_MAX])
{
    char hex[2 * POLICY_BYTES_MAX + 1] = "";
    int size;

    for (size_t i = 0; i < c->size; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", c->bytes[i]);
    size = snprintf(out, AUDIT_ENTRY_MAX,
                    "{\"v\":1,\"time\":\"2026-11-22T04:00:00.000Z\","
                    "\"request_id\":\"01935555-0000-7000-8000-000000000000\",\"op\":\"policy\","
                    "\"decision\":\"allow\",\"code\":\"ok\",\"rule\":\"administration\","
                    "\"principal\":\"op\",\"auth\":\"bearer\",\"detail\":{\"policy\":\"%s\","
                    "\"field\":\"%s\",\"value\":\"%s\",\"action\":\"%s\"}}",
                    c->policy, c->field, hex, c->removes ? "remove" : "add");
    return span_of(out, (size_t)size);
}

/* Commits a change that was made after the one with this version. */
static struct transaction_result change_after(uint64_t version, unsigned number, bool removes)
{
    static struct reference_rows rows;
    const struct policy_change c = change_of(number, removes);
    char line[AUDIT_ENTRY_MAX];
    const struct transaction *list = &rows.transaction;
    struct transaction_result result = {0};

    reference_rows_of(&c, now, line_of(&c, line), version, &rows);
    assert_int_equal(store_run(store, &list, 1, &result), ERR_NONE);
    return result;
}

/* 0: there was no change. */
static uint64_t last_version(void)
{
    uint64_t version = 0;
    enum err e = store_row_version(store, TABLE_REFERENCE_VALUE, SPAN_LITERAL("last"), &version);

    assert_true(e == ERR_NONE || e == ERR_NOT_FOUND);
    return version;
}

/* Commits a change, and gives the index of its entry. */
static uint64_t must_change(unsigned number, bool removes)
{
    struct transaction_result result = change_after(last_version(), number, removes);

    assert_int_equal(result.status, TRANSACTION_DONE);
    assert_true(result.version == last_version());
    return result.index;
}

/* An entry of a log that has no rows. */
static uint64_t must_log(unsigned number, bool removes)
{
    const struct policy_change c = change_of(number, removes);
    char line[AUDIT_ENTRY_MAX];
    struct span entry = line_of(&c, line);
    uint64_t index = 0;

    assert_int_equal(store_append(store, &entry, 1, &index), ERR_NONE);
    return index;
}

static void must_reopen(void)
{
    store_close(&store);
    assert_int_equal(store_open(&(struct store_options){.path = database,
                                                        .origin = "test.example",
                                                        .log_seed = seed,
                                                        .keys = &keys},
                                &store),
                     ERR_NONE);
}

static struct reference_values must_load(bool expect_known)
{
    struct reference_values v = {0};
    bool known = !expect_known;

    assert_int_equal(reference_rows_load(store, &v, &known), ERR_NONE);
    assert_true(known == expect_known);
    return v;
}

static void must_be(const struct reference_value *v, unsigned number, uint64_t index)
{
    const struct policy_change c = change_of(number, false);

    assert_string_equal(v->policy, c.policy);
    assert_string_equal(v->field, c.field);
    assert_string_equal(v->principal, "op");
    assert_true(v->size == c.size && memcmp(v->bytes, c.bytes, c.size) == 0);
    assert_true(v->index == index);
}

static void a_start_finds_what_changes_left(void **state)
{
    uint64_t indexes[5];
    uint64_t last;
    struct reference_values v;

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(indexes); i++)
        indexes[i] = must_change(i, false);
    (void)must_change(2, true);
    last = must_change(9, true); /* of no effect on the values, and yet the last change */
    must_reopen();
    v = must_load(true);
    assert_true(v.count == 4 && v.changed && v.changes == last);
    must_be(&v.items[0], 0, indexes[0]); /* in order of addition */
    must_be(&v.items[1], 1, indexes[1]);
    must_be(&v.items[2], 3, indexes[3]);
    must_be(&v.items[3], 4, indexes[4]);
    reference_values_clear(&v);
}

static void a_value_that_comes_back_is_the_newest(void **state)
{
    struct reference_values v;
    uint64_t index;

    (void)state;
    (void)must_change(1, false);
    (void)must_change(2, false);
    (void)must_change(1, true);
    index = must_change(1, false);
    v = must_load(true);
    assert_true(v.count == 2 && v.changes == index);
    must_be(&v.items[1], 1, index);
    reference_values_clear(&v);
}

static void without_rows_nothing_is_known(void **state)
{
    struct reference_values v;

    (void)state;
    (void)must_log(1, false);
    v = must_load(false);
    assert_true(v.count == 0 && !v.changed);
    assert_int_equal(reference_rows_import(store, &v, SPAN_LITERAL("start")), ERR_NONE);
    v = must_load(true);
    assert_true(v.count == 0 && !v.changed);
}

static void values_of_an_older_log_become_rows(void **state)
{
    struct reference_values found = {0};
    struct reference_values v;
    uint64_t next;

    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        (void)must_log(i, false);
    (void)must_log(3, true);
    assert_int_equal(store_entries(store, 0, UINT64_MAX, reference_values_replay, &found),
                     ERR_NONE);
    assert_true(found.count == MANY - 1);
    for (int round = 0; round < 2; round++) { /* it can be repeated */
        assert_int_equal(reference_rows_import(store, &found, SPAN_LITERAL("import")), ERR_NONE);
        must_reopen();
        v = must_load(true);
        assert_true(v.count == found.count && v.changed && v.changes == found.changes);
        for (size_t i = 0; i < v.count; i++)
            assert_memory_equal(&v.items[i], &found.items[i], sizeof v.items[i]);
        reference_values_clear(&v);
    }
    reference_values_clear(&found);
    next = must_change(3, false); /* and changes go on from there */
    v = must_load(true);
    assert_true(v.count == MANY && v.changes == next);
    must_be(&v.items[MANY - 1], 3, next);
    reference_values_clear(&v);
}

static void a_row_of_another_form_is_refused(void **state)
{
    static const struct {
        const char *id, *value;
    } rows[] = {
        {"v",    "not an entry"           },
        {"v",    "\001short"              },
        {"v",    "\002\1\2\3\4\5\6\7\10{}"},
        {"v",    "{\"op\":\"open\"}"      },
        {"v",    ""                       },
        {"last", "?"                      },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct effect effect = {.kind = EFFECT_PUT,
                                .table = TABLE_REFERENCE_VALUE,
                                .id = span_string(rows[i].id),
                                .value = span_string(rows[i].value)};
        const struct transaction t = {
            .effects = &effect, .count = 1, .entry = SPAN_LITERAL("entry")};
        const struct transaction *list = &t;
        struct transaction_result result;
        struct reference_values v = {0};
        bool known;

        assert_int_equal(store_run(store, &list, 1, &result), ERR_NONE);
        assert_int_equal(reference_rows_load(store, &v, &known), ERR_UNSUPPORTED);
        reference_values_clear(&v);
        effect.kind = EFFECT_DELETE;
        assert_int_equal(store_run(store, &list, 1, &result), ERR_NONE);
    }
}

#define ON_AN_EMPTY_DATABASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void a_change_that_does_not_know_the_last_one_is_refused(void **state)
{
    bool changed = true;
    uint64_t first;

    (void)state;
    assert_int_equal(reference_rows_look(store, 0, &changed), ERR_NONE);
    assert_false(changed);
    (void)must_change(1, false);
    first = last_version();
    assert_int_equal(reference_rows_look(store, 0, &changed), ERR_NONE);
    assert_true(changed);
    (void)must_change(1, true);
    assert_int_equal(reference_rows_look(store, first, &changed), ERR_NONE);
    assert_true(changed);
    for (unsigned i = 0; i < 3; i++) {
        const uint64_t stale[] = {0, first, last_version() + 1};
        struct transaction_result result = change_after(stale[i], 2, false);

        assert_int_equal(result.status, TRANSACTION_CONFLICT);
        assert_false(result.logged);
    }
    assert_int_equal(reference_rows_look(store, last_version(), &changed), ERR_NONE);
    assert_false(changed);
    (void)must_change(2, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_AN_EMPTY_DATABASE(a_start_finds_what_changes_left),
        ON_AN_EMPTY_DATABASE(a_value_that_comes_back_is_the_newest),
        ON_AN_EMPTY_DATABASE(without_rows_nothing_is_known),
        ON_AN_EMPTY_DATABASE(values_of_an_older_log_become_rows),
        ON_AN_EMPTY_DATABASE(a_row_of_another_form_is_refused),
        ON_AN_EMPTY_DATABASE(a_change_that_does_not_know_the_last_one_is_refused),
    };

    return crypto_start() == ERR_NONE
               ? cmocka_run_group_tests_name("service/reference_rows", tests, NULL, NULL)
               : 1;
}
