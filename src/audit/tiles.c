#include "audit/tiles.h"

#include <assert.h>
#include <string.h>

#include "audit/entry.h"
#include "audit/note.h"
#include "base/reader.h"
#include "base/text.h"

enum {
    GROUP_DIGITS = 3,
    GROUP_BASE = 1000,
    GROUPS_MAX = 7, /* of INT64_MAX, which has 19 digits */
};

_Static_assert(AUDIT_ENTRY_MAX <= BUNDLE_ENTRY_MAX, "each entry of the log fits into a bundle");

static void put_group(struct writer *w, unsigned group)
{
    writer_u8(w, (uint8_t)('0' + group / 100));
    writer_u8(w, (uint8_t)('0' + group / 10 % 10));
    writer_u8(w, (uint8_t)('0' + group % 10));
}

static void put_index(struct writer *w, uint64_t index)
{
    unsigned groups[GROUPS_MAX];
    size_t count = 0;

    do {
        assert(count < GROUPS_MAX);
        groups[count++] = (unsigned)(index % GROUP_BASE);
        index /= GROUP_BASE;
    } while (index > 0);
    while (count-- > 0) {
        if (count > 0)
            writer_u8(w, 'x');
        put_group(w, groups[count]);
        if (count > 0)
            writer_u8(w, '/');
    }
}

size_t tile_path_write(const struct tile *tile, char out[TILE_PATH_SIZE])
{
    struct writer w = writer_over(out, TILE_PATH_SIZE - 1);

    writer_put(&w, SPAN_LITERAL("tile/"));
    if (tile->entries)
        writer_put(&w, SPAN_LITERAL("entries"));
    else
        note_put_number(&w, tile->level);
    writer_u8(&w, '/');
    put_index(&w, tile->index);
    if (tile->width < TILE_WIDTH) {
        writer_put(&w, SPAN_LITERAL(".p/"));
        note_put_number(&w, tile->width);
    }
    assert(!w.failed);
    out[w.size] = '\0';
    return w.size;
}

/* Takes the path's next part, up to a slash or the end. */
static struct span part_take(struct span *rest)
{
    const uint8_t *slash = rest->size > 0 ? memchr(rest->data, '/', rest->size) : NULL;
    const struct span part = slash ? span_of(rest->data, (size_t)(slash - rest->data)) : *rest;

    *rest = span_slice(*rest, part.size + 1, rest->size);
    return part;
}

MUST_CHECK static enum err group_read(struct span digits, uint64_t *index)
{
    if (digits.size != GROUP_DIGITS)
        return ERR_MALFORMED;
    for (size_t i = 0; i < GROUP_DIGITS; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9' ||
            __builtin_mul_overflow(*index, 10, index) ||
            __builtin_add_overflow(*index, digits.data[i] - '0', index))
            return ERR_MALFORMED;
    }
    return ERR_NONE;
}

/* What is left after <N>: nothing, or ".p/" and a width, of which `mark` has the ".p". */
MUST_CHECK static enum err width_read(struct span mark, struct span width, unsigned *out)
{
    uint64_t number = 0;

    if (mark.size == 0 && width.size == 0) {
        *out = TILE_WIDTH;
        return ERR_NONE;
    }
    if (!span_equal_string(mark, ".p") || decimal_read(width, &number) != ERR_NONE || number == 0 ||
        number >= TILE_WIDTH)
        return ERR_MALFORMED;
    *out = (unsigned)number;
    return ERR_NONE;
}

MUST_CHECK static enum err index_and_width_read(struct span rest, struct tile *out)
{
    struct span part = part_take(&rest);
    enum err e = ERR_NONE;

    for (; e == ERR_NONE && part.size > 0 && part.data[0] == 'x'; part = part_take(&rest))
        e = group_read(span_slice(part, 1, part.size), &out->index);
    if (e == ERR_NONE)
        e = group_read(span_slice(part, 0, GROUP_DIGITS), &out->index);
    if (e != ERR_NONE || out->index > INT64_MAX)
        return ERR_MALFORMED;
    return width_read(span_slice(part, GROUP_DIGITS, part.size), rest, &out->width);
}

MUST_CHECK static enum err level_read(struct span part, struct tile *out)
{
    uint64_t number = 0;

    out->entries = span_equal_string(part, "entries");
    if (out->entries)
        return ERR_NONE;
    if (decimal_read(part, &number) != ERR_NONE || number > TILE_LEVEL_MAX)
        return ERR_MALFORMED;
    out->level = (unsigned)number;
    return ERR_NONE;
}

enum err tile_path_parse(struct span path, struct tile *out)
{
    struct span rest = path;
    struct tile tile = {0};
    char text[TILE_PATH_SIZE];
    enum err e = ERR_MALFORMED;

    if (path.size >= sizeof text || !span_equal_string(part_take(&rest), "tile"))
        return ERR_MALFORMED;
    e = level_read(part_take(&rest), &tile);
    if (e == ERR_NONE)
        e = index_and_width_read(rest, &tile);
    if (e != ERR_NONE)
        return e;
    /* groups of zeros in front, and slashes at the end, would be other spellings */
    if (!span_equal(path, span_of(text, tile_path_write(&tile, text))))
        return ERR_MALFORMED;
    *out = tile;
    return ERR_NONE;
}

/* Complete subtrees of this level in a log of `size` entries. */
static uint64_t hashes_of(uint64_t size, unsigned level)
{
    const unsigned bits = level * TILE_LEVEL_STEP;

    return bits < 64 ? size >> bits : 0;
}

bool tile_is_inside(const struct tile *tile, uint64_t size)
{
    const uint64_t hashes = hashes_of(size, tile->level);
    const uint64_t before = tile->index < hashes / TILE_WIDTH + 1 ? tile->index * TILE_WIDTH : 0;

    return tile->index < hashes / TILE_WIDTH + 1 && tile->width <= hashes - before;
}

bool tile_at_edge(uint64_t size, unsigned level, struct tile *out)
{
    const uint64_t hashes = hashes_of(size, level);

    *out = (struct tile){
        .level = level, .index = hashes / TILE_WIDTH, .width = (unsigned)(hashes % TILE_WIDTH)};
    return out->width > 0;
}

enum err bundle_append(struct buffer *bundle, struct span entry)
{
    const uint8_t size[] = {(uint8_t)(entry.size >> 8), (uint8_t)entry.size};
    enum err e;

    if (entry.size > BUNDLE_ENTRY_MAX)
        return ERR_TOO_LARGE;
    e = buffer_reserve(bundle, sizeof size + entry.size);
    if (e == ERR_NONE)
        e = buffer_append(bundle, SPAN_OF(size));
    return e == ERR_NONE ? buffer_append(bundle, entry) : e;
}

enum err bundle_parse(struct span bundle, struct span entries[TILE_WIDTH], size_t *count)
{
    struct reader r = reader_over(bundle);
    size_t found = 0;

    while (!r.failed && r.rest.size > 0 && found < TILE_WIDTH) {
        const uint16_t size = reader_u16be(&r);

        entries[found++] = reader_take(&r, size);
    }
    if (found == 0 || reader_finish(&r) != ERR_NONE)
        return ERR_MALFORMED;
    *count = found;
    return ERR_NONE;
}
