#include "unit/crypto/cases.h"

#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/random.h"
#include "unit/crypto/failing_aws_lc.h"

/* n, p and the base point: SEC 2 sections 2.4.1, 2.4.2 and 2.5.1. */
#define P256_ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define P256_PRIME "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
#define P256_GENERATOR                                                                             \
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"                             \
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
#define P384_ORDER                                                                                 \
    "ffffffffffffffffffffffffffffffffffffffffffffffff"                                             \
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973"
#define P384_PRIME                                                                                 \
    "ffffffffffffffffffffffffffffffffffffffffffffffff"                                             \
    "fffffffffffffffeffffffff0000000000000000ffffffff"
#define P384_GENERATOR                                                                             \
    "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b98"                                             \
    "59f741e082542a385502f25dbf55296c3a545e3872760ab7"                                             \
    "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147c"                                             \
    "e9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f"
#define SECP256K1_ORDER "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
#define SECP256K1_PRIME "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"
#define SECP256K1_GENERATOR                                                                        \
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"                             \
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"

static const struct {
    enum ec_curve curve;
    const char *order, *prime, *generator;
} curves[] = {
    {EC_P256,      P256_ORDER,      P256_PRIME,      P256_GENERATOR     },
    {EC_P384,      P384_ORDER,      P384_PRIME,      P384_GENERATOR     },
    {EC_SECP256K1, SECP256K1_ORDER, SECP256K1_PRIME, SECP256K1_GENERATOR},
};

static void random_scalar(enum ec_curve curve, uint8_t *scalar)
{
    do
        random_bytes(scalar, ec_size(curve));
    while (!ec_scalar_is_valid(curve, scalar));
}

/* `number` + `by`, big-endian. */
static void add(uint8_t *number, size_t size, int by)
{
    for (size_t i = size; i > 0; i--) {
        by += number[i - 1];
        number[i - 1] = (uint8_t)by;
        by >>= 8;
    }
}

static void scalars_outside_1_to_n_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(curves); i++) {
        enum ec_curve curve = curves[i].curve;
        size_t size = ec_size(curve);
        const struct {
            int from_order;
            bool valid;
        } cases[] = {
            {-2, true },
            {-1, true },
            {0,  false},
            {1,  false},
        };
        uint8_t scalar[EC_SIZE_MAX] = {0};
        uint8_t out[EC_SIGNATURE_MAX];

        assert_false(ec_scalar_is_valid(curve, scalar));
        assert_int_equal(ec_public(curve, scalar, out), ERR_CRYPTO);
        scalar[size - 1] = 1;
        assert_true(ec_scalar_is_valid(curve, scalar));
        for (size_t j = 0; j < COUNT_OF(cases); j++) {
            hex_bytes(curves[i].order, scalar, size);
            add(scalar, size, cases[j].from_order);
            assert_int_equal(ec_scalar_is_valid(curve, scalar), cases[j].valid);
            assert_int_equal(ec_public(curve, scalar, out), cases[j].valid ? ERR_NONE : ERR_CRYPTO);
        }
        assert_int_equal(ec_sign(curve, scalar, scalar, true, out), ERR_CRYPTO);
        assert_int_equal(ec_sign(curve, scalar, scalar, false, out), ERR_CRYPTO);
        memset(scalar, 0xff, size);
        assert_false(ec_scalar_is_valid(curve, scalar));
        assert_int_equal(ec_shared(curve, scalar, out, out), ERR_CRYPTO);
    }
}

static void one_gives_the_generator(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(curves); i++) {
        size_t size = ec_size(curves[i].curve);
        uint8_t scalar[EC_SIZE_MAX] = {0};
        uint8_t point[EC_POINT_MAX];
        uint8_t generator[EC_POINT_MAX];

        scalar[size - 1] = 1;
        hex_bytes(curves[i].generator, generator, 2 * size);
        assert_int_equal(ec_public(curves[i].curve, scalar, point), ERR_NONE);
        assert_memory_equal(point, generator, 2 * size);
    }
}

static void points_have_two_encodings_and_both_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        for (int round = 0; round < 20; round++) {
            enum ec_curve curve = curves[i].curve;
            size_t size = ec_size(curve);
            uint8_t scalar[EC_SIZE_MAX];
            uint8_t point[EC_POINT_MAX];
            uint8_t encoded[EC_ENCODED_MAX];
            uint8_t back[EC_POINT_MAX];

            random_scalar(curve, scalar);
            assert_int_equal(ec_public(curve, scalar, point), ERR_NONE);
            ec_point_write(curve, point, encoded);
            assert_int_equal(ec_point_read(curve, span_of(encoded, 1 + 2 * size), back), ERR_NONE);
            assert_memory_equal(point, back, 2 * size);
            ec_point_compress(curve, point, encoded);
            memset(back, 0, sizeof back);
            assert_int_equal(ec_point_read(curve, span_of(encoded, 1 + size), back), ERR_NONE);
            assert_memory_equal(point, back, 2 * size);
        }
}

