#include "unit/crypto/cases.h"

#include "crypto/curve25519.h"
#include "crypto/random.h"

static int start(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE ? 0 : -1;
}

/* RFC 7748 section 6.1. */
static void x25519_agrees_with_rfc_7748(void **state)
{
    uint8_t alice[X25519_SIZE];
    uint8_t bob[X25519_SIZE];
    uint8_t alice_public[X25519_SIZE];
    uint8_t bob_public[X25519_SIZE];
    uint8_t shared[X25519_SIZE];
    char text[2 * X25519_SIZE + 1];

    (void)state;
    hex_bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", alice,
              sizeof alice);
    hex_bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", bob, sizeof bob);
    x25519_public(alice, alice_public);
    x25519_public(bob, bob_public);
    hex_write(SPAN_OF(bob_public), text);
    assert_string_equal(text, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    assert_int_equal(x25519(bob, alice_public, shared), ERR_NONE);
    assert_int_equal(x25519(alice, bob_public, alice), ERR_NONE); /* in place */
    assert_memory_equal(alice, shared, sizeof shared);
    hex_write(SPAN_OF(shared), text);
    assert_string_equal(text, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

/* RFC 7748 section 5.2: k, u = X25519(k, u), k; a thousand times. */
static void x25519_iterated_agrees_with_rfc_7748(void **state)
{
    uint8_t k[X25519_SIZE] = {9};
    uint8_t u[X25519_SIZE] = {9};
    uint8_t next[X25519_SIZE];
    char text[2 * X25519_SIZE + 1];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(x25519(k, u, next), ERR_NONE);
        memcpy(u, k, sizeof u);
        memcpy(k, next, sizeof k);
    }
    hex_write(SPAN_OF(k), text);
    assert_string_equal(text, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

static void check_x25519(const json_t *group, const json_t *c)
{
    struct buffer peer = case_bytes(c, "public");
    struct buffer private_key = case_bytes(c, "private");
    struct buffer shared = case_bytes(c, "shared");
    bool low_order = span_is_zero(buffer_span(&shared));
    uint8_t out[X25519_SIZE] = {0x77};
    enum err e;

    (void)group;
    assert_int_equal(peer.size, X25519_SIZE);
    e = x25519(private_key.data, peer.data, out);
    if (low_order) {
        assert_int_equal(e, ERR_CRYPTO);
        assert_int_equal(out[0], 0x77);
    } else {
        assert_int_equal(e, ERR_NONE);
        assert_memory_equal(out, shared.data, sizeof out);
    }
    buffer_clear(&peer);
    buffer_clear(&private_key);
    buffer_clear(&shared);
}

static void x25519_agrees_with_wycheproof_and_refuses_zero(void **state)
{
    (void)state;
    wycheproof("x25519/x25519_test.json", check_x25519);
}

/* RFC 8032 section 7.1, tests 1 to 3. */
static void ed25519_agrees_with_rfc_8032(void **state)
{
    static const struct {
        const char *seed, *public_key, *message, *signature;
    } cases[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
         "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
         "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const size_t size = strlen(cases[i].message) / 2;
        uint8_t seed[ED25519_SEED_SIZE], expected[ED25519_SIGNATURE_SIZE], message[2];
        uint8_t out[ED25519_SIGNATURE_SIZE];

        hex_bytes(cases[i].seed, seed, sizeof seed);
        hex_bytes(cases[i].message, message, size);
        hex_bytes(cases[i].public_key, expected, ED25519_PUBLIC_SIZE);
        ed25519_public(seed, out);
        assert_memory_equal(out, expected, ED25519_PUBLIC_SIZE);
        hex_bytes(cases[i].signature, expected, sizeof expected);
        ed25519_sign(seed, span_of(message, size), out);
        assert_memory_equal(out, expected, sizeof expected);
    }
}

static void ed25519_signs_as_its_authors(void **state)
{
    static const char file[] = "ed25519/ed25519_sign_input.json";
    json_t *json = cases_load(file);
    json_t *c;
    size_t i;
    size_t ran = 0;

    (void)state;
    json_array_foreach(json_object_get(json, "cases"), i, c)
    {
        struct buffer seed = case_bytes(c, "seed");
        struct buffer public_key = case_bytes(c, "public");
        struct buffer message = case_bytes(c, "msg");
        struct buffer signature = case_bytes(c, "sig");
        uint8_t out[ED25519_SIGNATURE_SIZE];

        ed25519_public(seed.data, out);
        assert_memory_equal(out, public_key.data, ED25519_PUBLIC_SIZE);
        ed25519_sign(seed.data, buffer_span(&message), out);
        assert_memory_equal(out, signature.data, sizeof out);
        assert_int_equal(ed25519_verify(public_key.data, buffer_span(&message), out), ERR_NONE);
        out[i % sizeof out] ^= 1;
        assert_int_equal(ed25519_verify(public_key.data, buffer_span(&message), out), ERR_CRYPTO);
        buffer_clear(&seed);
        buffer_clear(&public_key);
        buffer_clear(&message);
        buffer_clear(&signature);
        ran++;
    }
    json_decref(json);
    assert_int_equal(ran, cases_expected(file));
}

static void check_ed25519(const json_t *group, const json_t *c)
{
    struct buffer public_key = case_bytes(json_object_get(group, "publicKey"), "pk");
    struct buffer message = case_bytes(c, "msg");
    struct buffer signature = case_bytes(c, "sig");
    bool valid = case_is(c, "result", "valid");

    assert_int_equal(public_key.size, ED25519_PUBLIC_SIZE);
    if (signature.size != ED25519_SIGNATURE_SIZE)
        assert_false(valid); /* our interface takes no other size */
    else
        assert_int_equal(ed25519_verify(public_key.data, buffer_span(&message), signature.data),
                         valid ? ERR_NONE : ERR_CRYPTO);
    buffer_clear(&public_key);
    buffer_clear(&message);
    buffer_clear(&signature);
}

static void ed25519_agrees_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("ed25519/ed25519_test.json", check_ed25519);
}

/* "Taming the many EdDSAs", table 6: strict verifiers accept only case 3. */
static void ed25519_accepts_only_case_3_of_speccheck(void **state)
{
    static const char file[] = "ed25519/speccheck_cases.json";
    json_t *json = cases_load(file);
    json_t *c;
    size_t i;

    (void)state;
    assert_int_equal(json_array_size(json), cases_expected(file));
    json_array_foreach(json, i, c)
    {
        struct buffer public_key = case_bytes(c, "pub_key");
        struct buffer message = case_bytes(c, "message");
        struct buffer signature = case_bytes(c, "signature");

        assert_int_equal(ed25519_verify(public_key.data, buffer_span(&message), signature.data),
                         i == 3 ? ERR_NONE : ERR_CRYPTO);
        buffer_clear(&public_key);
        buffer_clear(&message);
        buffer_clear(&signature);
    }
    json_decref(json);
}

static void ed25519_refuses_every_key_of_small_order(void **state)
{
    static const char file[] = "ed25519/zip215_small_order.json";
    json_t *json = cases_load(file);
    json_t *c;
    size_t i;

    (void)state;
    assert_int_equal(json_array_size(json), cases_expected(file));
    json_array_foreach(json, i, c)
    {
        struct buffer public_key = case_bytes(c, "vk_bytes");
        struct buffer signature = case_bytes(c, "sig_bytes");

        assert_int_equal(ed25519_verify(public_key.data, SPAN_LITERAL("Zcash"), signature.data),
                         ERR_CRYPTO);
        buffer_clear(&public_key);
        buffer_clear(&signature);
    }
    json_decref(json);
}

/* y = 2 has no x; the others are those of ed25519_verify(). */
static void public_keys_from_outside_are_points(void **state)
{
    static const struct {
        const char *key;
        enum err e;
    } cases[] = {
  /* RFC 8032 section 7.1, TEST 1; the base point */
        {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", ERR_NONE  },
        {"5866666666666666666666666666666666666666666666666666666666666666", ERR_NONE  },
        {"0200000000000000000000000000000000000000000000000000000000000000", ERR_CRYPTO},
        {"0700000000000000000000000000000000000000000000000000000000000000", ERR_CRYPTO},
        {"0000000000000000000000000000000000000000000000000000000000000000", ERR_CRYPTO},
        {"0100000000000000000000000000000000000000000000000000000000000000", ERR_CRYPTO},
        {"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", ERR_CRYPTO},
        {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", ERR_CRYPTO},
    };
    uint8_t key[32];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        hex_bytes(cases[i].key, key, sizeof key);
        assert_int_equal(ed25519_public_check(key), cases[i].e);
    }
    for (int i = 0; i < 50; i++) {
        uint8_t seed[32];

        random_bytes(seed, sizeof seed);
        ed25519_public(seed, key);
        assert_int_equal(ed25519_public_check(key), ERR_NONE);
        x25519_public(seed, key);
        assert_int_equal(x25519_public_check(key), ERR_NONE);
    }
    memset(key, 0, sizeof key);
    assert_int_equal(x25519_public_check(key), ERR_CRYPTO);
    key[0] = 1;
    assert_int_equal(x25519_public_check(key), ERR_CRYPTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x25519_agrees_with_rfc_7748),
        cmocka_unit_test(x25519_iterated_agrees_with_rfc_7748),
        cmocka_unit_test(x25519_agrees_with_wycheproof_and_refuses_zero),
        cmocka_unit_test(ed25519_agrees_with_rfc_8032),
        cmocka_unit_test(ed25519_signs_as_its_authors),
        cmocka_unit_test(ed25519_agrees_with_wycheproof),
        cmocka_unit_test(ed25519_accepts_only_case_3_of_speccheck),
        cmocka_unit_test(ed25519_refuses_every_key_of_small_order),
        cmocka_unit_test(public_keys_from_outside_are_points),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
