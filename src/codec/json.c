#include "codec/json.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "codec/json_scan.h"

/* The name of a member in an object that is still open, kept to find duplicates. */
struct open_name {
    struct span raw; /* quotes included */
    uint64_t hash;   /* of the contents without escapes */
};

struct parser {
    const uint8_t *at;
    const uint8_t *end;
    size_t depth;
    size_t name_count;
    struct open_name names[JSON_DEPTH_MAX * JSON_MEMBERS_MAX]; /* of all open objects, a stack */
};

MUST_CHECK static enum err take_value(struct parser *p);

static const uint8_t *skip_space(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* The type of a value that begins with `c`. The number parser refuses what begins no value. */
static enum json_type type_of(uint8_t c)
{
    switch (c) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

/*
 * Escapes. json_parse() checks all escapes once; the decoder relies on that.
 */

/* The four digits at `at`; above 0xffff when there are fewer. */
static unsigned hex4(const uint8_t *at, const uint8_t *end)
{
    uint8_t bytes[2];

    if (end - at < 4 || hex_read(span_of(at, 4), bytes, sizeof bytes) != ERR_NONE)
        return 0x10000;
    return (unsigned)bytes[0] << 8 | bytes[1];
}

static bool is_high_surrogate(unsigned unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low_surrogate(unsigned unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* Size of the escape at `at`, which is a backslash; 0 when RFC 8259 section 7 does not list it. */
static size_t escape_size(const uint8_t *at, const uint8_t *end)
{
    static const char letters[] = "\"\\/bfnrt";
    unsigned unit;

    if (end - at < 2)
        return 0;
    if (at[1] != 'u')
        return memchr(letters, at[1], sizeof letters - 1) ? 2 : 0;
    unit = hex4(at + 2, end);
    if (unit > 0xffff || is_low_surrogate(unit))
        return 0;
    if (!is_high_surrogate(unit))
        return 6;
    if (end - at < 12 || at[6] != '\\' || at[7] != 'u' || !is_low_surrogate(hex4(at + 8, end)))
        return 0;
    return 12;
}

static size_t utf8_write(uint32_t c, uint8_t out[4])
{
    size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = size; i > 1; i--) {
        out[i - 1] = (uint8_t)(0x80u | (c & 0x3fu));
        c >>= 6;
    }
    out[0] = (uint8_t)(marks[size] | c);
    return size;
}

/* Decodes the escape at `at`; returns the size of the escape. */
static size_t unescape(const uint8_t *at, const uint8_t *end, uint8_t out[4], size_t *out_size)
{
    static const char from[] = "bfnrt";
    static const char to[] = "\b\f\n\r\t";
    size_t size = escape_size(at, end);
    const char *found;
    uint32_t c;

    assert(size != 0);
    if (size == 2) {
        found = memchr(from, at[1], sizeof from - 1);
        out[0] = found ? (uint8_t)to[found - from] : at[1];
        *out_size = 1;
        return size;
    }
    c = hex4(at + 2, end);
    if (size == 12)
        c = 0x10000 + ((c - 0xd800) << 10) + (hex4(at + 8, end) - 0xdc00);
    *out_size = utf8_write(c, out);
    return size;
}

/* The next bytes of a string's contents, at least one. `rest` must not be empty. */
static struct span next_piece(struct span *rest, uint8_t space[4])
{
    const uint8_t *at = rest->data;
    const uint8_t *end = at + rest->size;
    const uint8_t *next;
    struct span piece;

    if (*at == '\\') {
        size_t size;

        next = at + unescape(at, end, space, &size);
        piece = span_of(space, size);
    } else {
        next = memchr(at, '\\', rest->size);
        if (!next)
            next = end;
        piece = span_of(at, (size_t)(next - at));
    }
    *rest = span_of(next, (size_t)(end - next));
    return piece;
}

static struct span without_quotes(struct span raw)
{
    return span_slice(raw, 1, raw.size - 2);
}

static struct span slice_from(struct span s, size_t offset)
{
    return (struct span){s.data + offset, s.size - offset};
}

static uint64_t hash_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/* Hashes the decoded contents, eight bytes a step. So equal strings have equal hashes, with or
 * without escapes. */
static uint64_t string_hash(struct span raw)
{
    struct span rest = without_quotes(raw);
    uint64_t hash = 0;
    uint64_t word = 0;
    uint64_t total = 0;
    uint8_t space[4];

    while (rest.size > 0) {
        struct span piece = next_piece(&rest, space);

        for (; total % 8 == 0 && piece.size >= 8; piece = slice_from(piece, 8), total += 8) {
            memcpy(&word, piece.data, sizeof word);
            word = be64toh(word);
            hash = hash_mix(hash, word);
        }
        for (size_t i = 0; i < piece.size; i++) {
            word = word << 8 | piece.data[i];
            if (++total % 8 == 0)
                hash = hash_mix(hash, word);
        }
    }
    return hash_mix(hash_mix(hash, word), total);
}

/* Compares the decoded contents of two strings. */
static bool strings_equal(struct span a_raw, struct span b_raw)
{
    struct span a_rest = without_quotes(a_raw);
    struct span b_rest = without_quotes(b_raw);
    struct span a = {0};
    struct span b = {0};
    uint8_t a_space[4];
    uint8_t b_space[4];

    if (span_equal(a_rest, b_rest))
        return true;
    for (;;) {
        size_t size;

        if (a.size == 0 && a_rest.size > 0)
            a = next_piece(&a_rest, a_space);
        if (b.size == 0 && b_rest.size > 0)
            b = next_piece(&b_rest, b_space);
        size = a.size < b.size ? a.size : b.size;
        if (size == 0)
            return a.size == b.size; /* both at their end */
        if (!span_equal(span_of(a.data, size), span_of(b.data, size)))
            return false;
        a = span_of(a.data + size, a.size - size);
        b = span_of(b.data + size, b.size - size);
    }
}

/*
 * Checking a document.
 */

/* Skips white space. Then consumes `c` if it comes next. */
static bool accept(struct parser *p, uint8_t c)
{
    p->at = skip_space(p->at, p->end);
    if (p->at == p->end || *p->at != c)
        return false;
    p->at++;
    return true;
}

MUST_CHECK static enum err take_string(struct parser *p)
{
    p->at++; /* the quote */
    for (;;) {
        size_t size;

        p->at = json_plain_end(p->at, p->end);
        if (p->at == p->end)
            return ERR_MALFORMED;
        if (*p->at == '"')
            break;
        size = *p->at == '\\'   ? escape_size(p->at, p->end)
               : *p->at >= 0x80 ? json_utf8_size(p->at, p->end)
                                : 0;
        if (size == 0)
            return ERR_MALFORMED;
        p->at += size;
    }
    p->at++;
    return ERR_NONE;
}

/* False when there is no string. */
static bool take_digits(struct parser *p)
{
    const uint8_t *start = p->at;

    while (p->at < p->end && *p->at >= '0' && *p->at <= '9')
        p->at++;
    return p->at > start;
}

static bool take_one_of(struct parser *p, uint8_t a, uint8_t b)
{
    if (p->at == p->end || (*p->at != a && *p->at != b))
        return false;
    p->at++;
    return true;
}

MUST_CHECK static enum err take_number(struct parser *p)
{
    (void)take_one_of(p, '-', '-');
    if (!take_one_of(p, '0', '0') && !take_digits(p))
        return ERR_MALFORMED;
    if (take_one_of(p, '.', '.') && !take_digits(p))
        return ERR_MALFORMED;
    if (take_one_of(p, 'e', 'E')) {
        (void)take_one_of(p, '+', '-');
        if (!take_digits(p))
            return ERR_MALFORMED;
    }
    return ERR_NONE;
}

MUST_CHECK static enum err take_literal(struct parser *p, struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!take_one_of(p, text.data[i], text.data[i]))
            return ERR_MALFORMED;
    return ERR_NONE;
}

/*
 * A name and its colon. `seen` has a bit for each hash met in this object, whose names start at
 * `first`. Names are compared only if the bit of their hash is set.
 */
MUST_CHECK static enum err take_name(struct parser *p, size_t first, uint64_t *seen)
{
    const uint8_t *start;
    struct open_name name;
    uint64_t bit;
    enum err e;

    if (p->name_count - first == JSON_MEMBERS_MAX)
        return ERR_TOO_LARGE;
    start = p->at = skip_space(p->at, p->end);
    if (p->at == p->end || *p->at != '"')
        return ERR_MALFORMED;
    e = take_string(p);
    if (e != ERR_NONE)
        return e;
    name.raw = span_of(start, (size_t)(p->at - start));
    name.hash = string_hash(name.raw);
    bit = (uint64_t)1 << (name.hash >> 58);
    for (size_t i = first; (*seen & bit) != 0 && i < p->name_count; i++) {
        if (p->names[i].hash == name.hash && strings_equal(p->names[i].raw, name.raw)) {
            p->at = start;
            return ERR_MALFORMED;
        }
    }
    *seen |= bit;
    p->names[p->name_count++] = name;
    return accept(p, ':') ? ERR_NONE : ERR_MALFORMED;
}

MUST_CHECK static enum err take_object(struct parser *p)
{
    size_t first = p->name_count;
    uint64_t seen = 0;
    bool more;
    enum err e;

    p->at++; /* the brace */
    more = !accept(p, '}');
    while (more) {
        if ((e = take_name(p, first, &seen)) != ERR_NONE || (e = take_value(p)) != ERR_NONE)
            return e;
        more = accept(p, ',');
        if (!more && !accept(p, '}'))
            return ERR_MALFORMED;
    }
    p->name_count = first;
    return ERR_NONE;
}

MUST_CHECK static enum err take_array(struct parser *p)
{
    size_t count = 0;
    bool more;
    enum err e;

    p->at++; /* the bracket */
    more = !accept(p, ']');
    while (more) {
        if (count++ == JSON_ELEMENTS_MAX)
            return ERR_TOO_LARGE;
        e = take_value(p);
        if (e != ERR_NONE)
            return e;
        more = accept(p, ',');
        if (!more && !accept(p, ']'))
            return ERR_MALFORMED;
    }
    return ERR_NONE;
}

MUST_CHECK static enum err take_container(struct parser *p, enum json_type type)
{
    enum err e;

    if (p->depth == JSON_DEPTH_MAX)
        return ERR_TOO_LARGE;
    p->depth++;
    e = type == JSON_OBJECT ? take_object(p) : take_array(p);
    p->depth--;
    return e;
}

MUST_CHECK static enum err take_value(struct parser *p)
{
    enum json_type type;

    p->at = skip_space(p->at, p->end);
    if (p->at == p->end)
        return ERR_MALFORMED;
    type = type_of(*p->at);
    switch (type) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        return take_container(p, type);
    case JSON_STRING:
        return take_string(p);
    case JSON_TRUE:
        return take_literal(p, SPAN_LITERAL("true"));
    case JSON_FALSE:
        return take_literal(p, SPAN_LITERAL("false"));
    case JSON_NULL:
        return take_literal(p, SPAN_LITERAL("null"));
    case JSON_NUMBER:
        return take_number(p);
    }
    return ERR_MALFORMED;
}

enum err json_parse(struct span document, struct json_value *out, size_t *offset)
{
    struct parser p; /* 24 KiB, mostly unused: not zeroed */
    const uint8_t *start;
    const uint8_t *value_end;
    enum err e;

    if (document.size == 0) {
        if (offset)
            *offset = 0;
        return ERR_MALFORMED;
    }
    p.end = document.data + document.size;
    p.at = start = skip_space(document.data, p.end);
    p.depth = 0;
    p.name_count = 0;
    e = take_value(&p);
    value_end = p.at;
    if (e == ERR_NONE) {
        p.at = skip_space(p.at, p.end);
        e = p.at == p.end ? ERR_NONE : ERR_MALFORMED;
    }
    if (e == ERR_NONE)
        *out = (struct json_value){type_of(*start), span_of(start, (size_t)(value_end - start))};
    else if (offset)
        *offset = (size_t)(p.at - document.data);
    return e;
}

/*
 * Reading checked documents. Every loop still stops at `end`, so a value that was never checked
 * gives a wrong result at worst.
 */

static const uint8_t *skip_string(const uint8_t *at, const uint8_t *end)
{
    for (at++; at < end; at++) {
        at = json_plain_end(at, end);
        if (at < end && *at == '\\')
            at++;
        else if (at < end && *at == '"')
            return at + 1;
    }
    return end;
}

static const uint8_t *skip_container(const uint8_t *at, const uint8_t *end)
{
    size_t depth = 0;

    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if ((*at == '}' || *at == ']') && --depth == 0)
            return at + 1;
        at++;
    }
    return end;
}

