#include "tee/sealed_blob.h"

#include <assert.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "crypto/mac.h"
#include "crypto/random.h"

#define VERSION 1

bool sealed_hash_fits(struct span bytes)
{
    uint8_t digest[SHA256_SIZE];

    if (bytes.size < SHA256_SIZE)
        return false;
    sha256(span_slice(bytes, 0, bytes.size - SHA256_SIZE), digest);
    return span_equal(SPAN_OF(digest), span_slice(bytes, bytes.size - SHA256_SIZE, SHA256_SIZE));
}

size_t sealed_end_size(size_t plain_size)
{
    return plain_size + AEAD_TAG_SIZE + SHA256_SIZE;
}

void sealed_end_write(const uint8_t key[AEAD_KEY_SIZE], const uint8_t nonce[AEAD_XNONCE_SIZE],
                      uint8_t *start, size_t header_size, struct span plain)
{
    const size_t hashed = header_size + plain.size + AEAD_TAG_SIZE;

    aead_seal(AEAD_XCHACHA20_POLY1305, key, nonce, span_of(start, header_size), plain,
              start + header_size);
    sha256(span_of(start, hashed), start + hashed);
}

enum err sealed_blob_parse(const struct sealed_form *form, struct span bytes,
                           struct sealed_blob *out)
{
    struct reader r = reader_over(bytes);
    struct sealed_blob b = {0};
    struct span magic;
    uint8_t version;
    uint32_t sealed_size;

    if (bytes.size > TEE_SEALED_MAX)
        return ERR_TOO_LARGE;
    magic = reader_take(&r, SEALED_MAGIC_SIZE);
    version = reader_u8(&r);
    b.how = reader_take(&r, form->how_size);
    b.nonce = reader_take(&r, AEAD_XNONCE_SIZE);
    sealed_size = reader_u32le(&r);
    b.header = span_slice(bytes, 0, bytes.size - r.rest.size);
    b.sealed = reader_take(&r, sealed_size);
    (void)reader_take(&r, SHA256_SIZE);
    if (reader_finish(&r) != ERR_NONE || !span_equal_string(magic, form->magic) ||
        version != VERSION || b.sealed.size < AEAD_TAG_SIZE || !sealed_hash_fits(bytes))
        return ERR_MALFORMED;
    *out = b;
    return ERR_NONE;
}

enum err sealed_blob_seal(const struct sealed_form *form, const uint8_t key[AEAD_KEY_SIZE],
                          struct span how, struct span plain, struct buffer *out)
{
    size_t header_size = SEALED_MAGIC_SIZE + 1 + form->how_size + AEAD_XNONCE_SIZE + 4;
    uint8_t nonce[AEAD_XNONCE_SIZE];
    uint8_t *start;
    struct writer w;
    enum err e;

    assert(how.size == form->how_size && how.size <= SEALED_HOW_MAX);
    if (plain.size > TEE_SECRET_MAX)
        return ERR_TOO_LARGE;
    if ((e = buffer_reserve(out, header_size + sealed_end_size(plain.size))) != ERR_NONE)
        return e;
    random_bytes(nonce, sizeof nonce);
    start = out->data + out->size;
    w = writer_over(start, header_size);
    writer_put(&w, span_of(form->magic, SEALED_MAGIC_SIZE));
    writer_u8(&w, VERSION);
    writer_put(&w, how);
    writer_put(&w, SPAN_OF(nonce));
    writer_u32le(&w, (uint32_t)(plain.size + AEAD_TAG_SIZE));
    sealed_end_write(key, nonce, start, header_size, plain);
    out->size += header_size + sealed_end_size(plain.size);
    return ERR_NONE;
}

enum err sealed_end_open(const uint8_t key[AEAD_KEY_SIZE], struct span header, struct span nonce,
                         struct span sealed, struct secret **plain)
{
    struct secret *opened = NULL;
    enum err e = secret_new(sealed.size - AEAD_TAG_SIZE, &opened);

    if (e == ERR_NONE)
        e = aead_open(AEAD_XCHACHA20_POLY1305, key, nonce.data, header, sealed,
                      secret_data(opened));
    if (e == ERR_NONE) {
        *plain = opened;
        opened = NULL; /* the caller owns it now */
    }
    secret_free(&opened);
    return e;
}

enum err sealed_blob_open(const struct sealed_blob *blob, const uint8_t key[AEAD_KEY_SIZE],
                          struct secret **plain)
{
    return sealed_end_open(key, blob->header, blob->nonce, blob->sealed, plain);
}

MUST_CHECK static enum err derive(const uint8_t prk[HMAC_SHA256_SIZE], const char *context,
                                  const char *what, uint8_t *out, size_t size)
{
    uint8_t info[64];
    struct writer w = writer_over(info, sizeof info);
    struct span text;
    enum err e;

    writer_put(&w, span_string(context));
    writer_u8(&w, 0);
    writer_put(&w, span_string(what));
    e = writer_finish(&w, &text);
    return e == ERR_NONE ? hkdf_sha256_expand(prk, text, out, size) : e;
}

enum err sealing_keys_derive(struct span material, const char *context, struct sealing_keys *out)
{
    uint8_t prk[HMAC_SHA256_SIZE];
    enum err e;

    hkdf_sha256_extract((struct span){0}, material, prk);
    if ((e = derive(prk, context, "key", out->key, sizeof out->key)) == ERR_NONE)
        e = derive(prk, context, "id", out->id, sizeof out->id);
    bytes_wipe(prk, sizeof prk);
    if (e != ERR_NONE)
        bytes_wipe(out, sizeof *out);
    return e;
}
