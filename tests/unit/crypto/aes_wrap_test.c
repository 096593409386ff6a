#include "unit/crypto/cases.h"

#include "crypto/aes_wrap.h"
#include "crypto/random.h"

static enum aes_wrap form;

static void check(const json_t *group, const json_t *c)
{
    struct buffer key = case_bytes(c, "key");
    struct buffer message = case_bytes(c, "msg");
    struct buffer wrapped = case_bytes(c, "ct");
    uint8_t out[1024];
    size_t size = 0;
    bool valid = case_is(c, "result", "valid"); /* acceptable: a key of 8 bytes, refused */
    bool unwrapped =
        aes_unwrap(form, buffer_span(&key), buffer_span(&wrapped), out, &size) == ERR_NONE;

    (void)group;
    assert_int_equal(unwrapped, valid);
    if (valid) {
        assert_true(span_equal(span_of(out, size), buffer_span(&message)));
        assert_int_equal(aes_wrap_size(form, message.size), wrapped.size);
        assert_int_equal(aes_wrap(form, buffer_span(&key), buffer_span(&message), out), ERR_NONE);
        assert_true(span_equal(span_of(out, wrapped.size), buffer_span(&wrapped)));
    }
    buffer_clear(&key);
    buffer_clear(&message);
    buffer_clear(&wrapped);
}

static void agrees_with_wycheproof(void **state)
{
    (void)state;
    form = AES_WRAP_KW;
    wycheproof("aes_kw/aes_wrap_test.json", check);
    form = AES_WRAP_KWP;
    wycheproof("aes_kw/aes_kwp_test.json", check);
}

static void agrees_with_rfc_3394(void **state)
{
    static const char file[] = "aes_kw/rfc3394.json";
    json_t *json = cases_load(file);
    json_t *list = json_object_get(json, "cases");
    json_t *c;
    size_t i;

    (void)state;
    assert_int_equal(json_array_size(list), cases_expected(file));
    json_array_foreach(list, i, c)
    {
        struct buffer key = case_bytes(c, "kek");
        struct buffer plain = case_bytes(c, "pt");
        struct buffer wrapped = case_bytes(c, "ct");
        uint8_t out[64];

        assert_int_equal(aes_wrap(AES_WRAP_KW, buffer_span(&key), buffer_span(&plain), out),
                         ERR_NONE);
        assert_true(span_equal(span_of(out, wrapped.size), buffer_span(&wrapped)));
        buffer_clear(&key);
        buffer_clear(&plain);
        buffer_clear(&wrapped);
    }
    json_decref(json);
}

static void sizes_that_do_not_fit_are_refused(void **state)
{
    static uint8_t plain[AES_WRAP_PLAIN_MAX + 8];
    static uint8_t out[sizeof plain + AES_WRAP_OVERHEAD_MAX];
    static const struct {
        enum aes_wrap form;
        size_t size;
        enum err e;
    } cases[] = {
        {AES_WRAP_KW,  16,                     ERR_NONE       },
        {AES_WRAP_KW,  AES_WRAP_PLAIN_MAX,     ERR_NONE       },
        {AES_WRAP_KW,  0,                      ERR_UNSUPPORTED},
        {AES_WRAP_KW,  8,                      ERR_UNSUPPORTED},
        {AES_WRAP_KW,  17,                     ERR_UNSUPPORTED},
        {AES_WRAP_KW,  AES_WRAP_PLAIN_MAX + 8, ERR_TOO_LARGE  },
        {AES_WRAP_KWP, 1,                      ERR_NONE       },
        {AES_WRAP_KWP, AES_WRAP_PLAIN_MAX,     ERR_NONE       },
        {AES_WRAP_KWP, 0,                      ERR_UNSUPPORTED},
        {AES_WRAP_KWP, AES_WRAP_PLAIN_MAX + 1, ERR_TOO_LARGE  },
    };
    const struct span key = SPAN_LITERAL("0123456789abcdef");
    size_t size;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(aes_wrap(cases[i].form, key, span_of(plain, cases[i].size), out),
                         cases[i].e);
    assert_int_equal(aes_unwrap(AES_WRAP_KWP, key, SPAN_OF(out), plain, &size), ERR_TOO_LARGE);
}

static void nothing_near_a_wrapped_key_unwraps(void **state)
{
    static const enum aes_wrap forms[] = {AES_WRAP_KW, AES_WRAP_KWP};
    const struct span key = SPAN_LITERAL("0123456789abcdef0123456789abcdef");
    uint8_t wrapped[40];
    uint8_t out[40];
    size_t size;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        assert_int_equal(aes_wrap(forms[i], key, span_of(key.data, 32), wrapped), ERR_NONE);
        for (size_t cut = 0; cut < sizeof wrapped; cut++)
            assert_int_equal(aes_unwrap(forms[i], key, span_of(wrapped, cut), out, &size),
                             ERR_CRYPTO);
        for (size_t bit = 0; bit < 8 * sizeof wrapped; bit++) {
            wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(aes_unwrap(forms[i], key, SPAN_OF(wrapped), out, &size), ERR_CRYPTO);
            assert_true(span_is_zero(span_of(out, 32)));
            wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_int_equal(aes_unwrap(forms[1 - i], key, SPAN_OF(wrapped), out, &size), ERR_CRYPTO);
        assert_int_equal(aes_unwrap(forms[i], key, SPAN_OF(wrapped), out, &size), ERR_NONE);
        assert_int_equal(size, 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_wycheproof),
        cmocka_unit_test(agrees_with_rfc_3394),
        cmocka_unit_test(sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(nothing_near_a_wrapped_key_unwraps),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
