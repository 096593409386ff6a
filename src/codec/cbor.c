#include "codec/cbor.h"

#include <assert.h>
#include <cbor/streaming.h>
#include <string.h>

#include "codec/json_scan.h"

/* The initial byte's upper three bits, RFC 8949 section 3.1. */
enum { MAJOR_UNSIGNED, MAJOR_NEGATIVE, MAJOR_BYTES, MAJOR_TEXT, MAJOR_ARRAY, MAJOR_MAP, MAJOR_TAG };
enum { SIMPLE_NULL = 0xf6 };

/* Tokens: a head and, for a string, its contents. libcbor decodes them; this code refuses. */

struct token {
    bool refused;    /* decoded, but a kind that is not allowed here */
    bool is_break;   /* the end of an indefinite length */
    bool indefinite; /* an array or map up to its break */
    enum cbor_kind kind;
    uint64_t argument;    /* integer, number of the tag, count of elements or members */
    struct span contents; /* of a string */
    size_t size;          /* includes the contents of a string, but not those of a container */
};

static void token_set(void *context, enum cbor_kind kind, uint64_t argument)
{
    struct token *token = context;

    token->kind = kind;
    token->argument = argument;
}

#define ON_INTEGER(name, type, kind)                                                               \
    static void name(void *context, type value)                                                    \
    {                                                                                              \
        token_set(context, kind, value);                                                           \
    }
ON_INTEGER(on_uint8, uint8_t, CBOR_UNSIGNED)
ON_INTEGER(on_uint16, uint16_t, CBOR_UNSIGNED)
ON_INTEGER(on_uint32, uint32_t, CBOR_UNSIGNED)
ON_INTEGER(on_uint64, uint64_t, CBOR_UNSIGNED)
ON_INTEGER(on_negative8, uint8_t, CBOR_NEGATIVE)
ON_INTEGER(on_negative16, uint16_t, CBOR_NEGATIVE)
ON_INTEGER(on_negative32, uint32_t, CBOR_NEGATIVE)
ON_INTEGER(on_negative64, uint64_t, CBOR_NEGATIVE)
ON_INTEGER(on_array, size_t, CBOR_ARRAY)
ON_INTEGER(on_map, size_t, CBOR_MAP)
ON_INTEGER(on_tag, uint64_t, CBOR_TAG)
#undef ON_INTEGER

static void on_bytes(void *context, cbor_data data, size_t size)
{
    token_set(context, CBOR_BYTES, size);
    ((struct token *)context)->contents = span_of(data, size);
}

static void on_text(void *context, cbor_data data, size_t size)
{
    token_set(context, CBOR_TEXT, size);
    ((struct token *)context)->contents = span_of(data, size);
}

static void on_open_array(void *context)
{
    token_set(context, CBOR_ARRAY, 0);
    ((struct token *)context)->indefinite = true;
}

static void on_open_map(void *context)
{
    token_set(context, CBOR_MAP, 0);
    ((struct token *)context)->indefinite = true;
}

static void on_break(void *context)
{
    ((struct token *)context)->is_break = true;
}

static void on_null(void *context)
{
    token_set(context, CBOR_NULL, 0);
}

static void on_boolean(void *context, bool value)
{
    token_set(context, value ? CBOR_TRUE : CBOR_FALSE, 0);
}

static void on_refused(void *context)
{
    ((struct token *)context)->refused = true;
}

static void on_float(void *context, float value)
{
    (void)value;
    on_refused(context);
}

static void on_double(void *context, double value)
{
    (void)value;
    on_refused(context);
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_negative8,
    .negint16 = on_negative16,
    .negint32 = on_negative32,
    .negint64 = on_negative64,
    .byte_string_start = on_refused, /* in chunks */
    .byte_string = on_bytes,
    .string = on_text,
    .string_start = on_refused,
    .indef_array_start = on_open_array,
    .array_start = on_array,
    .indef_map_start = on_open_map,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_refused,
    .null = on_null,
    .boolean = on_boolean,
    .indef_break = on_break,
};

/* The size of the shortest head for this argument, RFC 8949 section 4.2.1. */
static size_t head_size(uint64_t argument)
{
    return argument < 24           ? 1
           : argument <= 0xff      ? 2
           : argument <= 0xffff    ? 3
           : argument < 1ull << 32 ? 5
                                   : 9;
}

/* libcbor 0.8 treats the one-byte tags 6 to 20 as unassigned, but COSE uses 16 to 18. */
static bool is_low_tag(uint8_t first)
{
    return first >= 0xc6 && first <= 0xd4;
}

