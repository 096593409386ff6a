/* Time. Only daemon/, client/ and net/ read the clock. All other code gets the time as an argument.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <time.h>

#include "base/span.h"

/* Wall-clock time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds. */
struct timestamp {
    int64_t ms;
};

struct timestamp clock_now(void);
#ifdef VOUCHSAFE_TEST_CLOCK
/*
 * Sets the clock. Time continues from there. Only test programs have these functions (meson
 * -Dtest_clock=true). Call them before threads start.
 *
 * seconds  since 1970
 * path     a file of at least 8 bytes: what the clock is ahead, in milliseconds, as int64_t of this
 *          machine. A change of the file is a jump of the clock.
 */
void clock_set(int64_t seconds);
MUST_CHECK enum err clock_follow(const char *path);
#endif
int64_t clock_monotonic_us(void);

/* For pthread_cond_timedwait(): a condition on the monotonic clock, and the time `in_us` from now
 * on that clock. A jump of the wall clock makes no wait longer or shorter. */
void clock_cond_init(pthread_cond_t *cond);
struct timespec clock_deadline(int64_t in_us);

struct timestamp timestamp_of_seconds(int64_t seconds); /* clamped to the range of timestamps */
int64_t timestamp_seconds(struct timestamp t);          /* rounded down */

#define TIMESTAMP_TEXT_SIZE 25 /* "2026-11-21T22:58:00.123Z" and its terminator */
void timestamp_write(struct timestamp t, char out[TIMESTAMP_TEXT_SIZE]);

/*
 * Reads a UTC time of RFC 3339, such as "2026-11-21T22:58:00Z", with or without a fraction of 1 to
 * 9 digits.
 * ERR_MALFORMED for any other spelling, an impossible date, or a year outside 1970..9999.
 */
MUST_CHECK enum err timestamp_parse(struct span text, struct timestamp *out);

#endif
