#include "auth/share.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct row {
    uint8_t id[PRINCIPAL_ID_SIZE];
    uint32_t held;  /* 0: the row is free */
    uint32_t chain; /* next in the same bucket, or next free row */
};

struct share_table {
    uint32_t count, used; /* rows, and those that were ever taken */
    uint32_t free;
    uint32_t *buckets; /* as many as rows */
    struct row *rows;
};

enum err share_table_new(size_t rows, struct share_table **out)
{
    struct share_table *t = NULL;

    if (rows == 0 || rows > SHARES_MAX)
        return ERR_TOO_LARGE;
    t = calloc(1, sizeof *t);
    if (t) {
        t->buckets = malloc(rows * sizeof *t->buckets);
        t->rows = calloc(rows, sizeof *t->rows);
    }
    if (!t || !t->buckets || !t->rows) {
        share_table_free(&t);
        return ERR_MEMORY;
    }
    memset(t->buckets, 0xff, rows * sizeof *t->buckets); /* SHARE_NONE */
    t->count = (uint32_t)rows;
    t->free = SHARE_NONE;
    *out = t;
    return ERR_NONE;
}

void share_table_free(struct share_table **t)
{
    if (*t) {
        free((*t)->buckets);
        free((*t)->rows);
    }
    free(*t);
    *t = NULL;
}

/* Ids are hashes, so their own first bytes spread them. */
static uint32_t *bucket_of(struct share_table *t, const uint8_t id[PRINCIPAL_ID_SIZE])
{
    uint32_t value;

    memcpy(&value, id, sizeof value);
    return &t->buckets[value % t->count];
}

static uint32_t row_new(struct share_table *t, const uint8_t id[PRINCIPAL_ID_SIZE])
{
    uint32_t *bucket = bucket_of(t, id);
    uint32_t i = t->free;

    if (i != SHARE_NONE)
        t->free = t->rows[i].chain;
    else if (t->used < t->count)
        i = t->used++;
    else
        return SHARE_NONE;
    t->rows[i] = (struct row){.held = 1, .chain = *bucket};
    memcpy(t->rows[i].id, id, PRINCIPAL_ID_SIZE);
    *bucket = i;
    return i;
}

uint32_t share_take(struct share_table *t, const uint8_t id[PRINCIPAL_ID_SIZE], uint32_t most)
{
    uint32_t i = *bucket_of(t, id);

    while (i != SHARE_NONE && !bytes_equal_ct(t->rows[i].id, id, PRINCIPAL_ID_SIZE))
        i = t->rows[i].chain;
    if (i == SHARE_NONE)
        return most > 0 ? row_new(t, id) : SHARE_NONE;
    if (t->rows[i].held >= most)
        return SHARE_NONE;
    t->rows[i].held++;
    return i;
}

void share_give(struct share_table *t, uint32_t row)
{
    uint32_t *link = bucket_of(t, t->rows[row].id);

    assert(row < t->used && t->rows[row].held > 0);
    if (--t->rows[row].held > 0)
        return;
    while (*link != row)
        link = &t->rows[*link].chain;
    *link = t->rows[row].chain;
    t->rows[row].chain = t->free;
    t->free = row;
}

uint32_t share_held(const struct share_table *t, uint32_t row)
{
    return t->rows[row].held;
}

bool share_is_of(const struct share_table *t, uint32_t row, const uint8_t id[PRINCIPAL_ID_SIZE])
{
    return bytes_equal_ct(t->rows[row].id, id, PRINCIPAL_ID_SIZE);
}

uint32_t share_rows(const struct share_table *t)
{
    return t->used;
}
