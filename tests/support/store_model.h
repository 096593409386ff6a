/*
 * What transactions mean, written a second time and as plainly as possible: rows in an array, one
 * transaction after the other, a copy of everything to go back to. And a generator of transactions
 * that touch the same few rows again and again.
 */
#ifndef TESTS_SUPPORT_STORE_MODEL_H
#define TESTS_SUPPORT_STORE_MODEL_H

#include "store/transaction.h"

enum {
    MODEL_TABLES = 3, /* TABLE_COUNTER, TABLE_REFERENCE_VALUE, TABLE_KEY */
    MODEL_IDS = 6,
    MODEL_LOOKUPS = 4,
    MODEL_VALUE_MAX = 40,
    MODEL_EFFECTS_MAX = 5,
    MODEL_ENTRY_MAX = 24,
};

struct model_row {
    bool there;
    uint64_t version;
    int lookup; /* -1: none */
    size_t value_size;
    uint8_t value[MODEL_VALUE_MAX];
    int64_t window_start_ms;
    uint64_t used;
};

struct model {
    uint32_t node;
    uint64_t log_size;
    struct model_row rows[MODEL_TABLES][MODEL_IDS];
};

void model_run(struct model *m, const struct transaction *t, struct transaction_result *out);

/* The names of rows and lookup values by number, and back; -1 for none. */
struct span model_id(int number);
struct span model_lookup(int number);
int model_id_number(struct span id);
int model_lookup_number(struct span lookup);

/* splitmix64: the same numbers everywhere for one seed */
struct generator {
    uint64_t state;
    int64_t time_ms;
    uint64_t made; /* transactions */
};
uint64_t generator_below(struct generator *g, uint64_t limit);

/* A transaction with the memory that its spans borrow from. */
struct generated {
    struct transaction transaction;
    struct effect effects[MODEL_EFFECTS_MAX];
    uint8_t values[MODEL_EFFECTS_MAX][MODEL_VALUE_MAX];
    char entries[3][MODEL_ENTRY_MAX];
};
/* `now` is what the rows are like: half of the versions that are required are true. */
void generate(struct generator *g, const struct model *now, struct generated *out);

#endif
