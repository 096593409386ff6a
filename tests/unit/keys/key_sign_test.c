/* Signatures of every type, against vectors and everything that does not fit. */
#include "unit/keys/keys.h"

#include "keys/key_sign.h"
#include "keys/public_form.h"

static const struct sign_options plain_options = {0};

static void every_signing_algorithm_signs_and_verifies(void **state)
{
    size_t count = 0;

    (void)state;
    for (unsigned t = 0; t < KEY_TYPE_COUNT; t++) {
        struct key_material *m = NULL;
        struct key_material *public_key = NULL;

        if (!(algorithm_operations((enum key_type)t) & KEY_SIGN) || t == KEY_RSA_3072)
            continue;
        m = some_key((enum key_type)t);
        public_key = public_of(m);
        for (unsigned a = 0; a < ALGORITHM_COUNT; a++) {
            const struct key_spec key = {(enum key_type)t, (enum algorithm)a, false};
            const struct algorithm_info *info = algorithm_info((enum algorithm)a);
            static uint8_t signature[KEY_SIGNATURE_MAX];
            size_t size = 0;
            const struct span text = SPAN_LITERAL("message");

            if (!(info->types & KEY_TYPE_BIT(t)) || !(info->operations & KEY_SIGN))
                continue;
            assert_int_equal(key_sign(&key, m, &plain_options, text, signature, &size), ERR_NONE);
            assert_int_equal(
                key_verify(&key, public_key, &plain_options, text, span_of(signature, size)),
                ERR_NONE);
            assert_int_equal(key_verify(&key, public_key, &plain_options, SPAN_LITERAL("massage"),
                                        span_of(signature, size)),
                             ERR_CRYPTO);
            assert_int_equal(
                key_verify(&key, public_key, &plain_options, text, span_of(signature, size - 1)),
                ERR_CRYPTO);
            assert_int_equal(key_verify(&key, public_key, &plain_options, text, (struct span){0}),
                             ERR_CRYPTO);
            signature[size / 2] ^= 0x10;
            assert_int_equal(
                key_verify(&key, public_key, &plain_options, text, span_of(signature, size)),
                ERR_CRYPTO);
            /* the public part cannot sign */
            assert_int_equal(key_sign(&key, public_key, &plain_options, text, signature, &size),
                             ERR_UNSUPPORTED);
            count++;
        }
        key_material_free(&public_key);
        key_material_free(&m);
    }
    assert_int_equal(count, 5 + 2 * 6);
}

static void digests_and_messages_give_one_signature(void **state)
{
    static const struct key_spec keys[] = {
        {KEY_SECP256R1, ALGORITHM_ECDSA_P256_SHA256,      false},
        {KEY_SECP384R1, ALGORITHM_ECDSA_P384_SHA384,      false},
        {KEY_SECP256K1, ALGORITHM_ECDSA_SECP256K1_SHA256, false},
        {KEY_RSA_2048,  ALGORITHM_RSA_PKCS1_SHA512,       false},
    };
    const struct span text = SPAN_LITERAL("message");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        enum digest d = algorithm_info(keys[i].algorithm)->digest;
        bool is_ec = key_type_info(keys[i].type)->family == KEY_FAMILY_EC;
        const struct sign_options of_message = {.deterministic = is_ec};
        const struct sign_options of_digest = {.deterministic = is_ec, .digest_given = true};
        struct key_material *m = some_key(keys[i].type);
        uint8_t digest[DIGEST_MAX_SIZE];
        uint8_t signature[2][512];
        size_t size[2] = {0, 0};

        digest_of(d, text, digest);
        assert_int_equal(key_sign(&keys[i], m, &of_message, text, signature[0], &size[0]),
                         ERR_NONE);
        assert_int_equal(key_sign(&keys[i], m, &of_digest, span_of(digest, digest_size(d)),
                                  signature[1], &size[1]),
                         ERR_NONE);
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(signature[0], signature[1], size[0]);
        assert_int_equal(key_sign(&keys[i], m, &of_digest, span_of(digest, digest_size(d) - 1),
                                  signature[1], &size[1]),
                         ERR_UNSUPPORTED);
        assert_int_equal(key_verify(&keys[i], m, &of_digest, text, span_of(signature[0], size[0])),
                         ERR_UNSUPPORTED); /* the message has not the size of a digest */
        key_material_free(&m);
    }
}

