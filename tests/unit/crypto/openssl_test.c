/*
 * Compares every primitive of AWS-LC with OpenSSL's, over random inputs, and in both directions if
 * there are two: one seals or signs, the other opens or verifies.
 */
#include "unit/crypto/cases.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "crypto/aead.h"
#include "crypto/curve25519.h"
#include "crypto/hash.h"
#include "crypto/mac.h"
#include "crypto/p256.h"
#include "crypto/p256_openssl.h"
#include "crypto/p384.h"
#include "crypto/random.h"
#include "crypto/rsa_pss.h"

#define ROUNDS 100
#define MESSAGE_MAX 1024

/* A message of random size and contents; the sizes around a block of each hash come first. */
struct message {
    uint8_t bytes[MESSAGE_MAX];
    size_t size;
};

static struct span message_fill(struct message *m, size_t round)
{
    static const size_t edges[] = {0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129};
    uint16_t size;

    random_bytes(m->bytes, sizeof m->bytes);
    random_bytes(&size, sizeof size);
    m->size = round < COUNT_OF(edges) ? edges[round] : size % (MESSAGE_MAX + 1);
    return span_of(m->bytes, m->size);
}

static void hashes_agree(void **state)
{
    static const struct {
        void (*ours)(struct span bytes, uint8_t *out);
        const EVP_MD *(*theirs)(void);
    } cases[] = {
        {sha256, EVP_sha256},
        {sha384, EVP_sha384},
        {sha512, EVP_sha512},
    };
    struct message m;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t round = 0; round < ROUNDS; round++) {
            struct span message = message_fill(&m, round);
            uint8_t ours[SHA512_SIZE];
            uint8_t theirs[EVP_MAX_MD_SIZE];
            unsigned size = 0;

            cases[i].ours(message, ours);
            assert_int_equal(EVP_Digest(m.bytes, m.size, theirs, &size, cases[i].theirs(), NULL),
                             1);
            assert_memory_equal(ours, theirs, size);
        }
}

static void their_hmac(struct span key, struct span message, uint8_t out[HMAC_SHA256_SIZE])
{
    size_t size = 0;

    assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL,
                              key.size ? key.data : (const uint8_t *)"", key.size, message.data,
                              message.size, out, HMAC_SHA256_SIZE, &size));
    assert_int_equal(size, HMAC_SHA256_SIZE);
}

static void hmac_agrees(void **state)
{
    struct message key;
    struct message m;

    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct span k = message_fill(&key, round);
        struct span message = message_fill(&m, round + 3);
        uint8_t ours[HMAC_SHA256_SIZE];
        uint8_t theirs[HMAC_SHA256_SIZE];

        hmac_sha256(k, &message, 1, ours);
        their_hmac(k, message, theirs);
        assert_memory_equal(ours, theirs, sizeof ours);
    }
}

static void hkdf_agrees(void **state)
{
    struct message ikm;
    struct message salt;

    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct span k = message_fill(&ikm, round + 1);
        struct span s = message_fill(&salt, round);
        EVP_PKEY_CTX *work = EVP_PKEY_CTX_new_from_name(NULL, "HKDF", NULL);
        uint8_t ours[100];
        uint8_t theirs[100];
        size_t size = sizeof theirs;

        assert_int_equal(hkdf_sha256(s, k, SPAN_LITERAL("info"), ours, sizeof ours), ERR_NONE);
        assert_int_equal(EVP_PKEY_derive_init(work), 1);
        assert_int_equal(EVP_PKEY_CTX_set_hkdf_md(work, EVP_sha256()), 1);
        if (s.size > 0)
            assert_int_equal(EVP_PKEY_CTX_set1_hkdf_salt(work, s.data, (int)s.size), 1);
        assert_int_equal(EVP_PKEY_CTX_set1_hkdf_key(work, k.data, (int)k.size), 1);
        assert_int_equal(EVP_PKEY_CTX_add1_hkdf_info(work, (const unsigned char *)"info", 4), 1);
        assert_int_equal(EVP_PKEY_derive(work, theirs, &size), 1);
        assert_memory_equal(ours, theirs, sizeof ours);
        EVP_PKEY_CTX_free(work);
    }
}

