/*
 * Reference values that operators added, as rows of the store: one row for each value, and one that
 * says which change was the last. A change writes its rows in the transaction of its entry, so the
 * two cannot differ. A start reads the rows and no entries.
 *
 *   table  TABLE_REFERENCE_VALUE
 *   id     "v" policy 00 field 00 bytes, or "last"
 *   value  the line of the entry that added the value; empty for "last". The version names the
 *          entry. In a row that was made from the log, 01 and the index of the entry come first
 *          (u64, little-endian; all ones: there was no change).
 */
#ifndef SERVICE_REFERENCE_ROWS_H
#define SERVICE_REFERENCE_ROWS_H

#include "service/policies.h"
#include "store/store.h"

#define REFERENCE_ROW_ID_MAX (1 + POLICY_NAME_MAX + 1 + REFERENCE_FIELD_MAX + 1 + POLICY_BYTES_MAX)

/* What a change writes, with the memory that the transaction borrows from. */
struct reference_rows {
    uint8_t id[REFERENCE_ROW_ID_MAX];
    struct effect effects[3];
    struct transaction transaction;
};

/* An effect: conflict unless the last change is still the one with this version. `version` is
 * reference_values.stored */
struct effect reference_rows_require(uint64_t version);

/* `entry` is the line of the change; the transaction borrows it, and `out`. `version` is that of
 * the last change before. */
void reference_rows_of(const struct policy_change *change, struct timestamp now, struct span entry,
                       uint64_t version, struct reference_rows *out);

/*
 * Reads the values from the rows. `*known` is false when there is no "last" row yet: then the
 * values are those of the log.
 * ERR_UNSUPPORTED a row has a form that this program does not write; ERR_MEMORY; errors of the
 * store
 */
MUST_CHECK enum err reference_rows_load(struct store *store, struct reference_values *out,
                                        bool *known);

/*
 * Writes the rows of `values`, which were found in the log of an older release or are none. It can
 * be repeated after an interruption. `entry` is the line of the log that says so; it is appended
 * once for each REFERENCE_ROWS_PER_GROUP values. Before the writer starts.
 * ERR_MEMORY; errors of the store
 */
#define REFERENCE_ROWS_PER_GROUP 60
MUST_CHECK enum err reference_rows_import(struct store *store,
                                          const struct reference_values *values, struct span entry);

/* Whether another node made a change after the one with this version. Errors of the store */
MUST_CHECK enum err reference_rows_look(struct store *store, uint64_t version, bool *changed);

/* The value of a row. `line` borrows; `*index` is that of the entry. ERR_UNSUPPORTED */
MUST_CHECK enum err reference_row_parse(struct span value, uint64_t version, uint64_t *index,
                                        struct span *line);

#endif
