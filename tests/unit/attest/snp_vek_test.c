/* The extensions of VEK certificates: each missing, of another form, of another product. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attest/snp_vek.h"

#define NUMBER(n) SPAN_LITERAL("\x02\x01" n)
#define ZEROS_64                                                                                   \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"                             \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

enum kind { MILAN_VCEK, GENOA_VLEK, TURIN_VCEK, KINDS };

static struct snp_extensions extensions_of(enum kind kind)
{
    struct snp_extensions x = {
        .struct_version = NUMBER("\x00"),
        .product_name = SPAN_LITERAL("\x16\x08Milan-B0"),
        .spl = {[1] = NUMBER("\x11"),
                [2] = NUMBER("\x12"),
                [3] = NUMBER("\x13"),
                [4] = NUMBER("\x14"),
                [5] = NUMBER("\x15"),
                [6] = NUMBER("\x16"),
                [7] = NUMBER("\x17"),
                [8] = SPAN_LITERAL("\x02\x02\x00\xd1")},
        .hw_id = SPAN_LITERAL(ZEROS_64),
    };

    if (kind == GENOA_VLEK) {
        x.product_name = SPAN_LITERAL("\x16\x05Genoa");
        x.hw_id = (struct span){0};
        x.csp_id = SPAN_LITERAL("\x16\x05"
                                "cloud");
    }
    if (kind == TURIN_VCEK) {
        x.struct_version = NUMBER("\x01");
        x.product_name = SPAN_LITERAL("\x16\x05Turin");
        x.spl[9] = NUMBER("\x19");
        x.spl[4] = (struct span){0};
        x.hw_id = SPAN_LITERAL("12345678");
    }
    return x;
}

static void spls_are_where_a_tcb_version_has_them(void **state)
{
    static const uint8_t tcbs[KINDS][SNP_TCB_SIZE] = {
        {0x11, 0x12, 0x14, 0x15, 0x16, 0x17, 0x13, 0xd1},
        {0x11, 0x12, 0x14, 0x15, 0x16, 0x17, 0x13, 0xd1},
        {0x19, 0x11, 0x12, 0x13, 0x15, 0x16, 0x17, 0xd1},
    };
    static const enum attest_vendor products[KINDS] = {ATTEST_AMD_MILAN, ATTEST_AMD_GENOA,
                                                       ATTEST_AMD_TURIN};
    static const size_t hw_id_sizes[KINDS] = {64, 0, 8};

    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct snp_extensions x = extensions_of((enum kind)kind);
        struct snp_vek_claims claims;

        assert_int_equal(snp_vek_claims_parse(&x, kind == GENOA_VLEK, &claims), ERR_NONE);
        assert_int_equal(claims.product, products[kind]);
        assert_memory_equal(claims.tcb, tcbs[kind], SNP_TCB_SIZE);
        assert_int_equal(claims.hw_id.size, hw_id_sizes[kind]);
        assert_string_equal(claims.csp_id, kind == GENOA_VLEK ? "cloud" : "");
        /* a chip's key is not a cloud's */
        assert_int_equal(snp_vek_claims_parse(&x, kind != GENOA_VLEK, &claims), ERR_MALFORMED);
    }
}

/* Every one of them: absent, cut, longer, of another type. */
static void damaged_extensions_are_refused(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct snp_extensions whole = extensions_of((enum kind)kind);
        const size_t count = sizeof whole / sizeof(struct span);
        const size_t hw_id_at = offsetof(struct snp_extensions, hw_id) / sizeof(struct span);

        for (size_t i = 0; i < count; i++) {
            struct snp_extensions x = whole;
            struct span *item = (struct span *)(void *)&x + i;
            const struct span contents = *item;
            struct snp_vek_claims claims;
            uint8_t bytes[80];

            if (contents.size == 0)
                continue;
            memcpy(bytes, contents.data, contents.size);
            bytes[contents.size] = 0;
            for (size_t size = 0; size < contents.size; size++) {
                *item = span_of(bytes, size);
                assert_int_equal(snp_vek_claims_parse(&x, kind == GENOA_VLEK, &claims),
                                 ERR_MALFORMED);
            }
            *item = span_of(bytes, contents.size + 1);
            assert_int_equal(snp_vek_claims_parse(&x, kind == GENOA_VLEK, &claims), ERR_MALFORMED);
            *item = span_of(bytes, contents.size);
            bytes[0] = 0x0c;
            if (i != hw_id_at) /* that has no type */
                assert_int_equal(snp_vek_claims_parse(&x, kind == GENOA_VLEK, &claims),
                                 ERR_MALFORMED);
        }
    }
}

#define AT(member) offsetof(struct snp_extensions, member)

