#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json.h"

/* A copy of exact size, so that a sanitizer sees the first byte read beyond it. */
static uint8_t *exact_copy(struct span bytes)
{
    uint8_t *copy = malloc(bytes.size ? bytes.size : 1);

    assert_non_null(copy);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return copy;
}

MUST_CHECK static enum err parse_at(struct span document, enum json_type *type, size_t *offset)
{
    uint8_t *copy = exact_copy(document);
    struct json_value value;
    enum err e = json_parse(span_of(copy, document.size), &value, offset);

    if (e == ERR_NONE)
        *type = value.type;
    free(copy);
    return e;
}

static struct json_value parse(const char *text)
{
    struct json_value value;

    assert_int_equal(json_parse(span_string(text), &value, NULL), ERR_NONE);
    return value;
}

static void test_accepts_every_kind_of_value(void **state)
{
    static const struct {
        const char *text;
        enum json_type type;
    } cases[] = {
        {"null",                                       JSON_NULL  },
        {"true",                                       JSON_TRUE  },
        {"false",                                      JSON_FALSE },
        {" \t\r\n null \t\r\n ",                       JSON_NULL  },
        {"0",                                          JSON_NUMBER},
        {"-0",                                         JSON_NUMBER},
        {"-12.50e+10",                                 JSON_NUMBER},
        {"1E-2",                                       JSON_NUMBER},
        {"\"\"",                                       JSON_STRING},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",      JSON_STRING},
        {"\"\\ud83d\\uDE00\"",                         JSON_STRING},
        {"\"\xc2\x80 \xe0\xa0\x80 \xed\x9f\xbf\"",     JSON_STRING},
        {"\"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf \x7f\"", JSON_STRING},
        {"[]",                                         JSON_ARRAY },
        {"[ ]",                                        JSON_ARRAY },
        {"[1,\"a\",null,[true],{}]",                   JSON_ARRAY },
        {"{}",                                         JSON_OBJECT},
        {"{ \"a\" : 1 , \"b\" : { \"a\" : 2 } }",      JSON_OBJECT},
        {"{\"\":0}",                                   JSON_OBJECT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum json_type type = JSON_NULL;

        assert_int_equal(parse_at(span_string(cases[i].text), &type, NULL), ERR_NONE);
        assert_int_equal(type, cases[i].type);
    }
}

static void test_refuses_input_that_is_not_json_and_names_the_place(void **state)
{
    static const struct {
        const char *text;
        size_t offset;
    } cases[] = {
        {"",                                              0 },
        {" ",                                             1 },
        {"nul",                                           3 },
        {"nulL",                                          3 },
        {"True",                                          0 },
        {"NaN",                                           0 },
        {"Infinity",                                      0 },
        {"-",                                             1 },
        {"+1",                                            0 },
        {"01",                                            1 },
        {"-01",                                           2 },
        {".5",                                            0 },
        {"1.",                                            2 },
        {"1.e1",                                          2 },
        {"1e",                                            2 },
        {"1e+",                                           3 },
        {"0x10",                                          1 },
        {"--1",                                           1 },
        {"1 2",                                           2 },
        {"{}{}",                                          2 },
        {"null x",                                        5 },
        {"\xef\xbb\xbfnull",                              0 }, /* byte order mark */
        {"'a'",                                           0 },
        {"\"",                                            1 },
        {"\"a",                                           2 },
        {"\"\\",                                          1 },
        {"\"\\\"",                                        3 },
        {"\"\\a\"",                                       1 },
        {"\"\\U0041\"",                                   1 },
        {"\"\\u004\"",                                    1 },
        {"\"\\u00g0\"",                                   1 },
        {"\"\\u00:0\"",                                   1 },
        {"\"\\u@000\"",                                   1 },
        {"\"\\u+041\"",                                   1 },
        {"\"\\ud800\"",                                   1 }, /* lone surrogates */
        {"\"\\udc00\"",                                   1 },
        {"\"\\ud800\\n\"",                                1 },
        {"\"\\ud800\\u0041\"",                            1 },
        {"\"\\ud800\\ud800\"",                            1 },
        {"\"\\udc00\\ud800\"",                            1 },
        {"\"\\ud800x\\udc00\"",                           1 },
        {"\"a\tb\"",                                      2 },
        {"\"a\x1f\"",                                     2 },
        {"\"12345678\n\"",                                9 },
        {"\"\x80\"",                                      1 },
        {"\"\xc0\x80\"",                                  1 }, /* overlong */
        {"\"\xc1\xbf\"",                                  1 },
        {"\"\xe0\x9f\xbf\"",                              1 },
        {"\"\xf0\x8f\xbf\xbf\"",                          1 },
        {"\"\xed\xa0\x80\"",                              1 }, /* a surrogate */
        {"\"\xf4\x90\x80\x80\"",                          1 }, /* above U+10FFFF */
        {"\"\xf5\x80\x80\x80\"",                          1 },
        {"\"\xff\"",                                      1 },
        {"\"\xe2\x82\"",                                  1 },
        {"\"\xe2(\xa1\"",                                 1 },
        {"\"\xf0\x9f\x98\"",                              1 },
        {"\"\xf0\x9f\x98",                                1 },
        {"[",                                             1 },
        {"]",                                             0 },
        {"[1",                                            2 },
        {"[1,]",                                          3 },
        {"[,1]",                                          1 },
        {"[1 2]",                                         3 },
        {"[1}",                                           2 },
        {"[1,2",                                          4 },
        {"{",                                             1 },
        {"{1:2}",                                         1 },
        {"{a:2}",                                         1 },
        {"{\"a\"}",                                       4 },
        {"{\"a\":}",                                      5 },
        {"{\"a\":1",                                      6 },
        {"{\"a\":1,}",                                    7 },
        {"{,}",                                           1 },
        {"{\"a\":1]",                                     6 },
        {"{\"a\" 1}",                                     5 },
        {"{\"a\"::1}",                                    5 },
        {"{\"a\":1 \"b\":2}",                             7 },
        {"[1,/**/2]",                                     3 },
        {"[1]//",                                         3 },
 /* duplicate members, with every spelling */
        {"{\"a\":1,\"a\":2}",                             7 },
        {"{\"a\":1,\"b\":2,\"a\":3}",                     13},
        {"{\"a\":1,\"\\u0061\":2}",                       7 },
        {"{\"\\u002f\":1,\"\\/\":2}",                     12},
        {"{\"\":1,\"\":2}",                               6 },
        {"{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", 18},
        {"[{\"a\":{\"b\":1,\"b\":2}}]",                   13},
        {"{\"a\":{\"b\":1},\"a\":2}",                     13},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum json_type type;
        size_t offset = 999;

        if (parse_at(span_string(cases[i].text), &type, &offset) != ERR_MALFORMED ||
            offset != cases[i].offset)
            fail_msg("%s: offset %zu", cases[i].text, offset);
    }
}

static void test_refuses_nul_bytes_everywhere(void **state)
{
    static const char *const texts[] = {"{\"a\": 1 }", "\"abcdefghij\"", "[1, true]"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        size_t size = strlen(texts[i]);

        for (size_t at = 0; at <= size; at++) {
            uint8_t bytes[32];
            enum json_type type;

            memcpy(bytes, texts[i], at);
            bytes[at] = 0;
            memcpy(bytes + at + 1, texts[i] + at, size - at);
            assert_int_equal(parse_at(span_of(bytes, size + 1), &type, NULL), ERR_MALFORMED);
        }
    }
}

static void test_refuses_every_prefix(void **state)
{
    static const char text[] =
        "{\"evidence\":{\"kind\":\"sgx\",\"quote\":\"AAEC+/==\",\"n\":[1,-2.5e3,true,null]},"
        "\"na\\u00efve \\ud83d\\ude00 \xc3\xa9\":\"\\\"\\\\\",\"empty\":{}}";

    (void)state;
    for (size_t size = 0; size < sizeof text - 1; size++) {
        enum json_type type;

        assert_int_equal(parse_at(span_of(text, size), &type, NULL), ERR_MALFORMED);
    }
    assert_int_equal(parse(text).type, JSON_OBJECT);
}

/* An escape at any place in a name of any length; and different names are not duplicates. */
static void test_finds_duplicates_behind_escapes(void **state)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz";

    (void)state;
    for (int size = 1; size <= 26; size++) {
        for (int at = 0; at < size; at++) {
            char text[128];
            enum json_type type;

            (void)snprintf(text, sizeof text, "{\"%.*s\":0,\"%.*s\\u%04x%.*s\":0}", size, name, at,
                           name, (unsigned)name[at], size - at - 1, name + at + 1);
            assert_int_equal(parse_at(span_string(text), &type, NULL), ERR_MALFORMED);
            (void)snprintf(text, sizeof text, "{\"%.*s\":0,\"%.*s\\u%04x%.*s\":0}", size, name, at,
                           name, (unsigned)name[at] ^ 0x20u, size - at - 1, name + at + 1);
            assert_int_equal(parse_at(span_string(text), &type, NULL), ERR_NONE);
        }
    }
}

