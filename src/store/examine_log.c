/* The log's part of store/examine.h. */
#include <string.h>

#include "store/examine_inside.h"
#include "store/log.h"

enum { BLOCK = 1 << LOG_LEVEL_STEP };

static const uint64_t before_zero = UINT64_C(1) << 63; /* SQLite's numbers are signed */

/* A stored hash that the entries do not give. */
struct suspect {
    uint64_t level, index;
};

struct log_examination {
    struct examining *x;
    const struct node_state *state;
    uint32_t node;

    struct merkle_frontier blocks; /* over the hashes of blocks: its level 0 is LOG_LEVEL_STEP */
    struct merkle_frontier tail;   /* leaves of the block that is being read */
    struct buffer suspects;        /* struct suspect */

    uint64_t next;          /* index of the entry that comes next */
    uint64_t missing, upto; /* a range of missing entries that is not reported yet */
    bool hole;              /* the block has missing entries */
    bool has_hash;          /* of the block, stored */
    struct merkle_hash hash;
    uint64_t extra; /* entries or hashes that should not be there */
    uint64_t extra_first, extra_last;
};

MUST_CHECK static enum err report(const struct log_examination *l, enum fault_kind kind,
                                  uint64_t first, uint64_t last)
{
    const struct fault fault = {.kind = kind, .node = l->node, .first = first, .last = last};

    return examining_report(l->x, &fault);
}

MUST_CHECK static enum err missing_flush(struct log_examination *l)
{
    enum err e = ERR_NONE;

    if (l->upto > l->missing)
        e = report(l, FAULT_ENTRY_MISSING, l->missing, l->upto - 1);
    l->missing = l->upto = 0;
    return e;
}

/* Neighbouring ranges are one. */
MUST_CHECK static enum err missing_add(struct log_examination *l, uint64_t first, uint64_t end)
{
    enum err e = ERR_NONE;

    if (first == end)
        return ERR_NONE;
    l->hole = true;
    if (l->upto != first)
        e = missing_flush(l);
    if (l->upto != first || l->upto == l->missing)
        l->missing = first;
    l->upto = end;
    return e;
}

/* The tree of the first `blocks` and the leaves of `tail` after them. */
static struct merkle_frontier tree_of(const struct log_examination *l)
{
    struct merkle_frontier f = l->tail;

    for (unsigned level = 0; level + LOG_LEVEL_STEP < COUNT_OF(f.full); level++)
        f.full[level + LOG_LEVEL_STEP] = l->blocks.full[level];
    f.size = (l->blocks.size << LOG_LEVEL_STEP) + l->tail.size;
    return f;
}

/* Compares with the checkpoint that was kept, when its size is reached. */
MUST_CHECK static enum err known_compare(const struct log_examination *l)
{
    const struct examine_options *o = l->x->options;
    const struct merkle_frontier tree = tree_of(l);
    struct merkle_hash root;

    if (o->known_size == 0 || tree.size != o->known_size || l->node != o->node || l->hole)
        return ERR_NONE;
    merkle_root(&tree, &root);
    if (span_equal(SPAN_OF(root.bytes), SPAN_OF(o->known_root.bytes)))
        return ERR_NONE;
    return report(l, FAULT_CHECKPOINT, 0, o->known_size - 1);
}

MUST_CHECK static enum err entry_take(void *context, uint64_t index, struct span entry)
{
    struct log_examination *l = context;
    struct merkle_hash leaf;
    enum err e;

    if (index < l->next) /* no order: the index of the table is damaged, which is reported */
        return ERR_NONE;
    e = missing_add(l, l->next, index);
    l->next = index + 1;
    l->x->out->entries += l->node == l->x->options->node;
    if (e != ERR_NONE || l->hole)
        return e;
    merkle_leaf(entry, &leaf);
    merkle_append(&l->tail, &leaf);
    return l->tail.size < BLOCK ? known_compare(l) : ERR_NONE;
}

