/* The id of a request: a UUIDv7 as text (RFC 9562 section 5.7). */
#ifndef SERVICE_REQUEST_ID_H
#define SERVICE_REQUEST_ID_H

#include "base/clock.h"
#include "base/span.h"

#define REQUEST_ID_SIZE 36

/* Makes a fresh id, not terminated. */
void request_id_write(struct timestamp now, char out[REQUEST_ID_SIZE]);

/* Whether it has the form of an id. */
bool request_id_check(struct span text);

#endif
