#include "auth/token.h"

static const char prefix[] = "Bearer ";
enum { PREFIX_SIZE = sizeof prefix - 1 };

/* Index of the entry with this hash, or `count`; the same work wherever it is. */
static size_t entry_index(const struct token_table *table, const uint8_t hash[SHA256_SIZE])
{
    size_t found = table->count;

    for (size_t i = 0; i < table->count; i++) {
        size_t mask = (size_t)0 - bytes_equal_ct(table->entries[i].hash, hash, SHA256_SIZE);

        found = (found & ~mask) | (i & mask);
    }
    return found;
}

MUST_CHECK static enum err refuse(const char **why, const char *text)
{
    *why = text;
    return ERR_UNAUTHENTICATED;
}

enum err token_check(const struct token_table *table, struct span authorization, bool missing,
                     const struct token_entry **out, const char **why)
{
    uint8_t hash[SHA256_SIZE];
    struct span token;
    size_t index;

    if (missing)
        return refuse(why, "Missing Authorization header");
    if (!span_starts_with(authorization, span_of(prefix, PREFIX_SIZE)))
        return refuse(why, "Invalid Authorization format");
    token = span_slice(authorization, PREFIX_SIZE, authorization.size);
    if (token.size == 0 || token.size > TOKEN_MAX_SIZE)
        return refuse(why, "Invalid token");
    sha256(token, hash);
    index = entry_index(table, hash);
    if (index == table->count)
        return refuse(why, "Invalid token");
    *out = &table->entries[index];
    return ERR_NONE;
}

const char *role_name(enum role role)
{
    switch (role) {
    case ROLE_WORKER:
        return "worker";
    case ROLE_OPERATOR:
        return "operator";
    case ROLE_AUDITOR:
        return "auditor";
    case ROLE_NONE:
        break;
    }
    return "none";
}
