#include "unit/keys/keys.h"

#include "support/failing.h"

static void made_keys_come_back_from_their_bytes(void **state)
{
    (void)state;
    for (unsigned t = 0; t < KEY_TYPE_COUNT; t++) {
        enum key_type type = (enum key_type)t;
        const struct key_type_info *info = key_type_info(type);
        struct key_material *key = some_key(type);
        struct key_material *again = NULL;
        struct key_material *public_key = NULL;

        assert_int_equal(key_import_private(type, secret_span(key->secret), &again), ERR_NONE);
        assert_true(span_equal(key_public(key), key_public(again)));
        assert_int_equal(key->public_size > 0, info->public_max > 0);
        if (info->family == KEY_FAMILY_SYMMETRIC) {
            assert_int_equal(key_import_public(type, SPAN_LITERAL("bytes"), &public_key),
                             ERR_UNSUPPORTED);
        } else {
            public_key = public_of(key);
            assert_true(span_equal(key_public(key), key_public(public_key)));
        }
        key_material_free(&public_key);
        key_material_free(&again);
        key_material_free(&key);
        assert_null(key);
    }
}

static void two_made_keys_differ(void **state)
{
    (void)state;
    for (unsigned t = 0; t < KEY_TYPE_COUNT; t++) {
        struct key_material *keys[2] = {NULL, NULL};

        if (key_type_info((enum key_type)t)->family == KEY_FAMILY_RSA && t != KEY_RSA_2048)
            continue;
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(key_generate((enum key_type)t, &keys[i]), ERR_NONE);
        assert_false(span_equal(secret_span(keys[0]->secret), secret_span(keys[1]->secret)));
        key_material_free(&keys[0]);
        key_material_free(&keys[1]);
    }
}

static void wrong_sizes_are_refused(void **state)
{
    static uint8_t bytes[3000];

    (void)state;
    memset(bytes, 1, sizeof bytes);
    for (unsigned t = 0; t < KEY_TYPE_COUNT; t++) {
        enum key_type type = (enum key_type)t;
        const struct key_type_info *info = key_type_info(type);
        const size_t sizes[] = {0, 1, info->private_min - 1, info->private_max + 1, sizeof bytes};
        struct key_material *key = NULL;

        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            assert_int_equal(key_import_private(type, span_of(bytes, sizes[i]), &key),
                             ERR_MALFORMED);
        if (info->public_max == 0)
            continue;
        for (size_t size = 0; size < sizeof bytes; size += 7)
            assert_int_not_equal(key_import_public(type, span_of(bytes, size), &key), ERR_NONE);
        assert_int_equal(key_import_public(type, span_of(bytes, 0), &key), ERR_MALFORMED);
        assert_int_equal(key_import_public(type, span_of(bytes, info->public_max + 1), &key),
                         ERR_MALFORMED);
        assert_null(key);
    }
}