static void encodings_of_no_point_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(curves); i++) {
        enum ec_curve curve = curves[i].curve;
        size_t size = ec_size(curve);
        size_t whole = 1 + 2 * size;
        uint8_t good[EC_ENCODED_MAX] = {4};
        uint8_t bad[EC_ENCODED_MAX + 1];
        uint8_t point[EC_POINT_MAX];

        hex_bytes(curves[i].generator, good + 1, 2 * size);
        for (size_t cut = 0; cut < whole; cut++)
            assert_int_equal(ec_point_read(curve, span_of(good, cut), point), ERR_MALFORMED);
        memcpy(bad, good, whole);
        assert_int_equal(ec_point_read(curve, span_of(bad, whole + 1), point), ERR_MALFORMED);
        for (unsigned first = 0; first < 256; first++) { /* infinity and hybrid forms, too */
            bad[0] = (uint8_t)first;
            assert_int_equal(ec_point_read(curve, span_of(bad, whole), point),
                             first == 4 ? ERR_NONE : ERR_MALFORMED);
            assert_int_equal(ec_point_read(curve, span_of(bad, 1 + size), point),
                             first == 2 || first == 3 ? ERR_NONE : ERR_MALFORMED);
            assert_int_equal(ec_point_read(curve, span_of(bad, 1), point), ERR_MALFORMED);
        }
        for (size_t bit = 8; bit < 8 * whole; bit++) {
            memcpy(bad, good, whole);
            bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(ec_point_read(curve, span_of(bad, whole), point), ERR_CRYPTO);
        }
        hex_bytes(curves[i].prime, bad + 1, size); /* a coordinate that is not reduced */
        for (uint8_t first = 2; first <= 3; first++) {
            bad[0] = first;
            assert_int_equal(ec_point_read(curve, span_of(bad, 1 + size), point), ERR_CRYPTO);
        }
        memset(bad + 1, 0, 2 * size);
        bad[0] = 4;
        assert_int_equal(ec_point_read(curve, span_of(bad, whole), point), ERR_CRYPTO);
    }
}

static void signatures_verify_and_nothing_near_them_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        for (int deterministic = 0; deterministic < 2; deterministic++) {
            enum ec_curve curve = curves[i].curve;
            size_t size = ec_size(curve);
            uint8_t scalar[EC_SIZE_MAX];
            uint8_t digest[EC_SIZE_MAX];
            uint8_t point[EC_POINT_MAX];
            uint8_t signature[EC_SIGNATURE_MAX];
            uint8_t again[EC_SIGNATURE_MAX];

            random_scalar(curve, scalar);
            random_bytes(digest, size);
            assert_int_equal(ec_public(curve, scalar, point), ERR_NONE);
            assert_int_equal(ec_sign(curve, scalar, digest, deterministic, signature), ERR_NONE);
            assert_int_equal(ec_sign(curve, scalar, digest, deterministic, again), ERR_NONE);
            assert_int_equal(span_equal(span_of(signature, 2 * size), span_of(again, 2 * size)),
                             deterministic);
            assert_int_equal(ec_verify(curve, point, digest, signature), ERR_NONE);
            for (size_t bit = 0; bit < 16 * size; bit += 3) {
                signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_int_equal(ec_verify(curve, point, digest, signature), ERR_CRYPTO);
                signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
            }
            digest[0] ^= 1;
            assert_int_equal(ec_verify(curve, point, digest, signature), ERR_CRYPTO);
        }
}

/* n - s for the s of a signature. */
static void make_twin(size_t i, uint8_t *signature)
{
    size_t size = ec_size(curves[i].curve);
    uint8_t order[EC_SIZE_MAX];
    int borrow = 0;

    hex_bytes(curves[i].order, order, size);
    for (size_t at = size; at > 0; at--) {
        int difference = order[at - 1] - signature[size + at - 1] - borrow;

        borrow = difference < 0;
        signature[size + at - 1] = (uint8_t)difference;
    }
}

