#include "net/held.h"

static size_t counted(size_t size)
{
    return size > HELD_FREE_SIZE ? size : 0;
}

bool held_grow(struct held *h, size_t size)
{
    size_t wanted = counted(size);

    if (wanted <= h->size) {
        held_shrink(h, size);
        return true;
    }
    if (!quota_take(h->pot, &h->owner, wanted - h->size))
        return false;
    h->size = wanted;
    return true;
}

void held_shrink(struct held *h, size_t size)
{
    size_t wanted = counted(size);

    if (wanted >= h->size)
        return;
    quota_give(h->pot, &h->owner, h->size - wanted);
    h->size = wanted;
}
