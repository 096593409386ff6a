/* Which algorithm a key of each type can have, written a second time; and every misfit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "keys/algorithm.h"

#define ECDSA "sign verify"
#define OAEP "encrypt decrypt wrap unwrap"
#define RSA "rsa-2048 rsa-3072 rsa-4096"
#define ECDH "secp256r1 secp384r1 secp256k1 x25519"
#define AES "aes-128-gcm aes-256-gcm"

static const struct {
    enum algorithm algorithm;
    const char *name, *types, *operations;
} expected[] = {
    {ALGORITHM_ECDSA_P256_SHA256,         "ecdsa-p256-sha256",         "secp256r1",         ECDSA                    },
    {ALGORITHM_ECDSA_P384_SHA384,         "ecdsa-p384-sha384",         "secp384r1",         ECDSA                    },
    {ALGORITHM_ECDSA_SECP256K1_SHA256,    "ecdsa-secp256k1-sha256",    "secp256k1",         ECDSA                    },
    {ALGORITHM_EDDSA,                     "eddsa",                     "ed25519",           ECDSA                    },
    {ALGORITHM_ML_DSA_65,                 "ml-dsa-65",                 "ml-dsa-65",         ECDSA                    },
    {ALGORITHM_RSA_PSS_SHA256,            "rsa-pss-sha256",            RSA,                 ECDSA                    },
    {ALGORITHM_RSA_PSS_SHA384,            "rsa-pss-sha384",            RSA,                 ECDSA                    },
    {ALGORITHM_RSA_PSS_SHA512,            "rsa-pss-sha512",            RSA,                 ECDSA                    },
    {ALGORITHM_RSA_PKCS1_SHA256,          "rsa-pkcs1-sha256",          RSA,                 ECDSA                    },
    {ALGORITHM_RSA_PKCS1_SHA384,          "rsa-pkcs1-sha384",          RSA,                 ECDSA                    },
    {ALGORITHM_RSA_PKCS1_SHA512,          "rsa-pkcs1-sha512",          RSA,                 ECDSA                    },
    {ALGORITHM_RSA_OAEP_SHA256,           "rsa-oaep-sha256",           RSA,                 OAEP                     },
    {ALGORITHM_RSA_OAEP_SHA256_MGF1_SHA1, "rsa-oaep-sha256-mgf1-sha1", RSA,                 OAEP                     },
    {ALGORITHM_RSA_OAEP_SHA384,           "rsa-oaep-sha384",           RSA,                 OAEP                     },
    {ALGORITHM_RSA_OAEP_SHA512,           "rsa-oaep-sha512",           RSA,                 OAEP                     },
    {ALGORITHM_RSA_OAEP_SHA1,             "rsa-oaep-sha1",             RSA,                 OAEP                     },
    {ALGORITHM_ECDH_HKDF_SHA256,          "ecdh-hkdf-sha256",          ECDH,                "derive"                 },
    {ALGORITHM_ECDH,                      "ecdh",                      ECDH,                "derive"                 },
    {ALGORITHM_ML_KEM_768,                "ml-kem-768",                "ml-kem-768",        "encapsulate decapsulate"},
    {ALGORITHM_AES_GCM,                   "aes-gcm",                   AES,                 "encrypt decrypt"        },
    {ALGORITHM_CHACHA20_POLY1305,         "chacha20-poly1305",         "chacha20-poly1305", "encrypt decrypt"        },
    {ALGORITHM_AES_KW,                    "aes-kw",                    AES,                 "wrap unwrap"            },
    {ALGORITHM_AES_KWP,                   "aes-kwp",                   AES,                 "wrap unwrap"            },
    {ALGORITHM_HMAC_SHA256,               "hmac-sha256",               "hmac-sha256",       "mac verify-mac"         },
    {ALGORITHM_HKDF_SHA256,               "hkdf-sha256",               "hmac-sha256",       "derive"                 },
    {ALGORITHM_PBKDF2_SHA256,             "pbkdf2-sha256",             "hmac-sha256",       "derive"                 },
    {ALGORITHM_PBKDF2_SHA512,             "pbkdf2-sha512",             "hmac-sha256",       "derive"                 },
};

/* Whether `word` is one of the words of `list`. */
static bool lists(const char *list, const char *word)
{
    size_t size = strlen(word);

    for (const char *at = strstr(list, word); at; at = strstr(at + 1, word))
        if ((at == list || at[-1] == ' ') && (at[size] == ' ' || at[size] == 0))
            return true;
    return false;
}

static void every_type_operation_and_algorithm(void **state)
{
    size_t cells = 0;

    (void)state;
    assert_int_equal(COUNT_OF(expected), ALGORITHM_COUNT);
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_int_equal(expected[i].algorithm, i);
        assert_string_equal(algorithm_info(expected[i].algorithm)->name, expected[i].name);
        for (unsigned t = 0; t < KEY_TYPE_COUNT; t++)
            for (unsigned o = 0; o < KEY_OPERATION_COUNT; o++) {
                const struct key_spec key = {(enum key_type)t, expected[i].algorithm, false};
                const struct algorithm_request request = {.operation =
                                                              (enum key_operation)(1u << o)};
                enum misfit m = algorithm_misfit(&key, &request);
                bool has_type = lists(expected[i].types, key_type_info((enum key_type)t)->name);
                bool does = lists(expected[i].operations, key_operation_name(request.operation));

                if (!has_type)
                    assert_int_equal(m, MISFIT_TYPE);
                else
                    assert_int_equal(m, does ? MISFIT_NONE : MISFIT_OPERATION);
                cells++;
            }
    }
    assert_int_equal(cells, 27 * 14 * 11);
}

