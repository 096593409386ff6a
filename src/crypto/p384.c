#include "crypto/p384.h"

#include <stdlib.h>

#include "crypto/ecdsa.h"

struct p384_public {
    struct ecdsa_public *ecdsa;
};

enum err p384_public_from_point(const uint8_t point[P384_POINT_SIZE], struct p384_public **out)
{
    struct p384_public *made = calloc(1, sizeof *made);
    enum err e;

    if (!made)
        return ERR_MEMORY;
    e = ecdsa_public_new(ECDSA_P384, point, &made->ecdsa);
    if (e == ERR_NONE)
        *out = made;
    else
        free(made);
    return e;
}

enum err p384_public_from_spki(struct span spki, struct p384_public **out)
{
    uint8_t point[P384_POINT_SIZE];
    enum err e = ecdsa_spki_read(ECDSA_P384, spki, point);

    return e == ERR_NONE ? p384_public_from_point(point, out) : e;
}

enum err p384_verify(const struct p384_public *key, struct span message,
                     const uint8_t signature[P384_SIGNATURE_SIZE])
{
    return ecdsa_verify(key->ecdsa, message, signature);
}

void p384_public_free(struct p384_public **key)
{
    if (*key)
        ecdsa_public_free(&(*key)->ecdsa);
    free(*key);
    *key = NULL;
}
