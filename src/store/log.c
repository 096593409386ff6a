#include "store/log.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { BLOCK = 1 << LOG_LEVEL_STEP };

void log_append(struct merkle_frontier *f, struct span entry, struct stored_node *nodes,
                size_t *count)
{
    uint64_t size = f->size + 1;
    unsigned complete = (unsigned)__builtin_ctzll(size);
    struct merkle_hash leaf, hash;

    merkle_leaf(entry, &leaf);
    hash = leaf;
    if (complete >= LOG_LEVEL_STEP) { /* one time in 256 */
        for (unsigned level = 1; level <= complete; level++) {
            merkle_node(&f->full[level - 1], &hash, &hash);
            if (level % LOG_LEVEL_STEP == 0)
                nodes[(*count)++] = (struct stored_node){level, (size >> level) - 1, hash};
        }
    }
    merkle_append(f, &leaf);
}

/* Gathers consecutive leaves or nodes into the root of their subtree. */
struct gathering {
    uint64_t next;
    struct merkle_frontier tree;
};

MUST_CHECK static enum err gather(struct gathering *g, uint64_t index,
                                  const struct merkle_hash *hash)
{
    if (index != g->next)
        return ERR_TAMPERED;
    g->next++;
    merkle_append(&g->tree, hash);
    return ERR_NONE;
}

MUST_CHECK static enum err gather_entry(void *context, uint64_t index, struct span entry)
{
    struct merkle_hash leaf;

    merkle_leaf(entry, &leaf);
    return gather(context, index, &leaf);
}

MUST_CHECK static enum err gather_node(void *context, uint64_t index, struct span hash)
{
    struct merkle_hash node;

    if (hash.size != sizeof node.bytes)
        return ERR_TAMPERED;
    memcpy(node.bytes, hash.data, sizeof node.bytes);
    return gather(context, index, &node);
}

static bool is_archived(const struct log_reader *r, uint64_t index)
{
    return r->archived && index < atomic_load(r->archived);
}

/* Says that a file does not have what the tree says. The keystore goes on: nothing is lost as long
 * as a copy of the file is somewhere. */
MUST_CHECK static enum err damaged(const struct log_reader *r, const struct tile *tile)
{
    archive_tell(r->archive, tile, "it differs from what was archived");
    return ERR_ARCHIVE;
}

MUST_CHECK static enum err archived_file(const struct log_reader *r, const struct tile *tile,
                                         struct buffer *out)
{
    enum err e;

    if (!r->archive)
        return ERR_ARCHIVE;
    e = archive_read(r->archive, tile, out);
    return e == ERR_TAMPERED ? ERR_ARCHIVE : e;
}

MUST_CHECK static enum err stored_subtree(const struct log_reader *r, unsigned level,
                                          uint64_t index, struct merkle_hash *out)
{
    const struct store_ops *ops = r->engine->ops;
    unsigned base = level - level % LOG_LEVEL_STEP;
    uint64_t count = UINT64_C(1) << (level - base);
    struct gathering g = {.next = index * count};
    enum err e;

    if (base == 0)
        e = ops->entries(r->engine, r->node, g.next, count, gather_entry, &g);
    else
        e = ops->subtrees(r->engine, r->node, base, g.next, count, gather_node, &g);
    if (e == ERR_NONE && g.tree.size != count)
        e = ERR_TAMPERED; /* some are missing */
    if (e == ERR_NONE)
        merkle_root(&g.tree, out);
    return e;
}

static void leaves_root(const struct merkle_hash *leaves, size_t count, struct merkle_hash *out)
{
    struct merkle_frontier f = {0};

    for (size_t i = 0; i < count; i++)
        merkle_append(&f, &leaves[i]);
    merkle_root(&f, out);
}

/* The hashes of an archived block: of its tile, compared with the database's hash of the block. */
MUST_CHECK static enum err archived_leaves(const struct log_reader *r, uint64_t block,
                                           struct merkle_hash leaves[BLOCK])
{
    const struct tile tile = {.index = block, .width = TILE_WIDTH};
    struct merkle_hash root, expected;
    struct buffer bytes = {0};
    enum err e = archived_file(r, &tile, &bytes);

