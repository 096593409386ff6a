#include "keys/key_cipher.h"

#include <assert.h>

#include "crypto/aead.h"
#include "crypto/aes_gcm.h"
#include "keys/oaep.h"

enum { TAG_SIZE = AES_GCM_TAG_SIZE };
_Static_assert(AEAD_TAG_SIZE == TAG_SIZE && AEAD_NONCE_SIZE == CIPHERTEXT_NONCE_SIZE &&
                   AES_GCM_NONCE_SIZE == CIPHERTEXT_NONCE_SIZE,
               "both AEADs have the same sizes");

/* `out` has room for the text and a tag. */
MUST_CHECK static enum err aead_do_seal(const struct key_spec *key, const struct key_material *m,
                                        const uint8_t *nonce, struct span aad, struct span plain,
                                        uint8_t *out)
{
    if (key->algorithm == ALGORITHM_AES_GCM)
        return aes_gcm_seal(secret_span(m->secret), nonce, aad, plain, out);
    aead_seal(AEAD_CHACHA20_POLY1305, secret_span(m->secret).data, nonce, aad, plain, out);
    return ERR_NONE;
}

MUST_CHECK static enum err aead_do_open(const struct key_spec *key, const struct key_material *m,
                                        const uint8_t *nonce, struct span aad, struct span sealed,
                                        struct secret **plain)
{
    struct secret *text = NULL;
    enum err e;

    if (sealed.size < TAG_SIZE)
        return ERR_CRYPTO;
    if ((e = secret_new(sealed.size - TAG_SIZE, &text)) != ERR_NONE)
        return e;
    if (key->algorithm == ALGORITHM_AES_GCM)
        e = aes_gcm_open(secret_span(m->secret), nonce, aad, sealed, secret_data(text));
    else
        e = aead_open(AEAD_CHACHA20_POLY1305, secret_span(m->secret).data, nonce, aad, sealed,
                      secret_data(text));
    if (e == ERR_NONE) {
        *plain = text;
        text = NULL; /* the caller owns it now */
    }
    secret_free(&text);
    return e;
}

/* Appends the sealed bytes. `bound` is the AAD or the label. */
MUST_CHECK static enum err seal(const struct key_spec *key, const struct key_material *m,
                                const uint8_t *nonce, struct span bound, struct span plain,
                                struct buffer *out)
{
    bool is_aead = ciphertext_has_nonce(key->algorithm);
    size_t size = is_aead ? plain.size + TAG_SIZE : key_type_info(m->type)->bits / 8;
    enum err e = buffer_reserve(out, size);

    if (e != ERR_NONE)
        return e;
    e = is_aead ? aead_do_seal(key, m, nonce, bound, plain, out->data + out->size)
                : oaep_encrypt(key, m, bound, plain, out->data + out->size);
    if (e == ERR_NONE)
        out->size += size;
    return e;
}

MUST_CHECK static enum err unseal(const struct key_spec *key, const struct key_material *m,
                                  const uint8_t *nonce, struct span bound, struct span sealed,
                                  struct secret **plain)
{
    return ciphertext_has_nonce(key->algorithm) ? aead_do_open(key, m, nonce, bound, sealed, plain)
                                                : oaep_decrypt(key, m, bound, sealed, plain);
}

/* The public part of an RSA key is enough to encrypt. */
MUST_CHECK static enum err check(const struct key_spec *key, const struct key_material *m,
                                 enum key_operation operation, bool nonce_given)
{
    const struct algorithm_request request = {
        .operation = operation,
        .nonce_given = nonce_given,
    };

    assert(key->type == m->type);
    if (algorithm_misfit(key, &request) != MISFIT_NONE)
        return ERR_UNSUPPORTED;
    if (!m->secret && (operation == KEY_DECRYPT || m->public_size == 0))
        return ERR_UNSUPPORTED;
    return ERR_NONE;
}

/* header || context. The caller clears it. */
MUST_CHECK static enum err bind(struct span header, struct span context, struct buffer *out)
{
    enum err e = buffer_append(out, header);

    return e == ERR_NONE ? buffer_append(out, context) : e;
}

enum err key_encrypt(const struct key_spec *key, const struct key_material *m,
                     const struct cipher_name *name, const uint8_t nonce[CIPHERTEXT_NONCE_SIZE],
                     struct span context, struct span plain, struct buffer *out)
{
    struct ciphertext c = {
        .algorithm = key->algorithm, .key_id = name->key_id, .version = name->version};
    uint8_t header[CIPHERTEXT_HEADER_MAX];
    struct buffer bound = {0};
    size_t before = out->size;
    size_t size = 0;
    enum err e = check(key, m, KEY_ENCRYPT, false);

    if (e != ERR_NONE)
        return e;
    if (plain.size > KEY_PLAIN_MAX)
        return ERR_TOO_LARGE;
    if (ciphertext_has_nonce(key->algorithm))
        c.nonce = span_of(nonce, CIPHERTEXT_NONCE_SIZE);
    if ((e = ciphertext_header_write(&c, header, &size)) != ERR_NONE ||
        (e = bind(span_of(header, size), context, &bound)) != ERR_NONE ||
        (e = buffer_append(out, span_of(header, size))) != ERR_NONE)
        goto out;
    e = seal(key, m, nonce, buffer_span(&bound), plain, out);
out:
    if (e != ERR_NONE)
        out->size = before;
    buffer_clear(&bound);
    return e;
}

enum err key_decrypt(const struct key_spec *key, const struct key_material *m,
                     const struct ciphertext *c, struct span context, struct secret **plain)
{
    struct buffer bound = {0};
    enum err e = check(key, m, KEY_DECRYPT, false);

    if (e != ERR_NONE)
        return e;
    if (c->algorithm != key->algorithm)
        return ERR_CRYPTO;
    if ((e = bind(c->header, context, &bound)) == ERR_NONE)
        e = unseal(key, m, c->nonce.data, buffer_span(&bound), c->sealed, plain);
    buffer_clear(&bound);
    return e;
}

enum err key_encrypt_raw(const struct key_spec *key, const struct key_material *m,
                         struct span nonce, struct span context, struct span plain,
                         struct buffer *out)
{
    enum err e = check(key, m, KEY_ENCRYPT, nonce.size > 0);

    if (e != ERR_NONE)
        return e;
    if (ciphertext_has_nonce(key->algorithm) && nonce.size != CIPHERTEXT_NONCE_SIZE)
        return nonce.size == 0 ? ERR_UNSUPPORTED : ERR_MALFORMED; /* only with `caller_nonce` */
    if (plain.size > KEY_PLAIN_MAX)
        return ERR_TOO_LARGE;
    return seal(key, m, nonce.data, context, plain, out);
}

enum err key_decrypt_raw(const struct key_spec *key, const struct key_material *m,
                         struct span nonce, struct span context, struct span sealed,
                         struct secret **plain)
{
    enum err e = check(key, m, KEY_DECRYPT, nonce.size > 0);

    if (e != ERR_NONE)
        return e;
    if (ciphertext_has_nonce(key->algorithm) && nonce.size != CIPHERTEXT_NONCE_SIZE)
        return nonce.size == 0 ? ERR_UNSUPPORTED : ERR_MALFORMED;
    if (sealed.size > CIPHERTEXT_MAX)
        return ERR_TOO_LARGE;
    return unseal(key, m, nonce.data, context, sealed, plain);
}