static void both_twins_verify_and_one_of_them_is_low(void **state)
{
    size_t high = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        for (int round = 0; round < 16; round++) {
            enum ec_curve curve = curves[i].curve;
            uint8_t scalar[EC_SIZE_MAX];
            uint8_t digest[EC_SIZE_MAX];
            uint8_t point[EC_POINT_MAX];
            uint8_t signature[EC_SIGNATURE_MAX];
            bool low;

            random_scalar(curve, scalar);
            random_bytes(digest, sizeof digest);
            assert_int_equal(ec_public(curve, scalar, point), ERR_NONE);
            assert_int_equal(ec_sign(curve, scalar, digest, false, signature), ERR_NONE);
            low = ec_signature_is_low(curve, signature);
            assert_true(low || curve != EC_SECP256K1);
            high += !low;
            make_twin(i, signature);
            assert_int_equal(ec_signature_is_low(curve, signature), !low);
            assert_int_equal(ec_verify(curve, point, digest, signature), ERR_NONE);
        }
    assert_true(high > 0); /* P-256 and P-384 sign as FIPS 186-5 says */
}

static void both_sides_agree_on_a_secret(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(curves); i++) {
        enum ec_curve curve = curves[i].curve;
        uint8_t scalar[2][EC_SIZE_MAX];
        uint8_t point[2][EC_POINT_MAX];
        uint8_t secret[2][EC_SIZE_MAX];

        for (size_t side = 0; side < 2; side++) {
            random_scalar(curve, scalar[side]);
            assert_int_equal(ec_public(curve, scalar[side], point[side]), ERR_NONE);
        }
        for (size_t side = 0; side < 2; side++)
            assert_int_equal(ec_shared(curve, scalar[side], point[1 - side], secret[side]),
                             ERR_NONE);
        assert_memory_equal(secret[0], secret[1], ec_size(curve));
    }
}

static enum ec_curve curve_of(const json_t *group)
{
    const char *name = case_text(json_object_get(group, "publicKey"), "curve");

    if (strcmp(name, "secp256r1") == 0)
        return EC_P256;
    return strcmp(name, "secp384r1") == 0 ? EC_P384 : EC_SECP256K1;
}

/* How a file writes its signatures, and whether it refuses a high s. */
static struct {
    bool der, low_only;
} form;

static void check_signature(const json_t *group, const json_t *c)
{
    enum ec_curve curve = curve_of(group);
    struct buffer encoded = case_bytes(json_object_get(group, "publicKey"), "uncompressed");
    struct buffer message = case_bytes(c, "msg");
    struct buffer given = case_bytes(c, "sig");
    uint8_t point[EC_POINT_MAX];
    uint8_t digest[DIGEST_MAX_SIZE];
    uint8_t signature[EC_SIGNATURE_MAX];
    bool good = true;

    assert_int_equal(ec_point_read(curve, buffer_span(&encoded), point), ERR_NONE);
    digest_of(curve == EC_P384 ? DIGEST_SHA384 : DIGEST_SHA256, buffer_span(&message), digest);
    if (form.der)
        good = ec_signature_from_der(curve, buffer_span(&given), signature) == ERR_NONE;
    else if ((good = given.size == 2 * ec_size(curve)))
        memcpy(signature, given.data, given.size);
    good = good && ec_verify(curve, point, digest, signature) == ERR_NONE &&
           (!form.low_only || ec_signature_is_low(curve, signature));
    assert_int_equal(good, case_is(c, "result", "valid")); /* no file has another result */
    if (good && form.der) {
        uint8_t der[EC_DER_MAX];
        size_t size = 0;

        ec_signature_to_der(curve, signature, der, &size);
        assert_true(span_equal(span_of(der, size), buffer_span(&given)));
    }
    buffer_clear(&encoded);
    buffer_clear(&message);
    buffer_clear(&given);
}