static const uint8_t *skip_value(const uint8_t *at, const uint8_t *end)
{
    if (*at == '"')
        return skip_string(at, end);
    if (*at == '{' || *at == '[')
        return skip_container(at, end);
    while (at < end && *at != ',' && *at != '}' && *at != ']' && *at > ' ')
        at++;
    return at;
}

/* Reads the value at `*at`, and moves `*at` behind it. */
static struct json_value step_value(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *start = *at;

    *at = skip_value(start, end);
    return (struct json_value){type_of(*start), span_of(start, (size_t)(*at - start))};
}

bool json_next(struct json_value container, struct json_iterator *i, struct json_value *name,
               struct json_value *out)
{
    const uint8_t *at;
    const uint8_t *end;
    struct json_value key = {0};

    if ((container.type != JSON_OBJECT && container.type != JSON_ARRAY) ||
        i->next >= container.raw.size)
        return false;
    end = container.raw.data + container.raw.size - 1; /* the closing bracket */
    at = skip_space(container.raw.data + (i->next ? i->next : 1), end);
    if (at < end && *at == ',')
        at = skip_space(at + 1, end);
    if (at < end && container.type == JSON_OBJECT) {
        key = step_value(&at, end);
        at = skip_space(at, end);
        at = at < end ? skip_space(at + 1, end) : end; /* the colon */
    }
    if (at >= end)
        return false;
    *out = step_value(&at, end);
    if (name)
        *name = key;
    i->next = (size_t)(at - container.raw.data);
    return true;
}

