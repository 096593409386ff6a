/*
 * Makes one allocation of our code fail. The test links with failing_link_args (tests/meson.build),
 * so malloc(), calloc(), realloc() and secret_new() of src/ and of the test go through here;
 * shared libraries keep their own.
 */
#ifndef TESTS_SUPPORT_FAILING_H
#define TESTS_SUPPORT_FAILING_H

#include <stdbool.h>

/* The next `n` allocations, of all threads together, succeed. The one after them fails. */
void failing_begin(long n);

/* From now on none fails. True when one did. */
bool failing_end(void);

#endif
