#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

/* RFC 4648 section 10 */
static const struct {
    const char *bytes;
    const char *base64;
    const char *base64url;
    const char *hex;
} vectors[] = {
    {"",             "",         "",         ""            },
    {"f",            "Zg==",     "Zg",       "66"          },
    {"fo",           "Zm8=",     "Zm8",      "666f"        },
    {"foo",          "Zm9v",     "Zm9v",     "666f6f"      },
    {"foob",         "Zm9vYg==", "Zm9vYg",   "666f6f62"    },
    {"fooba",        "Zm9vYmE=", "Zm9vYmE",  "666f6f6261"  },
    {"foobar",       "Zm9vYmFy", "Zm9vYmFy", "666f6f626172"},
    {"\xfb\xff\xbf", "+/+/",     "-_-_",     "fbffbf"      },
};

static void test_rfc_4648_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct span bytes = span_string(vectors[i].bytes);
        char text[16] = {0};
        uint8_t back[8];
        size_t size;

        base64_write(bytes, text);
        assert_int_equal(base64_size(bytes.size), strlen(vectors[i].base64));
        assert_string_equal(text, vectors[i].base64);
        assert_int_equal(base64_read(span_string(text), back, bytes.size, &size), ERR_NONE);
        assert_true(span_equal(span_of(back, size), bytes));
        memset(text, 0, sizeof text);
        base64url_write(bytes, text);
        assert_int_equal(base64url_size(bytes.size), strlen(vectors[i].base64url));
        assert_string_equal(text, vectors[i].base64url);
        assert_int_equal(base64url_read(span_string(text), back, bytes.size, &size), ERR_NONE);
        assert_true(span_equal(span_of(back, size), bytes));
        hex_write(bytes, text);
        assert_string_equal(text, vectors[i].hex);
        assert_int_equal(hex_read(span_string(text), back, bytes.size), ERR_NONE);
        assert_memory_equal(back, vectors[i].bytes, bytes.size);
    }
}

static void test_base64_refuses_other_spellings(void **state)
{
    static const char *const bad[] = {
        "=",
        "==",
        "====",
        "A",
        "AA",
        "AAA",
        "A===",
        "AA=",
        "AA==AAAA",
        "AA=A",
        "=AAA",
        "AAAA=",
        "AAAA====",
        "AAA==",
        "AA==\n",
        "AA ==",
        "AAA\n",
        " AAA",
        "AAAAAA==\n",
        "AA-A",
        "AA_A",
        "AA.A",
        ("AA\x80"
         "A"),
        "Zh==",
        "Zm9=",
        "AB==",
        "AAB=",
        "/x==",
        "//9=",
        "AA*=",
        "Zg==Zg==",
    };
    uint8_t out[16];
    size_t size = 99;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(base64_read(span_string(bad[i]), out, sizeof out, &size), ERR_MALFORMED);
    assert_int_equal(base64_read(span_of("AA\0=", 4), out, sizeof out, &size), ERR_MALFORMED);
    assert_int_equal(size, 99);
}

/* Separate code reads blocks of 32 digits and the rest. Both must know the same digits, at every
 * place. */
static void test_base64_blocks_read_as_single_digits(void **state)
{
    uint8_t block[48];
    uint8_t single[3];
    char text[64];
    size_t size;

    (void)state;
    for (size_t place = 0; place < sizeof text; place++)
        for (unsigned c = 0; c < 256; c++)
            for (int url = 0; url < 2; url++) {
                MUST_CHECK enum err (*read)(struct span, uint8_t *, size_t, size_t *) =
                    url ? base64url_read : base64_read;
                const char alone[4] = {[0] = 'A', [1] = 'A', [2] = 'A', [3] = 'A'};
                char group[4];
                enum err expected;

                if (c == '=' && place + 2 >= sizeof text)
                    continue; /* padding: tested above */
                memcpy(group, alone, sizeof group);
                group[place % 4] = (char)c;
                expected = c == '='
                               ? ERR_MALFORMED
                               : read(span_of(group, sizeof group), single, sizeof single, &size);
                memset(text, 'A', sizeof text);
                text[place] = (char)c;
                assert_int_equal(read(span_of(text, sizeof text), block, sizeof block, &size),
                                 expected);
                if (expected == ERR_NONE)
                    assert_memory_equal(block + place / 4 * 3, single, sizeof single);
            }
}

static void test_base64url_refuses_other_spellings(void **state)
{
    static const char *const bad[] = {"A",    "AAAAA", "Zg==",   "Zm8=",  "+/+/", "AA+A",
                                      "AA/A", "Zh",    "Zm9",    "AB",    "AAB",  "_x",
                                      "Zg\n", " Zg",   "Zg\x80", "Zm9v=", "="};
    uint8_t out[16];
    size_t size = 99;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(base64url_read(span_string(bad[i]), out, sizeof out, &size),
                         ERR_MALFORMED);
    assert_int_equal(size, 99);
}

