#include "codec/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct problems problems;

/* In a block of exact size, so that a sanitizer detects reads beyond it. */
MUST_CHECK static enum err read_bytes(const void *bytes, size_t size, struct yaml_file **out)
{
    char *copy = malloc(size ? size : 1);
    enum err e;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    problems_clear(&problems);
    e = yaml_open(span_of(copy, size), "test.yaml", &problems, out);
    free(copy);
    return e;
}

static struct yaml_file *read_good(const char *text)
{
    struct yaml_file *y = NULL;

    assert_int_equal(read_bytes(text, strlen(text), &y), ERR_NONE);
    return y;
}

static void assert_problem(const char *part)
{
    if (problems.count == 0 || !strstr(problems.items[0].text, part))
        fail_msg("\"%s\" does not say \"%s\"", problems.count ? problems.items[0].text : "", part);
}

static void assert_text(size_t i, const char *text)
{
    assert_in_range(i, 0, problems.count - 1);
    assert_string_equal(problems.items[i].text, text);
}

static const struct yaml_node *at(const struct yaml_file *y, const char *a, const char *b)
{
    const struct yaml_node *n = yaml_member(yaml_root(y), a);

    return b ? yaml_member(n, b) : n;
}

static void every_node_knows_its_place(void **state)
{
    struct yaml_file *y = read_good("# a comment\n"
                                    "server:\n"
                                    "  host: \"::1\"\n"
                                    "  port:   8081\n"
                                    "tokens:\n"
                                    "- {name: a,\n"
                                    "   sha256: 00}\n"
                                    "- name: b\n"
                                    "  sha256:\n"
                                    "    \"11\"\n");
    const struct yaml_node *second = at(y, "tokens", NULL)->first->next;
    const struct yaml_node *hash = yaml_member(second, "sha256");
    char path[YAML_PATH_SIZE];

    (void)state;
    assert_int_equal(problems_err(&problems), ERR_NONE);
    assert_int_equal(yaml_root(y)->count, 2);
    assert_int_equal(at(y, "server", "port")->line, 4);
    assert_int_equal(at(y, "server", "port")->column, 3);
    assert_false(at(y, "server", "port")->quoted);
    assert_true(at(y, "server", "host")->quoted);
    assert_string_equal(at(y, "server", "host")->text, "::1");
    assert_int_equal(at(y, "tokens", NULL)->kind, YAML_LIST);
    assert_int_equal(second->line, 8);
    assert_int_equal(hash->line, 9); /* of its key */
    assert_string_equal(hash->text, "11");
    yaml_path(hash, path);
    assert_string_equal(path, "tokens[1].sha256");
    yaml_path(yaml_root(y), path);
    assert_string_equal(path, "");
    assert_null(yaml_member(second, "role"));
    assert_null(yaml_member(hash, "sha256"));
    assert_null(yaml_member(NULL, "sha256"));
    yaml_close(&y);
    assert_null(y);
    yaml_close(&y);
}

static void nothing_at_all_is_a_file_without_values(void **state)
{
    static const char *const texts[] = {"", "\n", "# a comment\n", "---\n...\n"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct yaml_file *y = read_good(texts[i]);

        assert_true(!yaml_root(y) || !*yaml_root(y)->text);
        assert_int_equal(problems_err(&problems), ERR_NONE);
        yaml_close(&y);
    }
}

