#include "collateral/parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json.h"

static void percent_encoding_is_undone_strictly(void **state)
{
    static const struct {
        const char *text, *expected; /* NULL: refused */
    } cases[] = {
        {"",              ""      },
        {"a+b/c=",        "a+b/c="}, /* base64 has a plus */
        {"%2D%2d%0A%20x", "--\n x"},
        {"%",             NULL    },
        {"%2",            NULL    },
        {"%2g",           NULL    },
        {"ab%zz",         NULL    },
        {"%00",           NULL    }, /* it would hide the bytes after it */
        {"%ff",           NULL    },
        {"\xc3\xa4",      NULL    },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer out = {0};
        enum err e = collateral_url_decode(span_string(cases[i].text), &out);

        assert_int_equal(e, cases[i].expected ? ERR_NONE : ERR_MALFORMED);
        if (cases[i].expected)
            assert_true(span_equal_string(buffer_span(&out), cases[i].expected));
        buffer_clear(&out);
    }
}

static void a_crl_comes_in_three_forms(void **state)
{
    static const uint8_t der[] = {0x30, 0x82, 0x00, 0x01, 0x55};
    static const char pem[] = "-----BEGIN X509 CRL-----\nMIIAAVU=\n-----END X509 CRL-----\n";
    static const struct {
        struct span bytes;
        enum err expected;
    } cases[] = {
        {{der, sizeof der},                       ERR_NONE     },
        {{(const uint8_t *)"3082000155", 10},     ERR_NONE     },
        {{(const uint8_t *)"3082000155\r\n", 12}, ERR_NONE     },
        {{(const uint8_t *)pem, sizeof pem - 1},  ERR_NONE     },
        {{(const uint8_t *)"308200015", 9},       ERR_MALFORMED},
        {{(const uint8_t *)"<html>", 6},          ERR_MALFORMED},
        {{NULL, 0},                               ERR_MALFORMED},
        {{(const uint8_t *)"\r\n", 2},            ERR_MALFORMED},
        {{(const uint8_t *)pem, sizeof pem - 10}, ERR_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer out = {0};

        assert_int_equal(collateral_crl_der(cases[i].bytes, &out), cases[i].expected);
        if (cases[i].expected == ERR_NONE)
            assert_true(span_equal(buffer_span(&out), SPAN_OF(der)));
        buffer_clear(&out);
    }
}

static void parts_that_are_not_pcs_bodies_make_no_document(void **state)
{
    static const char good[] = "{\"tcbInfo\":{},\"signature\":\"00\"}";
    static const char identity[] = "{\"enclaveIdentity\":{},\"signature\":\"00\"}";
    static const char *const bad[] = {
        "",
        "{}",
        "{\"tcbInfo\":{}}",
        "{\"tcbInfo\":{},\"signature\":\"00\",\"more\":1}",
        "{\"tcbInfo\":[],\"signature\":\"00\"}",
        "{\"tcbInfo\":{},\"signature\":\"00\"} x",
        "<html>",
    };
    struct attest_collateral_input input = {.tcb_info = span_string(good),
                                            .qe_identity = span_string(identity),
                                            .pck_crl = SPAN_LITERAL("3080"),
                                            .root_crl = SPAN_LITERAL("3080")};
    struct json_value document, text;
    struct buffer out = {0};

    (void)state;
    assert_int_equal(collateral_document_intel(&input, &out), ERR_NONE);
    assert_int_equal(json_parse(buffer_span(&out), &document, NULL), ERR_NONE);
    assert_int_equal(json_member(document, "tcb_info", &text), ERR_NONE);
    assert_true(json_string_equal(text, "{}"));
    buffer_clear(&out);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        input.tcb_info = span_string(bad[i]);
        assert_int_equal(collateral_document_intel(&input, &out), ERR_MALFORMED);
        assert_int_equal(out.size, 0);
    }
    input.tcb_info = span_string(good);
    input.qe_identity = span_string(good); /* the other one */
    assert_int_equal(collateral_document_intel(&input, &out), ERR_MALFORMED);
    buffer_clear(&out);
}

static void chains_of_amd_may_have_the_largest_size_and_no_more(void **state)
{
    static const struct {
        size_t vcek_size, vlek_size;
        enum err expected;
    } cases[] = {
        {ATTEST_CHAIN_MAX,     0,                    ERR_NONE     },
        {0,                    ATTEST_CHAIN_MAX,     ERR_NONE     },
        {ATTEST_CHAIN_MAX + 1, 0,                    ERR_TOO_LARGE},
        {0,                    ATTEST_CHAIN_MAX + 1, ERR_TOO_LARGE},
    };
    static uint8_t chain[ATTEST_CHAIN_MAX + 1];

    (void)state;
    memset(chain, 'x', sizeof chain);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct attest_amd_input input = {.vcek_chain = span_of(chain, cases[i].vcek_size),
                                               .vlek_chain = span_of(chain, cases[i].vlek_size)};
        struct buffer out = {0};

        assert_int_equal(collateral_document_amd(&input, &out), cases[i].expected);
        assert_int_equal(out.size > ATTEST_CHAIN_MAX, cases[i].expected == ERR_NONE);
        buffer_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent_encoding_is_undone_strictly),
        cmocka_unit_test(a_crl_comes_in_three_forms),
        cmocka_unit_test(chains_of_amd_may_have_the_largest_size_and_no_more),
        cmocka_unit_test(parts_that_are_not_pcs_bodies_make_no_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
