#include "base/reader.h"

#include <string.h>

struct reader reader_over(struct span bytes)
{
    return (struct reader){bytes, false};
}

struct span reader_take(struct reader *r, size_t size)
{
    struct span taken = span_of(r->rest.data, size);

    if (r->failed || size > r->rest.size) {
        r->failed = true;
        return (struct span){0};
    }
    if (size > 0)
        r->rest = span_of(r->rest.data + size, r->rest.size - size);
    return taken;
}

static uint64_t take_little(struct reader *r, size_t size)
{
    struct span bytes = reader_take(r, size);
    uint64_t value = 0;

    for (size_t i = bytes.size; i > 0; i--)
        value = value << 8 | bytes.data[i - 1];
    return value;
}

static uint64_t take_big(struct reader *r, size_t size)
{
    struct span bytes = reader_take(r, size);
    uint64_t value = 0;

    for (size_t i = 0; i < bytes.size; i++)
        value = value << 8 | bytes.data[i];
    return value;
}

uint8_t reader_u8(struct reader *r)
{
    uint8_t value;

    if (r->failed || r->rest.size == 0) {
        r->failed = true;
        return 0;
    }
    value = r->rest.data[0];
    r->rest.data++;
    r->rest.size--;
    return value;
}

uint16_t reader_u16le(struct reader *r)
{
    return (uint16_t)take_little(r, 2);
}

uint32_t reader_u32le(struct reader *r)
{
    return (uint32_t)take_little(r, 4);
}

uint64_t reader_u64le(struct reader *r)
{
    return take_little(r, 8);
}

uint16_t reader_u16be(struct reader *r)
{
    return (uint16_t)take_big(r, 2);
}

uint32_t reader_u32be(struct reader *r)
{
    return (uint32_t)take_big(r, 4);
}

uint64_t reader_u64be(struct reader *r)
{
    return take_big(r, 8);
}

void reader_copy(struct reader *r, uint8_t *out, size_t size)
{
    struct span bytes = reader_take(r, size);

    if (bytes.size == size && size > 0)
        memcpy(out, bytes.data, size);
    else if (size > 0)
        memset(out, 0, size);
}

enum err reader_finish(const struct reader *r)
{
    return r->failed || r->rest.size != 0 ? ERR_MALFORMED : ERR_NONE;
}
