#include "store/archiver.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/inside.h"

enum {
    LEVELS = 64 / TILE_LEVEL_STEP,
    DROP_ENTRIES = 512, /* at once: about a millisecond */
    DROP_PAUSE_US = 1000000,
};

uint64_t store_archived(struct store *s)
{
    return atomic_load(&s->archived);
}

const char *store_archive_path(const struct store *s)
{
    return s->archive ? archive_path(s->archive) : NULL;
}

enum err store_archive_measure(struct store *s, uint64_t *bytes)
{
    return s->archive ? archive_measure(s->archive, bytes) : ERR_UNSUPPORTED;
}

enum err store_archive_prepare(struct store *s, char why[ARCHIVE_WHY_SIZE])
{
    return s->archive ? archive_prepare(s->archive, store_archived(s) == 0, why) : ERR_NONE;
}

/* ---- writing ---- */

/* One copy of the entries of [first, end). */
struct copy {
    struct log_reader log;
    struct archive *archive;
    uint64_t first, end;
};

MUST_CHECK static enum err tile_write(const struct copy *c, const struct tile *tile)
{
    struct buffer bytes = {0};
    enum err e = log_tile(&c->log, tile, &bytes);

    if (e == ERR_NONE)
        e = archive_write(c->archive, tile, buffer_span(&bytes));
    buffer_clear(&bytes);
    return e;
}

/* A tile that was just placed has what the log has. */
MUST_CHECK static enum err tile_compare(const struct copy *c, const struct tile *tile)
{
    struct buffer expected = {0};
    struct buffer found = {0};
    enum err e = log_tile(&c->log, tile, &expected);

    if (e == ERR_NONE)
        e = archive_read(c->archive, tile, &found);
    if (e == ERR_NONE && !span_equal(buffer_span(&expected), buffer_span(&found))) {
        archive_tell(c->archive, tile, "what was read back differs from what was written");
        e = ERR_ARCHIVE;
    }
    buffer_clear(&expected);
    buffer_clear(&found);
    return e;
}

typedef MUST_CHECK enum err tile_step(const struct copy *c, const struct tile *tile);

MUST_CHECK static enum err tile_place(const struct copy *c, const struct tile *tile)
{
    return archive_place(c->archive, tile);
}

/* Once for each directory: after its last file. */
MUST_CHECK static enum err tile_sync(const struct copy *c, const struct tile *tile)
{
    const bool is_last = tile->level > 0 || tile->width < TILE_WIDTH || tile->index % 1000 == 999 ||
                         tile->index == c->end / TILE_WIDTH - 1;

    return is_last ? archive_sync(c->archive, tile) : ERR_NONE;
}

/* Calls `step` for every tile that the entries of the copy complete, and for those at the edge. */
MUST_CHECK static enum err tiles_each(const struct copy *c, tile_step *step)
{
    enum err e = ERR_NONE;

    for (unsigned level = 0; e == ERR_NONE && level < LEVELS; level++) {
        const unsigned bits = (level + 1) * TILE_LEVEL_STEP;
        const uint64_t end = bits < 64 ? c->end >> bits : 0;
        struct tile tile = {.level = level, .width = TILE_WIDTH};

        tile.index = bits < 64 ? c->first >> bits : 0;
        for (; e == ERR_NONE && tile.index < end; tile.index++) {
            const struct tile bundle = {.entries = true, .index = tile.index, .width = TILE_WIDTH};

            e = step(c, &tile);
            if (e == ERR_NONE && level == 0)
                e = step(c, &bundle);
        }
        if (e == ERR_NONE && tile_at_edge(c->end, level, &tile))
            e = step(c, &tile);
    }
    return e;
}

/* Reads the entries back, from the archive, and compares them with the tree. */
MUST_CHECK static enum err entries_compare(const struct copy *c)
{
    struct log_block *b = calloc(1, sizeof *b);
    enum err e = b ? ERR_NONE : ERR_MEMORY;

    for (uint64_t first = c->first; e == ERR_NONE && first < c->end; first += TILE_WIDTH)
        e = log_block_read(&c->log, first, true, b);
    if (b)
        log_block_clear(b);
    free(b);
    return e;
}

/* The edges before this copy, which no checkpoint of the archive needs any more. */
static void edges_remove(const struct copy *c)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        struct tile before, now;

        if (tile_at_edge(c->first, level, &before) &&
            !(tile_at_edge(c->end, level, &now) && now.index == before.index &&
              now.width == before.width))
            archive_remove(c->archive, &before);
    }
}

