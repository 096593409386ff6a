#include "store/log_end.h"

#include "base/log.h"

/* SQLite's numbers are signed, so entries could hide before 0. */
static const uint64_t before_zero = UINT64_C(1) << 63;

enum err log_tampered(const char *what, uint64_t first, uint64_t last)
{
    log_write(LOG_ERROR, "store", "tampered", LOG_STRING("what", what), LOG_NUMBER("index", first),
              LOG_NUMBER("last", last));
    return ERR_TAMPERED;
}

MUST_CHECK static enum err entry_before(void *context, uint64_t index, struct span entry)
{
    (void)context;
    (void)index;
    (void)entry;
    return log_tampered("entry before the first", 0, 0);
}

MUST_CHECK static enum err entry_beyond(void *context, uint64_t index, struct span entry)
{
    (void)context;
    (void)entry;
    return log_tampered("entry beyond the end", index, index);
}

MUST_CHECK static enum err node_beyond(void *context, uint64_t index, struct span hash)
{
    const uint64_t *size = context;

    (void)index;
    (void)hash;
    return log_tampered("node beyond the entries", *size, *size);
}

enum err log_bounds_verify(struct store_engine *engine, uint32_t node, uint64_t size)
{
    const struct store_ops *ops = engine->ops;
    enum err e = ops->entries(engine, node, before_zero, before_zero, entry_before, NULL);

    if (e == ERR_NONE)
        e = ops->entries(engine, node, size, INT64_MAX - size, entry_beyond, NULL);
    for (unsigned level = 0; e == ERR_NONE && level < 64; level++) {
        uint64_t count = level > 0 && level % LOG_LEVEL_STEP == 0 ? size >> level : 0;

        e = ops->subtrees(engine, node, level, count, INT64_MAX - count, node_beyond, &size);
    }
    return e;
}

enum err log_edge_verify(const struct log_reader *r)
{
    struct merkle_source source = log_source(r);
    struct merkle_hash root;
    enum err e = merkle_tree_root(&source, r->size, &root);

    if (e == ERR_NONE && !span_equal(SPAN_OF(root.bytes), SPAN_OF(r->root.bytes)))
        e = ERR_TAMPERED;
    if (e == ERR_TAMPERED)
        e = log_tampered("the last entries, or the hashes over the others, differ from the tree", 0,
                         r->size - 1);
    return e;
}
