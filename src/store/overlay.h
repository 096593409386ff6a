/*
 * The rows of one group in memory: their values in the database, and after the transactions so far.
 * Each transaction can be undone as a whole. Pure except for memory.
 */
#ifndef STORE_OVERLAY_H
#define STORE_OVERLAY_H

#include "store/row_set.h"

/* One row. `was_` is what the database has; `is_` what the group has made of it. */
struct overlay_row {
    struct row_key key;
    bool was_there, was_looked_up;
    uint64_t was_version;
    uint8_t was_lookup[STORE_HASH_SIZE];
    struct row_set was_sum;

    bool is_there, is_looked_up;
    uint64_t is_version;
    uint8_t is_lookup[STORE_HASH_SIZE];
    bool changed;
    struct span id, lookup, value; /* of the effect that wrote it; borrowed */
    int64_t window_start_ms;       /* of a counter */
    uint64_t used;
};

struct overlay;

/* For at most `names` ids and lookup values together. ERR_MEMORY */
MUST_CHECK enum err overlay_new(size_t names, struct overlay **out);
void overlay_free(struct overlay **o);

/* Names a row that the group may use, before rows are loaded. A row may be named twice. */
void overlay_want_row(struct overlay *o, const struct row_key *key);
void overlay_want_lookup(struct overlay *o, uint8_t table, const uint8_t lookup[STORE_HASH_SIZE]);
/* All named rows, each once. */
const struct row_wanted *overlay_wanted(const struct overlay *o, size_t *count);

/*
 * A row of the database, read and checked; the caller fills the counter's members of the row that
 * is returned. NULL when it was loaded before.
 */
struct overlay_row *overlay_load(struct overlay *o, const struct stored_row *row,
                                 const struct row_set *sum);

/* A row that was named; it is_there or not. */
const struct overlay_row *overlay_find(const struct overlay *o, const struct row_key *key);
/* The row with a named lookup value; NULL for none. */
const struct overlay_row *overlay_find_lookup(const struct overlay *o, uint8_t table,
                                              const uint8_t lookup[STORE_HASH_SIZE]);

/* Changes a row to `next`; its key and its was_ members stay. */
void overlay_change(struct overlay *o, const struct overlay_row *row,
                    const struct overlay_row *next);

/* Ends a transaction: all of its changes stay, or none. */
void overlay_keep(struct overlay *o);
void overlay_take_back(struct overlay *o);

/* All rows, in no order. */
const struct overlay_row *overlay_rows(const struct overlay *o, size_t *count);

#endif