static void test_failure_leaves_the_result_unchanged(void **state)
{
    struct json_value value = {JSON_STRING, SPAN_LITERAL("untouched")};

    (void)state;
    assert_int_equal(json_parse(SPAN_LITERAL("[1"), &value, NULL), ERR_MALFORMED);
    assert_int_equal(value.type, JSON_STRING);
    assert_true(span_equal_string(value.raw, "untouched"));
    assert_int_equal(json_parse((struct span){0}, &value, NULL), ERR_MALFORMED);
}

MUST_CHECK static enum err parse_nested(size_t depth, char open, char close)
{
    char text[2 * (JSON_DEPTH_MAX + 1)];
    enum json_type type;

    memset(text, open, depth);
    memset(text + depth, close, depth);
    return parse_at(span_of(text, 2 * depth), &type, NULL);
}

static void test_limits_depth(void **state)
{
    char text[6 * (JSON_DEPTH_MAX + 1) + 1] = "";
    struct writer w = writer_over(text, sizeof text);
    enum json_type type;

    (void)state;
    assert_int_equal(parse_nested(JSON_DEPTH_MAX, '[', ']'), ERR_NONE);
    assert_int_equal(parse_nested(JSON_DEPTH_MAX + 1, '[', ']'), ERR_TOO_LARGE);
    for (size_t i = 0; i < JSON_DEPTH_MAX + 1; i++)
        writer_put(&w, SPAN_LITERAL("{\"a\":"));
    assert_int_equal(parse_at(span_of(text, w.size), &type, NULL), ERR_TOO_LARGE);
}

