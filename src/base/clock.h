/* Time as an argument: only daemon/, client/ and net/ read the clock; everything else is told. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/span.h"

/* Wall-clock time, milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted. */
struct timestamp {
    int64_t ms;
};

struct timestamp clock_now(void);
#ifdef VOUCHSAFE_TEST_CLOCK
/* Of test programs alone (meson -Dtest_clock=true): it is now `seconds`, and time goes on from
 * there. Before threads start. */
void clock_set(int64_t seconds);
#endif
int64_t clock_monotonic_us(void);

struct timestamp timestamp_of_seconds(int64_t seconds); /* the nearest one when out of range */
int64_t timestamp_seconds(struct timestamp t);          /* rounded down */

#define TIMESTAMP_TEXT_SIZE 25 /* "2026-11-21T22:58:00.123Z" and its terminator */
void timestamp_write(struct timestamp t, char out[TIMESTAMP_TEXT_SIZE]);

/*
 * RFC 3339 in UTC, "2026-11-21T22:58:00Z", with or without a fraction of 1 to 9 digits.
 * ERR_MALFORMED for any other spelling, an impossible date, or a year outside 1970..9999.
 */
MUST_CHECK enum err timestamp_parse(struct span text, struct timestamp *out);

#endif
