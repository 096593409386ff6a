#include "collateral/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHIP                                                                                       \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                             \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void names_are_read_and_written_alike(void **state)
{
    static const char *const names[] = {
        "intel-sgx-00906ed50000-platform",
        "intel-tdx-90c06f000000-processor",
        "intel-tdx-90c06f000000-processor-early",
        "amd-milan",
        "amd-genoa",
        "amd-turin",
        "vcek-milan-" CHIP "-3-0-8-115",
        "vcek-turin-" CHIP "-1-0-2-255-0",
    };
    struct collateral_key key;
    char again[COLLATERAL_NAME_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(collateral_key_parse(span_string(names[i]), &key), ERR_NONE);
        collateral_key_name(&key, again);
        assert_string_equal(again, names[i]);
        for (size_t size = 0; size < strlen(names[i]);
             size++) { /* a prefix is another name, or invalid */
            struct span prefix = span_of(names[i], size);

            if (collateral_key_parse(prefix, &key) == ERR_NONE) {
                collateral_key_name(&key, again);
                assert_true(span_equal_string(prefix, again));
            }
        }
    }
}

static void what_is_no_name_is_refused(void **state)
{
    static const char *const names[] = {
        "",
        "intel",
        "intel-sgx",
        "intel-sgx-00906ED50000-platform", /* one spelling */
        "intel-sgx-00906ed5000-platform",
        "intel-sgx-00906ed500000-platform",
        "intel-sgx-00906ed50000-platforms",
        "intel-sgx-00906ed50000-platform-",
        "intel-sgx-00906ed50000-platform-late",
        "intel-sgx-00906ed50000-platform-early-",
        "intel-sgx-00906ed50000-platform-early-early",
        "amd-milan-early",
        "intel-snp-00906ed50000-platform",
        "amd-rome",
        "amd-milan-",
        "amd-milan/../x",
        "vek-" CHIP,
        "arm-00",
        "vcek-milan-" CHIP "-3-0-8",
        "vcek-milan-" CHIP "-3-0-8-256",
        "vcek-milan-" CHIP "-03-0-8-115",
        "vcek-milan-" CHIP "-3-0-8-115-0", /* fmc is Turin's */
        "vcek-turin-" CHIP "-1-0-2-3",
        "vcek-milan-" CHIP CHIP "-3-0-8-115",
    };
    struct collateral_key key;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(collateral_key_parse(span_string(names[i]), &key), ERR_NOT_FOUND);
    assert_int_equal(collateral_key_parse(SPAN_LITERAL("amd-mil\0n"), &key), ERR_NOT_FOUND);
}

static void names_have_lower_case_letters_digits_and_dashes(void **state)
{
    char longest[COLLATERAL_NAME_SIZE + 1];

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        const uint8_t text[] = {'a', (uint8_t)c, '0'};
        const bool good = c != 0 && strchr("abcdefghijklmnopqrstuvwxyz0123456789-", (int)c);

        assert_int_equal(collateral_name_check(SPAN_OF(text)), good);
    }
    memset(longest, 'z', sizeof longest);
    assert_true(collateral_name_check(span_of(longest, COLLATERAL_NAME_SIZE - 1)));
    assert_false(collateral_name_check(span_of(longest, COLLATERAL_NAME_SIZE)));
    assert_false(collateral_name_check((struct span){0}));
}

static void evidence_names_the_collateral_it_needs(void **state)
{
    struct collateral_key keys[COLLATERAL_MISSING_MAX];
    struct attest_result r = {.kind = ATTEST_TDX};
    char name[COLLATERAL_NAME_SIZE];

    (void)state;
    /* the evidence does not name its platform */
    assert_int_equal(collateral_keys_missing(&r, keys), 0);
    r.missing = (struct attest_missing){
        .known = true, .vendor = ATTEST_INTEL, .fmspc = {0x90, 0xc0, 0x6f},
                .processor_ca = true
    };
    assert_int_equal(collateral_keys_missing(&r, keys), 1);
    collateral_key_name(&keys[0], name);
    assert_string_equal(name, "intel-tdx-90c06f000000-processor");

    r = (struct attest_result){
        .kind = ATTEST_SNP, .missing = {.known = true, .vendor = ATTEST_AMD_GENOA}
    };
    assert_int_equal(collateral_keys_missing(&r, keys), 1); /* the chip's id is masked */
    r.missing.chip_id[0] = 0xab;
    r.missing.tcb = (struct snp_tcb){.boot_loader = 7, .snp = 14, .microcode = 72};
    assert_int_equal(collateral_keys_missing(&r, keys), 2);
    collateral_key_name(&keys[0], name);
    assert_string_equal(name, "amd-genoa");
    collateral_key_name(&keys[1], name);
    assert_true(strncmp(name, "vcek-genoa-ab00", 15) == 0);
    assert_non_null(strstr(name, "-7-0-14-72"));
    r.missing.by_vlek = true; /* these cannot be fetched */
    assert_int_equal(collateral_keys_missing(&r, keys), 1);
    r.missing.vendor = ATTEST_AWS;
    assert_int_equal(collateral_keys_missing(&r, keys), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_and_written_alike),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(names_have_lower_case_letters_digits_and_dashes),
        cmocka_unit_test(evidence_names_the_collateral_it_needs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
