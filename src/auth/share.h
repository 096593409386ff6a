/*
 * Counts what each principal holds of something bounded (nonces, entries of a cache, places on a
 * pool), so that one caller cannot take all of it. A principal has a row only while it holds
 * something. Not thread-safe: the owner of the bounded thing has a lock of its own.
 */
#ifndef AUTH_SHARE_H
#define AUTH_SHARE_H

#include "auth/principal.h"

#define SHARE_NONE UINT32_MAX
#define SHARES_MAX (1u << 20) /* rows */

struct share_table;

/* `rows`: how many principals can hold something at the same time, 1 to SHARES_MAX. ERR_MEMORY,
 * ERR_TOO_LARGE */
MUST_CHECK enum err share_table_new(size_t rows, struct share_table **out);
void share_table_free(struct share_table **t);

/*
 * Counts one more for the principal with this id and returns its row, which stays valid until the
 * matching share_give(). SHARE_NONE, and nothing is counted, when it holds `most` already or when
 * it holds nothing and all rows are taken.
 */
uint32_t share_take(struct share_table *t, const uint8_t id[PRINCIPAL_ID_SIZE], uint32_t most);

/* Counts one less; the row is free once its principal holds nothing. */
void share_give(struct share_table *t, uint32_t row);

uint32_t share_held(const struct share_table *t, uint32_t row);

/* Whether a row that is in use is this principal's. Constant time. */
bool share_is_of(const struct share_table *t, uint32_t row, const uint8_t id[PRINCIPAL_ID_SIZE]);

/* Rows that are in use have numbers below this; share_held() of a free one is 0. */
uint32_t share_rows(const struct share_table *t);

#endif
