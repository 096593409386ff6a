/*
 * Bearer tokens. The configuration holds only SHA-256 hashes. A check looks up the hash of the
 * token. A table is immutable. To change tokens, build a new table and replace the table in the
 * store. Pure.
 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include "auth/principal.h"

#define TOKEN_NAME_MAX PRINCIPAL_NAME_MAX
#define TOKEN_MAX_SIZE 512 /* of the presented token, bytes */
#define TOKENS_MAX 1024

struct token_table;

/*
 * Builds a table of at most TOKENS_MAX tokens and copies `principals`. Each principal has the kind
 * PRINCIPAL_TOKEN, and its id is the SHA-256 of the token.
 * ERR_TOO_LARGE more than TOKENS_MAX; ERR_MEMORY
 */
MUST_CHECK enum err token_table_new(const struct principal *principals, size_t count,
                                    struct token_table **out);
void token_table_free(struct token_table **t);
size_t token_table_count(const struct token_table *t);

/*
 * Authenticates a request.
 *
 * authorization  the header's whole value, exactly "Bearer <token>" (case-sensitive, one space;
 *                spec: OutLayer 1)
 * missing        the request has no such header
 * out            the token's principal
 * why            on failure: "Missing Authorization header", "Invalid Authorization format" or
 *                "Invalid token"
 *
 * ERR_UNAUTHENTICATED
 */
MUST_CHECK enum err token_check(const struct token_table *t, struct span authorization,
                                bool missing, struct principal *out, const char **why);

/* Holds the table in use. The table can be replaced as a whole while requests run. Thread-safe. */
struct token_store;

/* Takes ownership of `table` on success. ERR_MEMORY */
MUST_CHECK enum err token_store_new(struct token_table **table, struct token_store **out);
void token_store_free(struct token_store **s);

/*
 * Takes ownership of `table`. Cannot fail. A concurrent check uses either the old table or the new
 * table; the last check that uses the old table frees it.
 */
void token_store_replace(struct token_store *s, struct token_table **table);

/* Like token_check() and token_table_count(), on the table in use. */
MUST_CHECK enum err token_store_check(struct token_store *s, struct span authorization,
                                      bool missing, struct principal *out, const char **why);
size_t token_store_count(struct token_store *s);

#endif
