/* Dates of HTTP (RFC 9110 section 5.6.7), in all three forms. */
#ifndef NET_HTTP_DATE_H
#define NET_HTTP_DATE_H

#include "base/clock.h"
#include "base/span.h"

/*
 * Parses "Sun, 06 Nov 1994 08:49:37 GMT", and the obsolete "Sunday, 06-Nov-94 08:49:37 GMT" and
 * "Sun Nov  6 08:49:37 1994". Does not compare the day of the week with the date. A year of two
 * digits means 1970 to 2069. ERR_MALFORMED
 */
MUST_CHECK enum err http_date_parse(struct span text, struct timestamp *out);

#endif