static bool decode(struct span rest, struct token *out)
{
    struct cbor_decoder_result result;

    if (is_low_tag(rest.data[0])) {
        token_set(out, CBOR_TAG, rest.data[0] & 0x1fu);
        out->size = 1;
        return true;
    }
    result = cbor_stream_decode(rest.data, rest.size, &callbacks, out);
    out->size = result.read;
    return result.status == CBOR_DECODER_FINISHED;
}

static bool token_read(struct span rest, struct token *out)
{
    *out = (struct token){0};
    return rest.size > 0 && decode(rest, out) && !out->refused &&
           out->size - out->contents.size == head_size(out->argument);
}

static struct span after(struct span s, size_t size)
{
    return (struct span){s.data + size, s.size - size};
}

/*
 * Checking a document.
 */

struct parser {
    struct span rest;
    size_t depth;
    size_t items;
};

MUST_CHECK static enum err take_item(struct parser *p);

static bool is_utf8(struct span text)
{
    const uint8_t *at = text.data;
    const uint8_t *end = at + text.size;

    while (at < end) {
        size_t size = *at < 0x80 ? 1 : json_utf8_size(at, end);

        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

/* Keys have one spelling, so equal keys have equal bytes. */
static bool key_is_new(struct span key, const struct span *seen, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_equal(key, seen[i]))
            return false;
    return true;
}

MUST_CHECK static enum err take_key(struct parser *p, struct span *seen, size_t *count)
{
    const uint8_t *start = p->rest.data;
    struct token token;
    enum err e;

    if (!token_read(p->rest, &token) || token.is_break ||
        (token.kind != CBOR_UNSIGNED && token.kind != CBOR_NEGATIVE && token.kind != CBOR_TEXT))
        return ERR_MALFORMED;
    if (!key_is_new(span_of(start, token.size), seen, *count))
        return ERR_MALFORMED;
    if (*count == CBOR_MEMBERS_MAX)
        return ERR_TOO_LARGE;
    if ((e = take_item(p)) == ERR_NONE)
        seen[(*count)++] = span_of(start, token.size);
    return e;
}

MUST_CHECK static enum err take_member(struct parser *p, struct span *seen, size_t *count)
{
    enum err e = take_key(p, seen, count);

    return e == ERR_NONE ? take_item(p) : e;
}

/* Consumes the break at the end of an indefinite length. */
static bool accept_break(struct parser *p)
{
    struct token token;

    if (!token_read(p->rest, &token) || !token.is_break)
        return false;
    p->rest = after(p->rest, token.size);
    return true;
}

/* Whether a container has another element or member after the first `done`. */
static bool has_more(struct parser *p, const struct token *head, uint64_t done)
{
    if (head->indefinite)
        return !accept_break(p);
    return done < (head->kind == CBOR_TAG ? 1 : head->argument);
}

MUST_CHECK static enum err take_contents(struct parser *p, const struct token *head)
{
    struct span keys[CBOR_MEMBERS_MAX];
    size_t key_count = 0;

    for (uint64_t done = 0; has_more(p, head, done); done++) {
        enum err e = head->kind == CBOR_MAP ? take_member(p, keys, &key_count) : take_item(p);

        if (e != ERR_NONE)
            return e;
    }
    return ERR_NONE;
}

/* Each element takes at least one byte, and each member two. So a larger count is refused early. */
static bool count_is_possible(const struct token *head, size_t left)
{
    return head->kind == CBOR_TAG || head->argument <= left / (head->kind == CBOR_MAP ? 2u : 1u);
}

MUST_CHECK static enum err take_container(struct parser *p, const struct token *head)
{
    enum err e;

    if (!count_is_possible(head, p->rest.size))
        return ERR_MALFORMED;
    if (p->depth == CBOR_DEPTH_MAX)
        return ERR_TOO_LARGE;
    p->depth++;
    e = take_contents(p, head);
    p->depth--;
    return e;
}

static bool is_container(enum cbor_kind kind)
{
    return kind == CBOR_ARRAY || kind == CBOR_MAP || kind == CBOR_TAG;
}

MUST_CHECK static enum err take_item(struct parser *p)
{
    struct token token;

    if (!token_read(p->rest, &token) || token.is_break)
        return ERR_MALFORMED;
    if (p->items == CBOR_ITEMS_MAX)
        return ERR_TOO_LARGE;
    if (token.kind == CBOR_TEXT && !is_utf8(token.contents))
        return ERR_MALFORMED;
    p->items++;
    p->rest = after(p->rest, token.size);
    return is_container(token.kind) ? take_container(p, &token) : ERR_NONE;
}

/* Reads a head from checked bytes. */
static struct token checked_token(struct span bytes)
{
    struct token token;
    bool read = token_read(bytes, &token);

    assert(read);
    return token;
}

enum err cbor_take(struct span *rest, struct cbor_value *out)
{
    struct parser p = {.rest = *rest};
    enum err e = take_item(&p);

    if (e == ERR_NONE) {
        out->kind = checked_token(*rest).kind;
        out->raw = span_of(rest->data, rest->size - p.rest.size);
    }
    *rest = p.rest;
    return e;
}

enum err cbor_parse(struct span document, struct cbor_value *out, size_t *offset)
{
    struct span rest = document;
    struct cbor_value value;
    enum err e = cbor_take(&rest, &value);

    if (e == ERR_NONE && rest.size > 0)
        e = ERR_MALFORMED;
    if (e == ERR_NONE)
        *out = value;
    if (offset)
        *offset = document.size - rest.size;
    return e;
}

/* Reading checked documents. */

/* The number of items in a container with this head. */
static uint64_t item_count(const struct token *head)
{
    return head->kind == CBOR_TAG     ? 1
           : head->kind == CBOR_MAP   ? 2 * head->argument
           : is_container(head->kind) ? head->argument
                                      : 0;
}

/* The size of the item at the start of `bytes`, which are checked. */
static size_t item_size(struct span bytes)
{
    struct span rest = bytes;
    /* in each open container; the maximum for indefinite lengths */
    uint64_t left[CBOR_DEPTH_MAX + 1] = {1};
    size_t depth = 0;

    while (depth > 0 || left[0] > 0) {
        struct token token = checked_token(rest);

        rest = after(rest, token.size);
        if (!token.is_break)
            left[depth]--;
        if (is_container(token.kind) && !token.is_break)
            left[++depth] = token.indefinite ? UINT64_MAX : item_count(&token);
        else if (token.is_break)
            left[depth] = 0;
        while (depth > 0 && left[depth] == 0)
            depth--;
    }
    return bytes.size - rest.size;
}

static struct cbor_value first_value(struct span bytes)
{
    return (struct cbor_value){checked_token(bytes).kind, span_of(bytes.data, item_size(bytes))};
}

static struct cbor_value take_value(struct span all, size_t *offset)
{
    struct cbor_value value = first_value(after(all, *offset));

    *offset += value.raw.size;
    return value;
}

bool cbor_next(struct cbor_value container, struct cbor_iterator *i, struct cbor_value *key,
               struct cbor_value *out)
{
    struct cbor_value name = {0};
    struct token head;
    size_t end;

    if (container.kind != CBOR_ARRAY && container.kind != CBOR_MAP)
        return false;
    head = checked_token(container.raw);
    end = container.raw.size - (head.indefinite ? 1 : 0); /* its break */
    if (i->next == 0)
        i->next = head.size;
    if (i->next >= end)
        return false;
    if (container.kind == CBOR_MAP)
        name = take_value(container.raw, &i->next);
    *out = take_value(container.raw, &i->next);
    if (key)
        *key = name;
    return true;
}

size_t cbor_count(struct cbor_value container)
{
    struct cbor_iterator i = {0};
    struct cbor_value value;
    size_t count = 0;

    while (cbor_next(container, &i, NULL, &value))
        count++;
    return count;
}

enum err cbor_member(struct cbor_value map, const char *name, struct cbor_value *out)
{
    struct cbor_iterator i = {0};
    struct cbor_value key;
    struct cbor_value value;

    if (map.kind != CBOR_MAP)
        return ERR_MALFORMED;
    while (cbor_next(map, &i, &key, &value)) {
        if (!cbor_text_equal(key, name))
            continue;
        *out = value;
        return ERR_NONE;
    }
    return ERR_NOT_FOUND;
}

enum err cbor_label(struct cbor_value map, int64_t label, struct cbor_value *out)
{
    struct cbor_iterator i = {0};
    struct cbor_value key;
    struct cbor_value value;
    int64_t number;

    if (map.kind != CBOR_MAP)
        return ERR_MALFORMED;
    while (cbor_next(map, &i, &key, &value)) {
        if (cbor_int64(key, &number) != ERR_NONE || number != label)
            continue;
        *out = value;
        return ERR_NONE;
    }
    return ERR_NOT_FOUND;
}

static bool key_is(struct cbor_value key, const struct cbor_field *field)
{
    int64_t number;

    if (field->label == 0)
        return cbor_text_equal(key, field->name);
    return cbor_int64(key, &number) == ERR_NONE && number == field->label;
}

static const struct cbor_field *field_find(struct cbor_value key, const struct cbor_field *fields,
                                           size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (key_is(key, &fields[i]))
            return &fields[i];
    return NULL;
}

/* The first field that does not have its required form; NULL when all have. */
static const char *fields_fault(const struct cbor_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i].out->kind != fields[i].kind &&
            (fields[i].required || fields[i].out->kind != CBOR_NULL))
            return fields[i].name;
    return NULL;
}

