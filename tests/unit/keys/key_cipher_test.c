/* Encryption with keys: envelopes, raw forms, vectors, and everything that does not open. */
#include "unit/keys/keys.h"

#include "keys/key_cipher.h"
#include "support/failing.h"

static const struct key_spec specs[] = {
    {KEY_AES_128_GCM,       ALGORITHM_AES_GCM,                   false},
    {KEY_AES_256_GCM,       ALGORITHM_AES_GCM,                   false},
    {KEY_CHACHA20_POLY1305, ALGORITHM_CHACHA20_POLY1305,         false},
    {KEY_RSA_2048,          ALGORITHM_RSA_OAEP_SHA256,           false},
    {KEY_RSA_2048,          ALGORITHM_RSA_OAEP_SHA256_MGF1_SHA1, false},
    {KEY_RSA_2048,          ALGORITHM_RSA_OAEP_SHA512,           false},
    {KEY_RSA_4096,          ALGORITHM_RSA_OAEP_SHA1,             false},
};
static const struct cipher_name name = {
    {(const uint8_t *)"key-1", sizeof "key-1" - 1},
    3
};
static const uint8_t nonce[CIPHERTEXT_NONCE_SIZE] = {1, 2, 3};

MUST_CHECK static enum err open_bytes(const struct key_spec *key, const struct key_material *m,
                                      struct span bytes, struct span context, struct secret **plain)
{
    struct ciphertext c;
    enum err e = ciphertext_parse(bytes, &c);

    return e == ERR_NONE ? key_decrypt(key, m, &c, context, plain) : e;
}

static void envelopes_open_and_nothing_near_them_does(void **state)
{
    const struct span text = SPAN_LITERAL("sixteen bytes ok");
    const struct span context = SPAN_LITERAL("context");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        struct key_material *m = some_key(specs[i].type);
        bool is_rsa = key_type_info(specs[i].type)->family == KEY_FAMILY_RSA;
        struct buffer sealed = {0};
        struct secret *plain = NULL;
        struct ciphertext c;

        assert_int_equal(key_encrypt(&specs[i], m, &name, nonce, context, text, &sealed), ERR_NONE);
        assert_int_equal(ciphertext_parse(buffer_span(&sealed), &c), ERR_NONE);
        assert_true(span_equal(c.key_id, name.key_id));
        assert_int_equal(c.version, 3);
        assert_int_equal(key_decrypt(&specs[i], m, &c, context, &plain), ERR_NONE);
        assert_true(span_equal(secret_span(plain), text));
        secret_free(&plain);
        assert_int_equal(key_decrypt(&specs[i], m, &c, SPAN_LITERAL("contexts"), &plain),
                         ERR_CRYPTO);
        for (size_t bit = 0; bit < 8 * sealed.size; bit += is_rsa ? 97 : 1) {
            sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_not_equal(open_bytes(&specs[i], m, buffer_span(&sealed), context, &plain),
                                 ERR_NONE);
            sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t size = 0; size < sealed.size; size += is_rsa ? 31 : 1)
            assert_int_not_equal(
                open_bytes(&specs[i], m, span_of(sealed.data, size), context, &plain), ERR_NONE);
        assert_null(plain);
        key_material_free(&m);
        buffer_clear(&sealed);
    }
}

/* A byte that moves from the key id to the context or back: the header tells its own size. */
static void header_and_context_are_not_confused(void **state)
{
    static const struct cipher_name other = {
        {(const uint8_t *)"key-", sizeof "key-" - 1},
        3
    };
    struct key_material *m = some_key(KEY_AES_256_GCM);
    struct buffer sealed[2] = {{0}, {0}};
    struct ciphertext c[2];
    struct secret *plain = NULL;

    (void)state;
    assert_int_equal(
        key_encrypt(&specs[1], m, &name, nonce, SPAN_LITERAL(""), SPAN_LITERAL("t"), &sealed[0]),
        ERR_NONE);
    assert_int_equal(
        key_encrypt(&specs[1], m, &other, nonce, SPAN_LITERAL(""), SPAN_LITERAL("t"), &sealed[1]),
        ERR_NONE);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(ciphertext_parse(buffer_span(&sealed[i]), &c[i]), ERR_NONE);
    c[0].sealed = c[1].sealed;
    assert_int_equal(key_decrypt(&specs[1], m, &c[0], SPAN_LITERAL(""), &plain), ERR_CRYPTO);
    assert_int_equal(key_decrypt(&specs[1], m, &c[1], SPAN_LITERAL(""), &plain), ERR_NONE);
    secret_free(&plain);
    key_material_free(&m);
    buffer_clear(&sealed[0]);
    buffer_clear(&sealed[1]);
}

