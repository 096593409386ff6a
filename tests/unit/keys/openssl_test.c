/*
 * Keys against OpenSSL, in both directions and over random input: OpenSSL makes a key, and we
 * import it; we export it, and OpenSSL reads it; one signs, encrypts or wraps, and the other
 * verifies, decrypts or unwraps. OpenSSL 3.0 has no ML-DSA and no ML-KEM.
 */
#include "unit/keys/keys.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "keys/key_cipher.h"
#include "keys/key_derive.h"
#include "keys/key_sign.h"
#include "keys/key_wrap.h"
#include "keys/public_form.h"

enum { ROUNDS = 8, TEXT_MAX = 200 };

static const struct {
    enum key_type type;
    const char *algorithm, *parameter; /* of EVP_PKEY_Q_keygen() */
    unsigned bits;
} made[] = {
    {KEY_SECP256R1, "EC",      "P-256",     0   },
    {KEY_SECP384R1, "EC",      "P-384",     0   },
    {KEY_SECP256K1, "EC",      "secp256k1", 0   },
    {KEY_ED25519,   "ED25519", NULL,        0   },
    {KEY_X25519,    "X25519",  NULL,        0   },
    {KEY_RSA_2048,  "RSA",     NULL,        2048},
};

static EVP_PKEY *make_theirs(size_t i)
{
    EVP_PKEY *key;

    if (made[i].bits)
        key = EVP_PKEY_Q_keygen(NULL, NULL, made[i].algorithm, (size_t)made[i].bits);
    else if (made[i].parameter)
        key = EVP_PKEY_Q_keygen(NULL, NULL, made[i].algorithm, made[i].parameter);
    else
        key = EVP_PKEY_Q_keygen(NULL, NULL, made[i].algorithm);
    assert_non_null(key);
    return key;
}

static struct key_material *import_theirs(const EVP_PKEY *theirs)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(theirs);
    struct key_material *ours = NULL;
    uint8_t *der = NULL;
    int size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);

    assert_true(size > 0);
    assert_int_equal(private_form_pkcs8(span_of(der, (size_t)size), &ours), ERR_NONE);
    OPENSSL_free(der);
    PKCS8_PRIV_KEY_INFO_free(info);
    return ours;
}

static EVP_PKEY *export_ours(const struct key_material *ours)
{
    struct secret *der = NULL;
    const uint8_t *at;
    PKCS8_PRIV_KEY_INFO *info;
    EVP_PKEY *theirs;

    assert_int_equal(private_form_write(ours, &der), ERR_NONE);
    at = secret_data(der);
    info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)secret_size(der));
    assert_non_null(info);
    theirs = EVP_PKCS82PKEY(info);
    assert_non_null(theirs);
    PKCS8_PRIV_KEY_INFO_free(info);
    secret_free(&der);
    return theirs;
}

static void keys_go_to_openssl_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(made); i++) {
        EVP_PKEY *theirs = make_theirs(i);
        struct key_material *ours = import_theirs(theirs);
        EVP_PKEY *back = export_ours(ours);
        uint8_t spki[SPKI_MAX];
        uint8_t *their_spki = NULL;
        size_t size = 0;
        int their_size = i2d_PUBKEY(theirs, &their_spki);

        assert_int_equal(ours->type, made[i].type);
        assert_int_equal(EVP_PKEY_eq(theirs, back), 1);
        assert_int_equal(spki_write(ours, spki, &size), ERR_NONE);
        assert_true(span_equal(span_of(spki, size), span_of(their_spki, (size_t)their_size)));
        OPENSSL_free(their_spki);
        EVP_PKEY_free(back);
        EVP_PKEY_free(theirs);
        key_material_free(&ours);
    }
}

