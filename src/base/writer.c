#include "base/writer.h"

#include <string.h>

struct writer writer_over(void *data, size_t capacity)
{
    return (struct writer){.data = data, .capacity = capacity};
}

static uint8_t *claim(struct writer *w, size_t size)
{
    uint8_t *place;

    if (w->failed || size > w->capacity - w->size) {
        w->failed = true;
        return NULL;
    }
    place = w->data + w->size;
    w->size += size;
    return place;
}

void writer_put(struct writer *w, struct span bytes)
{
    uint8_t *place = claim(w, bytes.size);

    if (place && bytes.size > 0)
        memcpy(place, bytes.data, bytes.size);
}

void writer_zero(struct writer *w, size_t size)
{
    uint8_t *place = claim(w, size);

    if (place && size > 0)
        memset(place, 0, size);
}

static void put_little(struct writer *w, uint64_t value, size_t size)
{
    uint8_t *place = claim(w, size);

    for (size_t i = 0; place && i < size; i++)
        place[i] = (uint8_t)(value >> (8 * i));
}

static void put_big(struct writer *w, uint64_t value, size_t size)
{
    uint8_t *place = claim(w, size);

    for (size_t i = 0; place && i < size; i++)
        place[size - 1 - i] = (uint8_t)(value >> (8 * i));
}

void writer_u8(struct writer *w, uint8_t value)
{
    uint8_t *place = claim(w, 1);

    if (place)
        *place = value;
}

void writer_u16le(struct writer *w, uint16_t value)
{
    put_little(w, value, 2);
}

void writer_u32le(struct writer *w, uint32_t value)
{
    put_little(w, value, 4);
}

void writer_u64le(struct writer *w, uint64_t value)
{
    put_little(w, value, 8);
}

void writer_u16be(struct writer *w, uint16_t value)
{
    put_big(w, value, 2);
}

void writer_u32be(struct writer *w, uint32_t value)
{
    put_big(w, value, 4);
}

void writer_u64be(struct writer *w, uint64_t value)
{
    put_big(w, value, 8);
}

enum err writer_finish(const struct writer *w, struct span *out)
{
    if (w->failed)
        return ERR_TOO_LARGE;
    if (out)
        *out = span_of(w->data, w->size);
    return ERR_NONE;
}
