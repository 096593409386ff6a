#include "store/export_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/aead.h"
#include "crypto/mac.h"
#include "keys/derive.h"

enum { FORMAT = 1, KEY_OF_ROOT = 1, SEALED = EXPORT_CHUNK + AEAD_TAG_SIZE };

static const char magic[8] = {'V', 'S', 'E', 'X', 'P', 'O', 'R', 'T'};

void export_header_write(const struct export_header *h, uint8_t out[EXPORT_HEADER_SIZE])
{
    struct writer w = writer_over(out, EXPORT_HEADER_SIZE);

    writer_put(&w, SPAN_OF(magic));
    writer_u8(&w, FORMAT);
    writer_u8(&w, KEY_OF_ROOT);
    writer_u16le(&w, 0);
    writer_u32le(&w, h->epoch);
    writer_put(&w, SPAN_OF(h->salt));
}

enum err export_header_parse(struct span bytes, struct export_header *out)
{
    struct reader r = reader_over(bytes);
    const struct span text = reader_take(&r, sizeof magic);
    const uint8_t format = reader_u8(&r);
    const uint8_t key = reader_u8(&r);
    const uint16_t zero = reader_u16le(&r);
    struct export_header h = {0};

    h.epoch = reader_u32le(&r);
    reader_copy(&r, h.salt, sizeof h.salt);
    if (reader_finish(&r) != ERR_NONE || !span_equal(text, SPAN_OF(magic)))
        return ERR_MALFORMED;
    if (format != FORMAT || key != KEY_OF_ROOT || zero != 0)
        return ERR_UNSUPPORTED;
    *out = h;
    return ERR_NONE;
}

/* What writer and reader share. `plain` has the key, then a chunk. */
struct stream {
    struct secret *plain;
    uint8_t *sealed;
    uint64_t chunks;
    size_t size; /* of the chunk in `plain` */
};

static uint8_t *key_of(struct stream *s)
{
    return secret_data(s->plain);
}

static uint8_t *chunk_of(struct stream *s)
{
    return secret_data(s->plain) + AEAD_KEY_SIZE;
}

MUST_CHECK static enum err stream_init(struct stream *s)
{
    s->sealed = malloc(SEALED);
    return s->sealed ? secret_new(AEAD_KEY_SIZE + EXPORT_CHUNK, &s->plain) : ERR_MEMORY;
}

static void stream_clear(struct stream *s)
{
    secret_free(&s->plain);
    free(s->sealed);
}

static void stream_key(struct stream *s, const struct root_epoch *root,
                       const uint8_t header[EXPORT_HEADER_SIZE])
{
    const struct span parts[] = {
        {header, EXPORT_HEADER_SIZE}
    };
    uint8_t master[32];

    derive_labelled(root, LABEL_STORE_EXPORT, master, sizeof master);
    hmac_sha256(SPAN_OF(master), parts, COUNT_OF(parts), key_of(s));
    bytes_wipe(master, sizeof master);
}

static void nonce_write(const struct stream *s, bool last, uint8_t out[AEAD_NONCE_SIZE])
{
    struct writer w = writer_over(out, AEAD_NONCE_SIZE);

    writer_u64le(&w, s->chunks);
    writer_u32le(&w, last);
}

struct export_writer {
    struct stream stream;
    export_put *put;
    void *context;
};

enum err export_writer_new(const struct root_epoch *root, const uint8_t salt[EXPORT_SALT_SIZE],
                           export_put *put, void *context, struct export_writer **out)
{
    struct export_writer *w = calloc(1, sizeof *w);
    struct export_header header = {.epoch = root->epoch};
    uint8_t bytes[EXPORT_HEADER_SIZE];
    enum err e;

    if (!w)
        return ERR_MEMORY;
    w->put = put;
    w->context = context;
    memcpy(header.salt, salt, sizeof header.salt);
    export_header_write(&header, bytes);
    e = stream_init(&w->stream);
    if (e == ERR_NONE) {
        stream_key(&w->stream, root, bytes);
        e = put(context, SPAN_OF(bytes));
    }
    if (e == ERR_NONE)
        *out = w;
    else
        export_writer_free(&w);
    return e;
}

MUST_CHECK static enum err chunk_write(struct export_writer *w, bool last)
{
    struct stream *s = &w->stream;
    uint8_t nonce[AEAD_NONCE_SIZE];

    nonce_write(s, last, nonce);
    aead_seal(AEAD_CHACHA20_POLY1305, key_of(s), nonce, (struct span){0},
              span_of(chunk_of(s), s->size), s->sealed);
    s->chunks++;
    return w->put(w->context, span_of(s->sealed, s->size + AEAD_TAG_SIZE));
}