static void signatures_agree_with_wycheproof(void **state)
{
    static const struct {
        const char *file;
        bool der, low_only;
    } files[] = {
        {"ecdsa_p256/ecdsa_secp256r1_sha256_test.json",              true,  false},
        {"ecdsa_p256/ecdsa_secp256r1_sha256_p1363_test.json",        false, false},
        {"ecdsa_p384/ecdsa_secp384r1_sha384_test.json",              true,  false},
        {"ecdsa_p384/ecdsa_secp384r1_sha384_p1363_test.json",        false, false},
        {"ecdsa_secp256k1/ecdsa_secp256k1_sha256_test.json",         true,  false},
        {"ecdsa_secp256k1/ecdsa_secp256k1_sha256_p1363_test.json",   false, false},
        {"ecdsa_secp256k1/ecdsa_secp256k1_sha256_bitcoin_test.json", true,  true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        form.der = files[i].der;
        form.low_only = files[i].low_only;
        wycheproof(files[i].file, check_signature);
    }
}

static void check_rfc_6979(const char *file, enum ec_curve curve)
{
    json_t *json = cases_load(file);
    json_t *key = json_array_get(json_object_get(json, "cases"), 0);
    struct buffer scalar = case_bytes(key, "private");
    size_t size = ec_size(curve);
    json_t *c;
    size_t i;

    assert_int_equal(json_array_size(json_object_get(key, "signatures")), cases_expected(file));
    json_array_foreach(json_object_get(key, "signatures"), i, c)
    {
        struct buffer message = case_bytes(c, "msg");
        struct buffer pair = case_bytes(c, "r");
        uint8_t digest[DIGEST_MAX_SIZE];
        uint8_t signature[EC_SIGNATURE_MAX];

        vectors_hex(c, "s", &pair);
        digest_of(curve == EC_P384 ? DIGEST_SHA384 : DIGEST_SHA256, buffer_span(&message), digest);
        assert_int_equal(ec_sign(curve, scalar.data, digest, true, signature), ERR_NONE);
        assert_true(span_equal(span_of(signature, 2 * size), buffer_span(&pair)));
        buffer_clear(&message);
        buffer_clear(&pair);
    }
    buffer_clear(&scalar);
    json_decref(json);
}

static void deterministic_signatures_agree_with_rfc_6979(void **state)
{
    (void)state;
    check_rfc_6979("ecdsa_p256/rfc6979_p256_sha256.json", EC_P256);
    check_rfc_6979("ecdsa_p384/rfc6979_p384_sha384.json", EC_P384);
}

/* Both digests are the same number modulo n. So the nonces are the same, and the signatures. */
static void digests_are_reduced_before_the_nonce(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        enum ec_curve curve = curves[i].curve;
        size_t size = ec_size(curve);
        uint8_t scalar[EC_SIZE_MAX] = {0};
        uint8_t small[EC_SIZE_MAX] = {0};
        uint8_t large[EC_SIZE_MAX];
        uint8_t signature[2][EC_SIGNATURE_MAX];

        scalar[size - 1] = 7;
        small[size - 1] = 5;
        hex_bytes(curves[i].order, large, size);
        add(large, size, 5);
        assert_int_equal(ec_sign(curve, scalar, small, true, signature[0]), ERR_NONE);
        assert_int_equal(ec_sign(curve, scalar, large, true, signature[1]), ERR_NONE);
        assert_memory_equal(signature[0], signature[1], 2 * size);
    }
}

static void secp256k1_agrees_with_its_vectors(void **state)
{
    static const char file[] = "ecdsa_secp256k1/deterministic_lowS.json";
    json_t *json = cases_load(file);
    size_t ran = 0;
    json_t *c;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(json, "valid"), i, c)
    {
        struct buffer scalar = case_bytes(c, "d");
        struct buffer digest = case_bytes(c, "m");
        struct buffer expected = case_bytes(c, "signature");
        uint8_t signature[EC_SIGNATURE_MAX];

        assert_int_equal(ec_sign(EC_SECP256K1, scalar.data, digest.data, true, signature),
                         ERR_NONE);
        assert_memory_equal(signature, expected.data, expected.size);
        buffer_clear(&scalar);
        buffer_clear(&digest);
        buffer_clear(&expected);
        ran++;
    }
    json_array_foreach(json_object_get(json, "invalid_verify"), i, c)
    {
        struct buffer encoded = case_bytes(c, "Q");
        struct buffer digest = case_bytes(c, "m");
        struct buffer signature = case_bytes(c, "signature");
        uint8_t point[EC_POINT_MAX];

        assert_true(ec_point_read(EC_SECP256K1, buffer_span(&encoded), point) != ERR_NONE ||
                    ec_verify(EC_SECP256K1, point, digest.data, signature.data) != ERR_NONE ||
                    !ec_signature_is_low(EC_SECP256K1, signature.data));
        buffer_clear(&encoded);
        buffer_clear(&digest);
        buffer_clear(&signature);
        ran++;
    }
    json_decref(json);
    assert_int_equal(ran, cases_expected(file));
}

