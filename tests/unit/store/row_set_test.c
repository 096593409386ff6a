#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "crypto/random.h"
#include "store/node_state.h"

enum { ROWS = 20 };

static const struct rows_keys keys = {1, {1}, {2}, {3}, {4}};
static const uint8_t nonce[ROWS_NONCE_SIZE] = {5};
static struct stored_row rows[ROWS];
static uint8_t contents[ROWS][64];

static int setup(void **state)
{
    (void)state;
    random_bytes(contents, sizeof contents);
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = (struct stored_row){.key.table = (uint8_t)(1 + i % (TABLE_END - 1)),
                                      .version = 1000 + i,
                                      .sealed = SPAN_OF(contents[i])};
        random_bytes(rows[i].key.id, sizeof rows[i].key.id);
    }
    return 0;
}

/* `sum` gets the set of all rows, each read by `one`. */
static void sum_up(struct row_set *sum)
{
    *sum = (struct row_set){0};
    for (size_t i = 0; i < ROWS; i++) {
        struct row_set one;

        row_set_of(&keys, &rows[i], &one);
        row_set_add(sum, &one);
    }
}

static void change(struct row_set *sum, const struct stored_row *row, bool add)
{
    struct row_set one;

    row_set_of(&keys, row, &one);
    if (add)
        row_set_add(sum, &one);
    else
        row_set_subtract(sum, &one);
}

static void a_sum_does_not_depend_on_order_or_node(void **state)
{
    struct row_set all, first = {0}, second = {0};

    (void)state;
    sum_up(&all);
    for (size_t i = ROWS; i-- > 0;)
        change(i % 2 ? &first : &second, &rows[i], true);
    change(&first, &rows[4], false); /* a node takes out what another put in */
    change(&second, &rows[4], true);
    row_set_add(&first, &second);
    row_set_subtract(&all, &first);
    assert_true(row_set_is_empty(&all));
}

static void every_column_counts(void **state)
{
    uint8_t other[sizeof contents[0]];
    struct stored_row changed[5];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(changed); i++)
        changed[i] = rows[3];
    changed[0].key.table++;
    changed[1].key.id[31] ^= 0x80;
    changed[2].version++;
    changed[3].has_lookup = true;
    memcpy(other, contents[3], sizeof other);
    other[63] ^= 1;
    changed[4].sealed = SPAN_OF(other);
    for (size_t i = 0; i < COUNT_OF(changed); i++) {
        struct row_set a, b;

        row_set_of(&keys, &rows[3], &a);
        row_set_of(&keys, &changed[i], &b);
        assert_memory_not_equal(&a.hash, &b.hash, sizeof a.hash);
    }
}

static void one_row_that_differs_is_named(void **state)
{
    struct stored_row old = rows[7];
    struct row_set recorded, found;
    struct row_key key = {0};
    uint64_t version = 0;

    (void)state;
    sum_up(&recorded);
    found = recorded;
    change(&found, &rows[7], false);
    struct row_set difference = recorded;

    row_set_subtract(&difference, &found);
    assert_int_equal(row_set_compare(&difference, &key, &version), ROWS_ONE_MISSING);
    assert_memory_equal(&key, &rows[7].key, sizeof key);
    assert_true(version == rows[7].version);

    difference = found;
    row_set_subtract(&difference, &recorded);
    memset(&key, 0, sizeof key);
    assert_int_equal(row_set_compare(&difference, &key, &version), ROWS_ONE_TOO_MANY);
    assert_memory_equal(&key, &rows[7].key, sizeof key);

    old.version = 12;
    change(&found, &old, true); /* an older copy of itself */
    difference = recorded;
    row_set_subtract(&difference, &found);
    assert_int_equal(row_set_compare(&difference, &key, &version), ROWS_ONE_OTHER);
    for (size_t i = 0; i < ROWS; i++)
        assert_true(row_set_is_other(&difference, i == 7 ? &old : &rows[i], &version) == (i == 7));
    (void)row_set_is_other(&difference, &old, &version);
    assert_true(version == rows[7].version);
}

static void several_rows_that_differ_are_several(void **state)
{
    struct row_set recorded, difference;
    struct row_key key;
    uint64_t version;
    static const struct {
        bool add_first, add_second;
    } cases[] = {
        {false, false},
        {true,  true },
        {true,  false}
    };

    (void)state;
    sum_up(&recorded);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        difference = (struct row_set){0};
        change(&difference, &rows[1], cases[i].add_first);
        change(&difference, &rows[2], cases[i].add_second);
        assert_int_equal(row_set_compare(&difference, &key, &version), ROWS_SEVERAL);
    }
    difference = (struct row_set){0};
    assert_int_equal(row_set_compare(&difference, &key, &version), ROWS_SAME);
}

static struct node_state example_state(uint64_t size)
{
    struct node_state s = {.commits = 77,
                           .running = size % 2 == 1,
                           .log_verified = size / 2,
                           .log_archived = size - size % 256,
                           .anchor = size + 1,
                           .log_scrubbed = size / 3,
                           .log_pass_ms = size + 2};

    sum_up(&s.rows);
    for (uint64_t i = 0; i < size; i++) {
        struct merkle_hash leaf;

        merkle_leaf(span_of(&i, sizeof i), &leaf);
        merkle_append(&s.log, &leaf);
    }
    return s;
}