/* A full chunk stays until there is more: it may be the last one. */
enum err export_writer_put(struct export_writer *w, struct span bytes)
{
    struct stream *s = &w->stream;
    enum err e = ERR_NONE;

    while (e == ERR_NONE && bytes.size > 0) {
        size_t part;

        if (s->size == EXPORT_CHUNK) {
            e = chunk_write(w, false);
            s->size = 0;
        }
        part = EXPORT_CHUNK - s->size < bytes.size ? EXPORT_CHUNK - s->size : bytes.size;
        memcpy(chunk_of(s) + s->size, bytes.data, part);
        s->size += part;
        bytes = span_of(bytes.data + part, bytes.size - part);
    }
    return e;
}

enum err export_writer_end(struct export_writer *w)
{
    return chunk_write(w, true);
}

void export_writer_free(struct export_writer **writer)
{
    if (!*writer)
        return;
    stream_clear(&(*writer)->stream);
    free(*writer);
    *writer = NULL;
}

struct export_reader {
    struct stream stream;
    export_take *take;
    void *context;
    size_t at;    /* in the chunk */
    bool last;    /* the chunk is the last one */
    bool has_one; /* the first byte of the next chunk was read already: `ahead` */
    uint8_t ahead;
};

/* The next chunk. One byte more tells whether it is the last one. */
MUST_CHECK static enum err chunk_read(struct export_reader *r)
{
    struct stream *s = &r->stream;
    uint8_t nonce[AEAD_NONCE_SIZE];
    size_t size = 0, more = 0;
    enum err e;

    if (r->has_one)
        s->sealed[0] = r->ahead;
    e = r->take(r->context, s->sealed + r->has_one, SEALED - (size_t)r->has_one, &size);
    size += r->has_one;
    if (e == ERR_NONE && size == SEALED)
        e = r->take(r->context, &r->ahead, 1, &more);
    r->has_one = more == 1;
    r->last = !r->has_one;
    if (e == ERR_NONE && size < AEAD_TAG_SIZE)
        e = ERR_CRYPTO;
    if (e != ERR_NONE)
        return e;
    nonce_write(s, r->last, nonce);
    s->size = size - AEAD_TAG_SIZE;
    s->chunks++;
    r->at = 0;
    return aead_open(AEAD_CHACHA20_POLY1305, key_of(s), nonce, (struct span){0},
                     span_of(s->sealed, size), chunk_of(s));
}

MUST_CHECK static enum err header_read(struct export_reader *r, const struct root *root)
{
    uint8_t bytes[EXPORT_HEADER_SIZE];
    struct export_header header;
    const struct root_epoch *epoch = NULL;
    size_t size = 0;
    enum err e = r->take(r->context, bytes, sizeof bytes, &size);

    if (e == ERR_NONE)
        e = export_header_parse(span_of(bytes, size), &header);
    if (e == ERR_NONE && !(epoch = root_find(root, header.epoch)))
        e = ERR_NOT_FOUND;
    if (e == ERR_NONE)
        stream_key(&r->stream, epoch, bytes);
    return e;
}

enum err export_reader_new(const struct root *root, export_take *take, void *context,
                           struct export_reader **out)
{
    struct export_reader *r = calloc(1, sizeof *r);
    enum err e;

    if (!r)
        return ERR_MEMORY;
    r->take = take;
    r->context = context;
    e = stream_init(&r->stream);
    if (e == ERR_NONE)
        e = header_read(r, root);
    if (e == ERR_NONE)
        *out = r;
    else
        export_reader_free(&r);
    return e;
}

enum err export_reader_take(struct export_reader *r, uint8_t *out, size_t size)
{
    struct stream *s = &r->stream;

    while (size > 0) {
        size_t part = s->size - r->at < size ? s->size - r->at : size;

        if (part == 0) {
            enum err e = r->last ? ERR_NOT_FOUND : chunk_read(r);

            if (e != ERR_NONE) {
                s->size = r->at = 0;
                return e;
            }
            continue;
        }
        memcpy(out, chunk_of(s) + r->at, part);
        r->at += part;
        out += part;
        size -= part;
    }
    return ERR_NONE;
}

enum err export_reader_end(struct export_reader *r)
{
    uint8_t more;
    enum err e = export_reader_take(r, &more, 1);

    if (e == ERR_NONE)
        return ERR_MALFORMED;
    return e == ERR_NOT_FOUND ? ERR_NONE : e;
}

void export_reader_free(struct export_reader **reader)
{
    if (!*reader)
        return;
    stream_clear(&(*reader)->stream);
    free(*reader);
    *reader = NULL;
}
