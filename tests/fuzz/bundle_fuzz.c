/* audit/tiles: the entries of an accepted bundle make the same bundle again. */
#include <stdlib.h>

#include "audit/tiles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span entries[TILE_WIDTH];
    struct buffer again = {0};
    size_t count = 0;

    if (bundle_parse(span_of(data, size), entries, &count) != ERR_NONE)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (bundle_append(&again, entries[i]) != ERR_NONE)
            abort();
    if (!span_equal(buffer_span(&again), span_of(data, size)))
        abort();
    buffer_clear(&again);
    return 0;
}