MUST_CHECK static enum err hash_take(void *context, uint64_t index, struct span hash)
{
    struct log_examination *l = context;

    (void)index;
    l->has_hash = hash.size == sizeof l->hash.bytes;
    if (l->has_hash)
        memcpy(l->hash.bytes, hash.data, hash.size);
    return ERR_NONE;
}

MUST_CHECK static enum err hash_load(struct log_examination *l, unsigned level, uint64_t index)
{
    struct store_engine *engine = l->x->options->engine;
    enum err e;

    l->has_hash = false;
    e = engine->ops->subtrees(engine, l->node, level, index, 1, hash_take, l);
    return e == ERR_TAMPERED ? ERR_NONE : e; /* pages that do not read have no hashes */
}

MUST_CHECK static enum err hash_compare(struct log_examination *l, unsigned level, uint64_t index,
                                        const struct merkle_hash *computed)
{
    const struct suspect suspect = {level, index};
    enum err e = hash_load(l, level, index);

    if (e != ERR_NONE ||
        (l->has_hash && span_equal(SPAN_OF(l->hash.bytes), SPAN_OF(computed->bytes))))
        return e;
    return buffer_append(&l->suspects, span_of(&suspect, sizeof suspect));
}

/* Adds a block, and compares the stored hashes that it completes. */
MUST_CHECK static enum err block_add(struct log_examination *l, const struct merkle_hash *block)
{
    const uint64_t count = l->blocks.size + 1;
    const unsigned complete = (unsigned)__builtin_ctzll(count);
    struct merkle_hash hash = *block;
    enum err e = ERR_NONE;

    for (unsigned level = 1; e == ERR_NONE && level <= complete; level++) {
        merkle_node(&l->blocks.full[level - 1], &hash, &hash);
        if (level % LOG_LEVEL_STEP == 0)
            e = hash_compare(l, level + LOG_LEVEL_STEP, (count >> level) - 1, &hash);
    }
    merkle_append(&l->blocks, block);
    return e;
}

/* A whole block that cannot be hashed goes into the tree by its stored hash. */
MUST_CHECK static enum err block_end(struct log_examination *l)
{
    const uint64_t index = l->blocks.size;
    struct merkle_hash computed;
    enum err e;

    if (l->hole) {
        e = hash_load(l, LOG_LEVEL_STEP, index);
        computed = l->has_hash ? l->hash : (struct merkle_hash){{0}};
    } else {
        merkle_root(&l->tail, &computed);
        e = hash_compare(l, LOG_LEVEL_STEP, index, &computed);
    }
    l->tail = (struct merkle_frontier){0};
    l->hole = false;
    if (e == ERR_NONE)
        e = block_add(l, &computed);
    return e == ERR_NONE ? known_compare(l) : e;
}

MUST_CHECK static enum err block_read(struct log_examination *l, uint64_t first, uint64_t count)
{
    struct store_engine *engine = l->x->options->engine;
    enum err e = ERR_NONE;

    l->next = first;
    if (first < l->state->log_archived) {
        l->hole = true; /* its entries are in the archive */
        l->next = first + count;
    } else {
        e = engine->ops->entries(engine, l->node, first, count, entry_take, l);
    }
    if (e == ERR_NONE || e == ERR_TAMPERED) /* pages that do not read have no entries */
        e = missing_add(l, l->next, first + count);
    if (e == ERR_NONE && count == BLOCK)
        e = block_end(l);
    return e;
}

MUST_CHECK static enum err extra_seen(void *context, uint64_t index, struct span bytes)
{
    struct log_examination *l = context;

    (void)bytes;
    if (l->extra == 0 || index < l->extra_first)
        l->extra_first = index;
    if (l->extra == 0 || index > l->extra_last)
        l->extra_last = index;
    l->extra++;
    return ERR_NONE;
}

/* Entries outside the log; those before 0 have indexes from 2^63 on. */
MUST_CHECK static enum err extra_entries(struct log_examination *l, uint64_t first, uint64_t count)
{
    struct store_engine *engine = l->x->options->engine;
    enum err e;

    l->extra = 0;
    e = engine->ops->entries(engine, l->node, first, count, extra_seen, l);
    if (e == ERR_TAMPERED)
        e = ERR_NONE;
    if (e == ERR_NONE && l->extra > 0)
        e = report(l, FAULT_ENTRY_EXTRA, l->extra_first, l->extra_last);
    return e;
}

