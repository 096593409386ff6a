#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "base/writer.h"
#include "codec/der.h"

/* The bytes of `hex` in a block of exact size, so that a sanitizer detects reads beyond it. */
static struct span bytes_of(const char *hex)
{
    size_t size = strlen(hex) / 2;
    uint8_t *bytes = malloc(size ? size : 1);

    assert_non_null(bytes);
    assert_int_equal(hex_read(span_string(hex), bytes, size), ERR_NONE);
    return span_of(bytes, size);
}

static void test_takes_elements_in_shortest_form_only(void **state)
{
    static const struct {
        const char *hex;
        size_t size; /* of the contents */
        bool good;
    } cases[] = {
        {"0400",                   0, true },
        {"0401ff",                 1, true },
        {"04020102",               2, true },
        {"",                       0, false},
        {"04",                     0, false},
        {"0401",                   0, false},
        {"04020a",                 0, false},
        {"040100ff",               0, false}, /* a byte is left */
        {"0500",                   0, false}, /* another tag */
        {"2400",                   0, false}, /* constructed octet string */
        {"1f0400",                 0, false},
        {"0480000000",             0, false}, /* indefinite length */
        {"04800000",               0, false},
        {"048100",                 0, false}, /* long form where the short one is enough */
        {"04810100",               0, false},
        {"0482000100",             0, false},
        {"04830000010a",           0, false},
        {"0484000000010a",         0, false},
        {"048500000000010a",       0, false},
        {"0488000000000000000100", 0, false},
        {"0484ffffffff",           0, false},
        {"0488ffffffffffffffff",   0, false},
        {"04ff01",                 0, false},
        {"0481",                   0, false},
        {"0482",                   0, false},
        {"048201",                 0, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span bytes = bytes_of(cases[i].hex);
        struct reader r = reader_over(bytes);
        struct span contents = der_take(&r, DER_OCTET_STRING);

        assert_int_equal(reader_finish(&r), cases[i].good ? ERR_NONE : ERR_MALFORMED);
        if (cases[i].good)
            assert_int_equal(contents.size, cases[i].size);
        free((void *)(uintptr_t)bytes.data);
    }
}

static void test_refuses_longer_lengths_than_needed_at_every_size(void **state)
{
    static uint8_t bytes[70000];

    (void)state;
    for (size_t size = 0; size < 66000; size += size < 600 ? 1 : 131) {
        for (size_t count = 0; count <= 4; count++) {
            size_t shortest = size < 0x80 ? 0 : size < 0x100 ? 1 : size < 0x10000 ? 2 : 3;
            struct writer w = writer_over(bytes, sizeof bytes);
            struct reader r;

            writer_u8(&w, DER_SEQUENCE);
            writer_u8(&w, count ? (uint8_t)(0x80 | count) : (uint8_t)(size & 0x7f));
            for (size_t i = count; i > 0; i--)
                writer_u8(&w, (uint8_t)(size >> (8 * (i - 1))));
            writer_zero(&w, size);
            r = reader_over(span_of(bytes, w.size));
            (void)der_take(&r, DER_SEQUENCE);
            assert_int_equal(reader_finish(&r), count == shortest ? ERR_NONE : ERR_MALFORMED);
        }
    }
}

static void test_peek_consumes_nothing(void **state)
{
    struct span bytes = bytes_of("30030101ff");
    struct reader r = reader_over(bytes);
    struct reader inner;

    (void)state;
    assert_int_equal(der_peek(&r), DER_SEQUENCE);
    assert_int_equal(der_peek(&r), DER_SEQUENCE);
    inner = reader_over(der_take(&r, DER_SEQUENCE));
    assert_int_equal(der_peek(&r), 0);
    assert_int_equal(der_peek(&inner), DER_BOOLEAN);
    (void)der_take(&inner, DER_INTEGER);
    assert_int_equal(der_peek(&inner), 0); /* after a failure */
    free((void *)(uintptr_t)bytes.data);
}

static void test_unsigned_numbers(void **state)
{
    static const struct {
        const char *hex;
        uint64_t max;
        uint64_t value;
        bool good;
    } cases[] = {
        {"020100",                   0,              0,                       true },
        {"02017f",                   127,            127,                     true },
        {"02020080",                 UINT64_MAX,     128,                     true },
        {"02020100",                 256,            256,                     true },
        {"02087fffffffffffffff",     UINT64_MAX,     INT64_MAX,               true },
        {"020900ffffffffffffffff",   UINT64_MAX,     UINT64_MAX,              true },
        {"0209008000000000000000",   UINT64_MAX,     (uint64_t)INT64_MAX + 1, true },
        {"020101",                   0,              0,                       false}, /* above max */
        {"020900ffffffffffffffff",   UINT64_MAX - 1, 0,                       false},
        {"0200",                     UINT64_MAX,     0,                       false}, /* no contents */
        {"020180",                   UINT64_MAX,     0,                       false}, /* negative */
        {"0201ff",                   UINT64_MAX,     0,                       false},
        {"0208ffffffffffffffff",     UINT64_MAX,     0,                       false},
        {"02020000",                 UINT64_MAX,     0,                       false}, /* not the shortest */
        {"0202007f",                 UINT64_MAX,     0,                       false},
        {"02030000ff",               UINT64_MAX,     0,                       false},
        {"0209010000000000000000",   UINT64_MAX,     0,                       false}, /* 65 bits */
        {"020a00ffffffffffffffffff", UINT64_MAX,     0,                       false},
        {"0a0101",                   UINT64_MAX,     0,                       false}, /* another tag */
        {"02",                       UINT64_MAX,     0,                       false},
        {"0202ff",                   UINT64_MAX,     0,                       false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span bytes = bytes_of(cases[i].hex);
        struct reader r = reader_over(bytes);
        uint64_t value = der_take_uint(&r, DER_INTEGER, cases[i].max);

        assert_int_equal(reader_finish(&r), cases[i].good ? ERR_NONE : ERR_MALFORMED);
        assert_true(value == cases[i].value);
        free((void *)(uintptr_t)bytes.data);
    }
}

static void test_booleans(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t bytes[] = {DER_BOOLEAN, 1, (uint8_t)c};
        struct reader r = reader_over(SPAN_OF(bytes));
        bool value = der_take_bool(&r);

        assert_int_equal(reader_finish(&r), c == 0 || c == 0xff ? ERR_NONE : ERR_MALFORMED);
        assert_int_equal(value, c == 0xff);
    }
    static const uint8_t bad[][4] = {
        {0x01, 0x00, 0x00, 0x00},
        {0x01, 0x02, 0xff, 0xff},
        {0x02, 0x01, 0xff, 0x00}
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct reader r = reader_over(SPAN_OF(bad[i]));

        assert_false(der_take_bool(&r));
        assert_true(r.failed);
    }
}

static void test_a_failed_reader_stays_failed(void **state)
{
    static const uint8_t bytes[] = {0x01, 0x01, 0xff, 0x02, 0x01, 0x05, 0x04, 0x00};
    struct reader r = reader_over(SPAN_OF(bytes));

    (void)state;
    (void)der_take(&r, DER_SEQUENCE);
    assert_false(der_take_bool(&r));
    assert_int_equal(der_take_uint(&r, DER_INTEGER, 9), 0);
    assert_int_equal(der_take(&r, DER_OCTET_STRING).size, 0);
    assert_int_equal(reader_finish(&r), ERR_MALFORMED);
}

/* SEQUENCE { BOOLEAN, INTEGER, SEQUENCE { OCTET STRING } }; the layout of Intel's SGX extension. */
MUST_CHECK static enum err read_sample(struct span bytes)
{
    struct reader r = reader_over(bytes);
    struct reader outer = reader_over(der_take(&r, DER_SEQUENCE));
    struct reader inner;

    (void)der_take_bool(&outer);
    (void)der_take_uint(&outer, DER_INTEGER, UINT16_MAX);
    inner = reader_over(der_take(&outer, DER_SEQUENCE));
    (void)der_take(&inner, DER_OCTET_STRING);
    if (reader_finish(&inner) != ERR_NONE || reader_finish(&outer) != ERR_NONE)
        return ERR_MALFORMED;
    return reader_finish(&r);
}

static void test_refuses_every_prefix_and_every_longer_text(void **state)
{
    static const char sample[] = "300e0101ff02020400300504030a0b0c";
    struct span bytes = bytes_of(sample);

    (void)state;
    assert_int_equal(read_sample(bytes), ERR_NONE);
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *prefix = malloc(size ? size : 1);

        memcpy(prefix, bytes.data, size);
        assert_int_equal(read_sample(span_of(prefix, size)), ERR_MALFORMED);
        free(prefix);
    }
    free((void *)(uintptr_t)bytes.data);
    bytes = bytes_of("300e0101ff02020400300504030a0b0c00");
    assert_int_equal(read_sample(bytes), ERR_MALFORMED);
    free((void *)(uintptr_t)bytes.data);
}

