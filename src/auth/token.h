/*
 * Bearer tokens. The configuration holds SHA-256 hashes only; the whole list is compared in
 * constant time. A table is immutable. To change tokens, build a new table beside the old one and
 * replace the store's. Pure.
 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include "auth/principal.h"

#define TOKEN_NAME_MAX PRINCIPAL_NAME_MAX
#define TOKEN_MAX_SIZE 512 /* of the presented token, bytes */
#define TOKENS_MAX 1024

struct token_table;

/*
 * Builds a table of at most TOKENS_MAX tokens; `principals` is copied. Each is of kind
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
 * authorization  the header's whole value, "Bearer <token>" exactly (case-sensitive, one space;
 *                spec: OutLayer 1)
 * missing        there was no such header
 * out            the token's principal
 * why            on failure: "Missing Authorization header", "Invalid Authorization format" or
 *                "Invalid token"
 *
 * ERR_UNAUTHENTICATED
 * Always compares all tokens.
 */
MUST_CHECK enum err token_check(const struct token_table *t, struct span authorization,
                                bool missing, struct principal *out, const char **why);

/* The table in use, which can be replaced as a whole while requests run. Thread-safe. */
struct token_store;

/* Takes `table` over with success. ERR_MEMORY */
MUST_CHECK enum err token_store_new(struct token_table **table, struct token_store **out);
void token_store_free(struct token_store **s);

/* Takes `table` over and frees the old one; cannot fail. A request that is being checked is checked
 * against one of the two. */
void token_store_replace(struct token_store *s, struct token_table **table);

/* The same as token_check() and token_table_count() on the table in use. */
MUST_CHECK enum err token_store_check(struct token_store *s, struct span authorization,
                                      bool missing, struct principal *out, const char **why);
size_t token_store_count(struct token_store *s);

#endif