static void an_encoding_is_never_taken_for_the_other(void **state)
{
    static const struct key_spec key = {KEY_SECP256R1, ALGORITHM_ECDSA_P256_SHA256, false};
    static const struct sign_options der = {.der = true};
    struct key_material *m = some_key(KEY_SECP256R1);
    const struct span text = SPAN_LITERAL("message");
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t size = 0;

    (void)state;
    for (int round = 0; round < 64; round++) {
        assert_int_equal(key_sign(&key, m, &der, text, signature, &size), ERR_NONE);
        assert_int_equal(signature[0], 0x30);
        assert_int_equal(key_verify(&key, m, &der, text, span_of(signature, size)), ERR_NONE);
        assert_int_equal(key_verify(&key, m, &plain_options, text, span_of(signature, size)),
                         ERR_CRYPTO);
        assert_int_equal(key_sign(&key, m, &plain_options, text, signature, &size), ERR_NONE);
        assert_int_equal(size, 64);
        assert_int_equal(key_verify(&key, m, &der, text, span_of(signature, size)), ERR_CRYPTO);
    }
    key_material_free(&m);
}

/* A key of another type or another algorithm, and options that the algorithm does not have. */
static void what_does_not_fit_is_refused(void **state)
{
    static const struct {
        struct key_spec key;
        struct sign_options options;
    } cases[] = {
        {{KEY_ED25519, ALGORITHM_ECDSA_P256_SHA256, false},        {0}                    },
        {{KEY_SECP256K1, ALGORITHM_ECDSA_P256_SHA256, false},      {0}                    },
        {{KEY_SECP256R1, ALGORITHM_ECDSA_SECP256K1_SHA256, false}, {0}                    },
        {{KEY_SECP256R1, ALGORITHM_ECDH, false},                   {0}                    },
        {{KEY_X25519, ALGORITHM_ECDH, false},                      {0}                    },
        {{KEY_HMAC_SHA256, ALGORITHM_HMAC_SHA256, false},          {0}                    },
        {{KEY_AES_256_GCM, ALGORITHM_AES_GCM, false},              {0}                    },
        {{KEY_RSA_2048, ALGORITHM_RSA_OAEP_SHA256, false},         {0}                    },
        {{KEY_ML_KEM_768, ALGORITHM_ML_KEM_768, false},            {0}                    },
        {{KEY_ED25519, ALGORITHM_EDDSA, false},                    {.der = true}          },
        {{KEY_ED25519, ALGORITHM_EDDSA, false},                    {.deterministic = true}},
        {{KEY_ED25519, ALGORITHM_EDDSA, false},                    {.digest_given = true} },
        {{KEY_ML_DSA_65, ALGORITHM_ML_DSA_65, false},              {.digest_given = true} },
        {{KEY_ML_DSA_65, ALGORITHM_ML_DSA_65, false},              {.low_s_only = true}   },
        {{KEY_RSA_2048, ALGORITHM_RSA_PSS_SHA256, false},          {.der = true}          },
        {{KEY_RSA_2048, ALGORITHM_RSA_PSS_SHA256, false},          {.deterministic = true}},
    };
    static uint8_t signature[KEY_SIGNATURE_MAX];
    const struct span text = SPAN_LITERAL("0123456789abcdef0123456789abcdef");
    size_t size = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct key_material *m = some_key(cases[i].key.type);

        assert_int_equal(key_sign(&cases[i].key, m, &cases[i].options, text, signature, &size),
                         ERR_UNSUPPORTED);
        assert_int_equal(
            key_verify(&cases[i].key, m, &cases[i].options, text, span_of(signature, 64)),
            ERR_UNSUPPORTED);
        key_material_free(&m);
    }
}

/* How a vector file signs, and the algorithm it is for. */
static struct {
    enum algorithm algorithm;
    struct sign_options options;
    const char *key; /* of the group: the public key */
} form;

static void check_vector(const json_t *group, const json_t *c)
{
    struct buffer spki = case_bytes(group, form.key);
    struct buffer message = case_bytes(c, "msg");
    struct buffer signature = case_bytes(c, "sig");
    struct key_material *m = NULL;
    struct key_spec key = {.algorithm = form.algorithm};
    enum err e = spki_read(buffer_span(&spki), &m);

    if (e == ERR_NONE) {
        bool good;

        key.type = m->type;
        good = key_verify(&key, m, &form.options, buffer_span(&message), buffer_span(&signature)) ==
               ERR_NONE;
        /* acceptable, MissingNull (PKCS#1 v1.5 without NULL): refused, one encoding for each */
        assert_int_equal(good, case_is(c, "result", "valid"));
    } else { /* RSA with the exponent 3, which no key of ours has */
        assert_int_equal(e, ERR_UNSUPPORTED);
        assert_true(case_is(json_object_get(group, "publicKey"), "publicExponent", "03"));
    }
    key_material_free(&m);
    buffer_clear(&spki);
    buffer_clear(&message);
    buffer_clear(&signature);
}

