/*
 * Bearer tokens. The configuration holds SHA-256 hashes only; the whole list is compared in
 * constant time. Pure.
 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include "crypto/hash.h"

enum role { ROLE_NONE = 0, ROLE_WORKER = 1, ROLE_OPERATOR = 2, ROLE_AUDITOR = 4 };

#define TOKEN_NAME_MAX 64
#define TOKEN_MAX_SIZE 512 /* of the presented token, bytes */
#define TOKENS_MAX 1024

struct token_entry {
    char name[TOKEN_NAME_MAX +
              1]; /* for logs; from the configuration, or "worker:" + 8 hex digits of the hash */
    uint8_t hash[SHA256_SIZE];
    enum role role;
    bool may_explain;    /* sees which rule of the policy says what: POST /v1/attest/explain */
    bool may_administer; /* operators: changes reference values, POST /v1/policies/... */
};

struct token_table {
    const struct token_entry *entries;
    size_t count;
};

/*
 * `authorization` is the header's whole value, "Bearer <token>" exactly (case-sensitive, one space;
 * spec: OutLayer 1). `missing` is true when there was no such header.
 * ERR_UNAUTHENTICATED with `*why` one of "Missing Authorization header", "Invalid Authorization
 * format", "Invalid token". `*out` points into the table. Always compares all entries.
 */
MUST_CHECK enum err token_check(const struct token_table *table, struct span authorization,
                                bool missing, const struct token_entry **out, const char **why);

const char *role_name(enum role role);

#endif
