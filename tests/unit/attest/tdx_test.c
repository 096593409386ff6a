/* TDX: the forms of quotes, the module, the merge of statuses, the fields kept after a refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/quote.h"
#include "attest/sgx_report.h"
#include "attest/td_report.h"
#include "support/tally.h"
#include "unit/attest/forge.h"

enum { SVN_2 = TD_REPORT_10_SIZE, TEXT_MAX = 8192 };

static struct forge forge;
static struct attest_cache *cache;

static int open_forge(void **state)
{
    (void)state;
    forge_open(&forge);
    return attest_cache_new(4, &cache) == ERR_NONE ? 0 : -1;
}

static int close_forge(void **state)
{
    (void)state;
    attest_cache_free(&cache);
    forge_close(&forge);
    return 0;
}

#define MODULE                                                                                     \
    "\"mrsigner\":\"000000000000000000000000000000000000000000000000000000000000000000000000"      \
    "000000000000000000000000\",\"attributes\":\"0000000000000000\","                              \
    "\"attributesMask\":\"FFFFFFFFFFFFFFFF\""
#define ZEROS_8                                                                                    \
    "{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{"        \
    "\"svn\":0}"
#define ZEROS_13 ZEROS_8 ",{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0}"
#define LEVEL(first, tdx0, tdx2, date, status, advisory)                                           \
    "{\"tcb\":{\"sgxtcbcomponents\":[{\"svn\":" first "},{\"svn\":" first                          \
    "},{\"svn\":2},{\"svn\":2},{\"svn\":3},{\"svn\":1},{\"svn\":0},{\"svn\":3}," ZEROS_8           \
    "],\"pcesvn\":11,\"tdxtcbcomponents\":[{\"svn\":" tdx0 "},{\"svn\":0},{\"svn\":" tdx2          \
    "}," ZEROS_13 "]},\"tcbDate\":\"" date "\",\"tcbStatus\":\"" status                            \
    "\",\"advisoryIDs\":[\"" advisory "\"]}"
#define ISV_LEVEL(svn, date, status, advisory)                                                     \
    "{\"tcb\":{\"isvsvn\":" svn "},\"tcbDate\":\"" date "\",\"tcbStatus\":\"" status               \
    "\",\"advisoryIDs\":[\"" advisory "\"]}"
#define HEAD(id)                                                                                   \
    "{\"id\":\"" id "\",\"version\":3,\"issueDate\":\"2025-10-01T00:00:00Z\","                     \
    "\"nextUpdate\":\"2025-10-31T00:00:00Z\",\"fmspc\":\"" FORGE_FMSPC "\",\"pceId\":\"0000\","    \
    "\"tcbType\":0,\"tcbEvaluationDataNumber\":17"

/* `%s`: the status of the newest level. */
static const char tdx_info[] = HEAD(
    "TDX") ",\"tdxModule\":{" MODULE "},\"tdxModuleIdentities\":["
           "{\"id\":\"TDX_03\"," MODULE ",\"tcbLevels\":[" ISV_LEVEL(
               "3", "2025-05-14T00:00:00Z", "UpToDate",
               "INTEL-SA-33") "]},"
                              "{\"id\":\"tdx_01\"," MODULE
                              ",\"tcbLevels\":[" ISV_LEVEL("6", "2025-05-14T00:00:00Z", "UpToDate", "INTEL-SA-16") "," ISV_LEVEL(
                                  "4", "2024-03-13T00:00:00Z", "OutOfDate",
                                  "INTEL-SA-14") "," ISV_LEVEL("2", "2023-08-09T00:00:00Z",
                                                               "Revoked",
                                                               "INTEL-SA-12") "]}],\"tcbLevels\":"
                                                                              "[" LEVEL(
                                                                                  "7", "5", "7",
                                                                                  "2025-05-"
                                                                                  "14T00:00:"
                                                                                  "00Z",
                                                                                  "%s",
                                                                                  "INTEL-SA-"
                                                                                  "1") "," LEVEL("6",
                                                                                                 "3",
                                                                                                 "6",
                                                                                                 "2"
                                                                                                 "0"
                                                                                                 "2"
                                                                                                 "3"
                                                                                                 "-"
                                                                                                 "0"
                                                                                                 "2"
                                                                                                 "-"
                                                                                                 "1"
                                                                                                 "5"
                                                                                                 "T"
                                                                                                 "0"
                                                                                                 "0"
                                                                                                 ":"
                                                                                                 "0"
                                                                                                 "0"
                                                                                                 ":"
                                                                                                 "0"
                                                                                                 "0"
                                                                                                 "Z",
                                                                                                 "O"
                                                                                                 "u"
                                                                                                 "t"
                                                                                                 "O"
                                                                                                 "f"
                                                                                                 "D"
                                                                                                 "a"
                                                                                                 "t"
                                                                                                 "e",
                                                                                                 "I"
                                                                                                 "N"
                                                                                                 "T"
                                                                                                 "E"
                                                                                                 "L"
                                                                                                 "-"
                                                                                                 "S"
                                                                                                 "A"
                                                                                                 "-"
                                                                                                 "2") "]}";