MUST_CHECK static enum err extra_hashes(struct log_examination *l)
{
    struct store_engine *engine = l->x->options->engine;
    const uint64_t size = l->state->log.size;
    enum err e = ERR_NONE;

    for (unsigned level = 0; e == ERR_NONE && level < 64; level++) {
        uint64_t count = level > 0 && level % LOG_LEVEL_STEP == 0 ? size >> level : 0;

        l->extra = 0;
        e = engine->ops->subtrees(engine, l->node, level, count, INT64_MAX - count, extra_seen, l);
        if (e == ERR_TAMPERED)
            e = ERR_NONE;
        if (e == ERR_NONE && l->extra > 0)
            e = report(l, FAULT_HASH, size, size);
    }
    return e;
}

/*
 * The suspects inside a subtree of the right edge. When the entries of the subtree are right, the
 * stored hashes are wrong. Else the entries of the smallest suspects were changed.
 */
MUST_CHECK static enum err suspects_judge(struct log_examination *l, uint64_t first, uint64_t count,
                                          bool right)
{
    const size_t all = l->suspects.size / sizeof(struct suspect);
    bool any = false;
    enum err e = ERR_NONE;

    for (size_t i = 0; e == ERR_NONE && i < all; i++) {
        struct suspect s;
        uint64_t from;

        memcpy(&s, l->suspects.data + i * sizeof s, sizeof s);
        from = s.index << s.level;
        if (from < first || from - first >= count || (!right && s.level != LOG_LEVEL_STEP))
            continue;
        any = true;
        e = report(l, right ? FAULT_HASH : FAULT_ENTRY_CHANGED, from,
                   from + (UINT64_C(1) << s.level) - 1);
    }
    if (e == ERR_NONE && !right && !any)
        e = report(l, FAULT_ENTRY_CHANGED, first, first + count - 1);
    return e;
}

/* Compares the tree that was found with the right edge of the state, subtree by subtree. */
MUST_CHECK static enum err edge_compare(struct log_examination *l)
{
    const struct merkle_frontier tree = tree_of(l);
    const struct merkle_frontier *expected = &l->state->log;
    uint64_t first = 0;
    enum err e = ERR_NONE;

    for (unsigned level = 64; e == ERR_NONE && level-- > 0;) {
        const uint64_t count = UINT64_C(1) << level;

        if ((expected->size & count) == 0)
            continue;
        if (level >= LOG_LEVEL_STEP || !l->hole) /* else the entries are reported as missing */
            e = suspects_judge(
                l, first, count,
                span_equal(SPAN_OF(tree.full[level].bytes), SPAN_OF(expected->full[level].bytes)));
        first += count;
    }
    return e;
}

enum err examine_log(struct examining *x, uint32_t node, const struct node_state *state)
{
    struct log_examination l = {.x = x, .state = state, .node = node};
    const uint64_t size = state->log.size;
    const struct examine_options *o = x->options;
    enum err e = ERR_NONE;

    for (uint64_t first = 0; e == ERR_NONE && first < size; first += BLOCK)
        e = block_read(&l, first, size - first < BLOCK ? size - first : BLOCK);
    if (e == ERR_NONE)
        e = missing_flush(&l);
    if (e == ERR_NONE)
        e = edge_compare(&l);
    if (e == ERR_NONE)
        e = extra_entries(&l, size, INT64_MAX - size);
    if (e == ERR_NONE)
        e = extra_entries(&l, before_zero, before_zero);
    if (e == ERR_NONE)
        e = extra_hashes(&l);
    if (e == ERR_NONE && node == o->node && o->known_size > size)
        e = report(&l, FAULT_CHECKPOINT, size, o->known_size - 1);
    buffer_clear(&l.suspects);
    return e;
}
