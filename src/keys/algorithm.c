#include "keys/algorithm.h"

#include <assert.h>

enum {
    TYPE_P256 = KEY_TYPE_BIT(KEY_SECP256R1),
    TYPE_P384 = KEY_TYPE_BIT(KEY_SECP384R1),
    TYPE_K256 = KEY_TYPE_BIT(KEY_SECP256K1),
    TYPE_ED25519 = KEY_TYPE_BIT(KEY_ED25519),
    TYPE_ML_DSA = KEY_TYPE_BIT(KEY_ML_DSA_65),
    TYPE_ML_KEM = KEY_TYPE_BIT(KEY_ML_KEM_768),
    TYPE_CHACHA = KEY_TYPE_BIT(KEY_CHACHA20_POLY1305),
    TYPE_HMAC = KEY_TYPE_BIT(KEY_HMAC_SHA256),
    TYPES_RSA =
        KEY_TYPE_BIT(KEY_RSA_2048) | KEY_TYPE_BIT(KEY_RSA_3072) | KEY_TYPE_BIT(KEY_RSA_4096),
    TYPES_ECDH = TYPE_P256 | TYPE_P384 | TYPE_K256 | KEY_TYPE_BIT(KEY_X25519),
    TYPES_AES = KEY_TYPE_BIT(KEY_AES_128_GCM) | KEY_TYPE_BIT(KEY_AES_256_GCM),

    SIGNS = KEY_SIGN | KEY_VERIFY,
    ENCRYPTS = KEY_ENCRYPT | KEY_DECRYPT,
    WRAPS = KEY_WRAP | KEY_UNWRAP,
    MACS = KEY_MAC | KEY_VERIFY_MAC,
    ENCAPSULATES = KEY_ENCAPSULATE | KEY_DECAPSULATE,
};

/*
 * In the order of enum algorithm. The first algorithm of a type is its default. The
 * formatter would break each row into four lines.
 */
