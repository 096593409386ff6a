/*
 * The log over any engine: growing the tree, proofs, and reading entries so that each one is
 * checked against the tree. Hashes are stored for complete subtrees of every 8th level; the levels
 * between are computed from at most 256 leaves or nodes.
 *
 * Old entries are in the archive. Hashes of whole blocks of 256 entries stay in the database, so a
 * proof needs the archive only for the hashes inside one old block.
 */
#ifndef STORE_LOG_H
#define STORE_LOG_H

#include <stdatomic.h>

#include "store/archive.h"
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
    struct archive *archive; /* NULL: none is configured */
    /* Entries before this one are in the archive; NULL: none are. It grows while others read. */
    const _Atomic uint64_t *archived;
};

/* The complete subtrees of the log. Borrows the reader. */
struct merkle_source log_source(const struct log_reader *r);

/* Proofs about the first `size` entries, size <= reader's. ERR_NOT_FOUND out of range;
 * ERR_TAMPERED an entry or hash is missing; ERR_ARCHIVE; ERR_IO, ERR_UNAVAILABLE */
MUST_CHECK enum err log_prove_inclusion(const struct log_reader *r, uint64_t index, uint64_t size,
                                        struct merkle_proof *out);
MUST_CHECK enum err log_prove_consistency(const struct log_reader *r, uint64_t from, uint64_t to,
                                          struct merkle_proof *out);

/*
 * Calls `each` for up to `count` entries from `first`, in order, after the entries of their block
 * of 256 were checked against the tree. ERR_TAMPERED an entry is missing or differs from what was
 * appended; one line of the operational log names the block.
 * ERR_ARCHIVE the archive, or a file of it, is missing or damaged; a line names the file.
 */
MUST_CHECK enum err log_entries(const struct log_reader *r, uint64_t first, uint64_t count,
                                each_stored_entry *each, void *context);

/* Only the comparison. */
MUST_CHECK enum err log_entries_verify(const struct log_reader *r, uint64_t first, uint64_t count);

/* As log_entries() without the comparison, for a search whose result is compared. */
MUST_CHECK enum err log_entries_unchecked(const struct log_reader *r, uint64_t first,
                                          uint64_t count, each_stored_entry *each, void *context);

/* Copies of the entries of one block of 256, and their hashes. Zero-initialise. */
struct log_block {
    struct buffer bytes;
    size_t ends[TILE_WIDTH]; /* of each entry in `bytes` */
    size_t count;            /* fewer than 256 at the end of the log */
    struct merkle_hash leaves[TILE_WIDTH];
    uint64_t first;
};
struct span log_block_entry(const struct log_block *b, size_t at);
void log_block_clear(struct log_block *b);

/*
 * Reads the block that begins at `first`, a multiple of 256, and compares it with the tree.
 * `from_archive`: its entries come from the archive, even if the database has them, too.
 * ERR_TAMPERED as log_entries(); ERR_ARCHIVE a file of the archive is missing or damaged
 */
MUST_CHECK enum err log_block_read(const struct log_reader *r, uint64_t first, bool from_archive,
                                   struct log_block *out);

/*
 * Appends a tile, or the first entries of a bundle, to `out`. ERR_NOT_FOUND the log has no such
 * tile yet; else as log_block_read()
 */
MUST_CHECK enum err log_tile(const struct log_reader *r, const struct tile *tile,
                             struct buffer *out);

#endif
