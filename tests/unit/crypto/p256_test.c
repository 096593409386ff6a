#include "unit/crypto/cases.h"

#include <openssl/mem.h>
#include <pthread.h>
#include <stdlib.h>

#include "crypto/p256.h"
#include "crypto/random.h"

/* The order n of P-256, and its prime: SEC 2 section 2.4.2. */
#define ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define ORDER_LESS_ONE "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550"
#define PRIME "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
#define GENERATOR                                                                                  \
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"                             \
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"

/* Counts down to the allocation of AWS-LC that fails; negative: none does. */
static long allocations_left = -1;

static void *failing_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (allocations_left == 0)
        return NULL;
    if (allocations_left > 0)
        allocations_left--;
    return malloc(size);
}

static void *failing_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (allocations_left == 0)
        return NULL;
    if (allocations_left > 0)
        allocations_left--;
    return realloc(old, size);
}

static void plain_free(void *old, const char *file, int line)
{
    (void)file;
    (void)line;
    free(old);
}

static int start(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE ? 0 : -1;
}

static struct p256_private *private_of(const char *scalar)
{
    struct p256_private *key = NULL;
    uint8_t bytes[P256_SCALAR_SIZE];

    hex_bytes(scalar, bytes, sizeof bytes);
    assert_int_equal(p256_private_from_scalar(bytes, &key), ERR_NONE);
    return key;
}

static void starting_again_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(crypto_start(), ERR_NONE);
}

