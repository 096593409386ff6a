/* <vouchsafe/collateral.h>: what evidence needs, by reports of SEV-SNP that say nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vouchsafe/collateral.h>

#include "base/text.h"

enum { REPORT_SIZE = 1184, FAMILY = 0x19, MODEL_GENOA = 0x11, MODEL_MILAN = 0x01 };

#define CHIP                                                                                       \
    "ab00000000000000000000000000000000000000000000000000000000000000"                             \
    "0000000000000000000000000000000000000000000000000000000000000000"

static struct vs_verifier *roots;

/* What a report is asked for: version and CPU model, key, chip id. */
struct form {
    uint8_t version, model;
    bool by_vlek, masked;
};

static void report_make(const struct form *form, uint8_t out[REPORT_SIZE])
{
    memset(out, 0, REPORT_SIZE);
    out[0x000] = form->version;
    out[0x00a] = 0x02; /* POLICY bit 17 */
    out[0x034] = 1;    /* ECDSA P-384 */
    out[0x048] = form->by_vlek ? 1 << 2 : 0;
    out[0x180] = 3; /* REPORTED_TCB: boot loader, then SNP and microcode */
    out[0x186] = 8;
    out[0x187] = 115;
    if (form->version >= 3) {
        out[0x188] = FAMILY;
        out[0x189] = form->model;
    }
    if (!form->masked)
        out[0x1a0] = 0xab;
}

static void a_report_names_what_it_needs_or_says_what_does(void **state)
{
    static const struct {
        struct form form;
        enum vs_error expected;
        const char *names[VS_COLLATERAL_NAMES_MAX];
        const char *says[3]; /* in the sentence; none: there is no sentence */
    } cases[] = {
        {{3, MODEL_MILAN, false, false},
         VS_OK,                                            {"amd-milan", "vcek-milan-" CHIP "-3-0-8-115"},
         {0}                                                                                                                                 },
        {{5, MODEL_GENOA, false, false},
         VS_OK,                                            {"amd-genoa", "vcek-genoa-" CHIP "-3-0-8-115"},
         {0}                                                                                                                                 },
        {{3, MODEL_MILAN, false, true},
         VS_OK,                                            {"amd-milan"},
         {"masks its chip id", "certificate table"}                                                                                          },
        {{3, MODEL_GENOA, true, true},   VS_OK,            {"amd-genoa"},                                  {"VLEK", "certificate table"}     },
        {{2, 0, false, false},
         VS_ERR_NOT_FOUND,                                 {0},
         {"version 2", "amd-milan and vcek-milan-" CHIP "-3-0-8-115",
          "amd-genoa and vcek-genoa-" CHIP "-3-0-8-115"}                                                                                     },
        {{2, 0, false, true},
         VS_ERR_NOT_FOUND,                                 {0},
         {"amd-milan", "amd-genoa", "masks its chip id"}                                                                                     },
        {{2, 0, true, true},             VS_ERR_NOT_FOUND, {0},                                            {"amd-milan", "amd-genoa", "VLEK"}},
        {{1, 0, false, false},           VS_ERR_MALFORMED, {0},                                            {"damaged"}                       },
        {{6, MODEL_MILAN, false, false}, VS_ERR_MALFORMED, {0},                                            {"damaged"}                       },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char names[VS_COLLATERAL_NAMES_MAX][VS_COLLATERAL_NAME_SIZE];
        uint8_t report[REPORT_SIZE];
        struct vs_why why = {{'x'}};
        size_t count = 99;
        size_t expected = 0;

        report_make(&cases[i].form, report);
        assert_int_equal(vs_collateral_names(roots, (struct vs_bytes){report, sizeof report}, names,
                                             &count, &why),
                         cases[i].expected);
        for (; expected < VS_COLLATERAL_NAMES_MAX && cases[i].names[expected]; expected++)
            assert_string_equal(names[expected], cases[i].names[expected]);
        assert_int_equal(count, expected);
        assert_int_equal(why.text[0] == '\0', cases[i].says[0] == NULL);
        for (size_t j = 0; j < COUNT_OF(cases[i].says) && cases[i].says[j]; j++)
            assert_non_null(strstr(why.text, cases[i].says[j]));
        /* a sentence is not required */
        assert_int_equal(vs_collateral_names(roots, (struct vs_bytes){report, sizeof report}, names,
                                             &count, NULL),
                         cases[i].expected);
    }
}

static void what_is_no_evidence_names_nothing(void **state)
{
    static const struct form form = {3, MODEL_MILAN, false, false};
    char names[VS_COLLATERAL_NAMES_MAX][VS_COLLATERAL_NAME_SIZE];
    uint8_t report[REPORT_SIZE];
    struct vs_why why;
    size_t count;

    (void)state;
    report_make(&form, report);
    for (size_t size = 0; size < sizeof report; size += 37)
        assert_int_equal(
            vs_collateral_names(roots, (struct vs_bytes){report, size}, names, &count, &why),
            VS_ERR_MALFORMED);
    assert_int_equal(
        vs_collateral_names(NULL, (struct vs_bytes){report, sizeof report}, names, &count, &why),
        VS_ERR_ARGUMENT);
    assert_int_equal(
        vs_collateral_names(roots, (struct vs_bytes){report, sizeof report}, names, NULL, &why),
        VS_ERR_ARGUMENT);
}

static int start(void **state)
{
    (void)state;
    return vs_start() != VS_OK || vs_verifier_new(0, &roots) != VS_OK;
}

static int finish(void **state)
{
    (void)state;
    vs_verifier_free(&roots);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_names_what_it_needs_or_says_what_does),
        cmocka_unit_test(what_is_no_evidence_names_nothing),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
