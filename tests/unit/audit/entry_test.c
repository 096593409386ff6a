#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "audit/entry.h"

#define REQUEST "0192f0c8-1234-7abc-8def-0123456789ab"

static struct audit_entry full_entry(void)
{
    return (struct audit_entry){
        .time = {1795302000123},
        .request_id = SPAN_LITERAL(REQUEST),
        .op = SPAN_LITERAL("open"),
        .code = SPAN_LITERAL("denied"),
        .rule = SPAN_LITERAL("policy:worker"),
        .key = SPAN_LITERAL("repo/a"),
        .key_version = 3,
        .principal = SPAN_LITERAL("worker:3f2a"),
        .auth = SPAN_LITERAL("bearer"),
        .tee = SPAN_LITERAL("sgx"),
        .has_claims = true,
        .claims = {0xab},
        .task = SPAN_LITERAL("task-7"),
        .detail = SPAN_LITERAL("{\"expected\":\"a\",\"presented\":[1,2]}"),
        .simulated = true,
    };
}

static struct span write_entry(const struct audit_entry *entry, uint8_t out[AUDIT_ENTRY_MAX])
{
    struct writer w = writer_over(out, AUDIT_ENTRY_MAX);

    assert_int_equal(audit_entry_write(entry, &w), ERR_NONE);
    return span_of(w.data, w.size);
}

static void members_stand_in_the_order_of_the_header(void **state)
{
    static const char expected[] =
        "{\"v\":1,\"time\":\"2026-11-21T23:00:00.123Z\",\"request_id\":\"" REQUEST
        "\",\"op\":\"open\",\"decision\":\"deny\",\"code\":\"denied\",\"rule\":\"policy:worker\","
        "\"key\":\"repo/a\",\"key_version\":3,\"principal\":\"worker:3f2a\",\"auth\":\"bearer\","
        "\"tee\":\"sgx\",\"claims\":"
        "\"ab00000000000000000000000000000000000000000000000000000000000000\","
        "\"task\":\"task-7\",\"detail\":{\"expected\":\"a\",\"presented\":[1,2]},"
        "\"simulated\":true}";
    uint8_t bytes[AUDIT_ENTRY_MAX];
    struct audit_entry entry = full_entry();
    struct span line = write_entry(&entry, bytes);

    (void)state;
    assert_int_equal(line.size, sizeof expected - 1);
    assert_memory_equal(line.data, expected, line.size);
}

static void empty_members_are_absent(void **state)
{
    struct audit_entry entry = {.time = {0}, .op = SPAN_LITERAL("start"), .allowed = true};
    uint8_t bytes[AUDIT_ENTRY_MAX];
    struct span line = write_entry(&entry, bytes);

    (void)state;
    assert_true(span_equal_string(line, "{\"v\":1,\"time\":\"1970-01-01T00:00:00.000Z\","
                                        "\"op\":\"start\",\"decision\":\"allow\"}"));
}

static void the_view_gives_the_written_values(void **state)
{
    struct audit_entry entry = full_entry();
    uint8_t bytes[AUDIT_ENTRY_MAX];
    struct audit_entry_view view;

    (void)state;
    assert_int_equal(audit_entry_view(write_entry(&entry, bytes), &view), ERR_NONE);
    assert_int_equal(view.time.ms, entry.time.ms);
    assert_true(span_equal_string(view.request_id, REQUEST));
    assert_true(span_equal_string(view.op, "open"));
    assert_true(span_equal_string(view.decision, "deny"));
    assert_true(span_equal_string(view.code, "denied"));
    assert_true(span_equal_string(view.principal, "worker:3f2a"));
    assert_int_equal(view.tenant.size, 0);
}

/* Version 2 is version 1 with a tenant; a reader takes both, and no third form. */
static void an_entry_with_a_tenant_is_of_version_2(void **state)
{
    static const char head[] = "{\"v\":2,\"time\":\"2026-11-21T23:00:00.123Z\",";
    static const char caller[] = "\"tenant\":\"acme\",\"principal\":\"worker:3f2a\",";
    struct audit_entry entry = full_entry();
    uint8_t bytes[AUDIT_ENTRY_MAX];
    struct audit_entry_view view;
    struct span line;

    (void)state;
    entry.tenant = SPAN_LITERAL("acme");
    line = write_entry(&entry, bytes);
    assert_memory_equal(line.data, head, sizeof head - 1);
    assert_non_null(memmem(line.data, line.size, caller, sizeof caller - 1));
    assert_int_equal(audit_entry_view(line, &view), ERR_NONE);
    assert_true(span_equal_string(view.tenant, "acme"));
    assert_true(span_equal_string(view.principal, "worker:3f2a"));
    bytes[5] = '1';
    assert_int_equal(audit_entry_view(line, &view), ERR_MALFORMED);
    bytes[5] = '3';
    assert_int_equal(audit_entry_view(line, &view), ERR_MALFORMED);
    entry.tenant = (struct span){0};
    line = write_entry(&entry, bytes);
    assert_int_equal(audit_entry_view(line, &view), ERR_NONE);
    bytes[5] = '2';
    assert_int_equal(audit_entry_view(line, &view), ERR_MALFORMED);
}

