#include "cli/cli.h" /* before cmocka.h, whose fail() is a macro */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *bytes, *text, *json; /* the output for people, and inside JSON */
} cases[] = {
    {"plain, 100%",                   "plain, 100%",                   "plain, 100%"                     },
    {"\x1b]0;owned\x07\x1b[0m",       "\\x1b]0;owned\\x07\\x1b[0m",    "\\u001b]0;owned\\u0007\\u001b[0m"},
    {"a\nb\rc\td\x7f",                "a\\x0ab\\x0dc\\x09d\\x7f",      "a\nb\rc\td\\u007f"               },
    {"Gr\xc3\xbc\xc3\x9f",            "Gr\xc3\xbc\xc3\x9f",            "Gr\xc3\xbc\xc3\x9f"              },
    {"\xe2\x9c\x93 \xf0\x9f\x94\x91", "\xe2\x9c\x93 \xf0\x9f\x94\x91",
     "\xe2\x9c\x93 \xf0\x9f\x94\x91"                                                                     },
 /* C1: CSI as one character */
    {"\xc2\x9b"
     "31m",                      "\\u{9b}31m",                    "\\u009b31m"                      },
 /* right-to-left override, isolate, zero width, separator, tag, byte order mark */
    {"\xe2\x80\xae"
     "x",                        "\\u{202e}x",                    "\\u202ex"                        },
    {"\xe2\x81\xa6"
     "x",                        "\\u{2066}x",                    "\\u2066x"                        },
    {"\xe2\x80\x8b"
     "x",                        "\\u{200b}x",                    "\\u200bx"                        },
    {"\xe2\x80\xa8"
     "x",                        "\\u{2028}x",                    "\\u2028x"                        },
    {"\xd8\x9c"
     "x",                        "\\u{61c}x",                     "\\u061cx"                        },
    {"\xf3\xa0\x81\x81",              "\\u{e0041}",                    "\\udb40\\udc41"                  },
    {"\xef\xbb\xbf",                  "\\u{feff}",                     "\\ufeff"                         },
 /* not UTF-8: a single byte, a cut sequence, overlong, a surrogate, beyond the last character */
    {"\x9b"
     "31m",                      "\\x9b31m",                      "\\ufffd31m"                      },
    {"\xff",                          "\\xff",                         "\\ufffd"                         },
    {"\xe2\x80",                      "\\xe2\\x80",                    "\\ufffd\\ufffd"                  },
    {"\xc0\x9b",                      "\\xc0\\x9b",                    "\\ufffd\\ufffd"                  },
    {"\xe0\x80\x9b",                  "\\xe0\\x80\\x9b",               "\\ufffd\\ufffd\\ufffd"           },
    {"\xed\xa0\x80",                  "\\xed\\xa0\\x80",               "\\ufffd\\ufffd\\ufffd"           },
    {"\xf4\x90\x80\x80",              "\\xf4\\x90\\x80\\x80",          "\\ufffd\\ufffd\\ufffd\\ufffd"    },
};

static char *said;
static size_t said_size;

static FILE *listen_to(void)
{
    FILE *file = open_memstream(&said, &said_size);

    assert_non_null(file);
    return file;
}

static void check_said(FILE *file, const char *expected)
{
    assert_int_equal(fclose(file), 0);
    assert_string_equal(said, expected);
    free(said);
    said = NULL;
}

static void text_of_others_does_nothing(void **state)
{
    FILE *file;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const size_t size = strlen(cases[i].bytes);

        say_text(file = listen_to(), cases[i].bytes, size);
        check_said(file, cases[i].text);
        say(file = listen_to(), "%s", cases[i].bytes);
        check_said(file, cases[i].text);
        say_json(file = listen_to(), cases[i].bytes, size);
        check_said(file, cases[i].json);
        assert_int_equal(text_is_safe(cases[i].bytes, size, ""),
                         strcmp(cases[i].bytes, cases[i].text) == 0);
    }
    say_text(file = listen_to(), "a\0b", 3);
    check_said(file, "a\\x00b");
    assert_true(text_is_safe("a\nb", 3, "\n"));
    assert_false(text_is_safe("a\nb\r", 4, "\n"));
    assert_false(text_is_safe("a\0b", 3, "\n"));
}

/* Every prefix of every byte pair: no input gives unsafe output. */
static void nothing_unsafe_comes_out(void **state)
{
    FILE *file;

    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b += 3) {
            const uint8_t bytes[] = {(uint8_t)a, (uint8_t)b, 0xe2, 0x80, (uint8_t)b, (uint8_t)a};

            say_text(file = listen_to(), bytes, sizeof bytes);
            assert_int_equal(fclose(file), 0);
            assert_true(text_is_safe(said, said_size, ""));
            free(said);
            say_json(file = listen_to(), bytes, sizeof bytes);
            assert_int_equal(fclose(file), 0);
            assert_true(text_is_safe(said, said_size, "\n\r\t"));
            free(said);
        }
}

static void it_formats_as_printf_does(void **state)
{
    char expected[256];
    FILE *file;

    (void)state;
#define CHECK(...)                                                                                 \
    do {                                                                                           \
        (void)snprintf(expected, sizeof expected, __VA_ARGS__);                                    \
        say(file = listen_to(), __VA_ARGS__);                                                      \
        check_said(file, expected);                                                                \
    } while (0)
    CHECK("nothing");
    CHECK("%d%% of %s\n", -5, "it");
    CHECK("[%-10s][%10s][%s]", "left", "right", "");
    CHECK("[%.3s][%-5.2s][%.*s][%-*s]", "abcdef", "xyz", 2, "qrs", 6, "w");
    CHECK("%u %u %x", 0u, 4294967295u, 0xdeadbeefu);
    CHECK("%d %d", -2147483647 - 1, 2147483647);
    CHECK("%" PRIu64 " %" PRId64 " %zu %ld %lld", UINT64_MAX, INT64_MIN, SIZE_MAX, -1L, -1LL);
    CHECK("[%5u][%-5d]", 42u, 42);
#undef CHECK
    say(file = listen_to(), "[%-6s]", "\x1b"); /* the width counts the input */
    check_said(file, "[\\x1b     ]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_others_does_nothing),
        cmocka_unit_test(nothing_unsafe_comes_out),
        cmocka_unit_test(it_formats_as_printf_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
