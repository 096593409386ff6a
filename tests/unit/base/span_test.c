#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

#include "base/span.h"
#include "support/failing.h"

static void test_equality_and_prefixes(void **state)
{
    struct span abc = SPAN_LITERAL("abc");

    (void)state;
    assert_true(span_equal(abc, span_of("abcd", 3)));
    assert_true(span_equal((struct span){0}, SPAN_LITERAL("")));
    assert_false(span_equal(abc, SPAN_LITERAL("abd")));
    assert_false(span_equal(abc, SPAN_LITERAL("ab")));
    assert_false(span_equal(abc, (struct span){0}));
    assert_false(span_equal_string(span_of("abc", 4), "abc"));
    assert_true(span_equal_string((struct span){0}, NULL));
    assert_true(span_starts_with(abc, SPAN_LITERAL("ab")));
    assert_true(span_starts_with(abc, (struct span){0}));
    assert_false(span_starts_with(abc, SPAN_LITERAL("abcd")));
    assert_false(span_starts_with(abc, SPAN_LITERAL("b")));
    assert_true(span_is_zero(span_of("\0\0", 2)));
    assert_false(span_is_zero(span_of("\0\1", 2)));
}

static void test_slices_stay_inside(void **state)
{
    struct span s = SPAN_LITERAL("0123456789");
    static const struct {
        size_t offset, size;
        const char *expected;
    } cases[] = {
        {0,        10,       "0123456789"},
        {3,        4,        "3456"      },
        {9,        1,        "9"         },
        {8,        3,        "89"        },
        {1,        SIZE_MAX, "123456789" },
        {10,       1,        ""          },
        {11,       0,        ""          },
        {SIZE_MAX, SIZE_MAX, ""          },
        {5,        0,        ""          },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_true(
            span_equal_string(span_slice(s, cases[i].offset, cases[i].size), cases[i].expected));
}

static void test_strings_need_room_and_no_nul(void **state)
{
    char out[4] = "xxx";

    (void)state;
    assert_int_equal(span_to_string(SPAN_LITERAL("abcd"), out, sizeof out), ERR_TOO_LARGE);
    assert_int_equal(span_to_string(SPAN_LITERAL(""), out, 0), ERR_TOO_LARGE);
    assert_int_equal(span_to_string(span_of("a\0b", 3), out, sizeof out), ERR_MALFORMED);
    assert_int_equal(span_to_string(span_of("ab\0", 3), out, sizeof out), ERR_MALFORMED);
    assert_string_equal(out, "xxx");
    assert_int_equal(span_to_string(SPAN_LITERAL("abc"), out, sizeof out), ERR_NONE);
    assert_string_equal(out, "abc");
}

static void test_constant_time_comparison_sees_every_bit(void **state)
{
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};

    (void)state;
    assert_true(bytes_equal_ct(a, b, sizeof a));
    assert_true(bytes_equal_ct(a, b, 0));
    for (size_t bit = 0; bit < 8 * sizeof a; bit++) {
        b[bit / 8] = (uint8_t)(1u << bit % 8);
        assert_false(bytes_equal_ct(a, b, sizeof a));
        b[bit / 8] = 0;
    }
    memset(a, 0xff, sizeof a);
    bytes_wipe(a, 0);
    assert_int_equal(a[0], 0xff);
    bytes_wipe(a, sizeof a);
    assert_true(span_is_zero(SPAN_OF(a)));
}

static void test_buffers_grow_and_drop(void **state)
{
    struct buffer b = {0};

    (void)state;
    assert_int_equal(buffer_append(&b, (struct span){0}), ERR_NONE);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buffer_printf(&b, "%03d ", i), ERR_NONE);
    assert_int_equal(b.size, 4000);
    assert_true(b.capacity >= b.size);
    assert_true(span_starts_with(buffer_span(&b), SPAN_LITERAL("000 001 ")));
    buffer_drop(&b, 3992);
    assert_true(span_equal_string(buffer_span(&b), "998 999 "));
    assert_true(span_is_zero(span_of(b.data + b.size, 3992))); /* dropped bytes are wiped */
    buffer_drop(&b, 9);
    assert_int_equal(b.size, 0);
    buffer_drop(&b, SIZE_MAX);
    assert_int_equal(buffer_append_string(&b, "again"), ERR_NONE);
    assert_true(span_equal_string(buffer_span(&b), "again"));
    buffer_clear(&b);
    assert_null(b.data);
    assert_int_equal(b.capacity, 0);
    buffer_clear(&b);
}

