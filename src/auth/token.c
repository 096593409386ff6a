#include "auth/token.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/snapshot.h"
#include "crypto/hash.h"

static const char prefix[] = "bearer ";
enum { PREFIX_SIZE = sizeof prefix - 1 };

static_assert(PRINCIPAL_ID_SIZE == SHA256_SIZE, "the id of a token is its hash");

/*
 * The index is open addressing by the first bytes of the hash, at most half full. The place where a
 * look-up ends reveals at most the first bytes of the presented token's hash, which its sender
 * knows already.
 */
enum { INDEX_SIZE = 2 * TOKENS_MAX, FREE = UINT16_MAX };
static_assert((INDEX_SIZE & (INDEX_SIZE - 1)) == 0, "places are found by a mask");

struct token_table {
    struct snapshot snapshot; /* see base/snapshot.h */
    size_t count;
    uint16_t index[INDEX_SIZE];
    struct principal principals[];
};

/* The place of the token with this hash, or the free place for it. */
static size_t place_of(const struct token_table *t, const uint8_t hash[SHA256_SIZE])
{
    size_t place = ((size_t)hash[0] << 8 | hash[1]) % INDEX_SIZE;

    while (t->index[place] != FREE &&
           !bytes_equal_ct(t->principals[t->index[place]].id, hash, SHA256_SIZE))
        place = (place + 1) % INDEX_SIZE;
    return place;
}

static void table_free(struct snapshot *snapshot)
{
    free(snapshot); /* the first member of the table */
}

enum err token_table_new(const struct principal *principals, size_t count, struct token_table **out)
{
    struct token_table *t;
    size_t place;

    if (count > TOKENS_MAX)
        return ERR_TOO_LARGE;
    t = calloc(1, sizeof *t + count * sizeof t->principals[0]);
    if (!t)
        return ERR_MEMORY;
    snapshot_init(&t->snapshot, table_free);
    t->count = count;
    memset(t->index, 0xff, sizeof t->index); /* FREE */
    for (size_t i = 0; i < count; i++) {
        assert(principals[i].kind == PRINCIPAL_TOKEN);
        t->principals[i] = principals[i];
        place = place_of(t, principals[i].id);
        t->index[place] = (uint16_t)i;
    }
    *out = t;
    return ERR_NONE;
}

void token_table_free(struct token_table **t)
{
    struct snapshot *s = *t ? &(*t)->snapshot : NULL;

    *t = NULL;
    snapshot_release(&s);
}

size_t token_table_count(const struct token_table *t)
{
    return t->count;
}

MUST_CHECK static enum err refuse(const char **why, const char *text)
{
    *why = text;
    return ERR_UNAUTHENTICATED;
}

/* The name of the scheme may be in any case: RFC 9110 section 11.1. */
static bool has_scheme(struct span authorization)
{
    if (authorization.size < PREFIX_SIZE)
        return false;
    for (size_t i = 0; i < PREFIX_SIZE; i++) {
        uint8_t c = authorization.data[i];

        if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != prefix[i])
            return false;
    }
    return true;
}

enum err token_check(const struct token_table *t, struct span authorization, bool missing,
                     struct principal *out, const char **why)
{
    uint8_t hash[SHA256_SIZE];
    struct span token;
    size_t index;

    if (missing)
        return refuse(why, "Missing Authorization header");
    if (!has_scheme(authorization))
        return refuse(why, "Invalid Authorization format");
    token = span_slice(authorization, PREFIX_SIZE, authorization.size);
    if (token.size == 0 || token.size > TOKEN_MAX_SIZE)
        return refuse(why, "Invalid token");
    sha256(token, hash);
    index = t->index[place_of(t, hash)];
    if (index == FREE)
        return refuse(why, "Invalid token");
    *out = t->principals[index];
    return ERR_NONE;
}

/* ---- the table in use */

struct token_store {
    struct snapshot_cell cell; /* of struct token_table */
};

static void publish(struct token_store *s, struct token_table **table)
{
    struct snapshot *next = &(*table)->snapshot;

    *table = NULL; /* the store owns it now */
    snapshot_publish(&s->cell, &next);
}

enum err token_store_new(struct token_table **table, struct token_store **out)
{
    struct token_store *s = calloc(1, sizeof *s);

    if (!s)
        return ERR_MEMORY;
    snapshot_cell_init(&s->cell);
    publish(s, table);
    *out = s;
    return ERR_NONE;
}

void token_store_free(struct token_store **s)
{
    if (*s)
        snapshot_cell_clear(&(*s)->cell);
    free(*s);
    *s = NULL;
}

void token_store_replace(struct token_store *s, struct token_table **table)
{
    publish(s, table);
}

enum err token_store_check(struct token_store *s, struct span authorization, bool missing,
                           struct principal *out, const char **why)
{
    struct token_table *held = (struct token_table *)snapshot_hold(&s->cell);
    enum err e = token_check(held, authorization, missing, out, why);

    token_table_free(&held);
    return e;
}

size_t token_store_count(struct token_store *s)
{
    struct token_table *held = (struct token_table *)snapshot_hold(&s->cell);
    size_t count = token_table_count(held);

    token_table_free(&held);
    return count;
}
