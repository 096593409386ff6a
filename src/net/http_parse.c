#include "net/http_parse.h"

#include <string.h>

#include "base/text.h"

static const struct http_refusal bad_request_line = {
    400, "bad_request_line", "the request line is not of the form METHOD /path HTTP/1.1"};
static const struct http_refusal version_not_supported = {
    400, "version_not_supported", "only HTTP/1.1 and HTTP/1.0 are spoken here"};
static const struct http_refusal uri_too_long = {414, "uri_too_long",
                                                 "the request line is too long"};
static const struct http_refusal bad_header = {400, "bad_header", "a header is not well-formed"};
static const struct http_refusal header_too_large = {431, "header_too_large",
                                                     "the headers are too large"};
static const struct http_refusal too_many_headers = {431, "too_many_headers",
                                                     "there are too many headers"};
static const struct http_refusal duplicate_header = {
    400, "duplicate_header", "a header that may stand once only is repeated"};
static const struct http_refusal missing_host = {400, "missing_host",
                                                 "the Host header is missing or empty"};
static const struct http_refusal host_mismatch = {
    400, "host_mismatch", "the Host header is not the host of the request target"};
static const struct http_refusal bad_framing = {
    400, "bad_framing",
    "the length of the body must be given by one decimal Content-Length and nothing else"};
static const struct http_refusal body_too_large = {413, "body_too_large", "the body is too large"};
static const struct http_refusal bad_expectation = {417, "bad_expectation",
                                                    "only Expect: 100-continue is known"};

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* Compares the sizes first, because nearly all names differ there. */
static bool name_is(struct span name, struct span wanted)
{
    if (name.size != wanted.size)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (lower(name.data[i]) != lower(wanted.data[i]))
            return false;
    return true;
}

bool http_name_equal(struct span name, const char *text)
{
    return name_is(name, span_string(text));
}

#define BIT(c) (UINT64_C(1) << ((c)&63))
#define RANGE(first, last) ((BIT(last) << 1) - BIT(first))

/* A set of ASCII characters: bit c % 64 of word c / 64. */
struct ascii_set {
    uint64_t words[2];
};

/* tchar of RFC 9110 section 5.6.2 */
static const struct ascii_set token_bytes = {
    {RANGE('0', '9') | BIT('!') | BIT('#') | BIT('$') | BIT('%') | BIT('&') | BIT('\'') | BIT('*') |
         BIT('+') | BIT('-') | BIT('.'),
     RANGE('a', 'z') | RANGE('A', 'Z') | BIT('^') | BIT('_') | BIT('`') | BIT('|') | BIT('~')}
};

/* the characters of names, addresses, ports and escapes, RFC 3986 section 3.2 */
static const struct ascii_set host_bytes = {
    {RANGE('0', '9') | BIT('-') | BIT('.') | BIT(':') | BIT('%'),
     RANGE('a', 'z') | RANGE('A', 'Z') | BIT('_') | BIT('~') | BIT('[') | BIT(']')}
};

static bool all_in(struct span s, const struct ascii_set *set)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] >= 0x80 || !(set->words[s.data[i] / 64] & BIT(s.data[i])))
            return false;
    return true;
}

static bool is_token(struct span s)
{
    return s.size > 0 && all_in(s, &token_bytes);
}

/* Takes the part of `*rest` before `mark`, and drops `mark`; false when there is no `mark`. */
static bool take_until(struct span *rest, uint8_t mark, struct span *out)
{
    const uint8_t *at = rest->size ? memchr(rest->data, mark, rest->size) : NULL;
    size_t size;

    if (!at)
        return false;
    size = (size_t)(at - rest->data);
    *out = span_of(rest->data, size);
    *rest = span_of(at + 1, rest->size - size - 1);
    return true;
}

/* Compares without case, and drops the match from the front of `*s`. */
static bool take_word(struct span *s, struct span word)
{
    if (s->size < word.size || !name_is(span_of(s->data, word.size), word))
        return false;
    *s = span_of(s->data + word.size, s->size - word.size);
    return true;
}

/*
 * origin-form or absolute-form (RFC 9112 sections 3.2.1 and 3.2.2): visible ASCII, without a
 * fragment. `*authority` is empty for origin-form. `*rest` is the path with its query. In
 * absolute-form the path may be absent; then it is the second "/" after the scheme.
 */
static bool target_split(struct span s, struct span *authority, struct span *rest)
{
    size_t size = 0;

    *authority = span_of(s.data, 0);
    *rest = s;
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] <= 0x20 || s.data[i] >= 0x7f || s.data[i] == '#')
            return false;
    if (s.size > 0 && s.data[0] == '/')
        return true;
    if (!take_word(&s, SPAN_LITERAL("http://")) && !take_word(&s, SPAN_LITERAL("https://")))
        return false;
    while (size < s.size && s.data[size] != '/' && s.data[size] != '?')
        size++;
    *authority = span_of(s.data, size);
    *rest = span_of(s.data + size, s.size - size);
    return size > 0 && all_in(*authority, &host_bytes);
}

