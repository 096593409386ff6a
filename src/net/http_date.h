/* Dates of HTTP (RFC 9110 section 5.6.7), in all three forms. */
#ifndef NET_HTTP_DATE_H
#define NET_HTTP_DATE_H

#include "base/clock.h"
#include "base/span.h"

/*
 * "Sun, 06 Nov 1994 08:49:37 GMT", and the obsolete "Sunday, 06-Nov-94 08:49:37 GMT" and
 * "Sun Nov  6 08:49:37 1994". The day of the week is not compared with the date. A year of two
 * digits is from 1970 to 2069. ERR_MALFORMED
 */
MUST_CHECK enum err http_date_parse(struct span text, struct timestamp *out);

#endif