static const struct signing {
    size_t made; /* index above */
    enum algorithm algorithm;
    const char *digest;
    bool pss;
} signings[] = {
    {0, ALGORITHM_ECDSA_P256_SHA256,      "SHA256", false},
    {1, ALGORITHM_ECDSA_P384_SHA384,      "SHA384", false},
    {2, ALGORITHM_ECDSA_SECP256K1_SHA256, "SHA256", false},
    {3, ALGORITHM_EDDSA,                  NULL,     false},
    {5, ALGORITHM_RSA_PKCS1_SHA256,       "SHA256", false},
    {5, ALGORITHM_RSA_PKCS1_SHA384,       "SHA384", false},
    {5, ALGORITHM_RSA_PKCS1_SHA512,       "SHA512", false},
    {5, ALGORITHM_RSA_PSS_SHA256,         "SHA256", true },
    {5, ALGORITHM_RSA_PSS_SHA384,         "SHA384", true },
    {5, ALGORITHM_RSA_PSS_SHA512,         "SHA512", true },
};

static void set_pss(const struct signing *s, EVP_PKEY_CTX *work)
{
    if (!s->pss)
        return;
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(work, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(work, RSA_PSS_SALTLEN_DIGEST), 1);
}

static bool they_verify(const struct signing *s, EVP_PKEY *key, struct span text,
                        struct span signature)
{
    EVP_MD_CTX *work = EVP_MD_CTX_new();
    EVP_PKEY_CTX *inner = NULL;
    bool good;

    assert_int_equal(EVP_DigestVerifyInit_ex(work, &inner, s->digest, NULL, NULL, key, NULL), 1);
    set_pss(s, inner);
    good = EVP_DigestVerify(work, signature.data, signature.size, text.data, text.size) == 1;
    EVP_MD_CTX_free(work);
    return good;
}

static void they_sign(const struct signing *s, EVP_PKEY *key, struct span text, uint8_t *out,
                      size_t *size)
{
    EVP_MD_CTX *work = EVP_MD_CTX_new();
    EVP_PKEY_CTX *inner = NULL;

    assert_int_equal(EVP_DigestSignInit_ex(work, &inner, s->digest, NULL, NULL, key, NULL), 1);
    set_pss(s, inner);
    assert_int_equal(EVP_DigestSign(work, out, size, text.data, text.size), 1);
    EVP_MD_CTX_free(work);
}

static void signatures_verify_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(signings); i++) {
        const struct signing *s = &signings[i];
        const struct key_spec spec = {made[s->made].type, s->algorithm, false};
        const struct sign_options options = {.der = algorithm_info(s->algorithm)->has_der};
        EVP_PKEY *theirs = make_theirs(s->made);
        struct key_material *ours = import_theirs(theirs);

        for (int round = 0; round < ROUNDS; round++) {
            uint8_t bytes[TEXT_MAX];
            uint8_t signature[512];
            size_t size = sizeof signature;
            struct span text = span_of(bytes, (size_t)round * 25);

            random_bytes(bytes, sizeof bytes);
            they_sign(s, theirs, text, signature, &size);
            assert_int_equal(key_verify(&spec, ours, &options, text, span_of(signature, size)),
                             ERR_NONE);
            assert_int_equal(key_sign(&spec, ours, &options, text, signature, &size), ERR_NONE);
            assert_true(they_verify(s, theirs, text, span_of(signature, size)));
            assert_false(they_verify(s, theirs, SPAN_OF(bytes), span_of(signature, size)));
        }
        EVP_PKEY_free(theirs);
        key_material_free(&ours);
    }
}

static void agreements_agree(void **state)
{
    static const size_t agreeing[] = {0, 1, 2, 4};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(agreeing); i++) {
        EVP_PKEY *theirs = make_theirs(agreeing[i]);
        EVP_PKEY *peer = make_theirs(agreeing[i]);
        struct key_material *ours = import_theirs(theirs);
        struct key_material *our_peer = import_theirs(peer);
        const struct key_spec spec = {ours->type, ALGORITHM_ECDH, false};
        const struct derive_input input = {.peer = key_public(our_peer),
                                           .size = key_type_info(ours->type)->private_min};
        struct secret *shared = NULL;
        EVP_PKEY_CTX *work = EVP_PKEY_CTX_new(theirs, NULL);
        uint8_t expected[64];
        size_t size = sizeof expected;

        assert_int_equal(EVP_PKEY_derive_init(work), 1);
        assert_int_equal(EVP_PKEY_derive_set_peer(work, peer), 1);
        assert_int_equal(EVP_PKEY_derive(work, expected, &size), 1);
        assert_int_equal(key_derive(&spec, ours, &input, &shared), ERR_NONE);
        assert_true(span_equal(secret_span(shared), span_of(expected, size)));
        secret_free(&shared);
        EVP_PKEY_CTX_free(work);
        key_material_free(&our_peer);
        key_material_free(&ours);
        EVP_PKEY_free(peer);
        EVP_PKEY_free(theirs);
    }
}

