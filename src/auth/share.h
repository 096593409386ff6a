/*
 * Counts how much of a bounded resource each principal holds (nonces, entries of a cache, places in
 * a pool), so that one caller cannot take everything. A principal has a row only while it holds
 * something. Not thread-safe: the resource has its own lock.
 */
#ifndef AUTH_SHARE_H
#define AUTH_SHARE_H

#include "auth/principal.h"

#define SHARE_NONE UINT32_MAX
#define SHARES_MAX (1u << 20) /* rows */

struct share_table;

/*
 * `rows` is the number of principals that can hold something at the same time, 1 to SHARES_MAX.
 * ERR_MEMORY, ERR_TOO_LARGE
 */
MUST_CHECK enum err share_table_new(size_t rows, struct share_table **out);
void share_table_free(struct share_table **t);

/*
 * Counts one more for the principal with this id and returns the principal's row. The row stays
 * valid until the matching share_give(). Returns SHARE_NONE and counts nothing when the principal
 * already holds `most`, or when it needs a new row and all rows are taken.
 */
uint32_t share_take(struct share_table *t, const uint8_t id[PRINCIPAL_ID_SIZE], uint32_t most);

/* Counts one less. The row becomes free when its principal holds nothing. */
void share_give(struct share_table *t, uint32_t row);

uint32_t share_held(const struct share_table *t, uint32_t row);

/* True when `row`, which is in use, belongs to this principal. Constant-time. */
bool share_is_of(const struct share_table *t, uint32_t row, const uint8_t id[PRINCIPAL_ID_SIZE]);

/* All rows in use have numbers below the result. share_held() of a free row is 0. */
uint32_t share_rows(const struct share_table *t);

#endif