/* Compares what counts: hashes of levels that are not in the size have no meaning. */
static bool states_equal(const struct node_state *a, const struct node_state *b)
{
    struct merkle_hash root_a, root_b;

    merkle_root(&a->log, &root_a);
    merkle_root(&b->log, &root_b);
    return a->commits == b->commits && a->running == b->running && a->log.size == b->log.size &&
           a->log_verified == b->log_verified && a->log_archived == b->log_archived &&
           a->anchor == b->anchor && a->log_scrubbed == b->log_scrubbed &&
           a->log_pass_ms == b->log_pass_ms && memcmp(&a->rows, &b->rows, sizeof a->rows) == 0 &&
           memcmp(&root_a, &root_b, sizeof root_a) == 0;
}

static void a_state_opens_to_the_same_state(void **state)
{
    static const uint64_t sizes[] = {0, 1, 255, 256, 1000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct node_state in = example_state(sizes[i]);
        struct node_state out = {0};
        uint8_t sealed[STORE_STATE_MAX];
        size_t size = 0;

        node_state_seal(&keys, 3, "origin", &in, nonce, sealed, &size);
        assert_int_equal(node_state_open(&keys, 3, "origin", span_of(sealed, size), &out),
                         ERR_NONE);
        assert_true(states_equal(&in, &out));
    }
}

static void another_state_is_refused(void **state)
{
    struct node_state in = example_state(3);
    struct node_state out = {0};
    uint8_t sealed[STORE_STATE_MAX];
    size_t size = 0;

    (void)state;
    node_state_seal(&keys, 3, "origin", &in, nonce, sealed, &size);
    for (size_t bit = 0; bit < size * 8; bit++) {
        enum err e;

        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        e = node_state_open(&keys, 3, "origin", span_of(sealed, size), &out);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (e != (bit < 5 * 8 ? ERR_UNSUPPORTED : ERR_TAMPERED))
            fail_msg("bit %zu: %s", bit, err_code(e));
    }
    for (size_t shorter = 0; shorter < size; shorter++)
        assert_int_equal(node_state_open(&keys, 3, "origin", span_of(sealed, shorter), &out),
                         ERR_TAMPERED);
    assert_int_equal(node_state_open(&keys, 4, "origin", span_of(sealed, size), &out),
                     ERR_TAMPERED);
    assert_int_equal(node_state_open(&keys, 3, "other", span_of(sealed, size), &out), ERR_TAMPERED);
}

static void a_plain_state_has_one_spelling(void **state)
{
    struct node_state in = example_state(5);
    struct node_state out = {0};
    uint8_t plain[NODE_STATE_PLAIN_MAX + 1] = {0};
    size_t size = 0;

    (void)state;
    node_state_write(&in, plain, &size);
    assert_int_equal(node_state_parse(span_of(plain, size), &out), ERR_NONE);
    assert_int_equal(node_state_parse(span_of(plain, size + 1), &out), ERR_MALFORMED);
    for (size_t shorter = 0; shorter < size; shorter++)
        assert_int_equal(node_state_parse(span_of(plain, shorter), &out), ERR_MALFORMED);
    plain[8] = 2; /* neither running nor stopped */
    assert_int_equal(node_state_parse(span_of(plain, size), &out), ERR_MALFORMED);
}

static void more_than_the_log_has_is_refused(void **state)
{
    static const struct {
        uint64_t verified, archived, scrubbed;
        enum err expected;
    } cases[] = {
        {300,        256,        0,          ERR_NONE     },
        {300,        256,        300,        ERR_NONE     },
        {300,        256,        301,        ERR_MALFORMED},
        {300,        256,        UINT64_MAX, ERR_MALFORMED},
        {301,        256,        0,          ERR_MALFORMED},
        {UINT64_MAX, 256,        0,          ERR_MALFORMED},
        {300,        512,        0,          ERR_MALFORMED},
        {300,        255,        0,          ERR_MALFORMED},
        {300,        1,          0,          ERR_MALFORMED},
        {0,          UINT64_MAX, 0,          ERR_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct node_state in = example_state(300);
        struct node_state out = {0};
        uint8_t plain[NODE_STATE_PLAIN_MAX];
        size_t size = 0;

        in.log_verified = cases[i].verified;
        in.log_archived = cases[i].archived;
        in.log_scrubbed = cases[i].scrubbed;
        node_state_write(&in, plain, &size);
        if (node_state_parse(span_of(plain, size), &out) != cases[i].expected)
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_than_the_log_has_is_refused),
        cmocka_unit_test(a_sum_does_not_depend_on_order_or_node),
        cmocka_unit_test(every_column_counts),
        cmocka_unit_test(one_row_that_differs_is_named),
        cmocka_unit_test(several_rows_that_differ_are_several),
        cmocka_unit_test(a_state_opens_to_the_same_state),
        cmocka_unit_test(another_state_is_refused),
        cmocka_unit_test(a_plain_state_has_one_spelling),
    };

    return crypto_start() == ERR_NONE
               ? cmocka_run_group_tests_name("store/row_set", tests, setup, NULL)
               : 1;
}