/* {"0":0,"1":1,...} or [0,1,...] of `count`. */
MUST_CHECK static enum err parse_many(size_t count, bool object)
{
    struct buffer text = {0};
    enum json_type type;
    enum err e;

    assert_int_equal(buffer_append_string(&text, object ? "{" : "["), ERR_NONE);
    for (size_t i = 0; i < count; i++) {
        const char *comma = i ? "," : "";

        e = object ? buffer_printf(&text, "%s\"%zu\":%zu", comma, i, i)
                   : buffer_printf(&text, "%s%zu", comma, i);
        assert_int_equal(e, ERR_NONE);
    }
    assert_int_equal(buffer_append_string(&text, object ? "}" : "]"), ERR_NONE);
    e = parse_at(buffer_span(&text), &type, NULL);
    buffer_clear(&text);
    return e;
}

static void test_limits_members_and_elements(void **state)
{
    (void)state;
    assert_int_equal(parse_many(JSON_MEMBERS_MAX, true), ERR_NONE);
    assert_int_equal(parse_many(JSON_MEMBERS_MAX + 1, true), ERR_TOO_LARGE);
    assert_int_equal(parse_many(JSON_ELEMENTS_MAX, false), ERR_NONE);
    assert_int_equal(parse_many(JSON_ELEMENTS_MAX + 1, false), ERR_TOO_LARGE);
}