static const char sgx_info[] = HEAD("SGX") ",\"tcbLevels\":[" LEVEL(
    "7", "0", "0", "2025-05-14T00:00:00Z", "UpToDate", "INTEL-SA-1") "]}";

static struct attest_collateral *collateral_of(enum attest_tee tee, const char *status,
                                               const char *qe_status)
{
    struct attest_collateral *collateral;
    enum attest_reason reason = ATTEST_OK;
    struct buffer identity = {0};
    char info[TEXT_MAX];

    if (tee == ATTEST_TDX)
        (void)snprintf(info, sizeof info, "%.*s%s%s", (int)(strstr(tdx_info, "%s") - tdx_info),
                       tdx_info, status, strstr(tdx_info, "%s") + 2);
    else
        (void)snprintf(info, sizeof info, "%s", sgx_info);
    forge_qe_identity(tee, qe_status, &identity);
    collateral = forge_collateral(&forge, info, (const char *)identity.data, &reason);
    assert_int_equal(reason, collateral ? ATTEST_OK : reason);
    buffer_clear(&identity);
    return collateral;
}

static enum attest_reason verify(const struct buffer *quote, struct attest_collateral *collateral,
                                 struct attest_result *r)
{
    const struct attest_collateral *items[] = {collateral};
    const struct attest_collateral_set set = {.count = collateral ? 1 : 0, .items = items};
    enum err e =
        attest_verify(&forge.trust, &set, NULL,
                      &(struct attest_evidence){.bytes = buffer_span(quote)}, forge.now, r);

    assert_int_equal(e, r->reason == ATTEST_OK ? ERR_NONE : ERR_DENIED);
    return r->reason;
}

static void quote_make(const struct forge_quote *what, struct buffer *out)
{
    forge_quote(&forge, what, out);
    tally_made(1);
}

static const struct form {
    uint16_t version;
    uint32_t tee_type;
    uint16_t body_type;
    size_t size;
    enum attest_reason reason;
} forms[] = {
    {3, 0x00, 0, SGX_REPORT_SIZE,       ATTEST_OK                 },
    {4, 0x00, 0, SGX_REPORT_SIZE,       ATTEST_OK                 },
    {5, 0x00, 1, SGX_REPORT_SIZE,       ATTEST_OK                 },
    {4, 0x81, 0, TD_REPORT_10_SIZE,     ATTEST_OK                 },
    {5, 0x81, 2, TD_REPORT_10_SIZE,     ATTEST_OK                 },
    {5, 0x81, 3, TD_REPORT_15_SIZE,     ATTEST_OK                 },
    {3, 0x81, 0, TD_REPORT_10_SIZE,     ATTEST_TEE_TYPE_MISMATCH  },
    {3, 0x81, 0, SGX_REPORT_SIZE,       ATTEST_TEE_TYPE_MISMATCH  },
    {4, 0x82, 0, TD_REPORT_10_SIZE,     ATTEST_TEE_TYPE_MISMATCH  },
    {4, 0x01, 0, SGX_REPORT_SIZE,       ATTEST_TEE_TYPE_MISMATCH  },
    {4, 0x81, 0, TD_REPORT_15_SIZE,     ATTEST_MALFORMED          }, /* the version has no such body */
    {4, 0x00, 0, TD_REPORT_10_SIZE,     ATTEST_MALFORMED          },
    {4, 0x81, 0, SGX_REPORT_SIZE,       ATTEST_MALFORMED          },
    {5, 0x81, 1, SGX_REPORT_SIZE,       ATTEST_TEE_TYPE_MISMATCH  },
    {5, 0x00, 2, TD_REPORT_10_SIZE,     ATTEST_TEE_TYPE_MISMATCH  },
    {5, 0x00, 3, TD_REPORT_15_SIZE,     ATTEST_TEE_TYPE_MISMATCH  },
    {5, 0x81, 2, TD_REPORT_15_SIZE,     ATTEST_MALFORMED          },
    {5, 0x81, 3, TD_REPORT_10_SIZE,     ATTEST_MALFORMED          },
    {5, 0x81, 3, TD_REPORT_15_SIZE - 1, ATTEST_MALFORMED          },
    {5, 0x81, 3, 0,                     ATTEST_MALFORMED          },
    {5, 0x81, 0, TD_REPORT_10_SIZE,     ATTEST_MALFORMED          },
    {5, 0x81, 4, TD_REPORT_15_SIZE,     ATTEST_MALFORMED          },
    {2, 0x00, 0, SGX_REPORT_SIZE,       ATTEST_UNSUPPORTED_VERSION},
    {6, 0x81, 3, TD_REPORT_15_SIZE,     ATTEST_UNSUPPORTED_VERSION},
};

