/* SubjectPublicKeyInfo and JWK: what is written reads back, and nothing near it does. */
#include "unit/keys/keys.h"

#include "keys/public_form.h"

static bool has_jwk(enum key_type type)
{
    enum key_family family = key_type_info(type)->family;

    return family != KEY_FAMILY_SYMMETRIC && family != KEY_FAMILY_ML_DSA &&
           family != KEY_FAMILY_ML_KEM;
}

static void keys_read_back_from_both_forms(void **state)
{
    (void)state;
    for (unsigned t = 0; t < KEY_TYPE_COUNT; t++) {
        enum key_type type = (enum key_type)t;
        struct key_material *key = some_key(type);
        struct key_material *back = NULL;
        struct buffer jwk = {0};
        uint8_t spki[SPKI_MAX];
        size_t size = 0;
        bool is_public = key_type_info(type)->public_max > 0;

        assert_int_equal(spki_write(key, spki, &size), is_public ? ERR_NONE : ERR_UNSUPPORTED);
        if (is_public) {
            assert_int_equal(spki_read(span_of(spki, size), &back), ERR_NONE);
            assert_int_equal(back->type, type);
            assert_null(back->secret);
            assert_true(span_equal(key_public(key), key_public(back)));
            key_material_free(&back);
        }
        assert_int_equal(jwk_write(key, &jwk), has_jwk(type) ? ERR_NONE : ERR_UNSUPPORTED);
        if (has_jwk(type)) {
            assert_int_equal(jwk_read(buffer_span(&jwk), &back), ERR_NONE);
            assert_int_equal(back->type, type);
            assert_true(span_equal(key_public(key), key_public(back)));
        }
        key_material_free(&back);
        buffer_clear(&jwk);
        key_material_free(&key);
    }
}

static void every_prefix_is_refused_and_no_changed_byte_gives_the_same_key(void **state)
{
    static const enum key_type types[] = {KEY_SECP256R1, KEY_SECP384R1, KEY_SECP256K1,
                                          KEY_ED25519,   KEY_X25519,    KEY_ML_KEM_768};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct key_material *key = some_key(types[i]);
        struct key_material *other = NULL;
        struct buffer jwk = {0};
        uint8_t spki[SPKI_MAX + 1];
        size_t size = 0;

        assert_int_equal(spki_write(key, spki, &size), ERR_NONE);
        spki[size] = 0;
        assert_int_equal(spki_read(span_of(spki, size + 1), &other), ERR_MALFORMED);
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(spki_read(span_of(spki, cut), &other), ERR_MALFORMED);
        for (size_t at = 0; at < size; at++) {
            spki[at] ^= 1;
            if (spki_read(span_of(spki, size), &other) == ERR_NONE)
                assert_false(other->type == key->type &&
                             span_equal(key_public(key), key_public(other)));
            spki[at] ^= 1;
            key_material_free(&other);
        }
        if (has_jwk(types[i])) {
            assert_int_equal(jwk_write(key, &jwk), ERR_NONE);
            for (size_t cut = 0; cut < jwk.size; cut++)
                assert_int_equal(jwk_read(span_of(jwk.data, cut), &other), ERR_MALFORMED);
        }
        buffer_clear(&jwk);
        key_material_free(&key);
    }
}

/* RFC 8037 appendix A.2, and the base points of P-256 and of secp256k1. */
#define OKP                                                                                        \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define EC_X "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY"
#define EC_Y "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"
#define EC "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\""