/* The last digit of "A?" carries four unused bits, that of "AA?" two; all others are refused. */
static void test_unused_bits_must_be_zero(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    (void)state;
    for (size_t v = 0; v < 64; v++) {
        char text[] = {'A', 'A', digits[v]};
        uint8_t out[4];
        size_t size;

        assert_int_equal(base64url_read(span_of(text, 3), out, 4, &size),
                         v % 4 == 0 ? ERR_NONE : ERR_MALFORMED);
        assert_int_equal(base64url_read(span_of(text + 1, 2), out, 4, &size),
                         v % 16 == 0 ? ERR_NONE : ERR_MALFORMED);
    }
}

static void test_every_byte_is_a_digit_or_refused(void **state)
{
    static const char common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    static const char hex[] = "0123456789abcdefABCDEF";

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool is_common = memchr(common, (int)c, sizeof common - 1) != NULL;
        bool is_hex = memchr(hex, (int)c, sizeof hex - 1) != NULL;

        for (size_t at = 0; at < 4; at++) {
            char text[] = "AAAA";
            uint8_t out[4];
            size_t size;

            text[at] = (char)c;
            if (c != '=' || at < 3) /* "AAA=" is well-formed */
                assert_int_equal(base64_read(span_of(text, 4), out, 4, &size),
                                 is_common || c == '+' || c == '/' ? ERR_NONE : ERR_MALFORMED);
            assert_int_equal(base64url_read(span_of(text, 4), out, 4, &size),
                             is_common || c == '-' || c == '_' ? ERR_NONE : ERR_MALFORMED);
            assert_int_equal(hex_read(span_of(text, 4), out, 2), is_hex ? ERR_NONE : ERR_MALFORMED);
        }
    }
}

static void test_capacity_is_held(void **state)
{
    uint8_t out[6] = {0};
    size_t size = 99;

    (void)state;
    for (size_t capacity = 0; capacity < 6; capacity++) {
        uint8_t *exact = malloc(capacity ? capacity : 1);

        assert_int_equal(base64_read(SPAN_LITERAL("Zm9vYmFy"), exact, capacity, &size),
                         ERR_TOO_LARGE);
        assert_int_equal(base64url_read(SPAN_LITERAL("Zm9vYmFy"), exact, capacity, &size),
                         ERR_TOO_LARGE);
        free(exact);
    }
    assert_int_equal(size, 99);
    assert_int_equal(base64_read(SPAN_LITERAL("Zm9vYmFy"), out, 6, &size), ERR_NONE);
    assert_int_equal(size, 6);
}

static void test_hex_wants_the_exact_length(void **state)
{
    uint8_t out[4] = {0xaa, 0xaa, 0xaa, 0xaa};

    (void)state;
    for (size_t digits = 0; digits <= 8; digits++)
        for (size_t size = 0; size <= 4; size++)
            assert_int_equal(hex_read(span_of("0a0B0c0D", digits), out, size),
                             digits == 2 * size ? ERR_NONE : ERR_MALFORMED);
    memset(out, 0xaa, sizeof out);
    assert_int_equal(hex_read(SPAN_LITERAL("0a0b0x"), out, 3), ERR_MALFORMED);
    assert_int_equal(hex_read(SPAN_LITERAL("0x0a0b"), out, 3), ERR_MALFORMED);
    assert_int_equal(out[0], 0xaa);
    assert_int_equal(hex_read(SPAN_LITERAL("0a0B0c0D"), out, 4), ERR_NONE);
    assert_memory_equal(out, "\x0a\x0b\x0c\x0d", 4);
}

static void test_random_bytes_read_back(void **state)
{
    uint8_t bytes[256];
    uint8_t back[256];
    char text[513];
    uint32_t random = 7;
    size_t size;

    (void)state;
    for (size_t n = 0; n <= sizeof bytes; n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
        base64_write(span_of(bytes, n), text);
        assert_int_equal(base64_read(span_of(text, base64_size(n)), back, n, &size), ERR_NONE);
        assert_true(size == n && span_equal(span_of(back, n), span_of(bytes, n)));
        base64url_write(span_of(bytes, n), text);
        assert_int_equal(base64url_read(span_of(text, base64url_size(n)), back, n, &size),
                         ERR_NONE);
        assert_true(size == n && span_equal(span_of(back, n), span_of(bytes, n)));
        hex_write(span_of(bytes, n), text);
        assert_int_equal(hex_read(span_string(text), back, n), ERR_NONE);
        assert_true(span_equal(span_of(back, n), span_of(bytes, n)));
    }
}

