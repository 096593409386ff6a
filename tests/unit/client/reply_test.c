/* Texts: of replies, of JSON, of queries; and the names and data that evidence is compared with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouchsafe/vouchsafe.h>

#include "attest/attest.h"
#include "client/client.h"
#include "client/reply.h"

static void control_characters_become_question_marks(void **state)
{
    static const struct {
        const char *text, *printable;
    } cases[] = {
        {"plain text",       "plain text"   },
        {"a\x01\n\x1f\x7f~", "a????~"       },
        {"\xc2\x80",         "??"           },
        {"\xc2\x9f",         "??"           },
        {"\xc2\xa0",         "\xc2\xa0"     },
        {"\xc3\x80 \xc2",    "\xc3\x80 \xc2"},
        {"\xe2\x82\xac",     "\xe2\x82\xac" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[32];

        (void)snprintf(text, sizeof text, "%s", cases[i].text);
        text_make_printable(text);
        assert_string_equal(text, cases[i].printable);
    }
}

/* RFC 3986 section 2.3. */
static void queries_are_percent_encoded(void **state)
{
    struct buffer out = {0};

    (void)state;
    assert_int_equal(query_append(&out, "a", SPAN_LITERAL("azAZ09-._~")), ERR_NONE);
    assert_int_equal(query_append(&out, "&b", SPAN_LITERAL(" /:@[`{%+\xc3\xa9\x00")), ERR_NONE);
    assert_true(span_equal_string(buffer_span(&out),
                                  "a=azAZ09-._~&b=%20%2F%3A%40%5B%60%7B%25%2B%C3%A9%00"));
    buffer_clear(&out);
}

static void values_are_copied_out_of_json(void **state)
{
    static const char json[] = "{\"a\":\"x\\ty\",\"b\":[1,{\"c\":true}],\"d\":\"n\\u0000\"}";
    static const struct {
        const char *path, *value;
        enum vs_error e;
    } cases[] = {
        {"a",     "x\ty",             VS_OK           },
        {"b",     "[1,{\"c\":true}]", VS_OK           },
        {"b.0",   "1",                VS_OK           },
        {"b.1.c", "true",             VS_OK           },
        {"d",     "",                 VS_ERR_MALFORMED},
        {"e",     "",                 VS_ERR_NOT_FOUND},
        {"b.2",   "",                 VS_ERR_NOT_FOUND},
    };
    const struct vs_bytes document = {json, sizeof json - 1};
    char out[32];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        memset(out, 0, sizeof out);
        assert_int_equal(vs_json_get(document, cases[i].path, out, sizeof out), cases[i].e);
        assert_string_equal(out, cases[i].value);
    }
    assert_int_equal(vs_json_get(document, "a", out, 4), VS_OK);
    assert_int_equal(vs_json_get(document, "a", out, 3), VS_ERR_TOO_LARGE);
    assert_int_equal(vs_json_get(document, "b", out, 5), VS_ERR_TOO_LARGE);
    assert_int_equal(vs_json_get(document, "a", out, 0), VS_ERR_ARGUMENT);
    assert_int_equal(vs_json_get(document, NULL, out, 5), VS_ERR_ARGUMENT);
    assert_int_equal(vs_json_get((struct vs_bytes){"{", 1}, "a", out, 5), VS_ERR_MALFORMED);
}

static void statuses_are_bits_and_revoked_is_none(void **state)
{
    unsigned bit = 77;

    (void)state;
    assert_int_equal(vs_tcb_status_parse("Revoked", &bit), VS_ERR_MALFORMED);
    assert_int_equal(vs_tcb_status_parse("uptodate", &bit), VS_ERR_MALFORMED);
    assert_int_equal(vs_tcb_status_parse("", &bit), VS_ERR_MALFORMED);
    assert_int_equal(vs_tcb_status_parse(NULL, &bit), VS_ERR_ARGUMENT);
    assert_int_equal(vs_tcb_status_parse("UpToDate", NULL), VS_ERR_ARGUMENT);
    assert_int_equal(bit, 77);
    assert_int_equal(vs_tcb_status_parse("UpToDate", &bit), VS_OK);
    assert_int_equal(bit, 1u << TCB_UP_TO_DATE);
    assert_int_equal(vs_tcb_status_parse("OutOfDate", &bit), VS_OK);
    assert_int_equal(bit, VS_TCB_OUT_OF_DATE);
}

static void report_data_is_that_of_the_protocol(void **state)
{
    static const uint8_t large[UINT16_MAX + 1];
    const struct vs_bytes a = {"nonce", 5}, b = {"key", 3}, none = {0};
    const struct vs_bytes too_large = {large, sizeof large};
    uint8_t out[VS_REPORT_DATA_SIZE], expected[REPORT_DATA_SIZE];

    (void)state;
    report_data_bind("domain", SPAN_LITERAL("nonce"), SPAN_LITERAL("key"), (struct span){0},
                     expected);
    assert_int_equal(vs_report_data("domain", a, b, none, out), VS_OK);
    assert_memory_equal(out, expected, sizeof out);
    assert_int_equal(vs_report_data(NULL, a, b, none, out), VS_ERR_ARGUMENT);
    assert_int_equal(vs_report_data("domain", a, b, none, NULL), VS_ERR_ARGUMENT);
    assert_int_equal(vs_report_data("domain", too_large, b, none, out), VS_ERR_ARGUMENT);
    assert_int_equal(vs_report_data("domain", a, too_large, none, out), VS_ERR_ARGUMENT);
    assert_int_equal(vs_report_data("domain", a, b, too_large, out), VS_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_become_question_marks),
        cmocka_unit_test(queries_are_percent_encoded),
        cmocka_unit_test(values_are_copied_out_of_json),
        cmocka_unit_test(statuses_are_bits_and_revoked_is_none),
        cmocka_unit_test(report_data_is_that_of_the_protocol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
