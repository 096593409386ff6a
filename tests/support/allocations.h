/* Counts what is allocated between two points of a test, libraries included. */
#ifndef TESTS_SUPPORT_ALLOCATIONS_H
#define TESTS_SUPPORT_ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Starts counting from zero. Of one thread. */
void allocations_begin(void);

/* Stops. `peak`: the most bytes that were held at one time; `count`: of calls. */
struct allocations {
    size_t peak, count;
};
struct allocations allocations_end(void);

#endif