static void values_are_of_one_product_and_in_range(void **state)
{
    const struct {
        enum kind kind;
        size_t at; /* offset of the extension */
        struct span contents;
        enum err expected;
    } cases[] = {
        {MILAN_VCEK, AT(product_name),   SPAN_LITERAL("\x16\x05Milan"),     ERR_NONE     },
        {MILAN_VCEK, AT(product_name),   SPAN_LITERAL("\x16\x06MilanX"),    ERR_MALFORMED},
        {MILAN_VCEK, AT(product_name),   SPAN_LITERAL("\x16\x06Milan-"),    ERR_MALFORMED},
        {MILAN_VCEK, AT(product_name),   SPAN_LITERAL("\x16\x07Milan\0B"),  ERR_MALFORMED},
        {MILAN_VCEK, AT(product_name),   SPAN_LITERAL("\x16\x05milan"),     ERR_MALFORMED},
        {MILAN_VCEK, AT(product_name),   SPAN_LITERAL("\x16\x04Mila"),      ERR_MALFORMED},
        {MILAN_VCEK, AT(product_name),   SPAN_LITERAL("\x16\x00"),          ERR_MALFORMED},
 /* another product has another layout */
        {MILAN_VCEK, AT(product_name),   SPAN_LITERAL("\x16\x05Turin"),     ERR_MALFORMED},
        {TURIN_VCEK, AT(product_name),   SPAN_LITERAL("\x16\x05Milan"),     ERR_MALFORMED},
        {MILAN_VCEK, AT(struct_version), NUMBER("\x01"),                    ERR_MALFORMED},
        {TURIN_VCEK, AT(struct_version), NUMBER("\x00"),                    ERR_MALFORMED},
        {MILAN_VCEK, AT(spl[9]),         NUMBER("\x00"),                    ERR_MALFORMED},
        {TURIN_VCEK, AT(spl[4]),         NUMBER("\x00"),                    ERR_MALFORMED},
        {MILAN_VCEK, AT(spl[1]),         SPAN_LITERAL("\x02\x02\x01\x00"),  ERR_MALFORMED},
        {MILAN_VCEK, AT(spl[1]),         NUMBER("\x80"),                    ERR_MALFORMED},
        {MILAN_VCEK, AT(spl[1]),         SPAN_LITERAL("\x02\x02\x00\x01"),  ERR_MALFORMED},
 /* bare bytes, or wrapped; both need the product's size */
        {MILAN_VCEK, AT(hw_id),          SPAN_LITERAL("\x04\x40" ZEROS_64), ERR_NONE     },
        {TURIN_VCEK, AT(hw_id),
         SPAN_LITERAL("\x04\x08"
                      "12345678"),
         ERR_NONE                                                                        },
        {TURIN_VCEK, AT(hw_id),          SPAN_LITERAL(ZEROS_64),            ERR_MALFORMED},
        {MILAN_VCEK, AT(hw_id),          SPAN_LITERAL("12345678"),          ERR_MALFORMED},
        {MILAN_VCEK, AT(csp_id),         SPAN_LITERAL("\x16\x01x"),         ERR_MALFORMED},
        {GENOA_VLEK, AT(hw_id),          SPAN_LITERAL(ZEROS_64),            ERR_MALFORMED},
        {GENOA_VLEK, AT(csp_id),         SPAN_LITERAL("\x16\x02x\n"),       ERR_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct snp_extensions x = extensions_of(cases[i].kind);
        struct snp_vek_claims claims;

        memcpy((uint8_t *)&x + cases[i].at, &cases[i].contents, sizeof cases[i].contents);
        assert_int_equal(snp_vek_claims_parse(&x, cases[i].kind == GENOA_VLEK, &claims),
                         cases[i].expected);
    }
}

/* The size of a cloud's name is limited. */
static void a_long_name_of_a_cloud_is_refused(void **state)
{
    uint8_t text[3 + 128] = {0x16, 0x7f};
    struct snp_extensions x = extensions_of(GENOA_VLEK);
    struct snp_vek_claims claims;

    (void)state;
    memset(text + 2, 'c', sizeof text - 2);
    x.csp_id = span_of(text, 2 + 127);
    assert_int_equal(snp_vek_claims_parse(&x, true, &claims), ERR_NONE);
    assert_int_equal(strlen(claims.csp_id), 127);
    text[1] = 0x81;
    text[2] = 0x80;
    x.csp_id = span_of(text, sizeof text);
    assert_int_equal(snp_vek_claims_parse(&x, true, &claims), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spls_are_where_a_tcb_version_has_them),
        cmocka_unit_test(damaged_extensions_are_refused),
        cmocka_unit_test(values_are_of_one_product_and_in_range),
        cmocka_unit_test(a_long_name_of_a_cloud_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