static EVP_PKEY_CTX *their_oaep(EVP_PKEY *key, int (*init)(EVP_PKEY_CTX *), const EVP_MD *digest,
                                const EVP_MD *mgf)
{
    EVP_PKEY_CTX *work = EVP_PKEY_CTX_new(key, NULL);

    assert_int_equal(init(work), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(work, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(work, digest), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(work, mgf), 1);
    return work;
}

static void oaep_decrypts_both_ways(void **state)
{
    const struct {
        enum algorithm algorithm;
        const EVP_MD *digest, *mgf;
    } cases[] = {
        {ALGORITHM_RSA_OAEP_SHA256,           EVP_sha256(), EVP_sha256()},
        {ALGORITHM_RSA_OAEP_SHA256_MGF1_SHA1, EVP_sha256(), EVP_sha1()  },
        {ALGORITHM_RSA_OAEP_SHA384,           EVP_sha384(), EVP_sha384()},
        {ALGORITHM_RSA_OAEP_SHA512,           EVP_sha512(), EVP_sha512()},
        {ALGORITHM_RSA_OAEP_SHA1,             EVP_sha1(),   EVP_sha1()  },
    };
    EVP_PKEY *theirs = make_theirs(5);
    struct key_material *ours = import_theirs(theirs);
    const struct span none = {0};
    const struct span text = SPAN_LITERAL("a key of 32 bytes that is wrapped");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct key_spec spec = {KEY_RSA_2048, cases[i].algorithm, false};
        EVP_PKEY_CTX *work =
            their_oaep(theirs, EVP_PKEY_encrypt_init, cases[i].digest, cases[i].mgf);
        uint8_t bytes[256];
        size_t size = sizeof bytes;
        struct secret *plain = NULL;
        struct buffer sealed = {0};

        assert_int_equal(EVP_PKEY_encrypt(work, bytes, &size, text.data, text.size), 1);
        EVP_PKEY_CTX_free(work);
        assert_int_equal(key_decrypt_raw(&spec, ours, none, none, span_of(bytes, size), &plain),
                         ERR_NONE);
        assert_true(span_equal(secret_span(plain), text));
        secret_free(&plain);
        assert_int_equal(key_unwrap(&spec, ours, none, span_of(bytes, size), &plain), ERR_NONE);
        secret_free(&plain);
        assert_int_equal(key_encrypt_raw(&spec, ours, none, none, text, &sealed), ERR_NONE);
        work = their_oaep(theirs, EVP_PKEY_decrypt_init, cases[i].digest, cases[i].mgf);
        size = sizeof bytes;
        assert_int_equal(EVP_PKEY_decrypt(work, bytes, &size, sealed.data, sealed.size), 1);
        assert_true(span_equal(span_of(bytes, size), text));
        EVP_PKEY_CTX_free(work);
        buffer_clear(&sealed);
    }
    key_material_free(&ours);
    EVP_PKEY_free(theirs);
}

/* ciphertext || tag, as WebCrypto and key_encrypt_raw() lay it out. */
static size_t they_seal(const EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *nonce,
                        struct span aad, struct span text, uint8_t *out)
{
    EVP_CIPHER_CTX *work = EVP_CIPHER_CTX_new();
    int part = 0;
    int size = 0;