/* Splits into path and query. */
static void rest_split(struct span rest, struct http_request *r)
{
    struct span path = rest;

    r->query = span_of(rest.data + rest.size, 0);
    if (take_until(&rest, '?', &path))
        r->query = rest;
    if (path.size == 0) /* in absolute-form: the slash before the authority */
        path = span_of(r->target.data + (r->target.data[5] == '/' ? 5 : 6), 1);
    r->path = path;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_http_version(struct span s)
{
    return s.size == 8 && span_equal_string(span_of(s.data, 5), "HTTP/") && is_digit(s.data[5]) &&
           s.data[6] == '.' && is_digit(s.data[7]);
}

/* `line` without its CRLF */
static const struct http_refusal *request_line_parse(struct span line, struct http_request *r,
                                                     bool *is_1_0)
{
    struct span rest = line;
    struct span authority;
    struct span path;

    if (!take_until(&rest, ' ', &r->method) || !take_until(&rest, ' ', &r->target) ||
        !is_http_version(rest))
        return &bad_request_line;
    *is_1_0 = span_equal_string(rest, "HTTP/1.0");
    if (!*is_1_0 && !span_equal_string(rest, "HTTP/1.1"))
        return &version_not_supported;
    if (!is_token(r->method) || r->method.size > HTTP_METHOD_MAX_SIZE ||
        !target_split(r->target, &authority, &path))
        return &bad_request_line;
    rest_split(path, r);
    return NULL;
}

/* The refusal of byte `i`, which holds for all continuations; NULL when the byte is allowed. */
static const struct http_refusal *byte_refusal(struct span bytes, size_t i, size_t line_size)
{
    const struct http_refusal *malformed = line_size ? &bad_header : &bad_request_line;
    uint8_t c = bytes.data[i];
    bool after_cr = i > 0 && bytes.data[i - 1] == '\r';

    if (line_size == 0 && i >= HTTP_LINE_MAX_SIZE)
        return &uri_too_long;
    if (i >= HTTP_HEAD_MAX_SIZE)
        return &header_too_large;
    if (after_cr != (c == '\n')) /* a bare CR, or a bare LF */
        return malformed;
    if (c == 0x7f || (c < 0x20 && c != '\r' && c != '\n' && c != '\t'))
        return malformed;
    return NULL;
}

/* Whether one of the 8 bytes is a control byte: below 0x20, or 0x7f. */
static bool has_control(uint64_t bytes)
{
    const uint64_t ones = UINT64_MAX / 0xff; /* 0x01 in each byte */
    const uint64_t dels = bytes ^ (ones * 0x7f);

    /* a byte lower than n <= 0x80 borrows into its top bit, and only such a byte starts a borrow */
    return (((bytes - ones * 0x20) & ~bytes) | ((dels - ones) & ~dels)) & (ones * 0x80);
}

/*
 * The next place, at or after `from`, that needs byte_refusal(). The bytes before it are neither
 * control bytes nor beyond a limit. Nearly all bytes of a head are like that, so eight are examined
 * at once.
 */
static size_t skip_plain(struct span bytes, size_t from, size_t line_size)
{
    size_t limit = line_size ? HTTP_HEAD_MAX_SIZE : HTTP_LINE_MAX_SIZE;
    size_t end = bytes.size < limit ? bytes.size : limit;
    uint64_t eight;

    if (from > 0 && bytes.data[from - 1] == '\r')
        return from;
    for (; from + sizeof eight <= end; from += sizeof eight) {
        memcpy(&eight, bytes.data + from, sizeof eight);
        if (has_control(eight))
            break;
    }
    while (from < end && bytes.data[from] >= 0x20 && bytes.data[from] != 0x7f)
        from++;
    return from;
}

/* Scans the new bytes; stops after the empty line that ends the head. */
static enum http_parsed scan_head(struct span bytes, struct http_scan *scan,
                                  struct http_request *request, bool *is_1_0,
                                  const struct http_refusal **refusal)
{
    for (;;) {
        size_t i = skip_plain(bytes, scan->size, scan->line_size);

        scan->size = i;
        if (i == bytes.size)
            return HTTP_INCOMPLETE;
        *refusal = byte_refusal(bytes, i, scan->line_size);
        if (*refusal)
            return HTTP_REFUSED;
        scan->size++;
        if (bytes.data[i] != '\n')
            continue;
        if (scan->line_size == 0) {
            scan->line_size = i + 1;
            /* at once, not at the end of the head: HTTP/0.9 has no end */
            *refusal = request_line_parse(span_of(bytes.data, i - 1), request, is_1_0);
            if (*refusal)
                return HTTP_REFUSED;
        } else if (bytes.data[i - 2] == '\n') {
            return HTTP_COMPLETE;
        }
    }
}

static struct span trimmed(struct span s)
{
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = span_of(s.data + 1, s.size - 1);
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

/* `lines`: whole lines, each with its CRLF; scan_head() has checked that CR and LF occur only
 * there. */
static const struct http_refusal *headers_parse(struct span lines, struct http_request *r)
{
    r->header_count = 0;
    while (lines.size > 0) {
        struct span line;
        struct span name;

        if (!take_until(&lines, '\n', &line))
            return &bad_header;
        line.size--; /* the CR */
        if (r->header_count == HTTP_HEADERS_MAX)
            return &too_many_headers;
        if (!take_until(&line, ':', &name) || !is_token(name))
            return &bad_header;
        r->headers[r->header_count++] = (struct http_header){name, trimmed(line)};
    }
    return NULL;
}

/* One spelling: digits without sign, space or leading zero. */
static const struct http_refusal *content_length_parse(struct span s, size_t body_max, size_t *out)
{
    uint64_t size;
    const enum err e = decimal_read(s, &size);

    if (e == ERR_MALFORMED)
        return &bad_framing;
    if (e != ERR_NONE || size > body_max)
        return &body_too_large;
    *out = (size_t)size;
    return NULL;
}

/* Whether the comma list `s` has `token` in it. */
static bool list_has(struct span s, const char *token)
{
    struct span item;

    while (take_until(&s, ',', &item))
        if (http_name_equal(trimmed(item), token))
            return true;
    return http_name_equal(trimmed(s), token);
}

struct seen {
    bool host, authorization, content_length, content_type;
};

/* Reads a header that may occur once; a second one gives `refusal`. */
static const struct http_refusal *once(bool *seen, const struct http_refusal *refusal)
{
    if (*seen)
        return refusal;
    *seen = true;
    return NULL;
}

static const struct http_refusal *host_check(struct span value, struct span target,
                                             struct seen *seen)
{
    const struct http_refusal *refusal = once(&seen->host, &duplicate_header);
    struct span authority;
    struct span path;

    if (refusal)
        return refusal;
    if (value.size == 0)
        return &missing_host;
    if (!all_in(value, &host_bytes))
        return &bad_header;
    if (target_split(target, &authority, &path) && authority.size > 0 && !name_is(authority, value))
        return &host_mismatch;
    return NULL;
}

static const struct http_refusal *header_check(const struct http_request *r,
                                               const struct http_header *h, size_t body_max,
                                               struct seen *seen, struct http_framing *f)
{
    const struct http_refusal *refusal = NULL;

    if (name_is(h->name, SPAN_LITERAL("host")))
        return host_check(h->value, r->target, seen);
    if (name_is(h->name, SPAN_LITERAL("authorization")))
        return once(&seen->authorization, &duplicate_header);
    if (name_is(h->name, SPAN_LITERAL("content-type")))
        return once(&seen->content_type, &duplicate_header);
    if (name_is(h->name, SPAN_LITERAL("transfer-encoding")))
        return &bad_framing;
    if (name_is(h->name, SPAN_LITERAL("content-length"))) {
        refusal = once(&seen->content_length, &bad_framing);
        return refusal ? refusal : content_length_parse(h->value, body_max, &f->body_size);
    }
    if (name_is(h->name, SPAN_LITERAL("connection")))
        f->close = f->close || list_has(h->value, "close");
    if (name_is(h->name, SPAN_LITERAL("expect"))) {
        f->expect_continue = name_is(h->value, SPAN_LITERAL("100-continue"));
        return f->expect_continue ? NULL : &bad_expectation;
    }
    return NULL;
}

static const struct http_refusal *framing_check(const struct http_request *r, size_t body_max,
                                                bool is_1_0, struct http_framing *f)
{
    struct seen seen = {0};

    f->close = is_1_0;
    for (size_t i = 0; i < r->header_count; i++) {
        const struct http_refusal *refusal = header_check(r, &r->headers[i], body_max, &seen, f);

        if (refusal)
            return refusal;
    }
    if (is_1_0)
        f->expect_continue = false; /* RFC 9110 section 10.1.1 */
    else if (!seen.host)
        return &missing_host;
    return NULL;
}

enum http_parsed http_head_parse(struct span bytes, size_t body_max, struct http_scan *scan,
                                 struct http_request *request, struct http_framing *framing,
                                 const struct http_refusal **refusal)
{
    struct http_framing f = {0};
    bool is_1_0 = false;
    size_t line_size = scan->line_size;
    enum http_parsed parsed = scan_head(bytes, scan, request, &is_1_0, refusal);

    if (parsed != HTTP_COMPLETE)
        return parsed;
    f.head_size = scan->size;
    if (line_size != 0) /* an earlier call checked the line, but the bytes have moved since */
        *refusal = request_line_parse(span_of(bytes.data, line_size - 2), request, &is_1_0);
    line_size = scan->line_size;
    if (!*refusal)
        *refusal =
            headers_parse(span_of(bytes.data + line_size, scan->size - line_size - 2), request);
    if (!*refusal)
        *refusal = framing_check(request, body_max, is_1_0, &f);
    if (*refusal)
        return HTTP_REFUSED;
    *framing = f;
    return HTTP_COMPLETE;
}