size_t json_count(struct json_value container)
{
    struct json_iterator i = {0};
    struct json_value value;
    size_t count = 0;

    while (json_next(container, &i, NULL, &value))
        count++;
    return count;
}

enum err json_member(struct json_value object, const char *name, struct json_value *out)
{
    struct json_iterator i = {0};
    struct json_value key;
    struct json_value value;

    if (object.type != JSON_OBJECT)
        return ERR_MALFORMED;
    while (json_next(object, &i, &key, &value)) {
        if (json_string_equal(key, name)) {
            *out = value;
            return ERR_NONE;
        }
    }
    return ERR_NOT_FOUND;
}

/* The first byte usually decides, so a loop is faster than strlen() and memcmp(). */
static bool text_is(struct span text, const char *expected)
{
    for (size_t i = 0; i < text.size; i++)
        if (expected[i] == '\0' || (uint8_t)expected[i] != text.data[i])
            return false;
    return expected[text.size] == '\0';
}

static bool type_fits(const struct json_field *field, enum json_type type)
{
    if (type == JSON_NULL && !field->required)
        return true;
    return field->type == type || (field->type == JSON_TRUE && type == JSON_FALSE);
}

/* The index of `key` in the table, or `count`. */
static size_t field_index(struct json_value key, const struct json_field *fields, size_t count)
{
    struct span plain;
    size_t i = 0;

    if (json_string_plain(key, &plain) != ERR_NONE)
        while (i < count && !json_string_equal(key, fields[i].name))
            i++;
    else
        while (i < count && !text_is(plain, fields[i].name))
            i++;
    return i;
}

