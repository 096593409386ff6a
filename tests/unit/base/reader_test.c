#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/reader.h"
#include "base/writer.h"

/* Every kind of field once; 40 bytes. */
static void write_all(struct writer *w)
{
    writer_u8(w, 0x01);
    writer_u16le(w, 0x0302);
    writer_u32le(w, 0x07060504);
    writer_u64le(w, 0x0f0e0d0c0b0a0908);
    writer_u16be(w, 0x1011);
    writer_u32be(w, 0x12131415);
    writer_u64be(w, 0x161718191a1b1c1d);
    writer_put(w, SPAN_LITERAL("\x1e\x1f\x20"));
    writer_zero(w, 8);
}

MUST_CHECK static enum err read_all(struct span bytes)
{
    struct reader r = reader_over(bytes);
    uint8_t copy[3] = {9, 9, 9};
    bool same = reader_u8(&r) == 0x01;

    same &= reader_u16le(&r) == 0x0302;
    same &= reader_u32le(&r) == 0x07060504;
    same &= reader_u64le(&r) == 0x0f0e0d0c0b0a0908;
    same &= reader_u16be(&r) == 0x1011;
    same &= reader_u32be(&r) == 0x12131415;
    same &= reader_u64be(&r) == 0x161718191a1b1c1d;
    reader_copy(&r, copy, sizeof copy);
    same &= copy[2] == 0x20;
    same &= span_is_zero(reader_take(&r, 8));
    if (reader_finish(&r) == ERR_NONE)
        assert_true(same);
    return reader_finish(&r);
}

static void test_written_values_are_read(void **state)
{
    uint8_t bytes[40];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct span out;

    (void)state;
    write_all(&w);
    assert_int_equal(writer_finish(&w, &out), ERR_NONE);
    assert_int_equal(out.size, sizeof bytes);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(bytes[i], i + 1);
    assert_int_equal(read_all(out), ERR_NONE);
}

static void test_refuses_every_prefix_and_trailing_bytes(void **state)
{
    uint8_t bytes[41] = {0};
    struct writer w = writer_over(bytes, sizeof bytes);

    (void)state;
    write_all(&w);
    for (size_t size = 0; size < 40; size++) {
        uint8_t *exact = malloc(size ? size : 1);

        memcpy(exact, bytes, size);
        assert_int_equal(read_all(span_of(exact, size)), ERR_MALFORMED);
        free(exact);
    }
    assert_int_equal(read_all(span_of(bytes, 41)), ERR_MALFORMED);
}

static void test_a_failed_reader_yields_zero_for_ever(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4};
    struct reader r = reader_over(SPAN_OF(bytes));
    uint8_t copy[2] = {7, 7};

    (void)state;
    assert_int_equal(reader_take(&r, 5).size, 0);
    assert_int_equal(reader_u8(&r), 0); /* though there are bytes */
    assert_int_equal(reader_u16be(&r), 0);
    assert_null(reader_take(&r, 1).data);
    assert_int_equal(reader_take(&r, SIZE_MAX).size, 0);
    reader_copy(&r, copy, sizeof copy);
    assert_int_equal(copy[0] | copy[1], 0);
    assert_int_equal(reader_finish(&r), ERR_MALFORMED);
}

static void test_nothing_reads_as_nothing(void **state)
{
    struct reader r = reader_over((struct span){0});

    (void)state;
    assert_int_equal(reader_take(&r, 0).size, 0);
    assert_int_equal(reader_finish(&r), ERR_NONE);
    assert_int_equal(reader_u8(&r), 0);
    assert_int_equal(reader_finish(&r), ERR_MALFORMED);
}

static void test_a_full_writer_stays_full(void **state)
{
    for (size_t room = 0; room < 40; room++) {
        uint8_t *exact = malloc(room ? room : 1);
        struct writer w = writer_over(exact, room);
        struct span out = {0};

        write_all(&w);
        assert_int_equal(writer_finish(&w, &out), ERR_TOO_LARGE);
        assert_null(out.data);
        writer_u8(&w, 1);
        writer_zero(&w, SIZE_MAX);
        assert_int_equal(writer_finish(&w, NULL), ERR_TOO_LARGE);
        assert_true(w.size <= room);
        free(exact);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_values_are_read),
        cmocka_unit_test(test_refuses_every_prefix_and_trailing_bytes),
        cmocka_unit_test(test_a_failed_reader_yields_zero_for_ever),
        cmocka_unit_test(test_nothing_reads_as_nothing),
        cmocka_unit_test(test_a_full_writer_stays_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
