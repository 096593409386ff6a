#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "keys/root.h"

#define HEAD_SIZE 11
#define EPOCH_SIZE 45

/* The linker replaces the calls in root.c by these; the n-th one fails. */
static long calls_left = -1;

static bool must_fail(void)
{
    return calls_left >= 0 && calls_left-- == 0;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : __real_calloc(count, size);
}

enum err __real_secret_new(size_t size, struct secret **out);
enum err __wrap_secret_new(size_t size, struct secret **out);
enum err __wrap_secret_new(size_t size, struct secret **out)
{
    return must_fail() ? ERR_MEMORY : __real_secret_new(size, out);
}

enum err __real_secret_copy(struct span bytes, struct secret **out);
enum err __wrap_secret_copy(struct span bytes, struct secret **out);
enum err __wrap_secret_copy(struct span bytes, struct secret **out)
{
    return must_fail() ? ERR_MEMORY : __real_secret_copy(bytes, out);
}

static int start(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE ? 0 : -1;
}

/* A sealed form with `count` epochs 1, 2, ... of alternating origin; returns its size. */
static size_t sample(uint8_t *out, uint8_t count)
{
    memcpy(out, "VSROOT\x01", 7);
    memcpy(out + 7, (const uint8_t[4]){count}, 4);
    for (uint8_t i = 0; i < count; i++) {
        uint8_t *epoch = out + HEAD_SIZE + i * EPOCH_SIZE;

        memset(epoch, 0, EPOCH_SIZE);
        epoch[0] = (uint8_t)(i + 1);
        epoch[4] = (uint8_t)(1 + i % 2);
        epoch[5] = 0x40;
        memset(epoch + 13, 0xa0 + i, ROOT_SIZE);
    }
    return HEAD_SIZE + (size_t)count * EPOCH_SIZE;
}

static void refuse(struct span bytes)
{
    struct root *root = NULL;

    assert_int_equal(root_parse(bytes, &root), ERR_MALFORMED);
    assert_null(root);
}

static void a_fresh_root_is_random_and_whole(void **state)
{
    const struct timestamp now = {.ms = 1700000000123};
    struct root *one = NULL;
    struct root *two = NULL;

    (void)state;
    assert_int_equal(root_generate(now, &one), ERR_NONE);
    assert_int_equal(root_generate(now, &two), ERR_NONE);
    assert_int_equal(root_current(one)->epoch, 1);
    assert_int_equal(root_current(one)->created.ms, 1700000000000);
    assert_string_equal(root_origin_name(root_current(one)->origin), "generated");
    assert_int_equal(secret_size(root_current(one)->secret), ROOT_SIZE);
    assert_false(
        span_equal(secret_span(root_current(one)->secret), secret_span(root_current(two)->secret)));
    assert_ptr_equal(root_find(one, 1), root_current(one));
    assert_null(root_find(one, 0));
    assert_null(root_find(one, 2));
    root_free(&one);
    root_free(&two);
    root_free(&two);
}

static void only_32_bytes_are_imported(void **state)
{
    static const uint8_t bytes[ROOT_SIZE + 1] = {9};
    struct root *root = NULL;

    (void)state;
    for (size_t size = 0; size <= sizeof bytes; size++) {
        if (size == ROOT_SIZE)
            continue;
        assert_int_equal(root_import(span_of(bytes, size), (struct timestamp){0}, &root),
                         ERR_MALFORMED);
        assert_null(root);
    }
    assert_int_equal(root_import(span_of(bytes, ROOT_SIZE), (struct timestamp){0}, &root),
                     ERR_NONE);
    assert_string_equal(root_origin_name(root_current(root)->origin), "master-secret");
    assert_memory_equal(secret_span(root_current(root)->secret).data, bytes, ROOT_SIZE);
    root_free(&root);
}

static void what_is_written_parses_to_the_same(void **state)
{
    uint8_t bytes[HEAD_SIZE + ROOT_EPOCHS_MAX * EPOCH_SIZE];

    (void)state;
    for (uint8_t count = 1; count <= ROOT_EPOCHS_MAX; count++) {
        size_t size = sample(bytes, count);
        struct root *root = NULL;
        struct secret *written = NULL;

        assert_int_equal(root_parse(span_of(bytes, size), &root), ERR_NONE);
        assert_int_equal(root->count, count);
        assert_int_equal(root_current(root)->epoch, count);
        assert_int_equal(timestamp_seconds(root_current(root)->created), 0x40);
        assert_int_equal(root_write(root, &written), ERR_NONE);
        assert_true(span_equal(secret_span(written), span_of(bytes, size)));
        secret_free(&written);
        root_free(&root);
    }
}

