/*
 * Converts JSON members and query parameters to the types of requests. All routes share one reader
 * for each form. Results are in the call's memory. Internal to server/.
 */
#ifndef SERVER_FIELDS_H
#define SERVER_FIELDS_H

#include "codec/json.h"
#include "server/call.h"
#include "service/evidence.h"

/* An absent member (JSON_NULL) is ERR_MALFORMED, except where a comment says otherwise. */

/* Reads exactly `size` bytes in hex. */
MUST_CHECK enum err field_hex(struct json_value value, uint8_t *out, size_t size);

/* base64, which may contain JSON escapes ("\/"). Absent: empty. ERR_MALFORMED, ERR_MEMORY */
MUST_CHECK enum err field_base64(struct call *c, struct json_value value, struct span *out);

/* A string without escapes, borrowed from the body. Absent: empty. */
MUST_CHECK enum err field_plain(struct json_value value, struct span *out);

/* A string of at most `size` - 1 bytes, terminated. Absent: "". ERR_TOO_LARGE */
MUST_CHECK enum err field_string(struct json_value value, char *out, size_t size);

/*
 * Reads the body as an object with these members, none of them null. Refuses the call with
 * `bad_json`, or with `bad_field` and `needed`, the sentence that lists the members.
 */
MUST_CHECK enum err body_read(struct call *c, const struct json_field *fields, size_t count,
                              const char *needed);

/* Refuses the call as malformed (400), or as out of memory if `e` is ERR_MEMORY. Returns `e`. */
MUST_CHECK enum err fields_refuse(struct call *c, enum err e, const char *code, const char *text);

/* ---- evidence: the only list of the names of its members */

struct evidence_members {
    struct json_value tee_type, quote, certificates, event_log;
};

#define EVIDENCE_FIELDS(members, quote_required)                                                   \
    {"tee_type", JSON_STRING, true, &(members).tee_type},                                          \
        {"quote", JSON_STRING, quote_required, &(members).quote},                                  \
        {"certificates", JSON_STRING, false, &(members).certificates},                             \
    {                                                                                              \
        "event_log", JSON_ARRAY, false, &(members).event_log                                       \
    }

/* On ERR_MALFORMED `*bad` is the name of the member. ERR_MEMORY */
MUST_CHECK enum err evidence_read(struct call *c, const struct evidence_members *m,
                                  struct evidence *out, const char **bad);

/*
 * The same for our own routes. tee_type must be a name in docs/openapi.yaml, and the elements of
 * event_log must be objects (ERR_MALFORMED). The certificates have at most ATTEST_CHAIN_MAX bytes
 * (ERR_TOO_LARGE).
 */
MUST_CHECK enum err evidence_read_checked(struct call *c, const struct evidence_members *m,
                                          struct evidence *out);

/* ---- query parameters */

/* A decimal number below 2^63, without sign or leading zeros. ERR_NOT_FOUND, ERR_MALFORMED */
MUST_CHECK enum err query_number(const struct call *c, const char *name, uint64_t *out);

#define QUERY_BYTES_MAX 64
/* Bytes in hex, at most `capacity`, which is at most QUERY_BYTES_MAX. ERR_NOT_FOUND, ERR_MALFORMED
 * (also: too many) */
MUST_CHECK enum err query_hex(const struct call *c, const char *name, uint8_t *out, size_t capacity,
                              size_t *size);

/* A parameter of `query` as text of at most `size` - 1 bytes without NUL, terminated.
 * ERR_NOT_FOUND, ERR_MALFORMED, ERR_TOO_LARGE */
MUST_CHECK enum err query_text(struct span query, const char *name, char *out, size_t size);

/* Checks that every parameter is one of `names`, so that a misspelt one is not ignored. */
bool query_has_only(struct span query, const char *const *names, size_t count);

#endif