static void every_signature_agrees_with_wycheproof(void **state)
{
    static const struct {
        const char *file;
        enum algorithm algorithm;
        struct sign_options options;
    } files[] = {
        {"ecdsa_p256/ecdsa_secp256r1_sha256_test.json",              ALGORITHM_ECDSA_P256_SHA256, {.der = true}                    },
        {"ecdsa_p256/ecdsa_secp256r1_sha256_p1363_test.json",        ALGORITHM_ECDSA_P256_SHA256, {0}                              },
        {"ecdsa_p384/ecdsa_secp384r1_sha384_test.json",              ALGORITHM_ECDSA_P384_SHA384, {.der = true}                    },
        {"ecdsa_p384/ecdsa_secp384r1_sha384_p1363_test.json",        ALGORITHM_ECDSA_P384_SHA384, {0}                              },
        {"ecdsa_secp256k1/ecdsa_secp256k1_sha256_test.json",
         ALGORITHM_ECDSA_SECP256K1_SHA256,                                                        {.der = true}                    },
        {"ecdsa_secp256k1/ecdsa_secp256k1_sha256_p1363_test.json",
         ALGORITHM_ECDSA_SECP256K1_SHA256,                                                        {0}                              },
        {"ecdsa_secp256k1/ecdsa_secp256k1_sha256_bitcoin_test.json",
         ALGORITHM_ECDSA_SECP256K1_SHA256,                                                        {.der = true, .low_s_only = true}},
        {"ed25519/ed25519_test.json",                                ALGORITHM_EDDSA,             {0}                              },
        {"rsa_pss/rsa_pss_2048_sha256_mgf1_32_test.json",            ALGORITHM_RSA_PSS_SHA256,    {0}                              },
        {"rsa_pss/rsa_pss_4096_sha256_mgf1_32_test.json",            ALGORITHM_RSA_PSS_SHA256,    {0}                              },
        {"rsa_pkcs1_verify/rsa_signature_2048_sha256_test.json",     ALGORITHM_RSA_PKCS1_SHA256,  {0}                              },
        {"rsa_pkcs1_verify/rsa_signature_4096_sha512_test.json",     ALGORITHM_RSA_PKCS1_SHA512,  {0}                              },
    };
    size_t count = 0;

    (void)state;
    form.key = "publicKeyDer";
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        form.algorithm = files[i].algorithm;
        form.options = files[i].options;
        wycheproof(files[i].file, check_vector);
        count += cases_expected(files[i].file);
    }
    (void)printf("# %zu signatures of Wycheproof\n", count);
}

/* The salt has the size of the hash: valid signatures with no salt are refused. */
static void check_no_salt(const json_t *group, const json_t *c)
{
    struct buffer spki = case_bytes(group, "publicKeyDer");
    struct buffer message = case_bytes(c, "msg");
    struct buffer signature = case_bytes(c, "sig");
    static const struct key_spec key = {KEY_RSA_2048, ALGORITHM_RSA_PSS_SHA256, false};
    struct key_material *m = NULL;

    assert_int_equal(spki_read(buffer_span(&spki), &m), ERR_NONE);
    if (case_is(c, "result", "valid"))
        assert_int_equal(
            key_verify(&key, m, &plain_options, buffer_span(&message), buffer_span(&signature)),
            ERR_CRYPTO);
    key_material_free(&m);
    buffer_clear(&spki);
    buffer_clear(&message);
    buffer_clear(&signature);
}

static void pss_without_salt_is_refused(void **state)
{
    (void)state;
    wycheproof("rsa_pss/rsa_pss_2048_sha256_mgf1_0_test.json", check_no_salt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_signing_algorithm_signs_and_verifies),
        cmocka_unit_test(digests_and_messages_give_one_signature),
        cmocka_unit_test(an_encoding_is_never_taken_for_the_other),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(every_signature_agrees_with_wycheproof),
        cmocka_unit_test(pss_without_salt_is_refused),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