/* A body that every collateral below judges UpToDate. */
static void form_quote(const struct form *form, struct buffer *out)
{
    uint8_t body[TD_REPORT_15_SIZE] = {0};

    if (form->tee_type != 0)
        memcpy(body, (const uint8_t[]){6, 1, 7}, 3);
    quote_make(&(struct forge_quote){.version = form->version,
                                     .tee_type = form->tee_type,
                                     .body_type = form->body_type,
                                     .body = span_of(body, form->size)},
               out);
}

static void bodies_are_read_as_version_and_tee_type_say(void **state)
{
    struct attest_collateral *sgx = collateral_of(ATTEST_SGX, "UpToDate", "UpToDate");
    struct attest_collateral *tdx = collateral_of(ATTEST_TDX, "UpToDate", "UpToDate");
    struct buffer quote = {0};

    (void)state;
    assert_non_null(sgx);
    assert_non_null(tdx);
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        const bool is_td = forms[i].tee_type == 0x81;
        struct attest_result r;

        form_quote(&forms[i], &quote);
        if (verify(&quote, is_td ? tdx : sgx, &r) != forms[i].reason)
            fail_msg("form %zu: %s at %s", i, attest_reason_code(r.reason), r.step);
        if (r.reason != ATTEST_OK)
            continue;
        assert_int_equal(r.status, TCB_UP_TO_DATE);
        assert_int_equal(r.kind, is_td ? ATTEST_TDX : ATTEST_SGX);
        assert_string_equal(r.tee, is_td ? "tdx" : "sgx");
        assert_int_equal(r.version, forms[i].version);
        if (is_td)
            assert_int_equal(r.td.is_15, forms[i].size == TD_REPORT_15_SIZE);
        /* collateral of the other TEE does not judge it */
        assert_int_equal(verify(&quote, is_td ? sgx : tdx, &r), ATTEST_TCB_INFO_MISMATCH);
        assert_true(r.signatures_valid && !r.authentic);
    }
    buffer_clear(&quote);
    attest_collateral_free(&sgx);
    attest_collateral_free(&tdx);
}