static const struct {
    const char *json;
    enum err e;
} jwks[] = {
    {OKP "}",                                                                          ERR_NONE       },
    {OKP ",\"use\":\"sig\",\"alg\":\"EdDSA\",\"kid\":\"1\",\"key_ops\":[\"verify\"]}", ERR_NONE       },
    {OKP ",\"use\":\"enc\"}",                                                          ERR_UNSUPPORTED},
    {OKP ",\"use\":1}",                                                                ERR_MALFORMED  },
    {OKP ",\"alg\":\"ES256\"}",                                                        ERR_UNSUPPORTED},
    {OKP ",\"alg\":\"none\"}",                                                         ERR_UNSUPPORTED},
    {OKP ",\"alg\":null}",                                                             ERR_MALFORMED  },
    {OKP ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}",                    ERR_MALFORMED  },
    {OKP ",\"k\":\"AA\"}",                                                             ERR_MALFORMED  },
    {OKP "} ",                                                                         ERR_NONE       },
    {OKP "}x",                                                                         ERR_MALFORMED  },
    {OKP ",\"kty\":\"OKP\"}",                                                          ERR_MALFORMED  },
    {EC "}",                                                                           ERR_NONE       },
    {EC ",\"use\":\"sig\"}",                                                           ERR_NONE       },
    {EC ",\"use\":\"enc\"}",                                                           ERR_NONE       }, /* ECDH */
    {EC ",\"use\":\"enc\",\"alg\":\"ES256\"}",                                         ERR_UNSUPPORTED},
    {EC ",\"use\":\"other\"}",                                                         ERR_UNSUPPORTED},
    {EC ",\"alg\":\"ES256K\"}",                                                        ERR_UNSUPPORTED},
    {"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",   ERR_CRYPTO     },
    {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",       ERR_MALFORMED  },
    {"{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",       ERR_UNSUPPORTED},
    {"{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",      ERR_UNSUPPORTED},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\"}",                          ERR_MALFORMED  },
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "=\",\"y\":\"" EC_Y "\"}",      ERR_MALFORMED  },
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA" EC_X "\",\"y\":\"" EC_Y "\"}",     ERR_MALFORMED  },
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_Y "\",\"y\":\"" EC_X "\"}",       ERR_CRYPTO     },
    {"{\"kty\":\"oct\",\"k\":\"AA\"}",                                                 ERR_MALFORMED  },
    {"{\"kty\":\"oct\"}",                                                              ERR_UNSUPPORTED},
    {"{\"kty\":\"AKP\",\"alg\":\"ML-DSA-65\",\"pub\":\"AA\"}",                         ERR_UNSUPPORTED},
    {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",                                ERR_UNSUPPORTED},
    {"{\"kty\":\"RSA\",\"n\":\"AQAB\"}",                                               ERR_MALFORMED  },
    {"{\"kty\":1}",                                                                    ERR_MALFORMED  },
    {"{}",                                                                             ERR_MALFORMED  },
    {"[]",                                                                             ERR_MALFORMED  },
    {"",                                                                               ERR_MALFORMED  },
};

static void jwks_are_read_strictly(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(jwks); i++) {
        struct key_material *key = NULL;

        if (jwk_read(span_string(jwks[i].json), &key) != jwks[i].e)
            fail_msg("JWK %zu: %s", i, jwks[i].json);
        key_material_free(&key);
    }
}

/* The published key in the three forms of a group. */
static void check_group(const json_t *group)
{
    json_t *jwk = json_object_get(group, "publicKeyJwk");
    struct buffer spki = case_bytes(group, "publicKeyDer");
    struct key_material *from_spki = NULL;
    struct key_material *from_jwk = NULL;
    uint8_t written[SPKI_MAX];
    size_t size = 0;

    assert_int_equal(spki_read(buffer_span(&spki), &from_spki), ERR_NONE);
    assert_int_equal(spki_write(from_spki, written, &size), ERR_NONE);
    assert_true(span_equal(span_of(written, size), buffer_span(&spki)));
    if (jwk) {
        char *text = json_dumps(jwk, 0);

        assert_int_equal(jwk_read(span_string(text), &from_jwk), ERR_NONE);
        assert_int_equal(from_jwk->type, from_spki->type);
        assert_true(span_equal(key_public(from_spki), key_public(from_jwk)));
        free(text);
    }
    key_material_free(&from_jwk);
    key_material_free(&from_spki);
    buffer_clear(&spki);
}

static void published_keys_are_the_same_in_both_forms(void **state)
{
    static const char *const files[] = {
        "ecdsa_p256/ecdsa_secp256r1_sha256_p1363_test.json",
        "ecdsa_p384/ecdsa_secp384r1_sha384_p1363_test.json",
        "ecdsa_secp256k1/ecdsa_secp256k1_sha256_p1363_test.json",
        "ed25519/ed25519_test.json",
        "rsa_pss/rsa_pss_2048_sha256_mgf1_32_test.json",
        "rsa_pss/rsa_pss_4096_sha256_mgf1_32_test.json",
    };
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        json_t *json = cases_load(files[i]);
        json_t *group;
        size_t j;

        json_array_foreach(json_object_get(json, "testGroups"), j, group)
        {
            check_group(group);
            count++;
        }
        json_decref(json);
    }
    assert_true(count > 100);
}

static void large_input_is_refused(void **state)
{
    static uint8_t bytes[JWK_MAX + 1];
    struct key_material *key = NULL;

    (void)state;
    assert_int_equal(jwk_read(SPAN_OF(bytes), &key), ERR_TOO_LARGE);
    assert_int_equal(spki_read(span_of(bytes, SPKI_MAX + 1), &key), ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_read_back_from_both_forms),
        cmocka_unit_test(every_prefix_is_refused_and_no_changed_byte_gives_the_same_key),
        cmocka_unit_test(jwks_are_read_strictly),
        cmocka_unit_test(published_keys_are_the_same_in_both_forms),
        cmocka_unit_test(large_input_is_refused),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
