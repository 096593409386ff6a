/*
 * The log of all measurements into a TD's RTMRs, in the JSON of dstack and others:
 *
 *   [{"imr":0..3,"event_type":u32,"digest":"<96 hex>","event":"...","event_payload":"<hex>"}, ...]
 *
 * The log proves nothing before it is replayed: RTMR = SHA-384(RTMR || digest) from zero, event by
 * event, must give the RTMRs of the quote. Then the digests are proved. The text of an event is
 * proved only if it hashes to the digest, as it does for dstack's runtime events: digest =
 * SHA-384(u32le event_type || ":" || event || ":" || event_payload), event_type 0x08000001
 * (cc-eventlog of Dstack-TEE/dstack). Pure; borrows from the text.
 */
#ifndef ATTEST_EVENT_LOG_H
#define ATTEST_EVENT_LOG_H

#include "attest/attest.h"
#include "codec/json.h"

#define EVENT_LOG_MAX (256u * 1024)
#define EVENT_LOG_EVENTS_MAX 1024
#define EVENT_LOG_REGISTERS 4
#define EVENT_NAME_MAX 64
#define EVENT_PAYLOAD_MAX 4096 /* bytes; the text of a longer payload is not proved */
#define EVENT_TYPE_RUNTIME 0x08000001u

struct event_log {
    struct json_value events;
    size_t count;
    uint8_t replayed[EVENT_LOG_REGISTERS][SHA384_SIZE]; /* zero: no event */
};

struct event {
    unsigned rtmr; /* below EVENT_LOG_REGISTERS */
    uint32_t type;
    uint8_t digest[SHA384_SIZE];
    struct span name;        /* raw; empty when it has JSON escapes */
    struct span payload_hex; /* of either case; empty when there is none */
};

/* Checks the form of every event and replays them. ERR_MALFORMED, ERR_TOO_LARGE */
MUST_CHECK enum err event_log_parse(struct span json, struct event_log *out);

/* Whether the replayed register has this value. */
bool event_log_matches(const struct event_log *log, unsigned rtmr, const struct td_report *td);

/* The events in order. Start with a zeroed iterator. */
bool event_log_next(const struct event_log *log, struct json_iterator *i, struct event *out);

/*
 * Whether a runtime event's digest is that of its name and payload. False for a name with a colon,
 * because the same bytes would also be another name with another payload.
 */
bool event_proves_its_text(const struct event *event);

#endif
