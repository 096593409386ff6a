/*
 * What was accepted once and must not be accepted again: ids of evidence, each remembered for as
 * long as its timestamp could still be fresh. Bounded; thread-safe.
 */
#ifndef AUTH_SEEN_H
#define AUTH_SEEN_H

#include "base/clock.h"

#define SEEN_ID_SIZE 32
#define SEEN_MAX 65536

struct seen_table;

/* Every id is remembered for `lifetime_ms`, more than 0. */
MUST_CHECK enum err seen_table_new(int64_t lifetime_ms, struct seen_table **out);

/*
 * Adds an id, which is a hash. ERR_REPLAYED when it is there already, ERR_OVERLOADED when the table
 * is full: nothing that is remembered gives way.
 */
MUST_CHECK enum err seen_add(struct seen_table *t, const uint8_t id[SEEN_ID_SIZE],
                             struct timestamp now);
void seen_table_free(struct seen_table **t);

#endif
