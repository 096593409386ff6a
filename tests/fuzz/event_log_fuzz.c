/* Event logs: spans are inside the input, the number of events is right, and only the digests
 * make the registers. */
#include <assert.h>

#include "attest/event_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_inside(struct span part, struct span whole)
{
    assert(part.size == 0 || (part.data >= whole.data && part.size <= whole.size &&
                              (size_t)(part.data - whole.data) <= whole.size - part.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);
    struct json_iterator i = {0};
    struct td_report td = {0};
    struct event_log log;
    struct event event;
    size_t count = 0;
    bool extended[EVENT_LOG_REGISTERS] = {false};

    if (event_log_parse(text, &log) != ERR_NONE)
        return 0;
    while (event_log_next(&log, &i, &event)) {
        assert(event.rtmr < EVENT_LOG_REGISTERS);
        assert_inside(event.name, text);
        assert_inside(event.payload_hex, text);
        extended[event.rtmr] = true;
        if (event_proves_its_text(&event))
            assert(event.type == EVENT_TYPE_RUNTIME && event.name.size > 0);
        count++;
    }
    assert(count == log.count && count <= EVENT_LOG_EVENTS_MAX);
    for (unsigned n = 0; n < EVENT_LOG_REGISTERS; n++)
        assert(event_log_matches(&log, n, &td) == !extended[n]); /* no digest makes zero */
    return 0;
}
