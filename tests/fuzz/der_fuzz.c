/*
 * codec/der: walks any input as nested elements. Accepted elements are written again from their
 * tags and contents, and must give the same bytes: DER has one encoding per value.
 */
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "codec/der.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH_MAX = 16 };

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void walk(struct span bytes, struct writer *w, unsigned depth);

static void check_uint(struct span element, uint8_t tag, struct span contents)
{
    struct reader r = reader_over(element);
    uint64_t value = der_take_uint(&r, tag, UINT64_MAX);
    uint64_t expected = 0;

    if (reader_finish(&r) != ERR_NONE) {
        require(value == 0);
        return;
    }
    for (size_t i = 0; i < contents.size; i++)
        expected = expected << 8 | contents.data[i];
    require(value == expected && contents.size <= 9 && contents.data[0] < 0x80);
    r = reader_over(element);
    if (value > 0) {
        (void)der_take_uint(&r, tag, value - 1);
        require(r.failed);
    }
}

/* A number that is accepted is written as it was read. */
static void check_unsigned(struct span whole)
{
    struct reader r = reader_over(whole);
    struct span digits = der_take_unsigned(&r);
    uint8_t out[256];
    struct writer w = writer_over(out, sizeof out);

    if (reader_finish(&r) != ERR_NONE || digits.size > sizeof out / 2)
        return;
    der_put_unsigned(&w, digits);
    require(span_equal(span_of(out, w.size), whole) && der_unsigned_size(digits) == whole.size);
}

static void check_bool(struct span element, struct span contents)
{
    struct reader r = reader_over(element);
    bool value = der_take_bool(&r);

    if (reader_finish(&r) == ERR_NONE)
        require(contents.size == 1 && contents.data[0] == (value ? 0xff : 0));
    else
        require(!value);
}

static void element(struct reader *r, struct writer *w, unsigned depth)
{
    struct span before = r->rest;
    uint8_t tag = der_peek(r);
    struct span contents = der_take(r, tag);
    struct span whole = span_of(before.data, before.size - r->rest.size);

    if (r->failed)
        return;
    der_put_head(w, tag, contents.size);
    if (tag == DER_INTEGER || tag == DER_ENUMERATED)
        check_uint(whole, tag, contents);
    check_unsigned(whole);
    if (tag == DER_BOOLEAN)
        check_bool(whole, contents);
    if ((tag & 0x20) && depth < DEPTH_MAX)
        walk(contents, w, depth + 1);
    else
        writer_put(w, contents);
}

/* Walks the elements to the end. Bytes that do not parse are copied, so that sizes stay the
 * same. */
static void walk(struct span bytes, struct writer *w, unsigned depth)
{
    struct reader r = reader_over(bytes);
    struct span rest = bytes;

    while (!r.failed && r.rest.size > 0) {
        rest = r.rest;
        element(&r, w, depth);
    }
    if (r.failed)
        writer_put(w, rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *out = malloc(size + 1);
    struct writer w = writer_over(out, size);
    struct span written;

    require(out != NULL);
    walk(span_of(data, size), &w, 0);
    require(writer_finish(&w, &written) == ERR_NONE);
    require(span_equal(written, span_of(data, size)));
    free(out);
    return 0;
}