/* clang-format off */
static const struct algorithm_info algorithms[] = {
    {"ecdsa-p256-sha256",         TYPE_P256,    SIGNS,            DIGEST_SHA256, DIGEST_NONE,   true,  true,  0,             {"ES256", "ECDSA"}},
    {"ecdsa-p384-sha384",         TYPE_P384,    SIGNS,            DIGEST_SHA384, DIGEST_NONE,   true,  true,  0,             {"ES384", "ECDSA"}},
    {"ecdsa-secp256k1-sha256",    TYPE_K256,    SIGNS,            DIGEST_SHA256, DIGEST_NONE,   true,  true,  0,             {"ES256K", "ECDSA"}},
    {"eddsa",                     TYPE_ED25519, SIGNS,            DIGEST_NONE,   DIGEST_NONE,   false, false, 0,             {"Ed25519"}},
    {"ml-dsa-65",                 TYPE_ML_DSA,  SIGNS,            DIGEST_NONE,   DIGEST_NONE,   false, false, 0,             {"ML-DSA"}},
    {"rsa-pss-sha256",            TYPES_RSA,    SIGNS,            DIGEST_SHA256, DIGEST_NONE,   true,  false, 0,             {"PS256", "RSA-PSS"}},
    {"rsa-pss-sha384",            TYPES_RSA,    SIGNS,            DIGEST_SHA384, DIGEST_NONE,   true,  false, 0,             {"PS384"}},
    {"rsa-pss-sha512",            TYPES_RSA,    SIGNS,            DIGEST_SHA512, DIGEST_NONE,   true,  false, 0,             {"PS512"}},
    {"rsa-pkcs1-sha256",          TYPES_RSA,    SIGNS,            DIGEST_SHA256, DIGEST_NONE,   true,  false, 0,             {"RS256", "RSA-PKCS1", "RSASSA-PKCS1-v1_5"}},
    {"rsa-pkcs1-sha384",          TYPES_RSA,    SIGNS,            DIGEST_SHA384, DIGEST_NONE,   true,  false, 0,             {"RS384"}},
    {"rsa-pkcs1-sha512",          TYPES_RSA,    SIGNS,            DIGEST_SHA512, DIGEST_NONE,   true,  false, 0,             {"RS512"}},
    {"rsa-oaep-sha256",           TYPES_RSA,    ENCRYPTS | WRAPS, DIGEST_SHA256, DIGEST_SHA256, false, false, 0,             {"RSA-OAEP-256", "RSA-OAEP"}},
    {"rsa-oaep-sha256-mgf1-sha1", TYPES_RSA,    ENCRYPTS | WRAPS, DIGEST_SHA256, DIGEST_SHA1,   false, false, 0,             {NULL}},
    {"rsa-oaep-sha384",           TYPES_RSA,    ENCRYPTS | WRAPS, DIGEST_SHA384, DIGEST_SHA384, false, false, 0,             {NULL}},
    {"rsa-oaep-sha512",           TYPES_RSA,    ENCRYPTS | WRAPS, DIGEST_SHA512, DIGEST_SHA512, false, false, 0,             {NULL}},
    {"rsa-oaep-sha1",             TYPES_RSA,    ENCRYPTS | WRAPS, DIGEST_SHA1,   DIGEST_SHA1,   false, false, 0,             {NULL}},
    {"ecdh-hkdf-sha256",          TYPES_ECDH,   KEY_DERIVE,       DIGEST_SHA256, DIGEST_NONE,   false, false, 0,             {"ECDH-HKDF"}},
    {"ecdh",                      TYPES_ECDH,   KEY_DERIVE,       DIGEST_NONE,   DIGEST_NONE,   false, false, 0,             {NULL}},
    {"ml-kem-768",                TYPE_ML_KEM,  ENCAPSULATES,     DIGEST_NONE,   DIGEST_NONE,   false, false, 0,             {"ML-KEM"}},
    {"aes-gcm",                   TYPES_AES,    ENCRYPTS,         DIGEST_NONE,   DIGEST_NONE,   false, false, KEY_SEALS_MAX, {NULL}},
    {"chacha20-poly1305",         TYPE_CHACHA,  ENCRYPTS,         DIGEST_NONE,   DIGEST_NONE,   false, false, KEY_SEALS_MAX, {NULL}},
    {"aes-kw",                    TYPES_AES,    WRAPS,            DIGEST_NONE,   DIGEST_NONE,   false, false, 0,             {NULL}},
    {"aes-kwp",                   TYPES_AES,    WRAPS,            DIGEST_NONE,   DIGEST_NONE,   false, false, 0,             {NULL}},
    {"hmac-sha256",               TYPE_HMAC,    MACS,             DIGEST_SHA256, DIGEST_NONE,   false, false, 0,             {"HS256", "HMAC"}},
    {"hkdf-sha256",               TYPE_HMAC,    KEY_DERIVE,       DIGEST_SHA256, DIGEST_NONE,   false, false, 0,             {"HKDF"}},
    {"pbkdf2-sha256",             TYPE_HMAC,    KEY_DERIVE,       DIGEST_SHA256, DIGEST_NONE,   false, false, 0,             {"PBKDF2"}},
    {"pbkdf2-sha512",             TYPE_HMAC,    KEY_DERIVE,       DIGEST_SHA512, DIGEST_NONE,   false, false, 0,             {NULL}},
};
/* clang-format on */
_Static_assert(COUNT_OF(algorithms) == ALGORITHM_COUNT, "one row for each algorithm");

static const char *const operation_names[KEY_OPERATION_COUNT] = {
    "sign",   "verify", "encrypt",    "decrypt",     "wrap",        "unwrap",
    "derive", "mac",    "verify-mac", "encapsulate", "decapsulate",
};

const char *key_operation_name(enum key_operation operation)
{
    size_t i = 0;

    while (i < KEY_OPERATION_COUNT && (unsigned)operation != 1u << i)
        i++;
    assert(i < KEY_OPERATION_COUNT);
    return operation_names[i];
}

enum err key_operation_find(struct span name, enum key_operation *out)
{
    for (size_t i = 0; i < KEY_OPERATION_COUNT; i++)
        if (key_name_equal(name, operation_names[i])) {
            *out = (enum key_operation)(1u << i);
            return ERR_NONE;
        }
    return ERR_NOT_FOUND;
}

const struct algorithm_info *algorithm_info(enum algorithm a)
{
    assert(a < ALGORITHM_COUNT);
    return &algorithms[a];
}

static bool type_has(enum key_type type, enum algorithm a)
{
    return (algorithms[a].types & KEY_TYPE_BIT(type)) != 0;
}

enum algorithm algorithm_default(enum key_type type)
{
    unsigned a = 0;

    while (a < ALGORITHM_COUNT && !type_has(type, (enum algorithm)a))
        a++;
    assert(a < ALGORITHM_COUNT); /* every type has one: algorithm_test checks */
    return (enum algorithm)a;
}

