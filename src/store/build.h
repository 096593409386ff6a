/*
 * Fills an empty database: rows and one log, in any amount with bounded memory. Until it is
 * finished, its state says so, and store_open() refuses it. Repairing and importing do this.
 */
#ifndef STORE_BUILD_H
#define STORE_BUILD_H

#include "store/node_state.h"

struct builder;

struct builder_options {
    struct store_engine *engine;  /* without nodes, rows and entries; outlives the builder */
    const struct rows_keys *keys; /* in guarded memory; outlives the builder */
    uint32_t node;
    const char *origin;
};

/* ERR_CONFLICT the node is there already; ERR_MEMORY; errors of the engine */
MUST_CHECK enum err builder_new(const struct builder_options *options, struct builder **out);
void builder_free(struct builder **b);

/*
 * Rows, in any order, before the entries: as another database has them (sealed with the same keys),
 * or plain. ERR_TAMPERED a row with this place is there already; ERR_TOO_LARGE
 */
MUST_CHECK enum err builder_row(struct builder *b, const struct stored_row *row);
MUST_CHECK enum err builder_put(struct builder *b, enum store_table table, uint64_t version,
                                const struct row_view *row);

/*
 * The log, in order. builder_block() stands for 256 entries that are in an archive, before all
 * others. ERR_TOO_LARGE
 */
MUST_CHECK enum err builder_block(struct builder *b, const struct merkle_hash *hash);
MUST_CHECK enum err builder_entry(struct builder *b, struct span entry);

/* The tree so far. */
const struct merkle_frontier *builder_log(const struct builder *b);

/* Commits what was given so far; the database still says that it is unfinished. */
MUST_CHECK enum err builder_flush(struct builder *b);

/*
 * Finishes. `like` gives what is not counted here: commits, archived, anchor. Afterwards only
 * builder_free() may be called.
 */
MUST_CHECK enum err builder_end(struct builder *b, const struct node_state *like);

#endif
