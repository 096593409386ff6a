/* Event logs; digests and registers were made with Python's hashlib. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/event_log.h"
#include "base/text.h"

#define COMPOSE_DIGEST                                                                             \
    "684ea6d1b6b0469d0c9199984424e1213d6ab0135943d0bf63f028be3068a55a60d977e9c667abc455051bac344d" \
    "f33b"
#define READY_DIGEST                                                                               \
    "1a76b2a80a0be71eae59f80945d876351a7a3fb8e9fd1ff1cede5734aa84ea11fd72b4edfbb6f04e5a85edd114c7" \
    "51bd"
#define RTMR3                                                                                      \
    "8ae1565673e67e8aa486d40f4049fef59661a719060922ea661458259c38c49eb35fc2b3ea70602d835e294962e4" \
    "f6d5"
#define EVENT(imr, type, digest, name, payload)                                                    \
    "{\"imr\":" imr ",\"event_type\":" type ",\"digest\":\"" digest "\",\"event\":\"" name         \
    "\",\"event_payload\":\"" payload "\"}"
#define COMPOSE EVENT("3", "134217729", COMPOSE_DIGEST, "compose-hash", "c0ffee")
#define READY EVENT("3", "134217729", READY_DIGEST, "system-ready", "")
#define GOOD "[" COMPOSE "," READY "]"

static void a_log_replays_to_its_registers(void **state)
{
    struct event_log log;
    struct td_report td = {0};

    (void)state;
    assert_int_equal(hex_read(span_string(RTMR3), td.rtmr[3], 48), ERR_NONE);
    assert_int_equal(event_log_parse(span_string(GOOD), &log), ERR_NONE);
    assert_int_equal(log.count, 2);
    for (unsigned i = 0; i < 4; i++)
        assert_true(event_log_matches(&log, i, &td));
    assert_false(event_log_matches(&log, 4, &td));
    assert_false(event_log_matches(&log, UINT32_MAX, &td));
    td.rtmr[3][47] ^= 1;
    assert_false(event_log_matches(&log, 3, &td));
    /* the order matters, and every event matters */
    td.rtmr[3][47] ^= 1;
    assert_int_equal(event_log_parse(span_string("[" READY "," COMPOSE "]"), &log), ERR_NONE);
    assert_false(event_log_matches(&log, 3, &td));
    assert_int_equal(event_log_parse(span_string("[" COMPOSE "]"), &log), ERR_NONE);
    assert_false(event_log_matches(&log, 3, &td));
    assert_int_equal(event_log_parse(span_string("[]"), &log), ERR_NONE);
    assert_false(event_log_matches(&log, 3, &td));
    assert_true(event_log_matches(&log, 0, &td)); /* zero: never extended */
}

static void events_are_read_in_order(void **state)
{
    struct event_log log;
    struct json_iterator i = {0};
    struct event event;

    (void)state;
    assert_int_equal(event_log_parse(span_string(GOOD), &log), ERR_NONE);
    assert_true(event_log_next(&log, &i, &event));
    assert_int_equal(event.rtmr, 3);
    assert_int_equal(event.type, EVENT_TYPE_RUNTIME);
    assert_true(span_equal_string(event.name, "compose-hash"));
    assert_true(span_equal_string(event.payload_hex, "c0ffee"));
    assert_true(event_proves_its_text(&event));
    assert_true(event_log_next(&log, &i, &event));
    assert_true(span_equal_string(event.name, "system-ready"));
    assert_true(event_proves_its_text(&event));
    assert_false(event_log_next(&log, &i, &event));
}

static void a_text_that_was_not_measured_proves_nothing(void **state)
{
    static const char *const logs[] = {
        "[" EVENT("3", "134217729", COMPOSE_DIGEST, "compose-hash", "c0ffef") "]",
        "[" EVENT("3", "134217729", COMPOSE_DIGEST, "compose-hash", "c0ff") "]",
        "[" EVENT("3", "134217729", COMPOSE_DIGEST, "compose-hash", "c0ffe") "]",
        "[" EVENT("3", "134217729", COMPOSE_DIGEST, "compose-hash", "xyz") "]",
        "[" EVENT("3", "134217729", COMPOSE_DIGEST, "compose-hash", "") "]",
        "[" EVENT("3", "134217729", COMPOSE_DIGEST, "compose-hasi", "c0ffee") "]",
        "[" EVENT("3", "134217729", COMPOSE_DIGEST, "", "c0ffee") "]",
        "[" EVENT("3", "134217730", COMPOSE_DIGEST, "compose-hash", "c0ffee") "]",
        "[" EVENT("3", "1", COMPOSE_DIGEST, "compose-hash", "c0ffee") "]",
        "[" EVENT("3", "134217729", READY_DIGEST, "compose-hash", "c0ffee") "]",
        "[" EVENT("3", "134217729", COMPOSE_DIGEST, "compose\\u002dhash", "c0ffee") "]",
        "[{\"imr\":3,\"event_type\":134217729,\"digest\":\"" COMPOSE_DIGEST "\"}]",
        /* SHA-384(type ":a:b:" "c") is also that of "a" with the payload "b:c" */
        "[" EVENT("3", "134217729",
                  "6b8fcb3d3a8ad50f724eec95e5969cadeefd64a11aae98907d6a2f6f80980e50afd52f63fd3fdb00"
                  "0f17764b99"
                  "d1c7f0",
                  "a:b", "63") "]",
    };

    (void)state;
    for (size_t n = 0; n < COUNT_OF(logs); n++) {
        struct json_iterator i = {0};
        struct event_log log;
        struct event event;

        assert_int_equal(event_log_parse(span_string(logs[n]), &log), ERR_NONE);
        assert_true(event_log_next(&log, &i, &event));
        assert_false(event_proves_its_text(&event));
    }
}

