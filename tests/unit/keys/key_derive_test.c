/* ECDH, HKDF, PBKDF2 and ML-KEM with keys, against vectors and what does not fit. */
#include "unit/keys/keys.h"

#include "keys/key_derive.h"
#include "keys/public_form.h"
#include "support/failing.h"

MUST_CHECK static enum err derive(enum algorithm a, const struct key_material *m,
                                  const struct derive_input *input, struct secret **out)
{
    const struct key_spec key = {m->type, a, false};

    return key_derive(&key, m, input, out);
}

static void both_sides_agree_for_every_curve(void **state)
{
    static const enum key_type types[] = {KEY_SECP256R1, KEY_SECP384R1, KEY_SECP256K1, KEY_X25519};
    static const enum algorithm algorithms[] = {ALGORITHM_ECDH, ALGORITHM_ECDH_HKDF_SHA256};

    (void)state;
    for (size_t t = 0; t < COUNT_OF(types); t++)
        for (size_t a = 0; a < COUNT_OF(algorithms); a++) {
            struct key_material *m[2] = {some_key(types[t]), some_key(types[t])};
            struct secret *shared[2] = {NULL, NULL};

            for (size_t side = 0; side < 2; side++) {
                struct derive_input input = {.peer = key_public(m[1 - side]),
                                             .size = key_type_info(types[t])->private_min};

                if (algorithms[a] == ALGORITHM_ECDH_HKDF_SHA256)
                    input.info = SPAN_LITERAL("info");
                assert_int_equal(derive(algorithms[a], m[side], &input, &shared[side]), ERR_NONE);
            }
            assert_true(span_equal(secret_span(shared[0]), secret_span(shared[1])));
            for (size_t side = 0; side < 2; side++) {
                secret_free(&shared[side]);
                key_material_free(&m[side]);
            }
        }
}

static void inputs_that_do_not_fit_are_refused(void **state)
{
    static const uint8_t peer[32] = {9};
    static const struct {
        enum key_type type;
        enum algorithm algorithm;
        struct derive_input input;
        enum err e;
    } cases[] = {
        {KEY_X25519,      ALGORITHM_ECDH,          {.peer = {peer, 32}, .size = 32},                                            ERR_NONE       },
        {KEY_X25519,      ALGORITHM_ECDH,          {.peer = {peer, 32}, .size = 31},                                            ERR_TOO_LARGE  },
        {KEY_X25519,      ALGORITHM_ECDH,          {.peer = {peer, 32}, .size = 0},                                             ERR_TOO_LARGE  },
        {KEY_X25519,      ALGORITHM_ECDH,          {.peer = {peer, 31}, .size = 32},                                            ERR_MALFORMED  },
        {KEY_X25519,      ALGORITHM_ECDH,          {.size = 32},                                                                ERR_MALFORMED  },
        {KEY_X25519,
         ALGORITHM_ECDH,                           {.peer = {peer, 32}, .salt = {peer, 1}, .size = 32},
         ERR_UNSUPPORTED                                                                                                                       },
        {KEY_X25519,
         ALGORITHM_ECDH,                           {.peer = {peer, 32}, .info = {peer, 1}, .size = 32},
         ERR_UNSUPPORTED                                                                                                                       },
        {KEY_X25519,
         ALGORITHM_ECDH_HKDF_SHA256,               {.peer = {peer, 32}, .iterations = 1, .size = 32},
         ERR_UNSUPPORTED                                                                                                                       },
        {KEY_X25519,
         ALGORITHM_ECDH_HKDF_SHA256,               {.peer = {peer, 32}, .size = KEY_DERIVED_MAX + 1},
         ERR_TOO_LARGE                                                                                                                         },
        {KEY_X25519,      ALGORITHM_EDDSA,         {.peer = {peer, 32}, .size = 32},                                            ERR_UNSUPPORTED},
        {KEY_SECP256R1,
         ALGORITHM_ECDSA_P256_SHA256,              {.peer = {peer, 32}, .size = 32},
         ERR_UNSUPPORTED                                                                                                                       },
        {KEY_SECP256R1,   ALGORITHM_ECDH,          {.peer = {peer, 32}, .size = 32},                                            ERR_MALFORMED  },
        {KEY_HMAC_SHA256, ALGORITHM_HKDF_SHA256,   {.size = 32},                                                                ERR_NONE       },
        {KEY_HMAC_SHA256, ALGORITHM_HKDF_SHA256,   {.size = KEY_DERIVED_MAX},                                                   ERR_NONE       },
        {KEY_HMAC_SHA256, ALGORITHM_HKDF_SHA256,   {.peer = {peer, 32}, .size = 32},                                            ERR_UNSUPPORTED},
        {KEY_HMAC_SHA256, ALGORITHM_HKDF_SHA256,   {.iterations = 1, .size = 32},                                               ERR_UNSUPPORTED},
        {KEY_HMAC_SHA256, ALGORITHM_HMAC_SHA256,   {.size = 32},                                                                ERR_UNSUPPORTED},
        {KEY_HMAC_SHA256, ALGORITHM_PBKDF2_SHA256, {.iterations = 1, .size = 32},                                               ERR_NONE       },
        {KEY_HMAC_SHA256, ALGORITHM_PBKDF2_SHA256, {.size = 32},                                                                ERR_TOO_LARGE  },
        {KEY_HMAC_SHA256,
         ALGORITHM_PBKDF2_SHA512,                  {.iterations = KEY_PBKDF2_ITERATIONS_MAX + 1, .size = 32},
         ERR_TOO_LARGE                                                                                                                         },
        {KEY_HMAC_SHA256,
         ALGORITHM_PBKDF2_SHA512,                  {.iterations = 1, .info = {peer, 1}, .size = 32},
         ERR_UNSUPPORTED                                                                                                                       },
        {KEY_HMAC_SHA256,
         ALGORITHM_PBKDF2_SHA256,                  {.iterations = KEY_PBKDF2_ITERATIONS_MAX / 2 + 1, .size = 33},
         ERR_TOO_LARGE                                                                                                                         },
        {KEY_HMAC_SHA256,
         ALGORITHM_PBKDF2_SHA512,                  {.iterations = KEY_PBKDF2_ITERATIONS_MAX / 16 + 1, .size = KEY_DERIVED_MAX},
         ERR_TOO_LARGE                                                                                                                         },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct key_material *m = some_key(cases[i].type);
        struct secret *out = NULL;

        assert_int_equal(derive(cases[i].algorithm, m, &cases[i].input, &out), cases[i].e);
        assert_int_equal(out != NULL, cases[i].e == ERR_NONE);
        secret_free(&out);
        key_material_free(&m);
    }
}

