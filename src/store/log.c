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

/* A merkle_source. */
MUST_CHECK static enum err subtree(void *context, unsigned level, uint64_t index,
                                   struct merkle_hash *out)
{
    const struct log_reader *r = context;
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

/* Copies of the entries of one block. */
struct block {
    struct buffer bytes;
    size_t ends[BLOCK];
    size_t count;
    struct merkle_hash leaves[BLOCK];
    uint64_t first;
};

MUST_CHECK static enum err block_entry(void *context, uint64_t index, struct span entry)
{
    struct block *b = context;
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

/* A source that takes what is inside one block from memory, and the rest from the engine. */
struct block_source {
    const struct log_reader *reader;
    const struct block *block;
};

MUST_CHECK static enum err block_subtree(void *context, unsigned level, uint64_t index,
                                         struct merkle_hash *out)
{
    const struct block_source *s = context;
    const struct block *b = s->block;
    uint64_t first = index << level;
    struct merkle_frontier f = {0};

    if (level > LOG_LEVEL_STEP || first < b->first || first >= b->first + b->count)
        return subtree((void *)s->reader, level, index, out);
    for (size_t i = 0; i < (size_t)1 << level; i++)
        merkle_append(&f, &b->leaves[first - b->first + i]);
    merkle_root(&f, out);
    return ERR_NONE;
}

/* The inclusion proof of the first leaf has hashes over all other leaves of its block. */
MUST_CHECK static enum err block_verify(const struct log_reader *r, const struct block *b)
{
    struct block_source blocks = {r, b};
    struct merkle_source source = {.subtree = block_subtree, .context = &blocks};
    struct merkle_proof proof;
    enum err e = merkle_prove_inclusion(&source, b->first, r->size, &proof);

    if (e == ERR_NONE)
        e = merkle_verify_inclusion(&b->leaves[0], b->first, r->size, &proof, &r->root);
    return e == ERR_MALFORMED ? ERR_TAMPERED : e;
}

MUST_CHECK static enum err block_load(const struct log_reader *r, uint64_t first, struct block *b)
{
    uint64_t count = r->size - first < BLOCK ? r->size - first : BLOCK;
    enum err e;

    b->bytes.size = 0;
    b->count = 0;
    b->first = first;
    e = r->engine->ops->entries(r->engine, r->node, first, count, block_entry, b);
    if (e == ERR_NONE && b->count != count)
        e = ERR_TAMPERED;
    if (e == ERR_NONE)
        e = block_verify(r, b);
    if (e == ERR_TAMPERED)
        log_write(LOG_ERROR, "store", "tampered",
                  LOG_STRING("what", "entries differ from what was appended, or are missing"),
                  LOG_NUMBER("node", r->node), LOG_NUMBER("index", first),
                  LOG_NUMBER("last", first + count - 1));
    return e;
}

enum err log_entries(const struct log_reader *r, uint64_t first, uint64_t count,
                     each_stored_entry *each, void *context)
{
    struct block *b = calloc(1, sizeof *b);
    enum err e = b ? ERR_NONE : ERR_MEMORY;

    if (first > r->size)
        first = r->size;
    if (count > r->size - first)
        count = r->size - first;
    for (uint64_t end = first + count; e == ERR_NONE && first < end;) {
        size_t i = first % BLOCK;

        e = block_load(r, first - i, b);
        for (; e == ERR_NONE && i < b->count && first < end; i++, first++) {
            size_t start = i == 0 ? 0 : b->ends[i - 1];

            e = each(context, first, span_of(b->bytes.data + start, b->ends[i] - start));
        }
    }
    if (b)
        buffer_clear(&b->bytes);
    free(b);
    return e;
}
