#include "attest/event_log.h"

#include <string.h>

#include "base/text.h"
#include "base/writer.h"

MUST_CHECK static enum err event_read(struct json_value object, struct event *out)
{
    struct json_value imr, type, digest, name, payload;
    const struct json_field fields[] = {
        {"imr",           JSON_NUMBER, true,  &imr    },
        {"event_type",    JSON_NUMBER, true,  &type   },
        {"digest",        JSON_STRING, true,  &digest },
        {"event",         JSON_STRING, false, &name   },
        {"event_payload", JSON_STRING, false, &payload},
    };
    uint64_t rtmr = 0;
    uint64_t number = 0;
    struct span text = {0};

    *out = (struct event){0};
    if (json_object_read(object, fields, COUNT_OF(fields), true, NULL) != ERR_NONE ||
        json_uint64(imr, &rtmr) != ERR_NONE || rtmr >= EVENT_LOG_REGISTERS ||
        json_uint64(type, &number) != ERR_NONE || number > UINT32_MAX ||
        json_string_plain(digest, &text) != ERR_NONE ||
        hex_read(text, out->digest, sizeof out->digest) != ERR_NONE)
        return ERR_MALFORMED;
    out->rtmr = (unsigned)rtmr;
    out->type = (uint32_t)number;
    if (name.type == JSON_NULL || json_string_plain(name, &out->name) != ERR_NONE)
        out->name = (struct span){0};
    if (payload.type == JSON_NULL || json_string_plain(payload, &out->payload_hex) != ERR_NONE)
        out->payload_hex = (struct span){0};
    return ERR_NONE;
}

static void extend(uint8_t rtmr[SHA384_SIZE], const uint8_t digest[SHA384_SIZE])
{
    uint8_t both[2 * SHA384_SIZE];

    memcpy(both, rtmr, SHA384_SIZE);
    memcpy(both + SHA384_SIZE, digest, SHA384_SIZE);
    sha384(SPAN_OF(both), rtmr);
}

enum err event_log_parse(struct span json, struct event_log *out)
{
    struct event_log log = {0};
    struct json_iterator i = {0};
    struct json_value item;
    enum err e;

    if (json.size > EVENT_LOG_MAX)
        return ERR_TOO_LARGE;
    if ((e = json_parse(json, &log.events, NULL)) != ERR_NONE)
        return e;
    if (log.events.type != JSON_ARRAY)
        return ERR_MALFORMED;
    while (json_next(log.events, &i, NULL, &item)) {
        struct event event;

        if (++log.count > EVENT_LOG_EVENTS_MAX)
            return ERR_TOO_LARGE;
        if ((e = event_read(item, &event)) != ERR_NONE)
            return e;
        extend(log.replayed[event.rtmr], event.digest);
    }
    *out = log;
    return ERR_NONE;
}

bool event_log_matches(const struct event_log *log, unsigned rtmr, const struct td_report *td)
{
    return rtmr < EVENT_LOG_REGISTERS &&
           span_equal(SPAN_OF(log->replayed[rtmr]), SPAN_OF(td->rtmr[rtmr]));
}

bool event_log_next(const struct event_log *log, struct json_iterator *i, struct event *out)
{
    struct json_value item;

    return json_next(log->events, i, NULL, &item) && event_read(item, out) == ERR_NONE;
}

bool event_proves_its_text(const struct event *event)
{
    uint8_t text[4 + 1 + EVENT_NAME_MAX + 1 + EVENT_PAYLOAD_MAX];
    uint8_t payload[EVENT_PAYLOAD_MAX];
    uint8_t digest[SHA384_SIZE];
    struct writer w = writer_over(text, sizeof text);
    struct span measured;
    const size_t payload_size = event->payload_hex.size / 2;

    if (event->type != EVENT_TYPE_RUNTIME || event->name.size == 0 ||
        memchr(event->name.data, ':', event->name.size) || payload_size > sizeof payload ||
        hex_read(event->payload_hex, payload, payload_size) != ERR_NONE)
        return false;
    writer_u32le(&w, event->type);
    writer_u8(&w, ':');
    writer_put(&w, event->name);
    writer_u8(&w, ':');
    writer_put(&w, span_of(payload, payload_size));
    if (writer_finish(&w, &measured) != ERR_NONE)
        return false;
    sha384(measured, digest);
    return span_equal(SPAN_OF(digest), SPAN_OF(event->digest));
}
