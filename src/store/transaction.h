/*
 * What an operation changes, described as data. A transaction is a list of effects with the log
 * entry for each outcome. store/executor.h runs transactions in groups: each transaction takes
 * effect completely or not at all, in the order of the group, and the group is durable before any
 * result is returned.
 *
 * Rows have a table, an id (the caller's own bytes, unique in the table), a version, a value and,
 * optionally, a lookup value by which the row can be found. The store seals all of these. The disk
 * shows the table, the version, the sizes, and HMACs of id and lookup value.
 *
 * A row's version names the log entry that wrote the row: entry index << 12 | node. So no version
 * of a row occurs twice, not even after the row was deleted and put again. Version 0 means that
 * there is no row.
 *
 * All spans borrow: they must stay valid until the transaction's result is there.
 */
#ifndef STORE_TRANSACTION_H
#define STORE_TRANSACTION_H

#include "base/clock.h"
#include "base/span.h"

#define ROW_ID_MAX 255     /* bytes, at least 1 */
#define ROW_LOOKUP_MAX 255 /* bytes; empty: the row has no lookup value */
#define ROW_VALUE_MAX 65536
#define TRANSACTION_EFFECTS_MAX 64
#define TRANSACTION_NODE_BITS 12 /* of a version: the node; nodes are numbered from 1 */
#define TRANSACTION_NODE_MAX ((1u << TRANSACTION_NODE_BITS) - 1)

/* Stored numbers: a number is never used again for something else. */
enum store_table {
    TABLE_COUNTER = 1, /* written by EFFECT_COUNT only */
    TABLE_REFERENCE_VALUE = 2,
    TABLE_KEY = 3,
    TABLE_PRINCIPAL = 4,
    TABLE_POLICY = 5,
    TABLE_FUNCTION = 6,
    TABLE_WITNESS = 7, /* service/witnessing.h */
    TABLE_END          /* one more than the last */
};

/*
 * Effects apply in order. Each sees what the effects before it did.
 *
 *   EFFECT_PUT      writes the row, new or not. Conflict: another row of the table has `lookup`.
 *   EFFECT_DELETE   removes the row. A row that is missing is not a conflict.
 *   EFFECT_REQUIRE  changes nothing. Conflict: the row is not at `version` (0: the row exists).
 *   EFFECT_COUNT    adds `uses` to the counter `id`. Limit: the sum would exceed `limit`. With
 *                   `window_ms`, the counter starts again from 0 in each window; windows start at
 *                   multiples of `window_ms` since 1970. The transaction's time decides; a time
 *                   before the counter's present window counts into the present window.
 */
enum effect_kind { EFFECT_PUT, EFFECT_DELETE, EFFECT_REQUIRE, EFFECT_COUNT };

struct effect {
    enum effect_kind kind;
    enum store_table table; /* TABLE_COUNTER for EFFECT_COUNT, and for no EFFECT_PUT */
    struct span id;
    struct span lookup, value; /* EFFECT_PUT */
    uint64_t version;          /* EFFECT_REQUIRE */
    uint64_t uses, limit;      /* EFFECT_COUNT; `uses` at least 1 */
    int64_t window_ms;         /* EFFECT_COUNT; 0: the counter never starts again */
};

struct transaction {
    struct timestamp time;
    const struct effect *effects; /* may be none: then only `entry` is appended */
    size_t count;
    /*
     * Entries of the log, at most AUDIT_ENTRY_MAX bytes each. `entry` is appended when all effects
     * apply, and is never empty. One of the others is appended when none apply; an empty one
     * appends nothing (a caller that decides again after a conflict records its last decision).
     */
    struct span entry, entry_limit, entry_conflict;
    /*
     * The log's entries before this index are in the archive from now on: a multiple of 256, at
     * most the log's size; 0, or less than before: no change. See store/archiver.h.
     */
    uint64_t archived;
    /* Anchors need not move soon because of it (store/anchor.h): what it records is recorded by
     * another keystore, too. Else two keystores that witness each other would never be at rest. */
    bool quiet;
};

enum transaction_status {
    TRANSACTION_DONE,     /* all effects and `entry` are durable */
    TRANSACTION_LIMIT,    /* no effect; `entry_limit` is durable */
    TRANSACTION_CONFLICT, /* no effect; `entry_conflict` is durable */
};

struct transaction_result {
    enum transaction_status status;
    size_t effect;    /* LIMIT, CONFLICT: the position of the effect that did not apply */
    uint64_t version; /* DONE: of the rows it put; CONFLICT: of the row as it is, 0 for none */
    uint64_t used;    /* DONE, LIMIT: uses of the counter after the last EFFECT_COUNT it reached */
    bool logged;      /* an entry was appended */
    uint64_t index;   /* of that entry */
};

/*
 * Checks the form: sizes, counts, tables, entries. ERR_TOO_LARGE beyond a limit above;
 * ERR_MALFORMED anything else that no transaction may have
 */
MUST_CHECK enum err transaction_check(const struct transaction *t);

#endif