/* Forms without a stored sample; quote_test.c has the others. */
static void every_prefix_and_flipped_bit_of_every_form_is_refused(void **state)
{
    struct buffer quote = {0};

    (void)state;
    for (size_t i = 0; forms[i].reason == ATTEST_OK; i++) {
        struct refusal refusal = {0};
        struct attest_result r;
        struct quote parsed;
        size_t covered;

        form_quote(&forms[i], &quote);
        assert_int_equal(quote_parse(buffer_span(&quote), &parsed, &refusal), ERR_NONE);
        covered = (size_t)(parsed.certification.data.data - quote.data);
        for (size_t size = 0; size < quote.size; size += 1 + size / covered * 16) {
            refusal.reason = ATTEST_OK;
            assert_int_equal(quote_parse(span_of(quote.data, size), &parsed, &refusal), ERR_DENIED);
            assert_int_equal(refusal.reason, ATTEST_MALFORMED);
        }
        for (size_t bit = i; bit < covered * 8; bit += 13) {
            quote.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            /* without collateral, only the signatures are checked */
            if (verify(&quote, NULL, &r) == ATTEST_OK || r.signatures_valid)
                fail_msg("form %zu: bit %zu may be flipped", i, bit);
            quote.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    buffer_clear(&quote);
}

/* Bytes of an SGX quote of version 3, whose parts stand at fixed places. */
static void quotes_are_judged_field_by_field(void **state)
{
    static const struct {
        size_t at;
        uint8_t flip;
        enum attest_reason reason;
    } cases[] = {
        {2,    1,    ATTEST_UNSUPPORTED_ATTESTATION_KEY_TYPE},
        {4,    0x81, ATTEST_TEE_TYPE_MISMATCH               },
        {12,   1,    ATTEST_UNKNOWN_QE_VENDOR               },
        {28,   1,    ATTEST_SIGNATURE_INVALID               }, /* user data */
        {48,   1,    ATTEST_SIGNATURE_INVALID               }, /* the report */
        {432,  1,    ATTEST_MALFORMED                       }, /* size of what follows */
        {436,  1,    ATTEST_SIGNATURE_INVALID               },
        {500,  1,    ATTEST_QE_REPORT_DATA_MISMATCH         }, /* the key */
        {564,  1,    ATTEST_QE_REPORT_SIGNATURE_INVALID     },
        {948,  1,    ATTEST_QE_REPORT_SIGNATURE_INVALID     },
        {1014, 1,    ATTEST_QE_REPORT_DATA_MISMATCH         }, /* authentication data */
        {1046, 1,    ATTEST_UNSUPPORTED_CERT_DATA_TYPE      },
    };
    struct attest_collateral *sgx = collateral_of(ATTEST_SGX, "UpToDate", "UpToDate");
    struct buffer quote = {0};
    struct attest_result r;

    (void)state;
    form_quote(&forms[0], &quote);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        quote.data[cases[i].at] ^= cases[i].flip;
        if (verify(&quote, sgx, &r) != cases[i].reason)
            fail_msg("byte %zu: %s at %s", cases[i].at, attest_reason_code(r.reason), r.step);
        assert_false(r.signatures_valid || r.authentic);
        quote.data[cases[i].at] ^= cases[i].flip;
    }
    assert_int_equal(verify(&quote, sgx, &r), ATTEST_OK);
    buffer_clear(&quote);
    attest_collateral_free(&sgx);
}

/* Type and TEE already tell how long a body is: the size must say the same, signed or not. */
static void the_declared_size_of_a_body_counts(void **state)
{
    struct buffer quote = {0};

    (void)state;
    for (size_t i = 0; forms[i].reason == ATTEST_OK; i++) {
        if (forms[i].version != 5)
            continue;
        form_quote(&forms[i], &quote);
        for (size_t bit = 0; bit < 32; bit++) {
            struct refusal r = {0};
            struct quote q;

            quote.data[50 + bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(quote_parse(buffer_span(&quote), &q, &r), ERR_DENIED);
            assert_int_equal(r.reason, ATTEST_MALFORMED);
            quote.data[50 + bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    buffer_clear(&quote);
}

static void td_quote(uint16_t body_type, const uint8_t svn[3], const uint8_t svn_2[3],
                     struct buffer *out)
{
    uint8_t body[TD_REPORT_15_SIZE] = {0};

    memcpy(body, svn, 3);
    memcpy(body + SVN_2, svn_2, 3);
    quote_make(&(struct forge_quote){.version = 5,
                                     .tee_type = 0x81,
                                     .body_type = body_type,
                                     .body = span_of(body, body_type == 3 ? TD_REPORT_15_SIZE
                                                                          : TD_REPORT_10_SIZE)},
               out);
}

/* The newest level asks for TDX components 5, 0, 7; modules are TDX_03 (SVN 3), TDX_01 (6; 4 is
 * OutOfDate, 2 Revoked). */
static const struct merge {
    const char *level, *qe;
    uint16_t body_type;
    uint8_t svn[3], svn_2[3];
    enum attest_reason reason;
    enum tcb_status status;
} merges[] = {
  /* module version 0: the level judges all components */
    {"UpToDate",                          "UpToDate",  2, {5, 0, 7}, {0},       ATTEST_OK,                  TCB_UP_TO_DATE                              },
    {"UpToDate",                          "UpToDate",  2, {4, 0, 7}, {0},       ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"UpToDate",                          "UpToDate",  2, {5, 0, 6}, {0},       ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"UpToDate",                          "UpToDate",  2, {2, 0, 7}, {0},       ATTEST_TCB_NOT_SUPPORTED,   TCB_NOT_JUDGED                              },
 /* later ones: their identity does, and the level all but the first two */
    {"UpToDate",                          "UpToDate",  2, {6, 1, 7}, {0},       ATTEST_OK,                  TCB_UP_TO_DATE                              },
    {"UpToDate",                          "UpToDate",  2, {3, 3, 7}, {0},       ATTEST_OK,                  TCB_UP_TO_DATE                              },
    {"UpToDate",                          "UpToDate",  2, {6, 1, 6}, {0},       ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"UpToDate",                          "UpToDate",  2, {6, 1, 5}, {0},       ATTEST_TCB_NOT_SUPPORTED,   TCB_NOT_JUDGED                              },
    {"UpToDate",                          "UpToDate",  2, {5, 1, 7}, {0},       ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"UpToDate",                          "UpToDate",  2, {3, 1, 7}, {0},       ATTEST_OK,                  TCB_REVOKED                                 },
    {"UpToDate",                          "UpToDate",  2, {1, 1, 7}, {0},       ATTEST_TCB_NOT_SUPPORTED,   TCB_NOT_JUDGED                              },
    {"UpToDate",                          "UpToDate",  2, {2, 3, 7}, {0},       ATTEST_TCB_NOT_SUPPORTED,   TCB_NOT_JUDGED                              },
    {"UpToDate",                          "UpToDate",  2, {9, 2, 9}, {0},       ATTEST_TDX_MODULE_MISMATCH, TCB_NOT_JUDGED                              },
    {"SWHardeningNeeded",                 "UpToDate",  2, {4, 1, 7}, {0},       ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"ConfigurationNeeded",
     "UpToDate",                                       2,
     {4, 1, 7},
     {0},
     ATTEST_OK,                                                                                             TCB_OUT_OF_DATE_CONFIGURATION_NEEDED        },
    {"Revoked",                           "UpToDate",  2, {6, 1, 7}, {0},       ATTEST_OK,                  TCB_REVOKED                                 },
    {"UpToDate",                          "OutOfDate", 2, {6, 1, 7}, {0},       ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"UpToDate",                          "Revoked",   2, {6, 1, 7}, {0},       ATTEST_OK,                  TCB_REVOKED                                 },
 /* TD 1.5: a relaunch is enough when only the launch module is outdated and the loaded one is
  * the newest */
    {"UpToDate",                          "UpToDate",  3, {4, 1, 7}, {6, 1, 7}, ATTEST_OK,                  TCB_TD_RELAUNCH_ADVISED                     },
    {"UpToDate",                          "UpToDate",  3, {4, 1, 6}, {6, 1, 7}, ATTEST_OK,                  TCB_TD_RELAUNCH_ADVISED                     },
    {"UpToDate",                          "UpToDate",  3, {4, 1, 7}, {3, 3, 7}, ATTEST_OK,                  TCB_TD_RELAUNCH_ADVISED                     },
    {"UpToDate",                          "UpToDate",  3, {4, 1, 7}, {5, 0, 7}, ATTEST_OK,                  TCB_TD_RELAUNCH_ADVISED                     },
    {"SWHardeningNeeded",                 "UpToDate",  3, {4, 1, 7}, {6, 1, 7}, ATTEST_OK,                  TCB_TD_RELAUNCH_ADVISED                     },
    {"ConfigurationNeeded",
     "UpToDate",                                       3,
     {4, 1, 7},
     {6, 1, 7},
     ATTEST_OK,                                                                                             TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED},
    {"ConfigurationAndSWHardeningNeeded",
     "UpToDate",                                       3,
     {4, 1, 7},
     {6, 1, 7},
     ATTEST_OK,                                                                                             TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED},
 /* the configuration of the SGX level counts, even if the TD's own level is older */
    {"ConfigurationNeeded",
     "UpToDate",                                       3,
     {4, 1, 6},
     {6, 1, 7},
     ATTEST_OK,                                                                                             TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED},
    {"UpToDate",                          "UpToDate",  3, {4, 1, 7}, {5, 1, 7}, ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"UpToDate",                          "UpToDate",  3, {4, 1, 7}, {6, 1, 6}, ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"UpToDate",                          "UpToDate",  3, {4, 1, 7}, {4, 0, 7}, ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"UpToDate",                          "UpToDate",  3, {4, 1, 7}, {5, 0, 6}, ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"UpToDate",                          "UpToDate",  3, {4, 1, 7}, {9, 2, 9}, ATTEST_TDX_MODULE_MISMATCH, TCB_NOT_JUDGED                              },
    {"UpToDate",                          "UpToDate",  2, {4, 1, 7}, {6, 1, 7}, ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"UpToDate",                          "OutOfDate", 3, {4, 1, 7}, {6, 1, 7}, ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"UpToDate",                          "Revoked",   3, {4, 1, 7}, {6, 1, 7}, ATTEST_OK,                  TCB_REVOKED                                 },
    {"UpToDate",                          "UpToDate",  3, {6, 1, 6}, {6, 1, 7}, ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"UpToDate",                          "UpToDate",  3, {4, 0, 7}, {6, 1, 7}, ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"UpToDate",                          "UpToDate",  3, {2, 1, 7}, {6, 1, 7}, ATTEST_OK,                  TCB_REVOKED                                 },
    {"OutOfDate",                         "UpToDate",  3, {4, 1, 7}, {6, 1, 7}, ATTEST_OK,                  TCB_OUT_OF_DATE                             },
    {"OutOfDateConfigurationNeeded",
     "UpToDate",                                       3,
     {4, 1, 7},
     {6, 1, 7},
     ATTEST_OK,                                                                                             TCB_OUT_OF_DATE_CONFIGURATION_NEEDED        },
    {"Revoked",                           "UpToDate",  3, {4, 1, 7}, {6, 1, 7}, ATTEST_OK,                  TCB_REVOKED                                 },
 /* the module loaded now does not matter when no part is out of date */
    {"UpToDate",                          "UpToDate",  3, {6, 1, 7}, {9, 2, 9}, ATTEST_OK,                  TCB_UP_TO_DATE                              },
};

/*
 * The PCE certifies the key of every enclave to which the host gives the right. So the host may
 * have made a quote that verifies up to the root. Its claims are shown, but it is never authentic.
 */
static void a_quoting_enclave_of_the_hosts_own_is_not_authentic(void **state)
{
    static const struct {
        size_t at; /* in the QE report */
        uint8_t value;
        enum attest_reason reason, without; /* with collateral, and without */
        bool signatures_valid;
    } cases[] = {
        {128, 0x8d,             ATTEST_QE_IDENTITY_MISMATCH,    ATTEST_COLLATERAL_MISSING, true }, /* MRSIGNER */
        {256, 1,                ATTEST_QE_IDENTITY_MISMATCH,    ATTEST_COLLATERAL_MISSING, true }, /* ISVPRODID */
        {16,  1,                ATTEST_QE_IDENTITY_MISMATCH,    ATTEST_COLLATERAL_MISSING, true }, /* MISCSELECT */
        {258, FORGE_QE_SVN - 1, ATTEST_QE_ISVSVN_NOT_SUPPORTED, ATTEST_COLLATERAL_MISSING, true },
        {48,  0x13,             ATTEST_QE_DEBUG,                ATTEST_QE_DEBUG,           false}, /* DEBUG */
    };
    struct attest_collateral *collateral = collateral_of(ATTEST_TDX, "UpToDate", "UpToDate");
    uint8_t body[TD_REPORT_10_SIZE] = {6, 1, 7};
    struct buffer quote = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct attest_result r;

        quote_make(&(struct forge_quote){.version = 4,
                                         .tee_type = 0x81,
                                         .body = SPAN_OF(body),
                                         .qe_change_at = cases[i].at,
                                         .qe_change_to = cases[i].value},
                   &quote);
        assert_int_equal(verify(&quote, collateral, &r), cases[i].reason);
        assert_int_equal(r.signatures_valid, cases[i].signatures_valid);
        assert_false(r.authentic);
        assert_int_equal(verify(&quote, NULL, &r), cases[i].without);
        assert_int_equal(r.signatures_valid, cases[i].signatures_valid);
        assert_false(r.authentic);
        if (r.reason == ATTEST_QE_DEBUG)
            assert_string_equal(r.step, "qe_report");
    }
    buffer_clear(&quote);
    attest_collateral_free(&collateral);
}

static void statuses_of_level_module_and_qe_are_merged(void **state)
{
    struct buffer quote = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(merges); i++) {
        const struct merge *m = &merges[i];
        struct attest_collateral *collateral = collateral_of(ATTEST_TDX, m->level, m->qe);
        struct attest_result r;

        assert_non_null(collateral);
        td_quote(m->body_type, m->svn, m->svn_2, &quote);
        if (verify(&quote, collateral, &r) != m->reason || r.status != m->status)
            fail_msg("merge %zu: %s at %s, %s", i, attest_reason_code(r.reason), r.step,
                     tcb_status_name(r.status));
        assert_true(r.authentic); /* also when refused: the platform is at fault, not the quote */
        attest_collateral_free(&collateral);
    }
    buffer_clear(&quote);
}

static void a_platform_is_told_in_full(void **state)
{
    struct attest_collateral *collateral = collateral_of(ATTEST_TDX, "UpToDate", "UpToDate");
    struct buffer quote = {0};
    struct attest_result r;

    (void)state;
    td_quote(3, (const uint8_t[]){4, 1, 6}, (const uint8_t[]){0, 1, 0}, &quote);
    assert_int_equal(verify(&quote, collateral, &r), ATTEST_OK);
    assert_int_equal(r.status, TCB_OUT_OF_DATE);
    assert_int_equal(r.intel.platform_status, TCB_OUT_OF_DATE);
    assert_int_equal(r.intel.platform_level, 1);
    assert_int_equal(r.intel.module_status, TCB_OUT_OF_DATE);
    assert_int_equal(r.intel.qe_status, TCB_UP_TO_DATE);
    assert_int_equal(r.intel.tcb_evaluation_number, 17);
    assert_true(r.intel.has_platform_instance_id);
    assert_int_equal(r.intel.platform_instance_id[0], 0x70);
    assert_true(r.intel.dynamic_platform && !r.intel.cached_keys && r.intel.smt_enabled);
    assert_true(r.intel.has_newer_level);
    assert_int_equal(timestamp_seconds(r.intel.newer_level_date), 1747180800); /* 2025-05-14 */
    assert_int_equal(timestamp_seconds(r.tcb_date), 1676419200);               /* 2023-02-15 */
    assert_int_equal(r.advisory_count, 2);
    assert_string_equal(r.advisories[0], "INTEL-SA-2");
    assert_string_equal(r.advisories[1], "INTEL-SA-14");
    assert_int_equal(timestamp_seconds(r.earliest_expiry), 1761868800); /* nextUpdate */

    /* a part that is not out of date waits for no newer level */
    td_quote(3, (const uint8_t[]){6, 1, 7}, (const uint8_t[]){0, 1, 0}, &quote);
    assert_int_equal(verify(&quote, collateral, &r), ATTEST_OK);
    assert_false(r.intel.has_newer_level);
    attest_collateral_free(&collateral);

    /* a part that is out of date at its newest level stays so: no grace period */
    collateral = collateral_of(ATTEST_TDX, "UpToDate", "OutOfDate");
    td_quote(3, (const uint8_t[]){4, 1, 7}, (const uint8_t[]){0, 1, 0}, &quote);
    assert_int_equal(verify(&quote, collateral, &r), ATTEST_OK);
    assert_int_equal(r.status, TCB_OUT_OF_DATE);
    assert_false(r.intel.has_newer_level);
    attest_collateral_free(&collateral);
    buffer_clear(&quote);
}

static void assert_steps(const struct attest_result *r, const char *const *steps, size_t count)
{
    assert_int_equal(r->step_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(r->steps[i], steps[i]);
}

static void passed_steps_are_told_in_order(void **state)
{
    static const char *const steps[] = {"header",      "pck_chain",   "qe_report", "signature",
                                        "collateral",  "tcb_signing", "crl",       "tcb_info",
                                        "qe_identity", "tdx_module",  "tcb_level"};
    struct attest_collateral *collateral = collateral_of(ATTEST_TDX, "UpToDate", "UpToDate");
    struct attest_collateral *bare = collateral_of(ATTEST_SGX, "UpToDate", "UpToDate");
    struct buffer quote = {0};
    struct attest_result r;

    (void)state;
    td_quote(2, (const uint8_t[]){6, 1, 7}, (const uint8_t[3]){0}, &quote);
    assert_int_equal(verify(&quote, collateral, &r), ATTEST_OK);
    assert_steps(&r, steps, COUNT_OF(steps));

    /* without collateral: everything that the quote itself proves, and the collateral to fetch */
    assert_int_equal(verify(&quote, NULL, &r), ATTEST_COLLATERAL_MISSING);
    assert_string_equal(r.step, "collateral");
    assert_steps(&r, steps, 4);
    assert_true(r.signatures_valid && !r.authentic);
    assert_int_equal(r.kind, ATTEST_TDX);
    assert_int_equal(r.td.tee_tcb_svn[0], 6);
    assert_true(r.missing.known && !r.missing.processor_ca);
    assert_int_equal(r.missing.vendor, ATTEST_INTEL);
    assert_int_equal(r.missing.fmspc[1], 0x80);

    /* a refusal in between stops there */
    td_quote(2, (const uint8_t[]){6, 2, 7}, (const uint8_t[3]){0}, &quote);
    assert_int_equal(verify(&quote, collateral, &r), ATTEST_TDX_MODULE_MISMATCH);
    assert_string_equal(r.step, "tdx_module");
    assert_string_equal(r.presented, "major version 2");
    assert_steps(&r, steps, 9);

    /* SGX has no such step */
    form_quote(&forms[0], &quote);
    assert_int_equal(verify(&quote, bare, &r), ATTEST_OK);
    assert_int_equal(r.step_count, COUNT_OF(steps) - 1);
    assert_string_equal(r.steps[9], "tcb_level");

    quote.data[quote.size / 2] ^= 1; /* in the chain */
    assert_int_equal(verify(&quote, bare, &r), ATTEST_PCK_CHAIN_INVALID);
    assert_false(r.missing.known);
    assert_steps(&r, steps, 1);
    attest_collateral_free(&collateral);
    attest_collateral_free(&bare);
    buffer_clear(&quote);
}

static void the_kind_asked_for_is_the_kind_that_is_there(void **state)
{
    const enum attest_tee kinds[] = {ATTEST_SGX, ATTEST_TDX};
    struct buffer quote = {0};
    struct attest_result r;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        form_quote(&forms[i == 0 ? 3 : 0], &quote); /* of the other kind */
        assert_int_equal(
            attest_verify(&forge.trust, NULL, NULL,
                          &(struct attest_evidence){.kind = kinds[i], .bytes = buffer_span(&quote)},
                          forge.now, &r),
            ERR_DENIED);
        assert_int_equal(r.reason, ATTEST_TEE_TYPE_MISMATCH);
    }
    buffer_clear(&quote);
}

/* Offsets of the body, and what a bit there means. */
static void debug_and_module_measurements_are_read_from_the_body(void **state)
{
    struct attest_collateral *collateral = collateral_of(ATTEST_TDX, "UpToDate", "UpToDate");
    struct buffer quote = {0};

    (void)state;
    for (size_t bit = 0; bit < 64 * 8; bit++) {
        uint8_t body[TD_REPORT_10_SIZE] = {6, 1, 7};
        struct attest_result r;

        body[64 + bit / 8] |= (uint8_t)(1u << bit % 8);
        if (bit / 8 >= 48 + 8 && bit % 8 > 1)
            continue; /* TDATTRIBUTES: two bits of each byte will do */
        quote_make(&(struct forge_quote){.version = 4, .tee_type = 0x81, .body = SPAN_OF(body)},
                   &quote);
        if (bit < (48 + 8) * 8) { /* MRSIGNERSEAM, SEAMATTRIBUTES */
            assert_int_equal(verify(&quote, collateral, &r), ATTEST_TDX_MODULE_MISMATCH);
        } else {
            assert_int_equal(verify(&quote, collateral, &r), ATTEST_OK);
            assert_int_equal(r.debug, bit / 8 == 48 + 8);
            assert_int_equal(r.td.td_attributes[bit / 8 - 56], 1u << bit % 8);
        }
    }
    attest_collateral_free(&collateral);
    buffer_clear(&quote);
}

static void td_reports_have_one_of_two_sizes(void **state)
{
    uint8_t body[TD_REPORT_15_SIZE + 2];
    struct td_report td;

    (void)state;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t size = 0; size < sizeof body; size++)
        assert_int_equal(td_report_parse(span_of(body, size), &td),
                         size == TD_REPORT_10_SIZE || size == TD_REPORT_15_SIZE ? ERR_NONE
                                                                                : ERR_MALFORMED);
    assert_int_equal(td_report_parse(span_of(body, TD_REPORT_15_SIZE), &td), ERR_NONE);
    assert_memory_equal(td.mr_td, body + 136, 48);
    assert_memory_equal(td.rtmr[3], body + 472, 48);
    assert_memory_equal(td.report_data, body + 520, 64);
    assert_memory_equal(td.tee_tcb_svn_2, body + 584, 16);
    assert_memory_equal(td.mr_service_td, body + 600, 48);
}

/* One change of the TCB info, and its result. */
static void tcb_info_with_other_tdx_members_is_refused(void **state)
{
    static const struct {
        const char *from, *to;
        enum attest_reason reason;
    } edits[] = {
        {"\"tdxModule\":",            "\"tdxmodule\":",                 ATTEST_TCB_INFO_MALFORMED     },
        {"\"tdxModule\":{\"mrsigner", "\"tdxModule\":{\"signer",        ATTEST_TCB_INFO_MALFORMED     },
        {"\"attributesMask\":\"FF",   "\"attributesMask\":\"F",         ATTEST_TCB_INFO_MALFORMED     },
        {"\"attributes\":\"00",       "\"attributes\":\"",              ATTEST_TCB_INFO_MALFORMED     },
        {"TDX_03",                    "TDX_3",                          ATTEST_TCB_INFO_MALFORMED     },
        {"TDX_03",                    "TDX_003",                        ATTEST_TCB_INFO_MALFORMED     },
        {"TDX_03",                    "TDX-03",                         ATTEST_TCB_INFO_MALFORMED     },
        {"TDX_03",                    "TDX_0g",                         ATTEST_TCB_INFO_MALFORMED     },
        {"TDX_03",                    "TD",                             ATTEST_TCB_INFO_MALFORMED     },
        {"TDX_03",                    "TDX_01",                         ATTEST_TCB_INFO_MALFORMED     }, /* twice */
        {"\"isvsvn\":6",              "\"isvsvn\":3",                   ATTEST_TCB_INFO_MALFORMED     }, /* not sorted */
        {"\"isvsvn\":6",              "\"isvsvn\":65536",               ATTEST_TCB_INFO_MALFORMED     },
        {"\"isvsvn\":6",              "\"svn\":6",                      ATTEST_TCB_INFO_MALFORMED     },
        {"\"tdxModuleIdentities\":[", "\"tdxModuleIdentities\":[0,",    ATTEST_TCB_INFO_MALFORMED     },
        {"\"tdxModuleIdentities\":[", "\"tdxModuleIdentities\":[null,", ATTEST_TCB_INFO_MALFORMED     },
        {"\"tdxtcbcomponents\":",     "\"tdxcomponents\":",             ATTEST_TCB_INFO_MALFORMED     },
        {"\"Revoked\"",               "\"SWHardeningNeeded\"",          ATTEST_TCB_STATUS_UNRECOGNIZED},
        {"\"Revoked\"",               "\"TDRelaunchAdvised\"",          ATTEST_TCB_STATUS_UNRECOGNIZED},
        {"\"%s\"",                    "\"TDRelaunchAdvised\"",          ATTEST_TCB_STATUS_UNRECOGNIZED},
        {"\"id\":\"TDX\"",            "\"id\":\"tdx\"",                 ATTEST_TCB_INFO_MALFORMED     },
        {"\"%s\"",                    "\"UpToDate\"",                   ATTEST_OK                     },
    };
    struct buffer identity = {0};

    (void)state;
    forge_qe_identity(ATTEST_TDX, "UpToDate", &identity);
    for (size_t i = 0; i < COUNT_OF(edits); i++) {
        const char *at = strstr(tdx_info, edits[i].from);
        enum attest_reason reason = ATTEST_INTERNAL;
        struct attest_collateral *collateral;
        char info[TEXT_MAX];

        assert_non_null(at);
        (void)snprintf(info, sizeof info, "%.*s%s%s", (int)(at - tdx_info), tdx_info, edits[i].to,
                       at + strlen(edits[i].from));
        at = strstr(info, "%s");
        if (at) /* the status that is left open */
            memcpy(info + (at - info), "  ", 2);
        collateral = forge_collateral(&forge, info, (const char *)identity.data, &reason);
        if (reason != edits[i].reason)
            fail_msg("edit %zu: %s", i, attest_reason_code(reason));
        attest_collateral_free(&collateral);
    }
    buffer_clear(&identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_read_as_version_and_tee_type_say),
        cmocka_unit_test(every_prefix_and_flipped_bit_of_every_form_is_refused),
        cmocka_unit_test(quotes_are_judged_field_by_field),
        cmocka_unit_test(the_declared_size_of_a_body_counts),
        cmocka_unit_test(a_quoting_enclave_of_the_hosts_own_is_not_authentic),
        cmocka_unit_test(statuses_of_level_module_and_qe_are_merged),
        cmocka_unit_test(a_platform_is_told_in_full),
        cmocka_unit_test(passed_steps_are_told_in_order),
        cmocka_unit_test(the_kind_asked_for_is_the_kind_that_is_there),
        cmocka_unit_test(debug_and_module_measurements_are_read_from_the_body),
        cmocka_unit_test(td_reports_have_one_of_two_sizes),
        cmocka_unit_test(tcb_info_with_other_tdx_members_is_refused),
    };

    return cmocka_run_group_tests(tests, open_forge, close_forge);
}