    if (e == ERR_NONE && bytes.size != TILE_SIZE)
        e = damaged(r, &tile);
    if (e == ERR_NONE) {
        memcpy(leaves, bytes.data, TILE_SIZE);
        leaves_root(leaves, BLOCK, &root);
        e = stored_subtree(r, LOG_LEVEL_STEP, block, &expected);
    }
    if (e == ERR_NONE && !span_equal(SPAN_OF(root.bytes), SPAN_OF(expected.bytes)))
        e = damaged(r, &tile);
    buffer_clear(&bytes);
    return e;
}

MUST_CHECK static enum err archived_subtree(const struct log_reader *r, unsigned level,
                                            uint64_t index, struct merkle_hash *out)
{
    struct merkle_hash leaves[BLOCK];
    const uint64_t first = index << level;
    enum err e = archived_leaves(r, first / BLOCK, leaves);

    if (e == ERR_NONE)
        leaves_root(leaves + first % BLOCK, (size_t)1 << level, out);
    return e;
}

/* A merkle_source. Entries can move into the archive while they are read from the database. */
MUST_CHECK static enum err subtree(void *context, unsigned level, uint64_t index,
                                   struct merkle_hash *out)
{
    const struct log_reader *r = context;
    enum err e = ERR_TAMPERED;

    if (level >= LOG_LEVEL_STEP)
        return stored_subtree(r, level, index, out);
    if (!is_archived(r, index << level))
        e = stored_subtree(r, level, index, out);
    if (e == ERR_TAMPERED && is_archived(r, index << level))
        e = archived_subtree(r, level, index, out);
    return e;
}

struct merkle_source log_source(const struct log_reader *r)
{
    return (struct merkle_source){.subtree = subtree, .context = (void *)r};
}

enum err log_prove_inclusion(const struct log_reader *r, uint64_t index, uint64_t size,
                             struct merkle_proof *out)
{
    struct merkle_source source = log_source(r);

    if (index >= size || size > r->size)
        return ERR_NOT_FOUND;
    return merkle_prove_inclusion(&source, index, size, out);
}

enum err log_prove_consistency(const struct log_reader *r, uint64_t from, uint64_t to,
                               struct merkle_proof *out)
{
    struct merkle_source source = log_source(r);

    if (from == 0 || from > to || to > r->size)
        return ERR_NOT_FOUND;
    return merkle_prove_consistency(&source, from, to, out);
}

/* ---- blocks ---- */

struct span log_block_entry(const struct log_block *b, size_t at)
{
    const size_t start = at == 0 ? 0 : b->ends[at - 1];

    return span_of(b->bytes.data + start, b->ends[at] - start);
}

void log_block_clear(struct log_block *b)
{
    buffer_clear(&b->bytes);
    b->count = 0;
}

MUST_CHECK static enum err block_entry(void *context, uint64_t index, struct span entry)
{
    struct log_block *b = context;
    enum err e;

    if (b->count == BLOCK || index != b->first + b->count)
        return ERR_TAMPERED;
    e = buffer_append(&b->bytes, entry);
    if (e != ERR_NONE)
        return e;
    merkle_leaf(entry, &b->leaves[b->count]);
    b->ends[b->count++] = b->bytes.size;
    return ERR_NONE;
}

static void block_begin(struct log_block *b, uint64_t first)
{
    b->bytes.size = 0;
    b->count = 0;
    b->first = first;
}

static struct tile bundle_of(const struct log_block *b)
{
    return (struct tile){.entries = true, .index = b->first / BLOCK, .width = TILE_WIDTH};
}

