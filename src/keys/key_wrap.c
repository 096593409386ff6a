#include "keys/key_wrap.h"

#include <assert.h>

#include "crypto/aes_wrap.h"
#include "keys/oaep.h"

MUST_CHECK static enum err check(const struct key_spec *key, const struct key_material *m,
                                 enum key_operation operation, struct span label)
{
    const struct algorithm_request request = {.operation = operation};
    bool is_rsa = key_type_info(m->type)->family == KEY_FAMILY_RSA;

    assert(key->type == m->type);
    if (algorithm_misfit(key, &request) != MISFIT_NONE || (label.size > 0 && !is_rsa))
        return ERR_UNSUPPORTED;
    if (!m->secret && (operation == KEY_UNWRAP || !is_rsa))
        return ERR_UNSUPPORTED;
    return ERR_NONE;
}

/* False for OAEP. */
static bool aes_form(const struct key_spec *key, enum aes_wrap *out)
{
    *out = key->algorithm == ALGORITHM_AES_KW ? AES_WRAP_KW : AES_WRAP_KWP;
    return key->algorithm == ALGORITHM_AES_KW || key->algorithm == ALGORITHM_AES_KWP;
}

enum err key_wrap(const struct key_spec *key, const struct key_material *m, struct span label,
                  struct span plain, struct buffer *out)
{
    enum aes_wrap form;
    bool is_aes = aes_form(key, &form);
    size_t size;
    enum err e = check(key, m, KEY_WRAP, label);

    if (e != ERR_NONE)
        return e;
    if (plain.size > AES_WRAP_PLAIN_MAX)
        return ERR_TOO_LARGE;
    size = is_aes ? aes_wrap_size(form, plain.size) : key_type_info(m->type)->bits / 8;
    if ((e = buffer_reserve(out, size)) != ERR_NONE)
        return e;
    e = is_aes ? aes_wrap(form, secret_span(m->secret), plain, out->data + out->size)
               : oaep_encrypt(key, m, label, plain, out->data + out->size);
    if (e == ERR_NONE)
        out->size += size;
    return e;
}

MUST_CHECK static enum err unwrap_aes(enum aes_wrap form, const struct key_material *m,
                                      struct span wrapped, struct secret **plain)
{
    struct secret *text = NULL;
    size_t size = 0;
    enum err e;

    if (wrapped.size > AES_WRAP_PLAIN_MAX + AES_WRAP_OVERHEAD_MAX)
        return ERR_TOO_LARGE;
    if ((e = secret_new(wrapped.size, &text)) == ERR_NONE)
        e = aes_unwrap(form, secret_span(m->secret), wrapped, secret_data(text), &size);
    if (e == ERR_NONE) {
        secret_shrink(text, size);
        *plain = text;
        text = NULL; /* the caller owns it now */
    }
    secret_free(&text);
    return e;
}

enum err key_unwrap(const struct key_spec *key, const struct key_material *m, struct span label,
                    struct span wrapped, struct secret **plain)
{
    enum aes_wrap form;
    enum err e = check(key, m, KEY_UNWRAP, label);

    if (e != ERR_NONE)
        return e;
    return aes_form(key, &form) ? unwrap_aes(form, m, wrapped, plain)
                                : oaep_decrypt(key, m, label, wrapped, plain);
}