static void the_version_says_whether_the_store_has_a_state(void **state)
{
    uint8_t bytes[HEAD_SIZE + EPOCH_SIZE];
    size_t size = sample(bytes, 1);
    struct root *root = NULL;

    (void)state;
    assert_int_equal(root_generate((struct timestamp){0}, &root), ERR_NONE);
    assert_true(root->has_store_state);
    root_free(&root);
    for (uint8_t version = 1; version <= 2; version++) {
        struct secret *written = NULL;

        bytes[6] = version;
        assert_int_equal(root_parse(span_of(bytes, size), &root), ERR_NONE);
        assert_true(root->has_store_state == (version == 2));
        assert_int_equal(root_write(root, &written), ERR_NONE);
        assert_true(span_equal(secret_span(written), span_of(bytes, size)));
        secret_free(&written);
        root_free(&root);
    }
    bytes[6] = 3;
    refuse(span_of(bytes, size));
}

static void every_prefix_and_every_tail_is_refused(void **state)
{
    uint8_t bytes[HEAD_SIZE + 3 * EPOCH_SIZE + 1] = {0};
    size_t size = sample(bytes, 3);

    (void)state;
    for (size_t cut = 0; cut < size; cut++)
        refuse(span_of(bytes, cut));
    refuse(span_of(bytes, size + 1));
}

static void every_flipped_bit_of_the_structure_is_refused(void **state)
{
    uint8_t bytes[HEAD_SIZE + 2 * EPOCH_SIZE];
    size_t size = sample(bytes, 2);

    (void)state;
    for (size_t bit = 0; bit < 8 * HEAD_SIZE; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refuse(span_of(bytes, size));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t i = 0; i < 2; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[HEAD_SIZE + i * EPOCH_SIZE + 4] ^= (uint8_t)(1u << bit);
            refuse(span_of(bytes, size)); /* the two origins differ in more than one bit */
            bytes[HEAD_SIZE + i * EPOCH_SIZE + 4] ^= (uint8_t)(1u << bit);
        }
}

static void epochs_out_of_order_or_of_impossible_age_are_refused(void **state)
{
    uint8_t bytes[HEAD_SIZE + (ROOT_EPOCHS_MAX + 1) * EPOCH_SIZE];
    uint8_t *second = bytes + HEAD_SIZE + EPOCH_SIZE;
    size_t size = sample(bytes, 2);
    struct root *root = NULL;

    (void)state;
    second[0] = 1; /* twice the same */
    refuse(span_of(bytes, size));
    second[0] = 0;
    refuse(span_of(bytes, size));
    second[0] = 2;
    bytes[HEAD_SIZE] = 0; /* epochs count from 1 */
    refuse(span_of(bytes, size));
    bytes[HEAD_SIZE] = 3;
    refuse(span_of(bytes, size));
    bytes[HEAD_SIZE] = 1;
    second[5 + 7] = 0x80; /* created before 1970, or after 9999 */
    refuse(span_of(bytes, size));
    second[5 + 7] = 0;
    second[5 + 5] = 1;
    refuse(span_of(bytes, size));
    /* the last second of 9999 is the last that is possible */
    memcpy(second + 5, (const uint8_t[]){0x7f, 0x41, 0xf4, 0xff, 0x3a, 0}, 6);
    assert_int_equal(root_parse(span_of(bytes, size), &root), ERR_NONE);
    root_free(&root);
    second[5]++;
    refuse(span_of(bytes, size));
    refuse(span_of(bytes, sample(bytes, 0)));
    refuse(span_of(bytes, sample(bytes, ROOT_EPOCHS_MAX + 1)));
}

/* The n-th allocation fails, for every n: an error, nothing leaked (LeakSanitizer), then success.
 */
static void failing_allocations_are_errors(void **state)
{
    uint8_t bytes[HEAD_SIZE + 3 * EPOCH_SIZE];
    size_t size = sample(bytes, 3);
    struct root *root = NULL;
    struct secret *written = NULL;

    (void)state;
    for (long n = 0; n < 4; n++) { /* the struct and three secrets */
        calls_left = n;
        assert_int_equal(root_parse(span_of(bytes, size), &root), ERR_MEMORY);
        assert_null(root);
    }
    for (long n = 0; n < 2; n++) {
        calls_left = n;
        assert_int_equal(root_generate((struct timestamp){0}, &root), ERR_MEMORY);
        calls_left = n;
        assert_int_equal(root_import(span_of(bytes, ROOT_SIZE), (struct timestamp){0}, &root),
                         ERR_MEMORY);
        assert_null(root);
    }
    calls_left = 4;
    assert_int_equal(root_parse(span_of(bytes, size), &root), ERR_NONE);
    calls_left = 0;
    assert_int_equal(root_write(root, &written), ERR_MEMORY);
    assert_null(written);
    calls_left = -1;
    root_free(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_root_is_random_and_whole),
        cmocka_unit_test(only_32_bytes_are_imported),
        cmocka_unit_test(what_is_written_parses_to_the_same),
        cmocka_unit_test(the_version_says_whether_the_store_has_a_state),
        cmocka_unit_test(every_prefix_and_every_tail_is_refused),
        cmocka_unit_test(every_flipped_bit_of_the_structure_is_refused),
        cmocka_unit_test(epochs_out_of_order_or_of_impossible_age_are_refused),
        cmocka_unit_test(failing_allocations_are_errors),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
