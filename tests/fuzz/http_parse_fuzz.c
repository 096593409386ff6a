/*
 * Two laws. The result does not depend on how the bytes arrive. An accepted request that is written
 * again from its parts has the same framing.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_parse.h"

enum { BODY_MAX = 1 << 20 };

struct result {
    enum http_parsed parsed;
    const struct http_refusal *refusal;
    struct http_framing framing;
    struct http_request request;
};

static void parse(struct span bytes, struct http_scan *scan, struct result *r)
{
    r->refusal = NULL;
    r->framing = (struct http_framing){0};
    r->parsed = http_head_parse(bytes, BODY_MAX, scan, &r->request, &r->framing, &r->refusal);
}

static void assert_same(const struct result *a, const struct result *b)
{
    assert(a->parsed == b->parsed && a->refusal == b->refusal);
    assert(a->framing.head_size == b->framing.head_size);
    assert(a->framing.body_size == b->framing.body_size);
    assert(a->framing.close == b->framing.close);
    assert(a->framing.expect_continue == b->framing.expect_continue);
}

static void cut_at(struct span bytes, size_t cut, const struct result *whole)
{
    uint8_t *first = malloc(cut ? cut : 1); /* exact, so that a read beyond it is detected */
    struct http_scan scan = {0};
    struct result r;

    assert(first);
    if (cut > 0)
        memcpy(first, bytes.data, cut);
    parse(span_of(first, cut), &scan, &r);
    if (r.parsed == HTTP_INCOMPLETE)
        parse(bytes, &scan, &r);
    assert_same(&r, whole);
    free(first);
}

static void append(struct buffer *b, struct span bytes)
{
    enum err e = buffer_append(b, bytes);

    assert(e == ERR_NONE);
}

static void write_again(struct span bytes, const struct result *a)
{
    struct buffer out = {0};
    struct http_scan scan = {0};
    struct result b;
    struct span first_line = span_of(a->request.target.data + a->request.target.size, 11);

    assert(first_line.data + first_line.size <= bytes.data + bytes.size);
    append(&out, a->request.method);
    append(&out, SPAN_LITERAL(" "));
    append(&out, a->request.target);
    append(&out, first_line); /* " HTTP/1.x\r\n" */
    for (size_t i = 0; i < a->request.header_count; i++) {
        append(&out, a->request.headers[i].name);
        append(&out, SPAN_LITERAL(":"));
        append(&out, a->request.headers[i].value);
        append(&out, SPAN_LITERAL("\r\n"));
    }
    append(&out, SPAN_LITERAL("\r\n"));
    parse(buffer_span(&out), &scan, &b);
    assert(b.parsed == HTTP_COMPLETE && b.framing.head_size == out.size);
    assert(b.framing.body_size == a->framing.body_size && b.framing.close == a->framing.close);
    assert(b.request.header_count == a->request.header_count);
    assert(a->request.path.size + a->request.query.size <= a->request.target.size);
    buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes;
    struct http_scan scan = {0};
    struct result whole;
    size_t cut;
    char out[64];
    size_t out_size;

    if (size < 2)
        return 0;
    cut = (size_t)data[0] * 256 + data[1];
    bytes = span_of(data + 2, size - 2);
    parse(bytes, &scan, &whole);
    cut_at(bytes, cut % (bytes.size + 1), &whole);
    if (whole.parsed == HTTP_REFUSED)
        assert(whole.refusal != NULL && whole.refusal->status / 100 == 4);
    if (whole.parsed == HTTP_COMPLETE) {
        write_again(bytes, &whole);
        if (http_query(whole.request.query, "id", out, sizeof out, &out_size) == ERR_NONE)
            assert(out_size <= sizeof out);
    }
    return 0;
}
