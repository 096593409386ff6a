/*
 * The log over any engine: growing the tree, proofs, and reading entries so that each one is
 * checked against the tree. Hashes are stored for complete subtrees of every 8th level; the levels
 * between are computed from at most 256 leaves or nodes.
 */
#ifndef STORE_LOG_H
#define STORE_LOG_H

#include "store/store_ops.h"

enum { LOG_LEVEL_STEP = 8, LOG_NODES_PER_ENTRY = 64 / LOG_LEVEL_STEP };

/*
 * Appends an entry. `nodes` gets the hashes to store, lowest level first (at most
 * LOG_NODES_PER_ENTRY), and `*count` grows by their number.
 */
void log_append(struct merkle_frontier *f, struct span entry, struct stored_node *nodes,
                size_t *count);

/* The log of one node, up to a size that its state or a checkpoint vouches for. */
struct log_reader {
    struct store_engine *engine;
    uint32_t node;
    uint64_t size;
    struct merkle_hash root;
};

/* The complete subtrees of the log. Borrows the reader. */
struct merkle_source log_source(const struct log_reader *r);

/* Proofs about the first `size` entries, size <= reader's. ERR_NOT_FOUND out of range;
 * ERR_TAMPERED an entry or hash is missing; ERR_IO, ERR_UNAVAILABLE */
MUST_CHECK enum err log_prove_inclusion(const struct log_reader *r, uint64_t index, uint64_t size,
                                        struct merkle_proof *out);
MUST_CHECK enum err log_prove_consistency(const struct log_reader *r, uint64_t from, uint64_t to,
                                          struct merkle_proof *out);

/*
 * Calls `each` for up to `count` entries from `first`, in order, after the entries of their block
 * of 256 were checked against the tree. ERR_TAMPERED an entry is missing or differs from what was
 * appended; one line of the operational log names the block.
 */
MUST_CHECK enum err log_entries(const struct log_reader *r, uint64_t first, uint64_t count,
                                each_stored_entry *each, void *context);

#endif