static void what_hides_the_rest_gives_no_tree(void **state)
{
    static const struct {
        const char *yaml;
        const char *text;
    } cases[] = {
        {"a: {b: 1\n",
         "test.yaml:2: a: not YAML at column 1: did not find expected ',' or '}', while parsing a "
         "flow mapping that begins on line 1"                                                        },
        {"a:\n  - b\n c: 1\n",
         "test.yaml:3: not YAML at column 2: did not find expected key, while parsing a block "
         "mapping that begins on line 1"                                                             },
        {"a: \"b\n",
         "test.yaml:2: not YAML at column 1: found unexpected end of stream, while scanning a "
         "quoted scalar that begins on line 1"                                                       },
        {"a: 1\n---\nb: 2\n",    "test.yaml:2: a second document begins here; the file must hold one"},
        {"a: 1\n...\nb: 2\n",
         "test.yaml:3: not YAML at column 1: did not find expected <document start>"                 },
        {"b:\n  ? [a]\n  : 1\n", "test.yaml:2: b: a key must be a text, not a list or a mapping"     },
        {"'': 1\n",              "test.yaml:1: a key must have 1 to 95 characters"                   },
        {"\"a\\0b\": 1\n",       "test.yaml:1: a key must have 1 to 95 characters"                   },
        {"a: 1\nb: \x01\n",
         "test.yaml:2: a control character or byte order mark (0x01); save the file as UTF-8 "
         "without byte order mark"                                                                   },
        {"\xef\xbb\xbf"
         "a: 1\n",      "test.yaml:1: a control character or byte order mark (0xef); save the file as UTF-8 "
         "without byte order mark"                                        },
        {"\xff\xfe"
         "a",           "test.yaml:1: a control character or byte order mark (0xff); save the file as UTF-8 "
         "without byte order mark"                                             },
        {"a: \xc3\x28\n",        "test.yaml: not UTF-8 at byte 4: invalid trailing UTF-8 octet"      },
        {"*x: 1\n",              "test.yaml:1: aliases (*x) are not allowed; write the value"        },
        {"\tb: 1\n",
         "test.yaml:1: not YAML at column 1: found character that cannot start any token, while "
         "scanning for the next token that begins on line 1"                                         },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct yaml_file *y = NULL;

        assert_int_equal(read_bytes(cases[i].yaml, strlen(cases[i].yaml), &y), ERR_CONFIG);
        assert_null(y);
        assert_int_equal(problems.count, 1);
        assert_text(0, cases[i].text);
    }
}

static void a_nul_byte_is_refused(void **state)
{
    struct yaml_file *y = NULL;

    (void)state;
    assert_int_equal(read_bytes("a: b\0c\n", 7, &y), ERR_CONFIG);
    assert_non_null(strstr(problems.items[0].text, "control character"));
}

static void other_faults_are_all_named_and_the_rest_is_read(void **state)
{
    struct yaml_file *y = read_good("%YAML 1.1\n"
                                    "---\n"
                                    "a: &x 1\n"
                                    "b: *x\n"
                                    "c: !!str 2\n"
                                    "a: 3\n"
                                    "d: [!t e]\n"
                                    "f: {g: 1, g: {a: 1, a: 2}}\n"
                                    "h: \"i\\0j\"\n"
                                    "good: 7\n");

    (void)state;
    assert_text(0, "test.yaml:1: directives (%) are not allowed; remove them");
    assert_text(1, "test.yaml:3: anchors (&x) are not allowed; write the value");
    assert_text(2, "test.yaml:4: aliases (*x) are not allowed; write the value");
    assert_text(3, "test.yaml:5: tags (tag:yaml.org,2002:str) are not allowed; remove it");
    assert_text(4, "test.yaml:6: a: given twice, first on line 3; remove one of the two");
    assert_text(5, "test.yaml:7: d: tags (!t) are not allowed; remove it");
    assert_text(6, "test.yaml:8: f.g: given twice, first on line 8; remove one of the two");
    assert_text(7, "test.yaml:8: f.g.a: given twice, first on line 8; remove one of the two");
    assert_text(8, "test.yaml:9: h: contains a NUL character; remove it");
    assert_int_equal(problems.count, 9);
    assert_int_equal(problems_err(&problems), ERR_CONFIG);
    assert_int_equal(yaml_number(at(y, "good", NULL), 0, 9, 0), 7);
    assert_int_equal(yaml_number(at(y, "a", NULL), 0, 9, 5), 5); /* faulty: not checked again */
    assert_string_equal(yaml_text(at(y, "b", NULL), 0, 9, "else"), "else");
    assert_string_equal(at(y, "h", NULL)->text, ""); /* nothing that ends at its NUL */
    assert_int_equal(problems.count, 9);
    yaml_close(&y);
}

