/* PKCS#8 and SEC1: what is written reads back, and nothing near it does. */
#include "unit/keys/keys.h"

#include "keys/identifier.h"

static bool is_expensive(enum key_type type)
{
    return key_type_info(type)->family == KEY_FAMILY_RSA;
}

static void keys_read_back_from_pkcs8(void **state)
{
    (void)state;
    for (unsigned t = 0; t < KEY_TYPE_COUNT; t++) {
        struct key_material *key = some_key((enum key_type)t);
        struct key_material *back = NULL;
        struct secret *der = NULL;
        enum err e = private_form_write(key, &der);

        if (key_type_info((enum key_type)t)->family == KEY_FAMILY_SYMMETRIC) {
            assert_int_equal(e, ERR_UNSUPPORTED);
        } else {
            assert_int_equal(e, ERR_NONE);
            assert_int_equal(private_form_pkcs8(secret_span(der), &back), ERR_NONE);
            assert_int_equal(back->type, t);
            assert_true(span_equal(secret_span(key->secret), secret_span(back->secret)));
            assert_true(span_equal(key_public(key), key_public(back)));
        }
        key_material_free(&back);
        secret_free(&der);
        key_material_free(&key);
    }
}

static void every_prefix_and_every_longer_text_is_refused(void **state)
{
    (void)state;
    for (unsigned t = 0; t < KEY_TYPE_COUNT; t++) {
        struct key_material *key = NULL;
        struct key_material *none = NULL;
        struct secret *der = NULL;
        struct buffer longer = {0};

        if (identifier_of((enum key_type)t).size == 0 || t == KEY_RSA_3072)
            continue;
        key = some_key((enum key_type)t);
        assert_int_equal(private_form_write(key, &der), ERR_NONE);
        for (size_t size = 0; size < secret_size(der); size++)
            assert_int_equal(private_form_pkcs8(span_of(secret_data(der), size), &none),
                             ERR_MALFORMED);
        assert_int_equal(buffer_append(&longer, secret_span(der)), ERR_NONE);
        assert_int_equal(buffer_append(&longer, SPAN_LITERAL("\0")), ERR_NONE);
        assert_int_equal(private_form_pkcs8(buffer_span(&longer), &none), ERR_MALFORMED);
        assert_null(none);
        buffer_clear(&longer);
        secret_free(&der);
        key_material_free(&key);
    }
}

/* A changed byte gives an error, or another key: of Curve25519 and ML any bytes are a key. */
static void no_changed_byte_gives_the_same_key(void **state)
{
    (void)state;
    for (unsigned t = 0; t < KEY_TYPE_COUNT; t++) {
        struct key_material *key = NULL;
        struct secret *der = NULL;

        if (identifier_of((enum key_type)t).size == 0 || is_expensive((enum key_type)t))
            continue;
        key = some_key((enum key_type)t);
        assert_int_equal(private_form_write(key, &der), ERR_NONE);
        for (size_t at = 0; at < secret_size(der); at++) {
            struct key_material *other = NULL;

            secret_data(der)[at] ^= 1;
            if (private_form_pkcs8(secret_span(der), &other) == ERR_NONE)
                assert_false(other->type == key->type &&
                             span_equal(secret_span(other->secret), secret_span(key->secret)));
            secret_data(der)[at] ^= 1;
            key_material_free(&other);
        }
        secret_free(&der);
        key_material_free(&key);
    }
}

/*
 * RFC 8410 section 10.3 (Ed25519, versions 1 and 2; its seed is that of RFC 8032's draft),
 * Wycheproof's mldsa_65_sign_seed_test.json and mlkem_768_keygen_seed_test.json, and the P-256 key
 * of RFC 6979 appendix A.2.5 in the forms that `openssl genpkey` and `openssl ecparam -genkey`
 * write.
 */
