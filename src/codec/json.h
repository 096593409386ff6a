/*
 * Strict JSON (RFC 8259) for untrusted input. json_parse() checks a whole document once. After that
 * every value is a span into the input: the functions copy and allocate nothing, and the exact
 * bytes of each value stay available (vendors sign them). The parser refuses trailing bytes,
 * duplicate members, invalid UTF-8, lone surrogates, control characters, a byte order mark, depth,
 * members and sizes beyond the limits below.
 */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include "base/span.h"
#include "base/writer.h"

#define JSON_DEPTH_MAX 16      /* nested arrays and objects */
#define JSON_MEMBERS_MAX 64    /* of one object */
#define JSON_ELEMENTS_MAX 4096 /* of one array */

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_value {
    enum json_type type;
    struct span raw; /* the value exactly as received, quotes and brackets included */
};

/*
 * ERR_MALFORMED  not exactly one JSON document as above; `*offset` (may be NULL) is the place
 * ERR_TOO_LARGE  a limit above is exceeded
 * The document is not copied and must outlive the values.
 */
MUST_CHECK enum err json_parse(struct span document, struct json_value *out, size_t *offset);

/* Member of an object that json_parse() accepted. ERR_NOT_FOUND; ERR_MALFORMED not an object */
MUST_CHECK enum err json_member(struct json_value object, const char *name, struct json_value *out);

/* The required form of a set of members. `out` gets the value, or type JSON_NULL when absent. */
struct json_field {
    const char *name;
    enum json_type type; /* JSON_TRUE stands for either boolean */
    bool required;       /* an optional member may be absent or null */
    struct json_value *out;
};

/*
 * Reads an object by a table. On failure `*bad` (may be NULL) is the `name` of the entry at fault.
 * It is "" when the value is not an object, or when an unknown member is refused. ERR_MALFORMED  a
 * member is missing, of another type, or unknown
 */
MUST_CHECK enum err json_object_read(struct json_value object, const struct json_field *fields,
                                     size_t count, bool allow_unknown, const char **bad);

/*
 * Walks an array, or the members of an object in their order. Start with a zeroed iterator.
 * `name` (may be NULL) is the member's name as raw JSON string, quotes included.
 */
struct json_iterator {
    size_t next;
};
bool json_next(struct json_value container, struct json_iterator *i, struct json_value *name,
               struct json_value *out);
size_t json_count(struct json_value container); /* elements or members; 0 for anything else */

/*
 * A string's contents without escapes, in UTF-8, not terminated; may contain NUL (from \u0000).
 * ERR_MALFORMED if not a string, ERR_TOO_LARGE
 */
MUST_CHECK enum err json_string(struct json_value value, void *out, size_t capacity, size_t *size);

/* The same, borrowed from the input, for strings without escapes. ERR_MALFORMED all others */
MUST_CHECK enum err json_string_plain(struct json_value value, struct span *out);

bool json_string_equal(struct json_value value, const char *text);

/* Whole numbers without fraction, exponent or leading "-0". ERR_MALFORMED all others, and
 * numbers out of range. */
MUST_CHECK enum err json_int64(struct json_value value, int64_t *out);
MUST_CHECK enum err json_uint64(struct json_value value, uint64_t *out);

/*
 * Writes compact JSON into a writer. The writer adds commas and escapes strings. It writes U+FFFD
 * for bytes that are not UTF-8. Check writer_finish() at the end.
 *
 *   struct json_writer j = json_writer_over(&w);
 *   json_open_object(&j, NULL);
 *   json_put_string(&j, "status", SPAN_LITERAL("ok"));
 *   json_close_object(&j);
 *
 * `name` is NULL inside arrays and at the top.
 */
struct json_writer {
    struct writer *w;
    bool need_comma;
};
struct json_writer json_writer_over(struct writer *w);
void json_open_object(struct json_writer *j, const char *name);
void json_close_object(struct json_writer *j);
void json_open_array(struct json_writer *j, const char *name);
void json_close_array(struct json_writer *j);
void json_put_string(struct json_writer *j, const char *name, struct span text);
void json_put_hex(struct json_writer *j, const char *name, struct span bytes);
void json_put_base64(struct json_writer *j, const char *name,
                     struct span bytes); /* constant-time */
void json_put_int(struct json_writer *j, const char *name, int64_t value);
void json_put_bool(struct json_writer *j, const char *name, bool value);
void json_put_null(struct json_writer *j, const char *name);
/* `json` is valid JSON */
void json_put_raw(struct json_writer *j, const char *name, struct span json);

#endif
