/* The form of SEV-SNP reports for each version, and the names of CPUs and TCBs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attest/snp_report.h"

/* A well-formed report without claims. */
static void report_make(uint8_t out[SNP_REPORT_SIZE], uint8_t version)
{
    memset(out, 0, SNP_REPORT_SIZE);
    out[0] = version;
    out[0x0a] = 0x02; /* POLICY bit 17 */
    out[0x34] = 1;
}

static enum attest_reason parse(const uint8_t *bytes, size_t size, struct snp_evidence *out)
{
    struct refusal r = {0};
    enum err e = snp_report_parse(span_of(bytes, size), out, &r);

    assert_int_equal(e == ERR_NONE, r.reason == ATTEST_OK);
    assert_true(e == ERR_NONE || strcmp(r.step, "report") == 0);
    return r.reason;
}

/* One byte set at each offset: it is a field, or reserved and refused, depending on the version. */
static void every_byte_is_a_field_or_must_be_zero(void **state)
{
    static const struct {
        size_t from, to;
        unsigned first_version; /* 0: reserved in all */
    } reserved[] = {
        {0x04c, 0x050, 0},
        {0x188, 0x18b, 3}, /* CPUID */
        {0x18b, 0x1a0, 0},
        {0x1eb, 0x1ec, 0},
        {0x1ef, 0x1f0, 0},
        {0x1f8, 0x208, 5}, /* mitigation vectors */
        {0x208, 0x2a0, 0},
        {0x2d0, 0x2e8, 0}, /* of r */
        {0x318, 0x4a0, 0}, /* of s, and after it */
    };
    uint8_t bytes[SNP_REPORT_SIZE];
    struct snp_evidence out;

    (void)state;
    for (uint8_t version = 2; version <= 5; version++) {
        for (size_t at = 4; at < SNP_REPORT_SIZE; at++) {
            enum attest_reason expected = ATTEST_OK;

            if (at == 0x0a || (at >= 0x30 && at < 0x38) || (at >= 0x48 && at < 0x4c))
                continue; /* below */
            if (at >= 0x0c && at < 0x10)
                expected = ATTEST_MALFORMED; /* unknown bits of POLICY */
            for (size_t i = 0; i < COUNT_OF(reserved); i++)
                if (at >= reserved[i].from && at < reserved[i].to &&
                    (reserved[i].first_version == 0 || version < reserved[i].first_version))
                    expected = ATTEST_MALFORMED;
            report_make(bytes, version);
            bytes[at] = 1;
            assert_int_equal(parse(bytes, sizeof bytes, &out), expected);
        }
    }
}

static void values_outside_their_range_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        enum attest_reason reason;
    } cases[] = {
        {0x000, 0,    ATTEST_UNSUPPORTED_VERSION  },
        {0x000, 1,    ATTEST_UNSUPPORTED_VERSION  },
        {0x000, 6,    ATTEST_UNSUPPORTED_VERSION  },
        {0x001, 1,    ATTEST_UNSUPPORTED_VERSION  },
        {0x003, 1,    ATTEST_UNSUPPORTED_VERSION  },
        {0x00a, 0x00, ATTEST_MALFORMED            },
        {0x00a, 0x0a, ATTEST_OK                   }, /* DEBUG: the policy refuses it */
        {0x00a, 0xff, ATTEST_OK                   },
        {0x00b, 0x03, ATTEST_OK                   },
        {0x00b, 0x04, ATTEST_MALFORMED            },
        {0x030, 3,    ATTEST_OK                   },
        {0x030, 4,    ATTEST_MALFORMED            },
        {0x033, 0xff, ATTEST_MALFORMED            },
        {0x034, 0,    ATTEST_UNSUPPORTED_ALGORITHM},
        {0x034, 2,    ATTEST_UNSUPPORTED_ALGORITHM},
        {0x037, 1,    ATTEST_UNSUPPORTED_ALGORITHM},
        {0x048, 0x01, ATTEST_OK                   }, /* AUTHOR_KEY_EN */
        {0x048, 0x02, ATTEST_VEK_TYPE_MISMATCH    }, /* MASK_CHIP_KEY */
        {0x048, 0x04, ATTEST_OK                   }, /* VLEK */
        {0x048, 0x06, ATTEST_VEK_TYPE_MISMATCH    },
        {0x048, 0x08, ATTEST_VEK_TYPE_MISMATCH    },
        {0x048, 0x1c, ATTEST_VEK_TYPE_MISMATCH    }, /* none */
        {0x048, 0x20, ATTEST_MALFORMED            },
        {0x04b, 0x80, ATTEST_MALFORMED            },
    };
    uint8_t bytes[SNP_REPORT_SIZE];
    struct snp_evidence out;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        report_make(bytes, 5);
        bytes[cases[i].at] = cases[i].value;
        assert_int_equal(parse(bytes, sizeof bytes, &out), cases[i].reason);
        if (cases[i].reason == ATTEST_OK)
            assert_int_equal(out.by_vlek, cases[i].at == 0x48 && cases[i].value == 4);
    }
}

