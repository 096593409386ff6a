/*
 * A sum over a set of rows, from which rows can be removed again. Two sums are equal if the sets
 * are equal. So the sum that the nodes recorded detects every change of the rows by another
 * program. Pure.
 *
 * `hash` is MSet-Add-Hash (Clarke et al., ASIACRYPT 2003) with HMAC-SHA-256 for the random
 * function: the sum of the rows' hashes mod 2^256. With many hashes an attacker could search
 * for rows with the same sum, so a sum is never stored in the clear: it is part of the sealed state
 * (store/node_state.h).
 *
 * The other members detect nothing more than `hash`. They name the row when one row differs: the
 * sums of ids and versions differ by exactly its id and version. They do not prove that it is one
 * row: rows of one version can be added and removed so that the sums are those of one other row.
 * Only `hash` proves it, for a row that is there.
 *
 * Sums are mod 2^64 or 2^256, so a node's sum may be negative: it removed a row that another node
 * added. Only the total over all nodes has a meaning.
 */
#ifndef STORE_ROW_SET_H
#define STORE_ROW_SET_H

#include "store/rows.h"

/* A number mod 2^256, least significant word first. */
struct wide {
    uint64_t words[4];
};

struct row_set {
    uint64_t count, tables, versions;
    struct wide hash, ids, products; /* of the id, taken for a number, and the version */
};

#define ROW_SET_SIZE (3 * 8 + 3 * 32) /* bytes when written */

/* What one row adds. */
void row_set_of(const struct rows_keys *keys, const struct stored_row *row, struct row_set *out);

void row_set_add(struct row_set *sum, const struct row_set *other);
void row_set_subtract(struct row_set *sum, const struct row_set *other);
bool row_set_is_empty(const struct row_set *s); /* all zero; the time does not depend on `s` */

/* What a difference, recorded - found, says. */
enum row_difference {
    ROWS_SAME,
    ROWS_ONE_MISSING,  /* `key` and `version` of a row that is recorded and not there */
    ROWS_ONE_TOO_MANY, /* ... of a row that is there and not recorded */
    ROWS_ONE_OTHER,    /* one row has another version: row_set_is_other() finds it */
    ROWS_SEVERAL,      /* more than one row */
};
enum row_difference row_set_compare(const struct row_set *difference, struct row_key *key,
                                    uint64_t *version);

/* Whether `row`, as found, is the one row of a ROWS_ONE_OTHER; `version` gets the recorded one. */
bool row_set_is_other(const struct row_set *difference, const struct stored_row *row,
                      uint64_t *version);

/* ROW_SET_SIZE bytes, little-endian, in the order of the struct. */
struct reader;
struct writer;
void row_set_write(const struct row_set *s, struct writer *w);
void row_set_read(struct reader *r, struct row_set *out);

#endif
