/*
 * Hashes a whole log, entry by entry, and compares it with what it must be: the tree's right edge
 * of a node's state, or a size and a root that a signed checkpoint says.
 */
#ifndef STORE_LOG_WALK_H
#define STORE_LOG_WALK_H

#include "audit/checkpoint.h"
#include "store/store_ops.h"

/*
 * `frontier` gets the tree's right edge.
 * ERR_TAMPERED entries or stored hashes are missing, changed, or too many: one line of the
 * operational log names the entries. ERR_MEMORY, ERR_IO, ERR_UNAVAILABLE
 */
MUST_CHECK enum err log_walk(struct store_engine *engine, uint32_t node,
                             const struct checkpoint *expected, struct merkle_frontier *frontier);

#endif
