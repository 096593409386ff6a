/*
 * What may go wrong without any request: the clock jumps, a certificate runs out. Pure: the caller
 * reads the clocks and writes the operational log.
 */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H

#include "base/clock.h"

/* A wall clock that moved by this much more or less than the monotonic one was set. */
#define WATCH_JUMP_MS 2000
/* A log that is ahead of the clock by less than this is the work of a clock that was adjusted. */
#define WATCH_BEHIND_MS 1000

struct watch_clock {
    bool known;
    int64_t offset_ms; /* wall clock minus monotonic clock, at the last look */
};

/* How far the wall clock jumped since the last look, in ms; 0 when it went on as time does. */
int64_t watch_clock_jump(struct watch_clock *w, struct timestamp now, int64_t monotonic_us);

/* How far `now` is behind the newest entry of the log, in ms; 0 when it is not. */
int64_t watch_clock_behind(struct timestamp now, struct timestamp newest_entry);

enum watch_expiry {
    WATCH_EXPIRY_FAR,
    WATCH_EXPIRY_SOON,   /* within 14 days */
    WATCH_EXPIRY_URGENT, /* within 24 hours */
    WATCH_EXPIRED,
};

struct watch_certificate {
    bool warned;
    enum watch_expiry said; /* what the last warning said */
    struct timestamp at;    /* when */
};

enum watch_expiry watch_expiry_of(struct timestamp not_after, struct timestamp now);

/* True when the operator is to be warned now: it got worse, or the last warning is a day old. */
bool watch_certificate_warn(struct watch_certificate *w, struct timestamp not_after,
                            struct timestamp now);

#endif