/* For all texts, the entry is one line of JSON that other readers accept. */
static void hostile_texts_stay_inside_their_string(void **state)
{
    static const struct span texts[] = {
        {(const uint8_t *)"\",\"decision\":\"allow\",\"x\":\"", 26},
        {(const uint8_t *)"a\nb\r\tc",                          7 },
        {(const uint8_t *)"\0\x01\x1f\x7f",                     4 },
        {(const uint8_t *)"\xff\xfe\xc0\x80",                   4 },
        {(const uint8_t *)"\xed\xa0\x80",                       3 },
        {(const uint8_t *)"\\\\\"\\u0000",                      9 },
        {(const uint8_t *)"\xe2\x80\xa8",                       3 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct audit_entry entry = full_entry();
        uint8_t bytes[AUDIT_ENTRY_MAX];
        struct audit_entry_view view;
        struct span line;
        json_t *json;

        entry.key = entry.task = entry.principal = entry.rule = texts[i];
        line = write_entry(&entry, bytes);
        assert_null(memchr(line.data, '\n', line.size));
        json = json_loadb((const char *)line.data, line.size,
                          JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        assert_non_null(json);
        assert_string_equal(json_string_value(json_object_get(json, "decision")), "deny");
        assert_int_equal(json_object_size(json), 16);
        json_decref(json);
        assert_int_equal(audit_entry_view(line, &view), ERR_NONE);
        assert_true(span_equal_string(view.decision, "deny"));
    }
}

static void a_detail_that_is_no_line_of_json_becomes_text(void **state)
{
    static const char *const details[] = {"{",     "{}}", "{\"a\":1,\n\"b\":2}",
                                          "[1]\r", "x",   "{\"a\":1,\"a\":2}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(details); i++) {
        struct audit_entry entry = full_entry();
        uint8_t bytes[AUDIT_ENTRY_MAX];
        struct span line;
        json_t *json;

        entry.detail = span_string(details[i]);
        line = write_entry(&entry, bytes);
        assert_null(memchr(line.data, '\n', line.size));
        json = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, NULL);
        assert_string_equal(json_string_value(json_object_get(json, "detail")), details[i]);
        json_decref(json);
    }
}

/* An entry may have just AUDIT_ENTRY_MAX bytes. */
static void the_largest_entry_is_still_one(void **state)
{
    static uint8_t bytes[AUDIT_ENTRY_MAX + 64];
    static char detail[AUDIT_ENTRY_MAX];
    struct audit_entry entry = full_entry();
    struct writer w = writer_over(bytes, sizeof bytes);
    struct audit_entry_view view;
    size_t room;

    (void)state;
    entry.detail = SPAN_LITERAL("\"\"");
    assert_int_equal(audit_entry_write(&entry, &w), ERR_NONE);
    room = AUDIT_ENTRY_MAX - w.size + 2;
    memset(detail, 'd', sizeof detail);
    detail[0] = detail[room - 1] = '"';
    entry.detail = span_of(detail, room);
    w = writer_over(bytes, sizeof bytes);
    assert_int_equal(audit_entry_write(&entry, &w), ERR_NONE);
    assert_int_equal(w.size, AUDIT_ENTRY_MAX);
    assert_int_equal(audit_entry_view(span_of(bytes, w.size), &view), ERR_NONE);
    detail[room - 1] = 'd';
    detail[room] = '"';
    entry.detail = span_of(detail, room + 1);
    w = writer_over(bytes, sizeof bytes);
    assert_int_equal(audit_entry_write(&entry, &w), ERR_TOO_LARGE);
}

static void long_texts_are_cut_between_characters(void **state)
{
    static const char *const fillers[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fillers); i++) {
        for (size_t shift = 0; shift < 4; shift++) {
            struct audit_entry entry = {.op = SPAN_LITERAL("x")};
            uint8_t text[2 * AUDIT_TEXT_MAX];
            uint8_t bytes[AUDIT_ENTRY_MAX];
            size_t size = shift;
            struct span line;
            json_t *json;
            const char *got;

            memset(text, 'x', shift);
            for (; size + 4 < sizeof text; size += strlen(fillers[i]))
                memcpy(text + size, fillers[i], strlen(fillers[i]));
            entry.task = span_of(text, size);
            line = write_entry(&entry, bytes);
            json = json_loadb((const char *)line.data, line.size, 0, NULL);
            assert_non_null(json);
            got = json_string_value(json_object_get(json, "task"));
            assert_in_range(strlen(got), AUDIT_TEXT_MAX - 3, AUDIT_TEXT_MAX);
            assert_string_equal(got + strlen(got) - 3, "...");
            assert_memory_equal(got, text, strlen(got) - 3);
            json_decref(json);
        }
    }
}