enum err json_object_read(struct json_value object, const struct json_field *fields, size_t count,
                          bool allow_unknown, const char **bad)
{
    struct json_value found[JSON_MEMBERS_MAX];
    struct json_iterator i = {0};
    struct json_value key;
    struct json_value value;
    const char *fault = object.type == JSON_OBJECT ? NULL : "";

    assert(count <= JSON_MEMBERS_MAX);
    for (size_t k = 0; k < count; k++)
        found[k] = (struct json_value){0};
    while (!fault && json_next(object, &i, &key, &value)) {
        size_t k = field_index(key, fields, count);

        if (k < count)
            found[k] = value;
        else if (!allow_unknown)
            fault = "";
    }
    for (size_t k = 0; !fault && k < count; k++)
        if (!found[k].raw.data ? fields[k].required : !type_fits(&fields[k], found[k].type))
            fault = fields[k].name;
    if (fault) {
        if (bad)
            *bad = fault;
        return ERR_MALFORMED;
    }
    for (size_t k = 0; k < count; k++)
        *fields[k].out = found[k];
    return ERR_NONE;
}

enum err json_string(struct json_value value, void *out, size_t capacity, size_t *size)
{
    struct span rest;
    uint8_t space[4];
    uint8_t *to = out;
    size_t total = 0;

