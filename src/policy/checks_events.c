/* Events that the log of a TDX guest must prove. */
#include "policy/checks.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* One "NAME=HEX" of a rule. */
struct wanted_event {
    struct span name, payload_hex;
};

static struct wanted_event wanted_event_at(const struct appraisal_check *c, size_t i)
{
    struct span text = policy_value_at(c->rule, FIELD_ID_EVENTS, i);
    const uint8_t *equals = memchr(text.data, '=', text.size);
    const size_t name_size = equals ? (size_t)(equals - text.data) : text.size;

    return (struct wanted_event){span_slice(text, 0, name_size),
                                 span_slice(text, name_size + 1, text.size)};
}

/* Digits of either case against digits in lower case. */
static bool payload_is(struct span presented, struct span wanted)
{
    uint8_t a[POLICY_TEXT_MAX / 2];
    uint8_t b[POLICY_TEXT_MAX / 2];
    const size_t size = wanted.size / 2;

    return presented.size == wanted.size && size <= sizeof a &&
           hex_read(presented, a, size) == ERR_NONE && hex_read(wanted, b, size) == ERR_NONE &&
           span_equal(span_of(a, size), span_of(b, size));
}

static bool event_is_wanted(const struct appraisal_check *c, const struct event *event)
{
    for (size_t i = 0; i < c->value->count; i++) {
        struct wanted_event wanted = wanted_event_at(c, i);

        if (span_equal(wanted.name, event->name) &&
            payload_is(event->payload_hex, wanted.payload_hex))
            return true;
    }
    return false;
}

static bool deny_event(const struct appraisal_check *c, struct span name, struct span payload_hex)
{
    char text[160];
    char list[sizeof c->denial->expected - 32] = "";

    for (size_t i = 0; i < c->value->count; i++) {
        struct span value = policy_value_at(c->rule, FIELD_ID_EVENTS, i);

        (void)snprintf(text, sizeof text, "%.*s", (int)value.size, (const char *)value.data);
        join(list, sizeof list, text);
    }
    (void)snprintf(text, sizeof text, "%.*s%s%.*s", (int)(name.size < 64 ? name.size : 64),
                   (const char *)name.data, payload_hex.data ? "=" : " is missing",
                   (int)(payload_hex.size < 80 ? payload_hex.size : 80),
                   payload_hex.data ? (const char *)payload_hex.data : "");
    return check_deny(c, list, text);
}

/*
 * Every event of that name must be one that is wanted: an application can have events of its own
 * measured later, under any name, and must not be able to correct what was measured before it.
 */
static bool event_proved(const struct appraisal_check *c, struct span name)
{
    struct json_iterator i = {0};
    struct event event;
    bool found = false;

    while (event_log_next(c->log, &i, &event)) {
        if (event.rtmr != 3 || !span_equal(event.name, name))
            continue;
        if (!event_is_wanted(c, &event))
            return deny_event(c, name, event.payload_hex);
        found = true;
    }
    return found || deny_event(c, name, (struct span){0});
}

/* A measured event whose text is not what was measured may hide anything. */
static bool all_texts_proved(const struct appraisal_check *c)
{
    struct json_iterator i = {0};
    struct event event;

    while (event_log_next(c->log, &i, &event))
        if (event.rtmr == 3 && !event_proves_its_text(&event))
            return false;
    return true;
}

static bool deny_log(const struct appraisal_check *c, const char *code, const char *expected,
                     const char *presented)
{
    (void)check_deny(c, expected, presented);
    c->denial->code = code;
    return false;
}

bool events_proved(const struct appraisal_check *c)
{
    const struct attest_result *evidence = c->q->evidence;

    if (c->q->event_log.size == 0)
        return deny_log(c, "event_log_missing", "of an event_log", "none");
    if (!c->log || !event_log_matches(c->log, 3, &evidence->td))
        return deny_log(c, "event_log_mismatch", "of a log that gives the quote's RTMR3",
                        c->log ? "another log" : "no event log");
    if (!all_texts_proved(c))
        return deny_log(c, "event_log_mismatch", "whose texts give their digests",
                        "an event whose text was not measured");
    for (size_t i = 0; i < c->value->count; i++)
        if (!event_proved(c, wanted_event_at(c, i).name))
            return false;
    return true;
}
