/*
 * Published vectors and real evidence, read from $VOUCHSAFE_VECTORS or ../shared/vectors beside the
 * source tree. When they are absent, a test prints what it skips.
 */
#ifndef TESTS_SUPPORT_VECTORS_H
#define TESTS_SUPPORT_VECTORS_H

#include <jansson.h>

#include "base/span.h"

/* False when `relative` does not exist, after printing "SKIPPED: <what>: no vectors at <path>". */
bool vectors_have(const char *relative, const char *what);

/* A file's bytes; aborts the test when it cannot be read. The caller clears `out`. */
void vectors_read(const char *relative, struct buffer *out);

/* A JSON file; aborts the test when it is not JSON. The caller calls json_decref(). */
json_t *vectors_json(const char *relative);

/* A hex string member ("0x" allowed), appended to `out` as bytes; aborts when it is not hex. */
void vectors_hex(const json_t *object, const char *member, struct buffer *out);

/* Absolute or relative path of a vector file, in static memory until the next call. */
const char *vectors_path(const char *relative);

#endif