static void no_other_size_is_a_report(void **state)
{
    uint8_t bytes[SNP_REPORT_SIZE + 32] = {0};
    struct snp_evidence out;

    (void)state;
    report_make(bytes, 5);
    for (size_t size = 0; size < SNP_REPORT_SIZE; size++)
        assert_int_equal(parse(bytes, size, &out), ATTEST_MALFORMED);
    for (size_t size = SNP_REPORT_SIZE + 1; size <= sizeof bytes; size++)
        assert_int_equal(parse(bytes, size, &out), ATTEST_TRAILING_DATA);
}

/* The report has scalars little-endian, P-384 wants them big-endian. */
static void scalars_are_turned_around(void **state)
{
    uint8_t bytes[SNP_REPORT_SIZE];
    struct snp_evidence out;

    (void)state;
    report_make(bytes, 3);
    for (size_t i = 0; i < 48; i++) {
        bytes[0x2a0 + i] = (uint8_t)(i + 1);
        bytes[0x2e8 + i] = (uint8_t)(i + 101);
    }
    assert_int_equal(parse(bytes, sizeof bytes, &out), ATTEST_OK);
    assert_int_equal(out.signed_bytes.size, 0x2a0);
    assert_ptr_equal(out.signed_bytes.data, bytes);
    for (size_t i = 0; i < 48; i++) {
        assert_int_equal(out.signature[i], 48 - i);
        assert_int_equal(out.signature[48 + i], 148 - i);
    }
}

static void products_are_told_by_cpuid(void **state)
{
    static const struct {
        uint8_t family, model;
        const char *product; /* "": an unknown one */
    } cases[] = {
        {0x19, 0x00, "Milan"},
        {0x19, 0x0f, "Milan"},
        {0x19, 0x10, "Genoa"},
        {0x19, 0x1f, "Genoa"},
        {0x19, 0x20, ""     },
        {0x19, 0x9f, ""     },
        {0x19, 0xa0, "Genoa"}, /* Bergamo, Siena */
        {0x19, 0xaf, "Genoa"},
        {0x19, 0xb0, ""     },
        {0x1a, 0x00, "Turin"},
        {0x1a, 0x1f, "Turin"},
        {0x1a, 0x20, ""     },
        {0x17, 0x31, ""     },
        {0x00, 0x00, ""     },
        {0x1b, 0x00, ""     },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct snp_report report = {
            .has_cpuid = true, .cpuid_family = cases[i].family, .cpuid_model = cases[i].model};
        enum attest_vendor product = ATTEST_INTEL;

        assert_int_equal(snp_report_product(&report, &product),
                         cases[i].product[0] ? ERR_NONE : ERR_NOT_FOUND);
        assert_string_equal(snp_product_name(product), cases[i].product);
        report.has_cpuid = false;
        assert_int_equal(snp_report_product(&report, &product), ERR_NOT_FOUND);
    }
    assert_string_equal(snp_product_name(ATTEST_AWS), "");
    assert_string_equal(snp_product_name(ATTEST_VENDOR_COUNT), "");
}

static void tcbs_are_read_as_the_product_has_them(void **state)
{
    static const uint8_t bytes[SNP_TCB_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const enum attest_vendor products[] = {ATTEST_AMD_MILAN, ATTEST_AMD_GENOA,
                                                  ATTEST_AMD_TURIN};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(products); i++) {
        const bool turin = products[i] == ATTEST_AMD_TURIN;
        struct snp_tcb t = snp_tcb_read(bytes, products[i]);

        assert_int_equal(t.fmc, turin ? 1 : 0);
        assert_int_equal(t.boot_loader, turin ? 2 : 1);
        assert_int_equal(t.tee, turin ? 3 : 2);
        assert_int_equal(t.snp, turin ? 4 : 7);
        assert_int_equal(t.microcode, 8);
        for (size_t j = 0; j < SNP_TCB_SIZE; j++) {
            uint8_t one[SNP_TCB_SIZE] = {0};

            one[j] = 1;
            assert_int_equal(snp_tcb_reserved_is_zero(one, products[i]),
                             turin ? j < 4 || j == 7 : j < 2 || j > 5);
        }
    }
}

/* As one number, 0x0100000000000000 is more than 0x00ff..; by component, neither is larger. */
static void tcbs_are_compared_by_component(void **state)
{
    static const uint8_t base[SNP_TCB_SIZE] = {5, 5, 5, 5, 0, 0, 0, 5};
    struct snp_tcb b = snp_tcb_read(base, ATTEST_AMD_TURIN);

    (void)state;
    assert_true(snp_tcb_at_most(&b, &b));
    for (size_t i = 0; i < SNP_TCB_SIZE; i++) {
        uint8_t bytes[SNP_TCB_SIZE] = {0};
        struct snp_tcb a;

        if (base[i] == 0)
            continue;
        a = snp_tcb_read(bytes, ATTEST_AMD_TURIN);
        assert_true(snp_tcb_at_most(&a, &b));
        bytes[i] = 6;
        a = snp_tcb_read(bytes, ATTEST_AMD_TURIN);
        assert_false(snp_tcb_at_most(&a, &b));
        assert_false(snp_tcb_at_most(&b, &a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_a_field_or_must_be_zero),
        cmocka_unit_test(values_outside_their_range_are_refused),
        cmocka_unit_test(no_other_size_is_a_report),
        cmocka_unit_test(scalars_are_turned_around),
        cmocka_unit_test(products_are_told_by_cpuid),
        cmocka_unit_test(tcbs_are_read_as_the_product_has_them),
        cmocka_unit_test(tcbs_are_compared_by_component),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