/* The limits apply to each container: siblings do not add up. */
static void test_full_objects_nest_to_the_full_depth(void **state)
{
    struct buffer text = {0};
    enum json_type type;

    (void)state;
    for (size_t depth = 0; depth < JSON_DEPTH_MAX; depth++) {
        assert_int_equal(buffer_append_string(&text, "{"), ERR_NONE);
        for (size_t i = 0; i + 1 < JSON_MEMBERS_MAX; i++)
            assert_int_equal(buffer_printf(&text, "\"m%zu\":{\"x\":[]},", i), ERR_NONE);
        assert_int_equal(buffer_append_string(&text, "\"last\":"), ERR_NONE);
        if (depth + 1 == JSON_DEPTH_MAX)
            text.size -= strlen("\"last\":") + 1;
    }
    for (size_t depth = 0; depth < JSON_DEPTH_MAX; depth++)
        assert_int_equal(buffer_append_string(&text, "}"), ERR_NONE);
    /* the members of the innermost object are containers themselves, one level too deep */
    assert_int_equal(parse_at(buffer_span(&text), &type, NULL), ERR_TOO_LARGE);
    for (uint8_t *at = text.data;
         (at = memmem(at, text.size - (size_t)(at - text.data), "{\"x\":[]}", 8)) != NULL;)
        memcpy(at, "       0", 8);
    assert_int_equal(parse_at(buffer_span(&text), &type, NULL), ERR_NONE);
    buffer_clear(&text);
}

static void test_finds_members(void **state)
{
    struct json_value object =
        parse(" {\"a\":1,\"b\" : [\"}\", {\"a\":2}] ,\"\\u0063\\n\":\"x\\\"y\", \"d\":{} } ");
    static const struct {
        const char *name;
        const char *raw;
        enum json_type type;
    } cases[] = {
        {"a",   "1",                  JSON_NUMBER},
        {"b",   "[\"}\", {\"a\":2}]", JSON_ARRAY },
        {"c\n", "\"x\\\"y\"",         JSON_STRING},
        {"d",   "{}",                 JSON_OBJECT},
    };
    static const char *const missing[] = {"", "A", "aa", "c", "\\u0063\\n", "x", "}"};
    struct json_value value = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(json_member(object, cases[i].name, &value), ERR_NONE);
        assert_int_equal(value.type, cases[i].type);
        assert_true(span_equal_string(value.raw, cases[i].raw));
    }
    for (size_t i = 0; i < COUNT_OF(missing); i++)
        assert_int_equal(json_member(object, missing[i], &value), ERR_NOT_FOUND);
    assert_int_equal(json_member(parse("[\"a\",1]"), "a", &value), ERR_MALFORMED);
    assert_int_equal(json_member(parse("\"a\""), "a", &value), ERR_MALFORMED);
}

static void test_walks_containers_in_order(void **state)
{
    struct json_value array = parse("[ 1 ,\"a,]\", [2,3] , {\"k\":4},null ]");
    static const char *const raws[] = {"1", "\"a,]\"", "[2,3]", "{\"k\":4}", "null"};
    struct json_value object = parse("{ \"a\" :1, \"b\\\"\":{\"c\":[]} }");
    struct json_iterator i = {0};
    struct json_value name;
    struct json_value value;

    (void)state;
    for (size_t k = 0; k < COUNT_OF(raws); k++) {
        assert_true(json_next(array, &i, NULL, &value));
        assert_true(span_equal_string(value.raw, raws[k]));
    }
    assert_false(json_next(array, &i, NULL, &value));
    assert_false(json_next(array, &i, NULL, &value));

    i = (struct json_iterator){0};
    assert_true(json_next(object, &i, &name, &value));
    assert_true(span_equal_string(name.raw, "\"a\""));
    assert_int_equal(name.type, JSON_STRING);
    assert_true(json_next(object, &i, &name, &value));
    assert_true(span_equal_string(name.raw, "\"b\\\"\""));
    assert_true(span_equal_string(value.raw, "{\"c\":[]}"));
    assert_false(json_next(object, &i, &name, &value));
}

