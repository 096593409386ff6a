/* The report data of each convention. Python's hashlib made the expected bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attest/binding.h"
#include "base/text.h"

static uint8_t nonce[32], key[32];
static const uint8_t task[] = {'4', '2'};

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < 32; i++) {
        nonce[i] = (uint8_t)i;
        key[i] = (uint8_t)(0xe0 + i);
    }
    return 0;
}

static struct binding session_binding(void)
{
    return (struct binding){.domain = REPORT_DOMAIN_SESSION,
                            .for_session = true,
                            .nonce = SPAN_OF(nonce),
                            .key = SPAN_OF(key)};
}

static void every_convention_has_its_bytes(void **state)
{
    static const struct {
        enum binding_convention convention;
        const char *hex;
    } cases[] = {
        {BINDING_VOUCHSAFE, "fdf933818ecbb7bec636dd2486ee8a40abd5f52669491f15bcfcc6a1edffd2da"
                            "b93f51976a5df5ee1bc2f0cabc825a58f7135cc3a6c11535e301d73aa525d430"},
        {BINDING_DSTACK,    "1de7744a881f229d4a400066cadb72426fff493a469d2a5ac9ff06671853d3f6"
                         "e1aec4a123823a4e459907320b05ada1d740febbe506cdbcfa16a41164c0be72"      },
        {BINDING_RCAR,      "947fe95215fb75656d0e257bcf24169739963f652794914b90480ff6a175f334"
                       "73562b0ff4882e4a6a6146adb00cf53f00000000000000000000000000000000"          },
    };
    const struct binding b = session_binding();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t expected[REPORT_DATA_SIZE];
        uint8_t bytes[REPORT_DATA_SIZE];

        assert_int_equal(hex_read(span_string(cases[i].hex), expected, sizeof expected), ERR_NONE);
        assert_int_equal(binding_bytes(cases[i].convention, &b, bytes), ERR_NONE);
        assert_memory_equal(bytes, expected, sizeof bytes);
    }
}

static void outlayer_has_the_key_and_nothing_else(void **state)
{
    struct binding b = session_binding();
    uint8_t bytes[REPORT_DATA_SIZE];

    (void)state;
    assert_int_equal(binding_bytes(BINDING_OUTLAYER, &b, bytes), ERR_UNSUPPORTED);
    b.for_session = false;
    b.context = SPAN_OF(task);
    assert_int_equal(binding_bytes(BINDING_OUTLAYER, &b, bytes), ERR_NONE);
    assert_memory_equal(bytes, key, 32);
    assert_true(span_is_zero(span_of(bytes + 32, 32)));
}

/* A convention that cannot bind a value refuses it, and does not leave it out. */
static void what_cannot_be_bound_is_refused(void **state)
{
    static const uint8_t zero[32];
    static const struct {
        enum binding_convention convention;
        bool no_key, zero_key, short_key, no_nonce, task;
    } cases[] = {
        {.convention = BINDING_OUTLAYER, .no_key = true},
        {.convention = BINDING_OUTLAYER,                              .zero_key = true},
        {.convention = BINDING_OUTLAYER,.short_key = true},
        {.convention = BINDING_RCAR, .no_key = true},
        {.convention = BINDING_RCAR,                              .zero_key = true},
        {.convention = BINDING_RCAR,                .short_key = true},
        {.convention = BINDING_RCAR,     .no_nonce = true},
        {.convention = BINDING_RCAR,                              .task = true},
        {.convention = BINDING_NATIVE},
        {.convention = BINDING_CONVENTION_COUNT    },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct binding b = session_binding();
        uint8_t bytes[REPORT_DATA_SIZE] = {7};

        b.for_session = false;
        if (cases[i].no_key)
            b.key = (struct span){0};
        if (cases[i].zero_key)
            b.key = SPAN_OF(zero);
        if (cases[i].short_key)
            b.key.size = 31;
        if (cases[i].no_nonce)
            b.nonce = (struct span){0};
        if (cases[i].task)
            b.context = SPAN_OF(task);
        assert_int_equal(binding_bytes(cases[i].convention, &b, bytes), ERR_UNSUPPORTED);
        assert_int_equal(bytes[0], 7);
    }
}