MUST_CHECK static enum err block_from_archive(const struct log_reader *r, struct log_block *b)
{
    const struct tile tile = bundle_of(b);
    struct span entries[TILE_WIDTH];
    struct buffer bytes = {0};
    size_t count = 0;
    enum err e = archived_file(r, &tile, &bytes);

    block_begin(b, b->first);
    if (e == ERR_NONE &&
        (bundle_parse(buffer_span(&bytes), entries, &count) != ERR_NONE || count != BLOCK))
        e = damaged(r, &tile);
    for (size_t i = 0; e == ERR_NONE && i < count; i++)
        e = block_entry(b, b->first + i, entries[i]);
    buffer_clear(&bytes);
    return e;
}

MUST_CHECK static enum err block_from_database(const struct log_reader *r, uint64_t count,
                                               struct log_block *b)
{
    enum err e;

    block_begin(b, b->first);
    e = r->engine->ops->entries(r->engine, r->node, b->first, count, block_entry, b);
    return e == ERR_NONE && b->count != count ? ERR_TAMPERED : e;
}

/* A source that takes what is inside one block from memory, and the rest from the engine. */
struct block_source {
    const struct log_reader *reader;
    const struct log_block *block;
};

MUST_CHECK static enum err block_subtree(void *context, unsigned level, uint64_t index,
                                         struct merkle_hash *out)
{
    const struct block_source *s = context;
    const struct log_block *b = s->block;
    uint64_t first = index << level;

    if (level > LOG_LEVEL_STEP || first < b->first || first >= b->first + b->count)
        return subtree((void *)s->reader, level, index, out);
    leaves_root(b->leaves + (first - b->first), (size_t)1 << level, out);
    return ERR_NONE;
}

/* The inclusion proof of the first leaf has hashes over all other leaves of its block. */
MUST_CHECK static enum err block_verify(const struct log_reader *r, const struct log_block *b)
{
    struct block_source blocks = {r, b};
    struct merkle_source source = {.subtree = block_subtree, .context = &blocks};
    struct merkle_proof proof;
    enum err e = merkle_prove_inclusion(&source, b->first, r->size, &proof);

    if (e == ERR_NONE)
        e = merkle_verify_inclusion(&b->leaves[0], b->first, r->size, &proof, &r->root);
    return e == ERR_MALFORMED ? ERR_TAMPERED : e;
}

MUST_CHECK static enum err archived_block_read(const struct log_reader *r, struct log_block *b)
{
    const struct tile tile = bundle_of(b);
    enum err e = block_from_archive(r, b);

    if (e == ERR_NONE)
        e = block_verify(r, b);
    return e == ERR_TAMPERED ? damaged(r, &tile) : e;
}

/* Also with the end of the log, when it moves into the archive while it is read. */
MUST_CHECK static enum err block_load(const struct log_reader *r, bool checked, struct log_block *b)
{
    const uint64_t left = r->size - b->first;
    enum err e = ERR_TAMPERED;

    if (!is_archived(r, b->first)) {
        e = block_from_database(r, left < BLOCK ? left : BLOCK, b);
        if (e == ERR_NONE && checked)
            e = block_verify(r, b);
    }
    if (e == ERR_TAMPERED && is_archived(r, b->first))
        return checked ? archived_block_read(r, b) : block_from_archive(r, b);
    if (e == ERR_TAMPERED)
        log_write(LOG_ERROR, "store", "tampered",
                  LOG_STRING("what", "entries differ from what was appended, or are missing"),
                  LOG_NUMBER("node", r->node), LOG_NUMBER("index", b->first),
                  LOG_NUMBER("last", b->first + (left < BLOCK ? left : BLOCK) - 1));
    return e;
}

enum err log_block_read(const struct log_reader *r, uint64_t first, bool from_archive,
                        struct log_block *out)
{
    if (first % BLOCK != 0 || first >= r->size)
        return ERR_NOT_FOUND;
    out->first = first;
    return from_archive ? archived_block_read(r, out) : block_load(r, true, out);
}