static void what_is_no_event_log_is_refused(void **state)
{
    static const char *const logs[] = {
        "",
        "{}",
        "null",
        "\"[]\"",
        "[",
        "[]]",
        "[1]",
        "[null]",
        "[[]]",
        "[{}]",
        "[" COMPOSE ",]",
        "[" EVENT("4", "1", COMPOSE_DIGEST, "", "") "]",
        "[" EVENT("-1", "1", COMPOSE_DIGEST, "", "") "]",
        "[" EVENT("3.0", "1", COMPOSE_DIGEST, "", "") "]",
        "[" EVENT("\"3\"", "1", COMPOSE_DIGEST, "", "") "]",
        "[" EVENT("3", "4294967296", COMPOSE_DIGEST, "", "") "]",
        "[" EVENT("3", "1", "", "", "") "]",
        "[" EVENT("3", "1", COMPOSE_DIGEST "00", "", "") "]",
        "[" EVENT("3", "1", RTMR3 "0", "", "") "]",
        "[{\"event_type\":1,\"digest\":\"" COMPOSE_DIGEST "\"}]",
        "[{\"imr\":1,\"digest\":\"" COMPOSE_DIGEST "\"}]",
        "[{\"imr\":1,\"event_type\":1}]",
        "[{\"imr\":1,\"imr\":2,\"event_type\":1,\"digest\":\"" COMPOSE_DIGEST "\"}]",
        "[{\"imr\":1,\"event_type\":1,\"digest\":\"" COMPOSE_DIGEST "\",\"event\":5}]",
        "[{\"imr\":1,\"event_type\":1,\"digest\":\"" COMPOSE_DIGEST "\",\"event_payload\":[]}]",
    };

    (void)state;
    for (size_t n = 0; n < COUNT_OF(logs); n++) {
        struct event_log log = {.count = 77};

        assert_int_not_equal(event_log_parse(span_string(logs[n]), &log), ERR_NONE);
        assert_int_equal(log.count, 77);
    }
}

static void every_prefix_is_refused(void **state)
{
    static const char good[] = GOOD;

    (void)state;
    for (size_t size = 0; size < sizeof good - 1; size++) {
        char *copy = malloc(size + 1); /* exact size, so that a sanitizer finds reads beyond it */
        struct event_log log;

        assert_non_null(copy);
        memcpy(copy, good, size);
        assert_int_not_equal(event_log_parse(span_of(copy, size), &log), ERR_NONE);
        free(copy);
    }
}

static void there_are_limits(void **state)
{
    struct buffer text = {0};
    struct event_log log;

    (void)state;
    for (size_t i = 0; i < EVENT_LOG_EVENTS_MAX; i++)
        assert_int_equal(
            buffer_append_string(
                &text, i ? ",{\"imr\":0,\"event_type\":1,\"digest\":\"" COMPOSE_DIGEST "\"}"
                         : "[{\"imr\":0,\"event_type\":1,\"digest\":\"" COMPOSE_DIGEST "\"}"),
            ERR_NONE);
    assert_int_equal(buffer_append_string(&text, "]"), ERR_NONE);
    assert_int_equal(event_log_parse(buffer_span(&text), &log), ERR_NONE);
    assert_int_equal(log.count, EVENT_LOG_EVENTS_MAX);
    text.size--;
    assert_int_equal(buffer_append_string(&text, "," COMPOSE "]"), ERR_NONE);
    assert_int_equal(event_log_parse(buffer_span(&text), &log), ERR_TOO_LARGE);
    assert_int_equal(buffer_reserve(&text, EVENT_LOG_MAX), ERR_NONE);
    memset(text.data, ' ', EVENT_LOG_MAX + 1);
    text.data[EVENT_LOG_MAX - 1] = '[';
    text.data[EVENT_LOG_MAX] = ']';
    assert_int_equal(event_log_parse(span_of(text.data, EVENT_LOG_MAX + 1), &log), ERR_TOO_LARGE);
    assert_int_equal(event_log_parse(span_of(text.data + 1, EVENT_LOG_MAX), &log), ERR_NONE);
    buffer_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_replays_to_its_registers),
        cmocka_unit_test(events_are_read_in_order),
        cmocka_unit_test(a_text_that_was_not_measured_proves_nothing),
        cmocka_unit_test(what_is_no_event_log_is_refused),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(there_are_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