/* The policy for what Wycheproof calls acceptable: docs/algorithms.md. */
static const struct {
    const char *flag;
    bool accepted;
} x25519_policy[] = {
    {"LowOrderPublic",     false}, /* the secret would be zero */
    {"ZeroSharedSecret",   false},
    {"NonCanonicalPublic", true }, /* RFC 7748 section 5 says so */
    {"Twist",              true }, /* X25519 is safe on the twist */
    {"SpecialPublicKey",   true },
    {"SmallPublicKey",     true },
};

static bool has_flag(const json_t *c, const char *flag)
{
    json_t *f;
    size_t i;

    json_array_foreach(json_object_get(c, "flags"), i, f)
    {
        if (strcmp(json_string_value(f), flag) == 0)
            return true;
    }
    return false;
}

static void check_x25519(const json_t *group, const json_t *c)
{
    struct buffer peer = case_bytes(c, "public");
    struct buffer bytes = case_bytes(c, "private");
    struct buffer expected = case_bytes(c, "shared");
    const struct derive_input input = {.peer = buffer_span(&peer), .size = 32};
    struct key_material *m = NULL;
    struct secret *shared = NULL;
    bool wanted = true;
    enum err e;

    (void)group;
    for (size_t i = 0; i < COUNT_OF(x25519_policy); i++)
        if (has_flag(c, x25519_policy[i].flag) && !x25519_policy[i].accepted)
            wanted = false;
    assert_false(case_is(c, "result", "invalid")); /* the file has none */
    assert_int_equal(key_import_private(KEY_X25519, buffer_span(&bytes), &m), ERR_NONE);
    e = derive(ALGORITHM_ECDH, m, &input, &shared);
    assert_int_equal(e, wanted ? ERR_NONE : ERR_CRYPTO);
    if (e == ERR_NONE)
        assert_true(span_equal(secret_span(shared), buffer_span(&expected)));
    secret_free(&shared);
    key_material_free(&m);
    buffer_clear(&peer);
    buffer_clear(&bytes);
    buffer_clear(&expected);
}

/* Peers in SubjectPublicKeyInfo. */
static const struct {
    const char *flag;
    bool accepted;
} spki_policy[] = {
    {"CompressedPublic", true }, /* one meaning; Neo writes its keys so */
    {"UnnamedCurve",     false}, /* explicit parameters: attacks live there (CVE-2020-0601) */
    {"InvalidAsn",       false}, /* not DER, or parameters that are not RFC 5480's */
};

static void check_spki(const json_t *group, const json_t *c)
{
    struct buffer spki = case_bytes(c, "public");
    struct buffer number = case_bytes(c, "private");
    struct buffer expected = case_bytes(c, "shared");
    size_t extra = number.size > 32 ? number.size - 32 : 0;
    uint8_t scalar[32] = {0};
    struct key_material *m = NULL;
    struct key_material *peer = NULL;
    struct secret *shared = NULL;
    bool wanted = !case_is(c, "result", "invalid");
    bool good;

    (void)group;
    for (size_t i = 0; i < COUNT_OF(spki_policy); i++)
        if (has_flag(c, spki_policy[i].flag) && !spki_policy[i].accepted)
            wanted = false;
    memcpy(scalar + 32 + extra - number.size, number.data + extra, number.size - extra);
    assert_int_equal(key_import_private(KEY_SECP256R1, SPAN_OF(scalar), &m), ERR_NONE);
    good = spki_read(buffer_span(&spki), &peer) == ERR_NONE && peer->type == KEY_SECP256R1;
    assert_int_equal(good, wanted);
    if (good) {
        const struct derive_input input = {.peer = key_public(peer), .size = 32};

        assert_int_equal(derive(ALGORITHM_ECDH, m, &input, &shared), ERR_NONE);
        assert_true(span_equal(secret_span(shared), buffer_span(&expected)));
    }
    secret_free(&shared);
    key_material_free(&peer);
    key_material_free(&m);
    buffer_clear(&spki);
    buffer_clear(&number);
    buffer_clear(&expected);
}