static void another_key_or_algorithm_does_not_open(void **state)
{
    static const struct key_spec gcm = {KEY_AES_256_GCM, ALGORITHM_AES_GCM, false};
    static const struct key_spec chacha = {KEY_CHACHA20_POLY1305, ALGORITHM_CHACHA20_POLY1305,
                                           false};
    struct key_material *m = some_key(KEY_AES_256_GCM);
    struct key_material *other = some_key(KEY_AES_256_GCM);
    struct key_material *same_bytes = NULL;
    struct buffer sealed = {0};
    struct secret *plain = NULL;
    struct ciphertext c;

    (void)state;
    assert_int_equal(key_import_private(KEY_CHACHA20_POLY1305, secret_span(m->secret), &same_bytes),
                     ERR_NONE);
    assert_int_equal(
        key_encrypt(&gcm, m, &name, nonce, SPAN_LITERAL(""), SPAN_LITERAL("text"), &sealed),
        ERR_NONE);
    assert_int_equal(ciphertext_parse(buffer_span(&sealed), &c), ERR_NONE);
    assert_int_equal(key_decrypt(&gcm, other, &c, SPAN_LITERAL(""), &plain), ERR_CRYPTO);
    assert_int_equal(key_decrypt(&chacha, same_bytes, &c, SPAN_LITERAL(""), &plain), ERR_CRYPTO);
    assert_null(plain);
    key_material_free(&same_bytes);
    key_material_free(&other);
    key_material_free(&m);
    buffer_clear(&sealed);
}

static void what_does_not_fit_is_refused(void **state)
{
    static const struct key_spec bad[] = {
        {KEY_AES_256_GCM, ALGORITHM_AES_KW,            false},
        {KEY_AES_256_GCM, ALGORITHM_CHACHA20_POLY1305, false},
        {KEY_AES_256_GCM, ALGORITHM_AES_GCM,           true }, /* raw form only */
        {KEY_HMAC_SHA256, ALGORITHM_HMAC_SHA256,       false},
        {KEY_RSA_2048,    ALGORITHM_RSA_PSS_SHA256,    false},
        {KEY_SECP256R1,   ALGORITHM_ECDSA_P256_SHA256, false},
        {KEY_ML_KEM_768,  ALGORITHM_ML_KEM_768,        false},
    };
    const struct ciphertext c = {.algorithm = ALGORITHM_AES_GCM};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct key_material *m = some_key(bad[i].type);
        struct buffer sealed = {0};
        struct secret *plain = NULL;

        assert_int_equal(
            key_encrypt(&bad[i], m, &name, nonce, SPAN_LITERAL(""), SPAN_LITERAL("t"), &sealed),
            ERR_UNSUPPORTED);
        assert_int_equal(key_decrypt(&bad[i], m, &c, SPAN_LITERAL(""), &plain), ERR_UNSUPPORTED);
        assert_int_equal(sealed.size, 0);
        key_material_free(&m);
        buffer_clear(&sealed);
    }
}

static void a_public_part_encrypts_and_cannot_decrypt(void **state)
{
    struct key_material *m = some_key(KEY_RSA_2048);
    struct key_material *public_key = public_of(m);
    struct buffer sealed = {0};
    struct secret *plain = NULL;
    static uint8_t long_text[200];

    (void)state;
    assert_int_equal(key_encrypt(&specs[3], public_key, &name, NULL, SPAN_LITERAL(""),
                                 SPAN_LITERAL("t"), &sealed),
                     ERR_NONE);
    assert_int_equal(
        open_bytes(&specs[3], public_key, buffer_span(&sealed), SPAN_LITERAL(""), &plain),
        ERR_UNSUPPORTED);
    assert_int_equal(open_bytes(&specs[3], m, buffer_span(&sealed), SPAN_LITERAL(""), &plain),
                     ERR_NONE);
    secret_free(&plain);
    buffer_clear(&sealed);
    assert_int_equal(
        key_encrypt(&specs[3], m, &name, NULL, SPAN_LITERAL(""), SPAN_OF(long_text), &sealed),
        ERR_TOO_LARGE);
    assert_int_equal(sealed.size, 0);
    buffer_clear(&sealed);
    key_material_free(&public_key);
    key_material_free(&m);
}

