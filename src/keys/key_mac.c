#include "keys/key_mac.h"

#include <assert.h>

#include "crypto/mac.h"

_Static_assert(KEY_MAC_SIZE == HMAC_SHA256_SIZE, "whole tags");

MUST_CHECK static enum err compute(const struct key_spec *key, const struct key_material *m,
                                   enum key_operation operation, struct span message,
                                   uint8_t out[KEY_MAC_SIZE])
{
    const struct algorithm_request request = {.operation = operation};

    assert(key->type == m->type);
    if (algorithm_misfit(key, &request) != MISFIT_NONE || !m->secret)
        return ERR_UNSUPPORTED;
    hmac_sha256(secret_span(m->secret), &message, 1, out);
    return ERR_NONE;
}

enum err key_mac(const struct key_spec *key, const struct key_material *m, struct span message,
                 uint8_t out[KEY_MAC_SIZE])
{
    return compute(key, m, KEY_MAC, message, out);
}

enum err key_verify_mac(const struct key_spec *key, const struct key_material *m,
                        struct span message, struct span tag)
{
    uint8_t expected[KEY_MAC_SIZE];
    enum err e = compute(key, m, KEY_VERIFY_MAC, message, expected);

    if (e == ERR_NONE &&
        (tag.size != sizeof expected || !bytes_equal_ct(tag.data, expected, sizeof expected)))
        e = ERR_CRYPTO;
    bytes_wipe(expected, sizeof expected);
    return e;
}