static void every_bit_counts(void **state)
{
    static const enum binding_convention conventions[] = {BINDING_VOUCHSAFE, BINDING_OUTLAYER,
                                                          BINDING_DSTACK, BINDING_RCAR};
    struct binding b = session_binding();

    (void)state;
    b.for_session = false;
    for (size_t i = 0; i < COUNT_OF(conventions); i++) {
        struct attest_result evidence = {.kind = ATTEST_TDX};

        assert_int_equal(binding_bytes(conventions[i], &b, evidence.report_data), ERR_NONE);
        assert_true(binding_holds(conventions[i], &b, &evidence));
        for (size_t other = 0; other < COUNT_OF(conventions); other++)
            assert_int_equal(binding_holds(conventions[other], &b, &evidence), other == i);
        for (size_t bit = 0; bit < 8 * REPORT_DATA_SIZE; bit++) {
            evidence.report_data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(binding_holds(conventions[i], &b, &evidence));
            evidence.report_data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        key[0] ^= 1;
        assert_false(binding_holds(conventions[i], &b, &evidence));
        key[0] ^= 1;
        nonce[31] ^= 1;
        assert_int_equal(binding_holds(conventions[i], &b, &evidence),
                         conventions[i] == BINDING_OUTLAYER);
        nonce[31] ^= 1;
    }
}

static void native_is_only_for_nitro(void **state)
{
    struct binding b = session_binding();
    struct attest_result evidence = {.kind = ATTEST_NITRO};

    (void)state;
    assert_int_equal(binding_bytes(BINDING_NATIVE, &b, evidence.report_data), ERR_UNSUPPORTED);
    evidence.nitro.nonce = SPAN_OF(nonce);
    evidence.nitro.public_key = SPAN_OF(key);
    assert_true(binding_holds(BINDING_NATIVE, &b, &evidence));
    b.context = SPAN_OF(task);
    assert_false(binding_holds(BINDING_NATIVE, &b, &evidence));
    b.context = (struct span){0};
    b.key.size = 31;
    evidence.nitro.public_key.size = 31;
    assert_false(binding_holds(BINDING_NATIVE, &b, &evidence));
    b.key.size = 0;
    evidence.nitro.public_key.size = 0;
    assert_false(binding_holds(BINDING_NATIVE, &b, &evidence));
    b = session_binding();
    evidence.nitro.public_key = SPAN_OF(key);
    evidence.nitro.nonce = b.nonce = (struct span){0};
    assert_false(binding_holds(BINDING_NATIVE, &b, &evidence));
    b = session_binding();
    evidence.nitro.nonce = SPAN_OF(nonce);
    evidence.kind = ATTEST_SNP;
    assert_false(binding_holds(BINDING_NATIVE, &b, &evidence));
}

/* What a certificate binds has 64 bytes, or it is none. */
static void a_channel_has_the_size_of_report_data(void **state)
{
    static const uint8_t channel[REPORT_DATA_SIZE + 1] = {1};
    struct binding b = session_binding();
    uint8_t bytes[REPORT_DATA_SIZE];

    (void)state;
    for (size_t size = 0; size <= sizeof channel; size++) {
        b.channel = span_of(channel, size);
        assert_int_equal(binding_bytes(BINDING_RA_TLS, &b, bytes),
                         size == REPORT_DATA_SIZE ? ERR_NONE : ERR_UNSUPPORTED);
    }
}

static void conventions_have_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BINDING_CONVENTION_COUNT; i++)
        assert_string_not_equal(binding_convention_name((enum binding_convention)i), "unknown");
    assert_string_equal(binding_convention_name(BINDING_CONVENTION_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_convention_has_its_bytes),
        cmocka_unit_test(outlayer_has_the_key_and_nothing_else),
        cmocka_unit_test(what_cannot_be_bound_is_refused),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(native_is_only_for_nitro),
        cmocka_unit_test(a_channel_has_the_size_of_report_data),
        cmocka_unit_test(conventions_have_names),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
