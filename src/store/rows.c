#include "store/rows.h"

#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/aead.h"
#include "crypto/mac.h"
#include "keys/derive.h"

enum {
    FORMAT = 1,
    AAD_TEXT_SIZE = sizeof "vouchsafe row",
    AAD_SIZE = AAD_TEXT_SIZE + 1 + 4 + 1 + STORE_HASH_SIZE + 8,
};

void rows_keys_derive(const struct root_epoch *root, struct rows_keys *out)
{
    out->epoch = root->epoch;
    derive_labelled(root, LABEL_STORE_SEAL, out->seal, sizeof out->seal);
    derive_labelled(root, LABEL_STORE_NAME, out->name, sizeof out->name);
    derive_labelled(root, LABEL_STORE_SET, out->set, sizeof out->set);
    derive_labelled(root, LABEL_STORE_STATE, out->state, sizeof out->state);
}

/* `label` with its terminator, so that no label is the beginning of another. */
static void name_hash(const struct rows_keys *keys, struct span label, uint8_t table,
                      struct span bytes, uint8_t out[STORE_HASH_SIZE])
{
    const struct span parts[] = {
        label, {&table, 1},
         bytes
    };

    hmac_sha256(SPAN_OF(keys->name), parts, COUNT_OF(parts), out);
}

void row_key_of(const struct rows_keys *keys, enum store_table table, struct span id,
                struct row_key *out)
{
    out->table = (uint8_t)table;
    name_hash(keys, SPAN_LITERAL("id\0"), out->table, id, out->id);
}

void row_lookup_of(const struct rows_keys *keys, enum store_table table, struct span lookup,
                   uint8_t out[STORE_HASH_SIZE])
{
    name_hash(keys, SPAN_LITERAL("lookup\0"), (uint8_t)table, lookup, out);
}

static void aad_write(uint32_t epoch, const struct row_key *key, uint64_t version,
                      uint8_t out[AAD_SIZE])
{
    struct writer w = writer_over(out, AAD_SIZE);

    writer_put(&w, span_of("vouchsafe row", AAD_TEXT_SIZE));
    writer_u8(&w, FORMAT);
    writer_u32le(&w, epoch);
    writer_u8(&w, key->table);
    writer_put(&w, SPAN_OF(key->id));
    writer_u64le(&w, version);
}

size_t row_sealed_size(const struct row_view *row)
{
    return ROWS_HEADER_SIZE + 2 + row->id.size + row->lookup.size + row->value.size + AEAD_TAG_SIZE;
}

MUST_CHECK static enum err row_view_check(const struct row_view *row)
{
    if (row->id.size > ROW_ID_MAX || row->lookup.size > ROW_LOOKUP_MAX ||
        row->value.size > ROW_VALUE_MAX)
        return ERR_TOO_LARGE;
    return row->id.size == 0 ? ERR_MALFORMED : ERR_NONE;
}

enum err row_seal(const struct rows_keys *keys, enum store_table table, uint64_t version,
                  const struct row_view *row, const uint8_t nonce[ROWS_NONCE_SIZE], uint8_t *plain,
                  uint8_t *sealed_out, size_t sealed_capacity, struct stored_row *out)
{
    struct writer inner = writer_over(plain, ROWS_PLAIN_MAX);
    struct writer header = writer_over(sealed_out, sealed_capacity);
    uint8_t aad[AAD_SIZE];
    enum err e = row_view_check(row);

    if (e != ERR_NONE)
        return e;
    if (row_sealed_size(row) > sealed_capacity)
        return ERR_TOO_LARGE;
    *out = (struct stored_row){.version = version, .has_lookup = row->lookup.size > 0};
    row_key_of(keys, table, row->id, &out->key);
    if (out->has_lookup)
        row_lookup_of(keys, table, row->lookup, out->lookup);
    writer_u8(&header, FORMAT);
    writer_u32le(&header, keys->epoch);
    writer_put(&header, span_of(nonce, ROWS_NONCE_SIZE));
    writer_u8(&inner, (uint8_t)row->id.size);
    writer_put(&inner, row->id);
    writer_u8(&inner, (uint8_t)row->lookup.size);
    writer_put(&inner, row->lookup);
    writer_put(&inner, row->value);
    aad_write(keys->epoch, &out->key, version, aad);
    aead_seal(AEAD_XCHACHA20_POLY1305, keys->seal, nonce, SPAN_OF(aad), span_of(plain, inner.size),
              sealed_out + ROWS_HEADER_SIZE);
    bytes_wipe(plain, inner.size);
    out->sealed = span_of(sealed_out, row_sealed_size(row));
    return ERR_NONE;
}