static void agreements_agree_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("x25519/x25519_test.json", check_x25519);
    wycheproof("ecdh_p256/ecdh_secp256r1_test.json", check_spki);
}

/* Input keys of at least 32 bytes, and outputs within our limit: a key of ours has no other. */
static void check_hkdf(const json_t *group, const json_t *c)
{
    struct buffer ikm = case_bytes(c, "ikm");
    struct buffer salt = case_bytes(c, "salt");
    struct buffer info = case_bytes(c, "info");
    struct buffer expected = case_bytes(c, "okm");
    const struct derive_input input = {
        .salt = buffer_span(&salt),
        .info = buffer_span(&info),
        .size = (size_t)json_integer_value(json_object_get(c, "size")),
    };
    struct key_material *m = NULL;
    struct secret *out = NULL;

    (void)group;
    if (key_import_private(KEY_HMAC_SHA256, buffer_span(&ikm), &m) == ERR_NONE) {
        enum err e = derive(ALGORITHM_HKDF_SHA256, m, &input, &out);

        if (input.size > KEY_DERIVED_MAX)
            assert_int_equal(e, ERR_TOO_LARGE);
        else
            assert_true(e == ERR_NONE && span_equal(secret_span(out), buffer_span(&expected)));
    }
    secret_free(&out);
    key_material_free(&m);
    buffer_clear(&ikm);
    buffer_clear(&salt);
    buffer_clear(&info);
    buffer_clear(&expected);
}

static void hkdf_agrees_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("hkdf/hkdf_sha256_test.json", check_hkdf);
}

static void ml_kem_gives_both_sides_one_secret(void **state)
{
    static const struct key_spec key = {KEY_ML_KEM_768, ALGORITHM_ML_KEM_768, false};
    static const struct key_spec wrong = {KEY_ML_KEM_768, ALGORITHM_ECDH, false};
    static const uint8_t random[KEY_ENCAPSULATE_RANDOM_SIZE] = {1};
    struct key_material *m = some_key(KEY_ML_KEM_768);
    struct key_material *public_key = public_of(m);
    struct buffer ciphertext = {0};
    struct secret *shared[2] = {NULL, NULL};
    struct secret *none = NULL;

    (void)state;
    assert_int_equal(key_encapsulate(&key, public_key, random, &ciphertext, &shared[0]), ERR_NONE);
    assert_int_equal(key_decapsulate(&key, m, buffer_span(&ciphertext), &shared[1]), ERR_NONE);
    assert_true(span_equal(secret_span(shared[0]), secret_span(shared[1])));
    assert_int_equal(key_decapsulate(&key, public_key, buffer_span(&ciphertext), &none),
                     ERR_UNSUPPORTED);
    assert_int_equal(key_decapsulate(&wrong, m, buffer_span(&ciphertext), &none), ERR_UNSUPPORTED);
    assert_int_equal(key_encapsulate(&wrong, m, random, &ciphertext, &none), ERR_UNSUPPORTED);
    ciphertext.size--;
    assert_int_equal(key_decapsulate(&key, m, buffer_span(&ciphertext), &none), ERR_MALFORMED);
    assert_null(none);
    secret_free(&shared[0]);
    secret_free(&shared[1]);
    key_material_free(&public_key);
    key_material_free(&m);
    buffer_clear(&ciphertext);
}

static void the_private_part_is_needed(void **state)
{
    struct key_material *m = some_key(KEY_X25519);
    struct key_material *public_key = public_of(m);
    const struct derive_input input = {.peer = key_public(m), .size = 32};
    struct secret *out = NULL;

    (void)state;
    assert_int_equal(derive(ALGORITHM_ECDH, public_key, &input, &out), ERR_UNSUPPORTED);
    assert_null(out);
    key_material_free(&public_key);
    key_material_free(&m);
}

static void failing_allocations_are_errors(void **state)
{
    struct key_material *m = some_key(KEY_X25519);
    const struct derive_input input = {.peer = key_public(m), .size = 32};
    struct secret *out = NULL;

    (void)state;
    failing_begin(0);
    assert_int_equal(derive(ALGORITHM_ECDH, m, &input, &out), ERR_MEMORY);
    assert_true(failing_end());
    assert_null(out);
    key_material_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_agree_for_every_curve),
        cmocka_unit_test(inputs_that_do_not_fit_are_refused),
        cmocka_unit_test(agreements_agree_with_wycheproof),
        cmocka_unit_test(hkdf_agrees_with_wycheproof),
        cmocka_unit_test(ml_kem_gives_both_sides_one_secret),
        cmocka_unit_test(the_private_part_is_needed),
        cmocka_unit_test(failing_allocations_are_errors),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
