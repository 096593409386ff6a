#include "store/row_set.h"

#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/mac.h"

__extension__ typedef unsigned __int128 double_word;

enum { WORDS = COUNT_OF(((struct wide *)NULL)->words) };

static void wide_add(struct wide *a, const struct wide *b)
{
    double_word carry = 0;

    for (size_t i = 0; i < WORDS; i++) {
        carry += (double_word)a->words[i] + b->words[i];
        a->words[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

static void wide_negate(struct wide *a)
{
    const struct wide one = {{1}};

    for (size_t i = 0; i < WORDS; i++)
        a->words[i] = ~a->words[i];
    wide_add(a, &one);
}

static void wide_multiply(const struct wide *a, uint64_t factor, struct wide *out)
{
    double_word carry = 0;

    for (size_t i = 0; i < WORDS; i++) {
        carry += (double_word)a->words[i] * factor;
        out->words[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

static struct wide wide_read(struct reader *r)
{
    struct wide out = {0};

    for (size_t i = 0; i < WORDS; i++)
        out.words[i] = reader_u64le(r);
    return out;
}

static struct wide wide_of(const uint8_t bytes[STORE_HASH_SIZE])
{
    struct reader r = reader_over(span_of(bytes, STORE_HASH_SIZE));

    return wide_read(&r);
}

static void wide_write(const struct wide *a, struct writer *w)
{
    for (size_t i = 0; i < WORDS; i++)
        writer_u64le(w, a->words[i]);
}

static bool wide_equal(const struct wide *a, const struct wide *b)
{
    return bytes_equal_ct(a->words, b->words, sizeof a->words);
}

void row_set_of(const struct rows_keys *keys, const struct stored_row *row, struct row_set *out)
{
    uint8_t head[1 + STORE_HASH_SIZE + 8 + 1 + STORE_HASH_SIZE];
    struct writer w = writer_over(head, sizeof head);
    uint8_t hash[HMAC_SHA256_SIZE];

    writer_u8(&w, row->key.table);
    writer_put(&w, SPAN_OF(row->key.id));
    writer_u64le(&w, row->version);
    writer_u8(&w, row->has_lookup);
    if (row->has_lookup)
        writer_put(&w, SPAN_OF(row->lookup));
    const struct span parts[] = {
        {head, w.size},
        row->sealed
    };

    hmac_sha256(SPAN_OF(keys->set), parts, COUNT_OF(parts), hash);
    out->count = 1;
    out->tables = row->key.table;
    out->versions = row->version;
    out->hash = wide_of(hash);
    out->ids = wide_of(row->key.id);
    wide_multiply(&out->ids, row->version, &out->products);
    bytes_wipe(hash, sizeof hash);
}

void row_set_add(struct row_set *sum, const struct row_set *other)
{
    sum->count += other->count;
    sum->tables += other->tables;
    sum->versions += other->versions;
    wide_add(&sum->hash, &other->hash);
    wide_add(&sum->ids, &other->ids);
    wide_add(&sum->products, &other->products);
}

static void negate(struct row_set *s)
{
    s->count = -s->count;
    s->tables = -s->tables;
    s->versions = -s->versions;
    wide_negate(&s->hash);
    wide_negate(&s->ids);
    wide_negate(&s->products);
}

void row_set_subtract(struct row_set *sum, const struct row_set *other)
{
    struct row_set negative = *other;

    negate(&negative);
    row_set_add(sum, &negative);
}

bool row_set_is_empty(const struct row_set *s)
{
    static const struct row_set empty;

    return bytes_equal_ct(s, &empty, sizeof empty);
}

/* The one row that `s` is the sum of, if it is. */
static bool single(const struct row_set *s, struct row_key *key, uint64_t *version)
{
    struct writer w = writer_over(key->id, sizeof key->id);
    struct wide product;

    if (s->count != 1 || s->tables == 0 || s->tables >= TABLE_END)
        return false;
    wide_multiply(&s->ids, s->versions, &product);
    if (!wide_equal(&product, &s->products))
        return false;
    key->table = (uint8_t)s->tables;
    *version = s->versions;
    wide_write(&s->ids, &w);
    return true;
}

enum row_difference row_set_compare(const struct row_set *difference, struct row_key *key,
                                    uint64_t *version)
{
    static const struct wide zero;
    struct row_set negative = *difference;

    if (row_set_is_empty(difference))
        return ROWS_SAME;
    if (single(difference, key, version))
        return ROWS_ONE_MISSING;
    negate(&negative);
    if (single(&negative, key, version))
        return ROWS_ONE_TOO_MANY;
    if (difference->count == 0 && difference->tables == 0 && difference->versions != 0 &&
        wide_equal(&difference->ids, &zero))
        return ROWS_ONE_OTHER;
    return ROWS_SEVERAL;
}

bool row_set_is_other(const struct row_set *difference, const struct stored_row *row,
                      uint64_t *version)
{
    struct wide id = wide_of(row->key.id);
    struct wide product;

    wide_multiply(&id, difference->versions, &product);
    *version = row->version + difference->versions;
    return wide_equal(&product, &difference->products);
}

void row_set_write(const struct row_set *s, struct writer *w)
{
    writer_u64le(w, s->count);
    writer_u64le(w, s->tables);
    writer_u64le(w, s->versions);
    wide_write(&s->hash, w);
    wide_write(&s->ids, w);
    wide_write(&s->products, w);
}

void row_set_read(struct reader *r, struct row_set *out)
{
    out->count = reader_u64le(r);
    out->tables = reader_u64le(r);
    out->versions = reader_u64le(r);
    out->hash = wide_read(r);
    out->ids = wide_read(r);
    out->products = wide_read(r);
}