static void every_type_has_a_default_that_fits(void **state)
{
    (void)state;
    for (unsigned t = 0; t < KEY_TYPE_COUNT; t++) {
        const struct algorithm_info *info = algorithm_info(algorithm_default((enum key_type)t));

        assert_true(info->types & KEY_TYPE_BIT(t));
        assert_true(algorithm_operations((enum key_type)t) & info->operations);
    }
    assert_int_equal(algorithm_default(KEY_RSA_2048), ALGORITHM_RSA_PSS_SHA256);
    assert_int_equal(algorithm_default(KEY_AES_128_GCM), ALGORITHM_AES_GCM);
    assert_int_equal(algorithm_default(KEY_HMAC_SHA256), ALGORITHM_HMAC_SHA256);
    assert_int_equal(algorithm_default(KEY_X25519), ALGORITHM_ECDH_HKDF_SHA256);
}

static void names_mean_an_algorithm_of_the_type(void **state)
{
    static const struct {
        const char *name;
        enum key_type type;
        enum err e;
        enum algorithm algorithm;
    } cases[] = {
        {"ECDSA",             KEY_SECP256R1,   ERR_NONE,        ALGORITHM_ECDSA_P256_SHA256     },
        {"ECDSA",             KEY_SECP384R1,   ERR_NONE,        ALGORITHM_ECDSA_P384_SHA384     },
        {"ECDSA",             KEY_SECP256K1,   ERR_NONE,        ALGORITHM_ECDSA_SECP256K1_SHA256},
        {"ES256",             KEY_SECP256R1,   ERR_NONE,        ALGORITHM_ECDSA_P256_SHA256     },
        {"EdDSA",             KEY_ED25519,     ERR_NONE,        ALGORITHM_EDDSA                 },
        {"RSA-PSS",           KEY_RSA_2048,    ERR_NONE,        ALGORITHM_RSA_PSS_SHA256        },
        {"PS512",             KEY_RSA_4096,    ERR_NONE,        ALGORITHM_RSA_PSS_SHA512        },
        {"RSA-PKCS1",         KEY_RSA_3072,    ERR_NONE,        ALGORITHM_RSA_PKCS1_SHA256      },
        {"RSASSA-PKCS1-v1_5", KEY_RSA_2048,    ERR_NONE,        ALGORITHM_RSA_PKCS1_SHA256      },
        {"RSA-OAEP",          KEY_RSA_2048,    ERR_NONE,        ALGORITHM_RSA_OAEP_SHA256       },
        {"AES-GCM",           KEY_AES_256_GCM, ERR_NONE,        ALGORITHM_AES_GCM               },
        {"HKDF",              KEY_HMAC_SHA256, ERR_NONE,        ALGORITHM_HKDF_SHA256           },
        {"PBKDF2",            KEY_HMAC_SHA256, ERR_NONE,        ALGORITHM_PBKDF2_SHA256         },
        {"AES-KW",            KEY_AES_128_GCM, ERR_NONE,        ALGORITHM_AES_KW                },
        {"ES256",             KEY_SECP256K1,   ERR_UNSUPPORTED, ALGORITHM_COUNT                 },
        {"ES256K",            KEY_SECP256R1,   ERR_UNSUPPORTED, ALGORITHM_COUNT                 },
        {"ECDSA",             KEY_ED25519,     ERR_UNSUPPORTED, ALGORITHM_COUNT                 },
        {"HS256",             KEY_RSA_2048,    ERR_UNSUPPORTED, ALGORITHM_COUNT                 },
        {"RS256",             KEY_HMAC_SHA256, ERR_UNSUPPORTED, ALGORITHM_COUNT                 },
        {"none",              KEY_SECP256R1,   ERR_NOT_FOUND,   ALGORITHM_COUNT                 },
        {"",                  KEY_SECP256R1,   ERR_NOT_FOUND,   ALGORITHM_COUNT                 },
        {"ECDSA ",            KEY_SECP256R1,   ERR_NOT_FOUND,   ALGORITHM_COUNT                 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum algorithm found = ALGORITHM_COUNT;

        assert_int_equal(algorithm_find(span_string(cases[i].name), cases[i].type, &found),
                         cases[i].e);
        assert_int_equal(found, cases[i].algorithm);
    }
}

static const enum algorithm es256 = ALGORITHM_ECDSA_P256_SHA256;
static const enum algorithm eddsa = ALGORITHM_EDDSA;

static void what_does_not_fit_has_a_reason_of_its_own(void **state)
{
    static const struct key_spec p256 = {KEY_SECP256R1, ALGORITHM_ECDSA_P256_SHA256, false};
    static const struct key_spec ed25519 = {KEY_ED25519, ALGORITHM_EDDSA, false};
    static const struct key_spec rsa = {KEY_RSA_2048, ALGORITHM_RSA_PSS_SHA384, false};
    static const struct key_spec aes = {KEY_AES_128_GCM, ALGORITHM_AES_GCM, false};
    static const struct key_spec legacy = {KEY_AES_128_GCM, ALGORITHM_AES_GCM, true};
    static const struct key_spec legacy_kw = {KEY_AES_128_GCM, ALGORITHM_AES_KW, true};
    static const struct {
        const struct key_spec *key;
        struct algorithm_request request;
        enum misfit misfit;
    } cases[] = {
        {&p256,      {.operation = KEY_SIGN, .algorithm = &es256},                        MISFIT_NONE         },
        {&p256,      {.operation = KEY_SIGN, .algorithm = &eddsa},                        MISFIT_ALGORITHM    },
        {&ed25519,   {.operation = KEY_SIGN, .algorithm = &es256},                        MISFIT_ALGORITHM    },
        {&p256,      {.operation = KEY_SIGN, .digest_given = true, .digest_size = 32},    MISFIT_NONE         },
        {&p256,
         {.operation = KEY_SIGN, .digest_given = true, .digest_size = 31},
         MISFIT_DIGEST_SIZE                                                                                   },
        {&p256,
         {.operation = KEY_VERIFY, .digest_given = true, .digest_size = 48},
         MISFIT_DIGEST_SIZE                                                                                   },
        {&rsa,       {.operation = KEY_SIGN, .digest_given = true, .digest_size = 48},    MISFIT_NONE         },
        {&rsa,
         {.operation = KEY_SIGN, .digest_given = true, .digest_size = 32},
         MISFIT_DIGEST_SIZE                                                                                   },
        {&ed25519,   {.operation = KEY_SIGN, .digest_given = true, .digest_size = 32},    MISFIT_DIGEST       },
        {&aes,       {.operation = KEY_ENCRYPT, .digest_given = true, .digest_size = 32}, MISFIT_DIGEST       },
        {&p256,      {.operation = KEY_SIGN, .der = true},                                MISFIT_NONE         },
        {&rsa,       {.operation = KEY_SIGN, .der = true},                                MISFIT_ENCODING     },
        {&ed25519,   {.operation = KEY_SIGN, .der = true},                                MISFIT_ENCODING     },
        {&p256,      {.operation = KEY_SIGN, .deterministic = true},                      MISFIT_NONE         },
        {&rsa,       {.operation = KEY_SIGN, .deterministic = true},                      MISFIT_DETERMINISTIC},
        {&ed25519,   {.operation = KEY_SIGN, .deterministic = true},                      MISFIT_DETERMINISTIC},
        {&ed25519,   {.operation = KEY_VERIFY, .low_s_only = true},                       MISFIT_LOW_S        },
        {&aes,       {.operation = KEY_ENCRYPT, .nonce_given = true},                     MISFIT_NONCE        },
        {&aes,       {.operation = KEY_DECRYPT, .nonce_given = true},                     MISFIT_NONCE        },
        {&rsa,       {.operation = KEY_SIGN, .nonce_given = true},                        MISFIT_NONCE        },
        {&legacy,    {.operation = KEY_ENCRYPT},                                          MISFIT_NONCE_MISSING},
        {&legacy,    {.operation = KEY_ENCRYPT, .nonce_given = true},                     MISFIT_NONE         },
        {&legacy_kw, {.operation = KEY_WRAP},                                             MISFIT_NONE         },
        {&legacy_kw, {.operation = KEY_WRAP, .nonce_given = true},                        MISFIT_NONCE        },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(algorithm_misfit(cases[i].key, &cases[i].request), cases[i].misfit);
}

static void misfits_have_codes_and_sentences(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MISFIT_COUNT; i++) {
        assert_true(strlen(misfit_code((enum misfit)i)) > 0);
        assert_true(strlen(misfit_text((enum misfit)i)) > 0);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(misfit_code((enum misfit)i), misfit_code((enum misfit)j));
    }
}

static void operations_have_names(void **state)
{
    enum key_operation found;

    (void)state;
    for (unsigned o = 0; o < KEY_OPERATION_COUNT; o++) {
        enum key_operation operation = (enum key_operation)(1u << o);

        assert_int_equal(key_operation_find(span_string(key_operation_name(operation)), &found),
                         ERR_NONE);
        assert_int_equal(found, operation);
    }
    assert_int_equal(key_operation_find(SPAN_LITERAL("signs"), &found), ERR_NOT_FOUND);
    assert_int_equal(key_operation_find(SPAN_LITERAL(""), &found), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_operation_and_algorithm),
        cmocka_unit_test(every_type_has_a_default_that_fits),
        cmocka_unit_test(names_mean_an_algorithm_of_the_type),
        cmocka_unit_test(what_does_not_fit_has_a_reason_of_its_own),
        cmocka_unit_test(misfits_have_codes_and_sentences),
        cmocka_unit_test(operations_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
