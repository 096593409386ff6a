#include "keys/derive.h"

#include <assert.h>

#include "crypto/mac.h"

#define LABELLED_MAX 64

void derive_repository_key(const struct root_epoch *root, struct span prefix, struct span seed,
                           uint8_t private_key[X25519_SIZE])
{
    const struct span input[] = {SPAN_LITERAL("ecies:"), prefix, seed};

    hmac_sha256(secret_span(root->secret), input, COUNT_OF(input), private_key);
}

void derive_labelled(const struct root_epoch *root, const char *label, uint8_t *out, size_t size)
{
    enum err e;

    assert(size <= LABELLED_MAX);
    e = hkdf_sha256(SPAN_LITERAL("vouchsafe-root-v1"), secret_span(root->secret),
                    span_string(label), out, size);
    assert(e == ERR_NONE); /* the size is within HKDF's limit */
}