/* `count` copies of `part` between `head` and `tail`. */
static char *repeated(const char *head, const char *part, size_t count, const char *tail)
{
    struct buffer text = {0};

    assert_int_equal(buffer_append_string(&text, head), ERR_NONE);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buffer_append_string(&text, part), ERR_NONE);
    assert_int_equal(buffer_append_string(&text, tail), ERR_NONE);
    assert_int_equal(buffer_append(&text, span_of("", 1)), ERR_NONE);
    return (char *)text.data;
}

static void every_limit_is_one(void **state)
{
    static const struct {
        const char *head, *part, *tail;
        size_t most; /* copies of `part` */
        const char *why;
    } cases[] = {
        {"a: ",  "[",  "",    YAML_DEPTH_MAX - 1,     "nested deeper than 16 levels"              },
        {"",     "- ", "",    YAML_DEPTH_MAX,         "nested deeper than 16 levels"              },
        {"a: [", "b,", "]",   YAML_NODES_MAX - 3,     "more than 65536 keys and values"           },
        {"a: ",  "b",  "",    YAML_TEXT_MAX,          "longer than 4096 bytes"                    },
        {"",     "a",  ": b", YAML_PATH_SIZE / 2 - 1, "a key must have 1 to 95 characters"        },
        {"#",    "a",  "",    YAML_SIZE_MAX - 1,      "1048577 bytes; at most 1048576 are allowed"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t beyond = 0; beyond < 2; beyond++) {
            char *text =
                repeated(cases[i].head, cases[i].part, cases[i].most + beyond, cases[i].tail);
            struct yaml_file *y = NULL;
            enum err e = read_bytes(text, strlen(text), &y);

            if (beyond == 0) /* "[[[[" is not closed, but not too deep */
                assert_true(problems.count == 0 || strstr(problems.items[0].text, "not YAML"));
            else
                assert_problem(cases[i].why);
            assert_true(e == ERR_NONE || problems.count > 0);
            assert_true(e == ERR_NONE ? y != NULL : y == NULL);
            if (i == COUNT_OF(cases) - 1) /* a file that is too large is not read at all */
                assert_int_equal(e, beyond ? ERR_CONFIG : ERR_NONE);
            yaml_close(&y);
            free(text);
        }
    }
}

static void a_mapping_has_so_many_members(void **state)
{
    (void)state;
    for (size_t beyond = 0; beyond < 2; beyond++) {
        struct buffer text = {0};
        struct yaml_file *y = NULL;

        for (size_t i = 0; i < YAML_MEMBERS_MAX + beyond; i++)
            assert_int_equal(buffer_printf(&text, "k%zu: 1\n", i), ERR_NONE);
        assert_int_equal(read_bytes(text.data, text.size, &y), beyond ? ERR_CONFIG : ERR_NONE);
        yaml_close(&y);
        buffer_clear(&text);
    }
}

static void a_number_has_one_spelling(void **state)
{
    static const struct {
        const char *value;
        uint64_t number; /* 99: refused */
    } cases[] = {
        {"2",                       2 },
        {"50",                      50},
        {"1",                       99},
        {"51",                      99},
        {"02",                      99},
        {"+2",                      99},
        {"-2",                      99},
        {"2.0",                     99},
        {"0x2",                     99},
        {"0o2",                     99},
        {"2e1",                     99},
        {"1_0",                     99},
        {"\"2\"",                   99},
        {"'2'",                     99},
        {"",                        99},
        {"~",                       99},
        {"null",                    99},
        {"two",                     99},
        {"[2]",                     99},
        {"{a: 2}",                  99},
        {"18446744073709551618",    99},
        {"99999999999999999999999", 99},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[64];
        struct yaml_file *y;

        (void)snprintf(text, sizeof text, "a: %s\n", cases[i].value);
        y = read_good(text);
        assert_int_equal(yaml_number(at(y, "a", NULL), 2, 50, 99), cases[i].number);
        assert_int_equal(problems.count, cases[i].number == 99);
        if (problems.count > 0)
            assert_non_null(strstr(problems.items[0].text, "a whole number from 2 to 50"));
        yaml_close(&y);
    }
}

