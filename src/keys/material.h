/*
 * The bytes of one key: its private part in guarded memory, and its public part. The forms are
 * those of enum key_family. Every function that makes a key checks it: curve points are on the
 * curve and not infinity, points of Curve25519 have no low order, RSA numbers belong together, and
 * a private key and its public key work together (a pairwise consistency test).
 */
#ifndef KEYS_MATERIAL_H
#define KEYS_MATERIAL_H

#include "base/secret.h"
#include "crypto/ec.h"
#include "keys/key_type.h"

struct key_material {
    enum key_type type;
    struct secret *secret; /* NULL when only the public part is known */
    size_t public_size;    /* 0 for symmetric keys */
    uint8_t public_key[KEY_PUBLIC_MAX];
};

/* Makes a key from the random generator. RSA takes 50 ms to seconds. The caller owns `*out`.
 * ERR_MEMORY; ERR_CRYPTO the new key does not work */
MUST_CHECK enum err key_generate(enum key_type type, struct key_material **out);

/*
 * Takes over the raw bytes of a private or symmetric key: the private form of enum key_family. The
 * caller still wipes `bytes`.
 * ERR_MALFORMED    another size, or DER that is not RSAPrivateKey
 * ERR_UNSUPPORTED  an RSA key of another size or exponent
 * ERR_CRYPTO       a scalar out of range, a symmetric key of zeros, numbers that are no RSA key
 * ERR_MEMORY
 */
MUST_CHECK enum err key_import_private(enum key_type type, struct span bytes,
                                       struct key_material **out);

/*
 * The public key from its raw bytes: the public form of enum key_family; for EC keys the compressed
 * form as well. ERR_MALFORMED the size or form, ERR_UNSUPPORTED a symmetric type, ERR_CRYPTO not a
 * key, ERR_MEMORY
 */
MUST_CHECK enum err key_import_public(enum key_type type, struct span bytes,
                                      struct key_material **out);

/* Wipes and frees. Accepts NULL, and sets `*m` to NULL. */
void key_material_free(struct key_material **m);

struct span key_public(const struct key_material *m); /* borrowed */

/* The compressed form of the public part of an EC key. ERR_UNSUPPORTED another family */
MUST_CHECK enum err key_public_compressed(const struct key_material *m,
                                          uint8_t out[1 + EC_SIZE_MAX], size_t *size);

/* The curve of an EC type. */
enum ec_curve key_curve(enum key_type type);

/* The point of an EC key, as crypto/ec.h has it. */
const uint8_t *key_point(const struct key_material *m);

/*
 * Signs and verifies, encrypts and decrypts, or agrees with itself, once. Needs the private part.
 * ERR_CRYPTO the parts do not belong together; ERR_MEMORY
 */
MUST_CHECK enum err key_consistent(const struct key_material *m);

#endif
