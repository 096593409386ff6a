/* ML-DSA-65 and ML-KEM-768. The known answers are those of Wycheproof (C2SP/wycheproof,
 * testvectors_v1), shortened to the ends of each public key. */
#include "unit/crypto/cases.h"

#include "crypto/mldsa.h"
#include "crypto/mlkem.h"
#include "crypto/random.h"
#include "unit/crypto/failing_aws_lc.h"

static void must_start_and_end(struct span bytes, const char *start, const char *end)
{
    uint8_t expected[16];

    hex_bytes(start, expected, sizeof expected);
    assert_memory_equal(bytes.data, expected, sizeof expected);
    hex_bytes(end, expected, sizeof expected);
    assert_memory_equal(bytes.data + bytes.size - sizeof expected, expected, sizeof expected);
}

/* mldsa_65_sign_seed_test.json, first group. */
static void ml_dsa_keys_agree_with_wycheproof(void **state)
{
    uint8_t seed[MLDSA65_SEED_SIZE];
    uint8_t public_key[MLDSA65_PUBLIC_SIZE];

    (void)state;
    memset(seed, 0x2a, sizeof seed);
    assert_int_equal(mldsa65_public(seed, public_key), ERR_NONE);
    must_start_and_end(SPAN_OF(public_key), "f5408337d0fee65c28851226a5fa81b5",
                       "1c5da714ad29d580fb194f87173a18dc");
}

/* mlkem_768_keygen_seed_test.json, tcId 1. */
static void ml_kem_keys_agree_with_wycheproof(void **state)
{
    uint8_t seed[MLKEM768_SEED_SIZE];
    uint8_t public_key[MLKEM768_PUBLIC_SIZE];

    (void)state;
    hex_bytes("7c9935a0b07694aa0c6d10e4db6b1add2fd81a25ccb148032dcd739936737f2d"
              "8626ed79d451140800e03b59b956f8210e556067407d13dc90fa9e8b872bfb8f",
              seed, sizeof seed);
    assert_int_equal(mlkem768_public(seed, public_key), ERR_NONE);
    must_start_and_end(SPAN_OF(public_key), "a8e651a1e685f22478a8954f007bc771",
                       "c4e8315f2af0d32f0017ae136e19f028");
    assert_int_equal(mlkem768_public_check(public_key), ERR_NONE);
}