static void test_heads_written_read_back(void **state)
{
    static uint8_t bytes[70000];

    (void)state;
    for (size_t size = 0; size < 66000; size += size < 600 ? 1 : 131) {
        struct writer w = writer_over(bytes, sizeof bytes);
        struct reader r;

        der_put_head(&w, DER_SET, size);
        assert_int_equal(w.size, der_head_size(size));
        writer_zero(&w, size);
        assert_int_equal(writer_finish(&w, NULL), ERR_NONE);
        r = reader_over(span_of(bytes, w.size));
        assert_int_equal(der_take(&r, DER_SET).size, size);
        assert_int_equal(reader_finish(&r), ERR_NONE);
    }
}

static void test_head_without_room_marks_the_writer(void **state)
{
    uint8_t bytes[4];

    (void)state;
    for (size_t room = 0; room < 4; room++) {
        struct writer w = writer_over(bytes, room);

        der_put_head(&w, DER_SEQUENCE, 300);
        assert_int_equal(writer_finish(&w, NULL), ERR_TOO_LARGE);
    }
}

static void test_unsigned_numbers_of_any_size(void **state)
{
    static const struct {
        const char *hex, *digits;
    } good[] = {
        {"020100",                   ""                },
        {"020101",                   "01"              },
        {"02017f",                   "7f"              },
        {"02020080",                 "80"              },
        {"020900ffffffffffffffff",   "ffffffffffffffff"},
        {"020a01000000000000ffff02", NULL              },
    };
    static const char *const bad[] = {"0200",   "020180", "020200ff00", "02020001", "020200",
                                      "0202ff", "030101", "",           "02",       "020100ff"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct span bytes = bytes_of(good[i].hex);
        struct reader r = reader_over(bytes);
        struct span digits = der_take_unsigned(&r);
        uint8_t out[32];
        uint8_t padded[20] = {0};
        struct writer w = writer_over(out, sizeof out);

        assert_int_equal(reader_finish(&r), ERR_NONE);
        if (good[i].digits)
            assert_int_equal(digits.size, strlen(good[i].digits) / 2);
        if (digits.size > 0)
            memcpy(padded + sizeof padded - digits.size, digits.data, digits.size);
        der_put_unsigned(&w, SPAN_OF(padded)); /* zeros in front do not count */
        assert_true(span_equal(span_of(out, w.size), bytes));
        assert_int_equal(der_unsigned_size(SPAN_OF(padded)), bytes.size);
        free((void *)bytes.data);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct span bytes = bytes_of(bad[i]);
        struct reader r = reader_over(bytes);

        (void)der_take_unsigned(&r);
        assert_int_equal(reader_finish(&r), ERR_MALFORMED);
        free((void *)bytes.data);
    }
}