static void scalars_outside_1_to_n_are_refused(void **state)
{
    static const char *const bad[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        ORDER,
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    struct p256_private *key = NULL;
    uint8_t scalar[P256_SCALAR_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        hex_bytes(bad[i], scalar, sizeof scalar);
        assert_int_equal(p256_private_from_scalar(scalar, &key), ERR_CRYPTO);
        assert_null(key);
    }
}

static void one_gives_the_generator_and_scalars_come_back(void **state)
{
    static const char *const good[] = {
        "0000000000000000000000000000000000000000000000000000000000000001",
        ORDER_LESS_ONE,
    };
    uint8_t scalar[P256_SCALAR_SIZE];
    uint8_t back[P256_SCALAR_SIZE];
    uint8_t point[P256_POINT_SIZE];
    char text[2 * P256_POINT_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct p256_private *key = private_of(good[i]);

        hex_bytes(good[i], scalar, sizeof scalar);
        p256_private_scalar(key, back);
        assert_memory_equal(scalar, back, sizeof back);
        p256_private_point(key, point);
        hex_write(span_of(point, P256_SCALAR_SIZE), text);
        assert_memory_equal(text, GENERATOR, 2 * P256_SCALAR_SIZE); /* n - 1 has the same x */
        p256_private_free(&key);
    }
}

/* FIPS 186-5 A.2.1: c mod (n - 1) + 1, so 0 gives 1, n - 2 gives n - 1 and n - 1 gives 1 again. */
static void derivation_reduces_as_fips_186_5(void **state)
{
    static const struct {
        const char *low, *scalar;
    } cases[] = {
        {"0000000000000000000000000000000000000000000000000000000000000000",
         "0000000000000000000000000000000000000000000000000000000000000001"                                                                    },
        {"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63254f", ORDER_LESS_ONE                                                    },
        {ORDER_LESS_ONE,                                                     "0000000000000000000000000000000000000000000000000000000000000001"},
        {ORDER,                                                              "0000000000000000000000000000000000000000000000000000000000000002"},
 /* the 1 that is added carries from one machine word to the next */
        {"000000000000000000000000000000000000000000000000ffffffffffffffff",
         "0000000000000000000000000000000000000000000000010000000000000000"                                                                    },
        {"0000000000000000ffffffffffffffffffffffffffffffffffffffffffffffff",
         "0000000000000001000000000000000000000000000000000000000000000000"                                                                    },
    };
    uint8_t bytes[P256_DERIVE_SIZE] = {0};
    uint8_t scalar[P256_SCALAR_SIZE];
    char text[2 * P256_SCALAR_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct p256_private *key = NULL;

        hex_bytes(cases[i].low, bytes + P256_DERIVE_SIZE - P256_SCALAR_SIZE, P256_SCALAR_SIZE);
        assert_int_equal(p256_derive(bytes, &key), ERR_NONE);
        p256_private_scalar(key, scalar);
        hex_write(SPAN_OF(scalar), text);
        assert_string_equal(text, cases[i].scalar);
        p256_private_free(&key);
    }
}

static void points_off_the_curve_are_refused(void **state)
{
    uint8_t good[P256_POINT_SIZE];
    uint8_t point[P256_POINT_SIZE];
    struct p256_public *key = NULL;

    (void)state;
    hex_bytes(GENERATOR, good, sizeof good);
    assert_int_equal(p256_public_from_point(good, &key), ERR_NONE);
    p256_public_free(&key);
    for (size_t bit = 0; bit < 8 * sizeof good; bit++) {
        memcpy(point, good, sizeof point);
        point[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(p256_public_from_point(point, &key), ERR_CRYPTO);
    }
    memset(point, 0, sizeof point);
    assert_int_equal(p256_public_from_point(point, &key), ERR_CRYPTO);
    memcpy(point, good, sizeof point);
    hex_bytes(PRIME, point, P256_SCALAR_SIZE); /* a coordinate that is not reduced */
    assert_int_equal(p256_public_from_point(point, &key), ERR_CRYPTO);
    assert_null(key);
}

/* RFC 6979 appendix A.2.5: its key verifies its signature of "sample" with SHA-256. */
static void the_signature_of_rfc_6979_verifies(void **state)
{
    struct p256_private *key =
        private_of("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
    struct p256_public *public_key = NULL;
    uint8_t point[P256_POINT_SIZE];
    uint8_t signature[P256_SIGNATURE_SIZE];

    (void)state;
    hex_bytes("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
              "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
              signature, sizeof signature);
    p256_private_point(key, point);
    assert_int_equal(p256_public_from_point(point, &public_key), ERR_NONE);
    assert_int_equal(p256_verify(public_key, SPAN_LITERAL("sample"), signature), ERR_NONE);
    assert_int_equal(p256_verify(public_key, SPAN_LITERAL("test"), signature), ERR_CRYPTO);
    for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(p256_verify(public_key, SPAN_LITERAL("sample"), signature), ERR_CRYPTO);
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    p256_public_free(&public_key);
    p256_private_free(&key);
}

static void r_and_s_out_of_range_are_refused(void **state)
{
    static const char *const bad[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        ORDER,
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    uint8_t point[P256_POINT_SIZE];
    uint8_t signature[P256_SIGNATURE_SIZE];
    struct p256_private *key = NULL;
    struct p256_public *public_key = NULL;

    (void)state;
    assert_int_equal(p256_generate(&key), ERR_NONE);
    p256_private_point(key, point);
    assert_int_equal(p256_public_from_point(point, &public_key), ERR_NONE);
    for (size_t half = 0; half < 2; half++)
        for (size_t i = 0; i < COUNT_OF(bad); i++) {
            assert_int_equal(p256_sign(key, SPAN_LITERAL("m"), signature), ERR_NONE);
            hex_bytes(bad[i], signature + half * P256_SCALAR_SIZE, P256_SCALAR_SIZE);
            assert_int_equal(p256_verify(public_key, SPAN_LITERAL("m"), signature), ERR_CRYPTO);
        }
    p256_public_free(&public_key);
    p256_private_free(&key);
}

static struct p256_public *group_key(const json_t *group)
{
    struct buffer sec1 = case_bytes(json_object_get(group, "publicKey"), "uncompressed");
    struct p256_public *key = NULL;

    assert_int_equal(sec1.size, 1 + P256_POINT_SIZE);
    assert_int_equal(p256_public_from_point(sec1.data + 1, &key), ERR_NONE);
    buffer_clear(&sec1);
    return key;
}

static void check_raw(const json_t *group, const json_t *c)
{
    struct p256_public *key = group_key(group);
    struct buffer message = case_bytes(c, "msg");
    struct buffer signature = case_bytes(c, "sig");
    bool valid = case_is(c, "result", "valid");

    assert_true(case_is(group, "sha", "SHA-256"));
    if (signature.size != P256_SIGNATURE_SIZE)
        assert_false(valid); /* our interface takes no other size */
    else
        assert_int_equal(p256_verify(key, buffer_span(&message), signature.data),
                         valid ? ERR_NONE : ERR_CRYPTO);
    p256_public_free(&key);
    buffer_clear(&message);
    buffer_clear(&signature);
}

static void raw_signatures_agree_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("ecdsa_p256/ecdsa_secp256r1_sha256_p1363_test.json", check_raw);
}

/*
 * r and s of strict DER as r || s; false for input of another form. The valid cases of the DER
 * file, and those in which only the numbers are wrong, then test the raw interface, too.
 */
static bool raw_of_der(struct span der, uint8_t raw[P256_SIGNATURE_SIZE])
{
    size_t at = 2;

    if (der.size < 2 || der.data[0] != 0x30 || der.data[1] > 0x7f || der.size != 2u + der.data[1])
        return false;
    for (size_t half = 0; half < 2; half++) {
        struct span number;

        if (at + 2 > der.size || der.data[at] != 0x02 || der.data[at + 1] > der.size - at - 2)
            return false;
        number = span_of(der.data + at + 2, der.data[at + 1]);
        at += 2 + number.size;
        if (number.size == 0 || number.data[0] & 0x80)
            return false;
        while (number.size > 1 && number.data[0] == 0)
            number = span_of(number.data + 1, number.size - 1);
        if (number.size > P256_SCALAR_SIZE)
            return false;
        memset(raw + half * P256_SCALAR_SIZE, 0, P256_SCALAR_SIZE);
        memcpy(raw + (half + 1) * P256_SCALAR_SIZE - number.size, number.data, number.size);
    }
    return at == der.size;
}

static void check_der(const json_t *group, const json_t *c)
{
    struct p256_public *key = group_key(group);
    struct buffer message = case_bytes(c, "msg");
    struct buffer der = case_bytes(c, "sig");
    bool valid = case_is(c, "result", "valid");
    bool only_encoding = false; /* right numbers, wrong DER: the raw form cannot show that */
    uint8_t raw[P256_SIGNATURE_SIZE];
    json_t *flag;
    size_t i;

    json_array_foreach(json_object_get(c, "flags"), i, flag)
    {
        only_encoding = only_encoding ||
                        strcmp(json_string_value(flag), "BerEncodedSignature") == 0 ||
                        strcmp(json_string_value(flag), "InvalidEncoding") == 0;
    }
    if (!raw_of_der(buffer_span(&der), raw))
        assert_false(valid);
    else if (!only_encoding)
        assert_int_equal(p256_verify(key, buffer_span(&message), raw),
                         valid ? ERR_NONE : ERR_CRYPTO);
    p256_public_free(&key);
    buffer_clear(&message);
    buffer_clear(&der);
}

static void numbers_of_der_signatures_agree_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("ecdsa_p256/ecdsa_secp256r1_sha256_test.json", check_der);
}

struct shared {
    struct p256_private *key;
    struct p256_public *public_key;
    size_t failures[4];
};

struct worker {
    struct shared *shared;
    size_t index;
};

static void *sign_and_verify(void *argument)
{
    struct worker *worker = argument;
    struct shared *shared = worker->shared;

    for (int i = 0; i < 200; i++) {
        uint8_t signature[P256_SIGNATURE_SIZE];
        struct span message = span_of(&i, sizeof i);

        if (p256_sign(shared->key, message, signature) != ERR_NONE ||
            p256_verify(shared->public_key, message, signature) != ERR_NONE)
            shared->failures[worker->index]++;
    }
    return NULL;
}

static void handles_are_shared_by_threads(void **state)
{
    struct shared shared = {0};
    struct worker workers[COUNT_OF(shared.failures)];
    pthread_t threads[COUNT_OF(shared.failures)];
    uint8_t point[P256_POINT_SIZE];

    (void)state;
    assert_int_equal(p256_generate(&shared.key), ERR_NONE);
    p256_private_point(shared.key, point);
    assert_int_equal(p256_public_from_point(point, &shared.public_key), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        workers[i] = (struct worker){&shared, i};
        assert_int_equal(pthread_create(&threads[i], NULL, sign_and_verify, &workers[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(shared.failures[i], 0);
    }
    p256_public_free(&shared.public_key);
    p256_private_free(&shared.key);
}

/* The n-th allocation of AWS-LC fails, for every n, until all succeeds. */
static void failing_allocations_are_errors(void **state)
{
    const uint8_t scalar[P256_SCALAR_SIZE] = {1};
    bool all_worked = false;
    long n = 0;

    (void)state;
    for (; !all_worked; n++) {
        struct p256_private *key = NULL;
        struct p256_public *public_key = NULL;
        uint8_t point[P256_POINT_SIZE];
        uint8_t signature[P256_SIGNATURE_SIZE];

        assert_true(n < 10000);
        allocations_left = n;
        if (p256_private_from_scalar(scalar, &key) != ERR_NONE) {
            assert_null(key);
        } else {
            enum err e = p256_sign(key, SPAN_LITERAL("m"), signature);

            p256_private_point(key, point);
            if (p256_public_from_point(point, &public_key) == ERR_NONE && e == ERR_NONE)
                all_worked = p256_verify(public_key, SPAN_LITERAL("m"), signature) == ERR_NONE &&
                             allocations_left > 0;
        }
        allocations_left = -1;
        p256_private_free(&key);
        p256_public_free(&public_key);
    }
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starting_again_changes_nothing),
        cmocka_unit_test(scalars_outside_1_to_n_are_refused),
        cmocka_unit_test(one_gives_the_generator_and_scalars_come_back),
        cmocka_unit_test(derivation_reduces_as_fips_186_5),
        cmocka_unit_test(points_off_the_curve_are_refused),
        cmocka_unit_test(the_signature_of_rfc_6979_verifies),
        cmocka_unit_test(r_and_s_out_of_range_are_refused),
        cmocka_unit_test(raw_signatures_agree_with_wycheproof),
        cmocka_unit_test(numbers_of_der_signatures_agree_with_wycheproof),
        cmocka_unit_test(handles_are_shared_by_threads),
        cmocka_unit_test(failing_allocations_are_errors),
    };

    if (CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, start, NULL);
}
