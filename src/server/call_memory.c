#include <stdlib.h>
#include <string.h>

#include "server/call.h"

enum { BLOCK_SIZE = 2048, ALIGNMENT = _Alignof(max_align_t) };

struct call_block {
    struct call_block *next;
    size_t capacity, used;
    _Alignas(max_align_t) uint8_t data[];
};

MUST_CHECK static enum err block_add(struct call *c, size_t size)
{
    const size_t capacity = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    struct call_block *b = calloc(1, sizeof *b + capacity);

    if (!b)
        return ERR_MEMORY;
    b->capacity = capacity;
    b->next = c->memory;
    c->memory = b;
    return ERR_NONE;
}

enum err call_allocate(struct call *c, size_t size, void **out)
{
    struct call_block *b = c->memory;
    enum err e;

    if (size > CALL_MEMORY_MAX)
        return ERR_TOO_LARGE;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!b || b->capacity - b->used < size) {
        if ((e = block_add(c, size)) != ERR_NONE)
            return e;
        b = c->memory;
    }
    *out = b->data + b->used;
    b->used += size;
    return ERR_NONE;
}

void call_memory_free(struct call *c)
{
    while (c->memory) {
        struct call_block *b = c->memory;

        c->memory = b->next;
        bytes_wipe(b->data, b->used);
        free(b);
    }
}