/* A directory with the checkpoint of another log is not ours to write into. */
MUST_CHECK static enum err owner_check(const struct store *s)
{
    struct buffer note = {0};
    struct checkpoint found;
    enum err e = archive_checkpoint_read(s->archive, &note);

    if (e == ERR_NONE &&
        checkpoint_verify(buffer_span(&note), s->origin, s->public_key, &found) != ERR_NONE) {
        log_write(
            LOG_ERROR, "store", "archive_fault", LOG_STRING("archive", archive_path(s->archive)),
            LOG_STRING("file", "checkpoint"),
            LOG_STRING("found", "it is not signed by this log's key, or is of another origin"),
            LOG_STRING("origin_expected", s->origin),
            LOG_STRING("next", "give each log a directory of its own (log.archive_to)"));
        e = ERR_CONFLICT;
    }
    buffer_clear(&note);
    return e == ERR_NOT_FOUND ? ERR_NONE : e;
}

/* The root comes from stored hashes, so it is compared with the log's before it is signed. */
MUST_CHECK static enum err note_write(struct store *s, const struct copy *c)
{
    const struct merkle_source source = log_source(&c->log);
    struct checkpoint checkpoint = {.size = c->end};
    char note[CHECKPOINT_TEXT_MAX];
    struct merkle_proof proof;
    enum err e = merkle_tree_root(&source, c->end, &checkpoint.root);

    if (e == ERR_NONE)
        e = log_prove_consistency(&c->log, c->end, c->log.size, &proof);
    if (e == ERR_NONE && merkle_verify_consistency(c->end, &checkpoint.root, c->log.size,
                                                   &c->log.root, &proof) != ERR_NONE)
        e = ERR_TAMPERED;
    if (e == ERR_NONE)
        e = checkpoint_sign_with(&checkpoint, s->origin, s->log_seed, s->public_key, note,
                                 sizeof note);
    return e == ERR_NONE ? archive_checkpoint_write(s->archive, span_string(note)) : e;
}

enum err store_archive_copy(struct store *s, uint64_t end)
{
    struct copy c = {store_log_reader(s), s->archive, store_archived(s), end};
    enum err e;

    if (!s->archive)
        return ERR_UNSUPPORTED;
    if (end % TILE_WIDTH != 0 || end <= c.first || end > c.log.size ||
        end - c.first > STORE_ARCHIVE_PIECE)
        return ERR_MALFORMED;
    if ((e = owner_check(s)) != ERR_NONE || (e = tiles_each(&c, tile_write)) != ERR_NONE ||
        (e = tiles_each(&c, tile_place)) != ERR_NONE ||
        (e = tiles_each(&c, tile_sync)) != ERR_NONE || (e = entries_compare(&c)) != ERR_NONE ||
        (e = tiles_each(&c, tile_compare)) != ERR_NONE || (e = note_write(s, &c)) != ERR_NONE)
        return e;
    edges_remove(&c);
    return ERR_NONE;
}

/* ---- removing ---- */

bool store_archive_has_rest(const struct store *s)
{
    return atomic_load(&s->dropped) < atomic_load(&s->archived) &&
           (s->drop_failed_us == 0 || clock_monotonic_us() - s->drop_failed_us >= DROP_PAUSE_US);
}

MUST_CHECK static enum err entry_seen(void *context, uint64_t index, struct span entry)
{
    (void)index;
    (void)entry;
    *(bool *)context = true;
    return ERR_NONE;
}

/* Entries go from the first on, so a binary search finds where an earlier process stopped. */
MUST_CHECK static enum err dropped_find(struct store *s, uint64_t *out)
{
    uint64_t low = 0;
    uint64_t high = atomic_load(&s->archived);
    enum err e = ERR_NONE;

    while (e == ERR_NONE && low < high) {
        const uint64_t middle = low + (high - low) / 2;
        bool seen = false;

        e = s->ops->entries(s->engine, s->node, middle, 1, entry_seen, &seen);
        if (seen)
            high = middle;
        else
            low = middle + 1;
    }
    *out = low;
    return e;
}

MUST_CHECK static enum err some_drop(struct store *s)
{
    const uint64_t archived = atomic_load(&s->archived);
    uint64_t end = atomic_load(&s->dropped);
    enum err e = ERR_NONE;

    if (!s->dropped_known) {
        e = dropped_find(s, &end);
        s->dropped_known = e == ERR_NONE;
        if (e == ERR_NONE)
            atomic_store(&s->dropped, end);
    }
    if (e != ERR_NONE || end >= archived)
        return e;
    end = archived - end < DROP_ENTRIES ? archived : end + DROP_ENTRIES;
    e = s->ops->entries_drop(s->engine, s->node, s->token, end);
    if (e == ERR_NONE)
        atomic_store(&s->dropped, end);
    return e;
}

void store_archive_drop(struct store *s)
{
    const int64_t now_us = clock_monotonic_us();
    enum err e;

    if (!store_archive_has_rest(s) || executor_is_unsettled(s->executor))
        return;
    e = some_drop(s);
    if (e != ERR_NONE && s->drop_failed_us == 0)
        log_write(LOG_WARN, "store", "archived entries could not be removed from the database",
                  LOG_STRING("error", err_code(e)),
                  LOG_STRING("next", "nothing: it is tried again"));
    s->drop_failed_us = e == ERR_NONE ? 0 : now_us;
}