MUST_CHECK static enum err entries_give(const struct log_reader *r, uint64_t first, uint64_t count,
                                        bool checked, each_stored_entry *each, void *context)
{
    struct log_block *b = calloc(1, sizeof *b);
    enum err e = b ? ERR_NONE : ERR_MEMORY;

    if (first > r->size)
        first = r->size;
    if (count > r->size - first)
        count = r->size - first;
    for (uint64_t end = first + count; e == ERR_NONE && first < end;) {
        size_t i = first % BLOCK;

        b->first = first - i;
        e = block_load(r, checked, b);
        for (; e == ERR_NONE && i < b->count && first < end; i++, first++)
            e = each(context, first, log_block_entry(b, i));
    }
    if (b)
        log_block_clear(b);
    free(b);
    return e;
}

enum err log_entries(const struct log_reader *r, uint64_t first, uint64_t count,
                     each_stored_entry *each, void *context)
{
    return entries_give(r, first, count, true, each, context);
}

MUST_CHECK static enum err entry_ignore(void *context, uint64_t index, struct span entry)
{
    (void)context;
    (void)index;
    (void)entry;
    return ERR_NONE;
}

enum err log_entries_verify(const struct log_reader *r, uint64_t first, uint64_t count)
{
    return entries_give(r, first, count, true, entry_ignore, NULL);
}

/* Counts what it gives, so that a reader who finds entries gone can go on in the archive. */
struct passing {
    each_stored_entry *each;
    void *context;
    uint64_t next;
};

MUST_CHECK static enum err pass_on(void *context, uint64_t index, struct span entry)
{
    struct passing *p = context;

    p->next = index + 1;
    return p->each(p->context, index, entry);
}

enum err log_entries_unchecked(const struct log_reader *r, uint64_t first, uint64_t count,
                               each_stored_entry *each, void *context)
{
    struct passing p = {each, context, first};
    enum err e = ERR_NONE;

    if (!is_archived(r, first))
        e = r->engine->ops->entries(r->engine, r->node, first, count, pass_on, &p);
    if (e == ERR_NONE && p.next == first && is_archived(r, first))
        e = entries_give(r, first, count, false, each, context);
    return e;
}

/* ---- tiles ---- */

MUST_CHECK static enum err hash_append(void *context, uint64_t index, struct span hash)
{
    (void)index;
    return hash.size == SHA256_SIZE ? buffer_append(context, hash) : ERR_TAMPERED;
}

/* Hashes of whole blocks and more are stored. */
MUST_CHECK static enum err upper_tile(const struct log_reader *r, const struct tile *tile,
                                      struct buffer *out)
{
    const size_t before = out->size;
    enum err e = r->engine->ops->subtrees(r->engine, r->node, tile->level * LOG_LEVEL_STEP,
                                          tile->index * TILE_WIDTH, tile->width, hash_append, out);

    return e == ERR_NONE && out->size - before != tile->width * SHA256_SIZE ? ERR_TAMPERED : e;
}

MUST_CHECK static enum err block_tile(const struct log_reader *r, const struct tile *tile,
                                      struct log_block *b, struct buffer *out)
{
    enum err e;

    b->first = tile->index * BLOCK;
    e = block_load(r, true, b);
    if (e == ERR_NONE && b->count < tile->width)
        e = ERR_TAMPERED;
    for (size_t i = 0; e == ERR_NONE && i < tile->width; i++)
        e = tile->entries ? bundle_append(out, log_block_entry(b, i))
                          : buffer_append(out, SPAN_OF(b->leaves[i].bytes));
    return e;
}

enum err log_tile(const struct log_reader *r, const struct tile *tile, struct buffer *out)
{
    struct merkle_hash leaves[BLOCK];
    struct log_block *b;
    enum err e;

    if (!tile_is_inside(tile, r->size))
        return ERR_NOT_FOUND;
    if (tile->level > 0)
        return upper_tile(r, tile, out);
    if (!tile->entries && is_archived(r, tile->index * BLOCK)) {
        e = archived_leaves(r, tile->index, leaves);
        return e == ERR_NONE ? buffer_append(out, span_of(leaves, tile->width * SHA256_SIZE)) : e;
    }
    b = calloc(1, sizeof *b);
    if (!b)
        return ERR_MEMORY;
    e = block_tile(r, tile, b, out);
    log_block_clear(b);
    free(b);
    return e;
}
