#include "store/log_walk.h"

#include <string.h>

#include "store/log_end.h"

struct walk {
    struct store_engine *engine;
    uint32_t node;
    const struct checkpoint *expected;
    struct merkle_frontier frontier;
    struct buffer nodes; /* struct stored_node, as the entries give them */
};

MUST_CHECK static enum err entry_take(void *context, uint64_t index, struct span entry)
{
    struct walk *w = context;
    struct stored_node nodes[LOG_NODES_PER_ENTRY];
    size_t count = 0;

    if (index != w->frontier.size)
        return log_tampered("missing entry", w->frontier.size, w->frontier.size);
    if (index >= w->expected->size)
        return log_tampered("entry beyond the end", index, index);
    log_append(&w->frontier, entry, nodes, &count);
    return buffer_append(&w->nodes, span_of(nodes, count * sizeof nodes[0]));
}

/* The stored hashes of one level, against those that the entries give. */
struct level_walk {
    const struct walk *walk;
    unsigned level;
    uint64_t next, count;
    size_t from; /* where to look for the next expected hash */
    bool wrong;
};

/* The hash that the entries give for this place; levels are mixed in the order they complete. */
MUST_CHECK static enum err expected_find(struct level_walk *l, struct merkle_hash *out)
{
    const uint8_t *at = l->walk->nodes.data;
    size_t count = l->walk->nodes.size / sizeof(struct stored_node);

    for (; l->from < count; l->from++) {
        struct stored_node node;

        memcpy(&node, at + l->from * sizeof node, sizeof node);
        if (node.level == l->level && node.index == l->next) {
            *out = node.hash;
            return ERR_NONE;
        }
    }
    return ERR_INTERNAL;
}

MUST_CHECK static enum err node_take(void *context, uint64_t index, struct span hash)
{
    struct level_walk *l = context;
    struct merkle_hash expected;
    enum err e = ERR_NONE;

    if (l->wrong || l->next == l->count)
        return ERR_NONE;
    if (index == l->next)
        e = expected_find(l, &expected);
    if (index != l->next || hash.size != sizeof expected.bytes ||
        (e == ERR_NONE && !span_equal(hash, SPAN_OF(expected.bytes))))
        l->wrong = true;
    else
        l->next++;
    return e;
}

MUST_CHECK static enum err level_verify(const struct walk *w, unsigned level)
{
    struct level_walk l = {.walk = w, .level = level, .count = w->frontier.size >> level};
    enum err e = w->engine->ops->subtrees(w->engine, w->node, level, 0, l.count, node_take, &l);

    if (e == ERR_NONE && l.next < l.count)
        e = log_tampered("entries and their node differ", l.next << level,
                         ((l.next + 1) << level) - 1);
    return e;
}

MUST_CHECK static enum err root_verify(const struct walk *w)
{
    const struct merkle_frontier *f = &w->frontier;
    const uint64_t tail = f->size & ~(uint64_t)((1u << LOG_LEVEL_STEP) - 1);
    struct merkle_hash root;

    if (f->size != w->expected->size)
        return log_tampered("missing entry", f->size, w->expected->size - 1);
    merkle_root(f, &root);
    if (span_equal(SPAN_OF(root.bytes), SPAN_OF(w->expected->root.bytes)))
        return ERR_NONE;
    if (tail == f->size)
        return log_tampered("entries differ from what was written", 0, f->size);
    return log_tampered("entries after the last node differ from what was written", tail,
                        f->size - 1);
}

enum err log_walk(struct store_engine *engine, uint32_t node, const struct checkpoint *expected,
                  struct merkle_frontier *frontier)
{
    struct walk w = {engine, node, expected, {0}, {0}};
    enum err e = engine->ops->entries(engine, node, 0, INT64_MAX, entry_take, &w);

    for (unsigned level = LOG_LEVEL_STEP; e == ERR_NONE && w.frontier.size >> level > 0;
         level += LOG_LEVEL_STEP)
        e = level_verify(&w, level);
    if (e == ERR_NONE)
        e = root_verify(&w);
    if (e == ERR_NONE)
        e = log_bounds_verify(engine, node, expected->size);
    if (e == ERR_NONE)
        *frontier = w.frontier;
    buffer_clear(&w.nodes);
    return e;
}