#define RFC_8410_SEED "d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842"
#define RFC_8410_PUBLIC "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
#define ED25519_HEAD "020100300506032b657004220420"
#define P256_SCALAR "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
#define P256_POINT                                                                                 \
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"                           \
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define P256_OTHER                                                                                 \
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"                           \
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
#define P256_ID "301306072a8648ce3d020106082a8648ce3d030107"
#define P256_SMALL_SEC1 "30250201010420" P256_SCALAR
#define P256_FULL_SEC1 "306b0201010420" P256_SCALAR "a144034200" P256_POINT
#define ML_DSA_SEED "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a"
#define ML_DSA_ID "300b0609608648016503040312"
#define ML_KEM_SEED                                                                                \
    "7c9935a0b07694aa0c6d10e4db6b1add2fd81a25ccb148032dcd739936737f2d"                             \
    "8626ed79d451140800e03b59b956f8210e556067407d13dc90fa9e8b872bfb8f"

static const struct {
    const char *hex;
    enum err e;
    enum key_type type;
} published[] = {
    {"302e" ED25519_HEAD RFC_8410_SEED,                                                ERR_NONE,        KEY_ED25519   },
    {"3051020101300506032b657004220420" RFC_8410_SEED "812100" RFC_8410_PUBLIC,        ERR_NONE,
     KEY_ED25519                                                                                                      },
    {"3041020100" P256_ID "0427" P256_SMALL_SEC1,                                      ERR_NONE,        KEY_SECP256R1 },
    {"308187020100" P256_ID "046d" P256_FULL_SEC1,                                     ERR_NONE,        KEY_SECP256R1 },
    {"3034020100" ML_DSA_ID "04228020" ML_DSA_SEED,                                    ERR_NONE,        KEY_ML_DSA_65 },
    {"3054020100300b060960864801650304040204428040" ML_KEM_SEED,                       ERR_NONE,        KEY_ML_KEM_768},
 /* a public key of version 2 in a key of version 1 */
    {"3051020100300506032b657004220420" RFC_8410_SEED "812100" RFC_8410_PUBLIC,        ERR_MALFORMED,   0             },
 /* version 2 without a public key */
    {"302e020101300506032b657004220420" RFC_8410_SEED,                                 ERR_MALFORMED,   0             },
 /* another public key */
    {"3051020101300506032b657004220420" ML_DSA_SEED "812100" RFC_8410_PUBLIC,          ERR_CRYPTO,      0             },
    {"308187020100" P256_ID "046d306b0201010420" P256_SCALAR "a144034200" P256_OTHER,  ERR_CRYPTO,
     0                                                                                                                },
 /* version 2 of PKCS#8, and version 2 of ECPrivateKey */
    {"302e020102300506032b657004220420" RFC_8410_SEED,                                 ERR_MALFORMED,   0             },
    {"3041020100" P256_ID "042730250201020420" P256_SCALAR,                            ERR_MALFORMED,   0             },
 /* a seed without its OCTET STRING, and of another size */
    {"302c020100300506032b65700420" RFC_8410_SEED,                                     ERR_MALFORMED,   0             },
    {"302d020100300506032b65700421041f00" RFC_8410_SEED,                               ERR_MALFORMED,   0             },
 /* Ed448, a curve without a name, RSA without NULL, DSA */
    {"302e020100300506032b657104220420" RFC_8410_SEED,                                 ERR_UNSUPPORTED, 0             },
    {"3037020100300906072a8648ce3d02010427" P256_SMALL_SEC1,                           ERR_UNSUPPORTED, 0             },
    {"3041020100300b06092a864886f70d0101010427" P256_SMALL_SEC1,                       ERR_MALFORMED,   0             },
 /* parameters inside that name another curve (P-384), and the same one */
    {"304a020100" P256_ID "0430302e0201010420" P256_SCALAR "a00706052b81040022",       ERR_UNSUPPORTED,
     0                                                                                                                },
    {"304d020100" P256_ID "043330310201010420" P256_SCALAR "a00a06082a8648ce3d030107", ERR_NONE,
     KEY_SECP256R1                                                                                                    },
 /* ML-DSA: an expanded key, a SEQUENCE of both, another tag, another size */
    {"3034020100" ML_DSA_ID "04220420" ML_DSA_SEED,                                    ERR_UNSUPPORTED, 0             },
    {"3034020100" ML_DSA_ID "04223020" ML_DSA_SEED,                                    ERR_UNSUPPORTED, 0             },
    {"3034020100" ML_DSA_ID "04228120" ML_DSA_SEED,                                    ERR_MALFORMED,   0             },
    {"3033020100" ML_DSA_ID "0421801f"
     "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a",            ERR_MALFORMED,   0             },
 /* attributes */
    {"3030020100300506032b657004220420" RFC_8410_SEED "a000",                          ERR_MALFORMED,   0             },
};

