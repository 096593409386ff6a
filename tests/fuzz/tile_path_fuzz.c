/* audit/tiles: a path that is accepted is the one spelling of its tile. */
#include <stdlib.h>

#include "audit/tiles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tile tile = {0};
    char text[TILE_PATH_SIZE];

    if (tile_path_parse(span_of(data, size), &tile) != ERR_NONE)
        return 0;
    if (tile.index > INT64_MAX || tile.level > TILE_LEVEL_MAX || tile.width < 1 ||
        tile.width > TILE_WIDTH ||
        !span_equal(span_of(text, tile_path_write(&tile, text)), span_of(data, size)))
        abort();
    (void)tile_is_inside(&tile, INT64_MAX);
    return 0;
}
