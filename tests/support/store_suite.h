/*
 * The tests that every engine passes. An engine's own test makes an empty database and calls these;
 * they fail through cmocka.
 */
#ifndef TESTS_SUPPORT_STORE_SUITE_H
#define TESTS_SUPPORT_STORE_SUITE_H

#include "crypto/hash.h"
#include "store/executor.h"

#define SUITE_ORIGIN "suite.example/1"

/* A database that is open, with an executor for node 1. */
struct suite {
    const struct store_ops *ops;
    const char *address;
    struct rows_keys keys;
    struct store_engine *engine;
    struct executor *executor;
    uint64_t token;
};

/* Makes the tables and node 1 in an empty database, or opens what is there. */
void suite_open(struct suite *s, const struct store_ops *ops, const char *address, bool create);
void suite_close(struct suite *s);

/* Whether the rows are the model's, and every entry of a log of the model's size verifies. */
struct model;
bool suite_is_as(struct suite *s, const struct model *m);

/*
 * Runs `count` generated sequences, each of several groups, and compares every answer with the
 * model's, the rows after every sequence, and the log and a new start now and then. `digest` is
 * over all answers and contents: the same for all engines.
 */
void suite_sequences(const struct store_ops *ops, const char *address, uint64_t seed, size_t count,
                     uint8_t digest[SHA256_SIZE]);

/* Counters at their limit: `rounds` of 64 transactions in groups of every size. */
void suite_limits(const struct store_ops *ops, const char *address, size_t rounds);

/* A demoted process appends nothing, and a node that is not there has no state. */
void suite_fencing(const struct store_ops *ops, const char *address);

/* Large rows, many rows, a row found by its lookup value, entries read and proved. */
void suite_reads(const struct store_ops *ops, const char *address);

#endif