static void published_keys_read_as_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(published); i++) {
        uint8_t bytes[256];
        size_t size = strlen(published[i].hex) / 2;
        struct key_material *key = NULL;

        hex_bytes(published[i].hex, bytes, size);
        if (private_form_pkcs8(span_of(bytes, size), &key) != published[i].e)
            fail_msg("key %zu: %s", i, published[i].hex);
        if (key)
            assert_int_equal(key->type, published[i].type);
        key_material_free(&key);
    }
}

static void sec1_reads_keys_of_its_curve_only(void **state)
{
    static const struct {
        enum key_type type;
        const char *hex;
        enum err e;
    } cases[] = {
        {KEY_SECP256R1, P256_SMALL_SEC1,                                               ERR_NONE       },
        {KEY_SECP256R1, P256_FULL_SEC1,                                                ERR_NONE       },
        {KEY_SECP256R1,
         "30770201010420" P256_SCALAR "a00a06082a8648ce3d030107a144034200" P256_POINT, ERR_NONE       },
        {KEY_SECP256K1, P256_SMALL_SEC1,                                               ERR_NONE       }, /* no curve inside: the request says which */
        {KEY_SECP256K1, P256_FULL_SEC1,                                                ERR_CRYPTO     },
        {KEY_SECP256K1, "30310201010420" P256_SCALAR "a00a06082a8648ce3d030107",       ERR_UNSUPPORTED},
        {KEY_SECP384R1, P256_SMALL_SEC1,                                               ERR_MALFORMED  },
        {KEY_ED25519,   P256_SMALL_SEC1,                                               ERR_UNSUPPORTED},
        {KEY_RSA_2048,  P256_SMALL_SEC1,                                               ERR_UNSUPPORTED},
        {KEY_SECP256R1, "",                                                            ERR_MALFORMED  },
        {KEY_SECP256R1, "3000",                                                        ERR_MALFORMED  },
        {KEY_SECP256R1, "3026020101042100" P256_SCALAR,                                ERR_MALFORMED  }, /* a zero in front */
        {KEY_SECP256R1, "302a0201010420" P256_SCALAR "a103030100",                     ERR_MALFORMED  }, /* no point */
        {KEY_SECP256R1, "30290201010420" P256_SCALAR "a1020300",                       ERR_MALFORMED  },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t bytes[256];
        size_t size = strlen(cases[i].hex) / 2;
        struct key_material *key = NULL;

        hex_bytes(cases[i].hex, bytes, size);
        if (private_form_sec1(cases[i].type, span_of(bytes, size), &key) != cases[i].e)
            fail_msg("key %zu: %s", i, cases[i].hex);
        key_material_free(&key);
    }
}

static void large_input_and_public_keys_are_refused(void **state)
{
    static uint8_t bytes[PRIVATE_FORM_MAX + 1] = {0x30};
    struct key_material *key = some_key(KEY_ED25519);
    struct key_material *public_key = public_of(key);
    struct key_material *none = NULL;
    struct secret *der = NULL;

    (void)state;
    assert_int_equal(private_form_pkcs8(SPAN_OF(bytes), &none), ERR_TOO_LARGE);
    assert_int_equal(private_form_sec1(KEY_SECP256R1, SPAN_OF(bytes), &none), ERR_TOO_LARGE);
    assert_int_equal(private_form_write(public_key, &der), ERR_UNSUPPORTED);
    assert_null(der);
    key_material_free(&public_key);
    key_material_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_read_back_from_pkcs8),
        cmocka_unit_test(every_prefix_and_every_longer_text_is_refused),
        cmocka_unit_test(no_changed_byte_gives_the_same_key),
        cmocka_unit_test(published_keys_read_as_published),
        cmocka_unit_test(sec1_reads_keys_of_its_curve_only),
        cmocka_unit_test(large_input_and_public_keys_are_refused),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
