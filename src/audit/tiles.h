/*
 * The static form of a log: C2SP tlog-tiles. A tile has up to 256 hashes of one level of the tree;
 * an entry bundle has up to 256 entries. Pure.
 *
 *   tile/<L>/<N>[.p/<W>]      hashes of the complete subtrees of 256^L entries, 32 bytes each
 *   tile/entries/<N>[.p/<W>]  entries, each after its size as a big-endian u16
 *
 * <N> is the position of the tile in its level, in groups of three digits. All groups but the last
 * begin with x: 1234067 is x001/x234/067. <W> is the width of a partial tile, 1 to 255.
 */
#ifndef AUDIT_TILES_H
#define AUDIT_TILES_H

#include "audit/merkle.h"
#include "base/writer.h"

#define TILE_LEVEL_STEP 8
#define TILE_WIDTH (1 << TILE_LEVEL_STEP)
#define TILE_SIZE (TILE_WIDTH * SHA256_SIZE) /* bytes of a full tile */
#define TILE_LEVEL_MAX 63                    /* that a path can name */
#define TILE_PATH_SIZE 64                    /* of the longest path, with a terminator */
#define BUNDLE_ENTRY_MAX UINT16_MAX          /* bytes of one entry */

struct tile {
    bool entries;   /* an entry bundle; `level` is 0 then */
    unsigned level; /* at most TILE_LEVEL_MAX */
    uint64_t index; /* at most INT64_MAX */
    unsigned width; /* 1 to TILE_WIDTH */
};

/* "tile/0/x001/234", terminated. Returns its length. */
size_t tile_path_write(const struct tile *tile, char out[TILE_PATH_SIZE]);

/* Reads exactly that spelling. ERR_MALFORMED */
MUST_CHECK enum err tile_path_parse(struct span path, struct tile *out);

/* All that the tile is made of is in a log of `size` entries. */
bool tile_is_inside(const struct tile *tile, uint64_t size);

/*
 * The tile at the right edge of a level in a log of `size` entries: the one that is not full.
 * False when there is none, because `size` ends with a full tile or has nothing on this level.
 */
bool tile_at_edge(uint64_t size, unsigned level, struct tile *out);

/* Appends one entry to a bundle. ERR_TOO_LARGE beyond BUNDLE_ENTRY_MAX, ERR_MEMORY */
MUST_CHECK enum err bundle_append(struct buffer *bundle, struct span entry);

/*
 * Splits a bundle into its entries, which borrow from it. ERR_MALFORMED no entry, more than
 * TILE_WIDTH, or the last one is cut
 */
MUST_CHECK enum err bundle_parse(struct span bundle, struct span entries[TILE_WIDTH],
                                 size_t *count);

#endif