    assert_int_equal(EVP_EncryptInit_ex(work, cipher, NULL, key, nonce), 1);
    if (aad.size > 0)
        assert_int_equal(EVP_EncryptUpdate(work, NULL, &part, aad.data, (int)aad.size), 1);
    if (text.size > 0)
        assert_int_equal(EVP_EncryptUpdate(work, out, &size, text.data, (int)text.size), 1);
    assert_int_equal(EVP_EncryptFinal_ex(work, out + size, &part), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(work, EVP_CTRL_AEAD_GET_TAG, 16, out + size), 1);
    EVP_CIPHER_CTX_free(work);
    return (size_t)size + 16;
}

static void aeads_agree(void **state)
{
    const struct {
        struct key_spec spec;
        const EVP_CIPHER *cipher;
    } cases[] = {
        {{KEY_AES_128_GCM, ALGORITHM_AES_GCM, true},                 EVP_aes_128_gcm()      },
        {{KEY_AES_256_GCM, ALGORITHM_AES_GCM, true},                 EVP_aes_256_gcm()      },
        {{KEY_CHACHA20_POLY1305, ALGORITHM_CHACHA20_POLY1305, true}, EVP_chacha20_poly1305()},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct key_material *m = some_key(cases[i].spec.type);

        for (size_t size = 0; size < TEXT_MAX; size += 13) {
            uint8_t bytes[TEXT_MAX];
            uint8_t nonce[CIPHERTEXT_NONCE_SIZE];
            uint8_t expected[TEXT_MAX + 16];
            const struct span text = span_of(bytes, size);
            const struct span aad = span_of(bytes, size / 3);
            struct buffer sealed = {0};
            size_t total;

            random_bytes(bytes, sizeof bytes);
            random_bytes(nonce, sizeof nonce);
            total =
                they_seal(cases[i].cipher, secret_span(m->secret).data, nonce, aad, text, expected);
            assert_int_equal(key_encrypt_raw(&cases[i].spec, m, SPAN_OF(nonce), aad, text, &sealed),
                             ERR_NONE);
            assert_true(span_equal(buffer_span(&sealed), span_of(expected, total)));
            buffer_clear(&sealed);
        }
        key_material_free(&m);
    }
}

static void wrappings_agree(void **state)
{
    const struct {
        struct key_spec spec;
        const EVP_CIPHER *cipher;
        size_t size;
    } cases[] = {
        {{KEY_AES_128_GCM, ALGORITHM_AES_KW, false},  EVP_aes_128_wrap(),     32},
        {{KEY_AES_256_GCM, ALGORITHM_AES_KW, false},  EVP_aes_256_wrap(),     40},
        {{KEY_AES_128_GCM, ALGORITHM_AES_KWP, false}, EVP_aes_128_wrap_pad(), 33},
        {{KEY_AES_256_GCM, ALGORITHM_AES_KWP, false}, EVP_aes_256_wrap_pad(), 7 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct key_material *m = some_key(cases[i].spec.type);
        EVP_CIPHER_CTX *work = EVP_CIPHER_CTX_new();
        uint8_t bytes[64];
        uint8_t expected[96];
        struct buffer wrapped = {0};
        int size = 0;

        random_bytes(bytes, sizeof bytes);
        EVP_CIPHER_CTX_set_flags(work, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        assert_int_equal(
            EVP_EncryptInit_ex(work, cases[i].cipher, NULL, secret_span(m->secret).data, NULL), 1);
        assert_int_equal(EVP_EncryptUpdate(work, expected, &size, bytes, (int)cases[i].size), 1);
        assert_int_equal(
            key_wrap(&cases[i].spec, m, (struct span){0}, span_of(bytes, cases[i].size), &wrapped),
            ERR_NONE);
        assert_true(span_equal(buffer_span(&wrapped), span_of(expected, (size_t)size)));
        buffer_clear(&wrapped);
        EVP_CIPHER_CTX_free(work);
        key_material_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_go_to_openssl_and_back),
        cmocka_unit_test(signatures_verify_both_ways),
        cmocka_unit_test(agreements_agree),
        cmocka_unit_test(oaep_decrypts_both_ways),
        cmocka_unit_test(aeads_agree),
        cmocka_unit_test(wrappings_agree),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
