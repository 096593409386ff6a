#include "codec/der.h"

#include <assert.h>

#include "base/writer.h"

enum { LENGTH_BYTES_MAX = 4 }; /* no input or output comes near 4 GiB */

/* X.690 section 10.1: a definite length, in as few bytes as possible. */
static size_t take_length(struct reader *r)
{
    uint8_t first = reader_u8(r);
    size_t count = first & 0x7fu;
    size_t length = 0;

    if (first < 0x80)
        return first;
    if (count == 0 || count > LENGTH_BYTES_MAX)
        r->failed = true;
    for (size_t i = 0; !r->failed && i < count; i++)
        length = length << 8 | reader_u8(r);
    if (length < 0x80 || length >> (8 * (count - 1)) == 0)
        r->failed = true;
    return length;
}

struct span der_take(struct reader *r, uint8_t tag)
{
    size_t length;

    if (reader_u8(r) != tag)
        r->failed = true;
    length = take_length(r);
    return reader_take(r, length);
}

uint8_t der_peek(const struct reader *r)
{
    return r->failed || r->rest.size == 0 ? 0 : r->rest.data[0];
}

struct span der_take_whole(struct reader *r, uint8_t tag)
{
    const uint8_t *start = r->rest.data;

    (void)der_take(r, tag);
    return r->failed ? (struct span){0} : span_of(start, (size_t)(r->rest.data - start));
}

/* X.690 section 8.3.2: the first nine bits are neither all ones nor all zero. */
static bool is_shortest_unsigned(struct span bytes)
{
    if (bytes.size == 0 || bytes.data[0] >= 0x80)
        return false;
    return bytes.size == 1 || bytes.data[0] != 0 || bytes.data[1] >= 0x80;
}

uint64_t der_take_uint(struct reader *r, uint8_t tag, uint64_t max)
{
    struct span bytes = der_take(r, tag);
    uint64_t value = 0;

    if (!is_shortest_unsigned(bytes) || bytes.size > sizeof value + 1 ||
        (bytes.size == sizeof value + 1 && bytes.data[0] != 0)) {
        r->failed = true;
        return 0;
    }
    for (size_t i = 0; i < bytes.size; i++)
        value = value << 8 | bytes.data[i];
    if (value > max) {
        r->failed = true;
        return 0;
    }
    return value;
}

struct span der_take_unsigned(struct reader *r)
{
    struct span bytes = der_take(r, DER_INTEGER);

    if (!is_shortest_unsigned(bytes)) {
        r->failed = true;
        return (struct span){0};
    }
    return bytes.data[0] == 0 ? span_slice(bytes, 1, bytes.size) : bytes;
}

struct span der_take_bits(struct reader *r)
{
    struct span bytes = der_take(r, DER_BIT_STRING);

    if (bytes.size == 0 || bytes.data[0] != 0) {
        r->failed = true;
        return (struct span){0};
    }
    return span_slice(bytes, 1, bytes.size);
}

bool der_take_bool(struct reader *r)
{
    struct span bytes = der_take(r, DER_BOOLEAN);

    if (bytes.size != 1 || (bytes.data[0] != 0 && bytes.data[0] != 0xff)) {
        r->failed = true;
        return false;
    }
    return bytes.data[0] != 0;
}

/* The number of bytes that follow the first byte of a length. */
static size_t length_bytes(size_t size)
{
    size_t count = 0;

    if (size < 0x80)
        return 0;
    for (; size > 0; size >>= 8)
        count++;
    return count;
}

void der_put_head(struct writer *w, uint8_t tag, size_t size)
{
    size_t count = length_bytes(size);

    assert(count <= LENGTH_BYTES_MAX);
    writer_u8(w, tag);
    writer_u8(w, count == 0 ? (uint8_t)size : (uint8_t)(0x80 | count));
    for (size_t i = count; i > 0; i--)
        writer_u8(w, (uint8_t)(size >> (8 * (i - 1))));
}

size_t der_head_size(size_t size)
{
    return 2 + length_bytes(size);
}

/* `number` without leading zeros. */
static struct span significant(struct span number)
{
    size_t zeros = 0;

    while (zeros < number.size && number.data[zeros] == 0)
        zeros++;
    return span_slice(number, zeros, number.size);
}

/* A zero in front keeps the sign positive, and is the whole of the number 0. */
static bool has_zero_in_front(struct span digits)
{
    return digits.size == 0 || digits.data[0] >= 0x80;
}

void der_put_unsigned(struct writer *w, struct span number)
{
    struct span digits = significant(number);
    bool zero = has_zero_in_front(digits);

    der_put_head(w, DER_INTEGER, digits.size + zero);
    if (zero)
        writer_u8(w, 0);
    writer_put(w, digits);
}

size_t der_unsigned_size(struct span number)
{
    struct span digits = significant(number);
    size_t size = digits.size + has_zero_in_front(digits);

    return der_head_size(size) + size;
}