static void ml_dsa_signatures_verify_and_nothing_near_them_does(void **state)
{
    uint8_t seed[MLDSA65_SEED_SIZE];
    uint8_t public_key[MLDSA65_PUBLIC_SIZE];
    uint8_t signature[MLDSA65_SIGNATURE_SIZE + 1] = {0};
    struct span whole = span_of(signature, MLDSA65_SIGNATURE_SIZE);
    struct span text = SPAN_LITERAL("message");

    (void)state;
    random_bytes(seed, sizeof seed);
    assert_int_equal(mldsa65_public(seed, public_key), ERR_NONE);
    assert_int_equal(mldsa65_sign(seed, text, signature), ERR_NONE);
    assert_int_equal(mldsa65_verify(public_key, text, whole), ERR_NONE);
    assert_int_equal(mldsa65_verify(public_key, SPAN_LITERAL("massage"), whole), ERR_CRYPTO);
    assert_int_equal(mldsa65_verify(public_key, text, SPAN_OF(signature)), ERR_CRYPTO);
    assert_int_equal(mldsa65_verify(public_key, text, span_of(signature, whole.size - 1)),
                     ERR_CRYPTO);
    assert_int_equal(mldsa65_verify(public_key, text, (struct span){0}), ERR_CRYPTO);
    for (size_t bit = 0; bit < 8 * whole.size; bit += 211) {
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(mldsa65_verify(public_key, text, whole), ERR_CRYPTO);
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void ml_kem_gives_both_sides_one_secret(void **state)
{
    uint8_t seed[MLKEM768_SEED_SIZE];
    uint8_t random[MLKEM768_RANDOM_SIZE];
    uint8_t public_key[MLKEM768_PUBLIC_SIZE];
    uint8_t ciphertext[2][MLKEM768_CIPHERTEXT_SIZE];
    uint8_t shared[3][MLKEM768_SHARED_SIZE];

    (void)state;
    random_bytes(seed, sizeof seed);
    random_bytes(random, sizeof random);
    assert_int_equal(mlkem768_public(seed, public_key), ERR_NONE);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(mlkem768_encapsulate(public_key, random, ciphertext[i], shared[i]),
                         ERR_NONE);
    assert_memory_equal(ciphertext[0], ciphertext[1], sizeof ciphertext[0]);
    assert_memory_equal(shared[0], shared[1], sizeof shared[0]);
    assert_int_equal(mlkem768_decapsulate(seed, ciphertext[0], shared[2]), ERR_NONE);
    assert_memory_equal(shared[0], shared[2], sizeof shared[0]);
    ciphertext[0][7] ^= 1; /* implicit rejection: other bytes, no error */
    assert_int_equal(mlkem768_decapsulate(seed, ciphertext[0], shared[1]), ERR_NONE);
    assert_false(span_equal(SPAN_OF(shared[0]), SPAN_OF(shared[1])));
}

/* FIPS 203 section 7.2: coefficients are 12 bits wide and must be below 3329. */
static void ml_kem_refuses_coefficients_that_are_not_reduced(void **state)
{
    uint8_t seed[MLKEM768_SEED_SIZE] = {1};
    uint8_t random[MLKEM768_RANDOM_SIZE] = {2};
    uint8_t public_key[MLKEM768_PUBLIC_SIZE];
    uint8_t ciphertext[MLKEM768_CIPHERTEXT_SIZE];
    uint8_t shared[MLKEM768_SHARED_SIZE];

    (void)state;
    assert_int_equal(mlkem768_public(seed, public_key), ERR_NONE);
    public_key[0] = 0xff;
    public_key[1] |= 0x0f;
    assert_int_equal(mlkem768_public_check(public_key), ERR_CRYPTO);
    assert_int_equal(mlkem768_encapsulate(public_key, random, ciphertext, shared), ERR_CRYPTO);
}

static bool all_works(void)
{
    static uint8_t signature[MLDSA65_SIGNATURE_SIZE];
    static uint8_t public_key[MLDSA65_PUBLIC_SIZE];
    static uint8_t ciphertext[MLKEM768_CIPHERTEXT_SIZE];
    uint8_t seed[MLKEM768_SEED_SIZE] = {3};
    uint8_t shared[MLKEM768_SHARED_SIZE];

    return mldsa65_public(seed, public_key) == ERR_NONE &&
           mldsa65_sign(seed, SPAN_LITERAL("m"), signature) == ERR_NONE &&
           mldsa65_verify(public_key, SPAN_LITERAL("m"), SPAN_OF(signature)) == ERR_NONE &&
           mlkem768_public(seed, public_key) == ERR_NONE &&
           mlkem768_public_check(public_key) == ERR_NONE &&
           mlkem768_encapsulate(public_key, seed, ciphertext, shared) == ERR_NONE &&
           mlkem768_decapsulate(seed, ciphertext, shared) == ERR_NONE;
}

static void failing_allocations_are_errors(void **state)
{
    bool all_worked = false;
    long n = 0;

    (void)state;
    for (; !all_worked; n++) {
        assert_true(n < 10000);
        aws_lc_allocations_left = n;
        all_worked = all_works() && aws_lc_allocations_left > 0;
        aws_lc_allocations_left = -1;
    }
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ml_dsa_keys_agree_with_wycheproof),
        cmocka_unit_test(ml_kem_keys_agree_with_wycheproof),
        cmocka_unit_test(ml_dsa_signatures_verify_and_nothing_near_them_does),
        cmocka_unit_test(ml_kem_gives_both_sides_one_secret),
        cmocka_unit_test(ml_kem_refuses_coefficients_that_are_not_reduced),
        cmocka_unit_test(failing_allocations_are_errors),
    };

    if (!failing_aws_lc_install() || crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