static void test_a_buffer_that_cannot_grow_is_unchanged(void **state)
{
    struct buffer b = {0};

    (void)state;
    assert_int_equal(buffer_append_string(&b, "kept"), ERR_NONE);
    assert_int_equal(buffer_reserve(&b, SIZE_MAX), ERR_MEMORY);
    assert_int_equal(buffer_reserve(&b, SIZE_MAX / 2 + 1), ERR_MEMORY);
    assert_true(span_equal_string(buffer_span(&b), "kept"));
    buffer_clear(&b);
}

static void test_every_error_has_its_own_code(void **state)
{
    (void)state;
    for (int e = 0; e < ERR_COUNT; e++) {
        assert_true(strlen(err_code((enum err)e)) > 0 && strlen(err_text((enum err)e)) > 0);
        for (int other = 0; other < e; other++)
            assert_string_not_equal(err_code((enum err)e), err_code((enum err)other));
    }
    assert_string_equal(err_code(ERR_COUNT), "internal");
    assert_string_equal(err_text(ERR_COUNT), err_text(ERR_INTERNAL));
}

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* The processor's whole extended state, as the kernel would write it into a core image. */
__attribute__((target("xsave"))) static void save_state(uint8_t *area)
{
    __builtin_ia32_xsave64(area, 0xe7);
}

static bool state_holds(const uint8_t *pattern, size_t size)
{
    static uint8_t area[16384] __attribute__((aligned(64)));

    save_state(area);
    return memmem(area, sizeof area, pattern, size) != NULL;
}

static void registers_keep_nothing(void **state)
{
    static const uint8_t text[16] = "sixteen secret b";
    bool before;

    (void)state;
    __asm__ volatile("movdqu %0, %%xmm5" ::"m"(text) : "xmm5");
    before = state_holds(text, sizeof text);
    __asm__ volatile("movdqu %0, %%xmm5" ::"m"(text) : "xmm5");
    registers_wipe();
    assert_false(state_holds(text, sizeof text));
    assert_true(before); /* otherwise this test shows nothing */
}
#else
static void registers_keep_nothing(void **state)
{
    (void)state;
    skip();
}
#endif

static void printing_adds_what_it_says(void **state)
{
    struct buffer b = {0};

    (void)state;
    assert_int_equal(buffer_printf(&b, "%s", ""), ERR_NONE);
    assert_int_equal(b.size, 0);
    for (int width = 1; width < 300; width++) {
        assert_int_equal(buffer_printf(&b, "%*d", width, 7), ERR_NONE);
        assert_int_equal(b.size, width);
        assert_true(b.capacity > b.size); /* the terminator is behind, and does not count */
        assert_int_equal(b.data[width - 1], '7');
        buffer_clear(&b);
    }
    /* no character of the C locale */
    assert_int_equal(buffer_printf(&b, "%lc", (wint_t)0xdc80), ERR_INTERNAL);
    assert_int_equal(b.size, 0);
    buffer_clear(&b);
}

static void without_memory_a_buffer_stays_as_it_is(void **state)
{
    struct buffer b = {0};

    (void)state;
    assert_int_equal(buffer_append_string(&b, "kept"), ERR_NONE);
    failing_begin(0);
    assert_int_equal(buffer_reserve(&b, b.capacity + 1), ERR_MEMORY);
    assert_true(failing_end());
    assert_true(span_equal_string(buffer_span(&b), "kept"));
    buffer_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_keep_nothing),
        cmocka_unit_test(test_equality_and_prefixes),
        cmocka_unit_test(test_slices_stay_inside),
        cmocka_unit_test(test_strings_need_room_and_no_nul),
        cmocka_unit_test(test_constant_time_comparison_sees_every_bit),
        cmocka_unit_test(test_buffers_grow_and_drop),
        cmocka_unit_test(test_a_buffer_that_cannot_grow_is_unchanged),
        cmocka_unit_test(test_every_error_has_its_own_code),
        cmocka_unit_test(printing_adds_what_it_says),
        cmocka_unit_test(without_memory_a_buffer_stays_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