static void test_counts_elements_and_members(void **state)
{
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {
        {"[]",                        0},
        {"[ ]",                       0},
        {"{ }",                       0},
        {"[[1,2],[3]]",               2},
        {"[[]]",                      1},
        {"{\"a\":{\"b\":1,\"c\":2}}", 1},
        {"{\"a\":[1,2],\"b\":2}",     2},
        {"\"[1,2]\"",                 0},
        {"12",                        0},
        {"null",                      0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(json_count(parse(cases[i].text)), cases[i].count);
}

static void test_reads_an_object_by_a_table(void **state)
{
    struct json_value name;
    struct json_value flag;
    struct json_value note = {JSON_TRUE, SPAN_LITERAL("old")};
    const struct json_field fields[] = {
        {"name", JSON_STRING, true,  &name},
        {"flag", JSON_TRUE,   true,  &flag},
        {"note", JSON_OBJECT, false, &note},
    };
    static const struct {
        const char *text;
        bool allow_unknown;
        const char *bad; /* NULL when it is accepted */
    } cases[] = {
        {"{\"name\":\"n\",\"flag\":false}",                    false, NULL  },
        {"{\"flag\":true,\"n\\u0061me\":\"n\",\"note\":null}", false, NULL  },
        {"{\"name\":\"n\",\"flag\":true,\"note\":{}}",         false, NULL  },
        {"{\"x\":1,\"name\":\"n\",\"flag\":true}",             true,  NULL  },
        {"{\"x\":1,\"name\":\"n\",\"flag\":true}",             false, ""    },
        {"{\"name\":\"n\",\"flag\":true,\"Note\":{}}",         false, ""    },
        {"{}",                                                 false, "name"},
        {"{\"name\":\"n\"}",                                   false, "flag"},
        {"{\"flag\":true}",                                    true,  "name"},
        {"{\"name\":null,\"flag\":true}",                      false, "name"},
        {"{\"name\":1,\"flag\":true}",                         false, "name"},
        {"{\"name\":\"n\",\"flag\":\"true\"}",                 false, "flag"},
        {"{\"name\":\"n\",\"flag\":null}",                     false, "flag"},
        {"{\"name\":\"n\",\"flag\":true,\"note\":[]}",         false, "note"},
        {"{\"name\":\"n\",\"flag\":true,\"note\":false}",      false, "note"},
        {"[]",                                                 false, ""    },
        {"\"name\"",                                           true,  ""    },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *bad = NULL;
        enum err e;

        name = (struct json_value){JSON_NULL, SPAN_LITERAL("old")};
        e = json_object_read(parse(cases[i].text), fields, COUNT_OF(fields), cases[i].allow_unknown,
                             &bad);
        assert_int_equal(e, cases[i].bad ? ERR_MALFORMED : ERR_NONE);
        if (cases[i].bad)
            assert_string_equal(bad, cases[i].bad);
        assert_true(span_equal_string(name.raw, cases[i].bad ? "old" : "\"n\""));
    }
    assert_int_equal(
        json_object_read(parse("{\"name\":\"n\",\"flag\":false}"), fields, 3, false, NULL),
        ERR_NONE);
    assert_int_equal(flag.type, JSON_FALSE);
    assert_int_equal(note.type, JSON_NULL);
    assert_int_equal(note.raw.size, 0);
    assert_int_equal(json_object_read(parse("{}"), fields, 3, false, NULL), ERR_MALFORMED);
}

static void test_unescapes_strings(void **state)
{
    static const struct {
        const char *text;
        struct span expected;
    } cases[] = {
        {"\"\"",                             {(const uint8_t *)"", 0}                                    },
        {"\"abc\"",                          {(const uint8_t *)"abc", 3}                                 },
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",   {(const uint8_t *)"\"\\/\b\f\n\r\t", 8}                     },
        {"\"a\\u0000b\"",                    {(const uint8_t *)"a\0b", 3}                                },
        {"\"\\u007f\\u0080\\u07FF\\u0800\"",
         {(const uint8_t *)"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80", 8}                                        },
        {"\"\\uffff\\ud7ff\\ue000\"",        {(const uint8_t *)"\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80", 9}},
        {"\"\\ud800\\udc00\\uDBFF\\uDFFF\"",
         {(const uint8_t *)"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8}                                        },
        {"\"x\\\\u0041\xc3\xa9\"",           {(const uint8_t *)"x\\u0041\xc3\xa9", 9}                    },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_value value = parse(cases[i].text);
        uint8_t out[16];
        size_t size = 99;

        assert_int_equal(json_string(value, out, cases[i].expected.size, &size), ERR_NONE);
        assert_true(span_equal(span_of(out, size), cases[i].expected));
        for (size_t short_of = 0; short_of < cases[i].expected.size; short_of++) {
            memset(out, 0xaa, sizeof out);
            size = 99;
            assert_int_equal(json_string(value, out, short_of, &size), ERR_TOO_LARGE);
            assert_int_equal(size, 99);
            assert_int_equal(out[0], 0xaa);
        }
    }
}

static void test_string_readers_refuse_other_types(void **state)
{
    static const char *const texts[] = {"null", "true", "12", "[\"a\"]", "{\"a\":\"a\"}"};
    struct span plain = {0};
    uint8_t out[16];
    size_t size;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(json_string(parse(texts[i]), out, sizeof out, &size), ERR_MALFORMED);
        assert_int_equal(json_string_plain(parse(texts[i]), &plain), ERR_MALFORMED);
        assert_false(json_string_equal(parse(texts[i]), texts[i]));
    }
    assert_int_equal(json_string_plain(parse("\"a\\n\""), &plain), ERR_MALFORMED);
    assert_int_equal(json_string_plain(parse("\"\\u0041\""), &plain), ERR_MALFORMED);
    assert_null(plain.data);
    assert_int_equal(json_string_plain(parse("\"a \xc3\xa9\""), &plain), ERR_NONE);
    assert_true(span_equal_string(plain, "a \xc3\xa9"));
    assert_int_equal(json_string_plain(parse("\"\""), &plain), ERR_NONE);
    assert_int_equal(plain.size, 0);
}

static void test_compares_strings_by_their_contents(void **state)
{
    static const struct {
        const char *text;
        const char *other;
        bool equal;
    } cases[] = {
        {"\"abc\"",       "abc",     true },
        {"\"\\u0061bc\"", "abc",     true },
        {"\"ab\\u0063\"", "abc",     true },
        {"\"\"",          "",        true },
        {"\"a\\nb\"",     "a\nb",    true },
        {"\"abc\"",       "ab",      false},
        {"\"ab\"",        "abc",     false},
        {"\"abc\"",       "abC",     false},
        {"\"\"",          "a",       false},
        {"\"a\"",         "",        false},
        {"\"a\\u0000\"",  "a",       false}, /* a NUL inside does not end the comparison */
        {"\"\\u0000\"",   "",        false},
        {"\"a\\u0000b\"", "a",       false},
        {"\"\\u0061\"",   "\\u0061", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(json_string_equal(parse(cases[i].text), cases[i].other), cases[i].equal);
}

static void test_reads_whole_numbers_within_range(void **state)
{
    static const struct {
        const char *text;
        bool is_int64;
        int64_t signed_value;
        bool is_uint64;
        uint64_t unsigned_value;
    } cases[] = {
        {"0",                          true,  0,         true,  0                      },
        {"7",                          true,  7,         true,  7                      },
        {"-1",                         true,  -1,        false, 0                      },
        {"9223372036854775807",        true,  INT64_MAX, true,  INT64_MAX              },
        {"9223372036854775808",        false, 0,         true,  (uint64_t)INT64_MAX + 1},
        {"-9223372036854775808",       true,  INT64_MIN, false, 0                      },
        {"-9223372036854775809",       false, 0,         false, 0                      },
        {"18446744073709551615",       false, 0,         true,  UINT64_MAX             },
        {"18446744073709551616",       false, 0,         false, 0                      },
        {"99999999999999999999999999", false, 0,         false, 0                      },
        {"-0",                         false, 0,         false, 0                      },
        {"1.0",                        false, 0,         false, 0                      },
        {"1e2",                        false, 0,         false, 0                      },
        {"1E2",                        false, 0,         false, 0                      },
        {"-1.5",                       false, 0,         false, 0                      },
        {"\"1\"",                      false, 0,         false, 0                      },
        {"true",                       false, 0,         false, 0                      },
        {"null",                       false, 0,         false, 0                      },
        {"[1]",                        false, 0,         false, 0                      },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_value value = parse(cases[i].text);
        int64_t s = 42;
        uint64_t u = 42;

        assert_int_equal(json_int64(value, &s), cases[i].is_int64 ? ERR_NONE : ERR_MALFORMED);
        assert_true(s == (cases[i].is_int64 ? cases[i].signed_value : 42));
        assert_int_equal(json_uint64(value, &u), cases[i].is_uint64 ? ERR_NONE : ERR_MALFORMED);
        assert_true(u == (cases[i].is_uint64 ? cases[i].unsigned_value : 42));
    }
}

static void write_sample(struct json_writer *j)
{
    static const uint8_t bytes[] = {0x00, 0xff, 0x10, 0xab};

    json_open_object(j, NULL);
    json_put_string(j, "status", SPAN_LITERAL("ok"));
    json_open_array(j, "list");
    json_put_int(j, NULL, INT64_MIN);
    json_put_int(j, NULL, INT64_MAX);
    json_put_bool(j, NULL, true);
    json_put_null(j, NULL);
    json_open_object(j, NULL);
    json_close_object(j);
    json_open_array(j, NULL);
    json_close_array(j);
    json_close_array(j);
    json_put_hex(j, "hex", SPAN_OF(bytes));
    json_put_hex(j, "no\"hex", (struct span){0});
    json_put_base64(j, "base64", SPAN_OF(bytes));
    json_put_base64(j, "none", (struct span){0});
    json_put_string(j, "empty", (struct span){0});
    json_put_bool(j, "no", false);
    json_put_raw(j, "raw", SPAN_LITERAL("{\"x\":1}"));
    json_close_object(j);
}

static const char sample[] =
    "{\"status\":\"ok\",\"list\":[-9223372036854775808,9223372036854775807,true,null,{},[]],"
    "\"hex\":\"00ff10ab\",\"no\\\"hex\":\"\",\"base64\":\"AP8Qqw==\",\"none\":\"\",\"empty\":\"\","
    "\"no\":false,\"raw\":{\"x\":1}}";

static void test_writes_compact_json(void **state)
{
    char out[sizeof sample - 1];
    struct writer w = writer_over(out, sizeof out);
    struct json_writer j = json_writer_over(&w);
    struct span text;

    (void)state;
    write_sample(&j);
    assert_int_equal(writer_finish(&w, &text), ERR_NONE);
    assert_int_equal(text.size, sizeof sample - 1);
    assert_memory_equal(text.data, sample, text.size);
    assert_int_equal(parse(sample).type, JSON_OBJECT);
}

static void test_writer_reports_every_lack_of_room(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < sizeof sample - 1; capacity++) {
        uint8_t *out = exact_copy((struct span){(const uint8_t *)sample, capacity});
        struct writer w = writer_over(out, capacity);
        struct json_writer j = json_writer_over(&w);

        write_sample(&j);
        assert_int_equal(writer_finish(&w, NULL), ERR_TOO_LARGE);
        free(out);
    }
}

static void test_writer_escapes(void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"plain text longer than a word",        "\"plain text longer than a word\""       },
        {"\"\\/",                                "\"\\\"\\\\/\""                           },
        {"\b\f\n\r\t",                           "\"\\b\\f\\n\\r\\t\""                     },
        {"\x01\x0b\x1f\x7f",                     "\"\\u0001\\u000b\\u001f\x7f\""           },
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"a\x80z",                               "\"a\xef\xbf\xbdz\""                      },
        {"\xc0\xaf",                             "\"\xef\xbf\xbd\xef\xbf\xbd\""            },
        {"\xed\xa0\x80",                         "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xe2\x82",                             "\"\xef\xbf\xbd\xef\xbf\xbd\""            },
        {"\xe2\"\x82",                           "\"\xef\xbf\xbd\\\"\xef\xbf\xbd\""        },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[64];
        struct writer w = writer_over(out, sizeof out);
        struct json_writer j = json_writer_over(&w);
        struct span text;

        json_put_string(&j, NULL, span_string(cases[i].text));
        assert_int_equal(writer_finish(&w, &text), ERR_NONE);
        assert_true(span_equal_string(text, cases[i].expected));
    }
}