static void only_a_key_with_the_flag_takes_a_nonce(void **state)
{
    static const struct key_spec ours = {KEY_AES_128_GCM, ALGORITHM_AES_GCM, false};
    static const struct key_spec legacy = {KEY_AES_128_GCM, ALGORITHM_AES_GCM, true};
    const struct span none = {0};
    const struct span text = SPAN_LITERAL("text");
    struct key_material *m = some_key(KEY_AES_128_GCM);
    struct buffer sealed = {0};
    struct secret *plain = NULL;

    (void)state;
    assert_int_equal(key_encrypt_raw(&ours, m, SPAN_OF(nonce), none, text, &sealed),
                     ERR_UNSUPPORTED);
    assert_int_equal(key_encrypt_raw(&ours, m, none, none, text, &sealed), ERR_UNSUPPORTED);
    assert_int_equal(key_decrypt_raw(&ours, m, SPAN_OF(nonce), none, text, &plain),
                     ERR_UNSUPPORTED);
    assert_int_equal(key_encrypt_raw(&legacy, m, none, none, text, &sealed), ERR_UNSUPPORTED);
    assert_int_equal(key_encrypt_raw(&legacy, m, span_of(nonce, 11), none, text, &sealed),
                     ERR_MALFORMED);
    assert_int_equal(key_encrypt_raw(&legacy, m, SPAN_OF(nonce), none, text, &sealed), ERR_NONE);
    assert_int_equal(sealed.size, 4 + 16); /* as WebCrypto lays it out */
    assert_int_equal(
        key_decrypt_raw(&legacy, m, SPAN_OF(nonce), none, buffer_span(&sealed), &plain), ERR_NONE);
    assert_true(span_equal(secret_span(plain), text));
    secret_free(&plain);
    assert_int_equal(key_decrypt_raw(&legacy, m, SPAN_OF(nonce), SPAN_LITERAL("a"),
                                     buffer_span(&sealed), &plain),
                     ERR_CRYPTO);
    key_material_free(&m);
    buffer_clear(&sealed);
}

static enum algorithm aead;

/* Through a key that takes nonces from the caller. */
static void check_aead(const json_t *group, const json_t *c)
{
    struct buffer bytes = case_bytes(c, "key");
    struct buffer iv = case_bytes(c, "iv");
    struct buffer aad = case_bytes(c, "aad");
    struct buffer message = case_bytes(c, "msg");
    struct buffer sealed = case_bytes(c, "ct");
    struct buffer out = {0};
    struct key_spec key = {KEY_CHACHA20_POLY1305, aead, true};
    struct key_material *m = NULL;
    struct secret *plain = NULL;
    bool valid = case_is(c, "result", "valid");

    (void)group;
    vectors_hex(c, "tag", &sealed);
    if (aead == ALGORITHM_AES_GCM)
        key.type = bytes.size == 16 ? KEY_AES_128_GCM : KEY_AES_256_GCM;
    if (bytes.size == 24 || iv.size != CIPHERTEXT_NONCE_SIZE) {
        valid = false; /* no key type and no nonce of ours has this size */
    } else {
        assert_int_equal(key_import_private(key.type, buffer_span(&bytes), &m), ERR_NONE);
        assert_int_equal(key_decrypt_raw(&key, m, buffer_span(&iv), buffer_span(&aad),
                                         buffer_span(&sealed), &plain),
                         valid ? ERR_NONE : ERR_CRYPTO);
        assert_int_equal(key_encrypt_raw(&key, m, buffer_span(&iv), buffer_span(&aad),
                                         buffer_span(&message), &out),
                         ERR_NONE);
        assert_int_equal(span_equal(buffer_span(&out), buffer_span(&sealed)), valid);
    }
    if (valid)
        assert_true(span_equal(secret_span(plain), buffer_span(&message)));
    secret_free(&plain);
    key_material_free(&m);
    buffer_clear(&bytes);
    buffer_clear(&iv);
    buffer_clear(&aad);
    buffer_clear(&message);
    buffer_clear(&sealed);
    buffer_clear(&out);
}

