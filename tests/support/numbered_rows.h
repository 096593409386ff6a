/* Rows of a suite that are known by their number, for the tests that tamper with them. */
#ifndef TESTS_SUPPORT_NUMBERED_ROWS_H
#define TESTS_SUPPORT_NUMBERED_ROWS_H

#include "support/store_suite.h"

/* The id of a row of TABLE_KEY. */
enum { ROW_NAME_SIZE = 16 };
struct span row_name(size_t number, char out[ROW_NAME_SIZE]);

/* Runs one transaction with these effects. */
MUST_CHECK enum err suite_run_one(const struct suite *s, const struct effect *effects,
                                  size_t count);
/* Puts a row, with its number as its lookup value. */
MUST_CHECK enum err suite_row_put(const struct suite *s, size_t number, const char *value);
/* The rows 0 to count - 1, each in a transaction of its own, which adds an entry. */
void suite_rows_put(const struct suite *s, size_t count, const char *value);
/* Entries without a row, all in one group. */
void suite_entries_append(const struct suite *s, size_t count);

/* The id column of a row in hex. */
enum { ROW_HEX_SIZE = 2 * STORE_HASH_SIZE + 1 };
void row_id_hex(const struct suite *s, size_t number, char out[ROW_HEX_SIZE]);

/* Fails unless the caught log names the row. -1: there is none to name. */
void must_name_row(const struct suite *s, int number);

#endif