static void a_decimal_number_has_one_spelling(void **state)
{
    static const struct {
        const char *text;
        enum err e;
        uint64_t value;
    } cases[] = {
        {"0",                     ERR_NONE,      0         },
        {"7",                     ERR_NONE,      7         },
        {"10",                    ERR_NONE,      10        },
        {"18446744073709551615",  ERR_NONE,      UINT64_MAX},
        {"18446744073709551616",  ERR_TOO_LARGE, 0         },
        {"99999999999999999999",  ERR_TOO_LARGE, 0         },
        {"99999999999999999999x", ERR_MALFORMED, 0         },
        {"",                      ERR_MALFORMED, 0         },
        {"00",                    ERR_MALFORMED, 0         },
        {"01",                    ERR_MALFORMED, 0         },
        {"+1",                    ERR_MALFORMED, 0         },
        {"-1",                    ERR_MALFORMED, 0         },
        {" 1",                    ERR_MALFORMED, 0         },
        {"1 ",                    ERR_MALFORMED, 0         },
        {"1/",                    ERR_MALFORMED, 0         },
        {"1:",                    ERR_MALFORMED, 0         },
        {"0x1",                   ERR_MALFORMED, 0         },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t value = 5;

        assert_int_equal(decimal_read(span_string(cases[i].text), &value), cases[i].e);
        assert_int_equal(value, cases[i].e == ERR_NONE ? cases[i].value : 5);
    }
}

static void decimal_numbers_read_back(void **state)
{
    static const uint64_t numbers[] = {0,         1, 9, 10, 99, 100, 4294967296, UINT64_MAX - 1,
                                       UINT64_MAX};
    char digits[DECIMAL_MAX_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        const size_t size = decimal_write(numbers[i], digits);
        uint64_t value = 5;

        assert_int_equal(decimal_read(span_of(digits, size), &value), ERR_NONE);
        assert_true(value == numbers[i]);
    }
}

/* Whole blocks and single digits are different code. */
static void base64_blocks_are_written_as_single_digits(void **state)
{
    uint8_t bytes[3 * 256];
    char whole[sizeof bytes / 3 * 4 + 1];
    char part[5];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t url = 0; url < 2; url++) {
        (url ? base64url_write : base64_write)(SPAN_OF(bytes), whole);
        for (size_t i = 0; i < sizeof bytes / 3; i++) {
            (url ? base64url_write : base64_write)(span_of(bytes + 3 * i, 3), part);
            assert_memory_equal(whole + 4 * i, part, 4);
        }
    }
}

static void the_nearest_name_is_close(void **state)
{
    static const char *const names[] = {"host", "port", "idle_timeout_ms", "tls.mode", "tokens"};
    static const struct {
        const char *text;
        const char *nearest;
    } cases[] = {
        {"host",                      "host"           },
        {"hots",                      "host"           }, /* two letters swapped: one edit */
        {"prot",                      "port"           },
        {"HOST",                      "host"           },
        {"idle-timeout-ms",           "idle_timeout_ms"},
        {"idle_timeout",              "idle_timeout_ms"},
        {"tls.moed",                  "tls.mode"       },
        {"token",                     "tokens"         },
        {"x",                         NULL             },
        {"",                          NULL             },
        {"listen",                    NULL             },
        {"completely_different_name", NULL             },
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *nearest = text_nearest(cases[i].text, names, COUNT_OF(names));

        if (cases[i].nearest)
            assert_string_equal(nearest, cases[i].nearest);
        else
            assert_null(nearest);
    }
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_null(text_nearest(text, names, COUNT_OF(names)));
    text[95] = '\0';
    assert_null(text_nearest(text, names, COUNT_OF(names)));
    assert_null(text_nearest("host", names, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_4648_vectors),
        cmocka_unit_test(test_base64_refuses_other_spellings),
        cmocka_unit_test(test_base64_blocks_read_as_single_digits),
        cmocka_unit_test(test_base64url_refuses_other_spellings),
        cmocka_unit_test(test_unused_bits_must_be_zero),
        cmocka_unit_test(test_every_byte_is_a_digit_or_refused),
        cmocka_unit_test(test_capacity_is_held),
        cmocka_unit_test(test_hex_wants_the_exact_length),
        cmocka_unit_test(test_random_bytes_read_back),
        cmocka_unit_test(a_decimal_number_has_one_spelling),
        cmocka_unit_test(decimal_numbers_read_back),
        cmocka_unit_test(base64_blocks_are_written_as_single_digits),
        cmocka_unit_test(the_nearest_name_is_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
