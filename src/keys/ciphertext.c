#include "keys/ciphertext.h"

#include "base/reader.h"
#include "base/writer.h"

/* The numbers are part of the format: a row never changes. */
static const struct {
    uint8_t number;
    enum algorithm algorithm;
} numbers[] = {
    {1, ALGORITHM_AES_GCM                  },
    {2, ALGORITHM_CHACHA20_POLY1305        },
    {3, ALGORITHM_RSA_OAEP_SHA256          },
    {4, ALGORITHM_RSA_OAEP_SHA256_MGF1_SHA1},
    {5, ALGORITHM_RSA_OAEP_SHA384          },
    {6, ALGORITHM_RSA_OAEP_SHA512          },
    {7, ALGORITHM_RSA_OAEP_SHA1            },
};

bool ciphertext_has_nonce(enum algorithm a)
{
    return a == ALGORITHM_AES_GCM || a == ALGORITHM_CHACHA20_POLY1305;
}

MUST_CHECK static enum err algorithm_of(uint8_t number, enum algorithm *out)
{
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (numbers[i].number == number) {
            *out = numbers[i].algorithm;
            return ERR_NONE;
        }
    return ERR_UNSUPPORTED;
}

enum err ciphertext_parse(struct span bytes, struct ciphertext *out)
{
    struct reader r = reader_over(bytes);
    struct ciphertext c = {0};
    uint8_t format = reader_u8(&r);
    uint8_t number = reader_u8(&r);
    enum err e;

    if (bytes.size > CIPHERTEXT_MAX)
        return ERR_TOO_LARGE;
    if (r.failed)
        return ERR_MALFORMED;
    if (format != CIPHERTEXT_FORMAT)
        return ERR_UNSUPPORTED;
    if ((e = algorithm_of(number, &c.algorithm)) != ERR_NONE)
        return e;
    c.key_id = reader_take(&r, reader_u8(&r));
    c.version = reader_u32be(&r);
    if (ciphertext_has_nonce(c.algorithm))
        c.nonce = reader_take(&r, CIPHERTEXT_NONCE_SIZE);
    if (r.failed || c.key_id.size == 0 || c.key_id.size > CIPHERTEXT_KEY_ID_MAX || c.version == 0)
        return ERR_MALFORMED;
    c.header = span_slice(bytes, 0, bytes.size - r.rest.size);
    c.sealed = r.rest;
    *out = c;
    return ERR_NONE;
}

enum err ciphertext_header_write(const struct ciphertext *c, uint8_t out[CIPHERTEXT_HEADER_MAX],
                                 size_t *size)
{
    struct writer w = writer_over(out, CIPHERTEXT_HEADER_MAX);
    uint8_t number = 0;

    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (numbers[i].algorithm == c->algorithm)
            number = numbers[i].number;
    if (number == 0)
        return ERR_UNSUPPORTED;
    if (c->key_id.size == 0 || c->key_id.size > CIPHERTEXT_KEY_ID_MAX || c->version == 0 ||
        c->nonce.size != (ciphertext_has_nonce(c->algorithm) ? CIPHERTEXT_NONCE_SIZE : 0))
        return ERR_MALFORMED;
    writer_u8(&w, CIPHERTEXT_FORMAT);
    writer_u8(&w, number);
    writer_u8(&w, (uint8_t)c->key_id.size);
    writer_put(&w, c->key_id);
    writer_u32be(&w, c->version);
    writer_put(&w, c->nonce);
    *size = w.size;
    return writer_finish(&w, NULL);
}
