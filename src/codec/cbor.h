/*
 * Strict CBOR (RFC 8949) for untrusted input, over libcbor's streaming decoder. cbor_parse() checks
 * a whole document once. After that every value is a span into the input: the functions copy and
 * allocate nothing, and the exact bytes of each value stay available (signatures cover them).
 *
 * Arrays and maps may have a definite or an indefinite length, because real documents use both. All
 * other values have one spelling. The parser refuses integers and lengths that are not in their
 * shortest form, strings in chunks, keys that are neither integers nor text, duplicate keys, text
 * that is not UTF-8, floating point, `undefined` and every simple value but false, true and null,
 * trailing bytes, and input beyond the limits below.
 */
#ifndef CODEC_CBOR_H
#define CODEC_CBOR_H

#include "base/span.h"
#include "base/writer.h"

#define CBOR_DEPTH_MAX 8     /* nested arrays, maps and tags */
#define CBOR_MEMBERS_MAX 64  /* of one map */
#define CBOR_ITEMS_MAX 16384 /* of a document; keys and containers count, too */

enum cbor_kind {
    CBOR_NULL,
    CBOR_FALSE,
    CBOR_TRUE,
    CBOR_UNSIGNED,
    CBOR_NEGATIVE,
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG
};

struct cbor_value {
    enum cbor_kind kind;
    struct span raw; /* the value exactly as received: its head and its contents */
};

/*
 * ERR_MALFORMED  not exactly one CBOR item as above; `*offset` (may be NULL) is the place
 * ERR_TOO_LARGE  a limit above is exceeded
 * The document is not copied and must outlive the values.
 */
MUST_CHECK enum err cbor_parse(struct span document, struct cbor_value *out, size_t *offset);

/* The same for the first item of `rest`. On success `rest` begins after the item; on failure, at
 * the fault. For callers that report trailing bytes themselves. */
MUST_CHECK enum err cbor_take(struct span *rest, struct cbor_value *out);

/* The member of a map with this text or integer as its key. ERR_NOT_FOUND; ERR_MALFORMED not a
 * map */
MUST_CHECK enum err cbor_member(struct cbor_value map, const char *name, struct cbor_value *out);
MUST_CHECK enum err cbor_label(struct cbor_value map, int64_t label, struct cbor_value *out);

/* The required form of a set of members. `out` gets the value, or kind CBOR_NULL when absent. */
struct cbor_field {
    const char *name; /* the key; if there is a label, the name for messages */
    int64_t label;    /* 0: the key is `name` */
    enum cbor_kind kind;
    bool required; /* an optional member may be absent or null */
    struct cbor_value *out;
};

/*
 * Reads a map by a table. On failure `*bad` (may be NULL) is the name of the member at fault. It is
 * "" when the value is not a map, or when an unknown key is refused.
 * ERR_MALFORMED  a member is missing, of another kind, or unknown
 */
MUST_CHECK enum err cbor_map_read(struct cbor_value map, const struct cbor_field *fields,
                                  size_t count, bool allow_unknown, const char **bad);

/*
 * Walks an array, or the members of a map, in their order. Start with a zeroed iterator. `key` may
 * be NULL.
 */
struct cbor_iterator {
    size_t next;
};
bool cbor_next(struct cbor_value container, struct cbor_iterator *i, struct cbor_value *key,
               struct cbor_value *out);
size_t cbor_count(struct cbor_value container); /* elements or members; 0 for anything else */

/* Contents of a byte or text string, borrowed. ERR_MALFORMED another kind */
MUST_CHECK enum err cbor_bytes(struct cbor_value value, struct span *out);
MUST_CHECK enum err cbor_text(struct cbor_value value, struct span *out);
bool cbor_text_equal(struct cbor_value value, const char *text);

/* ERR_MALFORMED not an integer, or out of range. */
MUST_CHECK enum err cbor_uint64(struct cbor_value value, uint64_t *out);
MUST_CHECK enum err cbor_int64(struct cbor_value value, int64_t *out);

/* A tag's number and its content. ERR_MALFORMED not a tag */
MUST_CHECK enum err cbor_tagged(struct cbor_value value, uint64_t *number, struct cbor_value *out);

/*
 * Writes items in their shortest form. After the head of a container, the caller writes its items.
 *
 *   cbor_put_array(&w, 2);
 *   cbor_put_text(&w, SPAN_LITERAL("Signature1"));
 *   cbor_put_bytes(&w, payload);
 */
void cbor_put_uint(struct writer *w, uint64_t value);
void cbor_put_int(struct writer *w, int64_t value);
void cbor_put_bytes(struct writer *w, struct span bytes);
void cbor_put_bytes_head(struct writer *w, size_t size);
void cbor_put_text(struct writer *w, struct span text);
void cbor_put_array(struct writer *w, size_t count);
void cbor_put_map(struct writer *w, size_t count);
void cbor_put_tag(struct writer *w, uint64_t number);
void cbor_put_null(struct writer *w);

#endif