/* A private key of these files may have a zero in front or miss one. */
static void check_shared(const json_t *group, const json_t *c)
{
    struct buffer encoded = case_bytes(c, "public");
    struct buffer number = case_bytes(c, "private");
    struct buffer expected = case_bytes(c, "shared");
    uint8_t scalar[EC_SIZE_MAX] = {0};
    uint8_t point[EC_POINT_MAX];
    uint8_t shared[EC_SIZE_MAX];
    size_t extra = number.size > 32 ? number.size - 32 : 0;
    bool good;

    (void)group;
    memcpy(scalar + 32 + extra - number.size, number.data + extra, number.size - extra);
    good = ec_point_read(EC_P256, buffer_span(&encoded), point) == ERR_NONE &&
           ec_shared(EC_P256, scalar, point, shared) == ERR_NONE;
    /* acceptable: compressed points. They are accepted: each has one meaning. */
    assert_int_equal(good, !case_is(c, "result", "invalid"));
    if (good)
        assert_memory_equal(shared, expected.data, expected.size);
    buffer_clear(&encoded);
    buffer_clear(&number);
    buffer_clear(&expected);
}

static void shared_secrets_agree_with_wycheproof(void **state)
{
    (void)state;
    wycheproof("ecdh_p256/ecdh_secp256r1_ecpoint_test.json", check_shared);
}

static void one_der_encoding_is_accepted(void **state)
{
    static const char *const bad[] = {
        "",
        "30",
        "3000",
        "3003020101",
        "30060201010201",
        "300602010102010100",   /* a byte behind */
        "30070201010201010500", /* and inside */
        "3008020101020101",     /* too long */
        "308106020101020101",   /* the long form of a length */
        "300702020001020101",   /* a zero in front */
        "3006020181020101",     /* negative */
        "30050200020101",       /* no digits */
        "3106020101020101",     /* a set */
        "30800201010201010000", /* no length */
    };
    uint8_t signature[EC_SIGNATURE_MAX];
    uint8_t bytes[64];

    (void)state;
    hex_bytes("3006020101020102", bytes, 8);
    assert_int_equal(ec_signature_from_der(EC_P256, span_of(bytes, 8), signature), ERR_NONE);
    assert_int_equal(signature[31], 1);
    assert_int_equal(signature[63], 2);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        size_t size = strlen(bad[i]) / 2;

        hex_bytes(bad[i], bytes, size);
        assert_int_equal(ec_signature_from_der(EC_P256, span_of(bytes, size), signature),
                         ERR_MALFORMED);
    }
}

/* The n-th allocation of AWS-LC fails, for every n, until all succeeds. */
static void failing_allocations_are_errors(void **state)
{
    static const enum ec_curve tested[] = {EC_P256, EC_P384};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tested); i++) {
        bool all_worked = false;
        long n = 0;

        for (; !all_worked; n++) {
            uint8_t scalar[EC_SIZE_MAX] = {1};
            uint8_t point[EC_POINT_MAX];
            uint8_t encoded[EC_ENCODED_MAX];
            uint8_t signature[EC_SIGNATURE_MAX];
            uint8_t shared[EC_SIZE_MAX];

            assert_true(n < 10000);
            assert_int_equal(ec_public(tested[i], scalar, point), ERR_NONE);
            ec_point_write(tested[i], point, encoded);
            aws_lc_allocations_left = n;
            all_worked = ec_public(tested[i], scalar, point) == ERR_NONE &&
                         ec_point_read(tested[i], span_of(encoded, 1 + 2 * ec_size(tested[i])),
                                       point) == ERR_NONE &&
                         ec_sign(tested[i], scalar, scalar, true, signature) == ERR_NONE &&
                         ec_sign(tested[i], scalar, scalar, false, signature) == ERR_NONE &&
                         ec_verify(tested[i], point, scalar, signature) == ERR_NONE &&
                         ec_shared(tested[i], scalar, point, shared) == ERR_NONE;
            all_worked = all_worked && aws_lc_allocations_left > 0;
            aws_lc_allocations_left = -1;
        }
        assert_true(n > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_outside_1_to_n_are_refused),
        cmocka_unit_test(one_gives_the_generator),
        cmocka_unit_test(points_have_two_encodings_and_both_read_back),
        cmocka_unit_test(encodings_of_no_point_are_refused),
        cmocka_unit_test(signatures_verify_and_nothing_near_them_does),
        cmocka_unit_test(both_twins_verify_and_one_of_them_is_low),
        cmocka_unit_test(both_sides_agree_on_a_secret),
        cmocka_unit_test(signatures_agree_with_wycheproof),
        cmocka_unit_test(deterministic_signatures_agree_with_rfc_6979),
        cmocka_unit_test(digests_are_reduced_before_the_nonce),
        cmocka_unit_test(secp256k1_agrees_with_its_vectors),
        cmocka_unit_test(shared_secrets_agree_with_wycheproof),
        cmocka_unit_test(one_der_encoding_is_accepted),
        cmocka_unit_test(failing_allocations_are_errors),
    };

    if (!failing_aws_lc_install() || crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
