/*
 * Reads all rows once and compares them with what the nodes have recorded. Every start does this.
 */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include "store/node_state.h"

/* An unchanged row. Spans are valid during the callback, in guarded memory. */
typedef MUST_CHECK enum err each_row(void *context, enum store_table table, uint64_t version,
                                     const struct row_view *row);

/*
 * Opens every row, calls `each` (may be NULL) for it, and compares the sum of all rows with the sum
 * that all nodes have recorded. The data that `each` collects is valid only if this function
 * succeeds.
 *
 * ERR_TAMPERED: a row, or the state of a node, was edited, moved, deleted, added or put back from
 * an older copy. The operational log names the row where it can: always when one row is at fault,
 * and every row that does not open. An error of `each` is returned. ERR_MEMORY, ERR_IO,
 * ERR_UNAVAILABLE
 */
MUST_CHECK enum err store_verify_rows(struct store_engine *engine, const struct rows_keys *keys,
                                      each_row *each, void *context);

/* Opens the rows of one table. ERR_TAMPERED as above; the sum is not compared. */
MUST_CHECK enum err store_read_rows(struct store_engine *engine, const struct rows_keys *keys,
                                    enum store_table table, each_row *each, void *context);

#endif