/* OpenSSL has no XChaCha20; its vectors are in aead_test.c. */
static void their_seal(const uint8_t *key, const uint8_t *nonce, struct span aad, struct span plain,
                       uint8_t *out)
{
    EVP_CIPHER_CTX *work = EVP_CIPHER_CTX_new();
    int size = 0;

    assert_int_equal(EVP_EncryptInit_ex2(work, EVP_chacha20_poly1305(), key, nonce, NULL), 1);
    assert_int_equal(EVP_EncryptUpdate(work, NULL, &size, aad.data, (int)aad.size), 1);
    assert_int_equal(EVP_EncryptUpdate(work, out, &size, plain.data, (int)plain.size), 1);
    assert_int_equal(EVP_EncryptFinal_ex(work, out + plain.size, &size), 1);
    assert_int_equal(
        EVP_CIPHER_CTX_ctrl(work, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, out + plain.size), 1);
    EVP_CIPHER_CTX_free(work);
}

static void aead_agrees(void **state)
{
    uint8_t key[AEAD_KEY_SIZE];
    uint8_t nonce[AEAD_NONCE_SIZE];
    struct message aad;
    struct message m;

    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct span bound = message_fill(&aad, round);
        struct span plain = message_fill(&m, round + 2);
        uint8_t ours[MESSAGE_MAX + AEAD_TAG_SIZE];
        uint8_t theirs[MESSAGE_MAX + AEAD_TAG_SIZE];
        uint8_t opened[MESSAGE_MAX];
        size_t size = plain.size + AEAD_TAG_SIZE;

        random_bytes(key, sizeof key);
        random_bytes(nonce, sizeof nonce);
        aead_seal(AEAD_CHACHA20_POLY1305, key, nonce, bound, plain, ours);
        their_seal(key, nonce, bound, plain, theirs);
        assert_memory_equal(ours, theirs, size);
        assert_int_equal(
            aead_open(AEAD_CHACHA20_POLY1305, key, nonce, bound, span_of(theirs, size), opened),
            ERR_NONE);
        assert_memory_equal(opened, plain.data, plain.size);
    }
}

static EVP_PKEY *raw_private(int type, const uint8_t bytes[32])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(type, NULL, bytes, 32);

    assert_non_null(key);
    return key;
}

static void x25519_agrees(void **state)
{
    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        uint8_t private_key[X25519_SIZE];
        uint8_t other[X25519_SIZE];
        uint8_t peer[X25519_SIZE];
        uint8_t ours[X25519_SIZE];
        uint8_t theirs[X25519_SIZE];
        size_t size = sizeof theirs;
        EVP_PKEY *key, *peer_key;
        EVP_PKEY_CTX *work;

        random_bytes(private_key, sizeof private_key);
        random_bytes(other, sizeof other);
        x25519_public(other, peer);
        key = raw_private(EVP_PKEY_X25519, private_key);
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, theirs, &size), 1);
        x25519_public(private_key, ours);
        assert_memory_equal(ours, theirs, sizeof ours);

        peer_key = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, sizeof peer);
        work = EVP_PKEY_CTX_new(key, NULL);
        assert_int_equal(EVP_PKEY_derive_init(work), 1);
        assert_int_equal(EVP_PKEY_derive_set_peer(work, peer_key), 1);
        assert_int_equal(EVP_PKEY_derive(work, theirs, &size), 1);
        assert_int_equal(x25519(private_key, peer, ours), ERR_NONE);
        assert_memory_equal(ours, theirs, sizeof ours);
        EVP_PKEY_CTX_free(work);
        EVP_PKEY_free(peer_key);
        EVP_PKEY_free(key);
    }
}

static void ed25519_agrees(void **state)
{
    struct message m;

    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct span message = message_fill(&m, round);
        uint8_t seed[ED25519_SEED_SIZE];
        uint8_t public_key[ED25519_PUBLIC_SIZE];
        uint8_t theirs[ED25519_SIGNATURE_SIZE];
        uint8_t ours[ED25519_SIGNATURE_SIZE];
        size_t size = sizeof theirs;
        EVP_MD_CTX *work = EVP_MD_CTX_new();
        EVP_PKEY *key;

        random_bytes(seed, sizeof seed);
        key = raw_private(EVP_PKEY_ED25519, seed);
        assert_int_equal(EVP_DigestSignInit(work, NULL, NULL, NULL, key), 1);
        assert_int_equal(EVP_DigestSign(work, theirs, &size, message.data, message.size), 1);
        ed25519_sign(seed, message, ours); /* deterministic: the same bytes */
        assert_memory_equal(ours, theirs, sizeof ours);
        ed25519_public(seed, public_key);
        assert_int_equal(ed25519_verify(public_key, message, theirs), ERR_NONE);
        theirs[round % sizeof theirs] ^= 1;
        assert_int_equal(ed25519_verify(public_key, message, theirs), ERR_CRYPTO);
        EVP_MD_CTX_free(work);
        EVP_PKEY_free(key);
    }
}