static void bytes_that_are_no_key_are_refused(void **state)
{
    static const char order[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    uint8_t bytes[1300];
    struct key_material *key = NULL;

    (void)state;
    memset(bytes, 0, sizeof bytes);
    for (unsigned t = 0; t < KEY_TYPE_COUNT; t++) {
        const struct key_type_info *info = key_type_info((enum key_type)t);

        if (info->family != KEY_FAMILY_RSA) /* all zeros */
            assert_int_equal(
                key_import_private((enum key_type)t, span_of(bytes, info->private_min), &key),
                ERR_CRYPTO);
    }
    hex_bytes(order, bytes, 32);
    assert_int_equal(key_import_private(KEY_SECP256R1, span_of(bytes, 32), &key), ERR_CRYPTO);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(key_import_private(KEY_SECP256K1, span_of(bytes, 32), &key), ERR_CRYPTO);
    assert_int_equal(key_import_private(KEY_SECP384R1, span_of(bytes, 48), &key), ERR_CRYPTO);
    assert_int_equal(key_import_private(KEY_RSA_2048, span_of(bytes, 1200), &key), ERR_MALFORMED);
    memset(bytes, 0, 32); /* low order */
    assert_int_equal(key_import_public(KEY_X25519, span_of(bytes, 32), &key), ERR_CRYPTO);
    assert_int_equal(key_import_public(KEY_ED25519, span_of(bytes, 32), &key), ERR_CRYPTO);
    bytes[0] = 2; /* not on the curve */
    assert_int_equal(key_import_public(KEY_ED25519, span_of(bytes, 32), &key), ERR_CRYPTO);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(key_import_public(KEY_ML_KEM_768, span_of(bytes, 1184), &key), ERR_CRYPTO);
    bytes[0] = 4;
    assert_int_equal(key_import_public(KEY_SECP256R1, span_of(bytes, 65), &key), ERR_CRYPTO);
    bytes[0] = 0; /* infinity */
    assert_int_equal(key_import_public(KEY_SECP256R1, span_of(bytes, 1), &key), ERR_MALFORMED);
    assert_null(key);
}

static void an_rsa_key_of_another_size_is_refused(void **state)
{
    struct key_material *key = some_key(KEY_RSA_2048);
    struct key_material *other = NULL;
    const struct span bytes = secret_span(key->secret);

    (void)state;
    assert_int_equal(key_import_private(KEY_RSA_3072, bytes, &other), ERR_MALFORMED);
    assert_int_equal(key_import_public(KEY_RSA_3072, key_public(key), &other), ERR_UNSUPPORTED);
    assert_int_equal(key_import_public(KEY_RSA_4096, key_public(key), &other), ERR_UNSUPPORTED);
    assert_null(other);
    key_material_free(&key);
}

static void compressed_points_become_the_same_key(void **state)
{
    static const enum key_type types[] = {KEY_SECP256R1, KEY_SECP384R1, KEY_SECP256K1};
    struct key_material *other = some_key(KEY_ED25519);
    uint8_t encoded[1 + EC_SIZE_MAX];
    size_t size = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct key_material *key = some_key(types[i]);
        struct key_material *again = NULL;

        assert_int_equal(key_public_compressed(key, encoded, &size), ERR_NONE);
        assert_int_equal(size, 1 + key_type_info(types[i])->private_min);
        assert_int_equal(key_import_public(types[i], span_of(encoded, size), &again), ERR_NONE);
        assert_true(span_equal(key_public(key), key_public(again)));
        key_material_free(&again);
        key_material_free(&key);
    }
    assert_int_equal(key_public_compressed(other, encoded, &size), ERR_UNSUPPORTED);
    key_material_free(&other);
}

static void a_public_key_of_another_private_key_is_found(void **state)
{
    (void)state;
    for (unsigned t = 0; t < KEY_TYPE_COUNT; t++) {
        struct key_material *key;
        struct key_material *other;

        if (key_type_info((enum key_type)t)->family == KEY_FAMILY_SYMMETRIC || t == KEY_RSA_4096 ||
            t == KEY_RSA_3072)
            continue;
        key = some_key((enum key_type)t);
        assert_int_equal(key_generate((enum key_type)t, &other), ERR_NONE);
        assert_int_equal(key_consistent(key), ERR_NONE);
        memcpy(key->public_key, other->public_key, sizeof key->public_key);
        assert_int_equal(key_consistent(key), ERR_CRYPTO);
        key_material_free(&other);
        key_material_free(&key);
    }
}

/* The n-th allocation of ours fails, for every n, until all succeeds. */
static void failing_allocations_are_errors(void **state)
{
    static const enum key_type types[] = {KEY_SECP256R1, KEY_ED25519, KEY_AES_128_GCM,
                                          KEY_ML_DSA_65};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        bool all_worked = false;

        for (long n = 0; !all_worked; n++) {
            struct key_material *key = NULL;
            enum err e;

            assert_true(n < 1000);
            failing_begin(n);
            e = key_generate(types[i], &key);
            all_worked = !failing_end();
            if (all_worked)
                assert_int_equal(e, ERR_NONE);
            assert_int_equal(key != NULL, e == ERR_NONE);
            key_material_free(&key);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_keys_come_back_from_their_bytes),
        cmocka_unit_test(two_made_keys_differ),
        cmocka_unit_test(wrong_sizes_are_refused),
        cmocka_unit_test(bytes_that_are_no_key_are_refused),
        cmocka_unit_test(an_rsa_key_of_another_size_is_refused),
        cmocka_unit_test(compressed_points_become_the_same_key),
        cmocka_unit_test(a_public_key_of_another_private_key_is_found),
        cmocka_unit_test(failing_allocations_are_errors),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