enum err row_header_parse(struct span sealed, struct row_header *out)
{
    struct reader r = reader_over(sealed);
    uint8_t format = reader_u8(&r);
    struct row_header h = {0};

    h.epoch = reader_u32le(&r);
    h.nonce = reader_take(&r, ROWS_NONCE_SIZE);
    h.rest = r.rest;
    if (r.failed || h.rest.size < AEAD_TAG_SIZE || h.rest.size > ROWS_PLAIN_MAX + AEAD_TAG_SIZE)
        return ERR_MALFORMED;
    if (format != FORMAT)
        return ERR_UNSUPPORTED;
    *out = h;
    return ERR_NONE;
}

size_t row_plain_size(const struct stored_row *row)
{
    return row->sealed.size - ROWS_HEADER_SIZE - AEAD_TAG_SIZE;
}

enum err row_epoch(const struct stored_row *row, uint32_t *out)
{
    struct row_header header = {0};
    enum err e = row_header_parse(row->sealed, &header);

    if (e == ERR_NONE)
        *out = header.epoch;
    return e == ERR_MALFORMED ? ERR_TAMPERED : e;
}

enum err row_view_parse(struct span plain, struct row_view *out)
{
    struct reader r = reader_over(plain);
    struct row_view v = {0};

    v.id = reader_take(&r, reader_u8(&r));
    v.lookup = reader_take(&r, reader_u8(&r));
    v.value = r.rest;
    if (r.failed || row_view_check(&v) != ERR_NONE)
        return ERR_MALFORMED;
    *out = v;
    return ERR_NONE;
}

/* The columns are those of the row inside. */
static bool columns_match(const struct rows_keys *keys, const struct stored_row *row,
                          const struct row_view *view)
{
    struct row_key key;
    uint8_t lookup[STORE_HASH_SIZE] = {0};

    row_key_of(keys, row->key.table, view->id, &key);
    if (!bytes_equal_ct(key.id, row->key.id, sizeof key.id) ||
        row->has_lookup != (view->lookup.size > 0))
        return false;
    if (!row->has_lookup)
        return true;
    row_lookup_of(keys, row->key.table, view->lookup, lookup);
    return bytes_equal_ct(lookup, row->lookup, sizeof lookup);
}

enum err row_open(const struct rows_keys *keys, const struct stored_row *row, uint8_t *plain,
                  struct row_view *out)
{
    struct row_header header = {0};
    struct row_view view = {0};
    uint8_t aad[AAD_SIZE];
    enum err e = row_header_parse(row->sealed, &header);

    if (e == ERR_MALFORMED)
        return ERR_TAMPERED;
    if (e != ERR_NONE)
        return e;
    if (header.epoch != keys->epoch)
        return ERR_UNSUPPORTED;
    aad_write(header.epoch, &row->key, row->version, aad);
    e = aead_open(AEAD_XCHACHA20_POLY1305, keys->seal, header.nonce.data, SPAN_OF(aad), header.rest,
                  plain);
    if (e != ERR_NONE ||
        row_view_parse(span_of(plain, header.rest.size - AEAD_TAG_SIZE), &view) != ERR_NONE ||
        !columns_match(keys, row, &view)) {
        bytes_wipe(plain, header.rest.size - AEAD_TAG_SIZE);
        return ERR_TAMPERED;
    }
    *out = view;
    return ERR_NONE;
}