/* r || s of an Ecdsa-Sig-Value, and back. */
static void raw_of(const uint8_t *der, size_t der_size, int scalar_size, uint8_t *raw)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)der_size);

    assert_non_null(pair);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, scalar_size), scalar_size);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + scalar_size, scalar_size),
                     scalar_size);
    ECDSA_SIG_free(pair);
}

static bool they_verify(EVP_PKEY *key, struct span message, const uint8_t raw[P256_SIGNATURE_SIZE])
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    EVP_MD_CTX *work = EVP_MD_CTX_new();
    unsigned char *der = NULL;
    int size;
    bool good;

    assert_int_equal(ECDSA_SIG_set0(pair, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL)),
                     1);
    size = i2d_ECDSA_SIG(pair, &der);
    assert_true(size > 0);
    assert_int_equal(EVP_DigestVerifyInit(work, NULL, EVP_sha256(), NULL, key), 1);
    good = EVP_DigestVerify(work, der, (size_t)size, message.data, message.size) == 1;
    EVP_MD_CTX_free(work);
    ECDSA_SIG_free(pair);
    OPENSSL_free(der);
    return good;
}

static size_t they_sign(EVP_PKEY *key, const EVP_MD *hash, struct span message, uint8_t *out,
                        size_t capacity)
{
    EVP_MD_CTX *work = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestSignInit(work, NULL, hash, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(work, out, &capacity, message.data, message.size), 1);
    EVP_MD_CTX_free(work);
    return capacity;
}

static void p256_agrees(void **state)
{
    struct message m;

    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct span message = message_fill(&m, round);
        struct p256_private *key = NULL;
        struct p256_public *public_key = NULL;
        EVP_PKEY *theirs = NULL;
        uint8_t point[P256_POINT_SIZE];
        uint8_t raw[P256_SIGNATURE_SIZE];
        uint8_t der[80];
        uint8_t sec1[1 + P256_POINT_SIZE];
        size_t size = 0;

        assert_int_equal(p256_generate(&key), ERR_NONE);
        p256_private_point(key, point);
        assert_int_equal(p256_public_from_point(point, &public_key), ERR_NONE);
        assert_int_equal(p256_openssl_key(key, &theirs), ERR_NONE);
        /* the point that OpenSSL computes from the scalar by itself */
        assert_int_equal(EVP_PKEY_get_octet_string_param(theirs, OSSL_PKEY_PARAM_PUB_KEY, sec1,
                                                         sizeof sec1, &size),
                         1);
        assert_memory_equal(sec1 + 1, point, sizeof point);

        assert_int_equal(p256_sign(key, message, raw), ERR_NONE);
        assert_true(they_verify(theirs, message, raw));
        size = they_sign(theirs, EVP_sha256(), message, der, sizeof der);
        raw_of(der, size, P256_SCALAR_SIZE, raw);
        assert_int_equal(p256_verify(public_key, message, raw), ERR_NONE);
        raw[round % sizeof raw] ^= 1;
        assert_int_equal(p256_verify(public_key, message, raw), ERR_CRYPTO);
        EVP_PKEY_free(theirs);
        p256_public_free(&public_key);
        p256_private_free(&key);
    }
}