static void a_truth_value_has_one_spelling(void **state)
{
    static const char *const bad[] = {"True", "TRUE", "yes", "on", "1", "\"true\"", "", "[true]"};
    struct yaml_file *y = read_good("a: true\nb: false\n");

    (void)state;
    assert_true(yaml_bool(at(y, "a", NULL), false));
    assert_false(yaml_bool(at(y, "b", NULL), true));
    assert_true(yaml_bool(at(y, "c", NULL), true));
    assert_int_equal(problems.count, 0);
    yaml_close(&y);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "a: %s\n", bad[i]);
        y = read_good(text);
        assert_false(yaml_bool(at(y, "a", NULL), false));
        assert_non_null(strstr(problems.items[0].text, "true or false"));
        yaml_close(&y);
    }
}

static void texts_lists_and_mappings_are_checked(void **state)
{
    struct yaml_file *y = read_good("a: abc\nb:\nc: \"\"\nd: [1, 2]\ne: {f: 1}\ng: \"a\\nb\"\n");

    (void)state;
    assert_string_equal(yaml_text(at(y, "a", NULL), 1, 3, NULL), "abc");
    assert_string_equal(yaml_text(at(y, "c", NULL), 0, 3, NULL), "");
    assert_string_equal(yaml_text(at(y, "z", NULL), 0, 3, "else"), "else");
    assert_non_null(yaml_list(at(y, "d", NULL), 1, 2));
    assert_non_null(yaml_mapping(at(y, "e", NULL)));
    assert_null(yaml_list(NULL, 1, 2));
    assert_null(yaml_mapping(NULL));
    assert_int_equal(problems.count, 0);
    assert_null(yaml_text(at(y, "a", NULL), 4, 9, NULL));
    assert_null(yaml_text(at(y, "b", NULL), 0, 9, NULL));
    assert_null(yaml_text(at(y, "c", NULL), 1, 9, NULL));
    assert_null(yaml_text(at(y, "g", NULL), 1, 9, NULL));
    assert_null(yaml_list(at(y, "d", NULL), 3, 4));
    assert_null(yaml_list(at(y, "e", NULL), 0, 4));
    assert_null(yaml_required(yaml_root(y), "z"));
    assert_null(yaml_required(at(y, "e", NULL), "z"));
    assert_null(yaml_mapping(yaml_member(at(y, "e", NULL), "f")));
    assert_text(0,
                "test.yaml:1: a: \"abc\" is not allowed; it must be a text of 4 to 9 characters");
    assert_text(1, "test.yaml:2: b: no value is not allowed; it must be a text of 0 to 9 "
                   "characters (\"\" is the empty text)");
    assert_text(2, "test.yaml:3: c: \"\" is not allowed; it must be a text of 1 to 9 characters");
    assert_text(3,
                "test.yaml:6: g: \"a?b\" is not allowed; it must be a text of 1 to 9 characters");
    assert_text(4, "test.yaml:4: d: a list of 2; it must have 3 to 4 elements");
    assert_text(5, "test.yaml:5: e: a mapping is not allowed; it must be a list");
    assert_text(6, "test.yaml:1: z: missing; it must be given");
    /* e is faulty by now; its missing members are still reported */
    assert_text(7, "test.yaml:5: e.z: missing; it must be given");
    assert_text(8,
                "test.yaml:5: e.f: \"1\" is not allowed; it must be a mapping of keys to values");
    assert_int_equal(problems.count, 9);
    yaml_close(&y);
}

