#include "keys/key_type.h"

#include <assert.h>
#include <string.h>

/* In the order of enum key_type. */
/* clang-format off */
static const struct key_type_info types[] = {
    {"secp256r1",         32,   32,   65,   KEY_FAMILY_EC,        0,    {"P-256", "prime256v1", "EC_SECP256R1"}},
    {"secp384r1",         48,   48,   97,   KEY_FAMILY_EC,        0,    {"P-384"}},
    {"secp256k1",         32,   32,   65,   KEY_FAMILY_EC,        0,    {"K-256", "P-256K"}},
    {"ed25519",           32,   32,   32,   KEY_FAMILY_ED25519,   0,    {NULL}},
    {"x25519",            32,   32,   32,   KEY_FAMILY_X25519,    0,    {NULL}},
    {"rsa-2048",          1000, 1300, 290,  KEY_FAMILY_RSA,       2048, {"RSA2048"}},
    {"rsa-3072",          1500, 1900, 420,  KEY_FAMILY_RSA,       3072, {"RSA3072"}},
    {"rsa-4096",          2000, 2400, 540,  KEY_FAMILY_RSA,       4096, {"RSA4096"}},
    {"aes-128-gcm",       16,   16,   0,    KEY_FAMILY_SYMMETRIC, 0,    {"AES128", "AES_128", "A128GCM"}},
    {"aes-256-gcm",       32,   32,   0,    KEY_FAMILY_SYMMETRIC, 0,    {"AES256", "AES_256", "A256GCM"}},
    {"chacha20-poly1305", 32,   32,   0,    KEY_FAMILY_SYMMETRIC, 0,    {NULL}},
    {"hmac-sha256",       32,   128,  0,    KEY_FAMILY_SYMMETRIC, 0,    {"HS256"}},
    {"ml-dsa-65",         32,   32,   1952, KEY_FAMILY_ML_DSA,    0,    {"MLDSA65"}},
    {"ml-kem-768",        64,   64,   1184, KEY_FAMILY_ML_KEM,    0,    {"MLKEM768"}},
};
/* clang-format on */
_Static_assert(COUNT_OF(types) == KEY_TYPE_COUNT, "one row for each type");

const struct key_type_info *key_type_info(enum key_type type)
{
    assert(type < KEY_TYPE_COUNT);
    return &types[type];
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

bool key_name_equal(struct span text, const char *name)
{
    if (!name || text.size != strlen(name))
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (lower(text.data[i]) != lower((uint8_t)name[i]))
            return false;
    return true;
}

enum err key_type_find(struct span name, enum key_type *out)
{
    for (size_t i = 0; i < KEY_TYPE_COUNT; i++) {
        bool found = key_name_equal(name, types[i].name);

        for (size_t j = 0; j < COUNT_OF(types[i].aliases); j++)
            found = found || key_name_equal(name, types[i].aliases[j]);
        if (found) {
            *out = (enum key_type)i;
            return ERR_NONE;
        }
    }
    return ERR_NOT_FOUND;
}