    if (value.type != JSON_STRING)
        return ERR_MALFORMED;
    for (rest = without_quotes(value.raw); rest.size > 0;) /* `out` is written on success only */
        total += next_piece(&rest, space).size;
    if (total > capacity)
        return ERR_TOO_LARGE;
    for (rest = without_quotes(value.raw); rest.size > 0;) {
        struct span piece = next_piece(&rest, space);

        memcpy(to, piece.data, piece.size);
        to += piece.size;
    }
    *size = total;
    return ERR_NONE;
}

enum err json_string_plain(struct json_value value, struct span *out)
{
    struct span text;

    if (value.type != JSON_STRING)
        return ERR_MALFORMED;
    text = without_quotes(value.raw);
    if (text.size > 0 && memchr(text.data, '\\', text.size))
        return ERR_MALFORMED;
    *out = text;
    return ERR_NONE;
}

bool json_string_equal(struct json_value value, const char *text)
{
    struct span expected = span_string(text);
    struct span rest;
    uint8_t space[4];

    if (value.type != JSON_STRING)
        return false;
    rest = without_quotes(value.raw);
    while (rest.size > 0) {
        struct span piece = next_piece(&rest, space);

        if (!span_starts_with(expected, piece))
            return false;
        expected = span_slice(expected, piece.size, expected.size);
    }
    return expected.size == 0;
}

/* A number's grammar has no leading zeros. ERR_MALFORMED other text, or more than 64 bits. */
MUST_CHECK static enum err digits_read(struct span text, uint64_t *out)
{
    return decimal_read(text, out) == ERR_NONE ? ERR_NONE : ERR_MALFORMED;
}

enum err json_uint64(struct json_value value, uint64_t *out)
{
    return value.type == JSON_NUMBER ? digits_read(value.raw, out) : ERR_MALFORMED;
}

enum err json_int64(struct json_value value, int64_t *out)
{
    bool negative = value.type == JSON_NUMBER && value.raw.size > 0 && value.raw.data[0] == '-';
    uint64_t magnitude = 0;
    enum err e;

    if (value.type != JSON_NUMBER)
        return ERR_MALFORMED;
    e = digits_read(negative ? span_slice(value.raw, 1, value.raw.size) : value.raw, &magnitude);
    if (e != ERR_NONE)
        return e;
    if (negative ? magnitude == 0 || magnitude > (uint64_t)INT64_MAX + 1 : magnitude > INT64_MAX)
        return ERR_MALFORMED;
    if (negative)
        *out = -(int64_t)(magnitude - 1) - 1; /* without overflow at INT64_MIN */
    else
        *out = (int64_t)magnitude;
    return ERR_NONE;
}
