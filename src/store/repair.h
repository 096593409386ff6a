/*
 * Makes a whole database from a damaged one. What is derived is made again: hashes of subtrees,
 * indexes, the pages of the file. Rows that must not be there are set aside. What is lost is given
 * up only if the operator says so, and an entry of the log records it.
 */
#ifndef STORE_REPAIR_H
#define STORE_REPAIR_H

#include "store/examine.h"

/* Columns: name, word of the operator, what is given up. */
#define REPAIR_LOSSES(X)                                                                           \
    X(LOSS_ROWS, "rows", "the rows that are damaged, missing, or older copies of themselves")      \
    X(LOSS_PROOF, "proof",                                                                         \
      "the proof that the rows that open are the newest ones: an older copy may be among them")    \
    X(LOSS_LOG, "log",                                                                             \
      "the log: a new log begins, and checkpoints and receipts of the old one do not fit it")      \
    X(LOSS_NEWEST, "newest",                                                                       \
      "the newest entries and changes: checkpoints and receipts of them do not fit the log")

enum repair_loss {
#define LOSS_ENUM(name, word, text) name,
    REPAIR_LOSSES(LOSS_ENUM)
#undef LOSS_ENUM
        REPAIR_LOSS_COUNT
};
const char *repair_loss_word(enum repair_loss loss);
const char *repair_loss_text(enum repair_loss loss);

/* What repairing an examined database means. Pure. */
struct repair_plan {
    bool needed;     /* there is something to repair */
    bool possible;   /* false: `why` */
    const char *why; /* what to do instead */
    unsigned losses; /* bits 1 << enum repair_loss that must be given up */
    bool new_log;    /* the log begins again; else it continues */
    bool rebuilds;   /* derived data is wrong */
};
void repair_plan(const struct examination *x, struct repair_plan *out);

/* What was done, for the entry of the log. */
struct repair_result {
    uint64_t rows_kept, rows_set_aside, entries_kept;
};

/* Called for each row that is not kept: a row of table 0 has no place of its own. */
typedef MUST_CHECK enum err repair_set_aside(void *context, const struct stored_row *row);
/* Writes the entry that records the repair. */
typedef MUST_CHECK enum err repair_entry(void *context, const struct repair_result *result,
                                         struct buffer *out);

struct repair_options {
    const struct examine_options *from; /* as it was examined */
    const struct examination *examination;
    const struct repair_plan *plan; /* `possible` */
    unsigned accepted;              /* the losses that the operator gives up */
    struct store_engine *into;      /* an empty database */
    repair_set_aside *set_aside;
    repair_entry *entry;
    void *context;
};

/*
 * Fills `into`. The old database is not changed.
 * ERR_DENIED a loss is not accepted; ERR_TAMPERED it changed since it was examined; errors of the
 * callbacks and of both engines
 */
MUST_CHECK enum err repair_run(const struct repair_options *options, struct repair_result *out);

#endif