static void a_text_of_the_longest_size_is_kept(void **state)
{
    struct audit_entry entry = {.op = SPAN_LITERAL("x")};
    uint8_t text[AUDIT_TEXT_MAX + 1];
    uint8_t bytes[AUDIT_ENTRY_MAX];

    (void)state;
    memset(text, 'y', sizeof text);
    entry.task = span_of(text, AUDIT_TEXT_MAX);
    write_entry(&entry, bytes);
    assert_non_null(memmem(bytes, sizeof bytes, text, AUDIT_TEXT_MAX));
    memset(bytes, 0, sizeof bytes);
    entry.task = span_of(text, AUDIT_TEXT_MAX + 1);
    write_entry(&entry, bytes);
    assert_null(memmem(bytes, sizeof bytes, text, AUDIT_TEXT_MAX));
}

static void what_does_not_fit_is_an_error(void **state)
{
    struct audit_entry entry = full_entry();
    uint8_t bytes[4 * AUDIT_ENTRY_MAX];
    uint8_t controls[AUDIT_TEXT_MAX] = {0};
    struct writer w;
    size_t size = write_entry(&entry, bytes).size;

    (void)state;
    for (size_t capacity = 0; capacity < size; capacity++) {
        w = writer_over(bytes, capacity);
        assert_int_equal(audit_entry_write(&entry, &w), ERR_TOO_LARGE);
    }
    /* six bytes for each of these: beyond AUDIT_ENTRY_MAX even where there is room */
    entry.key = entry.task = SPAN_OF(controls);
    w = writer_over(bytes, sizeof bytes);
    assert_int_equal(audit_entry_write(&entry, &w), ERR_TOO_LARGE);
}

static void every_prefix_of_an_entry_is_refused(void **state)
{
    struct audit_entry entry = full_entry();
    uint8_t bytes[AUDIT_ENTRY_MAX];
    struct span line = write_entry(&entry, bytes);
    struct audit_entry_view view;

    (void)state;
    for (size_t size = 0; size < line.size; size++)
        assert_int_equal(audit_entry_view(span_of(line.data, size), &view), ERR_MALFORMED);
}

static void what_is_no_entry_is_refused(void **state)
{
#define TIME "\"time\":\"2026-11-21T23:00:00.123Z\""
    static const char *const lines[] = {
        "",
        "null",
        "[]",
        "{}",
        "1",
        "{\"v\":1}",
        "{\"v\":1," TIME "}",
        "{" TIME ",\"decision\":\"deny\"}",
        "{\"v\":2," TIME ",\"decision\":\"deny\"}",
        "{\"v\":\"1\"," TIME ",\"decision\":\"deny\"}",
        "{\"v\":1.0," TIME ",\"decision\":\"deny\"}",
        "{\"v\":1,\"time\":\"yesterday\",\"decision\":\"deny\"}",
        "{\"v\":1,\"time\":1,\"decision\":\"deny\"}",
        "{\"v\":1," TIME ",\"decision\":\"maybe\"}",
        "{\"v\":1," TIME ",\"decision\":true}",
        "{\"v\":1," TIME ",\"decision\":\"deny\",\"decision\":\"allow\"}",
        "{\"v\":1," TIME ",\"decision\":\"deny\",\"request_id\":7}",
        "{\"v\":1," TIME ",\"decision\":\"deny\",\"op\":{}}",
        "{\"v\":1," TIME ",\"decision\":\"deny\"}\n{}",
    };
    struct audit_entry_view view = {.time = {42}};
    char line[AUDIT_ENTRY_MAX + 2];
    static const char good[] = "{\"v\":1," TIME ",\"decision\":\"deny\"}";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_int_equal(audit_entry_view(span_string(lines[i]), &view), ERR_MALFORMED);
    assert_int_equal(view.time.ms, 42);
    assert_int_equal(audit_entry_view(span_string(good), &view), ERR_NONE);
    (void)snprintf(line, sizeof line, "%-*s", AUDIT_ENTRY_MAX + 1, good);
    assert_int_equal(audit_entry_view(span_string(line), &view), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_stand_in_the_order_of_the_header),
        cmocka_unit_test(empty_members_are_absent),
        cmocka_unit_test(the_view_gives_the_written_values),
        cmocka_unit_test(an_entry_with_a_tenant_is_of_version_2),
        cmocka_unit_test(hostile_texts_stay_inside_their_string),
        cmocka_unit_test(a_detail_that_is_no_line_of_json_becomes_text),
        cmocka_unit_test(the_largest_entry_is_still_one),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(a_text_of_the_longest_size_is_kept),
        cmocka_unit_test(what_does_not_fit_is_an_error),
        cmocka_unit_test(every_prefix_of_an_entry_is_refused),
        cmocka_unit_test(what_is_no_entry_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
