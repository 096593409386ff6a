/* The time in a UUIDv7 as text (RFC 9562 section 5.7), which ids of requests are. */
#ifndef BASE_UUID7_H
#define BASE_UUID7_H

#include "base/clock.h"
#include "base/span.h"

#define UUID7_SIZE 36

/* One spelling: lower case, with hyphens. ERR_MALFORMED another form, version or variant */
MUST_CHECK enum err uuid7_time(struct span text, struct timestamp *out);

#endif
