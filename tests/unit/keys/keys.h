/* Keys for the tests of this folder. RSA keys come from a vector file: to make one takes long. */
#ifndef TESTS_UNIT_KEYS_KEYS_H
#define TESTS_UNIT_KEYS_KEYS_H

#include "unit/crypto/cases.h"

#include "crypto/random.h"
#include "keys/algorithm.h"
#include "keys/private_form.h"

/* A new key of the type; RSA keys of 2048 and 4096 bits are published ones, of 3072 are made. */
static inline struct key_material *some_key(enum key_type type)
{
    const char *file = type == KEY_RSA_2048 ? "rsa_oaep/rsa_oaep_2048_sha256_mgf1sha256_test.json"
                                            : "rsa_oaep/rsa_oaep_4096_sha256_mgf1sha256_test.json";
    struct key_material *key = NULL;
    struct buffer der = {0};
    json_t *json;

    if (type != KEY_RSA_2048 && type != KEY_RSA_4096) {
        assert_int_equal(key_generate(type, &key), ERR_NONE);
        return key;
    }
    json = cases_load(file);
    vectors_hex(json_array_get(json_object_get(json, "testGroups"), 0), "privateKeyPkcs8", &der);
    json_decref(json);
    assert_int_equal(private_form_pkcs8(buffer_span(&der), &key), ERR_NONE);
    assert_int_equal(key->type, type);
    buffer_clear(&der);
    return key;
}

/* The same key without its private part. */
static inline struct key_material *public_of(const struct key_material *key)
{
    struct key_material *public_key = NULL;

    assert_int_equal(key_import_public(key->type, key_public(key), &public_key), ERR_NONE);
    assert_null(public_key->secret);
    return public_key;
}

#endif
