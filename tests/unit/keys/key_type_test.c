#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "keys/algorithm.h"

/* Section 5.4 of the configuration's key types, and the names of other APIs. */
static void types_have_their_names(void **state)
{
    static const struct {
        const char *name;
        enum key_type type;
    } cases[] = {
        {"secp256r1",         KEY_SECP256R1        },
        {"P-256",             KEY_SECP256R1        },
        {"p-256",             KEY_SECP256R1        },
        {"EC_SECP256R1",      KEY_SECP256R1        },
        {"secp384r1",         KEY_SECP384R1        },
        {"P-384",             KEY_SECP384R1        },
        {"secp256k1",         KEY_SECP256K1        },
        {"K-256",             KEY_SECP256K1        },
        {"ed25519",           KEY_ED25519          },
        {"Ed25519",           KEY_ED25519          },
        {"x25519",            KEY_X25519           },
        {"rsa-2048",          KEY_RSA_2048         },
        {"rsa-3072",          KEY_RSA_3072         },
        {"rsa-4096",          KEY_RSA_4096         },
        {"aes-128-gcm",       KEY_AES_128_GCM      },
        {"AES_256",           KEY_AES_256_GCM      },
        {"aes-256-gcm",       KEY_AES_256_GCM      },
        {"ChaCha20-Poly1305", KEY_CHACHA20_POLY1305},
        {"hmac-sha256",       KEY_HMAC_SHA256      },
        {"ml-dsa-65",         KEY_ML_DSA_65        },
        {"ml-kem-768",        KEY_ML_KEM_768       },
    };
    static const char *const unknown[] = {"",      "secp256",  "secp256r1 ", "rsa",    "rsa-1024",
                                          "P-521", "rsa-2047", "ed448",      "aes-128"};
    enum key_type type;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(key_type_find(span_string(cases[i].name), &type), ERR_NONE);
        assert_int_equal(type, cases[i].type);
    }
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        assert_int_equal(key_type_find(span_string(unknown[i]), &type), ERR_NOT_FOUND);
}

static void every_name_finds_its_own_type_only(void **state)
{
    (void)state;
    for (unsigned t = 0; t < KEY_TYPE_COUNT; t++) {
        const struct key_type_info *info = key_type_info((enum key_type)t);
        enum key_type found;

        assert_int_equal(key_type_find(span_string(info->name), &found), ERR_NONE);
        assert_int_equal(found, t);
        for (size_t i = 0; i < COUNT_OF(info->aliases) && info->aliases[i]; i++) {
            assert_int_equal(key_type_find(span_string(info->aliases[i]), &found), ERR_NONE);
            assert_int_equal(found, t);
        }
        assert_true(info->private_min > 0 && info->private_min <= info->private_max);
        assert_true(info->public_max <= KEY_PUBLIC_MAX);
        assert_int_equal(info->public_max == 0, info->family == KEY_FAMILY_SYMMETRIC);
        assert_int_equal(info->bits > 0, info->family == KEY_FAMILY_RSA);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_their_names),
        cmocka_unit_test(every_name_finds_its_own_type_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