enum err cbor_map_read(struct cbor_value map, const struct cbor_field *fields, size_t count,
                       bool allow_unknown, const char **bad)
{
    struct cbor_iterator i = {0};
    struct cbor_value key;
    struct cbor_value value;
    const char *fault = map.kind == CBOR_MAP ? NULL : "";

    for (size_t f = 0; f < count; f++)
        *fields[f].out = (struct cbor_value){0};
    while (!fault && cbor_next(map, &i, &key, &value)) {
        const struct cbor_field *field = field_find(key, fields, count);

        if (field)
            *field->out = value;
        else if (!allow_unknown)
            fault = "";
    }
    if (!fault)
        fault = fields_fault(fields, count);
    if (fault && bad)
        *bad = fault;
    return fault ? ERR_MALFORMED : ERR_NONE;
}

MUST_CHECK static enum err contents_read(struct cbor_value value, enum cbor_kind kind,
                                         struct span *out)
{
    if (value.kind != kind)
        return ERR_MALFORMED;
    *out = checked_token(value.raw).contents;
    return ERR_NONE;
}

enum err cbor_bytes(struct cbor_value value, struct span *out)
{
    return contents_read(value, CBOR_BYTES, out);
}

enum err cbor_text(struct cbor_value value, struct span *out)
{
    return contents_read(value, CBOR_TEXT, out);
}

