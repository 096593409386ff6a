#include "tee/simulated_blob.h"

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define MAGIC "VSSIMU"
#define MAGIC_SIZE 6
#define VERSION 1
#define HEADER_SIZE (MAGIC_SIZE + 1 + SIMULATED_KEY_ID_SIZE + AEAD_XNONCE_SIZE + 4)
#define OVERHEAD (HEADER_SIZE + AEAD_TAG_SIZE + SHA256_SIZE)

static bool digest_fits(struct span bytes)
{
    uint8_t digest[SHA256_SIZE];

    if (bytes.size < SHA256_SIZE)
        return false;
    sha256(span_slice(bytes, 0, bytes.size - SHA256_SIZE), digest);
    return span_equal(SPAN_OF(digest), span_slice(bytes, bytes.size - SHA256_SIZE, SHA256_SIZE));
}

enum err simulated_blob_parse(struct span bytes, struct simulated_blob *out)
{
    struct reader r = reader_over(bytes);
    struct simulated_blob b = {0};
    struct span magic;
    uint8_t version;

    if (bytes.size > TEE_SEALED_MAX)
        return ERR_TOO_LARGE;
    magic = reader_take(&r, MAGIC_SIZE);
    version = reader_u8(&r);
    b.key_id = reader_take(&r, SIMULATED_KEY_ID_SIZE);
    b.nonce = reader_take(&r, AEAD_XNONCE_SIZE);
    b.sealed = reader_take(&r, reader_u32le(&r));
    b.header = span_slice(bytes, 0, HEADER_SIZE);
    (void)reader_take(&r, SHA256_SIZE);
    if (reader_finish(&r) != ERR_NONE || !span_equal_string(magic, MAGIC) || version != VERSION ||
        b.sealed.size < AEAD_TAG_SIZE || !digest_fits(bytes))
        return ERR_MALFORMED;
    *out = b;
    return ERR_NONE;
}

enum err simulated_blob_seal(const uint8_t key[AEAD_KEY_SIZE],
                             const uint8_t key_id[SIMULATED_KEY_ID_SIZE], struct span plain,
                             struct buffer *out)
{
    uint8_t nonce[AEAD_XNONCE_SIZE];
    uint8_t *start;
    struct writer w;
    enum err e;

    if (plain.size > TEE_SECRET_MAX)
        return ERR_TOO_LARGE;
    if ((e = buffer_reserve(out, plain.size + OVERHEAD)) != ERR_NONE)
        return e;
    random_bytes(nonce, sizeof(nonce));
    start = out->data + out->size;
    w = writer_over(start, plain.size + OVERHEAD);
    writer_put(&w, SPAN_LITERAL(MAGIC));
    writer_u8(&w, VERSION);
    writer_put(&w, span_of(key_id, SIMULATED_KEY_ID_SIZE));
    writer_put(&w, SPAN_OF(nonce));
    writer_u32le(&w, (uint32_t)(plain.size + AEAD_TAG_SIZE));
    aead_seal(AEAD_XCHACHA20_POLY1305, key, nonce, span_of(start, HEADER_SIZE), plain,
              start + HEADER_SIZE);
    sha256(span_of(start, HEADER_SIZE + plain.size + AEAD_TAG_SIZE),
           start + HEADER_SIZE + plain.size + AEAD_TAG_SIZE);
    out->size += plain.size + OVERHEAD;
    return ERR_NONE;
}

enum err simulated_blob_open(const struct simulated_blob *blob, const uint8_t key[AEAD_KEY_SIZE],
                             struct secret **plain)
{
    struct secret *opened = NULL;
    enum err e = secret_new(blob->sealed.size - AEAD_TAG_SIZE, &opened);

    if (e == ERR_NONE)
        e = aead_open(AEAD_XCHACHA20_POLY1305, key, blob->nonce.data, blob->header, blob->sealed,
                      secret_data(opened));
    if (e == ERR_NONE) {
        *plain = opened;
        opened = NULL; /* the caller owns it now */
    }
    secret_free(&opened);
    return e;
}