static void aeads_agree_with_wycheproof(void **state)
{
    (void)state;
    aead = ALGORITHM_AES_GCM;
    wycheproof("aes_gcm/aes_gcm_test.json", check_aead);
    aead = ALGORITHM_CHACHA20_POLY1305;
    wycheproof("chacha20_poly1305/chacha20_poly1305_test.json", check_aead);
}

static void check_oaep(const json_t *group, const json_t *c)
{
    struct buffer der = case_bytes(group, "privateKeyPkcs8");
    struct buffer sealed = case_bytes(c, "ct");
    struct buffer label = case_bytes(c, "label");
    struct buffer message = case_bytes(c, "msg");
    struct key_spec key = {.algorithm = case_is(group, "mgfSha", "SHA-1")
                                            ? ALGORITHM_RSA_OAEP_SHA256_MGF1_SHA1
                                            : ALGORITHM_RSA_OAEP_SHA256};
    static struct key_material *m; /* one key for each file: to check it takes long */
    static size_t key_size;
    struct secret *plain = NULL;
    enum err e;

    if (!m || key_size != der.size) {
        key_material_free(&m);
        assert_int_equal(private_form_pkcs8(buffer_span(&der), &m), ERR_NONE);
        key_size = der.size;
    }
    key.type = m->type;
    e = key_decrypt_raw(&key, m, (struct span){0}, buffer_span(&label), buffer_span(&sealed),
                        &plain);
    assert_int_equal(e, case_is(c, "result", "valid") ? ERR_NONE : ERR_CRYPTO);
    if (e == ERR_NONE)
        assert_true(span_equal(secret_span(plain), buffer_span(&message)));
    secret_free(&plain);
    buffer_clear(&der);
    buffer_clear(&sealed);
    buffer_clear(&label);
    buffer_clear(&message);
}

static void oaep_agrees_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("rsa_oaep/rsa_oaep_2048_sha256_mgf1sha256_test.json", check_oaep);
    wycheproof("rsa_oaep/rsa_oaep_4096_sha256_mgf1sha256_test.json", check_oaep);
    wycheproof("rsa_oaep/rsa_oaep_2048_sha256_mgf1sha1_test.json", check_oaep);
}

static void failing_allocations_are_errors(void **state)
{
    struct key_material *m = some_key(KEY_AES_256_GCM);
    bool all_worked = false;

    (void)state;
    for (long n = 0; !all_worked; n++) {
        struct buffer sealed = {0};
        struct secret *plain = NULL;
        enum err e;

        assert_true(n < 1000);
        failing_begin(n);
        e = key_encrypt(&specs[1], m, &name, nonce, SPAN_LITERAL("c"), SPAN_LITERAL("t"), &sealed);
        if (e == ERR_NONE)
            e = open_bytes(&specs[1], m, buffer_span(&sealed), SPAN_LITERAL("c"), &plain);
        else
            assert_int_equal(sealed.size, 0);
        all_worked = !failing_end();
        assert_int_equal(e, all_worked ? ERR_NONE : ERR_MEMORY);
        assert_int_equal(plain != NULL, all_worked);
        secret_free(&plain);
        buffer_clear(&sealed);
    }
    key_material_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelopes_open_and_nothing_near_them_does),
        cmocka_unit_test(header_and_context_are_not_confused),
        cmocka_unit_test(another_key_or_algorithm_does_not_open),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(a_public_part_encrypts_and_cannot_decrypt),
        cmocka_unit_test(only_a_key_with_the_flag_takes_a_nonce),
        cmocka_unit_test(aeads_agree_with_wycheproof),
        cmocka_unit_test(oaep_agrees_with_wycheproof),
        cmocka_unit_test(failing_allocations_are_errors),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
