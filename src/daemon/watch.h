/*
 * Detects problems that need no request: the clock jumps, a certificate expires. Pure: the caller
 * reads the clocks and writes the operational log.
 */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H

#include "base/clock.h"

/* If the wall clock differs from the monotonic clock by more than this, it was set. */
#define WATCH_JUMP_MS 2000
/* If the log is ahead of the clock by less than this, the clock was only adjusted. */
#define WATCH_BEHIND_MS 1000

struct watch_clock {
    bool known;
    int64_t offset_ms; /* wall clock minus monotonic clock, at the last check */
};

/* The jump of the wall clock since the last check, in ms; 0 without a jump. */
int64_t watch_clock_jump(struct watch_clock *w, struct timestamp now, int64_t monotonic_us);

/* The time by which `now` is behind the newest entry of the log, in ms; 0 when it is not. */
int64_t watch_clock_behind(struct timestamp now, struct timestamp newest_entry);

enum watch_expiry {
    WATCH_EXPIRY_FAR,
    WATCH_EXPIRY_SOON,   /* within 14 days */
    WATCH_EXPIRY_URGENT, /* within 24 hours */
    WATCH_EXPIRED,
};

struct watch_certificate {
    bool warned;
    enum watch_expiry said; /* the state in the last warning */
    struct timestamp at;    /* the time of the last warning */
};

enum watch_expiry watch_expiry_of(struct timestamp not_after, struct timestamp now);

/* True when a warning is due: the state got worse, or the last warning is a day old. */
bool watch_certificate_warn(struct watch_certificate *w, struct timestamp not_after,
                            struct timestamp now);

#endif