static void test_bit_strings_have_whole_bytes(void **state)
{
    static const struct {
        const char *hex;
        size_t size;
        bool good;
    } cases[] = {
        {"030100",     0, true },
        {"03030001ff", 2, true },
        {"0300",       0, false}, /* no number of unused bits */
        {"03020102",   0, false}, /* one bit is not used */
        {"04020001",   0, false},
        {"030300ff",   0, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span bytes = bytes_of(cases[i].hex);
        struct reader r = reader_over(bytes);
        struct span bits = der_take_bits(&r);

        assert_int_equal(reader_finish(&r), cases[i].good ? ERR_NONE : ERR_MALFORMED);
        assert_int_equal(bits.size, cases[i].size);
        free((void *)bytes.data);
    }
}

static void test_whole_elements(void **state)
{
    const struct span bytes = SPAN_LITERAL("\x04\x02xy\x05");
    struct reader r = reader_over(bytes);

    (void)state;
    assert_true(span_equal(der_take_whole(&r, DER_OCTET_STRING), span_slice(bytes, 0, 4)));
    assert_int_equal(r.rest.size, 1);
    assert_int_equal(der_take_whole(&r, 0x05).size, 0); /* without its length */
    assert_true(r.failed);
    r = reader_over(bytes);
    assert_int_equal(der_take_whole(&r, DER_SEQUENCE).size, 0);
    assert_true(r.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_elements_in_shortest_form_only),
        cmocka_unit_test(test_refuses_longer_lengths_than_needed_at_every_size),
        cmocka_unit_test(test_peek_consumes_nothing),
        cmocka_unit_test(test_unsigned_numbers),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_a_failed_reader_stays_failed),
        cmocka_unit_test(test_refuses_every_prefix_and_every_longer_text),
        cmocka_unit_test(test_heads_written_read_back),
        cmocka_unit_test(test_head_without_room_marks_the_writer),
        cmocka_unit_test(test_unsigned_numbers_of_any_size),
        cmocka_unit_test(test_whole_elements),
        cmocka_unit_test(test_bit_strings_have_whole_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
