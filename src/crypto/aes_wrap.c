#include "crypto/aes_wrap.h"

#include <assert.h>
#include <openssl/aes.h>
#include <openssl/err.h>

enum { BLOCK = 8 };

size_t aes_wrap_size(enum aes_wrap form, size_t plain_size)
{
    if (form == AES_WRAP_KWP)
        plain_size += (BLOCK - plain_size % BLOCK) % BLOCK;
    return plain_size + BLOCK;
}

enum err aes_wrap(enum aes_wrap form, struct span key, struct span plain, uint8_t *out)
{
    size_t wanted = aes_wrap_size(form, plain.size);
    size_t size = 0;
    AES_KEY schedule;
    int done;

    if (plain.size > AES_WRAP_PLAIN_MAX)
        return ERR_TOO_LARGE;
    if (form == AES_WRAP_KW ? plain.size < AES_WRAP_PLAIN_MIN || plain.size % BLOCK != 0
                            : plain.size == 0)
        return ERR_UNSUPPORTED;
    done = AES_set_encrypt_key(key.data, (unsigned)(8 * key.size), &schedule);
    assert(done == 0); /* only wrong sizes fail */
    if (form == AES_WRAP_KW)
        done = AES_wrap_key(&schedule, NULL, out, plain.data, plain.size) == (int)wanted;
    else
        done = AES_wrap_key_padded(&schedule, out, &size, wanted, plain.data, plain.size);
    bytes_wipe(&schedule, sizeof schedule);
    stack_wipe();
    assert(done == 1);
    return ERR_NONE;
}

enum err aes_unwrap(enum aes_wrap form, struct span key, struct span wrapped, uint8_t *out,
                    size_t *size)
{
    AES_KEY schedule;
    size_t taken = wrapped.size - BLOCK;
    int done;

    if (wrapped.size > AES_WRAP_PLAIN_MAX + AES_WRAP_OVERHEAD_MAX)
        return ERR_TOO_LARGE;
    if (wrapped.size % BLOCK != 0 || wrapped.size < 2 * BLOCK ||
        (form == AES_WRAP_KW && wrapped.size < AES_WRAP_PLAIN_MIN + BLOCK))
        return ERR_CRYPTO;
    done = AES_set_decrypt_key(key.data, (unsigned)(8 * key.size), &schedule);
    assert(done == 0);
    if (form == AES_WRAP_KW)
        done = AES_unwrap_key(&schedule, NULL, out, wrapped.data, wrapped.size) == (int)taken;
    else
        done = AES_unwrap_key_padded(&schedule, out, &taken, wrapped.size - BLOCK, wrapped.data,
                                     wrapped.size);
    bytes_wipe(&schedule, sizeof schedule);
    stack_wipe();
    if (done != 1) {
        bytes_wipe(out, wrapped.size - BLOCK);
        ERR_clear_error(); /* AWS-LC keeps the last errors of each thread */
        return ERR_CRYPTO;
    }
    *size = taken;
    return ERR_NONE;
}
