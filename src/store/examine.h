/*
 * Examines a whole database, however damaged, and reports every fault of it, not only the first.
 * Nothing is changed. `vouchsafe state check` prints the result, and store/repair.h decides by it.
 */
#ifndef STORE_EXAMINE_H
#define STORE_EXAMINE_H

#include "store/node_state.h"

/*
 * Columns: name, stable code, what is at fault.
 *
 *   engine   the engine found it by itself; `text` has its words
 *   node     of a node's state or log; `node`
 *   row      `table`, `id`, `version` (as found; 0: not there), `recorded` (0: not known)
 *   entries  `first` to `last`, of the log of `node`
 */
#define FAULTS(X)                                                                                  \
    X(FAULT_PAGE, "page", "the database is damaged")                                               \
    X(FAULT_INDEX, "index", "an index and its table differ")                                       \
    X(FAULT_SCHEMA, "schema", "the tables are not as this program makes them")                     \
    X(FAULT_MODE, "mode", "other users may read or write a file")                                  \
    X(FAULT_JOURNAL_LOST, "journal_lost",                                                          \
      "the last process did not stop by itself, and the write-ahead log with its newest commits "  \
      "is gone")                                                                                   \
    X(FAULT_NODE_MISSING, "node_missing", "there is no sealed state")                              \
    X(FAULT_NODE_STATE, "node_state", "the sealed state of a node does not open")                  \
    X(FAULT_NODE_ORIGIN, "node_origin", "the log has another origin")                              \
    X(FAULT_NODE_UNFINISHED, "node_unfinished", "an import was interrupted")                       \
    X(FAULT_ROWS_UNREADABLE, "rows_unreadable", "the table of rows cannot be read to its end")     \
    X(FAULT_ROW_EDITED, "row_edited", "a row was edited, or moved from another place")             \
    X(FAULT_ROW_MISSING, "row_missing", "a row was deleted")                                       \
    X(FAULT_ROW_ADDED, "row_added", "a row was added")                                             \
    X(FAULT_ROW_OLDER, "row_older", "a row was put back from another copy of itself")              \
    X(FAULT_ROWS_UNPROVEN, "rows_unproven",                                                        \
      "the rows that open are not all rows that were written last: several rows were deleted, "    \
      "added, or put back from other copies, and they cannot be told apart")                       \
    X(FAULT_ENTRY_MISSING, "entry_missing", "entries are missing")                                 \
    X(FAULT_ENTRY_CHANGED, "entry_changed", "entries differ from what was appended")               \
    X(FAULT_ENTRY_EXTRA, "entry_extra", "entries that no commit wrote")                            \
    X(FAULT_HASH, "tree_hash", "hashes of subtrees are missing, wrong, or too many")               \
    X(FAULT_CHECKPOINT, "checkpoint", "the log does not contain the log of a checkpoint")

enum fault_kind {
#define FAULT_ENUM(name, code, text) name,
    FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_KINDS
};
const char *fault_code(enum fault_kind kind);
const char *fault_text(enum fault_kind kind);

struct fault {
    enum fault_kind kind;
    const char *text; /* the engine's words, or NULL */
    uint32_t node;
    struct row_key row;
    uint64_t version, recorded;
    uint64_t first, last;
};
typedef MUST_CHECK enum err each_fault(void *context, const struct fault *fault);

struct examine_options {
    struct store_engine *engine;  /* opened with engine_options.inspect */
    const struct rows_keys *keys; /* in guarded memory */
    const char *origin;           /* of the log of `node` */
    uint32_t node;                /* the log to examine */
    uint64_t known_size;          /* of a checkpoint that was kept elsewhere; 0 for none */
    struct merkle_hash known_root;
    each_fault *each;
    void *context;
};

/* What there is. */
struct examination {
    size_t faults[FAULT_KINDS]; /* reported, of each kind */
    size_t fault_count;
    bool has_state; /* the state of `node` opens; then `state` is set. Wipe it */
    struct node_state state;
    uint64_t rows;            /* that open */
    uint64_t entries;         /* of the log of `node`, read, up to the state's size */
    bool has_wrong_row;       /* one row opens and must not be there: added, or an older copy */
    struct row_set wrong_row; /* row_set_of() it: key, version and bytes */
};

/*
 * ERR_NONE: everything was looked at, and `out` says whether there are faults. ERR_UNSUPPORTED the
 * tables are of another release, or not ours at all; ERR_MEMORY, ERR_IO, ERR_UNAVAILABLE: not
 * everything could be looked at. Errors of `each` are returned.
 */
MUST_CHECK enum err examine(const struct examine_options *options, struct examination *out);

#endif
