/*
 * The types of keys: names and sizes. One table; everything that lists key types reads it.
 * keys/algorithm.h says what a key of each type can do.
 */
#ifndef KEYS_KEY_TYPE_H
#define KEYS_KEY_TYPE_H

#include "base/span.h"

enum key_type {
    KEY_SECP256R1,
    KEY_SECP384R1,
    KEY_SECP256K1,
    KEY_ED25519,
    KEY_X25519,
    KEY_RSA_2048,
    KEY_RSA_3072,
    KEY_RSA_4096,
    KEY_AES_128_GCM,
    KEY_AES_256_GCM,
    KEY_CHACHA20_POLY1305,
    KEY_HMAC_SHA256,
    KEY_ML_DSA_65,
    KEY_ML_KEM_768,
    KEY_TYPE_COUNT
};

#define KEY_TYPE_BIT(type) (1u << (type))

/* How the bytes of a key are laid out. */
enum key_family {
    KEY_FAMILY_EC,        /* private: scalar, big-endian; public: 0x04 || x || y */
    KEY_FAMILY_ED25519,   /* private: seed (RFC 8032); public: 32 bytes */
    KEY_FAMILY_X25519,    /* private: 32 bytes (RFC 7748); public: 32 bytes */
    KEY_FAMILY_RSA,       /* private: RSAPrivateKey, public: RSAPublicKey, in DER (RFC 8017) */
    KEY_FAMILY_SYMMETRIC, /* private: the bytes; no public part */
    KEY_FAMILY_ML_DSA,    /* private: seed (FIPS 204); public: the encoding of FIPS 204 */
    KEY_FAMILY_ML_KEM,    /* private: seed d || z (FIPS 203); public: the encoding of FIPS 203 */
};

/* The largest public part: ML-DSA-65. */
#define KEY_PUBLIC_MAX 1952

struct key_type_info {
    const char *name;                /* as in the configuration, such as "secp256r1" */
    size_t private_min, private_max; /* bytes; a generated key has private_min, except RSA */
    size_t public_max;               /* bytes; 0 for symmetric keys */
    enum key_family family;
    unsigned bits;          /* of an RSA modulus, else 0 */
    const char *aliases[3]; /* NULL where there is none */
};

const struct key_type_info *key_type_info(enum key_type type);

/* Finds a type by name or alias. Case does not matter. ERR_NOT_FOUND */
MUST_CHECK enum err key_type_find(struct span name, enum key_type *out);

/* Whether `text` is `name`, ASCII case aside: for names in tables of this folder. */
bool key_name_equal(struct span text, const char *name);

#endif
