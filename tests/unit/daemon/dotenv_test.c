#include "daemon/dotenv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

MUST_CHECK static enum err parse(const char *text, size_t size, char *copy, struct dotenv *out,
                                 unsigned *line)
{
    const char *why = NULL;
    enum err e;

    memcpy(copy, text, size);
    e = dotenv_parse(copy, size, out, line, &why);
    if (e != ERR_NONE)
        assert_non_null(why);
    return e;
}

static void values_as_they_are_meant(void **state)
{
    static const struct {
        const char *text;
        const char *value; /* of A; NULL: no such entry */
    } cases[] = {
        {"",                           NULL         },
        {"\n\n",                       NULL         },
        {"# A=1",                      NULL         },
        {"  # A=1\n",                  NULL         },
        {"A=1",                        "1"          },
        {"A=1\n",                      "1"          },
        {"A=1\r\n",                    "1"          },
        {"B=2\nA=1",                   "1"          },
        {"A=",                         ""           },
        {"A= ",                        ""           },
        {"A= # comment",               ""           },
        {"A=''",                       ""           },
        {"A=\"\"",                     ""           },
        {"  A = 1  ",                  "1"          },
        {"export A=1",                 "1"          },
        {"export\tA=1",                "1"          },
        {"A=1 # comment",              "1"          },
        {"A=1#2",                      "1#2"        },
        {"A=#1",                       "#1"         },
        {"A=a=b",                      "a=b"        },
        {"A='a b'",                    "a b"        },
        {"A='a # b' # c",              "a # b"      },
        {"A='$x \\n \"'",              "$x \\n \""  },
        {"A=\"a b\" # c",              "a b"        },
        {"A=\"\\n\\r\\t\\\\\\\"\\$\"", "\n\r\t\\\"$"},
        {"A=\"it's\"",                 "it's"       },
        {"A=\xc3\xa4",                 "\xc3\xa4"   },
        {"export=1\nA=2",              "2"          }, /* a variable may have that name */
    };
    static struct dotenv d;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char copy[64];
        unsigned line;

        assert_int_equal(parse(cases[i].text, strlen(cases[i].text), copy, &d, &line), ERR_NONE);
        if (cases[i].value)
            assert_string_equal(dotenv_find(&d, "A")->value, cases[i].value);
        else
            assert_null(dotenv_find(&d, "A"));
    }
}

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
    } cases[] = {
        {"A",                 1},
        {"\n\nA",             3},
        {"=1",                1},
        {"1A=1",              1},
        {"A-B=1",             1},
        {"A.B=1",             1},
        {"A B=1",             1},
        {"export",            1},
        {"export A",          1},
        {"export export A=1", 1},
        {"exportA 1",         1},
        {"A=a b",             1},
        {"A=a'b'",            1},
        {"A=a\"",             1},
        {"A=a\\",             1},
        {"A=$B",              1},
        {"A=a$",              1},
        {"A=\"$B\"",          1},
        {"A='1",              1},
        {"B=1\nA='1\n2'",     2},
        {"A=\"1",             1},
        {"A=\"1\n2\"",        1},
        {"A=\"1\\\"",         1},
        {"A=\"\\x41\"",       1},
        {"A=\"\\",            1},
        {"A='1'2",            1},
        {"A=\"1\"#2",         1},
        {"A='1''2'",          1},
        {"A=1\nB=2\nA=3",     3},
        {"A=1\nexport A=1",   2},
        {"A=\x01",            1},
        {"A=\x7f",            1},
        {"A=1\rB=2",          1},
        {"\xef\xbb\xbf"
         "A=1",      1},
    };
    static struct dotenv d;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char copy[64];
        unsigned line = 0;

        assert_int_equal(parse(cases[i].text, strlen(cases[i].text), copy, &d, &line),
                         ERR_MALFORMED);
        assert_int_equal(line, cases[i].line);
    }
}

static void a_nul_is_refused_wherever_it_is(void **state)
{
    static const char text[] = "A='b'\nC=\"d\" # e\n";
    static struct dotenv d;

    (void)state;
    for (size_t i = 0; i < sizeof text - 2; i++) {
        char changed[sizeof text];
        char copy[sizeof text];
        unsigned line;

        memcpy(changed, text, sizeof text);
        changed[i] = '\0';
        assert_int_equal(parse(changed, sizeof text - 1, copy, &d, &line), ERR_MALFORMED);
    }
}

static void names_and_entries_are_bounded(void **state)
{
    static char text[16 * (DOTENV_ENTRIES_MAX + 2)];
    static struct dotenv d;
    const char *why;
    unsigned line;
    size_t size = 0;

    (void)state;
    memset(text, 'A', DOTENV_NAME_MAX + 1);
    memcpy(text + DOTENV_NAME_MAX, "=1", 3);
    assert_int_equal(dotenv_parse(text, DOTENV_NAME_MAX + 2, &d, &line, &why), ERR_NONE);
    memset(text, 'A', DOTENV_NAME_MAX + 1);
    memcpy(text + DOTENV_NAME_MAX + 1, "=1", 3);
    assert_int_equal(dotenv_parse(text, DOTENV_NAME_MAX + 3, &d, &line, &why), ERR_MALFORMED);
    for (int i = 0; i <= DOTENV_ENTRIES_MAX; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "N%d=1\n", i);
    assert_int_equal(dotenv_parse(text, size, &d, &line, &why), ERR_TOO_LARGE);
    assert_int_equal(line, DOTENV_ENTRIES_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_as_they_are_meant),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(a_nul_is_refused_wherever_it_is),
        cmocka_unit_test(names_and_entries_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
