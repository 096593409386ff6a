#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "crypto/random.h"
#include "store/rows.h"

enum { SEALED_MAX = ROWS_HEADER_SIZE + ROWS_PLAIN_MAX + 16, VERSION = 4097 };

static const struct rows_keys keys = {1, {1}, {2}, {3}, {4}};
static const uint8_t nonce[ROWS_NONCE_SIZE] = {9, 8, 7};
static uint8_t plain[ROWS_PLAIN_MAX];
static uint8_t sealed[SEALED_MAX];

static const struct row_view example = {
    {(const uint8_t *)"key-17",  6},
    {(const uint8_t *)"signing", 7},
    {(const uint8_t *)"value",   5}
};

static struct stored_row must_seal(const struct row_view *view)
{
    struct stored_row row = {0};

    assert_int_equal(
        row_seal(&keys, TABLE_KEY, VERSION, view, nonce, plain, sealed, sizeof sealed, &row),
        ERR_NONE);
    return row;
}

static void a_sealed_row_opens_to_the_same_row(void **state)
{
    static const uint8_t large[ROW_VALUE_MAX] = {1, 2, 3};
    const struct row_view cases[] = {
        example,
        {{large, 1},          {0},                     {0}                   },
        {{large, ROW_ID_MAX}, {large, ROW_LOOKUP_MAX}, {large, ROW_VALUE_MAX}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stored_row row = must_seal(&cases[i]);
        struct row_view view = {0};

        assert_true(row.sealed.size == row_sealed_size(&cases[i]));
        assert_int_equal(row_open(&keys, &row, plain, &view), ERR_NONE);
        assert_ptr_equal(plain + row_plain_size(&row), view.value.data + view.value.size);
        assert_true(span_equal(view.id, cases[i].id) && span_equal(view.lookup, cases[i].lookup) &&
                    span_equal(view.value, cases[i].value));
    }
}

static void nothing_of_a_row_is_in_the_clear(void **state)
{
    struct stored_row row = must_seal(&example);

    (void)state;
    assert_null(memmem(row.sealed.data, row.sealed.size, "key-17", 6));
    assert_null(memmem(row.sealed.data, row.sealed.size, "signing", 7));
    assert_null(memmem(row.sealed.data, row.sealed.size, "value", 5));
    assert_null(memmem(plain, sizeof plain, "value", 5)); /* the work memory is wiped */
}

static void every_flipped_bit_and_every_prefix_is_refused(void **state)
{
    struct stored_row row = must_seal(&example);
    size_t size = row.sealed.size;
    struct row_view view = {0};

    (void)state;
    for (size_t bit = 0; bit < size * 8; bit++) {
        enum err e;

        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        e = row_open(&keys, &row, plain, &view);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (e != (bit < 5 * 8 ? ERR_UNSUPPORTED : ERR_TAMPERED))
            fail_msg("bit %zu: %s", bit, err_code(e));
    }
    for (row.sealed.size = 0; row.sealed.size < size; row.sealed.size++)
        assert_int_equal(row_open(&keys, &row, plain, &view), ERR_TAMPERED);
    assert_int_equal(row_open(&keys, &row, plain, &view), ERR_NONE);
}

static void a_row_opens_only_in_its_place(void **state)
{
    const struct row_view other = {
        {(const uint8_t *)"key-18", 6},
        {0                        },
        {0}
    };
    struct stored_row second = must_seal(&other);
    struct stored_row row = must_seal(&example);
    struct stored_row moved;
    struct rows_keys wrong;
    struct row_view view = {0};

    (void)state;
    moved = row;
    moved.key = second.key; /* swapped with another row */
    assert_int_equal(row_open(&keys, &moved, plain, &view), ERR_TAMPERED);
    moved = row;
    moved.key.table = TABLE_POLICY;
    assert_int_equal(row_open(&keys, &moved, plain, &view), ERR_TAMPERED);
    moved = row;
    moved.version++;
    assert_int_equal(row_open(&keys, &moved, plain, &view), ERR_TAMPERED);
    moved = row;
    moved.has_lookup = false;
    assert_int_equal(row_open(&keys, &moved, plain, &view), ERR_TAMPERED);
    moved = row;
    moved.lookup[31] ^= 1;
    memset(plain, 1, sizeof plain);
    assert_int_equal(row_open(&keys, &moved, plain, &view), ERR_TAMPERED);
    assert_null(memmem(plain, sizeof plain, example.value.data, example.value.size));
    wrong = keys;
    wrong.seal[0] ^= 1;
    assert_int_equal(row_open(&wrong, &row, plain, &view), ERR_TAMPERED);
    wrong = keys;
    wrong.name[0] ^= 1;
    assert_int_equal(row_open(&wrong, &row, plain, &view), ERR_TAMPERED);
    wrong = keys;
    wrong.epoch++;
    assert_int_equal(row_open(&wrong, &row, plain, &view), ERR_UNSUPPORTED);
}

/* Rows of an older epoch open with its keys, and with no others, after the root has a newer one. */
static void rows_of_an_older_epoch_open_with_its_keys(void **state)
{
    static uint8_t bytes[2][4096];
    struct root *root = NULL, *next = NULL;
    struct rows_keys epochs[2];
    struct stored_row rows[2];
    struct row_view view = {0};
    uint32_t epoch = 0;

    (void)state;
    assert_int_equal(root_generate((struct timestamp){1000}, &root), ERR_NONE);
    assert_int_equal(root_generate((struct timestamp){2000}, &next), ERR_NONE);
    root->epochs[root->count] = next->epochs[0]; /* as a rotation will add it */
    root->epochs[root->count++].epoch = 2;
    next->epochs[0].secret = NULL;
    for (size_t i = 0; i < 2; i++) {
        rows_keys_derive(&root->epochs[i], &epochs[i]);
        assert_int_equal(row_seal(&epochs[i], TABLE_KEY, 5, &example, nonce, plain, bytes[i],
                                  sizeof bytes[i], &rows[i]),
                         ERR_NONE);
    }
    for (size_t i = 0; i < 2; i++) {
        struct rows_keys found;

        assert_int_equal(row_epoch(&rows[i], &epoch), ERR_NONE);
        assert_int_equal(epoch, i + 1);
        rows_keys_derive(root_find(root, epoch), &found);
        assert_int_equal(row_open(&found, &rows[i], plain, &view), ERR_NONE);
        assert_true(span_equal(view.value, example.value));
        assert_int_equal(row_open(&epochs[1 - i], &rows[i], plain, &view), ERR_UNSUPPORTED);
    }
    /* a header that was edited to say another epoch opens with no keys */
    bytes[0][1] = 2;
    assert_int_equal(row_open(&epochs[0], &rows[0], plain, &view), ERR_UNSUPPORTED);
    assert_int_equal(row_open(&epochs[1], &rows[0], plain, &view), ERR_TAMPERED);
    bytes[0][0] = 9;
    assert_int_equal(row_epoch(&rows[0], &epoch), ERR_UNSUPPORTED);
    rows[0].sealed.size = 3;
    assert_int_equal(row_epoch(&rows[0], &epoch), ERR_TAMPERED);
    root_free(&root);
    root_free(&next);
}

static void a_row_without_a_lookup_gets_no_value(void **state)
{
    const struct row_view view = {
        {(const uint8_t *)"a", 1},
        {0                   },
        {0}
    };
    struct stored_row row = must_seal(&view);
    struct row_view out;

    (void)state;
    row.has_lookup = true;
    assert_int_equal(row_open(&keys, &row, plain, &out), ERR_TAMPERED);
}

static void hmacs_tell_table_and_purpose_apart(void **state)
{
    struct row_key a, b;
    uint8_t lookup[STORE_HASH_SIZE];

    (void)state;
    row_key_of(&keys, TABLE_KEY, example.id, &a);
    row_key_of(&keys, TABLE_POLICY, example.id, &b);
    row_lookup_of(&keys, TABLE_KEY, example.id, lookup);
    assert_memory_not_equal(a.id, b.id, sizeof a.id);
    assert_memory_not_equal(a.id, lookup, sizeof a.id);
}

static void a_row_beyond_a_limit_is_refused(void **state)
{
    struct row_view view = example;
    struct stored_row row = {0};

    (void)state;
#define TRIED(capacity) row_seal(&keys, TABLE_KEY, 1, &view, nonce, plain, sealed, (capacity), &row)
    view.id.size = 0;
    assert_int_equal(TRIED(SEALED_MAX), ERR_MALFORMED);
    view.id.size = ROW_ID_MAX + 1;
    assert_int_equal(TRIED(SEALED_MAX), ERR_TOO_LARGE);
    view = example;
    view.lookup.size = ROW_LOOKUP_MAX + 1;
    assert_int_equal(TRIED(SEALED_MAX), ERR_TOO_LARGE);
    view = example;
    view.value.size = ROW_VALUE_MAX + 1;
    assert_int_equal(TRIED(SEALED_MAX), ERR_TOO_LARGE);
    view = example;
    assert_int_equal(TRIED(row_sealed_size(&view) - 1), ERR_TOO_LARGE);
    assert_int_equal(TRIED(row_sealed_size(&view)), ERR_NONE);
#undef TRIED
    assert_int_equal(row_view_parse((struct span){0}, &view), ERR_MALFORMED);
    assert_int_equal(row_view_parse(SPAN_LITERAL("\0\0value"), &view), ERR_MALFORMED);
    assert_int_equal(row_view_parse(SPAN_LITERAL("\5idid"), &view), ERR_MALFORMED);
    assert_int_equal(row_view_parse(SPAN_LITERAL("\1i\7lookup"), &view), ERR_MALFORMED);
}

static void keys_differ_by_purpose_and_root(void **state)
{
    struct root *root = NULL;
    struct rows_keys a, b;
    uint8_t bytes[ROOT_SIZE] = {1};

    (void)state;
    assert_int_equal(root_import(SPAN_OF(bytes), (struct timestamp){0}, &root), ERR_NONE);
    rows_keys_derive(root_current(root), &a);
    root_free(&root);
    bytes[0]++;
    assert_int_equal(root_import(SPAN_OF(bytes), (struct timestamp){0}, &root), ERR_NONE);
    rows_keys_derive(root_current(root), &b);
    root_free(&root);
    assert_memory_not_equal(a.seal, a.name, 32);
    assert_memory_not_equal(a.seal, a.set, 32);
    assert_memory_not_equal(a.seal, a.state, 32);
    assert_memory_not_equal(a.name, a.set, 32);
    assert_memory_not_equal(a.set, a.state, 32);
    assert_memory_not_equal(a.seal, b.seal, 32);
    assert_memory_not_equal(a.name, b.name, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_row_opens_to_the_same_row),
        cmocka_unit_test(nothing_of_a_row_is_in_the_clear),
        cmocka_unit_test(every_flipped_bit_and_every_prefix_is_refused),
        cmocka_unit_test(a_row_opens_only_in_its_place),
        cmocka_unit_test(rows_of_an_older_epoch_open_with_its_keys),
        cmocka_unit_test(a_row_without_a_lookup_gets_no_value),
        cmocka_unit_test(hmacs_tell_table_and_purpose_apart),
        cmocka_unit_test(a_row_beyond_a_limit_is_refused),
        cmocka_unit_test(keys_differ_by_purpose_and_root),
    };

    return crypto_start() == ERR_NONE ? cmocka_run_group_tests_name("store/rows", tests, NULL, NULL)
                                      : 1;
}