unsigned algorithm_operations(enum key_type type)
{
    unsigned operations = 0;

    for (unsigned a = 0; a < ALGORITHM_COUNT; a++)
        if (type_has(type, (enum algorithm)a))
            operations |= algorithms[a].operations;
    return operations;
}

static bool has_name(const struct algorithm_info *info, struct span name)
{
    bool found = key_name_equal(name, info->name);

    for (size_t i = 0; i < COUNT_OF(info->aliases); i++)
        found = found || key_name_equal(name, info->aliases[i]);
    return found;
}

enum err algorithm_find(struct span name, enum key_type type, enum algorithm *out)
{
    enum err e = ERR_NOT_FOUND;

    for (unsigned a = 0; a < ALGORITHM_COUNT; a++) {
        if (!has_name(&algorithms[a], name))
            continue;
        if (type_has(type, (enum algorithm)a)) {
            *out = (enum algorithm)a;
            return ERR_NONE;
        }
        e = ERR_UNSUPPORTED;
    }
    return e;
}

static const struct {
    const char *code, *text;
} misfits[MISFIT_COUNT] = {
    [MISFIT_NONE] = {"ok",                    "the request fits the key"                          },
    [MISFIT_TYPE] = {"algorithm_not_of_type", "keys of this type cannot have this algorithm"      },
    [MISFIT_ALGORITHM] =
        {"algorithm_mismatch",
                     "the request names another algorithm than the one that is fixed with the key"},
    [MISFIT_OPERATION] = {"operation_mismatch",    "the key's algorithm does not do this operation"    },
    [MISFIT_DIGEST] = {"digest_not_accepted",   "the key's algorithm signs messages, not digests"   },
    [MISFIT_DIGEST_SIZE] = {"digest_size",
                     "the digest does not have the size of the hash of the key's algorithm"       },
    [MISFIT_ENCODING] = {"encoding_mismatch",
                     "signatures of the key's algorithm have no DER encoding"                     },
    [MISFIT_DETERMINISTIC] = {"not_deterministic",
                     "the key's algorithm cannot be made deterministic on request"                },
    [MISFIT_NONCE] = {"nonce_not_accepted",    "the keystore makes the nonces of this key"         },
    [MISFIT_NONCE_MISSING] =
        {"nonce_missing",
                     "this key was imported for nonces from the caller, and the request has none" },
    [MISFIT_LOW_S] = {"low_s_mismatch",        "only signatures of ECDSA have a low s"             },
};

const char *misfit_code(enum misfit m)
{
    return misfits[m].code;
}

const char *misfit_text(enum misfit m)
{
    return misfits[m].text;
}

static enum misfit digest_misfit(const struct algorithm_info *info,
                                 const struct algorithm_request *request)
{
    if (!request->digest_given)
        return MISFIT_NONE;
    if (!info->takes_digest || !(request->operation & SIGNS))
        return MISFIT_DIGEST;
    return request->digest_size == digest_size(info->digest) ? MISFIT_NONE : MISFIT_DIGEST_SIZE;
}

/* AEADs are the algorithms with a limit of uses. Decryption finds the nonce in the ciphertext,
 * unless the caller made it. */
static enum misfit nonce_misfit(const struct key_spec *key, const struct algorithm_info *info,
                                const struct algorithm_request *request)
{
    bool wanted = key->caller_nonce && info->uses_max > 0;

    if (request->nonce_given == wanted)
        return MISFIT_NONE;
    return wanted ? MISFIT_NONCE_MISSING : MISFIT_NONCE;
}

enum misfit algorithm_misfit(const struct key_spec *key, const struct algorithm_request *request)
{
    const struct algorithm_info *info = algorithm_info(key->algorithm);
    enum misfit m;

    if (!type_has(key->type, key->algorithm))
        return MISFIT_TYPE;
    if (request->algorithm && *request->algorithm != key->algorithm)
        return MISFIT_ALGORITHM;
    if (!(info->operations & (unsigned)request->operation))
        return MISFIT_OPERATION;
    if ((m = digest_misfit(info, request)) != MISFIT_NONE)
        return m;
    if (request->der && !info->has_der)
        return MISFIT_ENCODING;
    if (request->deterministic && !info->has_der)
        return MISFIT_DETERMINISTIC;
    if (request->low_s_only && !info->has_der)
        return MISFIT_LOW_S;
    return nonce_misfit(key, info, request);
}