/* parse(write(x)) == x for every one- and two-byte string that is UTF-8, and NUL. */
static void test_written_values_read_back(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 0x800; c++) {
        uint8_t bytes[3] = {(uint8_t)c, '|', 'x'};
        char out[32];
        struct writer w = writer_over(out, sizeof out);
        struct json_writer j = json_writer_over(&w);
        struct json_value value;
        struct span text;
        uint8_t back[8];
        size_t size;

        if (c >= 0x80) {
            bytes[0] = (uint8_t)(0xc0 | c >> 6);
            bytes[1] = (uint8_t)(0x80 | (c & 0x3f));
        }
        json_put_string(&j, NULL, SPAN_OF(bytes));
        assert_int_equal(writer_finish(&w, &text), ERR_NONE);
        assert_int_equal(json_parse(text, &value, NULL), ERR_NONE);
        assert_int_equal(json_string(value, back, sizeof back, &size), ERR_NONE);
        assert_int_equal(size, sizeof bytes);
        assert_memory_equal(back, bytes, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts_every_kind_of_value),
        cmocka_unit_test(test_refuses_input_that_is_not_json_and_names_the_place),
        cmocka_unit_test(test_refuses_nul_bytes_everywhere),
        cmocka_unit_test(test_refuses_every_prefix),
        cmocka_unit_test(test_finds_duplicates_behind_escapes),
        cmocka_unit_test(test_failure_leaves_the_result_unchanged),
        cmocka_unit_test(test_limits_depth),
        cmocka_unit_test(test_limits_members_and_elements),
        cmocka_unit_test(test_full_objects_nest_to_the_full_depth),
        cmocka_unit_test(test_finds_members),
        cmocka_unit_test(test_walks_containers_in_order),
        cmocka_unit_test(test_counts_elements_and_members),
        cmocka_unit_test(test_reads_an_object_by_a_table),
        cmocka_unit_test(test_unescapes_strings),
        cmocka_unit_test(test_string_readers_refuse_other_types),
        cmocka_unit_test(test_compares_strings_by_their_contents),
        cmocka_unit_test(test_reads_whole_numbers_within_range),
        cmocka_unit_test(test_writes_compact_json),
        cmocka_unit_test(test_writer_reports_every_lack_of_room),
        cmocka_unit_test(test_writer_escapes),
        cmocka_unit_test(test_written_values_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