/* bytes mod (n - 1) + 1, by OpenSSL's numbers. */
static void p256_derivation_agrees(void **state)
{
    BN_CTX *scratch = BN_CTX_new();
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *limit = BN_dup(EC_GROUP_get0_order(group));

    (void)state;
    assert_int_equal(BN_sub_word(limit, 1), 1);
    for (size_t round = 0; round < 10 * (size_t)ROUNDS; round++) {
        uint8_t bytes[P256_DERIVE_SIZE];
        uint8_t ours[P256_SCALAR_SIZE];
        uint8_t theirs[P256_SCALAR_SIZE];
        struct p256_private *key = NULL;
        BIGNUM *number;

        random_bytes(bytes, sizeof bytes);
        if (round % 4 == 0) /* long runs of the same bit find wrong carries */
            memset(bytes + round % 40, round % 8 ? 0xff : 0, 8);
        number = BN_bin2bn(bytes, sizeof bytes, NULL);
        assert_int_equal(BN_mod(number, number, limit, scratch), 1);
        assert_int_equal(BN_add_word(number, 1), 1);
        assert_int_equal(BN_bn2binpad(number, theirs, sizeof theirs), (int)sizeof theirs);
        assert_int_equal(p256_derive(bytes, &key), ERR_NONE);
        p256_private_scalar(key, ours);
        assert_memory_equal(ours, theirs, sizeof ours);
        p256_private_free(&key);
        BN_free(number);
    }
    BN_free(limit);
    EC_GROUP_free(group);
    BN_CTX_free(scratch);
}

static void p384_agrees(void **state)
{
    struct message m;

    (void)state;
    for (size_t round = 0; round < ROUNDS / 4; round++) {
        struct span message = message_fill(&m, round);
        EVP_PKEY *theirs = EVP_EC_gen("P-384");
        struct p384_public *key = NULL;
        uint8_t sec1[1 + P384_POINT_SIZE];
        uint8_t raw[P384_SIGNATURE_SIZE];
        uint8_t der[112];
        size_t size = 0;

        assert_int_equal(EVP_PKEY_get_octet_string_param(theirs, OSSL_PKEY_PARAM_PUB_KEY, sec1,
                                                         sizeof sec1, &size),
                         1);
        assert_int_equal(p384_public_from_point(sec1 + 1, &key), ERR_NONE);
        size = they_sign(theirs, EVP_sha384(), message, der, sizeof der);
        raw_of(der, size, P384_SCALAR_SIZE, raw);
        assert_int_equal(p384_verify(key, message, raw), ERR_NONE);
        raw[round % sizeof raw] ^= 1;
        assert_int_equal(p384_verify(key, message, raw), ERR_CRYPTO);
        p384_public_free(&key);
        EVP_PKEY_free(theirs);
    }
}

static void rsa_pss_agrees(void **state)
{
    EVP_PKEY *key = EVP_RSA_gen(4096);
    BIGNUM *number = NULL;
    uint8_t modulus[RSA4096_SIZE];
    struct message m;

    (void)state;
    assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &number), 1);
    assert_int_equal(BN_bn2binpad(number, modulus, sizeof modulus), (int)sizeof modulus);
    for (size_t round = 0; round < 5; round++)
        for (int salt = 47; salt <= 49; salt++) {
            struct span message = message_fill(&m, round);
            EVP_MD_CTX *work = EVP_MD_CTX_new();
            EVP_PKEY_CTX *settings = NULL;
            uint8_t signature[RSA4096_SIZE];
            size_t size = sizeof signature;

            assert_int_equal(EVP_DigestSignInit(work, &settings, EVP_sha384(), NULL, key), 1);
            assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING), 1);
            assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, salt), 1);
            assert_int_equal(EVP_DigestSign(work, signature, &size, message.data, message.size), 1);
            assert_int_equal(rsa4096_pss_verify(modulus, message, SPAN_OF(signature)),
                             salt == 48 ? ERR_NONE : ERR_CRYPTO);
            signature[round] ^= 1;
            assert_int_equal(rsa4096_pss_verify(modulus, message, SPAN_OF(signature)), ERR_CRYPTO);
            EVP_MD_CTX_free(work);
        }
    BN_free(number);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_agree),  cmocka_unit_test(hmac_agrees),
        cmocka_unit_test(hkdf_agrees),   cmocka_unit_test(aead_agrees),
        cmocka_unit_test(x25519_agrees), cmocka_unit_test(ed25519_agrees),
        cmocka_unit_test(p256_agrees),   cmocka_unit_test(p256_derivation_agrees),
        cmocka_unit_test(p384_agrees),   cmocka_unit_test(rsa_pss_agrees),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