bool cbor_text_equal(struct cbor_value value, const char *text)
{
    struct span contents;

    return cbor_text(value, &contents) == ERR_NONE && span_equal_string(contents, text);
}

enum err cbor_uint64(struct cbor_value value, uint64_t *out)
{
    if (value.kind != CBOR_UNSIGNED)
        return ERR_MALFORMED;
    *out = checked_token(value.raw).argument;
    return ERR_NONE;
}

enum err cbor_int64(struct cbor_value value, int64_t *out)
{
    uint64_t argument;

    if (value.kind != CBOR_UNSIGNED && value.kind != CBOR_NEGATIVE)
        return ERR_MALFORMED;
    argument = checked_token(value.raw).argument;
    if (argument > INT64_MAX)
        return ERR_MALFORMED;
    *out = value.kind == CBOR_UNSIGNED ? (int64_t)argument : -1 - (int64_t)argument;
    return ERR_NONE;
}

enum err cbor_tagged(struct cbor_value value, uint64_t *number, struct cbor_value *out)
{
    struct token head;

    if (value.kind != CBOR_TAG)
        return ERR_MALFORMED;
    head = checked_token(value.raw);
    *number = head.argument;
    *out = first_value(after(value.raw, head.size));
    return ERR_NONE;
}

/*
 * Writing.
 */

static void put_head(struct writer *w, unsigned major, uint64_t argument)
{
    size_t size = head_size(argument);
    uint8_t top = (uint8_t)(major << 5);

    if (size == 1) {
        writer_u8(w, (uint8_t)(top | argument));
        return;
    }
    /* 24 says one byte follows, 25 two, 26 four, 27 eight */
    writer_u8(w, (uint8_t)(top | (size == 2 ? 24 : size == 3 ? 25 : size == 5 ? 26 : 27)));
    for (size_t i = size - 1; i > 0; i--)
        writer_u8(w, (uint8_t)(argument >> (8 * (i - 1))));
}

void cbor_put_uint(struct writer *w, uint64_t value)
{
    put_head(w, MAJOR_UNSIGNED, value);
}

void cbor_put_int(struct writer *w, int64_t value)
{
    if (value >= 0)
        put_head(w, MAJOR_UNSIGNED, (uint64_t)value);
    else
        put_head(w, MAJOR_NEGATIVE, (uint64_t)(-1 - value));
}

void cbor_put_bytes_head(struct writer *w, size_t size)
{
    put_head(w, MAJOR_BYTES, size);
}

void cbor_put_bytes(struct writer *w, struct span bytes)
{
    cbor_put_bytes_head(w, bytes.size);
    writer_put(w, bytes);
}

void cbor_put_text(struct writer *w, struct span text)
{
    put_head(w, MAJOR_TEXT, text.size);
    writer_put(w, text);
}

void cbor_put_array(struct writer *w, size_t count)
{
    put_head(w, MAJOR_ARRAY, count);
}

void cbor_put_map(struct writer *w, size_t count)
{
    put_head(w, MAJOR_MAP, count);
}

void cbor_put_tag(struct writer *w, uint64_t number)
{
    put_head(w, MAJOR_TAG, number);
}

void cbor_put_null(struct writer *w)
{
    writer_u8(w, SIMPLE_NULL);
}