static void a_choice_and_a_key_are_guessed(void **state)
{
    static const struct yaml_choice choices[] = {
        {"off",         1},
        {"self-signed", 2},
        {NULL,          0}
    };
    static const char *const known[] = {"host", "port", "idle_timeout_ms"};
    struct yaml_file *y = read_good("a: self-signed\nb: selfsigned\nc: maybe\nd: [off]\n"
                                    "e: {hots: 1, idle-timeout-ms: 2, port: 3, x: 4}\n");

    (void)state;
    assert_int_equal(yaml_choice(at(y, "a", NULL), choices, 0), 2);
    assert_int_equal(yaml_choice(at(y, "z", NULL), choices, 7), 7);
    assert_int_equal(problems.count, 0);
    assert_int_equal(yaml_choice(at(y, "b", NULL), choices, 7), 7);
    assert_int_equal(yaml_choice(at(y, "c", NULL), choices, 7), 7);
    assert_int_equal(yaml_choice(at(y, "d", NULL), choices, 7), 7);
    yaml_known(at(y, "e", NULL), known, COUNT_OF(known));
    yaml_known(NULL, known, COUNT_OF(known));
    yaml_known(at(y, "d", NULL), known, COUNT_OF(known));
    assert_text(0, "test.yaml:2: b: \"selfsigned\" is not allowed; it must be one of off, "
                   "self-signed; did you mean self-signed?");
    assert_text(1, "test.yaml:3: c: \"maybe\" is not allowed; it must be one of off, self-signed");
    assert_text(2, "test.yaml:4: d: a list is not allowed; it must be one of off, self-signed");
    assert_text(3, "test.yaml:5: e.hots: unknown setting; did you mean host?; allowed here: host, "
                   "port, idle_timeout_ms");
    assert_text(4, "test.yaml:5: e.idle-timeout-ms: unknown setting; did you mean "
                   "idle_timeout_ms?; allowed here: host, port, idle_timeout_ms");
    assert_text(5, "test.yaml:5: e.x: unknown setting; allowed here: host, port, idle_timeout_ms");
    assert_int_equal(problems.count, 6);
    yaml_close(&y);
}

static void a_fault_is_named_once(void **state)
{
    struct yaml_file *y = read_good("a: 1\n");

    (void)state;
    yaml_blame(at(y, "a", NULL), "%s", "first");
    yaml_blame(at(y, "a", NULL), "%s", "second");
    yaml_blame_member(yaml_root(y), "a", "%s", "third");
    yaml_blame_member(yaml_root(y), "b", "%s", "fourth");
    assert_int_equal(problems.count, 2);
    assert_text(0, "test.yaml:1: a: first");
    assert_text(1, "test.yaml:1: b: fourth");
    yaml_close(&y);
}

static void every_prefix_is_read_or_explained(void **state)
{
    static const char text[] = "tee:\n  provider: none\nserver: {host: \"::1\", port: 80}\n"
                               "tokens:\n- {name: a, sha256: 'x'}\n- name: |\n    b\n    c\n";

    (void)state;
    for (size_t size = 0; size < sizeof text; size++) {
        struct yaml_file *y = NULL;
        enum err e = read_bytes(text, size, &y);

        assert_true(e == ERR_NONE || (e == ERR_CONFIG && problems.count == 1));
        yaml_close(&y);
    }
}

static int stop(void **state)
{
    (void)state;
    problems_clear(&problems);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_knows_its_place),
        cmocka_unit_test(nothing_at_all_is_a_file_without_values),
        cmocka_unit_test(what_hides_the_rest_gives_no_tree),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(other_faults_are_all_named_and_the_rest_is_read),
        cmocka_unit_test(every_limit_is_one),
        cmocka_unit_test(a_mapping_has_so_many_members),
        cmocka_unit_test(a_number_has_one_spelling),
        cmocka_unit_test(a_truth_value_has_one_spelling),
        cmocka_unit_test(texts_lists_and_mappings_are_checked),
        cmocka_unit_test(a_choice_and_a_key_are_guessed),
        cmocka_unit_test(a_fault_is_named_once),
        cmocka_unit_test(every_prefix_is_read_or_explained),
    };

    return cmocka_run_group_tests(tests, NULL, stop);
}
